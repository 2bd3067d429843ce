"""Calendar features: known covariates computed from the timestamp and the time zone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from forecast.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from forecast.data.grid import Grid

_DAY_NS = 86_400_000_000_000


def _day_fraction(wall: pd.DatetimeIndex) -> NDArray[np.float64]:
    clock: NDArray[np.int64] = wall.to_numpy("M8[ns]").view(np.int64)
    return np.mod(clock, _DAY_NS).astype(np.float64) / _DAY_NS


def _hour_fraction(wall: pd.DatetimeIndex) -> NDArray[np.float64]:
    return _day_fraction(wall) * 24.0 % 1.0


def _of_week(wall: pd.DatetimeIndex) -> NDArray[np.float64]:
    return np.asarray(wall.day_of_week) / 7.0


def _of_month(wall: pd.DatetimeIndex) -> NDArray[np.float64]:
    day, days = (np.asarray(x, dtype=np.float64) for x in (wall.day, wall.days_in_month))
    return (day - 1.0) / days


def _of_year(wall: pd.DatetimeIndex) -> NDArray[np.float64]:
    days = np.where(wall.is_leap_year, 366, 365)
    return (np.asarray(wall.day_of_year) - 1) / days


def _month(wall: pd.DatetimeIndex) -> NDArray[np.float64]:
    return (np.asarray(wall.month) - 1) / 12.0


def _week(wall: pd.DatetimeIndex) -> NDArray[np.float64]:
    return (wall.isocalendar()["week"].to_numpy(np.float64) - 1) / 52.1775


_CYCLES: dict[str, Callable[[pd.DatetimeIndex], NDArray[np.float64]]] = {
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
    wall = pd.DatetimeIndex(grid.local(time).view("M8[ns]"))
    column = 0
    for feature in features:
        if feature in _CYCLES:
            angle = 2.0 * np.pi * _CYCLES[feature](wall)
            table[:, column], table[:, column + 1] = np.sin(angle), np.cos(angle)
            column += 2
        else:
            is_weekend = feature == "is_weekend"
            table[:, column] = wall.day_of_week >= 5 if is_weekend else _is_holiday(wall, holidays)
            column += 1
    return table


def _is_holiday(wall: pd.DatetimeIndex, place: str | None) -> NDArray[np.bool_]:
    import holidays as public

    country, _, subdivision = str(place).partition("-")
    years = range(int(wall[0].year), int(wall[-1].year) + 1) if len(wall) else range(0)
    try:
        table = public.country_holidays(country, subdiv=subdivision or None, years=years)
    except NotImplementedError as error:
        raise ConfigError(
            f"holidays {place!r}: {error}; write a country code such as US, or US-NY"
        ) from error
    dates = pd.DatetimeIndex(sorted(table)).to_numpy("M8[D]")
    return np.isin(wall.to_numpy("M8[D]"), dates)
