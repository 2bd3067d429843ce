"""Where within a step the readings lie; if always at one place, the grid is laid there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forecast.data.grid import DAY_NS, MONTH_CODE, first_day, month_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from forecast.data.grid import Grid

    Ints = NDArray[np.int64]

LEAST_SHARE = 0.9
MOST_PLACES = 4096
ENOUGH = 1000
_LAST = 32


class Places:
    """Counts the places of readings, chunk after chunk.

    A few late readings leave the place as it is: a logger that reads at seven minutes past does so
    after one reading four seconds later. One before the place would fall into the step before, so
    then the grid stays where it is.
    """

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._counts: dict[int, int] = {}
        self._total = 0
        self._has_many = False

    def add(self, time_ns: Ints) -> None:
        """Count the places of some UTC instants."""
        if self._has_many or not len(time_ns):
            return
        self._total += len(time_ns)
        places = self._places(time_ns)
        usual = max(self._counts, key=self._counts.__getitem__) if self._counts else int(places[0])
        others = places[places != usual]
        self._note(usual, len(places) - len(others))
        if len(others):
            for place, count in zip(*np.unique(others, return_counts=True), strict=True):
                self._note(int(place), int(count))
        most = max(self._counts.values())
        is_spread = self._total >= ENOUGH and 2 * most < self._total
        self._has_many = len(self._counts) > MOST_PLACES or (is_spread and not self._grid.months)

    def anchor(self) -> int:
        """Return the anchor of the grid: nanoseconds, 0 where readings have no one place."""
        if self._has_many or not self._counts:
            return 0
        return self._of_months() if self._grid.months else self._of_clock()

    def _note(self, place: int, count: int) -> None:
        if count:
            self._counts[place] = self._counts.get(place, 0) + count

    def _places(self, time_ns: Ints) -> Ints:
        """Place of each instant in its step; of months, a code of month, day and clock."""
        grid = self._grid
        clock = grid.local(time_ns) if grid.in_days else time_ns
        if grid.is_business:
            return np.mod(clock, DAY_NS)
        if not grid.months:
            place: Ints = (clock - grid.begin_ns + grid.anchor_ns) % grid.step_ns
            return place
        day = clock // DAY_NS
        month = month_of(day)
        of_month = day - first_day(month) + 1
        is_last = day + 1 == first_day(month + 1)
        code: Ints = (month % grid.months) * 64 + of_month + _LAST * is_last
        return code * DAY_NS + clock % DAY_NS

    def _of_clock(self) -> int:
        """Anchor of steps that are not months."""
        step = DAY_NS if self._grid.is_business else self._grid.step_ns
        place = max(self._counts, key=self._counts.__getitem__)
        is_rare = self._counts[place] < LEAST_SHARE * self._total
        is_early = any((other - place) % step > step // 2 for other in self._counts)
        return 0 if is_rare or is_early else place

    def _of_months(self) -> int:
        """Anchor of steps of months: the month, the day and the clock that all have in common."""
        grid, codes = self._grid, [divmod(place, DAY_NS) for place in self._counts]
        months = {code // 64 for code, _ in codes}
        month = months.pop() if len(months) == 1 else None
        shift = 0 if month is None else (month + grid.is_named_by_end) % grid.months
        days = {code % 64 for code, _ in codes}
        inner = {day for day in days if day <= _LAST - 1}
        last = {day - _LAST for day in days if day >= _LAST}
        day = 31 if not inner else max(inner)
        if len(inner) > 1 or any(newest > day for newest in last):
            day = 0  # all over the month: named by its first or last day
        clocks = {clock for _, clock in codes}
        clock = clocks.pop() if len(clocks) == 1 and day else 0
        return shift * MONTH_CODE + day * DAY_NS + clock
