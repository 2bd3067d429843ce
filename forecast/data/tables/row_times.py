"""Times of rows in UTC, and the rows whose times are wrong."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from forecast.config.data import Data
from forecast.data.chunk import MISSING_TIME
from forecast.data.tables.faults import Site
from forecast.data.tables.local_clock import LocalClock
from forecast.data.tables.reading_state import ReadingState
from forecast.data.tables.time_hints import time_hint
from forecast.data.tables.timestamps import Stamps, joined, to_stamps

Bools = NDArray[np.bool_]
SAMPLE = 1000  # cells that a hint must fit


class RowTimes(NamedTuple):
    """Times of rows, UTC: rows without one, rows whose time cannot be used, times that come twice.

    `repeated` is None where the order of rows is not asked which pass a repeated time belongs to.
    """

    utc: NDArray[np.int64]
    empty: Bools
    bad: Bools
    repeated: Bools | None


class Instants:
    """Turns the time columns of one table into UTC nanoseconds."""

    def __init__(self, data: Data, state: ReadingState) -> None:
        self._data = data
        self._state = state
        self._late_clock = LocalClock(data.timezone, "second")

    def stamps(self, columns: dict[str, pa.Array]) -> Stamps:
        """Return the times of the rows as they are written."""
        data = self._data
        cells = [columns[name] for name in data.timestamp]
        return to_stamps(cells, data.timestamp_format, data.timezone)

    def of(self, columns: dict[str, pa.Array], site: Site) -> RowTimes:
        """Return the time of each row and the rows that have none."""
        cells = [columns[name] for name in self._data.timestamp]
        stamps = self.stamps(columns)
        self._refuse_bad(stamps.bad, cells, self._data.timestamp, site)
        self._state.notes.bad_time.add_rows(stamps.bad, site.place)
        utc, repeated = self._to_utc(stamps, cells[0], site)
        return RowTimes(utc, stamps.empty, stamps.bad, repeated)

    def available_at(self, columns: dict[str, pa.Array], site: Site) -> NDArray[np.int64] | None:
        """Return when each row became known; a row without a time was always known.

        Written as `timestamp_format` says, or as ISO 8601. Of a local time that comes twice the
        second is meant: what is known too late leaks nothing.
        """
        name, data = self._data.available_at, self._data
        if name is None:
            return None
        stamps = to_stamps([columns[name]], data.timestamp_format, data.timezone)
        if stamps.bad.any() and data.timestamp_format is not None:
            plain = to_stamps([columns[name]], None, data.timezone)
            chosen = [
                np.where(stamps.bad, theirs, mine)
                for mine, theirs in zip(stamps, plain, strict=True)
            ]
            stamps = Stamps(*chosen)
        self._refuse_bad(stamps.bad, [columns[name]], (name,), site)
        ns = self._late_clock.to_utc(stamps.ns).utc
        return np.where(stamps.empty, MISSING_TIME, np.where(stamps.is_utc, stamps.ns, ns))

    def _refuse_bad(
        self, bad: Bools, cells: list[pa.Array], names: tuple[str, ...], site: Site
    ) -> None:
        """Make a fault of texts that are not times, unless such rows are dropped."""
        if not bad.any() or self._data.bad_rows == "drop":
            return
        style = self._data.timestamp_format
        wanted = f"as {style}" if style else "as ISO 8601 (2013-01-31 06:00:00)"
        first = int(np.argmax(bad))
        some = pa.array(np.flatnonzero(bad)[:SAMPLE])
        texts = joined([_shown(cell.take(some)) for cell in cells]).to_pylist()
        site.fault_at(
            first,
            texts[0],
            int(np.count_nonzero(bad)),
            f"no time {wanted} in {', '.join(map(repr, names))}",
            f"{time_hint(texts)}, mend the rows, or set data.bad_rows: drop to leave them out",
        )

    def _to_utc(
        self, stamps: Stamps, cells: pa.Array, site: Site
    ) -> tuple[NDArray[np.int64], Bools | None]:
        """Return UTC nanoseconds; local times that a clock change repeats or skips are counted."""
        unusable = stamps.empty | stamps.bad
        self._state.notes.naive.add_rows(~stamps.is_utc & ~unusable, site.place)
        if (stamps.is_utc | unusable).all() or self._data.timezone == "UTC":
            return stamps.ns, None
        utc, repeated, skipped = self._state.clock.to_utc(stamps.ns)
        is_local = ~stamps.is_utc & ~unusable
        repeated, skipped = repeated & is_local, skipped & is_local
        self._state.notes.repeated.add_rows(repeated, site.place)
        self._state.notes.skipped.add_rows(skipped, site.place)
        zone = self._data.timezone
        if self._data.ambiguous == "refuse":
            site.fault(
                cells,
                repeated,
                f"a local time that {zone} has twice (clocks go back)",
                "set data.ambiguous: order, first or second, or use stamps with an offset",
            )
        if self._data.skipped == "refuse":
            site.fault(
                cells,
                skipped,
                f"a local time that {zone} leaves out (clocks go forward)",
                "set data.timezone to the zone of the stamps (UTC or a fixed one such as "
                "Etc/GMT-1 where the logger keeps winter time), or data.skipped: shift",
            )
        utc = np.where(stamps.is_utc, stamps.ns, utc)
        by_order = self._data.ambiguous == "order" and repeated.any()
        return utc, repeated if by_order else None


def _shown(cells: pa.Array) -> pa.Array:
    """Return cells of any type as text."""
    return pa.array(["" if cell is None else str(cell) for cell in cells.to_pylist()])
