"""The part of a panel that is known now: no readings ahead of the clock, no unfinished step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from forecast.config.duration import duration_s
from forecast.data.checks.finding import stamp
from forecast.data.panel import panel_as_of, panel_now
from forecast.data.panel.ahead import Ahead, readings_ahead
from forecast.ranks import is_first
from forecast.ranks.store import agree
from forecast.text import counted
from pipelines.process.clock import minute_text, moved_now, now
from pipelines.process.console import say

if TYPE_CHECKING:
    from forecast.data.panel import Panel

TOLERANCE_S = 900  # clocks differ; readings less far ahead are not reported
SHOWN = 5


def known_now(panel: Panel) -> Panel:
    """Return what is known of a panel now, or at `FORECAST_NOW`; print which readings are not used.

    Raises
    ------
    DataError
        When every reading lies ahead of the clock.
    """
    moved = moved_now()
    if moved is not None:
        say(f"prepare: only what was known at {minute_text(moved)} is used")
        return panel_as_of(panel, _nanoseconds())
    found = ahead_in_words(panel) if is_first() else []
    for series, text in found[:SHOWN]:
        say(f"prepare: series {series.series_id!r}: {text}", error=True)
    if len(found) > SHOWN:
        say(f"prepare: and {len(found) - SHOWN} more series", error=True)
    return panel_now(panel, agree("now", _nanoseconds))


def ahead_in_words(panel: Panel) -> list[tuple[Ahead, str]]:
    """Return the readings that are further ahead of the clock than clocks differ, with a message.

    Parameters
    ----------
    panel
        The panel with everything in its source.
    """
    tolerance = max(TOLERANCE_S, duration_s(panel.grid.frequency)) * 1_000_000_000
    return [
        (series, _words(series)) for series in readings_ahead(panel, _nanoseconds() + tolerance)
    ]


def _words(series: Ahead) -> str:
    first, last = stamp(series.first_ns), stamp(series.last_ns)
    span = f"{counted(series.steps, 'step')} with readings from {first} to {last} lie"
    if series.steps == 1:
        span = f"a reading of {first} lies"
    return (
        f"{span} ahead of the clock ({minute_text(now())}): set aside; check the sensor's clock "
        "and data.timezone"
    )


def _nanoseconds() -> int:
    return int(now().timestamp()) * 1_000_000_000
