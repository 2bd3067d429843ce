"""What a series' readings before a window say where the window itself says nothing.

A window of a series that is silent for longer than the context is forecast from the last season
that the series has. A step of the season at which it never had a reading is told apart, and so is
one at which it always had the same.

Letters: N windows, H horizon, T targets.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from forecast.data.panel import Panel
from forecast.forecasting.fallback import repeat_season
from forecast.forecasting.settled_steps import may_be_settled, settled_values

SEASONS = 28  # of a silent series' newest history, whose spread is its band
LEAST_SEASONS = 2  # of history, before a step of the season may count as never observed

Array = NDArray[np.float32]
Bool = NDArray[np.bool_]


class Past(NamedTuple):
    """What is known of some windows' targets from before them.

    Attributes
    ----------
    mean : (N, H, T)
        The newest season, repeated; NaN where there was no reading or none is asked for.
    deviation : (N, T)
        Standard deviation of the newest seasons.
    never : (N, H, T)
        Steps of the season at which the series never had a reading.
    same : (N, H, T)
        The one value that it always had at that step of the season, see `settled_steps`; else NaN.
    """

    mean: Array
    deviation: Array
    never: Bool
    same: Array


_NEVER = np.iinfo(np.int64).max // 2


class OwnHistory:
    """The readings of a panel's series, looked at where windows need them.

    Parameters
    ----------
    season
        Steps of the main season.
    """

    def __init__(self, panel: Panel, *, horizon: int, season: int) -> None:
        self.panel, self.horizon, self.season = panel, horizon, season
        self._first: dict[int, NDArray[np.int64]] = {}

    def of(self, series: NDArray[np.int64], cutoff: NDArray[np.int64], past: Array) -> Past:
        """Look up what windows need whose targets are `past` (N, L, T)."""
        shape = (len(past), self.horizon, past.shape[2])
        found = Past(
            np.full(shape, np.nan, np.float32),
            np.full((shape[0], shape[2]), np.nan, np.float32),
            np.zeros(shape, np.bool_),
            np.full(shape, np.nan, np.float32),
        )
        seen = np.isfinite(past)
        silent = ~np.asarray(seen.any(axis=1)).all(axis=1)
        for number in np.unique(series[silent]):
            self._fill(found, np.flatnonzero((series == number) & silent), int(number), cutoff)
        unsure = ~self._holds_all_phases(seen)
        for number in np.unique(series[unsure]):
            rows = np.flatnonzero((series == number) & unsure)
            found.never[rows] = self._never(int(number), cutoff[rows])
        settled = may_be_settled(past, self.season)
        for number in np.unique(series[settled]):
            rows = np.flatnonzero((series == number) & settled)
            block = np.asarray(self.panel.block(int(number))[:, : past.shape[2]])
            found.same[rows] = settled_values(
                block, cutoff[rows], horizon=self.horizon, season=self.season
            )
        return found

    def _holds_all_phases(self, seen: Bool) -> Bool:
        """Say which windows (N,) hold a reading of every target at every step of the season."""
        whole = seen.shape[1] // self.season * self.season
        if not whole:
            return np.zeros(len(seen), np.bool_)
        folded = seen[:, seen.shape[1] - whole :].reshape(len(seen), -1, self.season, seen.shape[2])
        return np.asarray(folded.any(axis=1).reshape(len(seen), -1).all(axis=1))

    def _never(self, series: int, cutoff: NDArray[np.int64]) -> Bool:
        """Say which steps (R, H, T) behind each cutoff (R,) have no reading at their phase."""
        if series not in self._first:
            self._first[series] = self._first_by_phase(series)
        first = self._first[series]  # (season, T)
        phase = (cutoff[:, None] + np.arange(self.horizon)) % self.season
        begin = first.min(axis=0) + LEAST_SEASONS * self.season  # (T,)
        is_long = begin <= cutoff[:, None]  # (R, T)
        return np.asarray((first[phase] >= cutoff[:, None, None]) & is_long[:, None])

    def _first_by_phase(self, series: int) -> NDArray[np.int64]:
        """Find the step of the first reading at each step of the season, (season, T)."""
        targets = len(self.panel.targets)
        seen = np.isfinite(self.panel.block(series)[:, :targets])
        short = -len(seen) % self.season
        folded = np.pad(seen, ((0, short), (0, 0))).reshape(-1, self.season, targets)
        first = folded.argmax(axis=0) * self.season + np.arange(self.season)[:, None]
        return np.where(folded.any(axis=0), first, _NEVER)

    def _fill(
        self, found: Past, rows: NDArray[np.int64], series: int, cutoff: NDArray[np.int64]
    ) -> None:
        """Repeat the newest season of one series and target in windows that hold no reading."""
        block = self.panel.block(series)
        stop = np.minimum(cutoff[rows], len(block))
        for target in range(found.mean.shape[2]):
            seen = np.isfinite(block[: int(stop.max()), target])
            newest = np.maximum.accumulate(np.where(seen, np.arange(1, len(seen) + 1), 0))
            end = np.where(stop > 0, newest[stop - 1], 0)  # steps up to the newest reading
            for last in np.unique(end[end > 0]):
                here = rows[end == last]
                values = self._newest(series, int(last), int(cutoff[here].min()))[:, target]
                profile = repeat_season(
                    values[None, :, None], horizon=self.season, season=self.season
                )[0, :, 0]
                phase = (cutoff[here, None] - last + np.arange(self.horizon)) % self.season
                found.mean[here, :, target] = profile[phase]
                found.deviation[here, target] = np.nanstd(values)

    def _newest(self, series: int, end: int, cutoff: int) -> Array:
        """Give the newest seasons up to step `end`, as known at a cutoff, (steps, C)."""
        known_at = self.panel.cutoff_time(series, cutoff)
        return self.panel.as_of(series, max(0, end - SEASONS * self.season), end, known_at)
