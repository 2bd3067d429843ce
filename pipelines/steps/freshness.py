"""The age of the readings by the clock: the newest usable cutoff, and stale series."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from forecast.config.duration import duration_s
from forecast.data.panel.panel import newest_cutoff
from forecast.text import age_text
from pipelines.process.clock import minute_text, now

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from forecast.config import Config
    from forecast.data.panel import Panel

ARCHIVE_REACH_S = 14 * 86_400


def cutoff_now(config: Config, panel: Panel) -> int:
    """Return the grid index of the newest step that enough series have.

    For fresh readings, a tenth of the series with recent readings is enough. For old readings the
    clock cannot show that a lone series is ahead of time, so at least two series must have the
    step (where there are several).
    """
    step_s = duration_s(config.data.frequency)
    fresh = newest_cutoff(panel, reach=max(1, config.max_age_s // step_s))
    if _age_s(panel, fresh) <= config.max_age_s:
        return fresh
    steps = ARCHIVE_REACH_S // step_s
    return newest_cutoff(panel, reach=max(2 * config.context_length, steps, 14), least=2)


@dataclass(frozen=True)
class Freshness:
    """The age of each series' newest target reading, as flags.

    Attributes
    ----------
    marks
        `stale:AGE` of each series, empty where its readings are fresh, (S,).
    newest
        Time of the newest reading of any series.
    age
        Its age, in words.
    limit
        `monitor.max_age` in words.
    """

    marks: NDArray[np.str_]
    newest: datetime
    age: str
    limit: str

    @classmethod
    def of(cls, config: Config, panel: Panel) -> Freshness:
        """Compare every series' newest target reading with the clock."""
        newest = panel.start + panel.observed_end(targets_only=True) - 1
        limit_s = config.max_age_s
        ages = now().timestamp() - panel.grid.time(newest) / 1e9
        marks = [f"stale:{age_text(age)}" if age > limit_s else "" for age in ages.tolist()]
        instant = datetime.fromtimestamp(float(now().timestamp() - ages.min()), UTC)
        return cls(
            np.array(marks),
            instant.replace(microsecond=0),
            age_text(max(0.0, float(ages.min()))),
            age_text(limit_s),
        )

    def said(self, series_ids: tuple[str, ...]) -> str | None:
        """Return which series are stale, in words; None if none is."""
        stale = np.flatnonzero(self.marks != "")
        if not len(stale):
            return None
        who = f"{len(stale)} of {len(self.marks)} series"
        if len(stale) == 1:
            who = f"series {series_ids[stale[0]]!r}"
        return (
            f"old data: {who} without a reading for longer than {self.limit}, the newest of all is "
            f"of {minute_text(self.newest)} ({self.age} old): these forecasts are flagged stale; "
            "see monitor.max_age"
        )


def _age_s(panel: Panel, step: int) -> float:
    return float(now().timestamp() - int(panel.grid.time(np.array([step]))[0]) / 1e9)
