import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from forecast.data.windows.predictor import Forecast
from forecast.errors import DataError
from forecast.forecasting import row_files
from forecast.forecasting.forecast_files import CutoffFolder, cutoff_name
from forecast.forecasting.forecast_table import Provenance, forecast_table
from forecast.forecasting.published import SUCCESS, forecast_faults, remove_stale_staging
from forecast.forecasting.row_files import is_each_once
from forecast.forecasting.stored_forecasts import first_rows, flagged_series, read_forecasts
from tests.builders import panel_of
from tests.killed import full_disk, killed, killed_at

PROVENANCE = Provenance("3", "abc", "config", "data")
CUTOFF_NS = 1_704_103_200_000_000_000  # 2024-01-01 10:00 UTC
H, T = 3, 2


def panel(series=4):
    return panel_of([np.zeros((20, T), np.float32)] * series)


def forecast(series):
    """Values that name their own place: 100 series + 10 target + step."""
    series = np.asarray(series, np.int64)
    step, target = np.arange(1, H + 1)[:, None], np.arange(T)
    point = (100 * series[:, None, None] + 10 * target + step).astype(np.float32)
    quantiles = point[..., None] + np.array([-1.0, 0.0, 1.0], np.float32)
    flag = np.full((len(series), T), "")
    return Forecast(
        series, np.full(len(series), 11), point, quantiles, np.array([0.1, 0.5, 0.9]), flag
    )


def folder(root, **changes):
    return CutoffFolder(root, CUTOFF_NS, **({"provenance": PROVENANCE} | changes))


def write(root, *, series=4, **changes):
    one = folder(root, **changes)
    one.write_part([forecast_table(forecast(range(series)), panel(series), PROVENANCE)])
    return one.finish(series=series, rows=series * T * H)


def test_every_row_stands_in_its_place():
    table = forecast_table(forecast([2, 0]), panel(), PROVENANCE).to_pandas()
    assert table["unique_id"].tolist() == ["s2"] * 6 + ["s0"] * 6
    assert table["target"].tolist() == (["y0"] * 3 + ["y1"] * 3) * 2
    assert table["step"].tolist() == [1, 2, 3] * 4
    assert table["y_hat"].tolist() == [201, 202, 203, 211, 212, 213, 1, 2, 3, 11, 12, 13]
    assert table["q0.1"].tolist() == (table["y_hat"] - 1).tolist()
    start = pd.Timestamp("2024-01-01T00:00Z")
    assert (table["cutoff"] == start + pd.Timedelta(hours=10)).all()
    hours = (table["ds"] - table["cutoff"]) / pd.Timedelta(hours=1)
    assert hours.tolist() == table["step"].tolist()


def test_names_sort_by_time():
    assert cutoff_name(CUTOFF_NS) == "cutoff=2024-01-01T10-00Z"
    assert cutoff_name(CUTOFF_NS + 30_000_000_000) == "cutoff=2024-01-01T10-00-30Z"


@pytest.mark.parametrize("file_format", ["parquet", "csv"])
def test_a_second_run_gives_the_same_bytes(tmp_path, file_format):
    one, two = (write(tmp_path / name, file_format=file_format) for name in "ab")
    names = sorted(path.name for path in one.iterdir())
    assert names == [SUCCESS, f"part-00000.{file_format}"]
    for name in names:
        assert (one / name).read_bytes() == (two / name).read_bytes()


@pytest.mark.parametrize("file_format", ["parquet", "csv"])
def test_read_back_they_are_the_same(tmp_path, file_format):
    path = write(tmp_path, file_format=file_format)
    read = read_forecasts(path).to_pandas()
    wanted = forecast_table(forecast(range(4)), panel(), PROVENANCE).to_pandas()
    pd.testing.assert_frame_equal(read, wanted, check_dtype=False)


def test_columns_are_those_of_the_contract(tmp_path):
    path = write(tmp_path)
    names = pq.read_schema(path / "part-00000.parquet").names
    assert " ".join(names) == (
        "unique_id ds target cutoff step y_hat q0.1 q0.5 q0.9 model_version run_id flag"
    )
    success = json.loads((path / SUCCESS).read_text())
    assert success["rows"] == 24
    assert success["series"] == 4
    assert success["model_version"] == "3"
    assert success["run_id"] == "abc"


def test_what_is_done_is_known(tmp_path):
    write(tmp_path)
    assert folder(tmp_path).is_done()
    assert not folder(tmp_path, provenance=replace(PROVENANCE, model_version="4")).is_done()
    assert not folder(tmp_path, file_format="csv").is_done()
    (tmp_path / cutoff_name(CUTOFF_NS) / "part-00000.parquet").unlink()
    assert not folder(tmp_path).is_done()


def test_until_it_is_whole_the_folder_has_no_name(tmp_path):
    one = folder(tmp_path)
    one.write_part([forecast_table(forecast(range(3)), panel(), PROVENANCE)])
    with pytest.raises(DataError, match=r"18 rows, 18 distinct .* 3 series where 24 rows of 4"):
        one.finish(series=4, rows=24)
    assert not (tmp_path / cutoff_name(CUTOFF_NS)).exists()


