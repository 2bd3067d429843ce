"""Turns tables with one row per reading into chunks: times, series, values."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from forecast.config.data import Data
from forecast.data.chunk import Chunk
from forecast.data.tables.columns import long_columns
from forecast.data.tables.faults import Faults, Site
from forecast.data.tables.opened_table import OpenedTable, Piece
from forecast.data.tables.reading_state import SINGLE_SERIES, ReadingState, encode_ids
from forecast.data.tables.row_times import Instants
from forecast.data.tables.text_values import blanked, is_text, markers_of, without_texts
from forecast.data.tables.timestamps import joined

Bools = NDArray[np.bool_]


class LongLayout:
    """Turns the pieces of one long table into chunks."""

    def __init__(self, data: Data, state: ReadingState, table: OpenedTable) -> None:
        self.state = state
        self._path = table.file.path
        self.columns = long_columns(data, table)
        partitions = dict(table.file.partitions)
        self._constant = {
            name: partitions[name] for name in self.columns.all() if name not in table.names
        }
        self.wanted = [name for name in self.columns.all() if name not in self._constant]
        many = data.timestamp_format is not None or len(data.timestamp) > 1
        self.labels = [
            *self.columns.series,
            *(self.columns.timestamp if many else ()),
            *data.categories,
        ]
        self._markers = markers_of("*", data.missing)
        # An id is a text whatever it spells: NA is Namibia. So where there are ids, the file's
        # reader blanks empty cells only, and each other column its markers.
        self.nulls = ("",) if self.columns.series else self._markers.texts
        self._instants = Instants(data, state)
        self._file_series = state.series_of_file(table)
        self._is_dropping = data.bad_rows == "drop"

    def chunks(self, piece: Piece, faults: Faults) -> Iterator[Chunk]:
        """Yield the chunk of a piece; faults are counted, their rows carry no meaning."""
        columns = piece.columns | {
            name: pa.array([text] * piece.rows, pa.string())
            for name, text in self._constant.items()
        }
        notes = self.state.notes
        notes.rows += piece.rows
        site = Site(faults, piece.first_line)
        place = site.place
        columns, is_blank = self._usable(columns)
        series, no_series = self._series(columns, piece.rows)
        times = self._instants.of(columns, site)
        available = self._instants.available_at(columns, site)
        channels = self._values(self.columns.channels, columns, series, site)
        static = self._values(self.columns.static, columns, series, site)
        is_empty = np.isnan(channels).all(axis=1) & is_blank
        no_time = times.empty & ~is_empty
        no_id = no_series & ~is_empty & ~no_time & ~times.bad
        empty = is_empty & (times.empty | no_series)
        notes.empty.add_rows(empty, place)
        notes.no_time.add_rows(no_time, place)
        notes.no_series.add_rows(no_id, place)
        if not self._is_dropping:
            self._refuse(columns, no_time, no_id, site)
        out = empty | no_time | no_id | times.bad
        kept = slice(None) if not out.any() else ~out
        for position, name in enumerate(self.columns.channels):
            self.state.count_missing(name, np.isnan(channels[:, position]) & ~out, place)
        if self.columns.static:
            self.state.note_static(series[kept], static[kept], place)
        rows = np.flatnonzero(~out)
        notes.note_times(
            series[kept], times.utc[kept], lambda row: place(int(rows[row])), self.state.step_ns
        )
        yield Chunk(
            series[kept],
            times.utc[kept],
            channels[kept],
            None if available is None else available[kept],
            rejected=int(np.count_nonzero(out)),
            repeated=None if times.repeated is None else times.repeated[kept],
        )

    def _usable(self, columns: dict[str, pa.Array]) -> tuple[dict[str, pa.Array], Bools]:
        """Return the columns as they are to be read, and the rows of which no value was nulled.

        Markers in the time are not times. Where bad rows are dropped, other cells of rows without a
        time (headers that come again, units, totals) are null: their texts are no fault of a
        column, no series and no label.
        """
        columns = dict(columns)
        clocks = [*self.columns.timestamp, *self.columns.available_at]
        for name in clocks if self.nulls == ("",) else ():
            if is_text(columns[name]):
                columns[name] = without_texts(columns[name], self._markers)
        rows = len(columns[self.columns.timestamp[0]])
        if not self._is_dropping:
            return columns, np.ones(rows, dtype=bool)
        stamps = self._instants.stamps(columns)
        out = stamps.bad | stamps.empty
        holds_text = np.zeros(rows, dtype=bool)
        for name in self.columns.all() if out.any() else ():
            if name not in clocks:
                if name in self.columns.channels:
                    holds_text |= out & np.asarray(columns[name].is_valid())
                columns[name] = blanked(columns[name], out)
        return columns, ~holds_text

    def _values(
        self,
        names: tuple[str, ...],
        columns: dict[str, pa.Array],
        series: NDArray[np.int32],
        site: Site,
    ) -> NDArray[np.float64]:
        """Return columns as numbers (rows, columns)."""
        block = np.empty((len(series), len(names)))
        for position, name in enumerate(names):
            block[:, position] = self.state.values(name, columns[name], series, site)
        return block

    def _series(self, columns: dict[str, pa.Array], rows: int) -> tuple[NDArray[np.int32], Bools]:
        """Return the position of each row's series, and the rows without one."""
        names = self.columns.series
        if not names:
            code = self.state.series_ids.code(self._file_series or SINGLE_SERIES)
            return np.full(rows, code, dtype=np.int32), np.zeros(rows, dtype=bool)
        cells = [columns[name] for name in names]
        ids = cells[0] if len(cells) == 1 else joined(cells, "/")
        return encode_ids(ids, self.state.series_ids, self._path)

    def _refuse(
        self,
        columns: dict[str, pa.Array],
        no_time: Bools,
        no_id: Bools,
        site: Site,
    ) -> None:
        """Make a fault of rows with values but without a time or a series."""
        for mask, what, names in (
            (no_time, "no time", self.columns.timestamp),
            (no_id, "no series id", self.columns.series),
        ):
            if mask.any():
                site.fault(
                    joined([columns[name].cast(pa.string()).fill_null("") for name in names]),
                    mask,
                    f"{what} in {', '.join(map(repr, names))} beside values",
                    "mend the rows, or set data.bad_rows: drop to leave them out",
                )
