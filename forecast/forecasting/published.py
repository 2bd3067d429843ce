"""Folders of published forecasts: whether one is whole, and which of its files are ours.

What killed runs left beside them is removed here.
"""

import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from forecast.whole_files import faults_of, read_object, retire_folder

SUCCESS = "_SUCCESS.json"
_PART = re.compile(r"part-\d{5}\.(parquet|csv)")
_STAGED = re.compile(r"(cutoff=[0-9TZ-]+)\.[0-9a-f]{12}(\.old)?")
_STAGED_FILE = re.compile(
    r"\.?part-\d{5}\.(parquet|csv|tmp|done|done\.part)|\.?_SUCCESS\.json(\.part)?"
)


def staging_folder(root: Path) -> Path:
    """Return where the folders below `root` are made before they get their names."""
    return root / ".staging"


def read_success(path: Path) -> dict[str, Any]:
    """Return what a folder's `_SUCCESS.json` says.

    Raises
    ------
    FileNotFoundError
        There is none: no folder of ours, or not whole.
    ValueError
        It is damaged.
    """
    success = read_object(path / SUCCESS)
    sums = success.get("checksums")
    if success.get("format") not in {"parquet", "csv"} or not isinstance(sums, dict):
        raise ValueError("it names no format and no checksums")
    return success


def forecast_faults(path: Path) -> list[str]:
    """Return what is wrong with a published folder, in words; nothing when it is whole."""
    try:
        success = read_success(path)
    except FileNotFoundError:
        return [f"{SUCCESS} is missing"]
    except (OSError, ValueError) as error:
        return [f"{SUCCESS} is damaged ({error})"]
    return faults_of(path, success["checksums"])


def stale_staging(root: Path) -> list[Path]:
    """Return the files that `remove_stale_staging` would remove, if no run is on its way."""
    found = [folder for folder, published in _staged(root) if not _is_only_copy(folder, published)]
    return [file for folder in found for file in _ours(folder)]


def _staged(root: Path) -> list[tuple[Path, Path]]:
    """Return the folders on the way to a cutoff below `root`, and that of the cutoff."""
    staging = staging_folder(root)
    entries = sorted(staging.iterdir()) if staging.is_dir() else []
    found = [(entry, _STAGED.fullmatch(entry.name)) for entry in entries if entry.is_dir()]
    return [(entry, root / match[1]) for entry, match in found if match is not None]


def _is_only_copy(folder: Path, published: Path) -> bool:
    """Return whether a run was killed between two renames, so that the cutoff has its old name."""
    return folder.suffix == ".old" and not published.exists()


def _ours(folder: Path) -> list[Path]:
    return [entry for entry in folder.iterdir() if _STAGED_FILE.fullmatch(entry.name)]


def remove_stale_staging(root: Path, *, keep: Iterable[Path]) -> None:
    """Remove what killed runs left on the way to cutoffs that this run does not write.

    Parameters
    ----------
    root
        Folder of all cutoffs.
    keep
        Staging folders of the run that asks.
    """
    staging, kept = staging_folder(root), set(keep)
    if not staging.is_dir():
        return
    for folder, published in _staged(root):
        if folder in kept:
            continue
        if _is_only_copy(folder, published):
            folder.rename(published)
            continue
        retire_folder(folder, published, ours=[file.name for file in _ours(folder)])
    with suppress(OSError):
        staging.rmdir()


def made_by_us(path: Path) -> list[str]:
    """Return the names in a cutoff's folder that its success file, or what is left of it, lists."""
    if not (path / SUCCESS).is_file():
        return []
    try:
        return [SUCCESS, *read_success(path)["checksums"]]
    except (OSError, ValueError):  # damaged: what has the name of a part is one
        return [SUCCESS, *(file.name for file in path.iterdir() if _PART.fullmatch(file.name))]
