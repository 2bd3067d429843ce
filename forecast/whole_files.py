"""Writes files and folders atomically, and removes only files that this program has made.

Drafts have a fixed name beside the final path, so the next run overwrites what a killed run left.
Readers see either the old content or the new.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

AT_FDCWD = -100
RENAME_EXCHANGE = 2  # renameat2(2)


def write_whole(path: Path, content: bytes | str) -> None:
    """Write a file atomically: to a draft, synced to disk, then renamed.

    Only one process at a time may write a path; readers need no lock.
    """
    draft = draft_of(path)
    payload = content.encode() if isinstance(content, str) else content
    try:
        with draft.open("wb") as file:
            file.write(payload)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def draft_of(path: Path) -> Path:
    """Return the path of a file's draft."""
    return path.with_name(f".{path.name}.part")


def sync_folder(folder: Path) -> None:
    """Sync the names in a folder to disk, where the file system can."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network file systems refuse
            os.fsync(handle)
    finally:
        os.close(handle)


def read_object(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It is empty, cut short, or holds something else.
    """
    content = json.loads(path.read_bytes())
    if not isinstance(content, dict):
        raise ValueError(f"a {type(content).__name__} where an object is expected")  # noqa: TRY004
    return content


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def faults_of(folder: Path, checksums: Mapping[str, str]) -> list[str]:
    """Return what is wrong with the files of a folder, in words; empty if all are intact."""
    faults = []
    for name, expected in checksums.items():
        try:
            if checksum(folder / name) != expected:
                faults.append(f"{name} is not what was written (its checksum differs)")
        except FileNotFoundError:
            faults.append(f"{name} is missing")
        except OSError as error:
            faults.append(f"{name} cannot be read ({error.strerror})")
    return faults


def set_aside(path: Path) -> Path:
    """Rename a damaged file, without replacing an earlier one; return its new path."""
    number, aside = 1, path.with_name(f"{path.name}.damaged")
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}.damaged-{number}")
    path.rename(aside)
    return aside


def publish_folder(staging: Path, folder: Path, *, ours: Iterable[str]) -> None:
    """Replace a folder by a staged one, so that at any moment one of them is there.

    Parameters
    ----------
    staging
        The complete new folder, on the same disk.
    folder
        The path to replace.
    ours
        Names of the files in the old folder that this program made. Others move to the new folder.

    Raises
    ------
    FileExistsError
        A file that is not ours has the name of a file in the new folder.
    OSError
        The folder cannot be written, or a file stands in its place.
    """
    names = set(ours)
    if folder.exists():
        new = {entry.name for entry in staging.iterdir()}
        foreign = sorted({entry.name for entry in folder.iterdir()} & new - names)
        if foreign:
            raise FileExistsError(0, f"{foreign[0]} there was not made by this program")
        exchange(staging, folder)
        retire_folder(staging, folder, ours=names)
    else:
        staging.rename(folder)
    sync_folder(folder.parent)


def retire_folder(old: Path, folder: Path, *, ours: Iterable[str]) -> None:
    """Remove a folder that another has replaced: delete our files, move others to the new one."""
    names = set(ours)
    for entry in list(old.iterdir()):
        if entry.name in names:
            entry.unlink()
        elif folder.is_dir() and not (folder / entry.name).exists():
            entry.rename(folder / entry.name)
    with suppress(OSError):  # what is foreign and has no place elsewhere stays
        old.rmdir()


def exchange(folder: Path, other: Path) -> None:
    """Swap the names of two folders atomically.

    Where the system cannot (not Linux, some network disks) they are renamed one after the other.
    """
    with suppress(OSError, AttributeError):
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
        paths = os.fsencode(folder), os.fsencode(other)
        if renameat2(AT_FDCWD, paths[0], AT_FDCWD, paths[1], RENAME_EXCHANGE) == 0:
            return
    between = folder.with_name(f"{folder.name}.old")
    other.rename(between)
    folder.rename(other)
    between.rename(folder)
