"""What follows from an architecture's plain values, and constants of the arithmetic."""

from collections.abc import Sequence
from math import gcd

LONGEST_SEGMENT = 48

SMALLEST_SCALE = 1e-3
"""Floor of a window's standard deviation, in train z-scores: a constant window stays finite."""

HARMONICS = 4

COVARIATE_STEPS = 48
"""Newest steps of the past covariates that are read; older ones add columns but hardly skill."""


def default_segment_length(context_length: int, horizon: int) -> int:
    """Return the largest common divisor of context and horizon up to 48, if it is at least 4.

    Otherwise 24, or the horizon if that is shorter: the context is then padded in front and the
    last segment of the horizon cut.

    Examples
    --------
    >>> [default_segment_length(720, 96), default_segment_length(168, 24)]
    [48, 24]
    """
    common = gcd(context_length, horizon)
    divisors = [w for w in range(4, min(common, LONGEST_SEGMENT) + 1) if common % w == 0]
    return divisors[-1] if divisors else min(24, horizon, context_length)


def day_cycles(known_names: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Return the columns (sine, cosine) of the calendar's day and week that are present.

    Longer cycles are left out: few data sets hold enough years to fit the harmonics of a year.

    Examples
    --------
    >>> day_cycles(["promo", "hour_of_day_sin", "hour_of_day_cos", "day_of_year_sin"])
    ((1, 2),)
    """
    place = {name: column for column, name in enumerate(known_names)}
    pairs = [(f"{cycle}_sin", f"{cycle}_cos") for cycle in ("hour_of_day", "day_of_week")]
    return tuple((place[s], place[c]) for s, c in pairs if s in place and c in place)
