"""Naive forecasts that every model must beat: the last value, and the last season.

They implement `Predictor`, read through `HostWindows` what a model would see at a cutoff, and learn
only their band: quantiles of their own errors on train windows. The ridge regression is in
`ridge_baseline`.

Letters: S series, N windows, L context, H horizon, T targets, Q quantile levels.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from forecast.data.panel import Panel
from forecast.data.panel.blocks import newest_seen, sums
from forecast.data.windows.host_windows import HostWindows, collect_actual, host_batches
from forecast.data.windows.predictor import Forecast
from forecast.data.windows.window_index import WindowIndex, thin
from forecast.evaluation.metrics import masked_mean, ratio
from forecast.forecasting.fallback import SEASONS_BACK, repeat_season
from forecast.vocabulary import DECILES


@dataclass(frozen=True)
class Band:
    """Quantiles of past errors, by step and target, in units of each series' own mean error."""

    levels: NDArray[np.float64]
    quantile: NDArray[np.float32]  # (H, T, Q)
    spread: NDArray[np.float32]  # (S, T)

    def around(self, point: NDArray[np.float32], series: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return quantiles (N, H, T, Q) around points (N, H, T)."""
        spread = self.spread[series][:, None, :, None]
        return (point[..., None] + self.quantile * spread).astype(np.float32)


def fit_band(
    error: NDArray[np.float32], series: NDArray[np.int64], *, count: int, levels: Sequence[float]
) -> Band:
    """Learn a band from errors (N, H, T) = actual - forecast of windows of `series` (N,).

    `count` is the number of series. A series without errors takes the mean spread of all windows.
    """
    magnitude = np.abs(error)
    overall = np.nan_to_num(masked_mean(magnitude, axis=(0, 1)))  # (T,)
    own = ratio(*_sums_by(magnitude, series, count))
    spread = np.where(np.nan_to_num(own) > 0, own, overall)
    unit = error / np.where(spread > 0, spread, 1.0)[series][:, None, :]
    unit[:, np.isnan(unit).all(axis=0)] = 0.0  # a step that was never observed gets no band
    quantile = np.moveaxis(np.nanquantile(unit, levels, axis=0), 0, -1)
    return Band(
        np.asarray(levels, np.float64), quantile.astype(np.float32), spread.astype(np.float32)
    )


def _sums_by(
    magnitude: NDArray[np.float32], series: NDArray[np.int64], count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sum and count the observed values of windows (N, H, T) by series, (S, T) each."""
    order = np.argsort(series, kind="stable")
    rows = np.bincount(series, minlength=count) * magnitude.shape[1]
    values = magnitude[order].reshape(-1, magnitude.shape[2]).astype(np.float64)
    seen = np.isfinite(values)
    return sums(np.where(seen, values, 0.0), rows), sums(seen.astype(np.float64), rows)


@dataclass(frozen=True)
class Naive:
    """Repeats the last season; with a season of 1 step, the last value."""

    horizon: int
    season: int
    band: Band | None = None

    @classmethod
    def fit(
        cls,
        panel: Panel,
        train: WindowIndex,
        *,
        horizon: int,
        season: int,
        levels: Sequence[float] = DECILES,
    ) -> Self:
        """Learn the band from the naive forecast's errors on at most 20,000 train windows.

        Raises
        ------
        ValueError
            When `season` or `horizon` is not positive, or there are no train windows.
        """
        if season < 1 or horizon < 1 or not len(train.series):
            raise ValueError(
                f"a naive forecast needs a season and a horizon of at least 1 step and train "
                f"windows, not season {season}, horizon {horizon}, {len(train.series)} windows"
            )
        bare = cls(horizon, season)
        index = thin(train)
        actual = collect_actual(panel, index, horizon=horizon)
        error = actual - bare._point(panel, index, batch_size=512)
        return cls(
            horizon,
            season,
            fit_band(error, index.series, count=len(panel.series_ids), levels=levels),
        )

    def predict(self, panel: Panel, index: WindowIndex, *, batch_size: int = 128) -> Forecast:
        """Forecast every window; without any reading yet the forecast is NaN, with `no_history`.

        If the last seasons are missing, the newest reading is repeated, however old.
        """
        point = self._point(panel, index, batch_size=batch_size)
        has_gap = np.isnan(point).any(axis=(1, 2))
        if has_gap.any():
            some = WindowIndex(index.series[has_gap], index.cutoff[has_gap])
            newest = newest_readings(panel, some)[:, None]
            point[has_gap] = np.where(np.isnan(point[has_gap]), newest, point[has_gap])
        return with_band(point, index, self.band)

    def _point(self, panel: Panel, index: WindowIndex, *, batch_size: int) -> NDArray[np.float32]:
        seasons = math.ceil(self.horizon / self.season) + SEASONS_BACK - 1
        context = max(self.season * seasons, 2 * self.horizon)
        windows = HostWindows(panel, context_length=context, horizon=self.horizon)
        targets = len(panel.targets)
        points = [
            repeat_season(batch.past[..., :targets], horizon=self.horizon, season=self.season)
            for batch in host_batches(windows, index, size=batch_size)
        ]
        return np.concatenate(points) if points else np.empty((0, self.horizon, targets), "f4")


def newest_readings(panel: Panel, index: WindowIndex) -> NDArray[np.float32]:
    """Return the newest value of each target at each cutoff, (N, T); NaN before the first.

    NaN too in panels with vintages, since the versions known at each cutoff are not looked up here.
    """
    targets = len(panel.targets)
    found = np.full((len(index.series), targets), np.nan, np.float32)
    if panel.vintages is not None:  # its rows hold what became known later
        return found
    stop = np.minimum(index.cutoff, panel.length[index.series])
    for target in range(targets):
        channel = slice(target, target + 1)
        newest = newest_seen(panel, index.series, np.maximum(stop, 0), channel)
        some = newest > 0
        row = panel.offset[index.series[some]] + newest[some] - 1
        found[some, target] = panel.values[row, target]
    return found


def with_band(point: NDArray[np.float32], index: WindowIndex, band: Band | None) -> Forecast:
    """Return a forecast of these points; without a band it has no quantiles."""
    n, horizon, targets = point.shape
    if band is None:
        quantiles, levels = np.empty((n, horizon, targets, 0), np.float32), np.empty(0, np.float64)
    else:
        quantiles, levels = band.around(point, index.series), band.levels
    empty = np.isnan(point).all(axis=1)  # (N, T)
    return Forecast(
        series=index.series,
        cutoff=index.cutoff,
        point=point,
        quantiles=quantiles,
        levels=levels,
        flag=np.where(empty, "no_history", ""),
    )
