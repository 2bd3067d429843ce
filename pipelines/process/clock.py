"""The current time of a job: the wall clock, or `FORECAST_NOW` in a replay.

A job that reads this clock instead of the system's can be replayed: with `FORECAST_NOW` set, it
must not use readings newer than that instant.
"""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Protocol

from forecast.errors import ConfigError
from forecast.ranks import group
from forecast.ranks.store import agree

VARIABLE = "FORECAST_NOW"
SLICE_S = 0.25  # how soon a scheduler sees a signal or the end of a job


def moved_now() -> datetime | None:
    """Return the instant in `FORECAST_NOW` in UTC, or None if it is not set.

    Raises
    ------
    ConfigError
        The variable is not an ISO 8601 instant with a time zone.
    """
    text = os.environ.get(VARIABLE)
    return parse_instant(text, where=f"environment variable {VARIABLE}") if text else None


def now() -> datetime:
    """Return the current instant in UTC, or `FORECAST_NOW` if that is set.

    Processes that were started together share the instant at which the first of them asked.
    """
    if (moved := moved_now()) is not None:
        return moved
    return datetime.now(UTC) if group().launcher in {"", "forecast"} else _shared_now()


@cache
def _shared_now() -> datetime:
    return datetime.fromisoformat(agree("clock", lambda: datetime.now(UTC).isoformat()))


def parse_instant(text: str, *, where: str) -> datetime:
    """Read an ISO 8601 instant with a zone as UTC.

    >>> parse_instant("2013-12-01T00:00Z", where="--now")
    datetime.datetime(2013, 12, 1, 0, 0, tzinfo=datetime.timezone.utc)

    Raises
    ------
    ConfigError
        The text is not ISO 8601, or has no time zone.
    """
    from forecast.data.tables.typed_time import typed_instant  # a wall clock needs no tables

    try:
        instant = typed_instant(text, None)
    except ValueError as cause:
        raise ConfigError(f"{where}: {text!r} {cause}") from cause
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=instant // 1000)


def minute_text(instant: datetime) -> str:
    """Return an instant to the minute in UTC, as messages and folders name it.

    >>> minute_text(datetime(2013, 12, 1, 7, 30, tzinfo=UTC))
    '2013-12-01T07:30Z'
    """
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%MZ}"


class Clock(Protocol):
    """The current time of the scheduler, and how it waits."""

    is_moved: bool

    def now(self) -> datetime:
        """Return the current instant in UTC."""
        ...

    def wait(self, until: datetime) -> None:
        """Wait until `until` at the latest; may return early."""
        ...


class WallClock:
    """The system clock."""

    is_moved = False

    def now(self) -> datetime:
        """Return the current instant in UTC."""
        return datetime.now(UTC)

    def wait(self, until: datetime) -> None:
        """Sleep for a short slice."""
        time.sleep(min(SLICE_S, max(0.0, (until - self.now()).total_seconds())))


class MovedClock:
    """A clock that stands still while a job runs and jumps to the next due run."""

    is_moved = True

    def __init__(self, start: datetime) -> None:
        self._now = start

    def now(self) -> datetime:
        """Return the current instant in UTC."""
        return self._now

    def wait(self, until: datetime) -> None:
        """Jump to `until`."""
        self._now = max(self._now, until)
