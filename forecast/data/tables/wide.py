"""Turns wide tables into chunks: tables with one column or one row per series."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from forecast.config.data import Data
from forecast.data.chunk import Chunk
from forecast.data.grid import Grid
from forecast.data.tables.columns import channels_of, names_of, require
from forecast.data.tables.faults import Faults, Site
from forecast.data.tables.header_hints import are_times
from forecast.data.tables.local_clock import LocalClock
from forecast.data.tables.opened_table import OpenedTable, Piece
from forecast.data.tables.reading_state import ReadingState, encode_ids
from forecast.data.tables.row_times import Instants
from forecast.data.tables.text_values import blanked, markers_of
from forecast.data.tables.timestamps import joined, to_stamps
from forecast.errors import ConfigError, DataError


def _one_channel(data: Data) -> str:
    """Return the only channel that a wide table can have."""
    channels = channels_of(data)
    if len(channels) != 1:
        raise ConfigError(
            f"data.layout: {data.layout} holds one value per cell, so there is one target and no "
            f"past or known covariate; the config names {', '.join(channels)}"
        )
    return channels[0]


class WideColumns:
    """Turns the pieces of a table with one column per series into chunks."""

    def __init__(self, data: Data, state: ReadingState, table: OpenedTable) -> None:
        self.state = state
        self.channel = _one_channel(data)
        self._timestamp = data.timestamp
        named = [name for name in names_of(table) if name]
        self.series = list(data.series) or [name for name in named if name not in data.timestamp]
        self.wanted = [*data.timestamp, *self.series]
        require(table, self.wanted)
        self.labels = list(data.timestamp)
        self.nulls = markers_of("*", data.missing).texts
        self._instants = Instants(data, state)

    def chunks(self, piece: Piece, faults: Faults) -> Iterator[Chunk]:
        """Yield one chunk with the readings of every series of a piece."""
        notes = self.state.notes
        notes.rows += piece.rows
        site = Site(faults, piece.first_line)
        times = self._instants.of(piece.columns, site)
        values = np.empty((len(self.series), piece.rows))
        is_empty = np.ones(piece.rows, dtype=bool)
        out = (times.empty | times.bad) & (self.state.data.bad_rows == "drop")
        codes = self.state.series_ids.codes(self.series)
        for position, name in enumerate(self.series):
            cells = piece.columns[name]
            is_empty[out] &= np.asarray(cells.is_null())[out]
            kept = blanked(cells, out) if out.any() else cells
            its = np.full(piece.rows, codes[position])
            values[position] = self.state.values(name, kept, its, site, like=self.channel)
        is_empty &= np.isnan(values).all(axis=0)
        empty, no_time = times.empty & is_empty, times.empty & ~is_empty
        notes.empty.add_rows(empty, site.place)
        if self.state.data.bad_rows == "refuse":
            site.fault(
                joined([piece.columns[name].fill_null("") for name in self._timestamp]),
                no_time,
                f"no time in {', '.join(map(repr, self._timestamp))} beside values",
                "mend the rows, or set data.bad_rows: drop to leave them out",
            )
        notes.no_time.add_rows(no_time, site.place)
        kept = ~(times.empty | times.bad)
        for row in values:
            self.state.count_missing(self.channel, np.isnan(row) & kept, site.place)
        count = int(np.count_nonzero(kept))
        rows = np.flatnonzero(kept)
        first = np.full(count, codes[0])
        notes.note_times(
            first, times.utc[kept], lambda row: site.place(int(rows[row])), self.state.step_ns
        )
        yield Chunk(
            np.repeat(codes, count),
            np.tile(times.utc[kept], len(self.series)),
            values[:, kept].reshape(-1, 1),
            rejected=(piece.rows - count) * len(self.series),
            repeated=self._of_each(times.repeated, kept),
        )

    def _of_each(
        self, mask: NDArray[np.bool_] | None, kept: NDArray[np.bool_]
    ) -> NDArray[np.bool_] | None:
        """Return a mask of the rows kept, for each series."""
        return None if mask is None else np.tile(mask[kept], len(self.series))


class WideRows:
    """Turns the pieces of a table with one row per series into chunks, on steps of the grid.

    Cells after the last value of a row are padding and no readings.
    """

    def __init__(self, data: Data, state: ReadingState, table: OpenedTable) -> None:
        self.state = state
        self._path = table.file.path
        self.channel = _one_channel(data)
        names = [name for name in names_of(table) if name]
        self.series = list(data.series) or names[:1]
        require(table, self.series)
        self.steps = [name for name in names if name not in self.series]
        self.wanted = [*self.series, *self.steps]
        self.labels = self.series
        self.nulls = markers_of("*", data.missing).texts
        self._time = _step_times(data, len(self.steps))
        self._is_end_aligned = data.align == "end"
        if not self._is_end_aligned:
            _check_header(data, self.steps, self._time, self._path)

    def chunks(self, piece: Piece, faults: Faults) -> Iterator[Chunk]:
        """Yield one chunk with the readings of every series of a piece."""
        notes = self.state.notes
        notes.rows += piece.rows
        site = Site(faults, piece.first_line)
        values = np.empty((piece.rows, len(self.steps)))
        ids = joined([piece.columns[name] for name in self.series], "/")
        codes, _ = encode_ids(ids, self.state.series_ids, self._path)
        for position, name in enumerate(self.steps):
            cells = piece.columns[name]
            values[:, position] = self.state.values(name, cells, codes, site, like=self.channel)
        is_given = ~np.isnan(values)
        length = np.where(
            is_given.any(axis=1), len(self.steps) - np.argmax(is_given[:, ::-1], axis=1), 0
        )
        is_reading = np.arange(len(self.steps)) < length[:, None]
        no_id = np.asarray(ids.is_null())
        what = f"no series id in {', '.join(map(repr, self.series))} beside values"
        site.fault(ids.fill_null(""), no_id & (length > 0), what, "mend the rows")
        is_reading[no_id] = False
        rows, steps = np.nonzero(is_reading)
        found = values[rows, steps]
        self.state.count_missing(self.channel, np.isnan(found), lambda at: site.place(rows[at]))
        padding = len(self.steps) - length if self._is_end_aligned else np.zeros_like(length)
        yield Chunk(codes[rows], self._time[steps + padding[rows]], found[:, None])


def _step_times(data: Data, count: int) -> NDArray[np.int64]:
    """Return the times of the first steps from `data.start`."""
    start = to_stamps([pa.array([data.start])])
    if start.bad[0] or start.empty[0]:
        raise ConfigError(f"data.start: {data.start!r} is not an ISO 8601 time")
    grid = Grid(frequency=data.frequency, timezone=data.timezone)
    first = grid.index(start.ns)[0]
    return grid.time(np.arange(first, first + count))


def _check_header(data: Data, names: list[str], times: NDArray[np.int64], path: str) -> None:
    """Refuse names of columns that are times other than those that `data.start` gives them."""
    if not names or not are_times(names):
        return
    stamps = to_stamps([pa.array(names)], timezone=data.timezone)
    local = LocalClock(data.timezone, "first").to_utc(stamps.ns).utc
    differs = np.where(stamps.is_utc, stamps.ns, local) != times
    if differs.any():
        row = int(np.argmax(differs))
        due = times[row].astype("datetime64[ns]").astype("datetime64[m]")
        raise DataError(
            f"{path}: column {names[row]!r} stands where {due}Z is due, by "
            f"data.start ({data.start}) and data.frequency ({data.frequency}): correct data.start "
            "(the first column that is a time), or the columns where steps are left out"
        )
