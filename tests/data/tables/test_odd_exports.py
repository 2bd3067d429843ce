"""Numbers, times and headers as exports write them: read rightly, or refused with what to do."""

import json

import numpy as np
import pandas as pd
import pytest

from forecast.config.data import Data
from forecast.data.tables import read_tables
from forecast.data.tables.number_hints import grouped
from forecast.data.tables.text_values import Spelling
from forecast.data.tables.time_hints import time_hint
from forecast.errors import DataError

TIMES = pd.date_range("2024-01-01", periods=240, freq="h")
WAVE = [round(50 + 20 * np.sin(k * 2 * np.pi / 24) + k % 7 - 50, 1) for k in range(240)]
EPOCH = pd.Timestamp("1899-12-30")


def table(value=str, time="%Y-%m-%d %H:%M", head="ds,y"):
    """Return a table of the wave, each cell written by a function or a format."""
    write = time if callable(time) else lambda at: at.strftime(time)
    return "\n".join([head, *(f"{write(t)},{value(v)}" for t, v in zip(TIMES, WAVE, strict=True))])


def read(tmp_path, text, **settings):
    """Return times and values of the only series."""
    (tmp_path / "t.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    reader = read_tables(
        Data(**({"source": str(tmp_path / "t.csv"), "frequency": "1h"} | settings))
    )
    chunks = list(reader)
    return np.concatenate([one.time for one in chunks]), np.concatenate(
        [one.values[:, 0] for one in chunks]
    )


