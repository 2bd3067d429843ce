"""The scheduling loop: starts every due run once, in order.

Rules. Each missed `predict` is made up for, with the clock set to its own time, because somebody
expects each of these forecasts. Missed runs of the other verbs collapse into the newest, which
covers everything up to now anyway. Runs due now start before missed ones, and missed ones newest
first. `predict` and `score` run in one lane and `retrain` and `evaluate` in another, so that a
forecast does not wait for a long training.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from pipelines.process.alerts import SCHEDULED
from pipelines.process.clock import SLICE_S, VARIABLE, Clock, minute_text
from pipelines.process.console import say
from pipelines.scheduling.cron import due_between, due_times
from pipelines.scheduling.ledger import DONE, FAILED, SKIPPED, Job, Ledger
from pipelines.scheduling.plan import VERBS
from pipelines.scheduling.status import status_of, write_status

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from pipelines.scheduling.plan import Plan

LANES = {"predict": "quick", "score": "quick", "evaluate": "long", "retrain": "long"}
EACH_MISSED = ("predict",)  # the verbs whose missed runs do not collapse
TRIES = {1: 3, 3: 3, 5: 3, 6: 10}  # total attempts by exit code; others (config, model): one
TRIES_INTERRUPTED = 3  # total attempts of a job that a signal or a crash ended
BACK_OFF_S = (30, 120, 300)  # between two attempts at a job; the last one repeats
LATE_S = 60.0  # a start later than this is reported as late
SHOW_EVERY = timedelta(minutes=1)
CLOCK_STEP = timedelta(minutes=5)  # a clock set back by less is a normal adjustment


@dataclass
class Running:
    """A job whose process has not ended."""

    job: Job
    attempt: int
    process: subprocess.Popen[bytes]
    since: float


class Scheduler:
    """Starts the jobs of a plan when they are due, until asked to stop."""

    def __init__(self, plan: Plan, ledger: Ledger, clock: Clock) -> None:
        self.plan = plan
        self.ledger = ledger
        self.clock = clock
        self.running: dict[str, Running] = {}
        self.stops_asked = 0
        self.shown_at: datetime | None = None

    def run(self, until: datetime | None = None) -> None:
        """Run what is due until an instant of the clock, or until a signal asks to stop."""
        for job in self.ledger.close_interrupted(self.clock.now()):
            say(f"{_name(job)}: did not end when the scheduler was stopped")
            if len(self.ledger.attempts(job)) >= TRIES_INTERRUPTED:
                self.ledger.settle(job, FAILED)
        with self._signals():
            while self._step(until):
                pass

    def _step(self, until: datetime | None) -> bool:
        """Do what can be done now; return whether there is more to come."""
        self._reap()
        if self.stops_asked:
            if self.running:
                time.sleep(SLICE_S)
            return bool(self.running)
        now = self.clock.now()
        self._write_down(now)
        self._start_ready(now)
        self._show(now)
        if self.running:
            if self.clock.is_moved:
                time.sleep(SLICE_S / 10)
            else:
                self.clock.wait(now + timedelta(seconds=SLICE_S))
            return True
        wake = self._next_wake(now)
        if wake is None or (until is not None and wake > until):
            return False
        self.clock.wait(wake)
        return True

    def _write_down(self, now: datetime) -> None:
        self._mend_clock(now)
        for verb, expression in self.plan.crons.items():
            seen = self.ledger.seen_until(verb)
            due = (
                []
                if seen is None
                else due_between(expression, self.plan.timezone, after=seen, until=now)
            )
            if not due and seen is not None:
                continue
            missed = [instant for instant in due if instant < now - self.plan.catch_up]
            fresh = [instant for instant in due if instant not in set(missed)]
            if verb not in EACH_MISSED:
                missed, fresh = missed + fresh[:-1], fresh[-1:]
                self._supersede(verb, fresh)
            self.ledger.write_down(verb, until=max(now, seen or now), due=fresh, skipped=missed)
            self._report_missed(verb, len(fresh), len(missed))

    def _mend_clock(self, now: datetime) -> None:
        """Delete runs recorded while the clock was ahead, so that they can become due again."""
        if self.clock.is_moved:
            return
        seen = [one for verb in self.plan.crons if (one := self.ledger.seen_until(verb))]
        if not seen or max(seen) <= now + CLOCK_STEP:
            return
        count = self.ledger.forget_after(now)
        say(
            f"the clock was ahead: the ledger reaches {max(seen):%Y-%m-%dT%H:%MZ}, and it is "
            f"{now:%Y-%m-%dT%H:%MZ}; {count} runs due after now will be due again",
            error=True,
        )

    def _report_missed(self, verb: str, fresh: int, missed: int) -> None:
        if fresh > 1:
            say(f"{verb}: {fresh - 1} missed runs will be made up for")
        text = f"{verb}: {missed} missed runs are not made up for"
        if missed:
            say(text)
        if fresh or missed:
            self.plan.tell("skipped", verb, text if missed else None)

    def _show(self, now: datetime) -> None:
        """Write the status file, once a minute and when a job ends."""
        if self.plan.status is None:
            return
        if self.shown_at is None or not timedelta(0) <= now - self.shown_at < SHOW_EVERY:
            write_status(self.plan.status, status_of(self.plan, self.ledger, now))
            self.shown_at = now

    def _supersede(self, verb: str, fresh: list[datetime]) -> None:
        """Let a newer due run replace older ones that wait for another attempt."""
        if fresh:
            for job in self.ledger.pending():
                if job.verb == verb and not self._is_running(job):
                    self.ledger.settle(job, SKIPPED)

    def _start_ready(self, now: datetime) -> None:
        """Start the first ready job in every free lane."""
        for job in self._in_order():
            if LANES[job.verb] not in self.running and self._ready_at(job) <= now:
                if self.clock.is_moved and self.running:
                    return  # a replay runs one job at a time
                self._start(job, now)

    def _in_order(self) -> list[Job]:
        """Return runs due now in the order of the verbs, then missed ones, newest first."""
        newest = {verb: self.ledger.newest(verb) for verb in self.plan.crons}
        pending = [job for job in reversed(self.ledger.pending()) if job.verb in newest]
        current = [job for job in pending if job.due == newest[job.verb]]
        missed = [job for job in pending if job.due != newest[job.verb]]
        return sorted(current, key=lambda job: VERBS.index(job.verb)) + missed

    def _start(self, job: Job, now: datetime) -> None:
        late_s = (now - job.due).total_seconds()
        environment = os.environ | {SCHEDULED: "1"}
        if self.clock.is_moved or job.due != self.ledger.newest(job.verb):
            environment[VARIABLE] = job.due.isoformat()
        attempt = self.ledger.start(job, now)
        process = subprocess.Popen(
            self.plan.command(job.verb),
            env=environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the scheduler: the job may finish
        )
        self.running[LANES[job.verb]] = Running(job, attempt, process, time.monotonic())
        late = f", {_span(late_s)} late" if late_s > LATE_S else ""
        if job.due == self.ledger.newest(job.verb) and attempt == 1:
            was = f"{_name(job)} started {_span(late_s)} late" if late else None
            self.plan.tell("late", job.verb, was)
        say(f"{_name(job)}: started{late}" + (f", attempt {attempt}" if attempt > 1 else ""))

    def _reap(self) -> None:
        for lane, running in list(self.running.items()):
            spent_s = time.monotonic() - running.since
            exit_code = running.process.poll()
            if exit_code is None and spent_s > self.plan.time_limit.total_seconds():
                say(f"{_name(running.job)}: over its time limit after {_span(spent_s)}", error=True)
                exit_code = _stop(running.process)
            if exit_code is not None:
                del self.running[lane]
                self._finish(running, exit_code, spent_s)

    def _finish(self, running: Running, exit_code: int, spent_s: float) -> None:
        now = self.clock.now()
        self.shown_at = None
        self.ledger.end(running.job, running.attempt, at=now, exit_code=exit_code)
        if exit_code == 0:
            self.ledger.settle(running.job, DONE)
            self.plan.tell("failed", running.job.verb, None)
            say(f"{_name(running.job)}: done in {_span(spent_s)}")
        elif running.attempt >= _tries(exit_code):
            self.ledger.settle(running.job, FAILED)
            text = f"{_name(running.job)}: failed for good, exit code {exit_code}"
            say(text, error=True)
            self.plan.tell("failed", running.job.verb, text)
        else:
            wait = _span(_back_off_s(running.attempt))
            say(f"{_name(running.job)}: failed, exit code {exit_code}; again in {wait}", error=True)

    def _ready_at(self, job: Job) -> datetime:
        """Return when a job may start: when due, or after its back-off."""
        attempts = self.ledger.attempts(job)
        if not attempts:
            return job.due
        ended = attempts[-1].ended or attempts[-1].started
        if ended > self.clock.now() + CLOCK_STEP:
            return job.due  # the last attempt was made while the clock was ahead
        return ended + timedelta(seconds=_back_off_s(len(attempts)))

    def _next_wake(self, now: datetime) -> datetime | None:
        coming = [
            next(due_times(cron, self.plan.timezone, after=now))
            for cron in self.plan.crons.values()
        ]
        return min([*coming, *map(self._ready_at, self._in_order())], default=None)

    def _is_running(self, job: Job) -> bool:
        return any(running.job == job for running in self.running.values())

    @contextmanager
    def _signals(self) -> Iterator[None]:
        def ask(_number: int, _frame: FrameType | None) -> None:
            self.stops_asked += 1
            if self.stops_asked == 1:
                names = ", ".join(running.job.verb for running in self.running.values())
                say(f"stopping after {names}" if names else "stopping")
            else:
                for running in self.running.values():
                    running.process.terminate()

        before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            for running in self.running.values():  # only after a fault of this program
                _stop(running.process)


def _stop(process: subprocess.Popen[bytes]) -> int:
    """Ask a job's process group to end, then end it."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        return process.wait(timeout=30)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    return process.wait()


def _tries(exit_code: int) -> int:
    is_signal = exit_code < 0 or exit_code > 128
    return TRIES_INTERRUPTED if is_signal else TRIES.get(exit_code, 1)


def _back_off_s(attempt: int) -> int:
    return BACK_OFF_S[min(attempt, len(BACK_OFF_S)) - 1]


def _name(job: Job) -> str:
    return f"{minute_text(job.due)} {job.verb}"


def _span(seconds: float) -> str:
    """Return a span of time for people to read.

    >>> _span(4.25), _span(600), _span(90_000)
    ('4.2 s', '10 min', '25 h')
    """
    if seconds < 120:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
