"""The paired test: by hand, against scipy, and its level and power in simulation."""

import numpy as np
import pytest
from scipy import stats

from forecast.data.windows.predictor import Forecast
from forecast.data.windows.window_index import WindowIndex
from forecast.evaluation.backtest import Backtest
from forecast.evaluation.metrics import mae, rmse
from forecast.evaluation.paired_test import (
    chance_of_lead,
    compare,
    student_tail,
    window_losses,
)

WEEK, DAY = 168, 24  # hourly cutoffs, and a horizon of hours


def backtest(actual, *, series=1, **points):
    """A backtest of (N, H) actuals, windows of all series at one cutoff beside each other."""
    windows = len(actual)
    index = WindowIndex(
        np.tile(np.arange(series), windows // series),
        np.repeat(np.arange(windows // series) + 50, series),
    )
    levels = (0.1, 0.5, 0.9)
    forecasts = {
        name: Forecast(
            series=index.series,
            cutoff=index.cutoff,
            point=point[..., None].astype(np.float32),
            quantiles=np.repeat(point[..., None, None], 3, axis=-1).astype(np.float32),
            levels=levels,
            flag=np.zeros(windows, np.uint8),
        )
        for name, point in points.items()
    }
    return Backtest(
        index=index,
        actual=actual[..., None].astype(np.float32),
        forecasts=forecasts,
        scale=np.full((series, 1), 2.0),
        series_ids=tuple(map(str, range(series))),
        targets=("y",),
        cutoff_ns=index.cutoff * 3_600_000_000_000,
    )


def overlapping(rng, count=WEEK, horizon=DAY, persistence=0.0):
    """Means of windows of one autocorrelated error per hour: what losses of cutoffs look like."""
    steps = rng.normal(size=count + horizon + 100)
    for k in range(1, len(steps)):
        steps[k] += persistence * steps[k - 1]
    return np.convolve(steps[100:], np.ones(horizon) / horizon, "valid")[:count]


@pytest.mark.parametrize("freedom", range(1, 9))
@pytest.mark.parametrize("t", [-2.3, 0.0, 0.4, 1.9, 7.0])
def test_the_tail_is_that_of_student(freedom, t):
    assert student_tail(t, freedom) == pytest.approx(stats.t.sf(t, freedom), abs=1e-12)


@pytest.mark.parametrize("persistence", [0.0, 0.8])
def test_equals_are_promoted_about_as_often_as_stated(persistence):
    rng = np.random.default_rng(0)
    found = [
        chance_of_lead(overlapping(rng, persistence=persistence), overlap=DAY) < 0.1
        for _ in range(1000)
    ]
    assert 0.07 < np.mean(found) < 0.14
    # Each window counted for one observation promotes nearly every other equal.
    naive = [
        stats.ttest_1samp(
            overlapping(rng, persistence=persistence), 0, alternative="greater"
        ).pvalue
        for _ in range(300)
    ]
    assert np.mean(np.array(naive) < 0.1) > 0.3


def test_a_tenth_better_is_found_nearly_always():
    rng = np.random.default_rng(1)
    found = []
    for _ in range(100):
        weather = overlapping(rng, count=WEEK + DAY - 1, horizon=1, persistence=0.8)
        errors = np.lib.stride_tricks.sliding_window_view(weather, DAY)
        points = {"old": errors, "new": 0.9 * errors + 0.05 * rng.normal(size=errors.shape)}
        test = compare(
            backtest(np.zeros(errors.shape), **points),
            champion="old",
            challenger="new",
            metric="mae",
        )
        found.append(test.p_value < 0.1)
    assert np.mean(found) > 0.9


def test_series_at_one_time_are_one_observation():
    rng = np.random.default_rng(2)
    actual, old, new = rng.normal(size=(3, 40, 2))
    alone = compare(
        backtest(actual, old=old, new=new), champion="old", challenger="new", metric="mae"
    )
    copies = (np.repeat(one, 5, axis=0) for one in (actual, old, new))
    actual, old, new = copies
    many = compare(
        backtest(actual, series=5, old=old, new=new), champion="old", challenger="new", metric="mae"
    )
    assert many.cutoffs == alone.cutoffs == 40
    assert many.p_value == pytest.approx(alone.p_value)


def test_losses_have_the_metric_for_their_mean():
    rng = np.random.default_rng(3)
    actual, new = rng.normal(size=(2, 30, 4))
    actual[0] = np.nan
    made = backtest(actual, new=new)
    losses = {name: window_losses(made, "new", name) for name in ("mae", "rmse", "mase", "crps")}
    assert np.isnan([one[0] for one in losses.values()]).all()
    means = {name: np.nanmean(one) for name, one in losses.items()}
    assert means["mae"] == pytest.approx(mae(actual, new), rel=1e-5)
    assert means["rmse"] == pytest.approx(rmse(actual, new) ** 2, rel=1e-5)
    assert means["mase"] == pytest.approx(mae(actual, new) / 2, rel=1e-5)
    assert means["crps"] == pytest.approx(mae(actual, new) / 2, rel=1e-5)  # all levels at the point


def test_a_lead_that_never_changes_is_certain_and_no_lead_is_none():
    assert chance_of_lead(np.full(50, 0.3), overlap=6) == 0.0
    assert chance_of_lead(np.full(50, -0.3), overlap=6) == 1.0
    assert chance_of_lead(np.zeros(50), overlap=6) == 0.5
    assert np.isnan(chance_of_lead(np.ones(1), overlap=6))
