"""Scores of peaks and hydrographs.

Axes as in `metrics`: N windows, H steps of the horizon, T targets. NaN is masked as there.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from forecast.evaluation.metrics import Axis, mae, masked_mean, pairs, ratio


def peak_error(actual: ArrayLike, forecast: ArrayLike, *, top: float = 0.05) -> Any:
    """Mean absolute error where the actual is among the largest `top` share, per target (T,).

    The threshold is the (1 - top) quantile of each target's own actuals.
    """
    a, f = pairs(actual, forecast)
    flat = a.reshape(-1, a.shape[-1])
    seen = [column[np.isfinite(column)] for column in flat.T]
    threshold = [np.quantile(v, 1.0 - top) if v.size else np.nan for v in seen]
    return mae(np.where(a >= np.asarray(threshold), a, np.nan), f, axis=(0, 1))


def peak_shift(actual: ArrayLike, forecast: ArrayLike) -> NDArray[np.float64]:
    """Return how many steps each window's forecast peak is late (negative: early), (N, T).

    NaN where the window has no pair, or the actual is constant and so has no peak.
    """
    a, f = pairs(actual, forecast)
    low, high = np.where(np.isnan(a), np.inf, a), np.where(np.isnan(a), -np.inf, a)
    has_peak = high.max(axis=1) > low.min(axis=1)
    shift = np.where(np.isnan(f), -np.inf, f).argmax(axis=1) - high.argmax(axis=1)
    return np.where(has_peak, shift.astype(np.float64), np.nan)


def peak_hit(actual: ArrayLike, forecast: ArrayLike, *, tolerance: int = 1) -> Any:
    """Share of windows whose peak is forecast within `tolerance` steps of its time, (T,)."""
    shift = peak_shift(actual, forecast)
    return masked_mean(np.where(np.isnan(shift), np.nan, np.abs(shift) <= tolerance), axis=0)


def nse(actual: ArrayLike, forecast: ArrayLike, *, axis: Axis = None) -> Any:
    """Nash-Sutcliffe efficiency, 1 - sum(e^2) / sum((a - mean a)^2) (Nash & Sutcliffe 1970, eq. 3).

    1 is perfect, 0 no better than the mean of the actuals; NaN when the actuals are constant.
    """
    a, f = pairs(actual, forecast)
    centred = a - np.expand_dims(masked_mean(a, axis=axis), _axes(a, axis))
    return 1.0 - ratio(np.nansum((f - a) ** 2, axis=axis), np.nansum(centred**2, axis=axis))


def kge(actual: ArrayLike, forecast: ArrayLike, *, axis: Axis = None) -> Any:
    """Kling-Gupta efficiency (Gupta et al. 2009, eq. 9).

    1 - sqrt((r - 1)^2 + (alpha - 1)^2 + (beta - 1)^2) with the correlation r, the ratio of the
    standard deviations alpha and of the means beta (forecast over actual).
    """
    a, f = pairs(actual, forecast)
    mean_a, mean_f = masked_mean(a, axis=axis), masked_mean(f, axis=axis)
    da = a - np.expand_dims(mean_a, _axes(a, axis))
    df = f - np.expand_dims(mean_f, _axes(a, axis))
    sd_a, sd_f = np.sqrt(masked_mean(da**2, axis=axis)), np.sqrt(masked_mean(df**2, axis=axis))
    r = ratio(masked_mean(da * df, axis=axis), sd_a * sd_f)
    alpha, beta = ratio(sd_f, sd_a), ratio(mean_f, mean_a)
    return 1.0 - np.sqrt((r - 1.0) ** 2 + (alpha - 1.0) ** 2 + (beta - 1.0) ** 2)


def _axes(values: NDArray[np.float64], axis: Axis) -> tuple[int, ...]:
    """Return `axis` as the tuple that `expand_dims` needs to broadcast a reduced result."""
    if axis is None:
        return tuple(range(values.ndim))
    return axis if isinstance(axis, tuple) else (axis,)
