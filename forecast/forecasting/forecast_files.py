"""Writes forecast files: a folder per cutoff, whole or not at all, the same bytes every time.

`<root>/cutoff=2013-12-30T23-00Z/part-00000.parquet` with `_SUCCESS.json`. Several processes write
one part each; the first checks that every (series, target, step) is there exactly once before
the folder gets its name.
"""

import hashlib
import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from forecast.errors import DataError
from forecast.forecasting.forecast_table import Provenance
from forecast.forecasting.published import SUCCESS, made_by_us, read_success, staging_folder
from forecast.forecasting.row_files import KEYS, Format, is_each_once, read_rows, write_rows
from forecast.forecasting.spreadsheet_safe import SAFE, with_apostrophes
from forecast.whole_files import checksum, faults_of, publish_folder, read_object, write_whole

_WAIT_S = 600.0  # for the parts of other processes


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
        return with_apostrophes(table) if self._is_safe else table

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