def test_a_newer_version_replaces_the_folder_whole(tmp_path):
    write(tmp_path, file_format="csv")
    write(tmp_path, file_format="parquet")
    assert [path.name for path in tmp_path.iterdir()] == [cutoff_name(CUTOFF_NS)]
    names = sorted(path.name for path in (tmp_path / cutoff_name(CUTOFF_NS)).iterdir())
    assert names == [SUCCESS, "part-00000.parquet"]


@pytest.mark.parametrize("file_format", ["parquet", "csv"])
def test_many_processes_write_the_bytes_of_one(tmp_path, file_format):
    alone = folder(tmp_path / "alone", file_format=file_format)
    alone.write_part([forecast_table(forecast(range(4)), panel(), PROVENANCE)])
    expected = alone.finish(series=4, rows=24)
    parts = ([0], [], [1, 2, 3])
    ranks = [folder(tmp_path, rank=rank, world=3, file_format=file_format) for rank in range(3)]
    for one, series in zip(ranks, parts, strict=True):
        one.write_part([forecast_table(forecast(series), panel(), PROVENANCE)])
    path = ranks[0].finish(series=4, rows=24)
    names = sorted(file.name for file in path.iterdir())
    assert names == [SUCCESS, f"part-00000.{file_format}"]
    for name in names:
        assert (path / name).read_bytes() == (expected / name).read_bytes()


def test_a_series_written_twice_is_refused(tmp_path):
    ranks = [folder(tmp_path, rank=rank, world=2) for rank in range(2)]
    for one, series in zip(ranks, ([0, 1, 2], [2]), strict=True):
        one.write_part([forecast_table(forecast(series), panel(), PROVENANCE)])
    with pytest.raises(DataError, match="24 rows, 18 distinct"):
        ranks[0].finish(series=4, rows=24)


def test_a_part_that_never_comes_is_named(tmp_path):
    one = folder(tmp_path, rank=0, world=2)
    one.write_part([forecast_table(forecast([0]), panel(), PROVENANCE)])
    with pytest.raises(DataError, match="process 1 of 2 wrote no part"):
        one.finish(series=4, rows=24, wait_s=0.1)


def test_parts_of_an_interrupted_run_are_kept(tmp_path):
    one = folder(tmp_path)
    assert not one.has_part()
    one.write_part([forecast_table(forecast(range(4)), panel(), PROVENANCE)])
    again = folder(tmp_path)
    assert again.has_part()
    assert again.finish(series=4, rows=24).is_dir()
    other = folder(tmp_path, provenance=replace(PROVENANCE, data_fingerprint="newer"))
    assert not other.has_part()


def test_an_unwritable_place_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match=r"cannot be written .*output\.path"):
        write(tmp_path / "file")


def test_a_file_of_the_user_in_a_published_folder_stays(tmp_path):
    path = write(tmp_path)
    (path / "notes.txt").write_text("mine")
    write(tmp_path, provenance=replace(PROVENANCE, model_version="4"))
    names = sorted(one.name for one in path.iterdir())
    assert names == [SUCCESS, "notes.txt", "part-00000.parquet"]
    assert (path / "notes.txt").read_text() == "mine"
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_a_folder_of_another_program_is_refused_where_they_collide(tmp_path):
    theirs = tmp_path / cutoff_name(CUTOFF_NS) / "part-00000.parquet"
    theirs.parent.mkdir()
    theirs.write_text("mine")
    with pytest.raises(DataError, match=r"part-00000\.parquet there was not made by this program"):
        write(tmp_path)
    assert theirs.read_text() == "mine"


def test_a_file_in_the_place_of_a_cutoff_is_refused_and_stays(tmp_path):
    theirs = tmp_path / cutoff_name(CUTOFF_NS)
    theirs.write_text("mine")
    with pytest.raises(DataError, match=r"cannot be written .*output\.path"):
        write(tmp_path)
    assert theirs.read_text() == "mine"


@pytest.mark.parametrize("place", ["exchange", "retire_folder", "sync_folder"])
def test_a_published_cutoff_never_vanishes(tmp_path, monkeypatch, place):
    path = write(tmp_path)
    before = read_forecasts(path)
    with killed_at(monkeypatch, f"forecast.whole_files.{place}"):
        write(tmp_path, provenance=replace(PROVENANCE, model_version="4"))
    assert read_forecasts(path).equals(before)  # the same values, whichever version
    write(tmp_path, provenance=replace(PROVENANCE, model_version="4"))
    assert json.loads((path / SUCCESS).read_text())["model_version"] == "4"
    remove_stale_staging(tmp_path, keep=[])
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
    assert forecast_faults(path) == []


