"""Readings in a window that are hard to believe: far beyond all others, or stuck at one value.

Letters: N windows, L context, C channels, T targets.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from forecast.forecasting.fallback import join_flags, last_observed

BEYOND = 1e4  # times the usual size of a channel: 1e30 and its like, never weather or sales
LEAST_RUN = 6  # steps; fewer equal values in a row are common

Array = NDArray[np.float32]


def outliers(past: Array) -> NDArray[np.bool_]:
    """Return which values (N, L, C) exceed 10,000 times the median size of those that are not 0."""
    size = np.abs(past)
    size[~(size > 0)] = np.nan
    found = np.zeros(past.shape, bool)
    high = np.nan_to_num(size, nan=0.0).max(axis=1)  # (N, C)
    low = np.where(np.isnan(size), np.inf, size).min(axis=1)
    doubtful = np.argwhere(high > BEYOND * low)
    for window, channel in doubtful.tolist():  # rare: one look a window
        values = size[window, :, channel]
        found[window, :, channel] = values > BEYOND * np.nanmedian(values)
    return found


def flag_outliers(
    flag: NDArray[np.str_], found: NDArray[np.bool_], names: Sequence[str]
) -> NDArray[np.str_]:
    """Add `outlier:NAME` to the flags (N, T) of windows with such values of a channel."""
    hit = np.asarray(found.any(axis=1))  # (N, C)
    for channel in np.flatnonzero(hit.any(axis=0)).tolist():
        joined = join_flags(flag, f"outlier:{names[channel]}")
        flag = np.where(hit[:, channel, None], joined, flag)
    return flag


def flag_stuck(
    flag: NDArray[np.str_], past: Array, deviation: Array, *, season: int
) -> NDArray[np.str_]:
    """Add `stuck:STEPS` where the newest targets (N, L, T) have not moved for so many readings.

    That is for half a season and at least 6 readings, at another value than 0, twice as long as
    ever before in the window, and of a series that usually moves (`deviation`, (N, T)).
    """
    seen = np.isfinite(past)
    value = last_observed(past)  # (N, T)
    differs = seen & (past != value[:, None])
    length = past.shape[1]
    change = np.where(differs.any(axis=1), length - 1 - differs[:, ::-1].argmax(axis=1), -1)
    step = np.arange(length)[:, None]
    run = (seen & (step > change[:, None])).sum(axis=1)  # (N, T)
    is_same = np.zeros(past.shape, bool)
    is_same[:, 1:] = past[:, 1:] == past[:, :-1]
    begin = np.maximum.accumulate(np.where(is_same, -1, step), axis=1)
    before = np.where(seen & (step <= change[:, None]), step - begin + 1, 0).max(axis=1)
    moves = deviation > 1e-6 * np.abs(value)
    is_long = (run >= max(LEAST_RUN, season // 2)) & (run >= 2 * before)
    stuck = is_long & moves & (value != 0)
    for window, target in np.argwhere(stuck).tolist():  # few, or nothing works
        flag = flag.astype(object)
        text = f"stuck:{run[window, target]}"
        flag[window, target] = ";".join(filter(None, (flag[window, target], text)))
    return flag.astype(str)
