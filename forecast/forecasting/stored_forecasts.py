"""Forecasts read back from a cutoff's folder."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from forecast.forecasting.arrow_arrays import numbers_of, texts_of
from forecast.forecasting.published import read_success
from forecast.forecasting.row_files import read_rows
from forecast.forecasting.spreadsheet_safe import SAFE, without_apostrophes


def read_forecasts(path: Path) -> pa.Table:
    """Return the forecasts of one cutoff's folder, all parts in order."""
    return pa.concat_tables(forecast_rows(path))


def forecast_rows(path: Path, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """Yield the forecasts of one cutoff's folder in order, some at a time."""
    success = read_success(path)
    is_quoted = success["format"] == "csv" and success.get(SAFE)
    for name in sorted(success["checksums"]):
        for table in read_rows(path / name, success["format"], columns):
            yield without_apostrophes(table) if is_quoted else table


def first_rows(path: Path, count: int) -> list[dict[str, Any]]:
    """Return the first rows of a cutoff's folder."""
    kept: list[pa.Table] = []
    for table in forecast_rows(path):
        kept.append(table.slice(0, count - sum(rows.num_rows for rows in kept)))
        if sum(rows.num_rows for rows in kept) == count:
            break
    table = pa.concat_tables(kept)
    columns = {name: _plain(table[name]) for name in table.column_names}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _plain(column: pa.ChunkedArray) -> list[Any]:
    """Return Python's values; of stamps, pyarrow would load pandas."""
    if not pa.types.is_timestamp(column.type):
        return list(column.to_pylist())
    stamps = column.cast(pa.int64()).to_pylist()
    return [datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us) for us in stamps]


def flagged_series(path: Path) -> dict[str, list[str]]:
    """Return which series of a cutoff's folder have a flag, by flag, both in order."""
    none = texts_of([""], np.zeros(1, np.int64))[0]
    found: set[tuple[str, str]] = set()
    for rows in forecast_rows(path, ["flag", "unique_id"]):
        some = rows.filter(pc.not_equal(rows["flag"], none))
        if not some.num_rows:
            continue
        coded = [some[key].combine_chunks().dictionary_encode() for key in some.column_names]
        pairs = np.unique(np.stack([numbers_of(column.indices) for column in coded]), axis=1)
        flags, ids = (column.dictionary.to_pylist() for column in coded)
        found |= {(flags[flag], ids[series]) for flag, series in pairs.T.tolist()}
    names: dict[str, list[str]] = {}
    for flag, name in sorted(found):
        names.setdefault(flag, []).append(name)
    return names
