"""A series that has fallen silent is forecast from its own past; hours never read are told apart."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from forecast.data.windows.window_index import WindowIndex
from forecast.forecasting.forecast_table import Provenance, forecast_table
from forecast.forecasting.own_history import OwnHistory
from tests.builders import panel_of
from tests.tiny import MODEL, SPEC, tiny_fit, tiny_untrained

H, SEASON = 6, 12


def silent_panel():
    """A brook around 10 that ends at step 300, beside a river around 5,000."""
    random = np.random.default_rng(0)
    step = np.arange(600)
    wave = np.sin(2 * np.pi * step / SEASON)
    brook = 10 + wave + 0.1 * random.standard_normal(600)
    brook[300:] = np.nan
    river = 5_000 + 500 * wave + 50 * random.standard_normal(600)
    return panel_of([one.astype(np.float32)[:, None] for one in (brook, river)])


def at(*cutoffs, series=0):
    return WindowIndex(np.full(len(cutoffs), series), np.array(cutoffs))


def test_a_silent_series_repeats_its_own_last_season():
    panel = silent_panel()
    forecaster = tiny_untrained(panel)
    cutoffs = (324, 500, 593)
    answer = forecaster.predict(panel, at(*cutoffs))
    for row, cutoff in enumerate(cutoffs):
        steps = cutoff + np.arange(H)
        back = 300 - SEASON + (steps - 300) % SEASON
        np.testing.assert_allclose(answer.point[row, :, 0], panel.values[back, 0], rtol=1e-6)
    assert (answer.flag == "no_history;fallback:own_history").all()
    spread = panel.values[:300, 0].std()
    width = answer.quantiles[..., 2] - answer.quantiles[..., 0]
    np.testing.assert_allclose(width, 2 * 1.2816 * spread, rtol=0.05)


def test_readings_behind_the_cutoff_change_nothing():
    panel = silent_panel()
    back_again = replace(panel, values=panel.values.copy())
    back_again.values[400:600, 0] = 1e6
    history = [OwnHistory(one, horizon=H, season=SEASON) for one in (panel, back_again)]
    past = np.full((2, 24, 1), np.nan, np.float32)
    found = [one.of(np.zeros(2, np.int64), np.array([350, 400]), past) for one in history]
    for one, two in zip(*found, strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_series_without_any_reading_has_no_history():
    panel = panel_of([np.full((100, 1), np.nan), np.ones((100, 1))])
    past = np.full((1, 24, 1), np.nan, np.float32)
    found = OwnHistory(panel, horizon=H, season=SEASON).of(
        np.zeros(1, np.int64), np.array([90]), past
    )
    assert np.isnan(found.mean).all()
    assert np.isnan(found.deviation).all()
    assert not found.never.any()


def by_day(days=60):
    """Read in the first half of each season only."""
    random = np.random.default_rng(0)
    step = np.arange(SEASON * days)
    y = 10 + np.sin(2 * np.pi * step / SEASON) + 0.1 * random.standard_normal(len(step))
    y[step % SEASON >= 6] = np.nan
    return panel_of([y.astype(np.float32)[:, None]])


@pytest.fixture(scope="module")
def by_day_forecaster(tmp_path_factory):
    panel = by_day()
    model = MODEL.model_copy(update={"kind": "segment"})
    spec = replace(SPEC, min_observed=0.2)
    folder = tmp_path_factory.mktemp("checkpoints")
    return panel, tiny_fit(panel, folder, spec=spec, model=model).forecaster


def test_steps_that_never_had_a_reading_are_told_and_their_band_is_wide(by_day_forecaster):
    panel, forecaster = by_day_forecaster
    cutoff = (
        SEASON * 50 + 4
    )  # two steps of the season's readings are ahead, then four that never are
    answer = forecaster.predict(panel, at(cutoff))
    assert answer.never[0, :, 0].tolist() == [False, False, True, True, True, True]
    width = (answer.quantiles[..., 2] - answer.quantiles[..., 0])[0, :, 0]
    spread = np.nanstd(panel.values[cutoff - 24 : cutoff, 0])
    assert (width[2:] >= 2 * 1.28 * spread).all()
    frame = forecast_table(answer, panel, Provenance()).to_pandas()
    assert frame["flag"].str.contains("never_observed").tolist() == [False] * 2 + [True] * 4
    assert isinstance(frame, pd.DataFrame)


def test_a_step_that_was_read_once_before_the_cutoff_is_not_never(by_day_forecaster):
    panel, forecaster = by_day_forecaster
    cutoff = SEASON * 50 + 4
    once = replace(panel, values=panel.values.copy())
    once.values[SEASON * 20 + 7] = 10.0
    assert forecaster.predict(once, at(cutoff)).never[0, 3, 0] == np.False_
    later = replace(panel, values=panel.values.copy())
    later.values[SEASON * 55 + 7] = 10.0
    assert forecaster.predict(later, at(cutoff)).never[0, 3, 0] == np.True_


def test_two_seasons_of_history_come_before_never():
    panel = by_day()
    history = OwnHistory(panel, horizon=H, season=SEASON)
    past = np.full((2, 24, 1), np.nan, np.float32)
    cutoffs = np.array([2 * SEASON - 1, 2 * SEASON + 4])
    never = history.of(np.zeros(2, np.int64), cutoffs, past).never
    assert not never[0].any()
    assert never[1].any()


def by_sun(days=60):
    """Varies in the first half of each season, and is 0 in the second."""
    panel = by_day(days)
    panel.values[np.isnan(panel.values)] = 0.0
    return panel


def test_a_step_that_always_read_the_same_is_forecast_so():
    panel = by_sun()
    cutoff = SEASON * 30 + 3
    forecaster = tiny_untrained(panel)
    answer = forecaster.predict(panel, at(cutoff))
    night = (cutoff + np.arange(H)) % SEASON >= 6
    assert (answer.point[0, night] == 0).all()
    assert (answer.quantiles[0, night] == 0).all()
    assert (answer.point[0, ~night] != 0).all()
    assert (answer.quantiles[0, ~night, 0, 0] < answer.quantiles[0, ~night, 0, 2]).all()


@pytest.mark.parametrize("days", [13, 20])
def test_once_otherwise_is_enough(days):
    """A step is settled after fourteen seasons, and no more once it has read something else."""
    panel = by_sun()
    cutoff = SEASON * 30 + 6
    past = panel.values[cutoff - 24 : cutoff][None]
    panel.values[SEASON * 20 + 7] = 3.0
    history = OwnHistory(panel, horizon=H, season=SEASON)
    same = history.of(np.zeros(1, np.int64), np.array([SEASON * days + 6]), past).same[0, :, 0]
    expected = np.zeros(H) if days > 14 else np.full(H, np.nan)
    np.testing.assert_array_equal(same, expected)
    same = history.of(np.zeros(1, np.int64), np.array([cutoff]), past).same[0, :, 0]
    np.testing.assert_array_equal(same, [0, np.nan, 0, 0, 0, 0])


def test_a_series_that_never_varies_is_left_to_the_model():
    panel = panel_of([np.full((600, 1), 7.0)])
    history = OwnHistory(panel, horizon=H, season=SEASON)
    found = history.of(np.zeros(1, np.int64), np.array([500]), panel.values[476:500][None])
    assert np.isnan(found.same).all()


def test_hours_that_happened_to_stay_dry_are_not_settled():
    """Rain in one hour of a hundred leaves most hours dry for weeks: that is chance."""
    random = np.random.default_rng(0)
    rain = np.where(random.random(SEASON * 60) < 0.01, 1.0, 0.0).astype(np.float32)
    panel = panel_of([rain[:, None]])
    history = OwnHistory(panel, horizon=SEASON, season=SEASON)
    cutoff = np.array([SEASON * 50])
    past = panel.values[cutoff[0] - 60 : cutoff[0]][None]
    past[0, -3] = 1.0  # a shower in the window
    assert np.isnan(history.of(np.zeros(1, np.int64), cutoff, past).same).all()
