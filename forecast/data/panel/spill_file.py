"""Keeps readings aside, on disk once there are many, so that memory does not grow with the data."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from forecast.data.chunk import MISSING_TIME, Chunk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from numpy.typing import NDArray

SLAB = 1 << 19
MEMORY = 128 << 20
_COLUMNS = ("series", "time", "values", "available", "table")


class Slab(NamedTuple):
    """Consecutive readings, as in a `Chunk`."""

    series: NDArray[np.int32]
    time: NDArray[np.int64]
    values: NDArray[np.float32]
    available_at: NDArray[np.int64] | None
    table: NDArray[np.int8] | None = None

    @property
    def size(self) -> int:
        """Bytes of the arrays."""
        return sum(column.nbytes for column in self if column is not None)

    def take(self, which: NDArray[np.int64] | slice) -> Slab:
        """Select readings."""
        known = None if self.available_at is None else self.available_at[which]
        table = None if self.table is None else self.table[which]
        return Slab(self.series[which], self.time[which], self.values[which], known, table)


class Spill:
    """Readings in the order they came: at first in memory, then as raw columns in files.

    Parameters
    ----------
    stem
        Path whose name the column files extend.
    channels
        Columns of the values.
    memory
        Bytes to hold before they are written.
    """

    def __init__(self, stem: Path, channels: int, *, memory: int = MEMORY) -> None:
        self.stem = stem
        self.channels = channels
        self.rows = 0
        self.has_vintages = False
        self._has_tables = False
        self._memory = memory
        self._held: list[Slab] = []
        self._held_bytes = 0
        self._written = 0
        self._known_written = 0

    def sibling(self, name: str) -> Spill:
        """Return an empty spill of the same kind beside this one."""
        return Spill(self.stem.parent / name, self.channels, memory=self._memory)

    def add(self, slab: Slab | Chunk) -> None:
        """Take readings behind those already there."""
        if not len(slab.series):
            return
        known = slab.available_at
        mine = Slab(
            np.asarray(slab.series, dtype="<i4"),
            np.asarray(slab.time, dtype="<i8"),
            np.ascontiguousarray(slab.values, dtype="<f4"),
            None if known is None else np.asarray(known, dtype="<i8"),
            _tables(slab.table, len(slab.series)),
        )
        self._has_tables = mine.table is not None
        self.has_vintages |= known is not None
        self.rows += len(mine.series)
        self._held.append(mine)
        self._held_bytes += mine.size
        if self._held_bytes > self._memory:
            self._write()

    def slabs(self) -> Iterator[Slab]:
        """Give everything back, piece by piece."""
        if self._written:
            names = ["series", "time", "values"] + ["available"] * self.has_vintages
            if self.has_vintages:
                self._write_known(None, 0)
            names += ["table"] * self._has_tables
            files: list[BinaryIO] = [self._path(name).open("rb") for name in names]
            try:
                for first in range(0, self._written, SLAB):
                    yield self._read(files, min(SLAB, self._written - first))
            finally:
                for file in files:
                    file.close()
        yield from map(self._with_known, self._held)

    def load(self) -> Slab | None:
        """Give everything back at once; None when there is nothing."""
        slabs = list(self.slabs())
        if len(slabs) <= 1:
            return slabs[0] if slabs else None
        series, time, values, known, table = zip(*slabs, strict=True)
        return Slab(
            np.concatenate(series),
            np.concatenate(time),
            np.concatenate(values),
            np.concatenate(known) if self.has_vintages else None,
            np.concatenate(table) if self._has_tables else None,
        )

    def delete(self) -> None:
        """Forget everything."""
        self._held.clear()
        for name in () if not self._written else _COLUMNS:
            self._path(name).unlink(missing_ok=True)

    def _with_known(self, slab: Slab) -> Slab:
        if not self.has_vintages or slab.available_at is not None:
            return slab
        always = np.full(len(slab.series), MISSING_TIME, dtype="<i8")
        return slab._replace(available_at=always)

    def _write(self) -> None:
        with (
            self._path("series").open("ab") as series,
            self._path("time").open("ab") as time,
            self._path("values").open("ab") as values,
        ):
            for slab in self._held:
                slab.series.tofile(series)
                slab.time.tofile(time)
                slab.values.tofile(values)
        for slab in self._held:
            if slab.table is not None:
                with self._path("table").open("ab") as file:
                    slab.table.tofile(file)
            if slab.available_at is not None:
                self._write_known(slab.available_at, len(slab.series))
            self._written += len(slab.series)
        self._held.clear()
        self._held_bytes = 0

    def _write_known(self, known: NDArray[np.int64] | None, count: int) -> None:
        """Write times of knowing behind those of all readings before, always known where none."""
        missing = self._written - self._known_written
        with self._path("available").open("ab") as file:
            np.full(missing, MISSING_TIME, dtype="<i8").tofile(file)
            if known is not None:
                known.tofile(file)
        self._known_written += missing + count

    def _read(self, files: list[BinaryIO], count: int) -> Slab:
        values = np.fromfile(files[2], "<f4", count * self.channels)
        return Slab(
            series=np.fromfile(files[0], "<i4", count),
            time=np.fromfile(files[1], "<i8", count),
            values=values.reshape(count, self.channels),
            available_at=np.fromfile(files[3], "<i8", count) if self.has_vintages else None,
            table=np.fromfile(files[-1], "<i1", count) if self._has_tables else None,
        )

    def _path(self, name: str) -> Path:
        return self.stem.with_name(f"{self.stem.name}.{name}")


def _tables(table: NDArray[np.int8] | int | None, count: int) -> NDArray[np.int8] | None:
    """Return the number of the table of each reading; None where there is only one table."""
    return np.full(count, table, dtype="<i1") if isinstance(table, int) else table
