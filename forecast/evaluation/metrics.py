"""Scores of forecasts against actuals, with missing values masked.

Axes are named by letters: N windows, H steps of the horizon, T targets, Q quantile levels.
`actual` and `forecast` are (N, H, T); `quantiles` are (N, H, T, Q). A pair is counted when both
sides are numbers, so a missing actual is never scored as zero. `axis` names the axes that are
averaged over (`PER_STEP`, `PER_TARGET`; None averages over all); a mean without any pair is NaN.
Every mean is one float64 sum divided by one count, so the size of batches cannot change it.
"""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array: TypeAlias = NDArray[np.float64]
Axis: TypeAlias = int | tuple[int, ...] | None

PER_STEP: Axis = (0, 2)
PER_TARGET: Axis = (0, 1)


def pairs(actual: ArrayLike, forecast: ArrayLike) -> tuple[Array, Array]:
    """Return both sides as float64, NaN wherever either is NaN."""
    a, f = np.broadcast_arrays(
        np.asarray(actual, dtype=np.float64), np.asarray(forecast, dtype=np.float64)
    )
    seen = np.isfinite(a) & np.isfinite(f)
    return np.where(seen, a, np.nan), np.where(seen, f, np.nan)


def ratio(numerator: ArrayLike, denominator: ArrayLike) -> Any:
    """Divide; NaN where the denominator is zero."""
    top, bottom = np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)
    out = np.full(np.broadcast_shapes(top.shape, bottom.shape), np.nan)
    np.divide(top, bottom, out=out, where=bottom != 0)
    return out[()]


def masked_mean(values: ArrayLike, *, axis: Axis = None) -> Any:
    """Return the mean of the finite values over `axis`; NaN where there is none."""
    v = np.asarray(values, dtype=np.float64)
    seen = np.isfinite(v)
    return ratio(np.where(seen, v, 0.0).sum(axis=axis), seen.sum(axis=axis))


def count(actual: ArrayLike, forecast: ArrayLike, *, axis: Axis = None) -> Any:
    """Return the number of pairs of a score over `axis`."""
    a, _ = pairs(actual, forecast)
    return np.isfinite(a).sum(axis=axis)


def mae(actual: ArrayLike, forecast: ArrayLike, *, axis: Axis = None) -> Any:
    """Mean absolute error, in the target's units.

    Examples
    --------
    >>> float(mae([1.0, 2.0, float("nan")], [2.0, 4.0, 9.0]))
    1.5
    """
    a, f = pairs(actual, forecast)
    return masked_mean(np.abs(a - f), axis=axis)


def rmse(actual: ArrayLike, forecast: ArrayLike, *, axis: Axis = None) -> Any:
    """Root of the mean squared error, in the target's units."""
    a, f = pairs(actual, forecast)
    return np.sqrt(masked_mean((a - f) ** 2, axis=axis))


def bias(actual: ArrayLike, forecast: ArrayLike, *, axis: Axis = None) -> Any:
    """Mean of forecast minus actual: positive when the forecast is too high."""
    a, f = pairs(actual, forecast)
    return masked_mean(f - a, axis=axis)


def smape(actual: ArrayLike, forecast: ArrayLike, *, axis: Axis = None) -> Any:
    """Symmetric MAPE in percent, 0 to 200 (Makridakis 1993; M4 guide 2018); 0 against 0 is 0."""
    a, f = pairs(actual, forecast)
    total = np.abs(a) + np.abs(f)
    share = ratio(200.0 * np.abs(a - f), total)
    return masked_mean(np.where(total == 0, 0.0, share), axis=axis)


def wape(actual: ArrayLike, forecast: ArrayLike, *, axis: Axis = None) -> Any:
    """Sum of absolute errors over the sum of absolute actuals (Kolassa & Schuetz 2007)."""
    a, f = pairs(actual, forecast)
    return ratio(np.nansum(np.abs(a - f), axis=axis), np.nansum(np.abs(a), axis=axis))


