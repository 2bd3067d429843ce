"""Durations as people write them (`7d`, `24h`, `12M`), and their length in steps."""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from forecast.errors import ConfigError

UNIT_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}
UNIT_MONTHS = {"ME": 1, "MS": 1, "QE": 3, "QS": 3, "YE": 12, "YS": 12}
"""Months of each calendar unit; E and S name steps by their end or start."""
MONTH_S = 2_629_746
"""Mean seconds of a month: a twelfth of 365.2425 days."""
WORKDAY_S = 120_960
"""Mean seconds of a step of business days: a fifth of a week."""
_CLOCK = re.compile(r"^\s*(\d+)\s*(s|min|h|d|w)\s*$")
_PATTERN = re.compile(r"^\s*(\d+)\s*(s|min|h|d|w|B|[MQY][ES]?)\s*$")
_HOW_CLOCK = "write a number and a unit of s, min, h, d or w, such as 24h"
_HOW = (
    "write a number and a unit of s, min, h, d, w, or B (business days), M, Q, Y (months, quarters "
    "and years; as a frequency ME, QE, YE by their ends, MS, QS, YS by their starts), such as 24h"
)
_MOST_S = 200 * 365 * 86_400


def parts_of(text: str) -> tuple[int, str]:
    """Return the count and the unit of a duration; M, Q and Y are ME, QE and YE.

    Raises
    ------
    ConfigError
        If `text` is not a positive whole number followed by a known unit.

    Examples
    --------
    >>> parts_of("7d"), parts_of("2Q")
    ((7, 'd'), (2, 'QE'))
    """
    match = _PATTERN.match(text)
    if match is None or int(match[1]) == 0:
        raise ConfigError(f"{text!r} is not a duration; {_HOW}")
    return int(match[1]), match[2] + "E" * (match[2] in "MQY")


def months_of(text: str) -> int:
    """Return the months of a calendar duration; 0 for any other duration.

    Examples
    --------
    >>> months_of("2QS"), months_of("30d")
    (6, 0)
    """
    count, unit = parts_of(text)
    return count * UNIT_MONTHS.get(unit, 0)


def is_business(text: str) -> bool:
    """Return whether a duration counts business days, Monday to Friday."""
    return parts_of(text)[1] == "B"


def is_below_day(frequency: str) -> bool:
    """Return whether a step is shorter than a day."""
    return duration_s(frequency) < UNIT_SECONDS["d"]


def duration_s(text: str) -> int:
    """Return the length of a duration in seconds; for months and business days the mean length.

    Raises
    ------
    ConfigError
        If `text` is not a duration.

    Examples
    --------
    >>> duration_s("7d"), duration_s("12M")
    (604800, 31556952)
    """
    count, unit = parts_of(text)
    if unit in UNIT_SECONDS:
        return count * UNIT_SECONDS[unit]
    return count * (WORKDAY_S if unit == "B" else MONTH_S * UNIT_MONTHS[unit])


def count_steps(duration: str | int, frequency: str) -> int:
    """Return how many steps of `frequency` a duration holds; a count is returned as it is.

    Months are counted in months, business days in business days or weeks, others by the clock.

    Raises
    ------
    ConfigError
        If the duration is not a whole number of steps, at least one.

    Examples
    --------
    >>> count_steps("7d", "1h"), count_steps("1Y", "1MS"), count_steps("2w", "1B")
    (168, 12, 10)
    >>> count_steps(48, "1h")
    48
    """
    if isinstance(duration, int):
        return duration
    months, step_months = months_of(duration), months_of(frequency)
    if step_months:
        length, step = months, step_months
    elif is_business(frequency):
        count, unit = parts_of(duration)
        length, step = count * {"B": 1, "w": 5}.get(unit, 0), parts_of(frequency)[0]
    else:
        is_clock = not months and not is_business(duration)
        length, step = duration_s(duration) if is_clock else 0, duration_s(frequency)
    if length % step or length < step:
        raise ConfigError(
            f"{duration} is not a whole number of steps of {frequency}; "
            f"write a multiple of {frequency} or a count of steps"
        )
    return length // step


def steps_within(duration: str, frequency: str) -> int:
    """Return how many whole steps of `frequency` fit into a duration by the clock, at least one.

    Examples
    --------
    >>> steps_within("28d", "1MS"), steps_within("100d", "1w")
    (1, 14)
    """
    return max(1, duration_s(duration) // duration_s(frequency))


def steps_of_season(frequency: str) -> int:
    """Return the main season of a frequency: a day, for days a week, else a year.

    Examples
    --------
    >>> [steps_of_season(one) for one in ("10min", "1d", "1B", "1w", "4w", "1MS", "1QE", "1YE")]
    [144, 7, 5, 52, 13, 12, 4, 1]
    """
    step, day = duration_s(frequency), UNIT_SECONDS["d"]
    if is_business(frequency):
        return 5
    if step < day:
        return day // step
    if step == day:
        return 7
    return max(1, round(365 * day / step))


def _check_clock(value: Any) -> str:
    """Accept a duration by the clock with its unit."""
    match = _CLOCK.match(value) if isinstance(value, str) else None
    if match is None or int(match[1]) == 0:
        raise ValueError(_HOW_CLOCK)
    return f"{int(match[1])}{match[2]}"


def _check_text(value: Any) -> str:
    """Accept a duration with its unit."""
    try:
        count, unit = parts_of(value)
    except (ConfigError, TypeError) as error:
        raise ValueError(_HOW) from error
    return f"{count}{unit}"


def _check_frequency(value: Any) -> str:
    """Accept the length of a step."""
    text = _check_text(value)
    count, unit = parts_of(text)
    if unit == "B" and count > 1:
        raise ValueError("business days are steps of one: write 1B")
    length = duration_s(text)
    if length > _MOST_S:
        raise ValueError("a step is at most 200 years")
    if unit in UNIT_SECONDS and length > UNIT_SECONDS["d"] and length % UNIT_SECONDS["d"]:
        raise ValueError("a step longer than a day is a whole number of days")
    return text


def _check(value: Any) -> Any:
    """Accept a count of steps or a duration; refuse everything else with one message."""
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 1:
            raise ValueError("a count of steps is at least 1")
        return value
    if not isinstance(value, str):
        raise ValueError(f"{_HOW}, or a count of steps")  # noqa: TRY004 - pydantic reads ValueError
    return _check_text(value)


Duration = Annotated[
    Any,
    BeforeValidator(_check),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1},
                {"type": "string", "pattern": _PATTERN.pattern},
            ]
        }
    ),
]
"""A count of steps (int) or a duration (str)."""

Frequency = Annotated[
    str,
    BeforeValidator(_check_frequency),
    WithJsonSchema({"type": "string", "pattern": _PATTERN.pattern}),
]
"""The length of a step: by the clock, or by the calendar."""

ClockDuration = Annotated[
    str,
    BeforeValidator(_check_clock),
    WithJsonSchema({"type": "string", "pattern": _CLOCK.pattern}),
]
"""A duration by the clock with its unit; a count of steps is refused."""
