"""Every form of time that docs/tables.md lists, and what is none."""

import pathlib
import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from forecast.config.data import Data
from forecast.data.tables.time_texts import zone_words
from forecast.data.tables.timestamps import to_stamps
from forecast.data.tables.typed_time import typed_instant

BERLIN = "Europe/Berlin"
FORMS = [
    ("2024-01-31 06:30:15", "2024-01-31T06:30:15", False),
    ("2024-01-31T06:30", "2024-01-31T06:30:00", False),
    ("2024-01-31", "2024-01-31T00:00:00", False),
    ("2024-1-5 7:00", "2024-01-05T07:00:00", False),
    ("2024/01/31 06:30", "2024-01-31T06:30:00", False),
    ("2024-01", "2024-01-01T00:00:00", False),
    ("1950", "1950-01-01T00:00:00", False),
    ("20240131", "2024-01-31T00:00:00", False),
    ("20240131T063015", "2024-01-31T06:30:15", False),
    ("2024-01-31 06:30:15.5", "2024-01-31T06:30:15.5", False),
    ("2024-01-31 06:30:15,25", "2024-01-31T06:30:15.25", False),
    ("2024-01-31 24:00", "2024-02-01T00:00:00", False),
    ("2023-12-31T24:00:00", "2024-01-01T00:00:00", False),
    ("2024-01-31T06:30:00Z", "2024-01-31T06:30:00", True),
    ("20240131T063000Z", "2024-01-31T06:30:00", True),
    ("2024-01-31T06:30:00+01:00", "2024-01-31T05:30:00", True),
    ("2024-01-31 06:30:00+0100", "2024-01-31T05:30:00", True),
    ("2024-01-31 06:30+01", "2024-01-31T05:30:00", True),
    ("2024-01-31 06:30 -05:30", "2024-01-31T12:00:00", True),
    ("2024-01-31 06:30\u221203:00", "2024-01-31T09:30:00", True),
    ("20240131T0630+0100", "2024-01-31T05:30:00", True),
    ("2024-01-31 06:30:00 UTC", "2024-01-31T06:30:00", True),
    ("2024-01-31 06:30:00 GMT", "2024-01-31T06:30:00", True),
    ("2024-01-31 06:30:00 CET", "2024-01-31T05:30:00", True),
    ("2024-07-31 06:30:00 CEST", "2024-07-31T04:30:00", True),
]
NONE = [
    "now", "today", "soon", "1704067200", "2024-02-30", "2023-02-29", "2024-13-01", "2024-00-10",
    "2024-01-31 24:01", "2024-01-31 25:00", "2024-01-31 06:60", "2024-01-31 06:30:60",
    "2024-01-31 06:30 EST", "2024-01-31 06:30 PM", "2024-01-31 06:30+24:00", "31.01.2024",
    "01/31/2024", "2024-01-31Z", "2024-01-31 06:30 Europe/Berlin", "0000-01-01", "20240231",
    "2024-W05", "-1", "2024-01-31T06:30:00+01:00[Europe/Berlin]",
]  # fmt: skip


def instant(text):
    """Return nanoseconds since 1970 of an ISO text as if in UTC."""
    return int(np.datetime64(text, "ns").astype(np.int64))


@pytest.mark.parametrize(("text", "wanted", "is_utc"), FORMS)
def test_a_listed_form_is_read(text, wanted, is_utc):
    stamps = to_stamps([pa.array([text])], None, BERLIN)
    assert (int(stamps.ns[0]), bool(stamps.is_utc[0]), bool(stamps.bad[0])) == (
        instant(wanted), is_utc, False,
    )  # fmt: skip


def test_forms_may_be_mixed_in_one_column():
    texts = [text for text, _, _ in FORMS] + [None]
    stamps = to_stamps([pa.array(texts)], None, BERLIN)
    assert stamps.ns[:-1].tolist() == [instant(wanted) for _, wanted, _ in FORMS]
    assert stamps.is_utc[:-1].tolist() == [is_utc for _, _, is_utc in FORMS]
    assert stamps.empty.tolist() == [False] * len(FORMS) + [True]
    assert not stamps.bad.any()


@pytest.mark.parametrize("text", NONE)
def test_everything_else_is_no_time(text):
    for others in ([], ["2024-01-31 06:30"], ["2024-01-31T06:30Z"]):
        stamps = to_stamps([pa.array([text, *others])], None, BERLIN)
        assert stamps.bad.tolist() == [True] + [False] * len(others)


