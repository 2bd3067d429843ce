"""The scores against plain loops, hand-solved fractions and scikit-learn."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from forecast.evaluation import metrics as m
from forecast.evaluation.peak_metrics import kge, nse, peak_error, peak_hit, peak_shift

NAN = float("nan")
LEVELS = [0.1, 0.5, 0.9]


@pytest.fixture(scope="module")
def pairs():
    rng = np.random.default_rng(0)
    actual = rng.normal(50, 10, (7, 5, 2))
    forecast = actual + rng.normal(1, 3, actual.shape)
    actual[0, 1, 0] = actual[3, :, 1] = NAN
    forecast[2, 2, 1] = NAN
    return actual, forecast


def loop(actual, forecast, score):
    """Mean of `score` over every pair, one at a time, and per step."""
    everything, per_step = [], [[] for _ in range(actual.shape[1])]
    for n, h, t in np.ndindex(actual.shape):
        a, f = float(actual[n, h, t]), float(forecast[n, h, t])
        if not (math.isnan(a) or math.isnan(f)):
            everything.append(score(a, f))
            per_step[h].append(score(a, f))
    return math.fsum(everything) / len(everything), [math.fsum(s) / len(s) for s in per_step]


@pytest.mark.parametrize(
    ("score", "one"),
    [
        (m.mae, lambda a, f: abs(a - f)),
        (m.bias, lambda a, f: f - a),
        (m.smape, lambda a, f: 200 * abs(a - f) / (abs(a) + abs(f))),
    ],
)
def test_a_mean_score_equals_a_plain_loop(pairs, score, one):
    whole, per_step = loop(*pairs, one)
    assert score(*pairs) == pytest.approx(whole, rel=1e-12)
    np.testing.assert_allclose(score(*pairs, axis=m.PER_STEP), per_step, rtol=1e-12)


def test_scores_equal_scikit_learn(pairs):
    actual, forecast = pairs
    seen = np.isfinite(actual) & np.isfinite(forecast)
    a, f = actual[seen], forecast[seen]
    assert m.mae(actual, forecast) == pytest.approx(sk.mean_absolute_error(a, f), rel=1e-12)
    assert m.rmse(actual, forecast) == pytest.approx(sk.root_mean_squared_error(a, f), rel=1e-12)
    assert nse(actual, forecast) == pytest.approx(sk.r2_score(a, f), rel=1e-12)
    bands = np.stack([forecast - 4, forecast, forecast + 4], axis=-1)
    expected = [
        sk.mean_pinball_loss(a, f + shift, alpha=q)
        for q, shift in zip(LEVELS, (-4, 0, 4), strict=True)
    ]
    np.testing.assert_allclose(m.pinball(actual, bands, LEVELS), expected, rtol=1e-12)
    assert m.crps(actual, bands, LEVELS) == pytest.approx(2 * np.mean(expected), rel=1e-12)


def test_hand_solved_fractions():
    actual, forecast = [1.0, 2.0, 4.0, NAN], [2.0, 2.0, 1.0, 7.0]
    assert m.count(actual, forecast) == 3
    assert m.mae(actual, forecast) == pytest.approx(4 / 3)
    assert m.rmse(actual, forecast) == pytest.approx(math.sqrt(10 / 3))
    assert m.bias(actual, forecast) == pytest.approx(-2 / 3)
    assert m.wape(actual, forecast) == pytest.approx(4 / 7)
    assert m.smape(actual, forecast) == pytest.approx(200 * (1 / 3 + 0 + 3 / 5) / 3)
    assert m.smape([0.0], [0.0]) == 0.0
    assert m.skill(3.0, 4.0) == 0.25


def test_mase_has_the_seasonal_naive_as_its_unit():
    train = np.array([1.0, 2.0, 3.0, 5.0, NAN, 9.0])  # season 2: |3-1|, |5-2|, (gap), |9-5|
    scale = m.seasonal_scale(train, 2)
    assert scale == pytest.approx(3.0)
    assert m.mase([10.0, 10.0], [13.0, 16.0], scale) == pytest.approx(1.5)
    assert math.isnan(m.mase([10.0], [13.0], m.seasonal_scale(np.ones(4), 2)))
    with pytest.raises(ValueError, match="season must be at least 1 step, not 0"):
        m.seasonal_scale(train, 0)


def test_pinball_by_hand():
    # y = 2: level .1 at 0 loses .1*2; level .5 at 3 loses .5*1; level .9 at 1 loses .9*1.
    losses = m.pinball([2.0], [[0.0, 3.0, 1.0]], LEVELS)
    np.testing.assert_allclose(losses, [0.2, 0.5, 0.9])


def test_the_interval_scores_by_hand():
    actual = [1.0, 5.0, 9.0, NAN]
    lower, upper = [1.0, 6.0, 7.0, 0.0], [2.0, 8.0, 8.0, 100.0]
    assert m.coverage(actual, lower, upper) == pytest.approx(1 / 3)
    assert m.width(lower[:3], upper[:3]) == pytest.approx(4 / 3)
    assert m.interval_score(actual, lower, upper, level=0.8) == pytest.approx((1 + 12 + 11) / 3)


def test_gaussian_quantiles_score_as_the_closed_form_of_crps():
    # CRPS of N(0, 1) at 0 is (sqrt(2) - 1) / sqrt(pi) (Gneiting & Raftery 2007, eq. 21).
    from statistics import NormalDist

    levels = (np.arange(2000) + 0.5) / 2000
    quantiles = np.array([[NormalDist().inv_cdf(q) for q in levels]])
    expected = (math.sqrt(2) - 1) / math.sqrt(math.pi)
    assert m.crps([0.0], quantiles, levels) == pytest.approx(expected, rel=1e-3)


def test_nothing_to_score_is_nan_without_a_warning():
    assert math.isnan(m.mae([NAN], [1.0]))
    assert math.isnan(m.crps([NAN], [[1.0, 2.0, 3.0]], LEVELS))
    assert math.isnan(nse([2.0, 2.0], [1.0, 1.0]))
    assert math.isnan(peak_error([[[NAN]]], [[[1.0]]])[0])
    assert m.mae(np.full((2, 3, 1), NAN), np.ones((2, 3, 1)), axis=m.PER_STEP).shape == (3,)


def test_nse_and_kge_by_hand():
    actual = np.array([1.0, 2.0, 3.0])
    assert nse(actual, actual) == kge(actual, actual) == 1.0
    assert nse(actual, np.full(3, 2.0)) == 0.0
    assert nse(actual, [2.0, 2.0, 2.0 + 1]) == pytest.approx(0.5)
    # Twice the actual: r = 1, alpha = 2, beta = 2.
    assert kge(actual, 2 * actual) == pytest.approx(1 - math.sqrt(2))


def test_axes_keep_their_meaning_in_nse_and_kge(pairs):
    actual, forecast = pairs
    by_target = nse(actual, forecast, axis=m.PER_TARGET)
    assert by_target.shape == (2,)
    assert by_target[1] == pytest.approx(nse(actual[..., 1], forecast[..., 1]), rel=1e-12)
    assert kge(actual, forecast, axis=0).shape == (5, 2)


def test_peaks():
    ramp = np.arange(100.0).reshape(20, 5, 1)
    # The threshold is the .95 quantile, 94.05: only 95 to 99 count.
    forecast = np.where(ramp > 94, ramp - 3, ramp + 50)
    np.testing.assert_allclose(peak_error(ramp, forecast), [3.0])
    actual = np.array([[0.0, 5.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0], [9.0, NAN, 1.0, 2.0]])[..., None]
    late = np.array([[0.0, 1.0, 2.0, 7.0], [3.0, 2.0, 1.0, 0.0], [1.0, 8.0, 2.0, 0.0]])[..., None]
    np.testing.assert_array_equal(peak_shift(actual, late)[:, 0], [2.0, NAN, 2.0])
    np.testing.assert_array_equal(peak_hit(actual, late, tolerance=2), [1.0])
    np.testing.assert_array_equal(peak_hit(actual, late), [0.0])


@settings(max_examples=50, deadline=None)
@given(
    values=st.lists(st.floats(-1e6, 1e6) | st.just(NAN), min_size=2, max_size=40),
    cut=st.integers(1, 39),
)
def test_a_score_is_the_count_weighted_mean_of_its_parts(values, cut):
    actual = np.array(values)
    forecast = np.zeros_like(actual)
    parts = [slice(0, cut), slice(cut, None)]
    total = sum(
        np.nan_to_num(m.mae(actual[p], forecast[p])) * m.count(actual[p], forecast[p])
        for p in parts
    )
    seen = m.count(actual, forecast)
    if seen:
        assert m.mae(actual, forecast) == pytest.approx(total / seen, rel=1e-9, abs=1e-12)
