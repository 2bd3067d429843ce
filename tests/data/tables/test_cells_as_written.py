"""Cells as people write them: thousands, units, ids that spell "missing", rows that are no readings."""

import numpy as np
import pytest

from forecast.config.data import Data
from forecast.data.checks.reading import reading_findings
from forecast.data.tables import read_tables
from forecast.data.tables.number_hints import number_hint
from forecast.data.tables.text_values import Markers, Spelling, to_numbers
from forecast.errors import DataError

HOURS = [f"2024-01-{1 + hour // 24:02d} {hour % 24:02d}:00" for hour in range(96)]
WAVE = [round(900 + 250 * np.sin(hour * 2 * np.pi / 24)) for hour in range(96)]


def read(tmp_path, text, **settings):
    """Return the reader of a table, and its readings by series."""
    (tmp_path / "t.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    settings = {"source": str(tmp_path / "t.csv"), "frequency": "1h"} | settings
    reader = read_tables(Data(**settings))
    found, rejected = {}, 0
    for chunk in reader:
        rejected += chunk.rejected
        for code, value in zip(chunk.series.tolist(), chunk.values.tolist(), strict=True):
            found.setdefault(reader.series_ids.names[code], []).append(value[0])
    return reader, found, rejected


def thousands_table():
    """Return hourly values with a comma in those above 999."""
    rows = [f'{at},"{value:,}"' for at, value in zip(HOURS, WAVE, strict=True)]
    return "\n".join(["ds,y", *rows]) + "\n"


def test_a_thousands_comma_is_offered_as_one_and_read_as_one(tmp_path):
    with pytest.raises(DataError, match=r'set data\.csv\.thousands: ","') as caught:
        read(tmp_path, thousands_table())
    assert "decimal" not in str(caught.value)
    _, found, _ = read(tmp_path, thousands_table(), csv={"thousands": ","})
    assert found["series"] == WAVE


@pytest.mark.parametrize(
    ("bad", "good", "spelling", "says"),
    [
        (["1,378"], ["900"], Spelling(), 'thousands: ","'),
        (["1,378"], [], Spelling(), "means 1378"),
        (["1,234,567"], [], Spelling(), 'thousands: ","'),
        (["0,123"], ["9"], Spelling(), 'decimal: ","'),
        (["2,6"], ["9"], Spelling(), 'decimal: ","'),
        (["1.378,50"], [], Spelling(), 'thousands: "." and data.csv.decimal: ","'),
        (["1 378"], [], Spelling(), 'thousands: " "'),
        (["1\u202f378,5"], [], Spelling(), 'thousands: " " and data.csv.decimal: ","'),
        (["1\u00a0378"], [], Spelling(), 'thousands: " "'),
        (["1'378.2"], [], Spelling(), 'thousands: "\'"'),
        (["1\u2019378"], [], Spelling(), 'thousands: "\'"'),
        (["21.5 °C"], ["3"], Spelling(), 'units: ["°C"]'),
        (["$1,378"], ["3"], Spelling(), 'units: ["$"]'),
        (["5 m2"], ["3"], Spelling(), 'units: ["m2"]'),
        (["1.378"], ["3"], Spelling(decimal=","), 'thousands: "."'),
        (["1.37"], ["3"], Spelling(decimal=","), "leave data.csv.decimal out"),
        (["broken"], ["3"], Spelling(), ""),
        (["12:30"], ["3"], Spelling(), ""),
    ],
)
def test_the_hint_names_the_setting(bad, good, spelling, says):
    hint = number_hint(bad, good, spelling)
    assert says in hint
    assert bool(hint) == bool(says)


@pytest.mark.parametrize("text", ["1 378", "1\u00a0378", "1\u202f378", "1\u2009378"])
def test_every_space_between_thousands_is_one(text):
    import pyarrow as pa

    numbers = to_numbers(pa.array([text, "900"]), Markers(("",), ()), Spelling(thousands=" "))
    assert numbers.values.tolist() == [1378, 900]
    assert numbers.bad is None


def test_units_beside_numbers_are_left_out_where_they_are_listed(tmp_path):
    cells = ["21.5 °C", "-3 °C", "°C", "NA", "\u22127°C", "8"]
    table = "ds,y\n" + "".join(f"{at},{cell}\n" for at, cell in zip(HOURS, cells, strict=False))
    with pytest.raises(DataError, match=r'line 2: .*21\.5 °C.*data\.csv\.units: \["°C"\]'):
        read(tmp_path, table)
    _, found, _ = read(tmp_path, table, csv={"units": "°C"})
    np.testing.assert_array_equal(found["series"], [21.5, -3, np.nan, np.nan, -7, 8])


def test_an_id_is_a_text_whatever_it_spells(tmp_path):
    ids = ["NA", "null", "nan", "007", "7", "-999"]
    rows = [f"{name},2024-01-01,{place}" for place, name in enumerate(ids)]
    table = "\n".join(["country,ds,y", *rows, "ZA,2024-01-01,NA", "ZA,2024-01-02,-999"]) + "\n"
    _, found, rejected = read(
        tmp_path, table, series="country", missing=["NA", "nan", "null", -999]
    )
    assert list(found) == [*ids, "ZA"]
    assert [found[name] for name in ids] == [[float(place)] for place in range(6)]
    assert np.isnan(found["ZA"]).all()
    assert rejected == 0


def test_markers_of_missing_hold_for_times_beside_ids(tmp_path):
    table = "unique_id,ds,y\na,2024-01-01,1\na,NA,\n"
    reader, found, rejected = read(tmp_path, table)
    assert (found, rejected, reader.notes.empty.count) == ({"a": [1.0]}, 1, 1)


def influx(host, level, *, head=True):
    """Return the lines of one table of an annotated CSV as InfluxDB writes it."""
    annotations = [
        "#group,false,false,true,true,false,false,true,true",
        "#datatype,string,long,dateTime:RFC3339,dateTime:RFC3339,dateTime:RFC3339,double,string,string",
        "#default,_result,,,,,,,,",
        ",result,table,_start,_stop,_time,_value,_field,host",
    ]
    rows = [
        f",,0,2024-01-01T00:00:00Z,2024-02-01T00:00:00Z,{at.replace(' ', 'T')}:00Z,"
        f"{level + hour % 24}.5,temp,{host}"
        for hour, at in enumerate(HOURS)
    ]
    return [*(annotations if head else []), *rows]


INFLUX = {
    "csv": {"skip_rows": 3},
    "series": "host",
    "timestamp": "_time",
    "targets": "_value",
}


@pytest.mark.parametrize("head", [True, False])
def test_annotated_blocks_are_dropped_row_by_row(tmp_path, head):
    text = "\r\n".join([*influx("a", 10), "", *influx("b", 50, head=head)]) + "\r\n\r\n"
    if head:
        with pytest.raises(DataError, match=r"line 102: no time .*_time.*data\.bad_rows: drop"):
            read(tmp_path, text, **INFLUX)
    reader, found, rejected = read(tmp_path, text, bad_rows="drop", **INFLUX)
    assert {name: (len(values), min(values), max(values)) for name, values in found.items()} == {
        "a": (96, 10.5, 33.5),
        "b": (96, 50.5, 73.5),
    }
    assert reader.series_ids.names == ["a", "b"]
    assert rejected == (4 if head else 0)
    assert reader.notes.bad_time.count == (3 if head else 0)
    assert reader.notes.ragged.count == (1 if head else 0)
    assert reader.notes.missing["_value"].count == 0


def test_headers_units_and_totals_between_rows_leave_the_readings(tmp_path):
    table = (
        "unique_id,ds,y,sky\n-,[UTC],[kW],text\na,2024-01-01,1,dry\nTotal,,1,-\n"
        "unique_id,ds,y,sky\na,2024-01-02,2,rain\nsum,total,3 kWh,x\n"
    )
    settings = {"covariates": {"past": ["sky"]}, "categories": ["sky"], "bad_rows": "drop"}
    reader, found, rejected = read(tmp_path, table, **settings)
    assert (found, rejected) == ({"a": [1.0, 2.0]}, 4)
    assert reader.categories == {"sky": ("dry", "rain")}
    assert reader.notes.bad_time.count == 3
    assert (reader.notes.no_time.count, reader.notes.no_time.first) == (1, "t.csv: line 4")
    with pytest.raises(DataError, match=r"the header stands here again: set data\.bad_rows: drop"):
        read(tmp_path, "ds,y\n2024-01-01,1\nds,y\n", timestamp_format="%Y-%m-%d")


def test_a_total_in_a_wide_table_is_dropped_before_its_text_is_a_fault(tmp_path):
    table = "ds,a,b\n2024-01-01,1,2\ntotal,1 kWh,2 kWh\n,3 kWh,\n2024-01-02,3,4\n"
    reader, found, rejected = read(tmp_path, table, layout="wide_columns", bad_rows="drop")
    assert (found, rejected) == ({"a": [1.0, 3.0], "b": [2.0, 4.0]}, 4)
    assert (reader.notes.bad_time.count, reader.notes.no_time.count) == (1, 1)
    assert reader.notes.missing["y"].count == 0


@pytest.mark.parametrize("pad", [0, 400_000], ids=["one piece", "many pieces"])
def test_a_second_unit_in_a_series_column_is_refused(tmp_path, pad):
    """Read without conversion, 0.015 MW would be a thousandth of what the sensor measured."""
    rows = [f"{at},{12 + k % 3} kW" for k, at in enumerate(HOURS)]
    text = "ds,y\n" + "\n".join(rows) + "\n" + f"{HOURS[-1]},12 kW\n" * pad
    units = {"units": ["kW", "MW"]}
    _, found, _ = read(tmp_path, text, csv=units)
    assert found["series"][:4] == [12, 13, 14, 12]
    with pytest.raises(DataError, match=rf"line {98 + pad}: a second unit.*'0\.015 MW'.*'kW'"):
        read(tmp_path, text + "2024-01-09 00:00,0.015 MW\n", csv=units)


def test_each_series_may_have_a_unit_of_its_own(tmp_path):
    rows = [f"{at},{name},{cell}" for at in HOURS for name, cell in (("t", "21 °C"), ("h", "55%"))]
    units = {"series": "s", "csv": {"units": ["°C", "%"]}}
    _, found, _ = read(tmp_path, "ds,s,y\n" + "\n".join(rows), **units)
    assert (set(found["t"]), set(found["h"])) == ({21.0}, {55.0})
    with pytest.raises(DataError, match="a second unit in the number column 'y': '56%'"):
        read(tmp_path, "ds,s,y\n" + "\n".join([*rows, "2024-01-09 00:00,t,56%"]), **units)


@pytest.mark.parametrize(
    ("cells", "is_one"),
    [
        (("12 kWh", "13 kwh"), True),
        (("12 mW", "13 MW"), False),
        (("12 W", "13 kW"), False),
        (("12", "13 kW"), True),
    ],
)
def test_case_is_no_other_unit_but_for_mega(tmp_path, cells, is_one):
    rows = [f"{at},{cells[k % 2]}" for k, at in enumerate(HOURS)]
    style = {"units": ["kWh", "kwh", "mW", "MW", "W", "kW"]}
    if is_one:
        assert read(tmp_path, "ds,y\n" + "\n".join(rows), csv=style)[1]["series"][:2] == [12, 13]
    else:
        with pytest.raises(DataError, match="a second unit"):
            read(tmp_path, "ds,y\n" + "\n".join(rows), csv=style)


def test_a_row_of_values_holds_one_unit(tmp_path):
    rows = "id,1,2,3\na,1 kW,2 kW,3 kW\nb,1 MW,2 MW,{} MW\n"
    settings = {
        "layout": "wide_rows",
        "start": "2024-01-01",
        "csv": {"units": ["kW", "MW"]},
    }
    assert read(tmp_path, rows.format(3), **settings)[1] == {"a": [1, 2, 3], "b": [1, 2, 3]}
    with pytest.raises(DataError, match="a second unit"):
        read(tmp_path, rows.format(3).replace("3 kW", "3 MW"), **settings)


def test_numbers_without_a_unit_beside_some_with_one_are_told(tmp_path):
    """Half as 50 %, half as 0.5 would be read as they stand."""
    rows = [f"{at},{'50 %' if k % 2 else '0.5'}" for k, at in enumerate(HOURS)]
    reader, found, _ = read(tmp_path, "ds,y\n" + "\n".join(rows), csv={"units": ["%"]})
    assert sorted(set(found["series"])) == [0.5, 50.0]
    notes = reader.notes
    assert (notes.bare["y"].count, notes.with_unit["y"].count) == (48, 48)
    assert notes.bare["y"].first.endswith("line 2")
    [told] = [
        finding.message
        for finding in reading_findings(notes, Data(source="t.csv", frequency="1h"), readings=96)
        if finding.code == "units"
    ]
    assert told == (
        "48 numbers without a unit beside 48 with one (the first: t.csv: line 3): all are read "
        "alike, nothing is converted"
    )
