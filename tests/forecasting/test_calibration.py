import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from forecast.forecasting.calibration import (
    Calibration,
    adaptive_conformal,
    calibrate,
    conformal_offsets,
    rolling_conformal,
)

LEVELS = (0.1, 0.5, 0.9)


def naive_quantiles(n, spread):
    """Quantile forecasts that are wrong on purpose: too narrow, and not centred."""
    return np.broadcast_to(np.array([-0.5, 0.1, 0.3]) * spread, (n, 2, 1, 3)).astype(np.float32)


def coverage(actual, quantiles):
    return ((actual >= quantiles[..., 0]) & (actual <= quantiles[..., -1])).mean()


def test_offset_by_hand():
    scores = np.array([5.0, 1.0, 4.0, 2.0, 3.0, 9.0, 8.0, 7.0, 6.0])
    offsets = conformal_offsets(np.stack([scores] * 3, axis=-1), LEVELS)
    assert_array_equal(offsets, [1.0, 5.0, 9.0])  # of n + 1 = 10: the 1st, 5th, 9th


@given(st.integers(1, 60), st.sampled_from([0.05, 0.1, 0.25, 0.75, 0.8, 0.95]))
def test_offset_is_the_corrected_order_statistic(n, level):
    scores = np.random.default_rng(n).permutation(np.arange(1.0, n + 1))
    position = level * (n + 1)
    wanted = math.ceil(position - 1e-9) if level > 0.5 else math.floor(position + 1e-9)
    assert conformal_offsets(scores[:, None], [level])[0] == min(max(wanted, 1), n)


def test_missing_scores_do_not_count():
    scores = np.array([[3.0], [np.nan], [1.0], [2.0]])
    assert conformal_offsets(scores, [0.5])[0] == 2.0
    assert conformal_offsets(np.full((4, 1), np.nan), [0.9])[0] == 0.0


def test_80_percent_cover_80_percent_of_exchangeable_data():
    random = np.random.default_rng(0)
    shares = []
    for _ in range(200):
        actual = random.normal(size=(300, 2, 1))
        quantiles = naive_quantiles(300, 1.0)
        fitted = calibrate(actual[:100], quantiles[:100], LEVELS, target_scale=np.ones(1))
        shares.append(coverage(actual[100:], fitted.apply(quantiles[100:])))
    assert 0.78 < np.mean(shares) < 0.82


def test_one_offset_serves_series_of_any_scale():
    random = np.random.default_rng(1)
    spread = np.where(np.arange(4000) % 2, 1.0, 1000.0)[:, None, None]
    actual = random.normal(size=(4000, 2, 1)) * spread
    quantiles = naive_quantiles(4000, 1.0) * spread[..., None]
    fitted = calibrate(actual[:2000], quantiles[:2000], LEVELS, target_scale=np.ones(1))
    moved = fitted.apply(quantiles[2000:].astype(np.float32))
    for part in (slice(0, None, 2), slice(1, None, 2)):
        assert 0.77 < coverage(actual[2000:][part], moved[part]) < 0.83


def test_a_point_without_spread_gets_a_band():
    random = np.random.default_rng(2)
    actual = random.normal(size=(2000, 2, 1))
    point = np.zeros((2000, 2, 1, 3), np.float32)
    fitted = calibrate(actual[:1000], point[:1000], LEVELS, target_scale=np.ones(1))
    assert 0.76 < coverage(actual[1000:], fitted.apply(point[1000:])) < 0.84


@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_quantiles_never_cross(seed):
    random = np.random.default_rng(seed)
    actual = random.normal(size=(20, 2, 1))
    quantiles = np.sort(random.normal(size=(20, 2, 1, 3)), axis=-1).astype(np.float32)
    fitted = calibrate(actual, quantiles, LEVELS, target_scale=np.ones(1))
    for moved in (
        fitted.apply(quantiles),
        rolling_conformal(actual, quantiles, LEVELS, window=5, delay=2),
        adaptive_conformal(actual, quantiles, LEVELS, window=5, delay=2, rate=0.1),
    ):
        assert (np.diff(moved, axis=-1) >= 0).all()


def test_survives_json():
    random = np.random.default_rng(3)
    fitted = calibrate(
        random.normal(size=(50, 2, 1)), naive_quantiles(50, 1.0), LEVELS, target_scale=np.ones(1)
    )
    again = Calibration.from_json(json.loads(json.dumps(fitted.to_json())))
    assert_array_equal(again.apply(naive_quantiles(5, 1.0)), fitted.apply(naive_quantiles(5, 1.0)))


@pytest.mark.parametrize("method", [rolling_conformal, adaptive_conformal])
def test_no_offset_rests_on_the_future(method):
    """Changing what is not scored yet changes no interval before it is."""
    random = np.random.default_rng(4)
    actual = random.normal(size=(60, 2, 1))
    quantiles = naive_quantiles(60, 1.0)
    changed = actual.copy()
    changed[40:] = 1e6
    one = method(actual, quantiles, LEVELS, window=20, delay=6)
    two = method(changed, quantiles, LEVELS, window=20, delay=6)
    assert_array_equal(one[:46], two[:46])
    assert (one[46] != two[46]).any()


def test_rolling_follows_a_change_and_adaptive_holds_coverage_under_drift():
    random = np.random.default_rng(5)
    actual = random.normal(size=(4000, 1, 1)) * np.linspace(1, 4, 4000)[:, None, None]
    quantiles = np.broadcast_to(np.array([-1.28, 0, 1.28]), (4000, 1, 1, 3))
    late = slice(1000, None)
    assert coverage(actual[late], quantiles[late]) < 0.6
    rolling = rolling_conformal(actual, quantiles, LEVELS, window=300, delay=5)
    adaptive = adaptive_conformal(actual, quantiles, LEVELS, window=300, delay=5)
    assert 0.75 < coverage(actual[late], rolling[late]) < 0.81
    assert 0.78 < coverage(actual[late], adaptive[late]) < 0.82


def test_unscored_forecasts_stay_as_they_are():
    quantiles = naive_quantiles(10, 1.0)
    moved = rolling_conformal(np.zeros((10, 2, 1)), quantiles, LEVELS, window=5, delay=4)
    assert_allclose(moved[:4], quantiles[:4])


def test_parameters_must_be_positive():
    arguments = (np.zeros((3, 1, 1)), np.zeros((3, 1, 1, 3)), LEVELS)
    with pytest.raises(ValueError, match="at least 1"):
        rolling_conformal(*arguments, window=0, delay=1)
    with pytest.raises(ValueError, match="must be positive"):
        adaptive_conformal(*arguments, window=3, delay=1, rate=0.0)
