"""Forecasts read back from a cutoff's folder."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

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
    rows: list[dict[str, Any]] = pa.concat_tables(kept).to_pylist()
    return rows


def flagged_series(path: Path) -> dict[str, list[str]]:
    """Return which series of a cutoff's folder have a flag, by flag, both in order."""
    keys = ["flag", "unique_id"]
    found = [
        rows.filter(pc.not_equal(rows["flag"], "")).group_by(keys).aggregate([])
        for rows in forecast_rows(path, keys)
    ]
    pairs = (
        pa.concat_tables(found)
        .group_by(keys)
        .aggregate([])
        .sort_by([(k, "ascending") for k in keys])
    )
    names: dict[str, list[str]] = {}
    for flag, name in zip(pairs["flag"].to_pylist(), pairs["unique_id"].to_pylist(), strict=True):
        names.setdefault(flag, []).append(name)
    return names
