"""Many windows forecast part by part, so that only the answer itself is held whole.

Letters: N windows, H horizon, T targets, Q quantile levels.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from forecast.data.windows.predictor import Forecast
from forecast.data.windows.window_index import WindowIndex

MOST_VALUES = 4_000_000  # quantiles that are worked on at once, in double precision


def in_parts(
    forecast: Callable[[WindowIndex], Forecast], index: WindowIndex, *, values: int
) -> Forecast:
    """Return the forecasts of all windows, in the order of the index.

    Parameters
    ----------
    forecast
        Forecasts some windows, of which none changes the answer of another.
    values
        Quantiles of one window, H x T x Q.
    """
    parts = list(_by_series(index, most=max(1, MOST_VALUES // max(1, values))))
    if len(parts) == 1:
        return forecast(index)
    whole: list[NDArray[np.float32]] = []
    never = np.empty(0, np.bool_)
    flags, levels = [], np.empty(0)
    for rows in parts:
        part = forecast(WindowIndex(index.series[rows], index.cutoff[rows]))
        if not whole:
            count, levels = len(index.series), part.levels
            whole = [np.empty((count, *values.shape[1:]), np.float32) for values in _values(part)]
            never = np.zeros((count, *part.point.shape[1:]), np.bool_)
        for place, block in zip(whole, _values(part), strict=True):
            place[rows] = block
        never[rows] = False if part.never is None else part.never
        flags.append(part.flag)
    flag = np.concatenate(flags)[np.argsort(np.concatenate(parts))]
    return Forecast(index.series, index.cutoff, whole[0], whole[1], levels, flag, never)


def _values(part: Forecast) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    return part.point, part.quantiles


def _by_series(index: WindowIndex, *, most: int) -> Iterator[NDArray[np.int64]]:
    """Yield the places of at most so many windows, those of a series together where they fit."""
    order = np.argsort(index.series, kind="stable")
    yield from np.split(order, range(most, len(order), most))
