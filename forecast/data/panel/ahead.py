"""Readings that lie ahead of an instant, by series with both ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from forecast.data.panel.panel import Panel


class Ahead(NamedTuple):
    """Readings of one series: in how many steps, and when the first and the last step are (ns)."""

    series_id: str
    steps: int
    first_ns: int
    last_ns: int


def readings_ahead(panel: Panel, instant_ns: int) -> list[Ahead]:
    """Return what each series holds in steps that begin after an instant."""
    newest = panel.grid.known_by(instant_ns)
    stop = np.clip(newest + 1 - panel.start, 0, panel.length)
    watched = len(panel.targets) + len(panel.past)
    found = []
    for series in np.flatnonzero(panel.observed_end() > stop).tolist():
        begin = int(stop[series])
        seen = panel.block(series)[begin:, :watched]
        held = begin + np.flatnonzero(~np.isnan(seen).all(axis=1))
        ends = panel.grid.time(panel.start[series] + held[[0, -1]]).tolist()
        found.append(Ahead(panel.series_ids[series], len(held), *ends))
    return found
