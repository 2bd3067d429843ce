"""What one reading carries from chunk to chunk: ids, labels, static values, clock, counts."""

import copy
import json
import re

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from forecast.config.data import Data
from forecast.config.duration import duration_s, is_below_day
from forecast.config.table import Csv
from forecast.data.chunk import SeriesIds
from forecast.data.tables.faults import Site
from forecast.data.tables.labels import Labels
from forecast.data.tables.local_clock import LocalClock
from forecast.data.tables.number_hints import grouped, number_hint
from forecast.data.tables.opened_table import OpenedTable
from forecast.data.tables.repeated_hours import RepeatedHours
from forecast.data.tables.tallies import Notes, Place, Tally
from forecast.data.tables.text_values import (
    Markers,
    Numbers,
    Spelling,
    as_labels,
    is_text,
    markers_of,
    to_numbers,
)
from forecast.data.tables.units_seen import UnitsSeen
from forecast.errors import ConfigError, DataError

LONGEST_ID = 500  # characters of a series id
LOOKED_AT = 10_000  # cells of a column, for a mark between thousands
SINGLE_SERIES = "series"


class ReadingState:
    """The parts of a reading that outlive a chunk and a file."""

    def __init__(self, data: Data, series_ids: SeriesIds, labels: dict[str, Labels]) -> None:
        self.data = data
        self.series_ids = series_ids
        self.labels = labels
        self.notes = Notes()
        self.clock = LocalClock(
            data.timezone,
            "second" if data.ambiguous == "second" else "first",
            in_days=not is_below_day(data.frequency),
        )
        self.step_ns = duration_s(data.frequency) * 10**9
        self.repeated_hours = RepeatedHours(self.clock, series_ids)
        self._static = np.full((0, len(data.covariates.static)), np.nan)
        self._markers: dict[str, Markers] = {}
        self._units = UnitsSeen()
        self._looked: set[str] = set()
        style = data.csv
        self.spelling = Spelling(style.decimal, style.thousands, style.units)

    def written_as(self, style: Csv) -> "ReadingState":
        """Return the same state for a table whose text is written in another way."""
        other = copy.copy(self)
        other.spelling = Spelling(style.decimal, style.thousands, style.units)
        return other

    def markers(self, column: str) -> Markers:
        """Return the markers of missing values of a column."""
        if column not in self._markers:
            self._markers[column] = markers_of(column, self.data.missing)
        return self._markers[column]

    def values(
        self,
        column: str,
        cells: pa.Array,
        series: NDArray[np.int32],
        site: Site,
        *,
        like: str = "",
    ) -> NDArray[np.float64]:
        """Return one column as numbers or codes: NaN where missing or marked.

        `series` holds the position of each row's series; `like` names the column whose markers
        hold, where it is another one.
        """
        settings = like or column
        if column in self.labels:
            return self.labels[column].encode(cells, self.markers(column))
        has_unit = self._units.note(settings, cells, series, self.spelling.units, site)
        numbers = to_numbers(cells, self.markers(settings), self.spelling)
        if numbers.bad is not None:
            site.fault(
                cells,
                numbers.bad,
                f"text in the number column {column!r}",
                self._remedy(column, cells, numbers),
            )
        notes = self.notes
        if column not in self._looked and is_text(cells) and not self.spelling.thousands:
            self._looked.add(column)
            some = grouped(cells.slice(0, LOOKED_AT), self.spelling)
            self._tally(notes.grouped, column).add_rows(some, site.place)
        if has_unit is not None:
            bare = np.isfinite(numbers.values) & ~has_unit
            self._tally(notes.with_unit, settings).add_rows(has_unit, site.place)
            self._tally(notes.bare, settings).add_rows(bare, site.place)
        for number, hits in numbers.marked.items():
            notes.marked.setdefault((settings, number), Tally()).add_rows(hits, site.place)
        if numbers.infinite is not None:
            self._tally(notes.infinite, settings).add_rows(numbers.infinite, site.place)
        return numbers.values

    def _remedy(self, column: str, cells: pa.Array, numbers: Numbers) -> str:
        """Return what to do about the cells of a number column that are not numbers."""
        assert numbers.bad is not None
        bad = _some(cells, np.flatnonzero(numbers.bad))
        if bad[0].strip() == column:
            return "the header stands here again: set data.bad_rows: drop to leave such rows out"
        good = _some(cells, np.flatnonzero(~numbers.bad & ~np.isnan(numbers.values)))
        return number_hint(bad, good, self.spelling) or (
            "mend it; or, where it means a missing value, add it to data.missing: "
            f"{{{column!r}: [{_quoted(bad[0])}]}}; or, where the column holds text, "
            "list the column in data.categories"
        )

    def count_missing(self, column: str, is_missing: NDArray[np.bool_], place: Place) -> None:
        """Count cells of readings that have no value, for whatever reason."""
        self._tally(self.notes.missing, column).add_rows(is_missing, place)

    @staticmethod
    def _tally(tallies: dict[str, Tally], column: str) -> Tally:
        """Return the tally of a column."""
        return tallies.setdefault(column, Tally())

    def note_static(
        self, series: NDArray[np.int32], values: NDArray[np.float64], place: Place
    ) -> None:
        """Keep the first known static values (rows, names) of each series."""
        static = self.static_rows()
        for position, name in enumerate(self.data.covariates.static):
            known = np.flatnonzero(~np.isnan(values[:, position]))
            ids, first = np.unique(series[known], return_index=True)
            fresh = np.isnan(static[ids, position])
            static[ids[fresh], position] = values[known[first[fresh]], position]
            differs = np.zeros(len(series), dtype=bool)
            differs[known] = values[known, position] != static[series[known], position]
            self._tally(self.notes.static_changes, name).add_rows(differs, place)

    def static_rows(self) -> NDArray[np.float64]:
        """Return static values (series, name), a row for each series seen so far."""
        fresh = len(self.series_ids) - len(self._static)
        if fresh > 0:
            rows = np.full((fresh, self._static.shape[1]), np.nan)
            self._static = np.concatenate([self._static, rows])
        return self._static

    def series_of_file(self, table: OpenedTable) -> str | None:
        """Return the series id that the file's name or its preamble gives, if so configured.

        Raises
        ------
        DataError
            If the configured expression does not fit.
        """
        source = self.data.series_from
        if source is None:
            return None
        pattern = source.file_name or source.preamble or ""
        key = "file_name" if source.file_name else "preamble"
        try:
            expression = re.compile(pattern)
        except re.error as error:
            raise ConfigError(f"data.series_from.{key}: {pattern!r}: {error}") from error
        texts = [table.file.name] if source.file_name else list(table.preamble)
        for text in texts:
            if match := expression.search(text):
                return match[1] if match.groups() else match[0]
        shown = texts[0] if texts else "no line (is data.csv.skip_rows set?)"
        raise DataError(
            f"{table.file.path}: data.series_from.{key} {pattern!r} does not fit {shown!r}"
        )


