"""The scheduler's ledger: every due run and its outcome, in a SQLite file.

A due run is recorded before it starts, so a crash loses none and a restart repeats none.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from forecast.whole_files import set_aside
from pipelines.process.console import say

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

PENDING, DONE, FAILED, SKIPPED = "pending", "done", "failed", "skipped"
INTERRUPTED = -1  # exit code of an attempt whose end the scheduler did not see

TABLES = """
CREATE TABLE IF NOT EXISTS seen (verb TEXT PRIMARY KEY, until TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS jobs (
    verb TEXT NOT NULL, due TEXT NOT NULL, state TEXT NOT NULL, PRIMARY KEY (verb, due)
);
CREATE TABLE IF NOT EXISTS attempts (
    verb TEXT NOT NULL, due TEXT NOT NULL, attempt INTEGER NOT NULL,
    started TEXT NOT NULL, ended TEXT, exit_code INTEGER, PRIMARY KEY (verb, due, attempt)
);
"""


class Job(NamedTuple):
    """A run that is due."""

    verb: str
    due: datetime


class Attempt(NamedTuple):
    """One start of a job; `ended` and `exit_code` are None while it runs."""

    job: Job
    attempt: int
    started: datetime
    ended: datetime | None
    exit_code: int | None


class Ledger:
    """A SQLite file with every due run and its attempts."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._database = _opened(path)
        except sqlite3.OperationalError:  # locked, or not writable
            raise
        except sqlite3.DatabaseError as error:
            aside = set_aside(path)
            say(
                f"{path}: damaged ({error}); moved to {aside.name}, the schedule starts again from "
                "now: runs missed before are not made up for",
                error=True,
            )
            self._database = _opened(path)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def seen_until(self, verb: str) -> datetime | None:
        """Return the instant up to which the due runs of a verb are recorded."""
        row = self._one("SELECT until FROM seen WHERE verb = ?", verb)
        return None if row is None else _instant(row[0])

    def write_down(
        self, verb: str, *, until: datetime, due: Sequence[datetime], skipped: Sequence[datetime]
    ) -> None:
        """Record due runs and skipped ones, all or nothing.

        A run that is already recorded stays as it is.
        """
        rows = [(verb, instant.isoformat(), PENDING) for instant in due]
        rows += [(verb, instant.isoformat(), SKIPPED) for instant in skipped]
        with self._together():
            self._database.executemany("INSERT OR IGNORE INTO jobs VALUES (?, ?, ?)", rows)
            self._database.execute(
                "INSERT INTO seen VALUES (?, ?) ON CONFLICT (verb) DO UPDATE SET until = ?",
                (verb, until.isoformat(), until.isoformat()),
            )

    def forget_after(self, instant: datetime) -> int:
        """Delete every run due after an instant, for a clock that was ahead; return how many.

        They become due again at their time.
        """
        text = instant.isoformat()
        with self._together():
            count = self._database.execute("DELETE FROM jobs WHERE due > ?", (text,)).rowcount
            self._database.execute("DELETE FROM attempts WHERE due > ?", (text,))
            self._database.execute("UPDATE seen SET until = ? WHERE until > ?", (text, text))
        return int(count)

    def pending(self) -> list[Job]:
        """Return the due runs that are not settled, oldest first."""
        rows = self._all("SELECT verb, due FROM jobs WHERE state = ? ORDER BY due, verb", PENDING)
        return [Job(verb, _instant(due)) for verb, due in rows]

    def newest(self, verb: str) -> datetime | None:
        """Return when a verb's newest recorded run was due, whatever its outcome."""
        row = self._one("SELECT MAX(due) FROM jobs WHERE verb = ?", verb)
        assert row is not None
        return None if row[0] is None else _instant(row[0])

    def settle(self, job: Job, state: str) -> None:
        """Record the outcome of a job: done, failed for good, or skipped."""
        self._database.execute(
            "UPDATE jobs SET state = ? WHERE verb = ? AND due = ?",
            (state, job.verb, job.due.isoformat()),
        )

    def start(self, job: Job, at: datetime) -> int:
        """Record the start of an attempt; return its number, from 1."""
        number = len(self.attempts(job)) + 1
        self._database.execute(
            "INSERT INTO attempts VALUES (?, ?, ?, ?, NULL, NULL)",
            (job.verb, job.due.isoformat(), number, at.isoformat()),
        )
        return number

    def end(self, job: Job, attempt: int, *, at: datetime, exit_code: int) -> None:
        """Record how an attempt ended."""
        self._database.execute(
            "UPDATE attempts SET ended = ?, exit_code = ? "
            "WHERE verb = ? AND due = ? AND attempt = ?",
            (at.isoformat(), exit_code, job.verb, job.due.isoformat(), attempt),
        )

    def close_interrupted(self, at: datetime) -> list[Job]:
        """End the attempts that an earlier scheduler left open; return their jobs."""
        rows = self._all("SELECT verb, due, attempt FROM attempts WHERE ended IS NULL")
        jobs = []
        for verb, due, attempt in rows:
            jobs.append(Job(verb, _instant(due)))
            self.end(jobs[-1], int(attempt), at=at, exit_code=INTERRUPTED)
        return jobs

    def attempts(self, job: Job) -> list[Attempt]:
        """Return the attempts at a job, first to last."""
        rows = self._all(
            "SELECT attempt, started, ended, exit_code FROM attempts "
            "WHERE verb = ? AND due = ? ORDER BY attempt",
            job.verb,
            job.due.isoformat(),
        )
        return [_attempt(job, row) for row in rows]

    def last(self, verb: str) -> Attempt | None:
        """Return the newest attempt at the newest run of a verb that was started."""
        row = self._one(
            "SELECT attempt, started, ended, exit_code, due FROM attempts "
            "WHERE verb = ? ORDER BY due DESC, attempt DESC LIMIT 1",
            verb,
        )
        return None if row is None else _attempt(Job(verb, _instant(row[4])), row)

    def last_good(self, verb: str) -> Attempt | None:
        """Return the newest attempt at a verb that ended with 0."""
        row = self._one(
            "SELECT attempt, started, ended, exit_code, due FROM attempts "
            "WHERE verb = ? AND exit_code = 0 ORDER BY due DESC, attempt DESC LIMIT 1",
            verb,
        )
        return None if row is None else _attempt(Job(verb, _instant(row[4])), row)

    def count(self, verb: str, state: str) -> int:
        """Return how many runs of a verb are in a state."""
        row = self._one("SELECT COUNT(*) FROM jobs WHERE verb = ? AND state = ?", verb, state)
        assert row is not None
        return int(row[0])

    @contextmanager
    def _together(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    def _all(self, query: str, *values: object) -> list[tuple[str, ...]]:
        return self._database.execute(query, values).fetchall()

    def _one(self, query: str, *values: object) -> tuple[str, ...] | None:
        row: tuple[str, ...] | None = self._database.execute(query, values).fetchone()
        return row


def _opened(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None, timeout=30)
    try:
        database.executescript(TABLES)
        database.execute("SELECT COUNT(*) FROM attempts JOIN jobs USING (verb, due)").fetchone()
    except sqlite3.Error:
        database.close()
        raise
    return database


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _attempt(job: Job, row: Sequence[str]) -> Attempt:
    number, started, ended, exit_code = row[:4]
    return Attempt(
        job,
        int(number),
        _instant(started),
        None if ended is None else _instant(ended),
        None if exit_code is None else int(exit_code),
    )
