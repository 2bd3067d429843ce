"""Alerts about a config's service: one message when a problem begins, one when it is over."""

from __future__ import annotations

import json
import os
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from forecast.errors import LockError
from forecast.ranks import rank
from forecast.redaction import redact
from forecast.whole_files import write_whole
from pipelines.process.alert_ways import send
from pipelines.process.clock import now
from pipelines.process.console import say
from pipelines.process.lock import run_lock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from forecast.config import Config
    from forecast.config.alert import Kind

ALERTS = "alerts.json"  # in the work folder: the current problems
SCHEDULED = "FORECAST_SCHEDULED"  # set for a job whose scheduler reports its failures
LOCK_S = 60.0

T = TypeVar("T")


def tell(config: Config, kind: Kind, text: str | None, *, about: str = "") -> None:
    """Report a problem, or with None that there is none; only changes are sent.

    A message that could not be sent is sent again the next time. A channel that fails is logged and
    does not fail the job.

    Parameters
    ----------
    kind
        The kind of problem; `alert.on` lists the kinds that are sent.
    text
        The problem in words.
    about
        The job, for kinds that each job has on its own.
    """
    if rank() != 0:
        return
    text = None if text is None else redact(text)
    path = config.work_folder / ALERTS
    key = f"{kind} {about}".strip()
    try:
        with run_lock(config.work_folder, "alert", file="alerts.lock", wait_s=LOCK_S):
            states = read_alerts(config.work_folder)
            known = states.pop(key, None)
            if text is not None:
                states[key] = _begun(config, kind, key, text=text, known=known)
            elif known is not None and not _ended(config, kind, key, known):
                states[key] = known
            if text is not None or known is not None:
                write_whole(path, json.dumps(states, indent=1, sort_keys=True) + "\n")
    except (OSError, LockError) as fault:
        say(f"{config.name}: {key}: could not be told ({fault})", error=True)


def read_alerts(work_folder: Path) -> dict[str, dict[str, Any]]:
    """Return the current problems, by kind and job."""
    with suppress(OSError, ValueError):
        found = json.loads((work_folder / ALERTS).read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return found
    return {}


def watched(config: Config, verb: str, job: Callable[[], T]) -> T:
    """Run a job and report whether it failed, if a channel is set and no scheduler reports it."""
    ways = config.alert
    is_told = bool(ways.command or ways.webhook or ways.email)
    if os.environ.get(SCHEDULED) or not is_told:
        return job()
    try:
        result = job()
    except LockError:  # another run of the same job is in progress
        raise
    except Exception as fault:
        tell(config, "failed", f"{verb}: {fault}", about=verb)
        raise
    tell(config, "failed", None, about=verb)
    return result


def _begun(
    config: Config, kind: Kind, key: str, *, text: str, known: dict[str, Any] | None
) -> dict[str, Any]:
    """Return the state of a problem, after sending it unless it has been sent."""
    if known is not None and known.get("told"):
        return {**known, "text": text}
    since = now().isoformat(timespec="seconds") if known is None else known["since"]
    return {"since": since, "text": text, "told": _sent(config, kind, key, "begun", text)}


def _ended(config: Config, kind: Kind, key: str, known: dict[str, Any]) -> bool:
    """Send that a problem is over; return whether that was sent, or its beginning never was."""
    text = f"over: {known['text']}"
    say(f"{config.name}: {text}")
    return not known.get("told") or _sent(config, kind, key, "over", text)


def _sent(config: Config, kind: Kind, key: str, state: str, text: str) -> bool:
    if kind not in config.alert.on:
        return True
    message = {
        "text": f"{config.name}: {text}",
        "name": config.name,
        "kind": kind,
        "about": key.removeprefix(kind).strip(),
        "state": state,
        "at": now().isoformat(timespec="seconds"),
        "host": socket.gethostname(),
    }
    faults = send(config.alert, message)
    for fault in faults:
        say(f"{config.name}: {fault}", error=True)
    return not faults
