"""Static covariates from a second table with one row per series."""

import contextlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from forecast.config.data import Data
from forecast.data.tables.columns import require
from forecast.data.tables.faults import Faults, Site
from forecast.data.tables.open_table import open_table
from forecast.data.tables.opened_table import OpenedTable
from forecast.data.tables.reading_state import ReadingState
from forecast.data.tables.sources import source_files
from forecast.data.tables.tallies import Tally
from forecast.data.tables.timestamps import joined
from forecast.errors import DataError


def read_static(data: Data, state: ReadingState) -> NDArray[np.float64]:
    """Return the static covariates (series, name) of the series of a reading.

    Raises
    ------
    DataError
        If the table lacks a column, names a series twice, or holds text in a number column.
    """
    names = data.covariates.static
    values = np.full((len(state.series_ids), len(names)), np.nan)
    if data.static_table is None:
        return values
    style = data.static_table.csv or data.csv
    state = state.written_as(style)
    seen: set[str] = set()
    wanted = [data.static_table.series, *names]
    for file in source_files(data.static_table.source):
        with contextlib.closing(open_table(style, file, wanted=wanted)) as table:
            _join(table, data.static_table.series, state, values, seen)
    absent = [name for name in state.series_ids.names if name not in seen]
    where = Path(data.static_table.source).name
    state.notes.static_absent = Tally(len(absent), f"{absent[0]} not in {where}" if absent else "")
    return values


def _join(
    table: OpenedTable,
    key: str,
    state: ReadingState,
    values: NDArray[np.float64],
    seen: set[str],
) -> None:
    """Fill in the rows of `values` (series, name) from one file."""
    names = state.data.covariates.static
    require(table, [key, *names])
    codes = {name: code for code, name in enumerate(state.series_ids.names)}
    faults = Faults(table.file.path)
    for piece in table.pieces(list(dict.fromkeys([key, *names])), state.markers("*").texts):
        site = Site(faults, piece.first_line)
        ids = joined([piece.columns[key]]).to_pylist()
        _refuse_repeats(ids, seen, site)
        rows = [row for row, series in enumerate(ids) if series in codes]
        into = [codes[ids[row]] for row in rows]
        alike = np.zeros(len(ids), dtype=np.int32)  # compared between series: of one unit
        for position, name in enumerate(names):
            values[into, position] = state.values(name, piece.columns[name], alike, site)[rows]
    if faults:
        raise faults.error()


def _refuse_repeats(ids: list[str], seen: set[str], site: Site) -> None:
    """Check that no series has a second row."""
    for row, series in enumerate(ids):
        if series in seen:
            raise DataError(
                f"{site.place(row)}: series {series!r} has a second row of static covariates; "
                "leave one of them"
            )
        seen.add(series)
