import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from forecast.data.windows.predictor import Forecast
from forecast.errors import DataError
from forecast.forecasting.forecast_files import (
    SUCCESS,
    CutoffFolder,
    Provenance,
    cutoff_name,
    forecast_table,
    read_forecasts,
)
from tests.builders import panel_of

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
    one.write_part(forecast_table(forecast(range(series)), panel(series), PROVENANCE))
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
    one.write_part(forecast_table(forecast(range(3)), panel(), PROVENANCE))
    with pytest.raises(DataError, match=r"18 rows, 18 distinct .* 3 series where 24 rows of 4"):
        one.finish(series=4, rows=24)
    assert not (tmp_path / cutoff_name(CUTOFF_NS)).exists()


def test_a_newer_version_replaces_the_folder_whole(tmp_path):
    write(tmp_path, file_format="csv")
    write(tmp_path, file_format="parquet")
    assert [path.name for path in tmp_path.iterdir()] == [cutoff_name(CUTOFF_NS)]
    names = sorted(path.name for path in (tmp_path / cutoff_name(CUTOFF_NS)).iterdir())
    assert names == [SUCCESS, "part-00000.parquet"]


def test_many_processes_write_many_parts(tmp_path):
    ranks = [folder(tmp_path, rank=rank, world=3) for rank in range(3)]
    for rank, one in enumerate(ranks):
        one.write_part(forecast_table(forecast(range(rank, 4, 3)), panel(), PROVENANCE))
    path = ranks[0].finish(series=4, rows=24)
    assert len(list(path.glob("part-*.parquet"))) == 3
    assert read_forecasts(path).num_rows == 24


def test_a_series_written_twice_is_refused(tmp_path):
    ranks = [folder(tmp_path, rank=rank, world=2) for rank in range(2)]
    for one, series in zip(ranks, ([0, 1, 2], [2]), strict=True):
        one.write_part(forecast_table(forecast(series), panel(), PROVENANCE))
    with pytest.raises(DataError, match="24 rows, 18 distinct"):
        ranks[0].finish(series=4, rows=24)


def test_a_part_that_never_comes_is_named(tmp_path):
    one = folder(tmp_path, rank=0, world=2)
    one.write_part(forecast_table(forecast([0]), panel(), PROVENANCE))
    with pytest.raises(DataError, match="process 1 of 2 wrote no part"):
        one.finish(series=4, rows=24, wait_s=0.1)


def test_parts_of_an_interrupted_run_are_kept(tmp_path):
    one = folder(tmp_path)
    assert not one.has_part()
    one.write_part(forecast_table(forecast(range(4)), panel(), PROVENANCE))
    again = folder(tmp_path)
    assert again.has_part()
    assert again.finish(series=4, rows=24).is_dir()
    other = folder(tmp_path, provenance=replace(PROVENANCE, data_fingerprint="newer"))
    assert not other.has_part()


def test_an_unwritable_place_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match=r"cannot be written .*output\.path"):
        write(tmp_path / "file")
