"""Who started a run, from where, and whether that job is still alive."""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
import sys
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from forecast.redaction import redact
from forecast.whole_files import write_whole
from pipelines.process.clock import moved_now
from pipelines.process.lock import is_held_elsewhere

if TYPE_CHECKING:
    from collections.abc import Collection

    from pipelines.tracking.store import Store

ID = "id"  # file in the work folder
LOCKS = {"evaluate": "evaluate.lock", "score": "score.lock"}  # of kinds that have their own
LONGEST = 500  # characters of a tag that every store takes


def create_run(store: Store, work_folder: Path, kind: str, parent_id: str | None) -> str:
    """Create a run that says what started it, where, by whom; return its id."""
    tags = {
        "mlflow.user": _user(),
        "mlflow.source.name": _command()[:LONGEST],
        "mlflow.source.type": "LOCAL",
        "kind": kind,
        "host": socket.gethostname(),
        "pid": str(os.getpid()),
        "work_folder": work_id(work_folder),
    }
    if commit := _commit():
        tags["mlflow.source.git.commit"] = commit
    if moved := moved_now():
        tags["forecast_now"] = moved.isoformat()
    if parent_id is not None:
        tags["mlflow.parentRunId"] = parent_id
    name = f"{kind} {time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime())}"
    run = store.client.create_run(store.experiment_id, run_name=name, tags=tags)
    return str(run.info.run_id)


def close_orphans(store: Store, work_folder: Path, *, alive: Collection[str]) -> None:
    """Mark as killed the runs of this work folder whose process is gone (kill -9, a power cut).

    A job holds its lock as long as it lives, in whatever container: process numbers say nothing
    there, since each container has its own first process.

    Parameters
    ----------
    alive
        Runs that this process has open.
    """
    running = store.client.search_runs(
        [store.experiment_id],
        filter_string=(
            f"attributes.status = 'RUNNING' and tags.work_folder = '{work_id(work_folder)}'"
        ),
        max_results=100,
    )
    for run in running:
        lock = LOCKS.get(run.data.tags.get("kind", ""), "lock")
        if run.info.run_id not in alive and not is_held_elsewhere(work_folder, lock):
            store.client.set_terminated(run.info.run_id, "KILLED")


def work_id(work_folder: Path) -> str:
    """Return the name, unlike any other, of a work folder on whatever machine; made once."""
    path = work_folder / ID
    with suppress(OSError):
        if text := path.read_text(encoding="utf-8").strip():
            return text
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, f"{uuid.uuid4().hex}\n")
    return path.read_text(encoding="utf-8").strip()


def _command() -> str:
    """Return the command line as typed in the config's folder, without passwords in addresses."""
    words = [Path(word).name if word.endswith((".yaml", ".yml")) else word for word in sys.argv[1:]]
    return redact(" ".join(["forecast", *words]))


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return str(os.getuid())


def _commit() -> str | None:
    """Return the git commit of the current directory, None outside a repository."""
    try:
        found = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() if found.returncode == 0 else None