def _quoted(text: str) -> str:
    """Return a text as YAML writes it."""
    text = text.strip()[:60]
    return json.dumps(text, ensure_ascii=False) if "'" in text else f"'{text}'"


def _some(cells: pa.Array, rows: NDArray[np.int64], most: int = 1000) -> list[str]:
    """Return the texts of the first of some rows."""
    return [str(text) for text in cells.take(pa.array(rows[:most])).to_pylist()]


def encode_ids(
    cells: pa.Array, series_ids: SeriesIds, path: str
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Return the position of each row's series (0 where null) and the mask of nulls.

    Raises
    ------
    DataError
        An id is longer than names are: another column was taken for it, or a quote is open.
    """
    labels, rows, absent = as_labels(cells)
    used, first = np.unique(rows[~absent], return_index=True)
    used = used[np.argsort(first)]
    codes = np.zeros(len(labels), dtype=np.int32)
    names = labels.take(pa.array(used)).to_pylist()
    for name in names:
        if len(name) > LONGEST_ID:
            raise DataError(
                f"{path}: data.series: an id of {len(name):,} characters, {name[:40]!r}...; "
                f"{LONGEST_ID} are the most: name another column, or mend the quotes"
            )
    codes[used] = series_ids.codes(names)
    series = codes[rows]
    series[absent] = 0
    return series, absent
