"""Series whose levels differ by a million in one panel are each forecast as if they were alone."""

from dataclasses import replace

import numpy as np
import pytest

from forecast.data.windows.host_windows import collect_actual
from forecast.data.windows.scaling import fit_scaler
from forecast.data.windows.window_index import WindowIndex
from forecast.evaluation.ridge_baseline import Inputs, Ridge
from forecast.forecasting.forecaster import Forecaster
from tests.builders import panel_of
from tests.tiny import MODEL, tiny_fit, tiny_split

SEGMENT = MODEL.model_copy(update={"kind": "segment"})
LEVELS = (10.0, 1e3, 1e7)


def waves(levels, *, steps=600, seed=0):
    """Noisy half-day waves, the amplitude a fifth of the level."""
    random = np.random.default_rng(seed)
    step = np.arange(steps)
    blocks = []
    for number, level in enumerate(levels):
        wave = np.sin(2 * np.pi * (step + 3 * number) / 12) + 0.1 * random.standard_normal(steps)
        blocks.append((level * (1 + 0.2 * wave)).astype(np.float32)[:, None])
    return panel_of(blocks)


def share_of_level(predictor, panel, levels):
    """Mean absolute error of each series on test, divided by its level."""
    index = tiny_split(panel).test
    error = np.abs(predictor.predict(panel, index).point - collect_actual(panel, index, horizon=6))
    return [float(error[index.series == s].mean()) / level for s, level in enumerate(levels)]


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    panel = waves(LEVELS)
    folder = tmp_path_factory.mktemp("checkpoints")
    return panel, tiny_fit(panel, folder, model=SEGMENT).forecaster


def test_the_small_are_forecast_as_well_as_the_large(fitted, tmp_path):
    """Their errors are those of a panel in which every series has the same level."""
    panel, forecaster = fitted
    alike = waves((1.0, 1.0, 1.0))
    peers = tiny_fit(alike, tmp_path, model=SEGMENT).forecaster
    expected = share_of_level(peers, alike, (1.0,) * 3)
    np.testing.assert_allclose(share_of_level(forecaster, panel, LEVELS), expected, rtol=0.15)


def test_bands_are_in_the_units_of_their_series(fitted):
    panel, forecaster = fitted
    index = tiny_split(panel).test
    answer = forecaster.predict(panel, index)
    inside = (collect_actual(panel, index, horizon=6)[..., None] <= answer.quantiles).mean(axis=1)
    for series in range(3):
        low, _, high = inside[index.series == series].mean(axis=(0, 1))
        assert low < 0.3
        assert high > 0.7


def test_the_ridge_is_as_fair(fitted):
    panel, _ = fitted
    ridge = Ridge.fit(panel, tiny_split(panel), inputs=Inputs(24, 6))
    assert max(share_of_level(ridge, panel, LEVELS)) < 0.03


def test_each_series_keeps_its_units_in_another_panel_and_in_the_bundle(fitted, tmp_path):
    """Asked alone, as the only series of a panel, it is forecast the same."""
    panel, forecaster = fitted
    forecaster.save(tmp_path)
    again = Forecaster.load(tmp_path)
    whole = again.predict(panel, WindowIndex(np.array([0, 2]), np.array([500, 500])))
    alone = replace(waves(LEVELS[:1]), series_ids=("s0",))
    one = again.predict(alone, WindowIndex(np.array([0]), np.array([500])))
    np.testing.assert_allclose(one.point[0], whole.point[0], rtol=1e-5)


def test_a_series_that_train_never_saw_takes_the_medians(fitted):
    panel, forecaster = fitted
    scaler = forecaster.scaler
    assert scaler.series_ids == panel.series_ids
    np.testing.assert_allclose(scaler.location[0], np.median(scaler.series_location[:, 0]))
    new = replace(waves((900.0,), seed=5), series_ids=("new",))
    answer = forecaster.predict(new, WindowIndex(np.array([0]), np.array([500])))
    np.testing.assert_allclose(answer.point[0, :, 0], new.values[500:506, 0], rtol=0.2)


def test_statistics_are_those_of_each_series_train_rows():
    panel = waves(LEVELS, steps=100)
    end = np.array([60, 60, 10])
    scaler = fit_scaler(panel, end, calendar_names=["hour_of_day_sin"])
    assert scaler.series_ids == ("s0", "s1")  # the third has too few rows
    for row in range(2):
        block = panel.block(row)[:60].astype(np.float64)
        np.testing.assert_allclose(scaler.series_location[row], [block.mean(), 0], rtol=1e-6)
        np.testing.assert_allclose(scaler.series_scale[row], [block.std(), 1], rtol=1e-6)
    panel.values[60:100] = 1e30
    poisoned = fit_scaler(panel, end, calendar_names=["hour_of_day_sin"])
    np.testing.assert_array_equal(poisoned.series_location, scaler.series_location)


def test_series_that_are_alike_share_their_statistics():
    assert fit_scaler(waves((1.0, 3.0)), np.array([600, 600])).series_ids == ()


def test_a_constant_among_large_series_is_forecast_as_itself(tmp_path):
    panel = waves((1e6, 1e6))
    blocks = [panel.block(0), panel.block(1), np.full((600, 1), 7.0, np.float32)]
    mixed = panel_of(blocks)
    forecaster = tiny_fit(mixed, tmp_path, model=SEGMENT).forecaster
    answer = forecaster.predict(mixed, WindowIndex(np.array([2]), np.array([590])))
    np.testing.assert_allclose(answer.point, 7.0, atol=0.1)
    np.testing.assert_allclose(answer.quantiles, 7.0, atol=0.3)
