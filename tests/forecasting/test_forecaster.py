import subprocess
import sys
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from forecast.data.panel.panel import newest_cutoff
from forecast.data.windows.window_index import WindowIndex
from forecast.errors import ModelError
from forecast.forecasting import in_parts
from forecast.forecasting.spec import index_at
from tests.builders import frame_of, panel_of, ramp_panel
from tests.conftest import ROOT
from tests.tiny import SPEC, tiny_fit, tiny_panel, tiny_split, tiny_untrained


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    panel = tiny_panel()
    return panel, tiny_fit(panel, tmp_path_factory.mktemp("checkpoints")).forecaster


def copied(panel):
    return replace(panel, values=panel.values.copy())


def newest(panel):
    return index_at(panel, newest_cutoff(panel))


def test_batch_size_changes_no_forecast(trained):
    panel, forecaster = trained
    index = tiny_split(panel).test
    one, many = (forecaster.predict(panel, index, batch_size=size) for size in (1, 128))
    assert_allclose(one.point, many.point, rtol=1e-5)
    assert_allclose(one.quantiles, many.quantiles, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("most", [1, 300])  # a window at a time, and a few
def test_windows_in_any_order_are_forecast_the_same_part_by_part(trained, monkeypatch, most):
    panel, forecaster = trained
    values = panel.values.copy()
    values[530:580] = np.nan  # flags of several lengths, fallbacks
    panel = replace(panel, values=values)
    test = tiny_split(tiny_panel()).test
    order = np.random.default_rng(0).permutation(len(test.series))[:40]
    index = WindowIndex(test.series[order], test.cutoff[order])
    whole = forecaster.predict(panel, index)
    monkeypatch.setattr(in_parts, "MOST_VALUES", most)
    again = forecaster.predict(panel, index)
    assert len(set(whole.flag.ravel())) > 1
    for name in ("series", "cutoff", "point", "quantiles", "levels", "flag", "never"):
        assert_array_equal(getattr(again, name), getattr(whole, name))


def test_quantiles_rise_and_nothing_is_flagged(trained):
    panel, forecaster = trained
    answer = forecaster.predict(panel, tiny_split(panel).test)
    assert (np.diff(answer.quantiles, axis=-1) >= 0).all()
    assert set(answer.flag.ravel()) == {""}
    assert_array_equal(answer.levels, SPEC.levels)


def test_bounds_hold_for_points_and_quantiles(trained):
    panel, forecaster = trained
    bounded = replace(forecaster, spec=replace(forecaster.spec, bounds=((10.0, 10.5),)))
    answer = bounded.predict(panel, tiny_split(panel).test)
    for values in (answer.point, answer.quantiles):
        assert values.min() == 10.0
        assert values.max() == 10.5


def test_late_readings_are_forecast_and_flagged(trained):
    panel, forecaster = copied(trained[0]), trained[1]
    panel.values[595:600] = np.nan  # the newest five of the first series
    answer = forecaster.predict(panel, newest(panel))
    assert answer.flag.tolist() == [["late"], [""]]
    assert np.isfinite(answer.point).all()


def test_a_gap_inside_is_no_reason_for_a_flag(trained):
    panel, forecaster = copied(trained[0]), trained[1]
    panel.values[585:590] = np.nan
    answer = forecaster.predict(panel, newest(panel))
    assert answer.flag.tolist() == [[""], [""]]


def test_no_history_falls_back_on_the_climate(trained):
    panel, forecaster = copied(trained[0]), trained[1]
    panel.values[:600] = np.nan
    answer = forecaster.predict(panel, newest(panel))
    assert answer.flag.tolist() == [["no_history;fallback:climate"], [""]]
    assert_allclose(answer.point[0], forecaster.scaler.location[0], rtol=1e-6)
    assert (np.diff(answer.quantiles[0], axis=-1) > 0).all()


def test_no_history_is_the_models_own_business_if_it_was_trained_for_it(trained):
    panel, forecaster = copied(trained[0]), trained[1]
    panel.values[:600] = np.nan
    cold = replace(forecaster, spec=replace(forecaster.spec, min_observed=0.0))
    answer = cold.predict(panel, newest(panel))
    assert answer.flag[0, 0] == "no_history"
    assert np.isfinite(answer.point).all()


def test_a_model_that_gives_no_number_falls_back_on_the_season(trained):
    panel, forecaster = trained
    broken = deepcopy(forecaster.network)
    next(broken.parameters()).data.fill_(torch.nan)
    answer = replace(forecaster, network=broken).predict(panel, newest(panel))
    assert answer.flag.tolist() == [["fallback:seasonal_naive"]] * 2
    assert_array_equal(answer.point[0, :, 0], panel.values[588:594, 0])
    assert (np.diff(answer.quantiles, axis=-1) > 0).all()


def test_a_dead_covariate_is_named():
    panel = panel_of([ramp_panel(300, past=2).values.copy()], past=2)
    spec = replace(SPEC, past=("past0", "past1"))
    forecaster = tiny_untrained(panel, spec=spec)
    panel.values[:, 2] = np.nan
    answer = forecaster.predict(panel, newest(panel))
    assert answer.flag.tolist() == [["missing:past1"]]
    assert np.isfinite(answer.point).all()


def test_known_covariates_that_were_not_filled_in_are_named():
    values = ramp_panel(306, known=1).values.copy()
    values[300:, 0] = np.nan
    panel = panel_of([values], known=1)
    forecaster = tiny_untrained(panel, spec=replace(SPEC, known=("known0",)))
    assert forecaster.predict(panel, newest(panel)).flag.tolist() == [[""]]
    panel.values[303:, 1] = np.nan
    assert forecaster.predict(panel, newest(panel)).flag.tolist() == [["missing:known0"]]


def test_another_kind_of_data_is_refused_naming_all_differences(trained):
    _, forecaster = trained
    panel = ramp_panel(100, past=1, frequency="15min")
    index = WindowIndex(np.array([0]), np.array([50]))
    with pytest.raises(ModelError, match=r"frequency is '15min'.*past is \('past0',\)"):
        forecaster.predict(panel, index)


def test_frame_in_frame_out(trained):
    _, forecaster = trained
    history = frame_of(60, series=2, period=12)
    frame = forecaster.forecast(history)
    assert len(frame) == 2 * 6
    assert list(frame)[:6] == ["unique_id", "ds", "target", "cutoff", "step", "y_hat"]
    last = history["ds"].max()
    assert (frame["cutoff"] == last).all()
    assert frame["ds"].tolist() == [last + pd.Timedelta(hours=h) for h in range(1, 7)] * 2


def test_a_frame_without_ids_is_one_series(trained):
    _, forecaster = trained
    history = frame_of(60).drop(columns="unique_id")
    assert forecaster.forecast(history)["unique_id"].tolist() == ["series"] * 6


def test_neither_lightning_nor_plots_nor_mlflow_are_needed():
    code = (
        "import sys, forecast.forecasting.forecaster, forecast.forecasting.forecast_files\n"
        "heavy = {'pytorch_lightning', 'torchmetrics', 'sklearn', 'matplotlib', 'optuna',"
        " 'mlflow', 'scipy'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
