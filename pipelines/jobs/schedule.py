"""`forecast schedule run` and `list`: the config's plan, run by the loop or shown as a table.

Every job is a separate process, so that a crash of one does not affect the others.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from forecast.errors import ConfigError
from pipelines.process.alerts import read_alerts
from pipelines.process.clock import Clock, MovedClock, WallClock, minute_text, parse_instant
from pipelines.process.clock import now as current_instant
from pipelines.process.console import say, table
from pipelines.process.lock import run_lock
from pipelines.scheduling.ledger import FAILED, PENDING, SKIPPED, Attempt, Ledger
from pipelines.scheduling.plan import Plan, ledger_path, plan_of
from pipelines.scheduling.scheduler import Scheduler
from pipelines.scheduling.status import STATUS, complaints, read_status, status_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from forecast.config import Config

EXIT_CODES = {
    0: "done",
    2: "config",
    3: "data",
    4: "model",
    5: "tracking",
    6: "locked",
    -1: "interrupted",
}


def run(
    config: Config,
    *,
    overrides: Sequence[str] = (),
    now: str | None = None,
    until: str | None = None,
) -> int | None:
    """Run the jobs when they are due, until stopped.

    Parameters
    ----------
    config
        With at least one expression in `schedule`.
    overrides
        `--set` texts, passed on to every job.
    now
        Start of a moved clock, which jumps from one due run to the next: a replay.
    until
        Last instant; no end unless given.

    Raises
    ------
    ConfigError
        Nothing is scheduled, or `now` or `until` is not an instant.
    LockError
        Another scheduler runs this config.
    """
    plan = plan_of(config, overrides)
    if not plan.crons:
        raise ConfigError(
            f"{config.path}: schedule: no job has an expression; write one, such as "
            'schedule: {predict: "10 * * * *"}'
        )
    end = parse_instant(until, where="--until") if until else None
    if now is not None and end is None:
        raise ConfigError("--now moves the clock: say where it ends with --until")
    with run_lock(config.work_folder, "schedule run", file="schedule.lock"):
        ledger = Ledger(ledger_path(config))
        try:
            scheduler = Scheduler(plan, ledger, _clock(ledger, plan, now))
            say(f"{config.name}: {_describe(plan)}")
            scheduler.run(end)
        finally:
            ledger.close()
    return None


def show(config: Config) -> int | None:
    """Print when each job is due next, and the outcome of its last run.

    Returns
    -------
    1 if the last run of any job failed, else None.
    """
    plan = plan_of(config, ())
    zone = ZoneInfo(plan.timezone)
    with _ledger(config) as ledger:
        status = status_of(plan, ledger, current_instant())
        lasts = {verb: ledger.last(verb) if ledger else None for verb in plan.crons}
    rows: list[list[object]] = []
    for verb, job in status["jobs"].items():
        counts = [job[state] for state in (PENDING, FAILED, SKIPPED)]
        times = [_told(job["next_due"], zone), *_result(lasts[verb], zone)]
        rows.append([verb, job["cron"], *times, _told(job["last_good"], zone), *counts])
    columns = ["job", "cron", "next due", "last due", "result", "last good"]
    columns += ["waiting", "failed", "skipped"]
    table(f"{config.name}: schedule in {plan.timezone}", columns, rows)
    for key, alert in read_alerts(config.work_folder).items():
        say(f"{key} since {alert['since']}: {alert['text']}")
    has_failed = any(job["exit_code"] not in (0, None) for job in status["jobs"].values())
    return 1 if has_failed else None


def health(config: Config) -> int | None:
    """Print what is wrong with the service, one line per problem, for a probe.

    Returns
    -------
    1 if the loop does not run, a job failed or waits for longer than `schedule.time_limit`, or an
    alert is active; else None.
    """
    plan = plan_of(config, ())
    now = current_instant()
    with _ledger(config) as ledger:
        status = status_of(plan, ledger, now)
    written = read_status(config.work_folder / STATUS)
    found = complaints(status, written, now=now, limit=plan.time_limit)
    found += [f"{key}: {alert['text']}" for key, alert in read_alerts(config.work_folder).items()]
    for complaint in found:
        say(f"{config.name}: {complaint}", error=True)
    if not found:
        say(f"{config.name}: healthy")
    return 1 if found else None


@contextmanager
def _ledger(config: Config) -> Iterator[Ledger | None]:
    """Open the ledger if it exists; do not create one."""
    if not ledger_path(config).exists():
        yield None
        return
    ledger = Ledger(ledger_path(config))
    try:
        yield ledger
    finally:
        ledger.close()


def _told(instant: str | None, zone: ZoneInfo) -> str:
    return "-" if instant is None else _local(datetime.fromisoformat(instant), zone)


def _clock(ledger: Ledger, plan: Plan, start: str | None) -> Clock:
    """Return the wall clock, or a moved one that starts at `start` or at the end of the ledger."""
    if start is None:
        return WallClock()
    moved = parse_instant(start, where="--now")
    seen = [one for verb in plan.crons if (one := ledger.seen_until(verb))]
    if seen and min(seen) > moved:
        say(f"the ledger starts again at {minute_text(min(seen))}, later than --now")
        moved = min(seen)
    return MovedClock(moved)


def _describe(plan: Plan) -> str:
    jobs = ", ".join(f"{verb} at {cron!r}" for verb, cron in plan.crons.items())
    return f"{jobs} ({plan.timezone}); Ctrl-C stops after the current job"


def _result(last: Attempt | None, zone: ZoneInfo) -> tuple[str, str]:
    if last is None:
        return "-", "-"
    if last.exit_code is None:
        return _local(last.job.due, zone), f"running since {_local(last.started, zone)}"
    word = EXIT_CODES.get(last.exit_code, "failed")
    if last.exit_code == 0 and last.ended is not None:
        return _local(last.job.due, zone), f"done at {_local(last.ended, zone)}"
    return _local(last.job.due, zone), f"failed: {word} ({last.exit_code}), try {last.attempt}"


def _local(instant: datetime, zone: ZoneInfo) -> str:
    return f"{instant.astimezone(zone):%Y-%m-%d %H:%M %Z}"
