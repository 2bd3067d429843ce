"""The regular time grid: from instants to steps and back, local days included; holds no values."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd

from forecast.config.duration import count_steps, duration_s
from forecast.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

DAY_NS = 86_400_000_000_000


@dataclass(frozen=True)
class Grid:
    """Steps of one length, numbered from 1970.

    Shorter than a day a step is a fixed span of time; a day or longer it is a count of local
    days, each 23, 24 or 25 hours long.

    Parameters
    ----------
    frequency : str
        Length of a step: ``1h``, ``15min``, ``1d``.
    timezone : str
        IANA name of the zone whose days and clocks count.
    anchor_ns : int
        Where step 0 begins: nanoseconds after 1970-01-01 UTC, or after that local midnight for
        steps of days. Sources whose readings all lie at, say, half past keep their own stamps.

    Raises
    ------
    ConfigError
        When the frequency or the zone is not understood.
    """

    frequency: str
    timezone: str = "UTC"
    anchor_ns: int = 0

    def __post_init__(self) -> None:
        if self.step_ns > DAY_NS and self.step_ns % DAY_NS:
            raise ConfigError(
                f"frequency {self.frequency!r}: longer than a day but not a whole number of days"
            )
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ConfigError(
                f"timezone {self.timezone!r}: unknown; use an IANA name such as Europe/Berlin"
            ) from error

    @cached_property
    def step_ns(self) -> int:
        """Nanoseconds of a step; for days, of a day of 24 hours."""
        return duration_s(self.frequency) * 1_000_000_000

    @property
    def in_days(self) -> bool:
        """Whether the steps are local days."""
        return self.step_ns >= DAY_NS

    def local(self, time_ns: NDArray[np.int64]) -> NDArray[np.int64]:
        """Wall-clock nanoseconds (as if UTC) of each instant."""
        if self.timezone == "UTC":
            return time_ns
        stamps = pd.DatetimeIndex(time_ns.view("M8[ns]")).tz_localize("UTC")
        wall = stamps.tz_convert(self.timezone).tz_localize(None)
        return wall.to_numpy("M8[ns]").view(np.int64)

    def index(self, time_ns: NDArray[np.int64]) -> NDArray[np.int64]:
        """Step whose cell holds each UTC instant."""
        time_ns = np.asarray(time_ns, dtype=np.int64)
        clock = self.local(time_ns) if self.in_days else time_ns
        return (clock - self.anchor_ns) // self.step_ns

    def time(self, index: NDArray[np.int64]) -> NDArray[np.int64]:
        """Epoch nanoseconds UTC at which each step begins; days begin at local midnight.

        Where a change of clocks skips midnight, the day begins with the first instant it has.
        """
        clock = np.asarray(index, dtype=np.int64) * self.step_ns + self.anchor_ns
        if not self.in_days or self.timezone == "UTC":
            return clock
        flat = pd.DatetimeIndex(clock.reshape(-1).view("M8[ns]"))
        first = np.ones(len(flat), dtype=bool)  # the first of two midnights (summer time)
        aware = flat.tz_localize(self.timezone, ambiguous=first, nonexistent="shift_forward")
        utc = aware.tz_convert("UTC").tz_localize(None).to_numpy("M8[ns]")
        return utc.view(np.int64).reshape(clock.shape)

    def steps(self, duration: str | int) -> int:
        """Whole steps in a duration; an integer is already a count of steps.

        Raises
        ------
        ConfigError
            When the duration is no whole number of steps.

        Examples
        --------
        >>> Grid("1h").steps("7d")
        168
        """
        return count_steps(duration, self.frequency)
