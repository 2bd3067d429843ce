"""A panel as a folder: a file of values, `meta.json`, and what an append needs.

`meta.json` names the other files and is replaced last and at once, so that a reader sees the old
panel or the new one, never half of one.
"""

from __future__ import annotations

import json
import shutil
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from forecast.data.chunk import SCHEMA
from forecast.data.grid import Grid
from forecast.data.panel.ownership import META, claim, has_leftovers, release
from forecast.data.panel.panel import Panel
from forecast.data.panel.vintages import Vintages
from forecast.errors import DataError, ForecastError
from forecast.whole_files import write_whole

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

MEND = "delete the folder and run `forecast prepare`"
WORK = "work"  # key of the folder that readings are laid aside in


def new_files(folder: Path) -> dict[str, str]:
    """Names for the files of one generation of a panel, claimed as ours; the folder is made.

    Raises
    ------
    DataError
        When the folder holds a `meta.json` that is not a panel's.
    OSError
        When the folder cannot be written.
    """
    generation = uuid.uuid4().hex[:8]
    names = {
        "values": "values-{}.f32",
        "tail": "tail-{}.npz",
        "indptr": "versions-{}.i8",
        "available_at": "known-{}.i8",
        "versions": "versions-{}.f32",
        WORK: ".work-{}",
    }
    files = {key: name.format(generation) for key, name in names.items()}
    claim(folder, files.values())
    return files


@contextmanager
def work_folder(folder: Path, files: Mapping[str, str]) -> Iterator[Path]:
    """Make the folder of a generation that readings are laid aside in, and remove it after."""
    work = folder / files[WORK]
    work.mkdir()
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def write_panel(panel: Panel, path: str | os.PathLike[str]) -> None:
    """Write a panel in memory to a folder, whole or not at all."""
    folder = Path(path)
    files = new_files(folder)
    panel.values.astype("<f4").tofile(folder / files["values"])
    kept = {"values": files["values"]}
    if panel.vintages is not None:
        kept |= {key: files[key] for key in ("indptr", "available_at", "versions")}
        panel.vintages.indptr.astype("<i8").tofile(folder / files["indptr"])
        panel.vintages.available_at.astype("<i8").tofile(folder / files["available_at"])
        panel.vintages.values.astype("<f4").tofile(folder / files["versions"])
    commit(folder, describe(panel, len(panel.values), kept))


def describe(
    panel: Panel, rows: int, files: Mapping[str, str], source: object = ()
) -> dict[str, Any]:
    """Content of `meta.json`."""
    versions = None if panel.vintages is None else len(panel.vintages.available_at)
    return {
        "schema": SCHEMA,
        "files": dict(files),
        "rows": rows,
        "versions": versions,
        "offset": panel.offset.tolist(),
        "length": panel.length.tolist(),
        "start": panel.start.tolist(),
        "series_ids": list(panel.series_ids),
        "targets": list(panel.targets),
        "past": list(panel.past),
        "known": list(panel.known),
        "static": [[None if np.isnan(x) else float(x) for x in row] for row in panel.static],
        "static_names": list(panel.static_names),
        "frequency": panel.grid.frequency,
        "timezone": panel.grid.timezone,
        "anchor_ns": panel.grid.anchor_ns,
        "fingerprint": panel.fingerprint,
        "account": panel.account,
        "categories": {name: list(labels) for name, labels in panel.categories.items()},
        "strays": [list(stray) for stray in panel.strays],
        "source": source,
    }


def commit(folder: Path, meta: Mapping[str, Any]) -> None:
    """Make a generation the panel of the folder, then remove the files of older ones."""
    write_whole(folder / META, json.dumps(meta))
    release(folder, _names(meta))


def is_tidy(folder: Path, meta: Mapping[str, Any]) -> bool:
    """Whether a panel's folder holds nothing of ours beside the panel."""
    return not has_leftovers(folder, _names(meta))


@contextmanager
def whole_or_nothing(folder: Path) -> Iterator[None]:
    """Remove what was begun in a panel's folder where the block fails; a full disk is told as such.

    Raises
    ------
    DataError
        When the folder cannot be written.
    """
    try:
        yield
    except OSError as error:
        remove_leftovers(folder)
        raise unwritable(folder, error) from error
    except BaseException:
        remove_leftovers(folder)
        raise


