"""Blocks of train, spread over its time, that help dev to choose the epoch.

A dev part of a few horizons is one spell of weather, and the epoch that is best there may not be
best in the next. If train is long, some short blocks of it are therefore held out as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from forecast.data.windows.window_index import WindowIndex

if TYPE_CHECKING:
    from forecast.data.panel import Panel

MOST, LEAST = 8, 3  # number of blocks; fewer are not worth the windows they cost
SHARE = 0.1  # largest share of the time of train that the blocks may cost


class SetApart(NamedTuple):
    """Windows to train on, and windows held out from train."""

    train: WindowIndex
    held: WindowIndex


def set_apart(panel: Panel, train: WindowIndex, *, horizon: int, season: int) -> SetApart:
    """Divide windows so that no window to train on shares a target step with one held out.

    A block lasts for two horizons or two seasons, whichever is longer. There are none if three of
    them would cost more than a tenth of the time.
    """
    first = panel.start[train.series] + train.cutoff  # of each window's target steps
    begin, stop = int(first.min()), int(first.max()) + horizon
    length = max(2 * horizon, 2 * season)
    count = min(MOST, int(SHARE * (stop - begin) / (length + horizon)))
    if count < LEAST:
        return SetApart(train, _only(train, np.zeros(len(first), bool)))
    each = (stop - begin) / count
    starts = (begin + each * np.arange(count) + (each - length) / 2).astype(np.int64)
    place = np.searchsorted(starts, first, side="right") - 1
    behind = np.where(place >= 0, starts[place] + length, begin)  # end of the block at or before
    ahead = np.append(starts, stop + horizon)[place + 1]  # start of the next one
    is_held = first + horizon <= behind
    return SetApart(
        _only(train, (first >= behind) & (first + horizon <= ahead)), _only(train, is_held)
    )


def _only(index: WindowIndex, chosen: np.ndarray) -> WindowIndex:
    return WindowIndex(index.series[chosen], index.cutoff[chosen])
