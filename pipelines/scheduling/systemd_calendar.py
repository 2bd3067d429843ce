"""Translates cron expressions to systemd's OnCalendar."""

from __future__ import annotations

WEEKDAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]


def calendar_lines(cron: str, timezone: str) -> list[str]:
    """Return the OnCalendar expressions that together are due when a cron expression is.

    If both the day of the month and the day of the week are restricted, cron runs on either, which
    takes two expressions.

    >>> calendar_lines("10 * * * *", "UTC")
    ['*-*-* *:10:00 UTC']
    >>> calendar_lines("0 3 1 * 0", "UTC")
    ['*-*-01 03:00:00 UTC', 'Sun *-*-* 03:00:00 UTC']
    """
    minute, hour, day, month, weekday = cron.lower().split()
    months = _field(month, first=1, names={name: i for i, name in enumerate(MONTHS, 1)})
    clock = f"{_field(hour)}:{_field(minute)}:00 {timezone}"
    by_day = f"*-{months}-{_field(day, first=1)} {clock}"
    if weekday == "*":
        return [by_day]
    by_weekday = f"{_weekdays(weekday)} *-{months}-* {clock}"
    return [by_weekday] if day == "*" else [by_day, by_weekday]


def _field(text: str, *, first: int = 0, names: dict[str, int] | None = None) -> str:
    """Translate one field: lists, ranges and steps."""
    return ",".join(_part(part, first, names or {}) for part in text.split(","))


def _part(text: str, first: int, names: dict[str, int]) -> str:
    span, _, step = text.partition("/")
    low, _, high = span.partition("-")
    if span == "*":
        return f"{first:02d}/{step}" if step else "*"
    low = f"{names.get(low, low)!s:0>2}"
    if not high:
        return f"{low}/{step}" if step else low
    high = f"{names.get(high, high)!s:0>2}"
    return f"{low}..{high}/{step}" if step else f"{low}..{high}"


def _weekdays(text: str) -> str:
    """Spell out days of the week, which systemd knows only by name."""
    found: list[str] = []
    for part in text.split(","):
        span, _, step = part.partition("/")
        low, _, high = span.replace("*", "0-6").partition("-")
        first = _weekday(low)
        last = _weekday(high) if high else first
        if last == 0 and high:
            last = 7
        found += [WEEKDAYS[day] for day in range(first, last + 1, int(step or 1))]
    return ",".join(dict.fromkeys(found))


def _weekday(text: str) -> int:
    names = [name.lower() for name in WEEKDAYS[:7]]
    return names.index(text) if text in names else int(text)
