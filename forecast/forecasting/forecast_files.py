"""Forecast files: one folder a cutoff, written whole or not at all, the same bytes every time.

`<root>/cutoff=2013-12-30T23-00Z/part-00000.parquet` with `_SUCCESS.json`. Several processes write
one part each; the first checks that every (series, target, step) is there exactly once before
the folder gets its name. Nothing here computes a forecast.
"""

import hashlib
import json
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from forecast.data.panel import Panel
from forecast.data.windows.predictor import Forecast
from forecast.errors import DataError
from forecast.forecasting.fallback import join_flags
from forecast.forecasting.published import SUCCESS, made_by_us, read_success, staging_folder
from forecast.forecasting.row_files import KEYS, Format, is_each_once, read_rows, write_rows
from forecast.whole_files import checksum, faults_of, publish_folder, read_object, write_whole

SAFE = "spreadsheet_safe"  # key of the success file: ids have apostrophes before them
TEXTS = ("unique_id", "target")

_WAIT_S = 600.0  # for the parts of other processes


@dataclass(frozen=True)
class Provenance:
    """Where forecasts come from: part of every row, or of the success file."""

    model_version: str = ""
    run_id: str = ""
    config_fingerprint: str = ""
    data_fingerprint: str = ""
    condition: str = ""  # of what holds only for now, such as which series are stale


def forecast_table(forecast: Forecast, panel: Panel, provenance: Provenance) -> pa.Table:
    """Return forecasts as rows in order of window, target and step."""
    n, horizon, targets = forecast.point.shape
    rows = n * targets * horizon

    def by_row(values: Any) -> Any:
        """Bring (N, H, T) into row order."""
        return np.ascontiguousarray(np.swapaxes(values, 1, 2)).reshape(rows)

    newest = panel.start[forecast.series] + forecast.cutoff - 1  # (N,) grid index of the cutoff
    step = np.arange(1, horizon + 1)
    ds = np.repeat(panel.grid.time(newest[:, None] + step)[:, None], targets, axis=1)
    per_window = horizon * targets
    ids = np.repeat(np.array(panel.series_ids, object)[forecast.series], per_window)
    columns = {
        "unique_id": pa.array(ids, pa.string()),
        "ds": _stamps(ds.reshape(rows)),
        "target": pa.array(
            np.tile(np.repeat(np.array(panel.targets, object), horizon), n), pa.string()
        ),
        "cutoff": _stamps(np.repeat(panel.grid.time(newest), per_window)),
        "step": pa.array(np.tile(step, n * targets), pa.int32()),
        "y_hat": pa.array(by_row(forecast.point), pa.float32()),
    }
    for position, level in enumerate(forecast.levels):
        values = by_row(forecast.quantiles[..., position])
        columns[f"q{level:g}"] = pa.array(values, pa.float32())
    columns["model_version"] = pa.repeat(pa.scalar(provenance.model_version), rows)
    columns["run_id"] = pa.repeat(pa.scalar(provenance.run_id), rows)
    columns["flag"] = pa.array(by_row(_step_flags(forecast)).astype(object), pa.string())
    return pa.table(columns)


def _step_flags(forecast: Forecast) -> NDArray[np.str_]:
    """Give the flag of each step (N, H, T)."""
    flag = np.repeat(forecast.flag[:, None], forecast.point.shape[1], axis=1)
    if forecast.never is None or not forecast.never.any():
        return flag
    return np.where(forecast.never, join_flags(flag, "never_observed"), flag)


