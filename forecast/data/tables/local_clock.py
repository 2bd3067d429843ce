"""Local clock times to UTC, with the repeated and the skipped hour told apart; parses no text."""

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

QUARTER_NS = 6 * 3600 * 10**9
"""No zone changes its offset twice within this."""


@dataclass
class _Pass:
    """Where one series stands in a repeated hour."""

    last: int
    is_second: bool
    seen: set[int] = field(default_factory=set)


class LocalClock:
    """Turns naive stamps of one zone into UTC, chunk after chunk in order of rows.

    A repeated hour by order of rows: a series enters its second pass where its clock steps back
    or shows the same time again.
    """

    def __init__(self, timezone: str, ambiguous: str = "order") -> None:
        self.timezone = timezone
        self.ambiguous = ambiguous
        self._passes: dict[int, _Pass] = {}

    def to_utc(
        self, local: NDArray[np.int64], series: NDArray[np.int32] | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
        """Return UTC nanoseconds, a mask of repeated and a mask of skipped local times.

        Parameters
        ----------
        local
            Clock times as nanoseconds since 1970, as if they were UTC.
        series
            Number of the series of each row; None where all rows are one series.
        """
        repeated, skipped = np.zeros(len(local), dtype=bool), np.zeros(len(local), dtype=bool)
        if self.timezone == "UTC" or not len(local):
            return local, repeated, skipped
        utc, near = self._away_from_changes(local)
        if len(near):
            ids = np.zeros(len(near), np.int32) if series is None else series[near]
            utc[near], repeated[near], skipped[near] = self._near_changes(local[near], ids)
        return utc, repeated, skipped

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

    def _near_changes(
        self, local: NDArray[np.int64], series: NDArray[np.int32]
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
        """Return UTC and which times are repeated or skipped, looked up one by one."""
        early, late = self._assume(local, "earliest"), self._assume(local, "latest")
        apart = late - early
        skipped, repeated = apart == 1, apart > 1
        utc = early.copy()
        if skipped.any():
            before = self._to_local(early[skipped]) - early[skipped]
            utc[skipped] = local[skipped] - before
        if repeated.any():
            rows = np.flatnonzero(repeated)
            second = self._second(local[rows], series[rows])
            utc[rows] = np.where(second, late[rows], early[rows])
        return utc, repeated, skipped

    def _assume(self, local: NDArray[np.int64], which: str) -> NDArray[np.int64]:
        """Return UTC for clock times, one of the two candidates where there are two."""
        stamps = pa.array(local).cast(pa.timestamp("ns"))
        there = pc.assume_timezone(stamps, self.timezone, ambiguous=which, nonexistent=which)
        return np.asarray(there.cast(pa.int64()))

    def _to_local(self, utc: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the clock times of instants."""
        there = pa.array(utc).cast(pa.timestamp("ns", self.timezone))
        return np.asarray(pc.local_timestamp(there).cast(pa.int64()))

    def _second(self, local: NDArray[np.int64], series: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Return which repeated times belong to the second pass; few rows, one after another."""
        if self.ambiguous in ("first", "second"):
            return np.full(len(local), self.ambiguous == "second")
        second = np.zeros(len(local), dtype=bool)
        day = 86_400_000_000_000
        for row, (time, one) in enumerate(zip(local.tolist(), series.tolist(), strict=True)):
            now = self._passes.get(one)
            if now is None or abs(time - now.last) > day:
                now = self._passes[one] = _Pass(last=time, is_second=False)
            elif time < now.last or time in now.seen:
                now.is_second = True
            now.last = time
            now.seen.add(time)
            second[row] = now.is_second
        return second
