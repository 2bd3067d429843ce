"""Which files of a panel's folder are ours: those its own list names, written before they are made.

A person may keep other things in the folder: only files on the list are removed or overwritten.
"""

from __future__ import annotations

import json
import re
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from forecast.errors import DataError
from forecast.whole_files import draft_of, read_object, write_whole

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

META = "meta.json"
LIST = ".panel-files.json"
_PANEL_KEYS = {"schema", "files", "series_ids"}  # of a `meta.json` that is a panel's
_VALUES = re.compile(r"values-[0-9a-f]{8}\.f32")


def claim(folder: Path, names: Iterable[str]) -> None:
    """Write down which files are about to be made in a folder; it is made where it is missing.

    Raises
    ------
    DataError
        When the folder holds a `meta.json` that is not a panel's.
    OSError
        When the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    listed = _listed(folder)
    if listed is None:
        listed = _of_older_version(folder)
    _write_list(folder, {*listed, *names})


def release(folder: Path, keep: Iterable[str]) -> None:
    """Remove the files the list names, but for those to keep."""
    listed = _listed(folder)
    if listed is None:
        return
    kept = set(keep)
    for name in listed - kept:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    draft_of(folder / META).unlink(missing_ok=True)
    if listed != kept:
        with suppress(OSError):  # a list that names what is gone does no harm
            _write_list(folder, kept)


def has_leftovers(folder: Path, keep: Iterable[str]) -> bool:
    """Whether the list names more than is to be kept: a killed run's files."""
    listed = _listed(folder)
    return listed is not None and listed != set(keep)


def _listed(folder: Path) -> set[str] | None:
    """Return the names in the list; None where there is no list."""
    try:
        names: list[Any] = read_object(folder / LIST)["made"]
        return {str(name) for name in names if "/" not in str(name)}
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError):  # it says that the folder is ours, no more
        return set()


def _of_older_version(folder: Path) -> set[str]:
    """Return the files of a panel that was made before there was a list."""
    path = folder / META
    try:
        meta = read_object(path)
        if meta.keys() >= _PANEL_KEYS:
            return {str(name) for name in meta["files"].values()}
    except FileNotFoundError:
        return set()
    except (ValueError, AttributeError):
        if any(_VALUES.fullmatch(entry.name) for entry in folder.iterdir()):
            return set()  # a panel's all the same, damaged
    raise DataError(
        f"{path}: this file is not a panel's, and the panel would replace it; name a folder of "
        "its own in data.panel, or move the file elsewhere"
    )


def _write_list(folder: Path, names: Iterable[str]) -> None:
    content = {"made_by": "forecast prepare", "made": sorted(names)}
    write_whole(folder / LIST, json.dumps(content))
