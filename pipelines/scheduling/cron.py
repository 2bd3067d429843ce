"""The times at which a cron expression is due, with clock changes handled.

In the hour that a clock change repeats, a job at a fixed hour is due once, and an hourly job (`*`,
`*/1`, `0-23`) in both passes. In the hour that a clock change skips, a job at a fixed time is due
at the end of that hour.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from croniter import croniter

if TYPE_CHECKING:
    from collections.abc import Iterator


def due_times(expression: str, zone: str, *, after: datetime) -> Iterator[datetime]:
    """Yield, without end, the UTC instants at which an expression is due after `after`.

    Parameters
    ----------
    expression
        Five fields: minute, hour, day of month, month, day of week.
    zone
        IANA zone of the expression.
    after
        An instant with a time zone; itself excluded.

    Examples
    --------
    >>> spring = datetime(2024, 3, 10, 6, tzinfo=UTC)
    >>> next(due_times("30 2 * * *", "America/New_York", after=spring)).isoformat()
    '2024-03-10T07:00:00+00:00'
    """
    expression = _with_plain_hours(expression)
    is_every_hour = expression.split()[1].startswith("*")
    local = after.astimezone(ZoneInfo(zone))
    instants = croniter(expression, local)
    while True:
        due = instants.get_next(datetime)
        is_repeated = due.astimezone(UTC).astimezone(ZoneInfo(zone)).fold == 1
        if is_every_hour or not is_repeated:
            yield due.astimezone(UTC)


def due_between(expression: str, zone: str, *, after: datetime, until: datetime) -> list[datetime]:
    """Return the due instants in (after, until], in UTC, oldest first."""
    found = []
    for due in due_times(expression, zone, after=after):
        if due > until:
            break
        found.append(due)
    return found


def _with_plain_hours(expression: str) -> str:
    """Write hours that list all 24 as `*`: croniter repeats an hour only for `*`.

    >>> [_with_plain_hours(f"5 {hours} * * *") for hours in ("0-23", "0-11,12-23", "*/2")]
    ['5 * * * *', '5 * * * *', '5 */2 * * *']
    """
    minute, hours, *rest = expression.split()
    named = croniter.expand(expression)[0][1]
    is_every_hour = named == ["*"] or set(range(24)) <= set(named)
    return " ".join([minute, "*" if is_every_hour else hours, *rest])
