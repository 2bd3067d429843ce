"""Rows of forecasts to and from one file, a bounded number at once.

The bytes of a file depend on its rows alone, not on how many were handed over at a time.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from forecast.forecasting.arrow_arrays import arrow_of

Format = Literal["parquet", "csv"]

KEYS = ["unique_id", "target", "step"]
ROWS = 1 << 18  # in memory at once, and in a row group
_TEXT = dict.fromkeys(("unique_id", "target", "model_version", "run_id", "flag"), pa.string())
_STAMPS = dict.fromkeys(("ds", "cutoff"), pa.timestamp("us", tz="UTC"))


def write_rows(tables: Iterable[pa.Table], path: Path, file_format: Format) -> int:
    """Write tables of one schema one after the other; return how many rows there were.

    At least one table is needed, be it empty.
    """
    writer: Any = None
    rows = 0
    try:
        for table in _regrouped(tables, ROWS):
            part = table if file_format == "parquet" else _in_words(table)
            if writer is None:
                writer = _writer(path, part.schema, file_format)
            writer.write_table(part)
            rows += part.num_rows
    finally:
        if writer is not None:
            writer.close()
    with path.open("rb") as file:
        os.fsync(file.fileno())
    return rows


def _writer(path: Path, schema: pa.Schema, file_format: Format) -> Any:
    if file_format == "parquet":
        return pa.parquet.ParquetWriter(path, schema, compression="zstd")
    return pa.csv.CSVWriter(path, schema)


def _in_words(table: pa.Table) -> pa.Table:
    for name in _STAMPS:
        text = pc.strftime(table[name], format="%Y-%m-%dT%H:%M:%SZ")
        table = table.set_column(table.schema.get_field_index(name), name, text)
    return table


def _regrouped(tables: Iterable[pa.Table], size: int) -> Iterator[pa.Table]:
    """Yield the same rows, `size` at a time, the last fewer; one table even without any row."""
    kept: list[pa.Table] = []
    count, is_first = 0, True
    for table in tables:
        kept.append(table)
        count += table.num_rows
        while count >= size:
            whole = pa.concat_tables(kept)
            yield whole.slice(0, size).combine_chunks()
            kept, count, is_first = [whole.slice(size)], count - size, False
    if kept and (count or is_first):
        yield pa.concat_tables(kept).combine_chunks()


def read_rows(
    path: Path, file_format: Format, columns: Sequence[str] | None = None
) -> Iterator[pa.Table]:
    """Yield a file's rows in order, some at a time; `columns` are all unless given."""
    if file_format == "parquet":
        with pa.parquet.ParquetFile(path) as file:
            schema = pa.schema(
                [file.schema_arrow.field(name) for name in columns or file.schema_arrow.names]
            )
            for batch in file.iter_batches(batch_size=ROWS, columns=columns):
                yield pa.Table.from_batches([batch.replace_schema_metadata(None)], schema)
        return
    with path.open(encoding="utf-8") as text:
        names = [name.strip('"') for name in text.readline().strip().split(",")]
    numbers = dict.fromkeys(names, pa.float32()) | {"step": pa.int32()}
    options = pa.csv.ConvertOptions(
        column_types=numbers | _TEXT | _STAMPS,  # told by one block of rows they might differ
        strings_can_be_null=False,
        include_columns=list(columns or ()),
    )
    with pa.csv.open_csv(path, convert_options=options) as reader:
        for batch in reader:
            yield pa.Table.from_batches([batch])


def is_each_once(tables: Iterable[pa.Table], *, series: int, rows: int) -> bool:
    """Say whether rows hold every (series, target, step) once, the rows of each series together.

    Of all rows only the names of the series are kept.
    """
    each = rows // max(1, series)
    if not each or rows != series * each:
        return False
    pattern: pa.Table | None = None
    names, count = [], 0
    for table in _regrouped(tables, each * max(1, ROWS // each)):
        if pattern is None:
            pattern = table.select(KEYS[1:]).slice(0, each)
        name = table["unique_id"].take(_place(np.arange(0, table.num_rows, each)))
        wanted = _place(np.tile(np.arange(each), len(name))[: table.num_rows])
        of_series = _place(np.repeat(np.arange(len(name)), each)[: table.num_rows])
        if not (
            _are_equal(table["unique_id"], name.take(of_series))
            and all(_are_equal(table[key], pattern[key].take(wanted)) for key in KEYS[1:])
        ):
            return False
        names.append(name)
        count += table.num_rows
    if pattern is None or count != rows:
        return False
    distinct = len(set(zip(*(pattern[key].to_pylist() for key in KEYS[1:]), strict=True)))
    found = pc.count_distinct(pa.chunked_array([chunk for part in names for chunk in part.chunks]))
    return bool(distinct == each and found.as_py() == series)


def _place(rows: NDArray[np.int64]) -> pa.Array:
    return arrow_of(rows, pa.int64())


def _are_equal(column: pa.ChunkedArray, other: pa.ChunkedArray) -> bool:
    return bool(column.combine_chunks().equals(other.combine_chunks()))
