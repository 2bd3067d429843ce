"""Times of the rows of a piece in UTC, their faults named; knows no file format."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from forecast.config.data import Data
from forecast.data.chunk import MISSING_TIME
from forecast.data.tables.faults import Site
from forecast.data.tables.local_clock import LocalClock
from forecast.data.tables.reading_state import ReadingState
from forecast.data.tables.timestamps import Stamps, joined, to_stamps

Bools = NDArray[np.bool_]


class Refused(NamedTuple):
    """Rows without a time, and rows whose time cannot be used."""

    empty: Bools
    bad: Bools


class Instants:
    """Turns the time columns of one table into UTC nanoseconds."""

    def __init__(self, data: Data, state: ReadingState) -> None:
        self._data = data
        self._state = state

    def of(
        self,
        columns: dict[str, pa.Array],
        series: NDArray[np.int32],
        site: Site,
    ) -> tuple[NDArray[np.int64], Refused]:
        """Return the time of each row and the rows that have none."""
        cells = [columns[name] for name in self._data.timestamp]
        stamps = self._parse(cells, self._data.timestamp, site)
        self._state.notes.bad_time.add_rows(stamps.bad, site.place)
        return self._to_utc(stamps, cells[0], series, site), Refused(stamps.empty, stamps.bad)

    def available_at(self, columns: dict[str, pa.Array], site: Site) -> NDArray[np.int64] | None:
        """Return when each row became known; a row without a time was always known."""
        name = self._data.available_at
        if name is None:
            return None
        stamps = self._parse([columns[name]], (name,), site)
        clock = LocalClock(self._data.timezone, "first")
        ns, _, _ = clock.to_utc(stamps.ns)
        return np.where(stamps.empty, MISSING_TIME, np.where(stamps.is_utc, stamps.ns, ns))

    def _parse(self, cells: list[pa.Array], names: tuple[str, ...], site: Site) -> Stamps:
        """Return parsed times; what is no time becomes a fault unless such rows are dropped."""
        style = self._data.timestamp_format
        stamps = to_stamps(cells, style)
        if stamps.bad.any() and (self._data.bad_rows == "refuse"):
            wanted = f"as {style}" if style else "as ISO 8601 (2013-01-31 06:00:00)"
            what = f"no time {wanted} in {', '.join(map(repr, names))}"
            remedy = (
                "set data.timestamp_format (such as %d/%m/%Y %H:%M or epoch_s), "
                "mend the rows, or set data.bad_rows: drop to leave them out"
            )
            texts = [cell.cast(pa.string()).fill_null("") for cell in cells]
            site.fault(joined(texts), stamps.bad, what, remedy)
        return stamps

    def _to_utc(
        self,
        stamps: Stamps,
        cells: pa.Array,
        series: NDArray[np.int32],
        site: Site,
    ) -> NDArray[np.int64]:
        """Return UTC nanoseconds; local times that a clock change repeats or skips are counted."""
        unusable = stamps.empty | stamps.bad
        self._state.notes.naive.add_rows(~stamps.is_utc & ~unusable, site.place)
        if (stamps.is_utc | unusable).all() or self._state.clock.timezone == "UTC":
            return stamps.ns
        utc, repeated, skipped = self._state.clock.to_utc(stamps.ns, series)
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
        return np.where(stamps.is_utc, stamps.ns, utc)
