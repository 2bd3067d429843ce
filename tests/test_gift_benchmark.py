"""The benchmark of distributions: its windows and scores are those of GIFT-Eval."""

import os
from pathlib import Path

import numpy as np
import pytest

from benchmarks.gift.results import published, table
from benchmarks.gift.run import at_levels, before, config_of
from benchmarks.gift.scores import Truth, coverage, mase, seasonal_naive, truth_of, wql
from benchmarks.gift.tasks import TASKS, evaluation_windows, read_panel, window_count
from forecast.data.windows.predictor import Forecast
from pipelines.steps.experiment import split_of
from tests.builders import ramp_panel

DATA = Path(os.environ.get("FORECAST_DATA", "../shared/data"))
FOLDERS = {"ett1": "ett", "ett2": "ett", "jena": "jena_weather_2020", "m4_hourly": "m4_hourly"}


@pytest.mark.parametrize("name", ["ett1/H/s", "ett1/H/l", "ett2/D/s", "ett1/D/s", "m4_hourly"])
def test_the_seasonal_naive_forecast_scores_as_published(name, monkeypatch):
    """To the three digits that GIFT-Eval's `all_results.csv` is quoted with, cut or rounded."""
    task = TASKS[name]
    if not (DATA / FOLDERS[task.source]).exists():
        pytest.skip(f"the data of {task.source} are not in {DATA}; FORECAST_DATA names the folder")
    monkeypatch.setenv("FORECAST_DATA", str(DATA))
    panel = read_panel(task)
    index = evaluation_windows(task, panel)
    truth = truth_of(task, panel, index)
    point, quantiles = seasonal_naive(task, panel, index)
    wanted = published()["Seasonal naive"][name]
    assert mase(truth, point) == pytest.approx(wanted["mase"], abs=0.0007)
    assert wql(truth, quantiles) == pytest.approx(wanted["wql"], abs=0.0007)


def test_windows_do_not_overlap_and_end_with_the_series():
    task, panel = TASKS["ett1/H/s"], ramp_panel(2000, series=2)
    index = evaluation_windows(task, panel)
    assert window_count(task, panel) == 5  # ceil(200 / 48)
    assert index.series.tolist() == [0] * 5 + [1] * 5
    assert index.cutoff.tolist() == [1760, 1808, 1856, 1904, 1952] * 2


def test_scores_of_hand_solved_windows():
    actual = np.array([[[2.0, 10.0], [4.0, 10.0]]])  # one window, two steps, two targets
    truth = Truth(actual, np.array([[2.0, 0.0]]))
    assert mase(truth, actual + 3) == pytest.approx(1.5)  # the target without a scale counts not
    quantiles = np.repeat((actual + 1)[..., None], 9, axis=-1)
    assert wql(truth, quantiles) == pytest.approx(2 * 0.5 * 4 / 26)
    assert coverage(truth, quantiles) == 0.0
    assert coverage(truth, actual[..., None] + np.linspace(-1, 0, 9)) == 1.0


def test_the_unit_of_each_window_is_of_its_own_past():
    task, panel = TASKS["ett1/H/s"], ramp_panel(2000)
    panel.values[1900:] *= 100  # within the last windows: no unit of an earlier one moves
    truth = truth_of(task, panel, evaluation_windows(task, panel))
    np.testing.assert_allclose(truth.scale[:3, 0], 24.0)
    assert truth.scale[4, 0] > 24.0


def test_training_sees_nothing_of_the_test_windows_nor_a_trial_anything_at_all(capsys):
    task, panel = TASKS["ett1/H/s"], ramp_panel(3000)
    first = int(evaluation_windows(task, panel).cutoff.min())
    split = split_of(config_of(task, panel), panel)
    learned = max(int(split.spans[part].max()) for part in ("train", "calibration", "dev"))
    assert learned - panel.start[0] == first
    assert int(split.train_end.max()) <= first
    assert "dev 192 in place of 30" in capsys.readouterr().out
    trial = before(panel, window_count(task, panel) * task.horizon)
    assert trial.length.tolist() == [first]


def test_deciles_are_read_out_of_more_levels():
    levels = np.round(np.arange(0.05, 0.96, 0.05), 2)
    quantiles = np.broadcast_to(levels, (1, 2, 1, len(levels))).astype(np.float32)
    empty = np.empty((1, 2, 1), np.float32)
    one = np.zeros(1, np.int64)
    answer = Forecast(one, one, empty, quantiles, levels, np.full((1, 1), ""))
    np.testing.assert_allclose(at_levels(answer)[0, 0, 0], np.arange(1, 10) / 10, atol=1e-6)
    with pytest.raises(ValueError, match="deciles"):
        at_levels(Forecast(one, one, empty, quantiles[..., :3], levels[:3], np.full((1, 1), "")))


def test_table_of_nothing_and_of_one_result():
    assert "Nothing is measured." in table({})
    entry = dict.fromkeys(("mase_point", "mase_median", "naive_mase"), 0.9)
    entry |= dict.fromkeys(("wql", "wql_raw"), 0.18) | {"naive_wql": 0.24, "minutes": 2.0}
    entry |= {"coverage_80": 0.8, "coverage_80_raw": 0.82}
    entry |= {"machine": "two cores", "commit": "abc", "measured": "now"}
    text = table({"ett1/H/s": entry})
    assert "| ett1/H/s | 0.900 | 0.900 | 0.1800 | 0.1800 | 80.0 (82.0) | 0.977 / 0.240" in text
    assert "| delivered: median, quantiles | 1.000 | 0.750 |" in text
    assert "- WQL better than PatchTST's: 1 of 1" in text