def test_where_folders_cannot_be_exchanged_a_kill_in_between_is_made_good(tmp_path, monkeypatch):
    path = write(tmp_path)
    real = type(path).rename
    with killed_at(monkeypatch) as patch:
        patch.setattr("forecast.whole_files.ctypes.CDLL", lambda *_, **__: object())
        patch.setattr(type(path), "rename", lambda a, b: killed() if b == path else real(a, b))
        write(tmp_path, provenance=replace(PROVENANCE, model_version="4"))
    assert not path.exists()
    remove_stale_staging(tmp_path, keep=[])
    assert forecast_faults(path) == []
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_what_killed_runs_left_is_removed_and_nothing_else(tmp_path):
    one = folder(tmp_path)
    one.write_part([forecast_table(forecast(range(4)), panel(), PROVENANCE)])
    theirs = one.staging.parent / "mine" / "part-00000.parquet"
    theirs.parent.mkdir()
    theirs.write_text("mine")
    remove_stale_staging(tmp_path, keep=[one.staging])
    assert one.has_part()
    remove_stale_staging(tmp_path, keep=[])
    assert not one.staging.exists()
    assert theirs.read_text() == "mine"


def test_a_damaged_part_is_not_done_and_named(tmp_path):
    path = write(tmp_path)
    part = path / "part-00000.parquet"
    part.write_bytes(part.read_bytes()[:-1] + b"x")
    assert not folder(tmp_path).is_done()
    assert forecast_faults(path) == [
        "part-00000.parquet is not what was written (its checksum differs)"
    ]
    write(tmp_path)
    assert forecast_faults(path) == []
    (path / SUCCESS).write_bytes(b"")
    assert not folder(tmp_path).is_done()
    assert "_SUCCESS.json is damaged" in forecast_faults(path)[0]
    write(tmp_path)
    assert forecast_faults(path) == []


def test_a_damaged_part_of_an_interrupted_run_is_written_again(tmp_path):
    one = folder(tmp_path)
    one.write_part([forecast_table(forecast(range(4)), panel(), PROVENANCE)])
    (one.staging / "part-00000.parquet").write_bytes(b"")
    assert not one.has_part()


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("forecast.forecasting.row_files.os.fsync", full_disk)
    with pytest.raises(DataError, match="No space left on device"):
        write(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_ids_that_a_spreadsheet_would_compute_are_texts_in_csv_and_come_back(tmp_path):
    ids = ("=1+1", "+a", "-b", "@c", "'d", "e=1")
    table = forecast_table(forecast(range(4)), panel(), PROVENANCE).slice(0, 6)
    table = table.set_column(0, "unique_id", pa.array(ids))
    one = folder(tmp_path, file_format="csv", facts={"spreadsheet_safe": True})
    one.write_part([table])
    path = one.finish(series=6, rows=6)
    first = [line.split(",")[0] for line in (path / "part-00000.csv").read_text().splitlines()]
    assert first[1:] == [f'"{text}"' for text in ("'=1+1", "'+a", "'-b", "'@c", "''d", "e=1")]
    assert read_forecasts(path)["unique_id"].to_pylist() == list(ids)


@pytest.mark.parametrize("file_format", ["parquet", "csv"])
def test_the_bytes_do_not_depend_on_how_many_rows_come_at_a_time(
    tmp_path, monkeypatch, file_format
):
    monkeypatch.setattr(row_files, "ROWS", 7)  # several groups of rows
    whole = forecast_table(forecast(range(4)), panel(), PROVENANCE)
    found = {}
    for size in (1, 5, 7, 24):
        one = folder(tmp_path / str(size), file_format=file_format)
        one.write_part(whole.slice(row, size) for row in range(0, 24, size))
        part = one.finish(series=4, rows=24) / f"part-00000.{file_format}"
        found[size] = part.read_bytes()
        assert read_forecasts(part.parent).equals(whole)
    assert len(set(found.values())) == 1


def test_each_once_says_what_a_set_of_keys_says(monkeypatch):
    monkeypatch.setattr(row_files, "ROWS", 6)
    whole = forecast_table(forecast(range(4)), panel(), PROVENANCE)
    for size in (1, 6, 11, 24):
        tables = [whole.slice(row, size) for row in range(0, 24, size)]
        assert is_each_once(tables, series=4, rows=24)
    twice = whole.take([*range(23), 22])  # the last step is missing, another there twice
    again = whole.take([*range(18), *range(6)])  # the first series once more
    swapped = whole.take([0, 6, *range(1, 6), *range(7, 24)])
    for wrong in (twice, again, swapped, whole.slice(0, 18), whole.slice(0, 0)):
        assert not is_each_once([wrong], series=4, rows=24)
    assert not is_each_once([whole], series=3, rows=24)


def test_flagged_series_and_first_rows_are_those_of_the_whole_table(tmp_path):
    flag = np.array([["late", ""], ["", ""], ["late", "late:7"], ["", "late"]])
    answer = replace(forecast([3, 0, 1, 2]), flag=flag)
    one = folder(tmp_path)
    one.write_part([forecast_table(answer, panel(), PROVENANCE)])
    path = one.finish(series=4, rows=24)
    rows = read_forecasts(path).to_pylist()
    assert first_rows(path, 5) == rows[:5]
    wanted = {}
    for row in rows:
        if row["flag"]:
            wanted.setdefault(row["flag"], set()).add(row["unique_id"])
    assert wanted
    assert flagged_series(path) == {flag: sorted(ids) for flag, ids in sorted(wanted.items())}
