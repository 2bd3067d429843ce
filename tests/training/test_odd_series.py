"""Odd series through a whole training: each at least as good as the naive forecasts, bands honest."""

from dataclasses import replace

import numpy as np
import pytest

from forecast.config.modelling import Model
from forecast.data.windows.host_windows import collect_actual
from forecast.data.windows.splits import split_windows
from forecast.data.windows.window_index import WindowIndex
from forecast.evaluation.naive_baselines import Naive
from forecast.forecasting.spec import Spec
from forecast.training.fitting import fit_forecaster
from tests.builders import panel_of
from tests.tiny import TRAINING

L, H = 72, 24
N = 24 * 60
HOUR = np.arange(N) % 24
NAN = np.nan


def random(seed):
    return np.random.default_rng(seed)


def wave(level=1.0, seed=1):
    """A daily wave with noise."""
    noise = 0.5 * random(seed).standard_normal(N)
    return level * (10 + 3 * np.sin(2 * np.pi * HOUR / 24 + seed) + noise)


def daily(seed):
    """One number a day, repeated."""
    return random(seed).standard_normal(N // 24).repeat(24)


def rain():
    wet = np.convolve(random(0).random(N) < 0.02, np.ones(4))[:N] > 0
    return np.where(wet, random(1).gamma(0.8, 1.5, N), 0.0)


def sun():
    clear = np.clip(0.7 + 0.25 * daily(0), 0.1, 1.0)
    return 500 * clear * np.maximum(np.sin(2 * np.pi * (HOUR - 6) / 24), 0.0)


def parking():
    y = 100 + 80 * np.sin(np.pi * (HOUR - 7) / 12) + 10 * daily(0)
    y += 3 * random(1).standard_normal(N)
    return np.where((HOUR >= 8) & (HOUR <= 17), y, NAN)


def with_gaps():
    return np.where(random(3).random(N) < 0.28, NAN, wave())


def only(first, stop, seed=1):
    """The wave from one step to another, missing else."""
    step = np.arange(N)
    return np.where((step >= first) & (step < stop), wave(seed=seed), NAN)


CASES = {  # series by name, and the target's lowest value
    "intermittent rain": ([rain()], 0),
    "night zeros": ([sun()], 0),
    "readings by day only": ([parking()], None),
    "gaps": ([with_gaps()], None),
    "a million times larger": ([wave(), wave(1e6, seed=2)], None),
    "starts late": ([wave(), only(N // 2, N)], None),
    "shorter than the context": ([wave(), only(N - 60, N)[-60:]], None),
    "beside one that ends early": ([wave(), only(0, N * 6 // 10)], None),
    "beside a dead sensor": ([wave(), np.full(N, NAN)], None),
}


def trained(series, lowest, folder):
    blocks = [one.astype(np.float32)[:, None] for one in series]
    panel = panel_of(blocks, starts=[N - len(one) for one in series])
    split = split_windows(
        panel,
        context_length=L,
        horizon=H,
        min_observed=0.2,
        train=0.7,
        dev=0.15,
        test=0.15,
        calibration=0.15,
    )
    spec = Spec(L, H, "1h", "UTC", ("y",), calendar=("hour_of_day",), season=24, min_observed=0.2)
    spec = replace(spec, bounds=((lowest, None),))
    training = {"learning_rate": 0.001, "windows_per_epoch": 640, "epochs": 3}
    forecaster = fit_forecaster(
        panel,
        split,
        spec,
        model=Model(hidden_size=16),
        training=TRAINING.model_copy(update=training),
        metric="mae",
        folder=folder,
    ).forecaster
    return panel, split, forecaster


@pytest.mark.parametrize("name", CASES)
def test_no_worse_than_naive_and_the_band_honest(name, tmp_path):
    series, lowest = CASES[name]
    panel, split, forecaster = trained(series, lowest, tmp_path)
    actual = collect_actual(panel, split.test, horizon=H)
    answer = forecaster.predict(panel, split.test)
    naive = [
        Naive.fit(panel, split.train, horizon=H, season=season).predict(panel, split.test).point
        for season in (1, 24)
    ]
    for one in np.unique(split.test.series):
        rows = split.test.series == one
        error, *others = (
            np.nanmean(abs(point[rows] - actual[rows])) for point in (answer.point, *naive)
        )
        assert error <= min(others)
        low, high = answer.quantiles[rows][..., 0], answer.quantiles[rows][..., -1]
        seen = np.isfinite(actual[rows])
        inside = (actual[rows] >= low) & (actual[rows] <= high)
        assert 0.7 <= inside[seen].mean() <= 0.9


def test_a_constant_is_forecast_as_itself(tmp_path):
    panel, split, forecaster = trained([np.full(N, 7.0)], None, tmp_path)
    answer = forecaster.predict(panel, split.test)
    np.testing.assert_allclose(answer.point, 7.0, atol=1e-3)
    np.testing.assert_allclose(answer.quantiles, 7.0, atol=0.05)


def test_at_the_end_a_silent_series_has_its_own_level_and_a_dead_one_says_so(tmp_path):
    series = [wave(), only(0, N * 6 // 10), np.full(N, NAN)]
    panel, _, forecaster = trained(series, None, tmp_path)
    answer = forecaster.predict(panel, WindowIndex(np.array([1, 2]), np.array([N, N])))
    expected = series[1][N * 6 // 10 - 24 : N * 6 // 10]
    np.testing.assert_allclose(answer.point[0, :, 0], expected, rtol=1e-6)
    assert answer.flag[:, 0].tolist() == [
        "no_history;fallback:own_history",
        "no_history;fallback:climate",
    ]
