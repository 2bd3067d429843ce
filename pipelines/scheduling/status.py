"""The status of a schedule: each job's next, last and last successful run, as plain values."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from forecast.whole_files import write_whole
from pipelines.scheduling.cron import due_times
from pipelines.scheduling.ledger import FAILED, PENDING, SKIPPED

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.scheduling.ledger import Ledger
    from pipelines.scheduling.plan import Plan

STATUS = "status.json"  # in the work folder, written by `schedule run`
SILENT = timedelta(minutes=5)  # a scheduler that has not written for longer counts as stopped


def status_of(plan: Plan, ledger: Ledger | None, now: datetime) -> dict[str, Any]:
    """Return the status of each job; instants are ISO 8601 in UTC, or None."""
    jobs = {verb: _job(plan, ledger, verb, now) for verb in plan.crons}
    return {"at": now.isoformat(timespec="seconds"), "jobs": jobs}


def write_status(path: Path, status: dict[str, Any]) -> None:
    """Write the status file atomically; a full disk must not stop the schedule."""
    with suppress(OSError):
        write_whole(path, json.dumps(status, indent=1) + "\n")


def read_status(path: Path) -> dict[str, Any] | None:
    """Return what the scheduler wrote last; None without a readable file."""
    with suppress(OSError, ValueError):
        found = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(found, dict) and "at" in found:
            return found
    return None


def complaints(
    status: dict[str, Any], written: dict[str, Any] | None, *, now: datetime, limit: timedelta
) -> list[str]:
    """Return what is wrong with a schedule, in words; empty if it is healthy.

    Parameters
    ----------
    status
        The status now.
    written
        The status that the scheduler wrote last.
    limit
        Longest time that a job may wait.
    """
    found = []
    if written is None:
        found.append("the scheduler has not run here")
    elif now - datetime.fromisoformat(written["at"]) > SILENT:
        found.append(f"the scheduler has been silent since {written['at']}")
    for verb, job in status["jobs"].items():
        if job["exit_code"] not in (0, None):
            found.append(f"{verb}: the run due {job['last_due']} failed ({job['exit_code']})")
        waiting = job["waiting_since"]
        if waiting is not None and now - datetime.fromisoformat(waiting) > limit:
            found.append(f"{verb}: waiting since {waiting}")
    return found


def _job(plan: Plan, ledger: Ledger | None, verb: str, now: datetime) -> dict[str, Any]:
    due = next(due_times(plan.crons[verb], plan.timezone, after=now))
    last = ledger.last(verb) if ledger else None
    good = ledger.last_good(verb) if ledger else None
    waiting = [job.due for job in (ledger.pending() if ledger else []) if job.verb == verb]
    counts = {s: ledger.count(verb, s) if ledger else 0 for s in (PENDING, FAILED, SKIPPED)}
    return {
        "cron": plan.crons[verb],
        "next_due": due.isoformat(),
        "last_due": last.job.due.isoformat() if last else None,
        "exit_code": last.exit_code if last else None,
        "last_good": good.ended.isoformat() if good and good.ended else None,
        "waiting_since": min(waiting).isoformat() if waiting else None,
        **counts,
    }
