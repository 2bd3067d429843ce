"""Reads the time columns of a pandas frame as instants, by the same rules as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from forecast.data.chunk import MISSING_TIME, Chunk, SeriesIds
from forecast.data.tables.local_clock import LocalClock
from forecast.data.tables.repeated_hours import RepeatedHours
from forecast.data.tables.timestamps import Stamps, to_stamps
from forecast.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd
    from numpy.typing import NDArray

    from forecast.data.grid import Grid


class FrameTimes:
    """Reads times as tables do: stamps without an offset are local to the grid's zone."""

    def __init__(self, grid: Grid) -> None:
        self._timezone = grid.timezone
        self._clock = LocalClock(grid.timezone, in_days=grid.in_days)

    def of(self, column: pd.Series) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return epoch nanoseconds UTC (`MISSING_TIME` where none) and which times come twice.

        Raises
        ------
        DataError
            When something is not a time, or a local time that the zone leaves out.
        """
        stamps = self._stamps(column)
        utc, repeated, skipped = self._clock.to_utc(stamps.ns)
        is_local = ~stamps.is_utc & ~stamps.empty
        what = f"is a local time that {self._timezone} leaves out (clocks go forward)"
        self._refuse(column, is_local & skipped, what)
        time = np.where(stamps.is_utc, stamps.ns, utc)
        return np.where(stamps.empty, MISSING_TIME, time), is_local & repeated

    def known_at(self, column: pd.Series) -> NDArray[np.int64]:
        """Return when rows became known, of two such times the later; `MISSING_TIME` for always."""
        stamps = self._stamps(column)
        utc = LocalClock(self._timezone, "second").to_utc(stamps.ns).utc
        return np.where(stamps.empty, MISSING_TIME, np.where(stamps.is_utc, stamps.ns, utc))

    def settled(self, chunk: Chunk, names: Iterable[object]) -> Chunk:
        """Return readings with repeated local times told apart by the order of rows."""
        hours = RepeatedHours(self._clock, SeriesIds([str(name) for name in names]))
        return hours.settle(chunk, "the frame", is_last=True)

    def _stamps(self, column: pd.Series) -> Stamps:
        """Return the times of a column as they are written."""
        try:
            stamps = to_stamps([_cells(column)], None, self._timezone)
        except pa.ArrowException as error:
            raise DataError(f"column {column.name!r} holds no times ({error})") from error
        self._refuse(column, stamps.bad, "is not an ISO 8601 time (2013-01-31T06:00:00Z)")
        return stamps

    @staticmethod
    def _refuse(column: pd.Series, bad: NDArray[np.bool_], what: str) -> None:
        """Refuse the rows of a mask."""
        if bad.any():
            row = int(np.argmax(bad))
            raise DataError(
                f"column {column.name!r}: {str(column.iloc[row])!r} in row {row} {what}; "
                f"{int(bad.sum()):,} such rows; write times with an offset"
            )


def _cells(column: pd.Series) -> pa.Array:
    """Return a column as an Arrow array: times as times, objects as the text of each."""
    zone = getattr(column.dtype, "tz", None)
    if zone is not None:
        naive = pa.array(column.dt.tz_convert(None).to_numpy(), from_pandas=True)
        return naive.cast(pa.timestamp(naive.type.unit, "UTC"))
    if column.dtype.kind == "M":
        return pa.array(column.to_numpy(), from_pandas=True)
    is_object = column.dtype == object
    return pa.array(column.astype("string") if is_object else column, from_pandas=True)
