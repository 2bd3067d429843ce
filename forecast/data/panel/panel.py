"""The panel in memory: series on one grid as a single float32 array."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from forecast.data.panel.blocks import newest_seen, oldest_seen

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from forecast.data.grid import Grid
    from forecast.data.panel.vintages import Vintages

SHARE_ENOUGH = 0.1  # of the series, for a step to be a cutoff; fewer may be clocks ahead


@dataclass(frozen=True)
class Panel:
    """Series on a regular grid.

    Parameters
    ----------
    values : (rows, channels) float32
        Each series one contiguous block, channels ordered targets, past, known; NaN is missing.
        A memory map when opened from disk.
    offset, length, start : (series,) int64
        First row of each series, its number of steps (future steps with known covariates
        included), and the grid index of its first step. A block may have spare rows behind it.
    static : (series, static) float32
        Static covariates; NaN is missing.
    fingerprint : str
        Of the source and the data settings that made the panel.
    account : dict
        Rows of the source: read, kept, aggregated, rejected, and details.
    vintages : Vintages, optional
        What was known when, for sources with `available_at`.
    categories : dict
        Labels of text channels in the order of their codes.
    strays : tuple
        Series id and instant (epoch nanoseconds) of the first readings that lay far from all
        others and were set aside; all are counted in `account`.
    """

    values: NDArray[np.float32]
    offset: NDArray[np.int64]
    length: NDArray[np.int64]
    start: NDArray[np.int64]
    series_ids: tuple[str, ...]
    targets: tuple[str, ...]
    past: tuple[str, ...]
    known: tuple[str, ...]
    static: NDArray[np.float32]
    static_names: tuple[str, ...]
    grid: Grid
    fingerprint: str = ""
    account: dict[str, int] = field(default_factory=dict)
    vintages: Vintages | None = None
    categories: dict[str, tuple[str, ...]] = field(default_factory=dict)
    strays: tuple[tuple[str, int], ...] = ()

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the columns of `values`."""
        return self.targets + self.past + self.known

    def account_of(self, table: int) -> dict[str, int]:
        """Return the account of one of several tables: read, kept, aggregated, rejected."""
        keys = ("read", "kept", "rejected")
        found = {what: self.account.get(f"table {table} {what}", 0) for what in keys}
        return found | {"aggregated": found["read"] - found["kept"] - found["rejected"]}

    def block(self, series: int) -> NDArray[np.float32]:
        """Rows of one series, (length, channels), a view."""
        first = int(self.offset[series])
        return self.values[first : first + int(self.length[series])]

    def part(self, first: int, stop: int) -> Panel:
        """Return the panel of series `first` to `stop - 1`, a view."""
        some = slice(first, stop)
        begin = int(self.offset[first]) if first < stop else 0
        end = int((self.offset[some] + self.length[some]).max(initial=begin))
        vintages = self.vintages
        if vintages is not None:  # the pointers count all versions
            vintages = replace(vintages, indptr=vintages.indptr[begin : end + 1])
        return replace(
            self,
            values=self.values[begin:end],
            offset=self.offset[some] - begin,
            length=self.length[some],
            start=self.start[some],
            series_ids=self.series_ids[some],
            static=self.static[some],
            vintages=vintages,
        )

    def cutoff_time(self, series: int, cutoff: int) -> int:
        """Epoch nanoseconds UTC of the last of the first `cutoff` steps of a series."""
        step = self.start[series : series + 1] + (cutoff - 1)
        return int(self.grid.time(step)[0])

    def as_of(self, series: int, first: int, stop: int, known_at: int) -> NDArray[np.float32]:
        """Rows [first, stop) of a series as known at an instant, (stop - first, channels)."""
        begin = int(self.offset[series])
        if self.vintages is None:
            return self.values[begin + first : begin + stop]
        return self.vintages.as_of(np.arange(begin + first, begin + stop), known_at)

    def observed_end(self, *, targets_only: bool = False) -> NDArray[np.int64]:
        """Count steps up to and including the last with an observed target or past covariate.

        That is each series' newest possible cutoff, (series,) int64.
        """
        watched = len(self.targets) + (0 if targets_only else len(self.past))
        return newest_seen(self, np.arange(len(self.length)), self.length, slice(0, watched))

    def observed_begin(self) -> NDArray[np.int64]:
        """Count each series' steps before the first with an observed target, (series,) int64."""
        return oldest_seen(self, slice(0, len(self.targets)))


def newest_cutoff(panel: Panel, *, reach: int = 0, least: int = 1) -> int:
    """Return the grid index of the newest step that enough series have a reading at or after.

    Enough are a tenth, and at least `least`, of the series that have a reading within `reach`
    steps before it: one sensor with its clock ahead moves nobody's cutoff, and series that ended
    long ago hold nobody back. With a reach of 0 it is the newest reading of any series.
    """
    observed = panel.observed_end()
    ends = np.sort((panel.start + observed)[observed > 0]) - 1
    has = len(ends) - np.searchsorted(ends, ends)  # series whose newest is at or after each
    alive = len(ends) - np.searchsorted(ends, ends - reach)
    enough = np.maximum(np.ceil(SHARE_ENOUGH * alive), np.where(alive > 2, least, 1))
    return int(ends[has >= enough].max())


def instant_text(panel: Panel, step: int) -> str:
    """Return when a grid step is, as ISO 8601 in UTC."""
    instant = int(panel.grid.time(np.array([step], dtype=np.int64))[0])
    return datetime.fromtimestamp(instant / 1e9, UTC).isoformat()
