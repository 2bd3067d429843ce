from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from forecast.forecasting.rolling_intervals import changed
from forecast.forecasting.spread_factors import (
    LOG_FACTORS,
    Evidence,
    at_level,
    best_factors,
    by_step,
    evidence_of,
    group_edges,
    recentred,
    scaled,
)

LEVELS = tuple(k / 10 for k in range(1, 10))
DEVIATES = np.array([NormalDist().inv_cdf(level) for level in LEVELS])
HORIZON = 12


def normal_case(n, *, width, scale=1.0, seed=0):
    """Actuals (n, H, 1) of standard deviation `scale`, quantiles `width` times as wide."""
    random = np.random.default_rng(seed)
    scale = np.broadcast_to(scale, (n, HORIZON, 1))
    actual = random.normal(size=(n, HORIZON, 1)) * scale
    return actual, DEVIATES * width * scale[..., None]


def learned(actual, quantiles):
    """Log factors (R, T, S) of all windows together."""
    found = evidence_of(actual, quantiles, LEVELS, least=[1e-3])
    total = Evidence(found.loss.sum(axis=0), found.seen.sum(axis=0))
    return best_factors(total, horizon=actual.shape[1])


def corrected(actual, quantiles, n):
    """Quantiles from `n` on, by the factors of the first `n`."""
    factors = by_step(learned(actual[:n], quantiles[:n]), actual.shape[1])
    return scaled(quantiles[n:], factors, LEVELS)


def coverage(actual, quantiles):
    return ((actual >= quantiles[..., 0]) & (actual <= quantiles[..., -1])).mean()


def pinball(actual, quantiles):
    below = actual[..., None] - quantiles
    return np.maximum(np.array(LEVELS) * below, (np.array(LEVELS) - 1) * below).mean()


def test_the_evidence_of_a_factor_is_the_pinball_loss_by_a_plain_loop():
    actual, quantiles = normal_case(2, width=0.7)
    actual[0, 3] = np.nan
    found = evidence_of(actual, quantiles[..., [0, 4, 8]], (0.1, 0.5, 0.9), least=[1e-3])
    aim = 0.5 + (0.9 - 0.5) * (1 + 1 / 30)
    g = 30
    steps = range(group_edges(HORIZON)[3], group_edges(HORIZON)[4])
    wanted = 0.0
    for step in steps:
        if np.isfinite(actual[0, step, 0]):
            q = quantiles[0, step, 0]
            below = (actual[0, step, 0] - np.exp(LOG_FACTORS[g]) * q[8]) / (q[8] - q[0])
            wanted += (aim - 0.5) ** 2 * max(aim * below, (aim - 1) * below)
    assert found.loss[0, 3, 0, 1, g] == pytest.approx(wanted)
    assert found.seen[0, :, 0].sum() == HORIZON - 1


@pytest.mark.parametrize("width", [0.3, 0.7, 1.0, 1.5, 4.0])
def test_80_percent_cover_80_percent_of_exchangeable_forecasts_and_cost_no_more(width):
    actual, quantiles = normal_case(4000, width=width)
    moved = corrected(actual, quantiles, 400)
    assert 0.77 < coverage(actual[400:], moved) < 0.83
    assert pinball(actual[400:], moved) < 1.001 * pinball(actual[400:], quantiles[400:])


def test_lopsided_forecasts_are_put_right_side_by_side():
    random = np.random.default_rng(1)
    actual = random.exponential(size=(2000, HORIZON, 1)) - np.log(2)
    quantiles = np.broadcast_to(DEVIATES * 0.8, (2000, HORIZON, 1, 9))
    moved = corrected(actual, quantiles, 500)
    for place, level in ((0, 0.1), (8, 0.9)):
        assert abs((actual[500:] <= moved[..., place]).mean() - level) < 0.05
    assert pinball(actual[500:], moved) < 0.99 * pinball(actual[500:], quantiles[500:])


def test_one_factor_serves_forecasts_of_any_spread():
    scale = np.where(np.arange(3000) % 2, 1.0, 1000.0)[:, None, None]
    actual, quantiles = normal_case(3000, width=0.5, scale=scale)
    moved = corrected(actual, quantiles, 500)
    for part in (slice(0, None, 2), slice(1, None, 2)):
        assert 0.77 < coverage(actual[500:][part], moved[part]) < 0.83


