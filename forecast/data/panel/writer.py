"""Writes a panel's rows to its files, stretch by stretch, in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forecast.data.panel.aggregate import (
    Cells,
    Readings,
    by_row_and_time,
    first_conflict,
    kept_by_table,
    to_cells,
)
from forecast.data.panel.versions import Versions, to_versions
from forecast.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

    from numpy.typing import NDArray

    from forecast.data.panel.collect import Layout
    from forecast.data.panel.rules import PanelSpec
    from forecast.data.panel.spill_file import Slab


class StretchWriter:
    """Writes stretches of a panel, in order of rows, and keeps the account."""

    def __init__(
        self,
        folder: Path,
        files: dict[str, str],
        spec: PanelSpec,
        layout: Layout,
        names: list[str],
    ) -> None:
        self.folder = folder
        self.files = files
        self.spec = spec
        self.layout = layout
        self.names = names
        self.kept = 0
        self.kept_by_table = np.zeros(0, dtype=np.int64)
        self.versions: int | None = None
        self._used = np.flatnonzero(layout.length)
        self._first = layout.offset[self._used]
        self._stop = self._first + layout.length[self._used]
        self._tails: list[Readings] = []
        self._open: dict[str, BinaryIO] = {}
        values = self._file("values")
        values.truncate(layout.rows * len(spec.channels) * 4)

    def close(self) -> None:
        """Close the files."""
        for file in self._open.values():
            file.close()

    def write(self, stretch: range, slab: Slab | None) -> None:
        """Reduce one stretch to cells and write it."""
        cells = Cells(np.empty(0, np.int64), np.empty((0, len(self.spec.channels)), np.float32))
        if slab is not None:
            row = self.layout.row(slab.series, slab.time)
            readings = Readings(row, slab.time, slab.values, slab.available_at, slab.table)
            if readings.available_at is None:
                cells = self._cells(stretch, by_row_and_time(readings))
                self._count(readings, len(cells.row))
            else:
                versions = to_versions(readings, self.spec.rules)
                self._count(readings, len(versions.row))
                is_newest = np.append(versions.row[1:] != versions.row[:-1], True)
                cells = Cells(versions.row[is_newest], versions.values[is_newest])
                self._write_versions(stretch, versions)
        if slab is None and self.versions is not None:
            self._write_counts(stretch, np.zeros(len(stretch), dtype=np.int64))
        self._write_values(stretch, cells)

    def _count(self, readings: Readings, cells: int) -> None:
        """Count what was kept: cells, or where there are several tables, cells of each."""
        if readings.table is None:
            self.kept += cells
            return
        found = kept_by_table(readings)
        missing = max(0, len(found) - len(self.kept_by_table))
        self.kept_by_table = np.append(self.kept_by_table, np.zeros(missing, dtype=np.int64))
        self.kept_by_table[: len(found)] += found
        self.kept += int(found.sum())

    def _cells(self, stretch: range, readings: Readings) -> Cells:
        if self.spec.duplicates == "error" and (found := first_conflict(readings)):
            raise DataError(self._conflict_text(found.cases, found.row, found.time))
        is_last = np.zeros(len(stretch), dtype=bool)
        low, high = np.searchsorted(self._stop, [stretch.start + 1, stretch.stop + 1])
        is_last[self._stop[low:high] - 1 - stretch.start] = True
        self._tails.append(readings.take(np.flatnonzero(is_last[readings.row - stretch.start])))
        return to_cells(readings, self.spec.rules, self.spec.duplicates)

    def _conflict_text(self, count: int, row: int, time: int) -> str:
        import pandas as pd

        series = self._used[np.searchsorted(self._first, row, side="right") - 1]
        return (
            f"series {self.names[series]!r}: readings of {pd.Timestamp(time, tz='UTC')} differ "
            f"({count} such cases so far); set data.duplicates to first, last or mean"
        )

    def _write_values(self, stretch: range, cells: Cells) -> None:
        width = len(self.spec.channels)
        buffer = np.full((len(stretch), width), np.nan, dtype="<f4")
        place = cells.row - stretch.start
        if len(place) and place[-1] - place[0] + 1 == len(place):
            buffer[place[0] : place[-1] + 1] = cells.values  # no gaps: the usual case
        else:
            buffer[place] = cells.values
        file = self._file("values")
        low = int(np.searchsorted(self._stop, stretch.start, side="right"))
        high = int(np.searchsorted(self._first, stretch.stop, side="left"))
        for series in range(low, high):
            first = max(int(self._first[series]), stretch.start)
            stop = min(int(self._stop[series]), stretch.stop)
            file.seek(first * width * 4)
            file.write(buffer[first - stretch.start : stop - stretch.start].data)

    def _write_versions(self, stretch: range, versions: Versions) -> None:
        if self.versions is None:
            self.versions = 0
            self._write_indptr(np.zeros(stretch.start + 1, dtype=np.int64))
        count = np.bincount(versions.row - stretch.start, minlength=len(stretch))
        self._write_counts(stretch, count)
        self._file("available_at").write(versions.available_at.astype("<i8").data)
        self._file("versions").write(np.ascontiguousarray(versions.values, "<f4").data)

    def _write_counts(self, stretch: range, count: NDArray[np.int64]) -> None:
        assert self.versions is not None
        assert len(count) == len(stretch)
        ends = self.versions + np.cumsum(count)
        self._write_indptr(ends)
        self.versions = int(ends[-1])

    def _write_indptr(self, ends: NDArray[np.int64]) -> None:
        self._file("indptr").write(ends.astype("<i8").data)

    def tail(self) -> Readings:
        """Collect the readings of each series' last step: an append may add to that step."""
        none = np.empty(0, np.int64)
        empty = Readings(none, none, np.empty((0, len(self.spec.channels)), np.float32))
        parts = [empty, *self._tails]
        return Readings(
            np.concatenate([part.row for part in parts]),
            np.concatenate([part.time for part in parts]),
            np.concatenate([part.values for part in parts]),
        )

    def _file(self, key: str) -> BinaryIO:
        if key not in self._open:
            self._open[key] = (self.folder / self.files[key]).open("wb")
        return self._open[key]