def _stamps(time_ns: Any) -> pa.Array:
    return pa.array(time_ns // 1000, pa.timestamp("us", tz="UTC"))


def quantile_columns(names: Iterable[object]) -> list[str]:
    """Return the columns that hold quantiles, in their order.

    >>> quantile_columns(["ds", "y_hat", "q0.1", "q0.9", "quality"])
    ['q0.1', 'q0.9']
    """
    return [str(name) for name in names if re.fullmatch(r"q\d[\d.e-]*", str(name))]


def cutoff_name(cutoff_ns: int) -> str:
    """Return the folder of a cutoff.

    >>> cutoff_name(1388444400_000_000_000)
    'cutoff=2013-12-30T23-00Z'
    """
    moment = datetime.fromtimestamp(cutoff_ns // 1_000_000_000, tz=UTC)
    seconds = f"-{moment:%S}" if moment.second else ""
    return f"cutoff={moment:%Y-%m-%dT%H-%M}{seconds}Z"


class CutoffFolder:
    """The forecasts of one cutoff on their way to disk.

    Parameters
    ----------
    root
        Folder of all cutoffs.
    cutoff_ns
        Last timestamp used, epoch nanoseconds.
    provenance
        Model, run, config and data; a folder of the same provenance is not written again.
    file_format
        Of the parts.
    rank, world
        This process and how many write together.
    facts
        What else the success file says, such as the age of the newest reading.
    """

    def __init__(
        self,
        root: Path,
        cutoff_ns: int,
        *,
        provenance: Provenance,
        file_format: Format = "parquet",
        rank: int = 0,
        world: int = 1,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        self._facts = dict(facts or {})
        self.path = root / cutoff_name(cutoff_ns)
        self._provenance = provenance
        self._format = file_format
        self._rank = rank
        self._world = world
        self._is_safe = file_format == "csv" and bool(self._facts.get(SAFE))
        identity = json.dumps(
            [asdict(provenance), file_format, world, *([SAFE] if self._is_safe else [])],
            sort_keys=True,
        )
        key = hashlib.sha256(identity.encode()).hexdigest()[:12]
        self._staging = staging_folder(root) / f"{self.path.name}.{key}"

    @property
    def staging(self) -> Path:
        """Where the folder is made before it gets its name."""
        return self._staging

    def is_done(self) -> bool:
        """Whether the folder is there, whole to the last byte, and of this very provenance."""
        try:
            success = read_success(self.path)
        except (OSError, ValueError):
            return False
        found = {name: success.get(name) for name in asdict(self._provenance)}
        is_same = success["format"] == self._format and found == asdict(self._provenance)
        return is_same and not faults_of(self.path, success["checksums"])

    def has_part(self) -> bool:
        """Whether this process' part was already written, whole, by an interrupted run."""
        try:
            marker = read_object(self._marker(self._rank))
        except (OSError, ValueError):
            return False
        part = self._part(self._rank)
        return not faults_of(part.parent, {part.name: str(marker.get("sha256"))})

    def write_part(self, tables: Iterable[pa.Table]) -> None:
        """Write this process' part beside its place, table after table as they come.

        Raises
        ------
        DataError
            When it cannot be written.
        """
        path = self._part(self._rank)
        scratch = path.with_suffix(".tmp")
        with self._writing():
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                cells = map(self._cells, tables) if self._world == 1 else tables
                rows = write_rows(cells, scratch, self._part_format)
                marker = {"rows": rows, "sha256": checksum(scratch)}
                scratch.rename(path)
                write_whole(self._marker(self._rank), json.dumps(marker))
            except BaseException:
                self._clear(scratch)
                raise

    def _cells(self, table: pa.Table) -> pa.Table:
        return _with_apostrophes(table) if self._is_safe else table

    def _clear(self, scratch: Path) -> None:
        """Remove a part that could not be written, and folders that were made for it alone."""
        with suppress(OSError):
            scratch.unlink(missing_ok=True)
            self._staging.rmdir()
            self._staging.parent.rmdir()

    def finish(self, *, series: int, rows: int, wait_s: float = _WAIT_S) -> Path:
        """Check all parts, make them one, give the folder its name; the first process does this.

        The parts of several processes hold neighbouring series in order: joined, they are what one
        process would have written.

        Parameters
        ----------
        series, rows
            What must be there: rows = series x targets x steps.

        Raises
        ------
        DataError
            When a part does not come, a row is missing or there twice, or the folder cannot be
            written.
        """
        for rank in range(self._world):
            self._await(rank, wait_s)
        self._check(series, rows)
        name, digest = self._joined()
        success = {
            "rows": rows,
            "series": series,
            "format": self._format,
            "checksums": {name: digest},
            **asdict(self._provenance),
            **self._facts,
        }
        text = json.dumps(success, indent=1, sort_keys=True)
        with self._writing():
            write_whole(self._staging / SUCCESS, text + "\n")
            for rank in range(self._world):
                self._marker(rank).unlink()
                if self._world > 1:
                    self._part(rank).unlink()
            publish_folder(self._staging, self.path, ours=made_by_us(self.path))
            with suppress(OSError):  # other cutoffs are still on their way
                self._staging.parent.rmdir()
        return self.path

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise DataError(
                f"{self.path}: forecasts cannot be written ({error.strerror or error}); "
                "see output.path"
            ) from error

    def _rows(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Yield what the processes wrote, in order."""
        for rank in range(self._world):
            yield from read_rows(self._part(rank), self._part_format, columns)

    def _joined(self) -> tuple[str, str]:
        """Write all rows as one file, where they are not yet; return its name and checksum."""
        path = self._staging / f"part-00000.{self._format}"
        if self._world > 1:
            scratch = path.with_suffix(".tmp")
            with self._writing():
                write_rows(map(self._cells, self._rows()), scratch, self._format)
                scratch.rename(path)
        return path.name, checksum(path)

    def _check(self, series: int, rows: int) -> None:
        if is_each_once(self._rows(KEYS), series=series, rows=rows):
            return
        table = pa.concat_tables(self._rows(KEYS))  # in another order, or to say what is wrong
        distinct = table.group_by(KEYS).aggregate([]).num_rows
        found = pc.count_distinct(table["unique_id"]).as_py()
        if (table.num_rows, distinct, found) != (rows, rows, series):
            raise DataError(
                f"{self._staging}: {table.num_rows} rows, {distinct} distinct (series, target, "
                f"step), {found} series where {rows} rows of {series} series are due; "
                "delete the folder and run again"
            )

    def _await(self, rank: int, wait_s: float) -> None:
        deadline = time.monotonic() + wait_s
        while not self._marker(rank).exists():
            if time.monotonic() > deadline:
                raise DataError(
                    f"{self._part(rank)}: process {rank} of {self._world} wrote no part within "
                    f"{wait_s:g} s; see its log and run again"
                )
            time.sleep(0.05)

    def _part(self, rank: int) -> Path:
        number = rank if self._world == 1 else rank + 1  # part 0 will be the whole
        return self._staging / f"part-{number:05d}.{self._part_format}"

    @property
    def _part_format(self) -> Format:
        return self._format if self._world == 1 else "parquet"

    def _marker(self, rank: int) -> Path:
        return self._staging / f"part-{rank:05d}.done"


def read_forecasts(path: Path) -> pa.Table:
    """Return the forecasts of one cutoff's folder, all parts in order."""
    return pa.concat_tables(forecast_rows(path))


def forecast_rows(path: Path, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """Yield the forecasts of one cutoff's folder in order, some at a time."""
    success = read_success(path)
    is_quoted = success["format"] == "csv" and success.get(SAFE)
    for name in sorted(success["checksums"]):
        for table in read_rows(path / name, success["format"], columns):
            yield _without_apostrophes(table) if is_quoted else table


def _with_apostrophes(table: pa.Table) -> pa.Table:
    """Put an apostrophe before the texts that a spreadsheet would take for a formula.

    Texts that begin with one get a second, so that each can be taken off again.
    """
    for name in TEXTS:
        column = table[name]
        is_formula = pc.match_substring_regex(column, r"^['=+\-@\t\r]")
        quoted = pc.binary_join_element_wise("'", column, "")
        table = table.set_column(
            table.schema.get_field_index(name), name, pc.if_else(is_formula, quoted, column)
        )
    return table


def _without_apostrophes(table: pa.Table) -> pa.Table:
    for name in set(TEXTS).intersection(table.column_names):
        plain = pc.replace_substring_regex(table[name], pattern="^'", replacement="")
        table = table.set_column(table.schema.get_field_index(name), name, plain)
    return table


def first_rows(path: Path, count: int) -> list[dict[str, Any]]:
    """Return the first rows of a cutoff's folder."""
    kept: list[pa.Table] = []
    for table in forecast_rows(path):
        kept.append(table.slice(0, count - sum(one.num_rows for one in kept)))
        if sum(one.num_rows for one in kept) == count:
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
