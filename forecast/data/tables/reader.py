"""Reads the tables of a config as a stream of chunks, in bounded memory."""

import os
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from forecast.config.data import Data
from forecast.data.chunk import Chunk, SeriesIds
from forecast.data.tables.chosen import Chosen, require_used
from forecast.data.tables.columns import NoColumnError, channels_of, configured_columns
from forecast.data.tables.delimited import CsvTable
from forecast.data.tables.faults import Fault, Faults
from forecast.data.tables.labels import Labels
from forecast.data.tables.long import LongLayout
from forecast.data.tables.open_table import open_table
from forecast.data.tables.opened_table import OpenedTable
from forecast.data.tables.read_ahead import ahead
from forecast.data.tables.reading_state import ReadingState
from forecast.data.tables.sources import SourceFile, source_files
from forecast.data.tables.static import read_static
from forecast.data.tables.tallies import Notes
from forecast.data.tables.wide import WideColumns, WideRows
from forecast.errors import DataError

Layout = LongLayout | WideColumns | WideRows


class Reader:
    """Iterates once over the chunks of a source, and collects ids, labels and tallies.

    Parameters
    ----------
    data
        The `data` section.
    files
        The files to read, in order; all files of the source unless given.
    series_ids, labels
        Known ids and labels, so that codes continue from an earlier reading.
    columns
        Columns with other names in the files: name in the config, name in the files.

    Attributes
    ----------
    channels
        Names of the columns of `Chunk.values`: targets, past, known.
    series_ids
        Ids in order of first appearance; grows while iterating.
    notes
        What was met, counted.
    """

    def __init__(
        self,
        data: Data,
        files: Sequence[SourceFile] | None = None,
        *,
        series_ids: SeriesIds | None = None,
        labels: Mapping[str, Labels] | None = None,
        columns: Mapping[str, str] | None = None,
    ) -> None:
        self.files = tuple(source_files(data.sources) if files is None else files)
        self._is_whole = files is None
        self._here = ""  # the file that is being read
        self.channels = channels_of(data)
        self._data = data
        self._columns = columns or {}
        known = {name: (labels or {}).get(name) or Labels() for name in data.categories}
        self._state = ReadingState(data, SeriesIds() if series_ids is None else series_ids, known)

    @property
    def series_ids(self) -> SeriesIds:
        """Ids in order of first appearance."""
        return self._state.series_ids

    @property
    def notes(self) -> Notes:
        """What was met, counted."""
        return self._state.notes

    @property
    def categories(self) -> dict[str, tuple[str, ...]]:
        """Labels of each text column in order of their codes."""
        return {name: labels.names for name, labels in self._state.labels.items()}

    @property
    def static_names(self) -> tuple[str, ...]:
        """Names of the static covariates."""
        return self._data.covariates.static

    @property
    def static(self) -> NDArray[np.float64]:
        """Static covariates (series, name) of the series seen so far; NaN where unknown."""
        if self._data.static_table is not None:
            return read_static(self._data, self._state)
        return self._state.static_rows()

    def __iter__(self) -> Iterator[Chunk]:
        """Yield the chunks of every file.

        Raises
        ------
        DataError
            At the end of a file in which something cannot be read: everything at once; or where
            the whole source holds no row.
        """
        files = iter(self.files)
        chosen = Chosen(self._data, self.channels, self.series_ids, self.notes)
        chunks = self._settled(chunk for file in files for chunk in self._file_chunks(file))
        yield from ahead(chosen.of(chunk) for chunk in chunks)
        if self._is_whole:
            require_used(self._data.exclude, self.series_ids)
        if self._is_whole and not self.notes.rows:
            shown = ", ".join(file.path for file in self.files[:3])
            raise DataError(f"{shown}: a header, but no row of values")

    def _settled(self, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        """Yield chunks with the passes of repeated local times settled."""
        hours = self._state.repeated_hours
        for chunk in chunks:
            yield hours.settle(chunk, self._here)
        if (rest := hours.rest(self._here)) is not None:
            yield rest
        self.notes.repeated_alone = hours.alone

    def _file_chunks(self, file: SourceFile) -> Iterator[Chunk]:
        """Yield the chunks of one file, until it ends or something in it is wrong."""
        self._here = file.path
        data = self._data
        wanted = configured_columns(data)
        table = open_table(data.csv, file, data.format, wanted=wanted, columns=self._columns)
        try:
            yield from self._table_chunks(table)
        finally:
            table.close()

    def _table_chunks(self, table: OpenedTable) -> Iterator[Chunk]:
        """Yield the chunks of an opened file."""
        is_csv = isinstance(table, CsvTable)
        faults = Faults(table.file.path, "line" if is_csv else "row", self._shown(table.file))
        try:
            layout = _layout(self._data, self._state, table)
        except NoColumnError as error:
            if len(self.files) == 1:
                raise
            raise DataError(
                f"{error}; tables of different columns belong one by one in the list data.source"
            ) from error
        for piece in table.pieces(layout.wanted, layout.nulls, layout.labels):
            for chunk in layout.chunks(piece, faults):
                if not faults:  # else the rest is only counted
                    yield chunk
        self._end_file(table, faults)
        if faults:
            if isinstance(table, CsvTable):
                faults.place(table.lines_of, table.first_line)
            raise faults.error()
        if ragged := table.ragged.count:
            empty = np.empty(0, np.int64)
            values = np.empty((0, len(self.channels)))
            yield Chunk(empty.astype(np.int32), empty, values, rejected=ragged)

    def _shown(self, file: SourceFile) -> str:
        """Return the name of a file below the folder that all files share."""
        shared = os.path.commonpath([file.path.rpartition("/")[0] for file in self.files])
        return file.path.removeprefix(shared).lstrip("/")

    def _end_file(self, table: OpenedTable, faults: Faults) -> None:
        """Account for the rows of a file that do not fit its header."""
        ragged = table.ragged
        if not ragged.count:
            return
        self.notes.rows += ragged.count
        self.notes.ragged.add(ragged.count, f"{self._shown(table.file)}: {ragged.first_text!r}")
        if self._data.bad_rows == "refuse":
            what = f"{ragged.found} values where the header has {ragged.expected}"
            remedy = "mend the rows, or set data.bad_rows: drop to leave them out"
            if self._data.csv.separator == " ":
                remedy = "for several blanks between values, set data.csv.separator: whitespace"
            line = table.line_of_ragged()
            faults.add(Fault(what, remedy, line, ragged.first_text), ragged.count)


def read_tables(
    data: Data,
    *,
    files: Sequence[SourceFile] | None = None,
    series_ids: SeriesIds | None = None,
    categories: Mapping[str, Sequence[str]] | None = None,
) -> Reader:
    """Return a reader of the config's tables.

    Parameters
    ----------
    data
        The `data` section.
    files
        Only these of its files; all of them unless given.
    series_ids, categories
        Ids and labels known already, so that codes go on where an earlier reading stopped.

    Raises
    ------
    DataError
        If the source means no file.
    """
    labels = {name: Labels(texts) for name, texts in (categories or {}).items()}
    return Reader(data, files, series_ids=series_ids, labels=labels)


def _layout(data: Data, state: ReadingState, table: OpenedTable) -> Layout:
    """Return what turns the pieces of a file into chunks."""
    match data.layout:
        case "long":
            return LongLayout(data, state, table)
        case "wide_columns":
            return WideColumns(data, state, table)
        case _:
            return WideRows(data, state, table)
