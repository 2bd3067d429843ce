"""Files as they are found: workbooks, blanks between columns, odd encodings, names, folders."""

import importlib.util
import json
import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from forecast.config.data import Data
from forecast.data.tables import read_tables, source_files
from forecast.data.tables.source_changes import file_states, fingerprint, whats_new
from forecast.data.tables.sources import left_out
from forecast.errors import ConfigError, DataError
from tests.data.tables.sheets import book

HOUR = 3600 * 10**9
FIRST = np.datetime64("2024-01-01T00", "ns").astype(np.int64)
needs_excel = pytest.mark.skipif(
    importlib.util.find_spec("python_calamine") is None, reason="the extra `excel` is not installed"
)


def readings(path, **settings):
    """Return (series, hours since 2024, value) of every reading."""
    data = Data(**({"source": str(path), "frequency": "1h"} | settings))
    reader = read_tables(data)
    return [
        (reader.series_ids.names[series], int((time - FIRST) // HOUR), float(value))
        for chunk in reader
        for series, time, value in zip(
            chunk.series.tolist(), chunk.time.tolist(), chunk.values[:, 0], strict=True
        )
    ]


def put(folder, name, content):
    """Write a file; return its path."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


TWO = [("series", 0, 1.5), ("series", 1, 2.5)]
PLAIN = "ds,y\n2024-01-01 00:00,1.5\n2024-01-01 01:00,2.5\n"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("stated", [{}, {"csv": {"encoding": "utf-16"}}])
def test_utf_16_without_a_mark(tmp_path, encoding, stated):
    assert readings(put(tmp_path, "t.csv", PLAIN.encode(encoding)), **stated) == TWO


@pytest.mark.parametrize(
    ("text", "style", "timestamp"),
    [
        ("ds y\n2024-01-01T00 1.5\n2024-01-01T01 2.5\n", {"separator": "whitespace"}, "ds"),
        (
            "   day     at      y \r\n2024-01-01  00:00   1.5\r\n\r\n 2024-01-01\t01:00 2.5  \r\n",
            {"separator": "whitespace"},
            ["day", "at"],
        ),
        (
            '# gauge 7\nds  name  y\n"2024-01-01 00:00"  "a b"  1.5\n"2024-01-01 01:00" "c d" 2.5\n',
            {"separator": "whitespace", "skip_rows": 1},
            "ds",
        ),
        (
            "ds              q    y\n2024-01-01 00:00A  1.5\n2024-01-01 01:00   2.5\n\n",
            {"widths": [16, 1, 5]},
            "ds",
        ),
        (
            "2024-01-01 00:00 1.5\n2024-01-01 01:00 2.5",
            {"widths": [16, 4], "header": False, "columns": ["ds", "y"]},
            "ds",
        ),
    ],
)
def test_blanks_and_widths_between_columns(tmp_path, text, style, timestamp):
    path = put(tmp_path, "t.txt", text)
    assert readings(path, csv=style, timestamp=timestamp) == TWO


def test_a_long_table_of_blanks_is_read_whole(tmp_path):
    rows = "".join(
        f"  {FIRST // 10**9 + 3600 * hour:>14}   {hour / 8:>12}\n" for hour in range(9000)
    )
    path = put(tmp_path, "t.txt", "ds y\n" + rows)
    found = readings(path, csv={"separator": "whitespace"}, timestamp_format="epoch_s")
    assert found == [("series", hour, hour / 8) for hour in range(9000)]


def test_text_behind_the_widths_is_a_bad_row(tmp_path):
    path = put(tmp_path, "t.txt", "ds        y\n2024-01-011.5\n2024-01-021.5 x9\n")
    with pytest.raises(DataError, match="line 3: 3 values where the header has 2"):
        readings(path, csv={"widths": [10, 4]})


@pytest.mark.parametrize(
    ("text", "style", "says"),
    [
        ("ds y\n2024-01-01  1\n", {"separator": " "}, r"separator: whitespace"),
        ("ds  y\n2024-01-01  1\n", {}, r'separator: "whitespace"'),
        ("ds;y\n2024-01-01;1\n", {}, r'separator: ";"'),
        ("Station: North\nheight,12\nds,y\n2024-01-01,1\n", {}, r"line 3 .*skip_rows: 2"),
        ("Station: North\n\nds;y\n2024-01-01;1\n", {}, r'separator: ";", and line 3.*skip_rows: 2'),
        ("ds,y,z\n2024-01-01,1,1\n2024-01-01,1,1\n", {"skip_rows": 1}, r"line 1 .*skip_rows: 0"),
    ],
)
def test_the_message_names_the_header_and_the_separator(tmp_path, text, style, says):
    with pytest.raises(DataError, match=says):
        readings(put(tmp_path, "t.csv", text), csv=style)


def test_names_that_do_not_decode_ask_for_the_encoding(tmp_path):
    path = put(tmp_path, "t.csv", "ds,Außen °C\n2024-01-01,1\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"no column 'Außen °C'.*data\.csv\.encoding, .*latin-1"):
        readings(path, targets="Außen °C")
    latin = {"csv": {"encoding": "latin-1"}, "targets": "Außen °C"}
    assert readings(path, **latin) == [("series", 0, 1.0)]


def test_latin_1_ids(tmp_path):
    text = "Straße,ds,Höhe\nKöln,2024-01-01,1\nMalmö,2024-01-01,2\n"
    path = put(tmp_path, "t.csv", text.encode("latin-1"))
    settings = {"series": "Straße", "targets": "Höhe", "csv": {"encoding": "latin-1"}}
    assert readings(path, **settings) == [("Köln", 0, 1.0), ("Malmö", 0, 2.0)]


@pytest.mark.parametrize(
    ("in_file", "in_config"), [("e\u0301", "é"), ("é", "e\u0301"), ("µg", "μg")]
)
def test_names_are_one_in_every_unicode_form(tmp_path, in_file, in_config):
    path = put(tmp_path, "t.csv", f"ds,{in_file}\n2024-01-01,1\n")
    assert readings(path, targets=in_config) == [("series", 0, 1.0)]
    stored = tmp_path / "t.parquet"
    pq.write_table(pa.table({"ds": ["2024-01-01"], in_file: [1.0]}), stored)
    assert readings(stored, targets=in_config) == [("series", 0, 1.0)]


def test_a_name_that_two_columns_could_mean_is_not_guessed(tmp_path):
    path = put(tmp_path, "t.csv", "ds,m²,m2\n2024-01-01,1,2\n")
    assert readings(path, targets="m²") == [("series", 0, 1.0)]
    assert readings(path, targets="m2") == [("series", 0, 2.0)]


def test_export_10_comes_behind_export_9(tmp_path):
    for name, value in (
        ("export_9.csv", 1),
        ("export_10.csv", 2),
        ("a2/x.csv", 0),
        ("a10/x.csv", 0),
    ):
        put(tmp_path, name, f"ds,y\n2024-01-01,{value}\n")
    names = [file.path.removeprefix(f"{tmp_path}/") for file in source_files(str(tmp_path))]
    assert names == ["a2/x.csv", "a10/x.csv", "export_9.csv", "export_10.csv"]
    globbed = [file.name for file in source_files(str(tmp_path / "export_*.csv"))]
    assert globbed == ["export_9.csv", "export_10.csv"]


def test_other_endings_in_a_folder_are_named(tmp_path):
    put(tmp_path, "logs/readings.dat", PLAIN)
    with pytest.raises(DataError, match=r"no table in this folder.*it holds \.dat: name a file"):
        source_files(str(tmp_path / "logs"))
    put(tmp_path, "logs/readings.csv", PLAIN)
    put(tmp_path, "logs/.hidden", "")
    assert left_out(str(tmp_path / "logs")) == [str(tmp_path / "logs" / "readings.dat")]
    assert left_out(str(tmp_path / "logs" / "readings.csv")) == []


@needs_excel
def test_a_workbook_is_read_by_its_cells(tmp_path):
    rows = [
        ["Station North", None, None],
        ["id", "at", "y"],
        [7, 45292.0, 1.5],
        [7, 45292 + 1 / 24, 2.5],
        [8, 45292 + 2 / 24, None],
    ]
    path = put(tmp_path, "t.xlsx", book({"Sheet1": rows, "Notes": []}, times={"B"}))
    settings = {"series": "id", "timestamp": "at", "csv": {"skip_rows": 1}}
    found = readings(path, **settings)
    assert found[:2] == [("7", 0, 1.5), ("7", 1, 2.5)]
    assert found[2][:2] == ("8", 2)
    assert np.isnan(found[2][2])
    with pytest.raises(DataError, match=r"row 3: text in the number column 'at': '2024"):
        readings(path, **(settings | {"targets": "at", "timestamp": "y", "csv": {"skip_rows": 1}}))


@needs_excel
def test_sheets_are_chosen_by_name(tmp_path):
    sheet = [["ds", "y"], ["2024-01-01", 1]]
    path = put(tmp_path, "t.xlsx", book({"May": sheet, "June": [*sheet, ["2024-01-02", 2]]}))
    with pytest.raises(
        DataError, match=r"has the sheets 'May', 'June'; name one with data\.csv\.sheet"
    ):
        readings(path)
    with pytest.raises(ConfigError, match="none called 'July'"):
        readings(path, csv={"sheet": "July"})
    assert len(readings(path, csv={"sheet": "June"})) == 2
    with pytest.raises(DataError, match="not a whole workbook"):
        readings(put(tmp_path, "t.xls", b"\xd0\xcf\x11\xe0" + bytes(600)))
    with pytest.raises(DataError, match=r"a workbook where data\.format says csv"):
        readings(path, format="csv")


def test_a_workbook_without_the_extra_names_it(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "python_calamine", None)
    path = put(tmp_path, "t.xlsx", book({"S": [["ds", "y"]]}))
    with pytest.raises(DataError, match=r"pip install 'lstm-forecast\[excel\]', or save .* as CSV"):
        readings(path)


def test_a_correction_in_the_middle_of_a_large_file_is_seen(tmp_path):
    text = bytearray(b"ds,y\n" + b"2024-01-01,1.25\n" * 2_300_000)
    path = put(tmp_path, "t.csv", bytes(text))
    before = file_states(source_files(str(path)))
    middle = len(text) // 2 // 16 * 16 + 5 + 11
    text[middle : middle + 4] = b"9.99"
    path.write_bytes(bytes(text) + b"2024-01-02,3.00\n")
    files = source_files(str(path))
    states = file_states(files, before)
    assert whats_new(files, states, before) is None
    path.write_bytes(bytes(text))
    os.utime(path, ns=(1, 1))
    corrected = file_states(source_files(str(path)), before)
    assert fingerprint({}, corrected) != fingerprint({}, before)
    assert json.loads(json.dumps(states)) == states


def test_lines_are_those_of_the_file_where_some_are_blank(tmp_path):
    text = 'ds,y,note\n\n2024-01-01,1,"two\nlines"\n\n2024-01-02\n2024-01-03,x,\n'
    with pytest.raises(DataError, match=r"line 7: text in the number column 'y': 'x'"):
        readings(put(tmp_path, "t.csv", text))


def test_faults_are_those_of_the_whole_file(tmp_path):
    rows = "".join(
        f"2024-01-01 00:00:{n % 60:02d}.{n:09d},{'x' if n % 2 else 1}\n" for n in range(200_000)
    )
    with pytest.raises(DataError, match=r"'x' \(100,000 in this file\)"):
        readings(put(tmp_path, "t.csv", "ds,y\n" + rows), targets="y")


def test_a_ragged_row_that_is_no_text_is_counted_all_the_same(tmp_path):
    table = b"ds,y,note\n2024-01-01,1,\xff\n2024-01-02,\xff\n2024-01-03,3,x\n"
    path = put(tmp_path, "t.csv", table)
    with pytest.raises(DataError, match=r"line 3: 2 values where the header has 3"):
        readings(path)
    assert readings(path, bad_rows="drop") == [("series", 0, 1.0), ("series", 48, 3.0)]
    with pytest.raises(DataError, match=r"not utf-8 text"):
        readings(path, bad_rows="drop", categories=["note"], covariates={"past": ["note"]})


@pytest.mark.parametrize(
    "table",
    [
        b'ds,y\n2024-01-01,1\n"2024-01-02",2,"\xff\n2024-01-03,3\n2024-01-04,4"\n',
        b'ds,y,note\n2024-01-01,1,"two\nlines"\n2024-01-02,2,\xff,\xc3\x28\n2024-01-03,3,x\n',
    ],
    ids=["beside a damaged quote", "where values span lines"],
)
def test_a_ragged_row_that_is_no_text_never_goes_in_silence(tmp_path, table, capfd):
    path = put(tmp_path, "t.csv", table)
    with pytest.raises(DataError, match=r"not utf-8 text .* in the row .*2.*\ufffd.*csv.encoding"):
        readings(path, bad_rows="drop")
    assert "ignored" not in capfd.readouterr().err
