"""A load driven by a price that is known ahead is forecast as well as its noise allows."""

from dataclasses import replace

import numpy as np
import pytest

from forecast.config.modelling import Model
from forecast.data.windows.host_windows import collect_actual
from forecast.data.windows.splits import split_windows
from forecast.evaluation.ridge_baseline import Inputs, Ridge
from forecast.forecasting.spec import Spec
from forecast.training.fitting import fit_forecaster
from tests.price_load import price_load
from tests.tiny import TRAINING

CLOCK = ("hour_of_day",)
H = 24
SPEC = Spec(96, H, "1h", "UTC", ("y",), known=("known0",), calendar=CLOCK, season=24)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    panel, noise = price_load(90)
    split = split_windows(
        panel, context_length=96, horizon=H, train=0.7, dev=0.15, test=0.15, calibration=0.1
    )
    forecaster = fit_forecaster(
        panel,
        split,
        SPEC,
        model=Model(hidden_size=16),
        training=TRAINING.model_copy(update={"learning_rate": 0.001, "windows_per_epoch": 640}),
        metric="mae",
        folder=tmp_path_factory.mktemp("checkpoints"),
    ).forecaster
    return panel, noise, split, forecaster


def error(panel, split, predictor):
    actual = collect_actual(panel, split.test, horizon=H)
    return float(np.abs(predictor.predict(panel, split.test).point - actual).mean())


def test_the_error_is_within_a_tenth_of_the_noise_and_not_above_the_ridge(fitted):
    panel, noise, split, forecaster = fitted
    floor = np.abs(noise[split.test.cutoff[:, None] + np.arange(H)]).mean()
    own = error(panel, split, forecaster)
    assert own <= 1.1 * floor
    assert own <= error(panel, split, Ridge.fit(panel, split, inputs=Inputs(96, H, CLOCK)))


def test_a_price_known_for_part_of_the_horizon_serves_that_part(fitted):
    """The rest is forecast as the price usually is at that hour, not as if it were 0."""
    panel, _, split, forecaster = fitted
    cutoff = int(split.test.cutoff[-1])
    index = split.test._replace(series=split.test.series[-1:], cutoff=split.test.cutoff[-1:])
    masked = replace(panel, values=np.array(panel.values))
    masked.values[cutoff + 15 : cutoff + H, 1] = np.nan
    usual = replace(panel, values=np.array(panel.values))
    window = panel.values[cutoff - 96 : cutoff + H, 1].reshape(5, 24).copy()
    window[4, 15:] = np.nan
    usual.values[cutoff + 15 : cutoff + H, 1] = np.nanmean(window, axis=0)[15:]
    whole, part, filled = (forecaster.predict(one, index) for one in (panel, masked, usual))
    np.testing.assert_allclose(part.point[0, :15], whole.point[0, :15], atol=0.15)
    np.testing.assert_allclose(part.point, filled.point, atol=1e-4)
    assert "missing:known0" in part.flag[0, 0]