def unwritable(folder: Path, error: OSError) -> DataError:
    """Return the fault of a panel that cannot be written."""
    return DataError(
        f"{folder}: the panel cannot be written ({error}); free space or choose another folder "
        "with data.panel"
    )


def remove_leftovers(path: str | os.PathLike[str]) -> None:
    """Remove what a killed run left in a panel's folder; only while no other run writes there."""
    folder = Path(path)
    try:
        meta = read_meta(folder)
    except DataError:
        meta = {"files": {}}
    release(folder, _names(meta))


def _names(meta: Mapping[str, Any]) -> set[str]:
    return set(meta["files"].values())


def read_meta(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read `meta.json` of a panel.

    Raises
    ------
    DataError
        When there is none, or none that this version reads.
    """
    folder = Path(path)
    try:
        meta = json.loads((folder / META).read_text(encoding="utf-8"))
        schema = meta["schema"]
    except FileNotFoundError as error:
        raise DataError(f"{folder}: no panel here; run `forecast prepare`") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{folder / META}: damaged ({error}); {MEND}") from error
    if schema != SCHEMA:
        raise DataError(
            f"{folder}: panel of schema {schema!r}, this version reads {SCHEMA}; {MEND}"
        )
    return dict(meta)


def open_panel(path: str | os.PathLike[str]) -> Panel:
    """Open a panel from its folder; the values are mapped, not read.

    Raises
    ------
    DataError
        When the folder holds no whole panel.
    """
    folder = Path(path)
    meta = read_meta(folder)
    try:
        return _panel(folder, meta)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ForecastError) as error:
        if read_meta(folder) != meta:  # another process has just replaced it
            return open_panel(folder)
        raise DataError(f"{folder}: the panel is damaged ({error}); {MEND}") from error


def _panel(folder: Path, meta: dict[str, Any]) -> Panel:
    series, width = len(meta["series_ids"]), _width(meta)
    static = np.array(meta["static"], dtype=np.float32)
    panel = Panel(
        values=_map(folder / meta["files"]["values"], "<f4", (meta["rows"], width)),
        offset=np.array(meta["offset"], dtype=np.int64),
        length=np.array(meta["length"], dtype=np.int64),
        start=np.array(meta["start"], dtype=np.int64),
        series_ids=tuple(meta["series_ids"]),
        targets=tuple(meta["targets"]),
        past=tuple(meta["past"]),
        known=tuple(meta["known"]),
        static=static.reshape(series, len(meta["static_names"])),
        static_names=tuple(meta["static_names"]),
        grid=Grid(meta["frequency"], meta["timezone"], meta["anchor_ns"]),
        fingerprint=str(meta["fingerprint"]),
        account=dict(meta["account"]),
        vintages=_vintages(folder, meta),
        categories={name: tuple(labels) for name, labels in meta["categories"].items()},
        strays=tuple((str(name), int(time)) for name, time in meta["strays"]),
    )
    sizes = {len(panel.offset), len(panel.length), len(panel.start), series}
    ends = panel.offset + panel.length
    if len(sizes) > 1 or (series and int(ends.max()) > meta["rows"]):
        raise ValueError("series do not fit the values")
    return panel


def _vintages(folder: Path, meta: dict[str, Any]) -> Vintages | None:
    if meta["versions"] is None:
        return None
    files, count = meta["files"], meta["versions"]
    return Vintages(
        indptr=_map(folder / files["indptr"], "<i8", (meta["rows"] + 1,)),
        available_at=_map(folder / files["available_at"], "<i8", (count,)),
        values=_map(folder / files["versions"], "<f4", (count, _width(meta))),
    )


def _width(meta: dict[str, Any]) -> int:
    return len(meta["targets"]) + len(meta["past"]) + len(meta["known"])


def _map(path: Path, dtype: str, shape: tuple[int, ...]) -> NDArray[Any]:
    expected = int(np.prod(shape)) * np.dtype(dtype).itemsize
    found = path.stat().st_size
    if found < expected:  # an append that was cut short leaves a longer one
        raise ValueError(f"{path.name} has {found} bytes, not {expected}")
    if not expected:
        return np.empty(shape, dtype=dtype)
    return np.memmap(path, dtype=dtype, mode="c", shape=shape)
