"""Durations as people write them (`7d`, `24h`, `15min`) and as counts of steps; knows no dates."""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from forecast.errors import ConfigError

UNIT_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}
_PATTERN = re.compile(r"^\s*(\d+)\s*(s|min|h|d|w)\s*$")
_HOW = "write a number and a unit of s, min, h, d or w, such as 24h"


def duration_s(text: str) -> int:
    """Return the length of a duration in seconds.

    Raises
    ------
    ConfigError
        If `text` is not a positive whole number followed by s, min, h, d or w.

    Examples
    --------
    >>> duration_s("7d")
    604800
    """
    match = _PATTERN.match(text)
    if match is None or int(match[1]) == 0:
        raise ConfigError(f"{text!r} is not a duration; {_HOW}")
    return int(match[1]) * UNIT_SECONDS[match[2]]


def count_steps(duration: str | int, frequency: str) -> int:
    """Return how many steps of `frequency` a duration holds; a count passes through.

    Raises
    ------
    ConfigError
        If the duration is not a whole number of steps, at least one.

    Examples
    --------
    >>> count_steps("7d", "1h")
    168
    >>> count_steps(48, "1h")
    48
    """
    if isinstance(duration, int):
        return duration
    length, step = duration_s(duration), duration_s(frequency)
    if length % step or length < step:
        raise ConfigError(
            f"{duration} is not a whole number of steps of {frequency}; "
            f"write a multiple of {frequency} or a count of steps"
        )
    return length // step


def _check_text(value: Any) -> str:
    """Accept a duration with its unit."""
    match = _PATTERN.match(value) if isinstance(value, str) else None
    if match is None or int(match[1]) == 0:
        raise ValueError(_HOW)
    return f"{int(match[1])}{match[2]}"


def _check(value: Any) -> Any:
    """Accept a count of steps or a duration; refuse the rest with one message."""
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

ClockDuration = Annotated[
    str,
    BeforeValidator(_check_text),
    WithJsonSchema({"type": "string", "pattern": _PATTERN.pattern}),
]
"""A duration with its unit, where a count of steps would mean nothing."""
