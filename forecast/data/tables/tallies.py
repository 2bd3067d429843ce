"""Counts what the reader met on its way, each with its first place."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from forecast.data.strays import Days

MOST_FAR = 20
Place = Callable[[int], str]
"""From the position of a row in its piece to words a person finds it by."""


@dataclass
class Tally:
    """How often something was met, and where first."""

    count: int = 0
    first: str = ""

    def add(self, count: int, first: str) -> None:
        """Count more of it; the first place stays."""
        if count and not self.count:
            self.first = first
        self.count += count

    def add_rows(self, mask: NDArray[np.bool_], place: Place) -> None:
        """Count the rows of a mask."""
        count = int(np.count_nonzero(mask))
        if count:
            self.add(count, place(int(np.argmax(mask))) if not self.count else "")


@dataclass
class Notes:
    """The counts of one reading of a source.

    Parameters
    ----------
    rows
        Rows of the files, empty and refused ones included.
    empty, ragged, no_time, bad_time, no_series
        Rows left out: without any value; with too few or too many values; without a time; with a
        text that is not a time; without a series id.
    missing, marked, infinite
        Cells by column that became NaN: for any reason; as a numeric marker (by marker);
        infinite.
    grouped
        Cells by column, of the first, whose decimal mark looks like one between thousands.
    with_unit, bare
        Numbers by column that have one of `csv.units` beside them, and that have none.
    naive
        Rows whose time has no offset.
    repeated, skipped
        Rows with a local time that a clock change repeats, or leaves out.
    days
        Readings by day.
    far
        Series, instant and place of the first readings that lay far from those before them.
    repeated_alone
        Rows with a repeated local time that the series has once only, by order of rows.
    excluded, clipped
        Rows left out by the config; cells by column that were cut to a range.
    static_changes
        Rows by static column that contradict the series' first value.
    """

    rows: int = 0
    empty: Tally = field(default_factory=Tally)
    ragged: Tally = field(default_factory=Tally)
    no_time: Tally = field(default_factory=Tally)
    bad_time: Tally = field(default_factory=Tally)
    no_series: Tally = field(default_factory=Tally)
    naive: Tally = field(default_factory=Tally)
    repeated: Tally = field(default_factory=Tally)
    skipped: Tally = field(default_factory=Tally)
    repeated_alone: int = 0
    days: Days = field(default_factory=Days)
    far: list[tuple[int, int, str]] = field(default_factory=list)
    missing: dict[str, Tally] = field(default_factory=dict)
    marked: dict[tuple[str, float], Tally] = field(default_factory=dict)
    infinite: dict[str, Tally] = field(default_factory=dict)
    grouped: dict[str, Tally] = field(default_factory=dict)
    with_unit: dict[str, Tally] = field(default_factory=dict)
    bare: dict[str, Tally] = field(default_factory=dict)
    excluded: Tally = field(default_factory=Tally)
    clipped: dict[str, Tally] = field(default_factory=dict)
    static_changes: dict[str, Tally] = field(default_factory=dict)
    static_absent: Tally = field(default_factory=Tally)

    def note_times(
        self, series: NDArray[np.int32], time: NDArray[np.int64], place: Place, step_ns: int
    ) -> None:
        """Count readings by day, and remember the places of those that lie far from the others."""
        if not len(time):
            return
        self.days.add(time)
        kept = self.days.kept(step_ns)
        if kept is None or len(self.far) >= MOST_FAR:
            return
        for row in np.flatnonzero((time < kept[0]) | (time > kept[1]))[:MOST_FAR].tolist():
            self.far.append((int(series[row]), int(time[row]), place(row)))
