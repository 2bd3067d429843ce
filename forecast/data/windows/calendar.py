"""Calendar features: known covariates computed from the timestamp and the time zone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from forecast.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from forecast.data.grid import Grid

_DAY_NS = 86_400_000_000_000
Wall = NDArray[np.datetime64]  # local times in nanoseconds


def _since(wall: Wall, unit: str) -> NDArray[np.float64]:
    """Days since the beginning of the month ("M") or year ("Y")."""
    begin = wall.astype(f"M8[{unit}]").astype("M8[D]")
    return np.asarray(wall.astype("M8[D]") - begin, np.float64)


def _days_in(wall: Wall, unit: str) -> NDArray[np.float64]:
    begin = wall.astype(f"M8[{unit}]")
    return np.asarray((begin + 1).astype("M8[D]") - begin.astype("M8[D]"), np.float64)


def _weekday(wall: Wall) -> NDArray[np.int64]:
    """Monday is 0; 1970 began with a Thursday."""
    return (wall.astype("M8[D]").astype(np.int64) + 3) % 7


def _day_fraction(wall: Wall) -> NDArray[np.float64]:
    return np.mod(wall.astype(np.int64), _DAY_NS).astype(np.float64) / _DAY_NS


def _hour_fraction(wall: Wall) -> NDArray[np.float64]:
    return _day_fraction(wall) * 24.0 % 1.0


def _of_week(wall: Wall) -> NDArray[np.float64]:
    return _weekday(wall) / 7.0


def _of_month(wall: Wall) -> NDArray[np.float64]:
    return _since(wall, "M") / _days_in(wall, "M")


def _of_year(wall: Wall) -> NDArray[np.float64]:
    return _since(wall, "Y") / _days_in(wall, "Y")


def _month(wall: Wall) -> NDArray[np.float64]:
    return (wall.astype("M8[M]").astype(np.int64) % 12) / 12.0


def _week(wall: Wall) -> NDArray[np.float64]:
    """Phase of the ISO week, which is of the year that its Thursday is in."""
    thursday: Wall = wall.astype("M8[D]") + (3 - _weekday(wall)).astype("m8[D]")
    return _since(thursday, "Y") // 7 / 52.1775


_CYCLES: dict[str, Callable[[Wall], NDArray[np.float64]]] = {
    "minute_of_hour": _hour_fraction,
    "hour_of_day": _day_fraction,
    "day_of_week": _of_week,
    "day_of_month": _of_month,
    "day_of_year": _of_year,
    "week_of_year": _week,
    "month_of_year": _month,
}
"""Phase of each cyclic feature, from 0 to 1."""

FEATURES = (*_CYCLES, "is_weekend", "is_holiday")
"""Names a config may list."""


def calendar_names(features: Sequence[str], holidays: str | None = None) -> tuple[str, ...]:
    """Return the columns of `calendar_table`: sine and cosine of each cyclic feature.

    Raises
    ------
    ConfigError
        When a feature is unknown, or `is_holiday` has no country.
    """
    names: list[str] = []
    for feature in features:
        if feature not in FEATURES:
            raise ConfigError(f"calendar feature {feature!r}: unknown; one of {list(FEATURES)}")
        if feature == "is_holiday" and holidays is None:
            raise ConfigError("calendar feature is_holiday: name the country too: US or US-NY")
        cyclic = feature in _CYCLES
        names += [f"{feature}_sin", f"{feature}_cos"] if cyclic else [feature]
    return tuple(names)


def calendar_table(
    grid: Grid, first: int, count: int, features: Sequence[str], holidays: str | None = None
) -> NDArray[np.float32]:
    """Return the features of `count` steps from grid index `first`, (count, columns).

    Parameters
    ----------
    holidays
        Country, or country and subdivision as ``US-NY``, for the column `is_holiday`.
    """
    names = calendar_names(features, holidays)
    table = np.empty((count, len(names)), dtype=np.float32)
    time = grid.time(np.arange(first, first + count, dtype=np.int64))
    wall = grid.local(time).view("M8[ns]")
    column = 0
    for feature in features:
        if feature in _CYCLES:
            angle = 2.0 * np.pi * _CYCLES[feature](wall)
            table[:, column], table[:, column + 1] = np.sin(angle), np.cos(angle)
            column += 2
        else:
            is_weekend = feature == "is_weekend"
            table[:, column] = _weekday(wall) >= 5 if is_weekend else _is_holiday(wall, holidays)
            column += 1
    return table


def _is_holiday(wall: Wall, place: str | None) -> NDArray[np.bool_]:
    import holidays as public

    country, _, subdivision = str(place).partition("-")
    years = wall[[0, -1]].astype("M8[Y]").astype(int) + 1970 if len(wall) else [0, -1]
    try:
        table = public.country_holidays(
            country, subdiv=subdivision or None, years=range(years[0], years[1] + 1)
        )
    except NotImplementedError as error:
        raise ConfigError(
            f"holidays {place!r}: {error}; write a country code such as US, or US-NY"
        ) from error
    return np.isin(wall.astype("M8[D]"), np.array(sorted(table), "M8[D]"))
