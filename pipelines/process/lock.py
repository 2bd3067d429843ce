"""Allows one run per config at a time, by a file lock.

The lock is the operating system's (flock), so a crash or a power cut leaves no stale lock. The text
of the file only names the holder.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING

from forecast.errors import LockError
from forecast.ranks import rank

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_held: dict[Path, int] = {}  # locks of this process, and how many blocks have entered each


@contextmanager
def run_lock(
    work_folder: Path, verb: str, *, file: str = "lock", wait_s: float = 0.0
) -> Iterator[None]:
    """Hold the lock in a config's work folder while the block runs.

    A job may call another job, which enters the same lock again. In a distributed run only rank
    zero takes the lock, for all ranks.

    Raises
    ------
    LockError
        Another process held the lock for longer than `wait_s`; the message names it.
    """
    path = work_folder.absolute() / file
    if rank() != 0 or path in _held:
        _held[path] = _held.get(path, 0) + 1
        try:
            yield
        finally:
            _leave(path)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as handle:
        _acquire(handle, path, wait_s)
        _sign(handle, verb)
        _held[path] = 1
        try:
            yield
        finally:
            _leave(path)
            handle.truncate(0)


def is_held_elsewhere(work_folder: Path, file: str) -> bool:
    """Return whether another process holds a lock."""
    path = work_folder.absolute() / file
    if path in _held or not path.exists():
        return False
    with path.open("a+", encoding="utf-8") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _leave(path: Path) -> None:
    _held[path] -= 1
    if _held[path] == 0:
        del _held[path]


def _acquire(handle: IO[str], path: Path, wait_s: float) -> None:
    deadline = time.monotonic() + wait_s
    while True:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        if time.monotonic() >= deadline:
            raise LockError(_held_by(path))
        time.sleep(0.1)


def _sign(handle: IO[str], verb: str) -> None:
    holder = {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "verb": verb,
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    handle.seek(0)
    handle.truncate(0)
    handle.write(json.dumps(holder))
    handle.flush()


def _held_by(path: Path) -> str:
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
        who = "{verb} (process {pid} on {host}, since {since})".format(**holder)
    except (ValueError, KeyError, OSError):  # it has locked but not signed yet
        who = "another process"
    return f"{path}: held by {who}; wait until it ends, or stop that process, and run again"
