"""Converts local clock times to UTC, and marks repeated and skipped ones."""

from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

QUARTER_NS = 6 * 3600 * 10**9
"""No zone changes its offset twice within this."""
DAY_NS = 4 * QUARTER_NS


class Converted(NamedTuple):
    """Clock times as instants: UTC nanoseconds; which times come twice; which a change leaves out.

    A time that comes twice is given as the first of the two, unless asked for otherwise; one that
    is left out as if the clocks had not changed yet.
    """

    utc: NDArray[np.int64]
    repeated: NDArray[np.bool_]
    skipped: NDArray[np.bool_]


class LocalClock:
    """Turns clock times of one zone into UTC.

    Parameters
    ----------
    timezone
        IANA name.
    repeated
        Which of its two instants a repeated time means.
    in_days
        Whether a midnight stands for its day: then it is the first instant of that day, neither
        repeated nor skipped where a change of clocks falls on it.
    """

    def __init__(
        self,
        timezone: str,
        repeated: Literal["first", "second"] = "first",
        *,
        in_days: bool = False,
    ) -> None:
        self.timezone = timezone
        self._repeated = repeated
        self._in_days = in_days

    def to_utc(self, local: NDArray[np.int64]) -> Converted:
        """Return the instants of clock times, given as nanoseconds since 1970 as if in UTC."""
        repeated, skipped = np.zeros(len(local), dtype=bool), np.zeros(len(local), dtype=bool)
        if self.timezone == "UTC" or not len(local):
            return Converted(local, repeated, skipped)
        utc, near = self._away_from_changes(local)
        if len(near):
            utc[near], repeated[near], skipped[near] = self._near_changes(local[near])
        return Converted(utc, repeated, skipped)

    def second(self, utc: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the second instant with the clock time of each first one."""
        return self._assume(self.to_local(utc), "latest")

    def to_local(self, utc: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the clock times of instants."""
        there = pa.array(utc).cast(pa.timestamp("ns", self.timezone))
        return np.asarray(pc.local_timestamp(there).cast(pa.int64()))

    def _away_from_changes(
        self, local: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return UTC by the offset of each quarter of a day, and the rows whose quarter has two."""
        first, last = int(local.min()) // QUARTER_NS, int(local.max()) // QUARTER_NS + 1
        if last - first > max(len(local), 1000):
            return local.copy(), np.arange(len(local))
        edges = np.arange(first, last + 1) * QUARTER_NS
        early, late = self._assume(edges, "earliest"), self._assume(edges, "latest")
        offset = edges - early
        is_plain = (offset[1:] == offset[:-1]) & (early == late)[1:] & (early == late)[:-1]
        quarter = local // QUARTER_NS - first
        near = np.empty(0, np.int64) if is_plain.all() else np.flatnonzero(~is_plain[quarter])
        return local - offset[quarter], near

    def _near_changes(self, local: NDArray[np.int64]) -> Converted:
        """Return the instants of clock times, looked up one by one."""
        early, late = self._assume(local, "earliest"), self._assume(local, "latest")
        skipped, repeated = late - early == 1, late - early > 1
        utc = np.where(repeated, late, early) if self._repeated == "second" else early.copy()
        if skipped.any():
            before = self.to_local(early[skipped]) - early[skipped]
            utc[skipped] = local[skipped] - before
        if self._in_days:
            is_day = local % DAY_NS == 0
            begins = is_day & skipped & (self.to_local(late) // DAY_NS == local // DAY_NS)
            utc = np.where(begins, late, np.where(is_day & repeated, early, utc))
            repeated, skipped = repeated & ~is_day, skipped & ~begins
        return Converted(utc, repeated, skipped)

    def _assume(
        self, local: NDArray[np.int64], which: Literal["earliest", "latest"]
    ) -> NDArray[np.int64]:
        """Return UTC for clock times, one of the two candidates where there are two."""
        stamps = pa.array(local).cast(pa.timestamp("ns"))
        there = pc.assume_timezone(stamps, self.timezone, ambiguous=which, nonexistent=which)
        return np.asarray(there.cast(pa.int64()))
