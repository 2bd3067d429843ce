"""Who started a run, from where, and whether that process still lives; logs no result."""

from __future__ import annotations

import getpass
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.process.clock import moved_now

if TYPE_CHECKING:
    from pipelines.tracking.store import Store

LONGEST = 500  # characters of a tag that every store takes


def create_run(store: Store, kind: str, parent_id: str | None) -> str:
    """Create a run that says what started it, where, by whom; return its id."""
    tags = {
        "mlflow.user": _user(),
        "mlflow.source.name": _command()[:LONGEST],
        "mlflow.source.type": "LOCAL",
        "kind": kind,
        "host": socket.gethostname(),
        "pid": str(os.getpid()),
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


def close_orphans(store: Store) -> None:
    """Mark as killed the runs of this machine whose process is gone (kill -9, a power cut)."""
    running = store.client.search_runs(
        [store.experiment_id],
        filter_string=f"attributes.status = 'RUNNING' and tags.host = '{socket.gethostname()}'",
        max_results=100,
    )
    for run in running:
        pid = run.data.tags.get("pid", "")
        if pid.isdigit() and not _is_alive(int(pid)):
            store.client.set_terminated(run.info.run_id, "KILLED")


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _command() -> str:
    """Return the command line as typed in the config's folder, without passwords in addresses."""
    words = [Path(word).name if word.endswith((".yaml", ".yml")) else word for word in sys.argv[1:]]
    return re.sub(r"://[^@/ ]+@", "://", " ".join(["forecast", *words]))


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