def test_steps_may_differ_and_lend_each_other_strength():
    width = (2 * np.arange(1, HORIZON + 1) ** -0.5)[None, :, None]
    random = np.random.default_rng(2)
    actual = random.normal(size=(2000, HORIZON, 1))
    quantiles = np.broadcast_to((DEVIATES * width[..., None]), (2000, HORIZON, 1, 9))
    moved = corrected(actual, quantiles, 300)
    for step in range(HORIZON):
        assert 0.72 < coverage(actual[300:, step], moved[:, step]) < 0.88


def test_without_evidence_nothing_moves_and_with_little_hardly_anything():
    actual, quantiles = normal_case(2, width=0.8)
    assert_allclose(learned(np.full_like(actual, np.nan), quantiles), 0.0, atol=1e-12)
    assert np.abs(learned(actual[:1], quantiles[:1])).max() < 0.2


def test_a_correction_from_few_forecasts_costs_next_to_nothing():
    ratios = []
    for seed in range(40):
        actual, quantiles = normal_case(400, width=1.0, seed=seed)
        moved = corrected(actual, quantiles, 5)
        ratios.append(pinball(actual[5:], moved) / pinball(actual[5:], quantiles[5:]))
    assert np.mean(ratios) < 1.005


@pytest.mark.parametrize("origins", [5, 28])
def test_looking_back_on_forecasts_that_were_right_does_them_no_harm(origins):
    ratios = []
    for seed in range(40):
        actual, quantiles = normal_case(400, width=1.0, seed=seed)
        found = evidence_of(actual[:origins], quantiles[:origins], LEVELS, least=[1e-3])
        total = Evidence(found.loss.sum(axis=0), found.seen.sum(axis=0))
        factors = by_step(changed(total, horizon=HORIZON), HORIZON)
        later = quantiles[origins:]
        moved = scaled(later, factors, LEVELS)
        ratios.append(pinball(actual[origins:], moved) / pinball(actual[origins:], later))
    assert np.mean(ratios) < 1.0015  # origins counted whole would cost .003
    assert np.max(ratios) < 1.005


def test_the_median_never_moves():
    actual, quantiles = normal_case(100, width=0.3)
    moved = scaled(quantiles + 7.0, by_step(learned(actual, quantiles), HORIZON), LEVELS)
    assert_allclose(at_level(moved, LEVELS, 0.5), 7.0)


def test_levels_between_are_read_off_and_ends_are_held():
    quantiles = np.array([1.0, 2.0, 4.0])
    found = [at_level(quantiles, (0.2, 0.5, 0.8), level) for level in (0.1, 0.35, 0.5, 0.65, 0.99)]
    assert_allclose(found, [1.0, 1.5, 2.0, 3.0, 4.0])


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.floats(-10, 10))
def test_a_point_lies_within_its_own_50_percent_band(seed, point):
    quantiles = np.sort(np.random.default_rng(seed).normal(size=(3, 9)), axis=-1)
    moved = recentred(quantiles, np.full(3, point), LEVELS)
    low, high = (at_level(moved, LEVELS, level) for level in (0.25, 0.75))
    assert ((low <= point + 1e-9) & (point <= high + 1e-9)).all()
    assert_allclose(np.diff(moved, axis=-1), np.diff(quantiles, axis=-1), atol=1e-9)


def test_the_best_factor_moves_with_the_evidence_without_jumps():
    actual, quantiles = normal_case(30, width=0.5)
    found = [learned(actual * (1 + share), quantiles) for share in np.linspace(0, 0.3, 301)]
    assert np.abs(np.diff(found, axis=0)).max() < 0.02


@pytest.mark.parametrize("horizon", [1, 2, 5, 24, 720])
def test_groups_hold_every_step_and_are_short_where_it_counts(horizon):
    edges = group_edges(horizon)
    assert (edges[0], edges[-1]) == (0, horizon)
    assert (np.diff(edges) > 0).all()
    shape = (len(edges) - 1, 1, 2)
    assert_allclose(by_step(np.ones(shape), horizon), np.ones((horizon, 1, 2)))
