"""Times far from all others (1970, 2036, 9999-12-31), told from a count of readings by day."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forecast.data.grid import DAY_NS

if TYPE_CHECKING:
    from numpy.typing import NDArray

FAR_DAYS = 730
"""A gap is far from two years on, and from ten times the usual distance between days."""
FAR_FACTOR = 10
MOST = 5
MOST_SHARE = 0.001
"""Readings beyond such a gap are stray where they are no more than this."""
_FIRST_DAY = -98_700  # 1699; times are moved into 1700 to 2250
_DAYS = 201_200


class Days:
    """Counts the readings of each day, all series together."""

    def __init__(self) -> None:
        self._counts = np.zeros(_DAYS, dtype=np.int64)
        self._first, self._last = _DAYS, -_DAYS  # days since 1970

    def add(self, time_ns: NDArray[np.int64]) -> None:
        """Count some UTC instants."""
        if not len(time_ns):
            return
        first, last = int(time_ns.min()) // DAY_NS, int(time_ns.max()) // DAY_NS
        self._first, self._last = min(self._first, first), max(self._last, last)
        if first == last:
            self._counts[first - _FIRST_DAY] += len(time_ns)
            return
        counts = np.bincount(time_ns // DAY_NS - first)
        self._counts[first - _FIRST_DAY : last + 1 - _FIRST_DAY] += counts

    @property
    def is_wide(self) -> bool:
        """Whether two readings lie further apart than stray ones have to."""
        return self._last - self._first > FAR_DAYS

    def kept(self, step_ns: int) -> tuple[int, int] | None:
        """Return between which instants all readings lie but stray ones; None where none is stray.

        Stray readings lie at the ends, few of them, behind a far gap. Where they are many (a
        sensor that comes back after years) or lie between others, they are none.
        """
        if not self.is_wide:
            return None
        days = np.flatnonzero(self._counts)
        gaps = np.diff(days)
        usual = float(np.median(gaps)) if len(gaps) > 2 else step_ns / DAY_NS
        far = np.flatnonzero(gaps > max(FAR_DAYS, FAR_FACTOR * usual))
        if not len(far):
            return None
        begin = np.append(0, far + 1)
        size = np.add.reduceat(self._counts[days], begin)
        total = int(size.sum())
        many = np.flatnonzero(size > min(max(MOST, MOST_SHARE * total), total / 10))
        if not len(many) or (many[0] == 0 and many[-1] == len(begin) - 1):
            return None
        first = days[begin[many[0]]]
        last = days[np.append(begin[1:], len(days))[many[-1]] - 1]
        return int(first + _FIRST_DAY) * DAY_NS, int(last + 1 + _FIRST_DAY) * DAY_NS - 1

    def count_outside(self, kept: tuple[int, int]) -> int:
        """Count the readings before and after two instants, by whole days."""
        first, last = (instant // DAY_NS - _FIRST_DAY for instant in kept)
        return int(self._counts[:first].sum() + self._counts[last + 1 :].sum())
