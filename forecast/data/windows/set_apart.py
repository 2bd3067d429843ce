"""Stretches of train, spread over its time, that choose beside dev; gathers no values.

A dev part of a few horizons is one spell of weather: which epoch is best there says little of the
next. Where train is long, some short stretches of it are kept from the weights as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from forecast.data.windows.windows import WindowIndex

if TYPE_CHECKING:
    from forecast.data.panel import Panel

MOST, LEAST = 8, 3  # stretches; fewer are not worth the windows they cost
SHARE = 0.1  # of the time of train that they may cost


class SetApart(NamedTuple):
    """Windows of train, and those set apart from it."""

    train: WindowIndex
    held: WindowIndex


def set_apart(panel: Panel, train: WindowIndex, *, horizon: int, season: int) -> SetApart:
    """Divide windows so that none that is kept shares a target step with one set apart.

    A stretch is the longer of two horizons and two seasons; none are taken where three would cost
    more than a tenth of the time.
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
    behind = np.where(place >= 0, starts[place] + length, begin)  # end of the stretch at or before
    ahead = np.append(starts, stop + horizon)[place + 1]  # start of the next one
    is_held = first + horizon <= behind
    return SetApart(
        _only(train, (first >= behind) & (first + horizon <= ahead)), _only(train, is_held)
    )


def _only(index: WindowIndex, chosen: np.ndarray) -> WindowIndex:
    return WindowIndex(index.series[chosen], index.cutoff[chosen])