READ = {
    "typographer's minus": (table(lambda v: str(v).replace("-", "\u2212")), {}),
    "en dash": (table(lambda v: str(v).replace("-", "\u2013")), {}),
    "full-width dash": (table(lambda v: str(v).replace("-", "\uff0d")), {}),
    "exponents": (table(lambda v: f"{v:.4E}"), {}),
    "leading zeros": (table(lambda v: f"{v:+07.2f}"), {}),
    "a percent sign": (table(lambda v: f"{v} %"), {"csv": {"units": ["%"]}}),
    "a dollar before": (table(lambda v: f"$ {v}"), {"csv": {"units": ["$"]}}),
    "quoted": (table(lambda v: f'"{v}"'), {}),
    "apostrophes as quotes": (table(lambda v: f"'{v}'"), {"csv": {"quote": "'"}}),
    "a separator at the end": (table(lambda v: f"{v},"), {}),
    "mixed line ends": (table().replace("\n", "\r\n", 100), {}),
    "old line ends": (table().replace("\n", "\r"), {}),
    "12-hour clock": (
        table(time="%m/%d/%Y %I:%M %p"),
        {"timestamp_format": "%m/%d/%Y %I:%M %p"},
    ),
    "hours in the date": (table(time="%Y%m%d%H"), {"timestamp_format": "%Y%m%d%H"}),
    "minutes in the date": (table(time="%Y%m%d%H%M"), {"timestamp_format": "%Y%m%d%H%M"}),
    "two-digit years": (table(time="%d.%m.%y %H:%M"), {"timestamp_format": "%d.%m.%y %H:%M"}),
    "days of the year": (table(time="%Y-%j %H:%M"), {"timestamp_format": "%Y-%j %H:%M"}),
    "days of a spreadsheet": (
        table(time=lambda t: f"{(t - EPOCH) / pd.Timedelta('1D'):.6f}"),
        {"timestamp_format": "excel"},
    ),
    "milliseconds": (
        table(time=lambda t: str(t.value // 10**6)),
        {"timestamp_format": "epoch_ms"},
    ),
    "24:00": (
        table(
            time=lambda t: (
                (t - pd.Timedelta("1D")).strftime("%Y-%m-%d 24:00")
                if t.hour == 0
                else t.strftime("%Y-%m-%d %H:%M")
            )
        ),
        {},
    ),
    "a comment between rows": (
        table().replace("2024-01-05 00:00", "# calibrated\n2024-01-05 00:00"),
        {"bad_rows": "drop"},
    ),
    "a comment with a comma": (
        table().replace("2024-01-05 00:00", "# calibrated,now\n2024-01-05 00:00"),
        {"bad_rows": "drop"},
    ),
    "a footer": (table() + "\nExported on 2024-02-01\nTotal,12345\n", {"bad_rows": "drop"}),
    "a row of units": (table().replace("ds,y", "ds,y\n[UTC],[kW]"), {"bad_rows": "drop"}),
    "files joined with header and mark": (
        table().replace("2024-01-05 00:00", "\ufeffds,y\n2024-01-05 00:00"),
        {"bad_rows": "drop"},
    ),
}


@pytest.mark.parametrize("name", READ)
def test_exports_are_read(tmp_path, name):
    text, settings = READ[name]
    times, values = read(tmp_path, text, **settings)
    assert (times == TIMES.to_numpy().astype("datetime64[ns]").astype(np.int64)).all()
    assert values.tolist() == pytest.approx(WAVE, abs=1e-9)


REFUSED = {
    "minus behind": (table(lambda v: f"{-v}-" if v < 0 else str(v)), "minus in front"),
    "brackets": (table(lambda v: f"({-v})" if v < 0 else str(v)), "minus in front"),
    "detection limit": (table(lambda v: "<5" if v < 5 else str(v)), "a limit is no reading"),
    "hexadecimal": (table(lambda v: hex(abs(int(v)))), "as a decimal number"),
    "text formula": (table(lambda v: f'="{v}"'), "export the number itself"),
    "full-width digits": (
        table(lambda v: str(v).translate(str.maketrans("0123456789", "０１２３４５６７８９"))),
        "0 to 9",
    ),
    "Arabic digits": (
        table(lambda v: str(v).translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩"))),
        "0 to 9",
    ),
    "points between thousands": (
        table(lambda v: f"{int((60 + v) * 1e5):,}".replace(",", ".")),
        'thousands: "." and data.csv.decimal: ","',
    ),
    "two decimal marks": (
        table(lambda v: f'"{v}"'.replace(".", ",") if v > 15 else str(v)),
        "write one decimal mark",
    ),
    "quotes in the remedy": (table(lambda v: "it's"), "data.missing: {'y': [\"it's\"]}"),
    "a byte of nought": (table().replace("00:00,", "00:00,\0", 1), "text in the number column"),
    "spreadsheet days": (
        table(time=lambda t: f"{(t - EPOCH) / pd.Timedelta('1D'):.6f}"),
        "timestamp_format: excel",
    ),
    "day first or month first": (
        table(time="%d/%m/%Y %H:%M"),
        'timestamp_format: "%d/%m/%Y %H:%M" or "%m/%d/%Y %H:%M"',
    ),
    "12-hour clock": (table(time="%Y-%m-%d %I:%M:%S %p"), '"%Y-%m-%d %I:%M:%S %p"'),
    "hours in the date": (table(time="%Y%m%d%H"), '"%Y%m%d%H"'),
    "minutes in the date": (table(time="%Y%m%d%H%M"), '"%Y%m%d%H%M"'),
    "ISO weeks": (table(time="%G-W%V-%u"), '"%G-W%V-%u"'),
    "names of months": (table(time="%d %b %Y %H:%M"), '"%d %b %Y %H:%M"'),
    "a zone behind": (table(time="%Y-%m-%d %H:%M EST"), "write an offset"),
    "JSON": ("\n".join(json.dumps({"ds": "2024-01-01", "y": v}) for v in WAVE), "JSON"),
    "Feather": ("ARROW1\0\0\ufffd\ufffd" + "x" * 200, "Feather"),
    "a page": ("<!DOCTYPE html><html><body>Log in</body></html>", "HTML"),
    "times as columns": (
        "id," + ",".join(f"{t:%Y-%m-%d %H:%M}" for t in TIMES) + "\na" + ",1" * 240,
        'layout: wide_rows and data.start: "2024-01-01 00:00"',
    ),
    "a column twice": (table(lambda v: f"{v},{v}", head="ds,y,y"), "occurs 2 times"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_exports_are_refused_with_the_remedy(tmp_path, name):
    text, says = REFUSED[name]
    with pytest.raises(DataError) as caught:
        read(tmp_path, text)
    assert says in str(caught.value)
    assert "data.csv.units" not in str(caught.value)


def test_a_month_first_is_told_by_a_day_above_twelve():
    assert time_hint(["12/13/2024 00:00", "01/02/2024 00:00"]).endswith('"%m/%d/%Y %H:%M"')


@pytest.mark.parametrize(
    ("cells", "count"),
    [
        (["1.500", "840", "990", "1.234", "12.345", "77"], 3),
        (["0.500", "840", "990", "1.234", "12.345", "77"], 0),
        (["1.5", "840", "990", "1.234", "12.345", "77"], 0),
        (["1.500", "1.234", "12.345", "7.777"], 0),
        (["0", "0", "0", "0", "1.500", "1.234", "12.345"], 0),
    ],
)
def test_a_mark_between_thousands_is_seen_where_it_can_be_no_decimal_mark(cells, count):
    import pyarrow as pa

    assert grouped(pa.array(cells), Spelling()).sum() == count
    commas = pa.array([cell.replace(".", ",") for cell in cells])
    assert grouped(commas, Spelling(decimal=",")).sum() == count


def test_columns_that_are_times_must_be_the_steps_from_the_start(tmp_path):
    head = "id," + ",".join(f"{t:%Y-%m-%d %H:%M}" for t in TIMES[:6])
    settings = {"layout": "wide_rows", "start": "2024-01-01"}
    times, values = read(tmp_path, head + "\na,1,2,3,4,5,6\n", **settings)
    assert times.tolist() == TIMES[:6].as_unit("ns").asi8.tolist()
    assert values.tolist() == [1, 2, 3, 4, 5, 6]
    with pytest.raises(DataError, match=r"'2024-01-01 00:00' stands where 2023-12-31T00:00Z"):
        read(tmp_path, head + "\na,1,2,3,4,5,6\n", **settings | {"start": "2023-12-31"})
    gap = head.replace("2024-01-01 03:00,", "")
    with pytest.raises(DataError, match=r"'2024-01-01 04:00' stands where 2024-01-01T03:00Z"):
        read(tmp_path, gap + "\na,1,2,3,4,5\n", **settings)
