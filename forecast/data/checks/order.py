"""Follows the order of rows: steps, gaps, duplicates, rows out of order."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from forecast.data.checks.finding import stamp
from forecast.data.chunk import MISSING_TIME, SeriesIds
from forecast.data.grid import DAY_NS, Grid, first_day, month_of

MOST_STEPS = 4096
MOST_GAPS = 100_000
Ints = NDArray[np.int64]


@dataclass
class Sightings:
    """How often something was seen, in which series, and its first occurrence."""

    count: int = 0
    first: str = ""
    series: set[int] = field(default_factory=set)

    def add(
        self, mask: NDArray[np.bool_], series: NDArray[np.int32], time: Ints, ids: SeriesIds
    ) -> None:
        """Count the rows of a mask."""
        rows = np.flatnonzero(mask)
        if not len(rows):
            return
        if not self.count:
            self.first = place(ids, int(series[rows[0]]), int(time[rows[0]]))
        self.count += len(rows)
        self.series.update(np.unique(series[rows]).tolist())


@dataclass
class Gaps:
    """Steps of the grid without a row, between rows of one series."""

    count: int = 0
    steps: int = 0
    longest: int = 0
    first: str = ""
    longest_first: str = ""
    series: set[int] = field(default_factory=set)
    before: list[Ints] = field(default_factory=list)
    after: list[Ints] = field(default_factory=list)


def place(ids: SeriesIds, series: int, time: int) -> str:
    """Return a series and an instant in words."""
    name = ids.names[series]
    return f"{name} {stamp(time)}" if len(ids) > 1 else stamp(time)


class RowOrder:
    """Follows the rows of each series through the chunks.

    Parameters
    ----------
    grid
        The grid of the panel, in whose steps gaps are counted.
    ids
        The ids of the series, for messages.
    """

    def __init__(self, grid: Grid, ids: SeriesIds) -> None:
        self.grid = grid
        self.ids = ids
        self.rows = 0
        self.backwards = Sightings()
        self.equal = Sightings()
        self.conflicting = Sightings()
        self.gaps = Gaps()
        self.steps: dict[int, int] = {}
        self.off_grid = Sightings()
        self.is_at_month_ends = True
        self._last_time = np.empty(0, np.int64)
        self._last_digest = np.empty(0, np.uint64)

    def add(self, series: NDArray[np.int32], time: Ints, digest: NDArray[np.uint64]) -> None:
        """Follow the next rows; `digest` is a hash of each row's values."""
        if not len(series):
            return
        self.rows += len(series)
        day = self.grid.local(time[:1]) // DAY_NS
        self.is_at_month_ends &= bool(first_day(month_of(day) + 1)[0] == day[0] + 1)
        self._grow()
        if (series[1:] < series[:-1]).any():
            order = np.argsort(series, kind="stable")
            series, time, digest = series[order], time[order], digest[order]
        opens = np.flatnonzero(np.append(True, series[1:] != series[:-1]))
        before = np.empty_like(time)
        before[1:] = time[:-1]
        before[opens] = self._last_time[series[opens]]
        earlier = np.empty_like(digest)
        earlier[1:] = digest[:-1]
        earlier[opens] = self._last_digest[series[opens]]
        closes = np.append(opens[1:], len(series)) - 1
        self._last_time[series[closes]] = time[closes]
        self._last_digest[series[closes]] = digest[closes]
        follows = before != MISSING_TIME
        before = np.where(follows, before, time)
        self._note_steps(series, time, before)
        same = follows & (time == before)
        self.equal.add(same & (digest == earlier), series, time, self.ids)
        self.conflicting.add(same & (digest != earlier), series, time, self.ids)

    def _grow(self) -> None:
        """Allocate room for new series."""
        fresh = len(self.ids) - len(self._last_time)
        if fresh > 0:
            times = np.full(fresh, MISSING_TIME, np.int64)
            self._last_time = np.concatenate([self._last_time, times])
            self._last_digest = np.concatenate([self._last_digest, np.zeros(fresh, np.uint64)])

    def _note_steps(self, series: NDArray[np.int32], time: Ints, before: Ints) -> None:
        """Count the distances between rows, and the gaps on the grid."""
        self.backwards.add(time < before, series, time, self.ids)
        step = time - before
        lengths, counts = np.unique(step[step > 0], return_counts=True)
        for length, count in zip(lengths.tolist(), counts.tolist(), strict=True):
            if length in self.steps or len(self.steps) < MOST_STEPS:
                self.steps[length] = self.steps.get(length, 0) + count
        cell = self.grid.index(time)
        self.off_grid.add(self.grid.time(cell) != time, series, time, self.ids)
        missing = cell - self.grid.index(before) - 1
        rows = np.flatnonzero(missing > 0)
        if len(rows):
            self._note_gaps(series[rows], time[rows], before[rows], missing[rows])

    def _note_gaps(
        self, series: NDArray[np.int32], time: Ints, before: Ints, missing: Ints
    ) -> None:
        """Count gaps that end at these rows."""
        gaps = self.gaps
        after = self.grid.time(self.grid.index(before) + 1)
        if not gaps.count:
            gaps.first = place(self.ids, int(series[0]), int(after[0]))
        worst = int(np.argmax(missing))
        if missing[worst] > gaps.longest:
            gaps.longest = int(missing[worst])
            gaps.longest_first = place(self.ids, int(series[worst]), int(after[worst]))
        if gaps.count < MOST_GAPS:
            gaps.before.append(before)
            gaps.after.append(time)
        gaps.count += len(missing)
        gaps.steps += int(missing.sum())
        gaps.series.update(np.unique(series).tolist())


def digest_rows(values: NDArray[np.floating]) -> NDArray[np.uint64]:
    """Return a hash of the values (rows, channels) of each row; NaN equals NaN."""
    bits = np.asarray(values, dtype=np.float64).view(np.uint64)
    digest = np.zeros(len(values), dtype=np.uint64)
    for column in range(values.shape[1]):
        plain = np.where(np.isnan(values[:, column]), np.uint64(1), bits[:, column])
        digest = (digest ^ plain) * np.uint64(0x9E3779B97F4A7C15)
        digest ^= digest >> np.uint64(29)
    return digest
