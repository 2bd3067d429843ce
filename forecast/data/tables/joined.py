"""Several tables as one source: what each lacks is missing, and every reading has its place."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from forecast.config.data import Data
from forecast.data.chunk import MISSING_TIME, Chunk, SeriesIds, Source
from forecast.data.grid import Grid
from forecast.data.tables.chosen import require_used
from forecast.data.tables.coarser import held, known_when_over
from forecast.data.tables.columns import channels_of
from forecast.data.tables.labels import Labels
from forecast.data.tables.reader import Reader, read_tables
from forecast.data.tables.sources import SourceFile
from forecast.data.tables.views import View, views_of
from forecast.errors import DataError


@dataclass(eq=False)
class Part:
    """One table while it is read: its chunks, and the series that it has."""

    view: View
    reader: Reader
    chunks: Source
    series: NDArray[np.bool_]

    def note(self, chunk: Chunk) -> None:
        """Remember the series of a chunk."""
        if len(chunk.series):
            missing = int(chunk.series.max()) + 1 - len(self.series)
            self.series = np.append(self.series, np.zeros(max(0, missing), dtype=bool))
            self.series[chunk.series] = True


class Joined:
    """The tables of a source one after the other, as chunks of all channels.

    Coarser tables are read after the others, and last those without series ids, which hold for
    every series.

    Attributes
    ----------
    parts
        The tables in the order of the config.
    channels
        Names of the columns of `Chunk.values`: targets, past, known.
    series_ids
        Ids in order of first appearance; grows while iterating.
    """

    def __init__(self, data: Data, views: Sequence[View]) -> None:
        self.channels = channels_of(data)
        self.series_ids = SeriesIds()
        self._newest = np.empty(0, dtype=np.int64)  # of each series, in tables that are not coarser
        self._data = data
        self._labels = {name: Labels() for name in data.categories}
        has_ids = any(view.has_ids for view in views)
        self.parts = [self._part(view, is_shared=has_ids and not view.has_ids) for view in views]

    def _part(self, view: View, *, is_shared: bool) -> Part:
        ids = SeriesIds() if is_shared else self.series_ids
        reader = Reader(
            view.data, view.files, series_ids=ids, labels=self._labels, columns=view.table.columns
        )
        return Part(view, reader, reader, np.zeros(0, dtype=bool))

    @property
    def static_names(self) -> tuple[str, ...]:
        """Names of the static covariates."""
        return self._data.covariates.static

    @property
    def static(self) -> NDArray[np.float64]:
        """Static covariates (series, name); of several tables the first that knows a value."""
        if self._data.static_table is not None:
            return self._own(self.parts)[0].reader.static
        values = np.full((len(self.series_ids), len(self.static_names)), np.nan)
        for part in self._own(self.parts):
            for place, name in enumerate(part.reader.static_names):
                column = values[:, self.static_names.index(name)]
                fresh = part.reader.static[:, place]
                column[np.isnan(column)] = fresh[np.isnan(column)]
        return values

    @property
    def categories(self) -> dict[str, tuple[str, ...]]:
        """Labels of each text column in order of their codes."""
        return {name: labels.names for name, labels in self._labels.items()}

    def __iter__(self) -> Iterator[Chunk]:
        """Yield the chunks of every table.

        Raises
        ------
        DataError
            When a table cannot be read, or holds no row.
        ConfigError
            When a series that is to be left out is in none of them.
        """
        own = self._own(self.parts)
        for part in sorted(self.parts, key=lambda part: (part not in own, self._is_coarser(part))):
            for chunk in part.chunks:
                part.note(chunk)
                yield from self._placed(chunk, part)
            if not part.reader.notes.rows:
                raise DataError(f"{part.view.files[0].path}: a header, but no row of values")
        exclusions = [*self._data.exclude, *(e for p in self.parts for e in p.view.table.exclude)]
        require_used(exclusions, self.series_ids)

    def _own(self, parts: Iterable[Part]) -> list[Part]:
        """Return the tables whose rows say which series they belong to."""
        return [part for part in parts if part.reader.series_ids is self.series_ids]

    def _placed(self, chunk: Chunk, part: Part) -> Iterator[Chunk]:
        """Yield a chunk of one table among the channels of all, for each series it holds for."""
        number = self.parts.index(part)
        chunk = replace(self._timed(chunk, part), table=number)
        values = np.full((len(chunk.series), len(self.channels)), np.nan)
        values[:, [self.channels.index(name) for name in part.reader.channels]] = chunk.values
        chunk = replace(chunk, values=values)
        if part.reader.series_ids is self.series_ids:
            yield chunk
            if not self._is_coarser(part):
                self._note_newest(chunk)
            return
        for code in range(len(self.series_ids)):
            series = np.full(len(chunk.series), code, dtype=np.int32)
            yield replace(chunk, series=series, rejected=chunk.rejected if code == 0 else 0)

    def _is_coarser(self, part: Part) -> bool:
        return self._data.is_coarser(part.view.table)

    def _note_newest(self, chunk: Chunk) -> None:
        """Remember the newest reading of each series."""
        missing = np.full(max(0, len(self.series_ids) - len(self._newest)), MISSING_TIME)
        self._newest = np.append(self._newest, missing)
        np.maximum.at(self._newest, chunk.series, chunk.time)

    def _timed(self, chunk: Chunk, part: Part) -> Chunk:
        """Return a chunk of a coarser table with when it is known, and its values held."""
        table, data = part.view.table, self._data
        if not self._is_coarser(part) or not len(chunk.series):
            return chunk
        own = Grid(part.view.data.frequency, part.view.data.timezone)
        if part.view.data.covariates.known:
            until = None
        else:
            until = self._until(chunk, part)
            chunk = known_when_over(chunk, own) if chunk.available_at is None else chunk
        if not table.hold:
            return chunk
        which = np.array([name in table.hold for name in part.reader.channels])
        return held(chunk, own, Grid(data.frequency, data.timezone), which=which, until=until)

    def _until(self, chunk: Chunk, part: Part) -> NDArray[np.int64] | None:
        """Return the newest reading of each row's series in the other tables; None without any."""
        if not len(self._newest):
            return None
        if part.reader.series_ids is not self.series_ids:
            return np.full(len(chunk.series), self._newest.max())
        self._note_newest(chunk.take(np.zeros(len(chunk.series), dtype=bool)))
        return self._newest[chunk.series]


def read_source(data: Data, *, files: Sequence[SourceFile] | None = None) -> Reader | Joined:
    """Return a reader of the config's source, whether it is one table or several.

    Parameters
    ----------
    data
        The `data` section.
    files
        The files of the source, where they are known already.

    Raises
    ------
    ConfigError
        When the settings of a table do not fit it.
    DataError
        When the source means no file, or a column is in none of its tables.
    """
    views = views_of(data)
    return Joined(data, views) if views else read_tables(data, files=files)
