"""Versions of cells, from `available_at`: one row per time at which a cell's known value changed.

A version of a cell (one step of one series) holds all its channels as known from then on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from forecast.data.panel.aggregate import Readings, reduce_groups

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


class Versions(NamedTuple):
    """Versions in order of row, then of the time they became known: (V,), (V,), (V, C)."""

    row: NDArray[np.int64]
    available_at: NDArray[np.int64]
    values: NDArray[np.float32]


def to_versions(readings: Readings, rules: Sequence[str]) -> Versions:
    """Return the state of each cell whenever its known values changed.

    At any time, each instant counts with its newest known values, channel by channel; the instants
    of a step are then aggregated by the rules.
    """
    assert readings.available_at is not None
    readings = readings.take(np.lexsort((readings.available_at, readings.row)))
    row, known = readings.row, readings.available_at
    assert known is not None
    is_last = np.append((row[1:] != row[:-1]) | (known[1:] != known[:-1]), True)
    begin = _group_begin(row)
    simple = _has_one_instant(readings.time, begin)
    values = np.empty((int(is_last.sum()), readings.values.shape[1]), dtype=np.float32)
    where = np.cumsum(is_last) - 1
    easy = is_last & simple
    values[where[easy]] = _carried_forward(readings.values, begin)[easy]
    hard = np.flatnonzero(is_last & ~simple)
    if len(hard):
        values[where[hard]] = _states(readings, begin, hard, rules)
    return Versions(row[is_last], known[is_last], values)


def _group_begin(row: NDArray[np.int64]) -> NDArray[np.int64]:
    """Position of the first reading of each reading's cell."""
    first = np.append(True, row[1:] != row[:-1])
    return np.maximum.accumulate(np.where(first, np.arange(len(row)), 0))


def _has_one_instant(time: NDArray[np.int64], begin: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether all readings of each reading's cell have one timestamp."""
    other = time != time[begin]
    count = np.bincount(begin, other, minlength=len(time))
    result: NDArray[np.bool_] = count[begin] == 0
    return result


def _carried_forward(values: NDArray[np.float32], begin: NDArray[np.int64]) -> NDArray[np.float32]:
    """Newest observed value of each channel within the cell, up to each reading."""
    place = np.arange(len(values))
    result = np.empty_like(values)
    for channel in range(values.shape[1]):
        column = values[:, channel]
        newest = np.maximum.accumulate(np.where(np.isnan(column), -1, place))
        is_inside = newest >= begin
        result[:, channel] = np.where(is_inside, column[np.maximum(newest, 0)], np.nan)
    return result


def _states(
    readings: Readings, begin: NDArray[np.int64], ends: NDArray[np.int64], rules: Sequence[str]
) -> NDArray[np.float32]:
    """State of a cell with several instants after each of the readings at `ends`."""
    result = np.empty((len(ends), readings.values.shape[1]), dtype=np.float32)
    count = ends + 1 - begin[ends]
    budget = np.cumsum(count) // (1 << 20)  # so many pairs at a time
    for part in np.split(np.arange(len(ends)), np.flatnonzero(np.diff(budget)) + 1):
        number = count[part]
        state = np.repeat(part, number)
        within = np.arange(int(number.sum())) - np.repeat(np.cumsum(number) - number, number)
        reading = np.repeat(begin[ends[part]], number) + within
        order = np.lexsort((reading, readings.time[reading], state))
        state, reading = state[order], reading[order]
        time, values = readings.time[reading], readings.values[reading]
        is_new = np.append(True, (state[1:] != state[:-1]) | (time[1:] != time[:-1]))
        instants = np.flatnonzero(is_new)
        values = reduce_groups(values, instants, ["last"] * values.shape[1])
        state = state[instants]
        cells = np.flatnonzero(np.append(True, state[1:] != state[:-1]))
        result[part] = reduce_groups(values, cells, rules)
    return result
