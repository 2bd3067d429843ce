"""The reader: what a source means, and every way of writing a table, cell by cell."""

import fsspec
import numpy as np
import pytest

from forecast.config.data import Data
from forecast.data.tables import read_tables, source_files
from forecast.errors import DataError


def settings(**changes):
    """Return a data section of one hourly series with the columns ds and y."""
    return Data(**({"source": "x.csv", "frequency": "1h"} | changes))


def test_bundled_sample_is_read_whole():
    data = settings(
        source="sample:nyc-weather",
        series="origin",
        timestamp="time_hour",
        timezone="America/New_York",
        targets="temp",
        covariates={"past": ["wind_speed", "pressure"]},
    )
    reader = read_tables(data)
    chunks = list(reader)
    values = np.concatenate([chunk.values for chunk in chunks])
    time = np.concatenate([chunk.time for chunk in chunks])
    series = np.concatenate([chunk.series for chunk in chunks])
    assert reader.series_ids.names == ["EWR", "JFK", "LGA"]
    assert np.bincount(series).tolist() == [8703, 8706, 8706]
    assert time[0] == np.datetime64("2013-01-01T06:00", "ns").astype(np.int64)
    assert values[0].tolist() == [39.02, 10.35702, 1012.0]
    assert {name: tally.count for name, tally in reader.notes.missing.items()} == {
        "temp": 1,
        "wind_speed": 4,
        "pressure": 2729,
    }
    assert reader.notes.missing["pressure"].first.endswith("nyc_weather.csv.gz: line 13")


def rows(reader):
    """Return the readings of a reader: series, hours since 1970, values."""
    return [
        (reader.series_ids.names[series], int(time) // 3_600_000_000_000, *map(float, values))
        for chunk in reader
        for series, time, values in zip(chunk.series, chunk.time, chunk.values, strict=True)
    ]


@pytest.fixture
def memory():
    """Return the file store in memory, emptied afterwards."""
    store = fsspec.filesystem("memory")
    yield store
    store.rm("/", recursive=True)


def test_urls_through_fsspec_as_file_folder_and_pattern(memory):
    memory.pipe("/raw/a.csv", b"ds,y\n1970-01-01T00:00Z,1\n")
    memory.pipe("/raw/b.csv", b"ds,y\n1970-01-01T01:00Z,2\n")
    memory.pipe("/raw/notes.md", b"x")
    both = [("series", 0, 1.0), ("series", 1, 2.0)]
    assert rows(read_tables(settings(source="memory://raw/a.csv"))) == both[:1]
    assert rows(read_tables(settings(source="memory://raw/*.csv"))) == both
    assert rows(read_tables(settings(source="memory://raw"))) == both


def test_files_are_listed_once_in_order_with_what_tells_a_change(tmp_path):
    for name in ("b.csv", "a.csv", "c.txt.gz", "skip.md", "_x.csv"):
        (tmp_path / name).write_text("ds,y\n")
    files = source_files([str(tmp_path), str(tmp_path / "a.csv")])
    assert [file.name for file in files] == ["a.csv", "b.csv", "c.txt.gz"]
    assert files[0].size == 5
    assert files[0].modified_ns == (tmp_path / "a.csv").stat().st_mtime_ns


def test_only_some_files_can_be_read_with_ids_and_labels_going_on(tmp_path):
    (tmp_path / "1.csv").write_text("unique_id,ds,y,w\nb,1970-01-01,1,rain\n")
    (tmp_path / "2.csv").write_text("unique_id,ds,y,w\na,1970-01-01,2,sun\nb,1970-01-02,3,rain\n")
    data = settings(source=str(tmp_path), covariates={"past": ["w"]}, categories=["w"])
    first, second = source_files(data.source)
    early = read_tables(data, files=[first])
    assert rows(early) == [("b", 0, 1.0, 0.0)]
    late = read_tables(
        data, files=[second], series_ids=early.series_ids, categories=early.categories
    )
    assert rows(late) == [("a", 0, 2.0, 1.0), ("b", 24, 3.0, 0.0)]
    assert late.series_ids.names == ["b", "a"]
    assert late.categories == {"w": ("rain", "sun")}
    assert list(read_tables(data, files=[])) == []


def test_static_covariates_from_a_second_table(tmp_path):
    (tmp_path / "t.csv").write_text(
        "unique_id,ds,y\nb,1970-01-01,1\na,1970-01-01,2\nc,1970-01-01,3\n"
    )
    (tmp_path / "s.csv").write_text("id,height,soil\na,5,clay\nb,-1,sand\nz,9,clay\n")
    data = settings(
        source=str(tmp_path / "t.csv"),
        static_table={"source": str(tmp_path / "s.csv"), "series": "id"},
        covariates={"static": ["height", "soil"]},
        categories=["soil"],
        missing={"height": [-1]},
    )
    reader = read_tables(data)
    assert len(rows(reader)) == 3
    np.testing.assert_array_equal(reader.static, [[np.nan, 1], [5, 0], [np.nan, np.nan]])
    assert reader.categories == {"soil": ("clay", "sand")}
    assert reader.notes.static_absent.count == 1


def test_static_table_that_names_a_series_twice_is_refused(tmp_path):
    (tmp_path / "t.csv").write_text("unique_id,ds,y\na,1970-01-01,1\n")
    (tmp_path / "s.csv").write_text("id,height\na,5\na,6\n")
    data = settings(
        source=str(tmp_path / "t.csv"),
        static_table={"source": str(tmp_path / "s.csv"), "series": "id"},
        covariates={"static": ["height"]},
    )
    reader = read_tables(data)
    rows(reader)
    with pytest.raises(DataError, match="line 3: series 'a' has a second row"):
        _ = reader.static


def test_static_covariates_in_the_table_itself_keep_their_first_value(tmp_path):
    (tmp_path / "t.csv").write_text(
        "unique_id,ds,y,h\na,1970-01-01,1,\na,1970-01-02,1,5\nb,1970-01-01,1,7\na,1970-01-03,1,6\n"
    )
    reader = read_tables(settings(source=str(tmp_path / "t.csv"), covariates={"static": ["h"]}))
    rows(reader)
    assert reader.static.tolist() == [[5.0], [7.0]]
    assert reader.notes.static_changes["h"].count == 1


def test_available_at_comes_with_each_row(tmp_path):
    (tmp_path / "t.csv").write_text("ds,y,issued\n1970-01-02,1,1970-01-01T05:00Z\n1970-01-02,2,\n")
    [chunk] = read_tables(settings(source=str(tmp_path / "t.csv"), available_at="issued"))
    assert chunk.available_at.tolist() == [5 * 3_600_000_000_000, np.iinfo(np.int64).min]


def test_a_file_larger_than_a_block_reads_as_its_parts(tmp_path):
    count = 600_000
    stamps = np.datetime64("1970-01-01T00", "h") + np.arange(count)
    lines = [f"{stamp}:00,{row}" for row, stamp in enumerate(stamps.astype(str))]
    lines[500_000] = lines[500_000].rsplit(",", 1)[0] + ",off"
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["ds,y", *lines]) + "\n")
    with pytest.raises(DataError, match="line 500002: text in the number column 'y': 'off'"):
        rows(read_tables(settings(source=str(path))))
    chunks = list(read_tables(settings(source=str(path), missing=["off"])))
    assert len(chunks) > 1
    values = np.concatenate([chunk.values[:, 0] for chunk in chunks])
    assert np.isnan(values[500_000])
    assert np.nansum(values) == count * (count - 1) / 2 - 500_000
