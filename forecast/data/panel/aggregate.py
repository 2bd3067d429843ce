"""Aggregates the readings of one step into one cell of the panel, by each channel's rule.

R readings, C channels, G groups. Nothing here loops over readings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_DEGREES = np.pi / 180.0


class Readings(NamedTuple):
    """Readings by panel row.

    Parameters
    ----------
    row : (R,) int64
        Row of the panel whose cell holds the reading.
    time : (R,) int64
        Epoch nanoseconds UTC.
    values : (R, C) float32
    available_at : (R,) int64, optional
        When each became known.
    table : (R,) int8, optional
        Number of the table each is from, where there are several.
    """

    row: NDArray[np.int64]
    time: NDArray[np.int64]
    values: NDArray[np.float32]
    available_at: NDArray[np.int64] | None = None
    table: NDArray[np.int8] | None = None

    def take(self, which: NDArray[np.int64] | NDArray[np.bool_]) -> Readings:
        """Select readings by position or mask."""
        known = None if self.available_at is None else self.available_at[which]
        table = None if self.table is None else self.table[which]
        return Readings(self.row[which], self.time[which], self.values[which], known, table)


class Cells(NamedTuple):
    """Cells in order of row: (G,) rows, (G, C) values."""

    row: NDArray[np.int64]
    values: NDArray[np.float32]


class Conflict(NamedTuple):
    """Instants of a series with values that differ: how many, and the first."""

    cases: int
    row: int
    time: int


def by_row_and_time(readings: Readings) -> Readings:
    """Sort by row, then time; readings of one instant stay in the order of the source."""
    step = np.diff(readings.row)
    if bool(((step > 0) | ((step == 0) & (np.diff(readings.time) >= 0))).all()):
        return readings
    return readings.take(np.lexsort((readings.time, readings.row)))


def first_conflict(readings: Readings) -> Conflict | None:
    """Find sorted readings of one instant that observe different values."""
    is_new = _differs_from_previous(readings.row) | _differs_from_previous(readings.time)
    if is_new.all():
        return None
    crowded = ~is_new | ~np.append(is_new[1:], True)
    row, time = readings.row[crowded], readings.time[crowded]
    first = np.flatnonzero(_differs_from_previous(row) | _differs_from_previous(time))
    values = readings.values[crowded]
    low, high = (end.reduceat(values, first, axis=0) for end in (np.fmin, np.fmax))
    differs = ((low != high) & ~np.isnan(low)).any(axis=1)
    if not differs.any():
        return None
    place = first[int(np.argmax(differs))]
    return Conflict(int(differs.sum()), int(row[place]), int(time[place]))


def to_cells(readings: Readings, rules: Sequence[str], duplicates: str) -> Cells:
    """One cell per row from sorted readings: first by instant, then by step.

    Parameters
    ----------
    rules
        Aggregation rule of each channel.
    duplicates
        Rule for readings of the same instant; `error` is left to `first_conflict`.
    """
    row, time, values = readings.row, readings.time, readings.values
    is_new_row = _differs_from_previous(row)
    if is_new_row.all():
        return Cells(row, values)
    crowded = ~is_new_row | ~np.append(is_new_row[1:], True)
    alone = Cells(row[~crowded], values[~crowded])
    row, time, values = row[crowded], time[crowded], values[crowded]
    instants = np.flatnonzero(_differs_from_previous(row) | _differs_from_previous(time))
    if len(instants) < len(row):
        same = "last" if duplicates == "error" else duplicates
        values = reduce_groups(values, instants, [same] * values.shape[1])
        row = row[instants]
    steps = np.flatnonzero(_differs_from_previous(row))
    if len(steps) < len(row):
        values = reduce_groups(values, steps, rules)
        row = row[steps]
    merged = np.concatenate([alone.row, row])
    order = np.argsort(merged, kind="stable")
    return Cells(merged[order], np.concatenate([alone.values, values])[order])


def kept_by_table(readings: Readings) -> NDArray[np.int64]:
    """Count the cells (with vintages, their versions) that hold readings of each table.

    Readings of two tables that meet in one cell are kept both: they fill other columns, or the
    same one, of which one value is left.
    """
    assert readings.table is not None
    known = readings.time if readings.available_at is None else readings.available_at
    order = np.lexsort((known, readings.row, readings.table))
    row, table, known = readings.row[order], readings.table[order], known[order]
    is_new = _differs_from_previous(row) | _differs_from_previous(table)
    if readings.available_at is not None:
        is_new |= _differs_from_previous(known)
    return np.bincount(table[is_new])


def reduce_groups(
    values: NDArray[np.float32], first: NDArray[np.int64], rules: Sequence[str]
) -> NDArray[np.float32]:
    """Reduce consecutive groups, which begin at `first`, by each channel's rule: (G, C).

    Missing values take no part; a group without any stays missing.
    """
    result = np.empty((len(first), values.shape[1]), dtype=np.float32)
    for channel, rule in enumerate(rules):
        column = values[:, channel].astype(np.float64)
        result[:, channel] = _reduce(column, first, rule)
    return result


def _reduce(x: NDArray[np.float64], first: NDArray[np.int64], rule: str) -> NDArray[np.float64]:
    seen = ~np.isnan(x)
    if rule == "min":
        return np.fmin.reduceat(x, first)
    if rule == "max":
        return np.fmax.reduceat(x, first)
    if rule in {"first", "last"}:
        return _pick(x, seen, first, rule)
    count = np.add.reduceat(seen.astype(np.int64), first)
    if rule == "circular_mean":
        sine = np.add.reduceat(np.where(seen, np.sin(x * _DEGREES), 0.0), first)
        cosine = np.add.reduceat(np.where(seen, np.cos(x * _DEGREES), 0.0), first)
        angle = np.arctan2(sine, cosine) / _DEGREES % 360.0
        is_defined = np.hypot(sine, cosine) > 1e-9 * count  # opposite winds have no mean
        return np.where(is_defined, angle, np.nan)
    total = np.add.reduceat(np.where(seen, x, 0.0), first)
    total[count == 0] = np.nan
    return total if rule == "sum" else total / np.maximum(count, 1)


def _pick(
    x: NDArray[np.float64], seen: NDArray[np.bool_], first: NDArray[np.int64], rule: str
) -> NDArray[np.float64]:
    place = np.arange(len(x))
    if rule == "last":
        found = np.maximum.reduceat(np.where(seen, place, -1), first)
        return np.where(found >= 0, x[found], np.nan)
    found = np.minimum.reduceat(np.where(seen, place, len(x)), first)
    return np.where(found < len(x), x[np.minimum(found, len(x) - 1)], np.nan)


def _differs_from_previous(key: NDArray[np.int64] | NDArray[np.int8]) -> NDArray[np.bool_]:
    is_new = np.ones(len(key), dtype=bool)
    is_new[1:] = key[1:] != key[:-1]
    return is_new