def seasonal_scale(values: ArrayLike, season: int) -> Any:
    """MAE of the seasonal naive forecast in sample, the unit of MASE (Hyndman & Koehler 2006).

    Parameters
    ----------
    values
        Train rows only, (time, ...) in grid order, NaN where missing.
    season
        Steps of one season; 1 for the plain naive forecast.

    Raises
    ------
    ValueError
        When `season` is not positive.
    """
    if season < 1:
        raise ValueError(f"season must be at least 1 step, not {season}")
    v = np.asarray(values, dtype=np.float64)
    return masked_mean(np.abs(v[season:] - v[:-season]), axis=0)


def mase(actual: ArrayLike, forecast: ArrayLike, scale: ArrayLike, *, axis: Axis = None) -> Any:
    """Mean absolute scaled error (Hyndman & Koehler 2006, section 4).

    `scale` is `seasonal_scale` of each window's own series, broadcastable to (N, H, T); pairs
    whose scale is zero or missing are left out.
    """
    a, f = pairs(actual, forecast)
    return masked_mean(ratio(np.abs(a - f), scale), axis=axis)


def pinball(
    actual: ArrayLike, quantiles: ArrayLike, levels: ArrayLike, *, axis: Axis = None
) -> Any:
    """Pinball loss of each level, max(q(y - z), (q - 1)(y - z)) (Koenker & Bassett 1978).

    Returns the mean over `axis` of the (N, H, T) cells, with Q as the last axis.
    """
    values = np.asarray(quantiles)
    means = []
    for place, q in enumerate(np.asarray(levels, dtype=np.float64).tolist()):  # one in memory
        y, z = pairs(actual, values[..., place])
        means.append(masked_mean(np.maximum(q * (y - z), (q - 1.0) * (y - z)), axis=axis))
    return np.stack(means, axis=-1)


def crps(actual: ArrayLike, quantiles: ArrayLike, levels: ArrayLike, *, axis: Axis = None) -> Any:
    """Continuous ranked probability score from quantiles: twice the mean pinball loss.

    CRPS is twice the integral of the pinball loss over the levels (Laio & Tamea 2007, eq. 8); for
    evenly spaced levels the mean approximates the integral.
    """
    return 2.0 * masked_mean(pinball(actual, quantiles, levels, axis=axis), axis=-1)


def coverage(actual: ArrayLike, lower: ArrayLike, upper: ArrayLike, *, axis: Axis = None) -> Any:
    """Share of actuals inside the closed interval [lower, upper]."""
    a, low = pairs(actual, lower)
    a, high = pairs(a, upper)
    inside = np.where(np.isfinite(a), (a >= low) & (a <= high), np.nan)
    return masked_mean(inside, axis=axis)


def width(lower: ArrayLike, upper: ArrayLike, *, axis: Axis = None) -> Any:
    """Mean width of the interval: the price paid for its coverage."""
    return masked_mean(np.asarray(upper, np.float64) - np.asarray(lower, np.float64), axis=axis)


def interval_score(
    actual: ArrayLike, lower: ArrayLike, upper: ArrayLike, *, level: float, axis: Axis = None
) -> Any:
    """Width plus 2/alpha times the distance outside (Gneiting & Raftery 2007, eq. 43).

    `level` is the nominal coverage, 0.8 for an 80 % interval (alpha = 0.2).
    """
    a, low = pairs(actual, lower)
    a, high = pairs(a, upper)
    outside = np.maximum(low - a, 0.0) + np.maximum(a - high, 0.0)
    return masked_mean(high - low + 2.0 / (1.0 - level) * outside, axis=axis)


def skill(error: ArrayLike, baseline_error: ArrayLike) -> Any:
    """1 - error / baseline error: 1 is perfect, 0 no better than the baseline, negative worse."""
    return 1.0 - ratio(error, baseline_error)
