"""Records what a panel no longer shows, while the readings stream by on their way into it."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from forecast.config.data import Data
from forecast.data.checks.extremes import Extremes
from forecast.data.checks.marks import Marks
from forecast.data.checks.order import RowOrder, Sightings, digest_rows
from forecast.data.chunk import Chunk, SeriesIds, Source
from forecast.data.grid import Grid
from forecast.data.places import Places
from forecast.data.strays import Days
from forecast.data.tables import Joined, Reader
from forecast.data.tables.tallies import Notes

MOST_KEYS = 10_000_000


class Survey:
    """Passes on the chunks of a reader unchanged, recording the order of rows and the extremes.

    Where rows are out of order, gaps and duplicates are counted again from sorted keys, kept for
    sources of up to `MOST_KEYS` rows; for larger ones they are counted in order of rows.
    """

    def __init__(self, reader: Reader, data: Data, name: str = "") -> None:
        self.name = name  # of one of several tables
        self.reader = reader
        self.data = data
        self.grid = Grid(frequency=data.frequency, timezone=data.timezone)
        self.order = RowOrder(self.grid, reader.series_ids)
        self._places = Places(self.grid)
        self._days = Days()
        self.kept: tuple[int, int] | None = None
        self.strays = 0
        self.is_sorted = True
        self.extremes = {name: Extremes() for name in reader.channels}
        self.marks = {name: Marks() for name in reader.channels}
        self.outside = {name: Sightings() for name in data.limits}
        self.has_vintages = data.available_at is not None
        self._keys: list[tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.uint64]]] = []

    @property
    def series_ids(self) -> SeriesIds:
        """Ids of the reader."""
        return self.reader.series_ids

    @property
    def static(self) -> NDArray[np.float64]:
        """Static covariates of the reader."""
        return self.reader.static

    @property
    def static_names(self) -> tuple[str, ...]:
        """Names of the static covariates."""
        return self.reader.static_names

    @property
    def categories(self) -> dict[str, tuple[str, ...]]:
        """Labels of the reader's text columns."""
        return self.reader.categories

    @property
    def notes(self) -> Notes:
        """The tallies of the reader."""
        return self.reader.notes

    def __iter__(self) -> Iterator[Chunk]:
        """Yield every chunk after recording it."""
        for chunk in self.reader:
            self._look(chunk)
            yield chunk
        self._settle()

    def _look(self, chunk: Chunk) -> None:
        """Record one chunk."""
        digest = digest_rows(chunk.values)
        self._places.add(chunk.time)
        self._days.add(chunk.time)
        if not self.order.rows:
            self.order.grid = replace(self.grid, anchor_ns=self._places.anchor())
        self.order.add(chunk.series, chunk.time, digest)
        if self.order.rows <= MOST_KEYS:
            self._keys.append((chunk.series, chunk.time, digest))
        else:
            self._keys.clear()
        for position, name in enumerate(self.reader.channels):
            if name not in self.data.categories:
                values = np.asarray(chunk.values[:, position], dtype=np.float64)
                self._look_at_column(name, values, chunk)

    def _look_at_column(self, name: str, values: NDArray[np.float64], chunk: Chunk) -> None:
        """Record one column of a chunk: values outside the limits, and extremes of the rest."""
        kept = ~np.isnan(values)
        low, high = self.data.limits.get(name, (None, None))
        if name in self.outside:
            within = np.ones(len(values), dtype=bool)
            if low is not None:
                within &= ~(values < low)
            if high is not None:
                within &= ~(values > high)
            self.outside[name].add(~within, chunk.series, chunk.time, self.series_ids)
            kept &= within
        rows = slice(None) if kept.all() else kept
        for watcher in (self.extremes[name], self.marks[name]):
            watcher.add(values[rows], chunk.series[rows], chunk.time[rows])

    def _settle(self) -> None:
        """Recount gaps and duplicates if rows were out of order, stray, or off the grid."""
        self.kept = kept = self._days.kept(self.grid.step_ns)
        self.strays = 0 if kept is None else self._days.count_outside(kept)
        if self._keys and (kept is not None or self.order.backwards.count):
            parts = zip(*self._keys, strict=True)
            series, time, digest = (np.concatenate(part) for part in parts)
            self._count_again(series, time, digest, kept)
        elif self.order.backwards.count:
            self.is_sorted = False
        self._keys.clear()

    def _count_again(
        self,
        series: NDArray[np.int32],
        time: NDArray[np.int64],
        digest: NDArray[np.uint64],
        kept: tuple[int, int] | None,
    ) -> None:
        """Recount gaps and duplicates in order of time, without stray rows."""
        places = Places(self.grid)
        if kept is not None:
            near = (time >= kept[0]) & (time <= kept[1])
            series, time, digest = series[near], time[near], digest[near]
            again = RowOrder(self.grid, self.series_ids)
            again.add(series, time, digest)
            self.order.backwards = again.backwards
        places.add(time)
        order = np.lexsort((time, series))
        grid = replace(self.grid, anchor_ns=places.anchor())
        again = RowOrder(grid, self.series_ids)
        again.add(series[order], time[order], digest[order])
        again.backwards = self.order.backwards
        self.order = again


def surveyed(source: Reader | Joined, data: Data) -> tuple[Source, list[Survey]]:
    """Return a source whose tables are looked at while it is read, and a survey of each."""
    if isinstance(source, Reader):
        survey = Survey(source, data)
        return survey, [survey]
    surveys = [Survey(part.reader, part.view.data, part.view.name) for part in source.parts]
    for part, survey in zip(source.parts, surveys, strict=True):
        part.chunks = survey
    return source, surveys