@pytest.mark.parametrize(
    ("text", "style", "wanted"),
    [
        ("31/01/2024 06.30", "%d/%m/%Y %H.%M", "2024-01-31T06:30"),
        ("1/5/24 12:30 am", "%m/%d/%y %I:%M %p", "2024-01-05T00:30"),
        ("1/5/24 12:30 PM", "%m/%d/%y %I:%M %p", "2024-01-05T12:30"),
        ("5 Sept 1999", "%d %b %Y", "1999-09-05"),
        ("January 5, 2024", "%B %d, %Y", "2024-01-05"),
        ("2024 366", "%Y %j", "2024-12-31"),
        ("2020-W53-7", "%G-W%V-%u", "2021-01-03"),
        ("2024-01-05 24:00", "%F %R", "2024-01-06"),
        ("20240105 063015.25", "%Y%m%d %H%M%S.%f", "2024-01-05T06:30:15.25"),
        ("2024-01-05 06:30 +0130", "%Y-%m-%d %H:%M %z", "2024-01-05T05:00"),
        ("2024-01-05 06:30:00 UTC", "%Y-%m-%d %H:%M:%S %Z", "2024-01-05T06:30"),
        ("2024-07-05 06:30:00 CEST", "%Y-%m-%d %H:%M:%S %Z", "2024-07-05T04:30"),
        ("Fri Jan  5 06:30:00 CET 2024", "%a %b %d %H:%M:%S %Z %Y", "2024-01-05T05:30"),
        ("1704436200", "epoch_s", "2024-01-05T06:30"),
        ("1704436200.5", "epoch_s", "2024-01-05T06:30:00.5"),
        ("1704436200123456789", "epoch_ns", "2024-01-05T06:30:00.123456789"),
        ("-86400", "epoch_s", "1969-12-31"),
    ],
)
def test_a_format_says_how_the_text_is_written(text, style, wanted):
    stamps = to_stamps([pa.array([text])], style, BERLIN)
    assert not stamps.bad[0]
    assert int(stamps.ns[0]) == instant(wanted)
    assert bool(stamps.is_utc[0]) == ("z" in style.lower() or style.startswith("epoch"))


@pytest.mark.parametrize(
    ("text", "style"),
    [
        ("31/02/2020", "%d/%m/%Y"),
        ("2024 366x", "%Y %j"),
        ("2023 366", "%Y %j"),
        ("2021-W53-1", "%G-W%V-%u"),
        ("2024-01-05 13:00 PM", "%Y-%m-%d %I:%M %p"),
        ("2024-01-05 06:30", "%Y-%m-%d %H:%M %z"),
        ("2024-01-05 06:30 IST", "%Y-%m-%d %H:%M %Z"),
        ("1704067200000000", "epoch_s"),
        ("now", "epoch_s"),
    ],
)
def test_what_does_not_fit_its_format_is_no_time(text, style):
    assert to_stamps([pa.array([text])], style, BERLIN).bad[0]


@pytest.mark.parametrize(
    ("style", "words"),
    [
        ("%d.%m. %H:%M", "no year"),
        ("%Y-%U", "'%U' is not known"),
        ("%Y %Y", "twice"),
        ("dd/mm/yyyy", "strptime"),
        ("%Y-%m-%d %I:%M", "%p"),
        ("%G-%m", "%V"),
    ],
)
def test_a_format_that_says_no_time_is_refused_with_the_config(style, words):
    with pytest.raises(ValueError, match=words):
        Data(source="t.csv", frequency="1h", timestamp_format=style)


def test_words_mean_what_the_zone_of_the_data_means_by_them():
    assert zone_words("America/New_York")["EST"] == -5 * 3600
    assert "EST" not in zone_words("Europe/Berlin")
    assert "MSK" not in zone_words("Europe/Moscow")  # three hours, four, three again
    assert zone_words("Asia/Kolkata")["IST"] == 19_800


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_times_of_parquet_are_exact(unit):
    times = pd.DatetimeIndex(["2024-01-31T06:30:15", "1999-12-31T23:59:59"])
    counts = times.as_unit(unit).asi8
    for zone, is_utc in ((None, False), ("America/New_York", True)):
        cells = pa.array(counts).cast(pa.timestamp(unit, zone))
        stamps = to_stamps([cells])
        assert stamps.ns.tolist() == times.as_unit("ns").asi8.tolist()
        assert bool(stamps.is_utc.all()) == is_utc


def test_no_end_and_no_begin_are_moved_to_where_int64_holds_them():
    texts = ["0001-01-01", "9999-12-31", "9999-12-31T23:59:59Z", "1650-01-01", "2024-01-01"]
    dates = np.array(["0001-01-01", "9999-12-31"], "M8[us]")
    low, high = instant("1700-01-01"), instant("2250-01-01")
    assert to_stamps([pa.array(texts)]).ns.tolist() == [low, high, high, low, instant("2024-01-01")]
    assert to_stamps([pa.array(dates)]).ns.tolist() == [low, high]
    assert to_stamps([pa.array(dates.astype("M8[D]"))]).ns.tolist() == [low, high]


def test_a_column_of_lists_holds_no_times():
    assert to_stamps([pa.array([[1], None])]).bad.tolist() == [True, False]


def test_a_typed_time_is_read_as_tables_read_it():
    assert typed_instant("20240131T0630Z", None) == instant("2024-01-31T06:30")
    assert typed_instant("2024-07-31 06:30", BERLIN) == instant("2024-07-31T04:30")
    for text, zone, words in (
        ("today", BERLIN, "is not a time"),
        ("2024-01-31", None, "no time zone"),
        ("2024-10-27 02:30", BERLIN, "comes twice"),
        ("2024-03-31 02:30", BERLIN, "left out"),
    ):
        with pytest.raises(ValueError, match=words):
            typed_instant(text, zone)


def test_every_form_of_the_docs_is_tested_here():
    page = (pathlib.Path(__file__).parents[3] / "docs" / "tables.md").read_text(encoding="utf-8")
    table = page.split("## Times")[1].split("\n## ")[0]
    shown = re.findall(r"`([^`]+)`", " ".join(re.findall(r"^\|([^|]*)\|", table, re.MULTILINE)))
    assert len(shown) > 15
    for text in shown:
        stamps = to_stamps([pa.array([text])], None, BERLIN)
        assert not stamps.bad[0], text
