"""The regular time grid: from instants to steps and back, by clock or calendar."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from forecast.config.duration import count_steps, duration_s, is_business, months_of, parts_of
from forecast.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

DAY_S = 86_400
DAY_NS = DAY_S * 1_000_000_000
MONTH_CODE = 32 * DAY_NS
"""In an anchor of months: the first 32 days say the day of the month (0: by the unit)."""
_MONDAY_NS = 4 * DAY_NS


@dataclass(frozen=True)
class Grid:
    """Steps numbered from 1970: spans of the clock, local days, business days, or months.

    Shorter than a day a step is a fixed span of time; a day or longer it is a count of local
    days, each 23, 24 or 25 hours long. Weeks begin with Monday. Business days are Monday to
    Friday, with the weekend behind Friday. Months have the days they have, and their step is
    named by one day: the first or the last, as the unit says, or the day that an anchor says.

    Parameters
    ----------
    frequency : str
        Length of a step: ``1h``, ``15min``, ``1d``, ``1B``, ``1MS``, ``1QE``.
    timezone : str
        IANA name of the zone whose days and clocks count.
    anchor_ns : int
        Where in the step readings lie that all lie at one place: nanoseconds after its usual
        begin. Their stamps stay as they are, at half past or on Sundays. Of months: `MONTH_CODE`
        for each month that the first step is shifted, plus the day of the month, plus the clock.

    Raises
    ------
    ConfigError
        When the frequency or the zone is not understood.
    """

    frequency: str
    timezone: str = "UTC"
    anchor_ns: int = 0

    def __post_init__(self) -> None:
        if not self.months and not is_business(self.frequency):
            is_whole = self.step_ns <= DAY_NS or self.step_ns % DAY_NS == 0
            if not is_whole:
                raise ConfigError(
                    f"frequency {self.frequency!r}: longer than a day but not a whole number of "
                    "days"
                )
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ConfigError(
                f"timezone {self.timezone!r}: unknown; use an IANA name such as Europe/Berlin"
            ) from error

    @cached_property
    def step_ns(self) -> int:
        """Nanoseconds of a step; of days of 24 hours; of months and business days the mean."""
        return duration_s(self.frequency) * 1_000_000_000

    @cached_property
    def months(self) -> int:
        """Months of a step; 0 where steps are not months."""
        return months_of(self.frequency)

    @cached_property
    def is_business(self) -> bool:
        """Whether the steps are business days."""
        return is_business(self.frequency)

    @cached_property
    def is_named_by_end(self) -> bool:
        """Whether a step of months is named by its last month."""
        return parts_of(self.frequency)[1].endswith("E")

    @property
    def in_days(self) -> bool:
        """Whether the steps are local days, or longer."""
        return self.step_ns >= DAY_NS

    @cached_property
    def begin_ns(self) -> int:
        """Begin of step 0, where steps are not months: local or UTC nanoseconds since 1970."""
        is_weeks = self.step_ns % (7 * DAY_NS) == 0 and not self.is_business
        return self.anchor_ns + (_MONDAY_NS if is_weeks else 0)

    def local(self, time_ns: Ints) -> Ints:
        """Wall-clock nanoseconds (as if UTC) of each instant."""
        if self.timezone == "UTC":
            return time_ns
        if not time_ns.size:
            return time_ns
        day = np.array([time_ns.min() // DAY_NS, time_ns.max() // DAY_NS + 1]).tolist()
        instant, offset = _offsets(self.timezone, *day)
        return time_ns + offset[np.searchsorted(instant, time_ns, side="right") - 1]

    def index(self, time_ns: Ints) -> Ints:
        """Step whose cell holds each UTC instant."""
        time_ns = np.asarray(time_ns, dtype=np.int64)
        clock = self.local(time_ns) if self.in_days else time_ns
        if self.months:
            return (month_of(clock // DAY_NS) - self.anchor_ns // MONTH_CODE) // self.months
        if self.is_business:
            return _workday((clock - self.anchor_ns) // DAY_NS)
        return (clock - self.begin_ns) // self.step_ns

    def time(self, index: Ints) -> Ints:
        """Epoch nanoseconds UTC that name each step: where it begins, or the day of its months.

        Where a change of clocks skips that time, the first instant after it.
        """
        index = np.asarray(index, dtype=np.int64)
        if self.months:
            clock = self._day_of_months(index) * DAY_NS + self.anchor_ns % DAY_NS
        elif self.is_business:
            clock = _day_of_workday(index) * DAY_NS + self.anchor_ns
        else:
            clock = index * self.step_ns + self.begin_ns
        return self._instant(clock) if self.in_days else clock

    def known_by(self, instant_ns: int) -> int:
        """Newest step whose time is not after an instant."""
        step = self.index(np.array([instant_ns]))
        return int(step[0]) - int(self.time(step)[0] > instant_ns)

    def steps(self, duration: str | int) -> int:
        """Whole steps in a duration; an integer is already a count of steps.

        Raises
        ------
        ConfigError
            When the duration is not a whole number of steps.

        Examples
        --------
        >>> Grid("1h").steps("7d")
        168
        """
        return count_steps(duration, self.frequency)

    def _day_of_months(self, index: Ints) -> Ints:
        """Days since 1970 that name steps of months."""
        shift, rest = divmod(self.anchor_ns, MONTH_CODE)
        month = index * self.months + shift + (self.months - 1) * self.is_named_by_end
        first, after = first_day(month), first_day(month + 1)
        day = rest // DAY_NS or (31 if self.is_named_by_end else 1)
        return np.minimum(first + day, after) - 1

    def _instant(self, clock: Ints) -> Ints:
        """UTC nanoseconds of wall-clock nanoseconds."""
        if self.timezone == "UTC":
            return clock
        import pandas as pd

        flat = pd.DatetimeIndex(clock.reshape(-1).view("M8[ns]"))
        first = np.ones(len(flat), dtype=bool)  # the first of two midnights (summer time)
        aware = flat.tz_localize(self.timezone, ambiguous=first, nonexistent="shift_forward")
        utc = aware.tz_convert("UTC").tz_localize(None).to_numpy("M8[ns]")
        return utc.view(np.int64).reshape(clock.shape)


@lru_cache(maxsize=8)
def _offsets(timezone: str, first: int, stop: int) -> tuple[Ints, Ints]:
    """Find from which instants on a zone has which offset from UTC, both in nanoseconds.

    Parameters
    ----------
    first, stop
        Days since 1970. No zone changes its clocks twice within a day.
    """
    zone, epoch = ZoneInfo(timezone), datetime(1970, 1, 1, tzinfo=UTC)

    def offset_s(second: int) -> int:
        shift = (epoch + timedelta(seconds=second)).astimezone(zone).utcoffset()
        return round(shift.total_seconds()) if shift else 0

    instants, offsets = [first * DAY_S], [offset_s(first * DAY_S)]
    for day in range(first, stop):
        low, high = day * DAY_S, (day + 1) * DAY_S
        after = offset_s(high)
        if after == offsets[-1]:
            continue
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if offset_s(middle) == after else (middle, high)
        instants.append(high)
        offsets.append(after)
    return tuple(np.array(part, np.int64) * 1_000_000_000 for part in (instants, offsets))  # type: ignore[return-value]


def month_of(day: Ints) -> Ints:
    """Months since 1970 of days since 1970."""
    return day.view("M8[D]").astype("M8[M]").astype(np.int64)


def first_day(month: Ints) -> Ints:
    """Days since 1970 with which months since 1970 begin."""
    return month.view("M8[M]").astype("M8[D]").astype(np.int64)


def _workday(day: Ints) -> Ints:
    """Count business days up to days since 1970; a weekend belongs to its Friday."""
    week, weekday = np.divmod(day + 3, 7)  # 1970-01-01 was a Thursday
    return week * 5 + np.minimum(weekday, 4)


def _day_of_workday(index: Ints) -> Ints:
    """Days since 1970 of business days."""
    week, weekday = np.divmod(index, 5)
    return week * 7 + weekday - 3
