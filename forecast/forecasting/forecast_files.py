"""Forecast files: one folder a cutoff, written whole or not at all, the same bytes every time.

`<root>/cutoff=2013-12-30T23-00Z/part-00000.parquet` with `_SUCCESS.json`. Several processes write
one part each; the first checks that every (series, target, step) is there exactly once before
the folder gets its name. Nothing here computes a forecast.
"""

import hashlib
import json
import os
import shutil
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from forecast.data.panel import Panel
from forecast.data.windows.predictor import Forecast
from forecast.errors import DataError

Format = Literal["parquet", "csv"]

SUCCESS = "_SUCCESS.json"
STAGING = ".staging"
_WAIT_S = 600.0  # for the parts of other processes


@dataclass(frozen=True)
class Provenance:
    """Where forecasts come from: part of every row, or of the success file."""

    model_version: str = ""
    run_id: str = ""
    config_fingerprint: str = ""
    data_fingerprint: str = ""


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
    flag = np.repeat(forecast.flag.astype(object).reshape(n * targets), horizon)
    columns["flag"] = pa.array(flag, pa.string())
    return pa.table(columns)


def _stamps(time_ns: Any) -> pa.Array:
    return pa.array(time_ns // 1000, pa.timestamp("us", tz="UTC"))


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
    ) -> None:
        self.path = root / cutoff_name(cutoff_ns)
        self._provenance = provenance
        self._format = file_format
        self._rank = rank
        self._world = world
        identity = json.dumps([asdict(provenance), file_format, world], sort_keys=True)
        key = hashlib.sha256(identity.encode()).hexdigest()[:12]
        self._staging = root / STAGING / f"{self.path.name}.{key}"

    def is_done(self) -> bool:
        """Whether the folder is there, whole, and of this very provenance."""
        success = self._success()
        if success is None or success["format"] != self._format:
            return False
        same = all(success[name] == value for name, value in asdict(self._provenance).items())
        return same and all((self.path / name).exists() for name in success["checksums"])

    def has_part(self) -> bool:
        """Whether this process' part was already written by an earlier, interrupted run."""
        return self._marker(self._rank).exists()

    def write_part(self, table: pa.Table) -> None:
        """Write this process' part beside its place.

        Raises
        ------
        DataError
            When it cannot be written.
        """
        path = self._part(self._rank)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            scratch = path.with_suffix(".tmp")
            _write_table(table, scratch, self._format)
            marker = {"rows": table.num_rows, "sha256": _checksum(scratch)}
            scratch.rename(path)
            scratch.write_text(json.dumps(marker), encoding="utf-8")
            scratch.rename(self._marker(self._rank))
        except OSError as error:
            raise DataError(
                f"{path.parent}: forecasts cannot be written ({error.strerror}); see output.path"
            ) from error

    def finish(self, *, series: int, rows: int, wait_s: float = _WAIT_S) -> Path:
        """Check all parts and give the folder its name; only the first process does this.

        Parameters
        ----------
        series, rows
            What must be there: rows = series x targets x steps.

        Raises
        ------
        DataError
            When a part does not come, or a row is missing or there twice.
        """
        markers = [self._await(rank, wait_s) for rank in range(self._world)]
        self._check(series, rows)
        success = {
            "rows": rows,
            "series": series,
            "format": self._format,
            "checksums": {
                self._part(rank).name: marker["sha256"] for rank, marker in enumerate(markers)
            },
            **asdict(self._provenance),
        }
        text = json.dumps(success, indent=1, sort_keys=True)
        (self._staging / SUCCESS).write_text(text + "\n", encoding="utf-8")
        for rank in range(self._world):
            self._marker(rank).unlink()
        self._move()
        return self.path

    def _move(self) -> None:
        old = self._staging.with_name(f"{self._staging.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        if self.path.exists():
            self.path.rename(old)
        self._staging.rename(self.path)
        shutil.rmtree(old, ignore_errors=True)
        try:
            self._staging.parent.rmdir()
        except OSError:  # other cutoffs are still on their way
            return

    def _check(self, series: int, rows: int) -> None:
        keys = ["unique_id", "target", "step"]
        parts = [_read_keys(self._part(rank), self._format, keys) for rank in range(self._world)]
        table = pa.concat_tables(parts)
        distinct = table.group_by(keys).aggregate([]).num_rows
        found = pc.count_distinct(table["unique_id"]).as_py()
        if (table.num_rows, distinct, found) != (rows, rows, series):
            raise DataError(
                f"{self._staging}: {table.num_rows} rows, {distinct} distinct (series, target, "
                f"step), {found} series where {rows} rows of {series} series are due; "
                "delete the folder and run again"
            )

    def _await(self, rank: int, wait_s: float) -> dict[str, Any]:
        deadline = time.monotonic() + wait_s
        while not self._marker(rank).exists():
            if time.monotonic() > deadline:
                raise DataError(
                    f"{self._part(rank)}: process {rank} of {self._world} wrote no part within "
                    f"{wait_s:g} s; see its log and run again"
                )
            time.sleep(0.05)
        marker: dict[str, Any] = json.loads(self._marker(rank).read_text(encoding="utf-8"))
        return marker

    def _success(self) -> dict[str, Any] | None:
        try:
            content: dict[str, Any] = json.loads((self.path / SUCCESS).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return content

    def _part(self, rank: int) -> Path:
        return self._staging / f"part-{rank:05d}.{self._format}"

    def _marker(self, rank: int) -> Path:
        return self._staging / f"part-{rank:05d}.done"


def _write_table(table: pa.Table, path: Path, file_format: Format) -> None:
    if file_format == "parquet":
        pa.parquet.write_table(table, path, compression="zstd")
    else:
        for name in ("ds", "cutoff"):
            text = pc.strftime(table[name], format="%Y-%m-%dT%H:%M:%SZ")
            table = table.set_column(table.schema.get_field_index(name), name, text)
        pa.csv.write_csv(table, path)
    with path.open("rb") as file:
        os.fsync(file.fileno())


def read_forecasts(path: Path) -> pa.Table:
    """Return the forecasts of one cutoff's folder, all parts in order."""
    success = json.loads((path / SUCCESS).read_text(encoding="utf-8"))
    parts = [path / name for name in sorted(success["checksums"])]
    if success["format"] == "parquet":
        return pa.concat_tables([pa.parquet.read_table(part, partitioning=None) for part in parts])
    text = dict.fromkeys(("unique_id", "target", "model_version", "run_id", "flag"), pa.string())
    stamps = dict.fromkeys(("ds", "cutoff"), pa.timestamp("us", tz="UTC"))
    options = pa.csv.ConvertOptions(column_types=text | stamps, strings_can_be_null=False)
    return pa.concat_tables([pa.csv.read_csv(part, convert_options=options) for part in parts])


def _read_keys(path: Path, file_format: Format, keys: list[str]) -> pa.Table:
    if file_format == "parquet":
        return pa.parquet.read_table(path, columns=keys, partitioning=None)
    types = {"unique_id": pa.string(), "target": pa.string()}
    options = pa.csv.ConvertOptions(include_columns=keys, column_types=types)
    return pa.csv.read_csv(path, convert_options=options)


def _checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
