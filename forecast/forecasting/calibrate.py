"""Fits a forecaster's calibration to windows that neither its weights nor their choice have seen.

Letters: N windows, H horizon, R groups of steps, T targets, Q quantile levels, S sides.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from forecast.data.panel import Panel
from forecast.data.windows.host_windows import host_batches
from forecast.data.windows.window_index import HostBatch, WindowIndex, thin
from forecast.forecasting.bridge import bridged
from forecast.forecasting.calibration import MOST_HORIZONS, Calibration
from forecast.forecasting.hardship import late_knots
from forecast.forecasting.spread_factors import (
    LOG_FACTORS,
    Array,
    Evidence,
    best_factors,
    evidence_of,
)

if TYPE_CHECKING:
    from forecast.forecasting.forecaster import Forecaster

MOST_WINDOWS = 20_000  # evenly spaced; more no longer move a factor
MOST_IN_HARDSHIP = 400  # windows that are forecast again without what a hardship takes away
LEAST_WINDOWS = 100  # even where long horizons of many targets would fill memory
MOST_VALUES = 4_000_000  # quantiles held at once
MOST_ROUNDS = 3  # a head whose quantiles were hardly trained may be off a hundredfold
BATCH = 128
Change = Callable[[HostBatch], HostBatch]


def calibrated(
    forecaster: "Forecaster", panel: Panel, index: WindowIndex, *, series: int
) -> Calibration:
    """Return the calibration of a forecaster, from windows of a panel.

    Parameters
    ----------
    index
        Windows that it was not trained on; without any nothing is corrected but live.
    series
        How many series the forecaster is trained for.
    """
    spec = forecaster.spec
    calibration = Calibration.neutral(
        horizon=spec.horizon,
        scale=forecaster.scaler.table()[1][:, : len(spec.targets)].min(axis=0),
        covariates=len(spec.past) + len(spec.known),
        levels=len(spec.levels),
        series=series,
    )
    if len(index.series) == 0:
        return calibration
    of_window = spec.horizon * len(spec.targets) * max(1, len(spec.levels))
    most = max(LEAST_WINDOWS, min(MOST_WINDOWS, MOST_VALUES // of_window))
    sample = _Sample(forecaster, panel, thin(index, most=most))
    actual, quantiles = sample.of(_as_it_is)
    calibration = replace(calibration, base=_base(actual, quantiles, spec.levels))
    calibration = _with_factors(calibration, sample, actual, quantiles)
    sample = _Sample(forecaster, panel, thin(index, most=min(most, MOST_IN_HARDSHIP)))
    return _with_lateness(_with_lacking(calibration, sample), sample)


def _with_factors(
    calibration: Calibration, sample: "_Sample", actual: Array, quantiles: Array
) -> Calibration:
    """Measure how far off all forecasts are; again where that is beyond the factors tried."""
    for _ in range(MOST_ROUNDS):
        found = sample.factors(calibration, actual, quantiles)
        calibration = replace(calibration, log_factor=calibration.log_factor + found)
        if found.min() > LOG_FACTORS[1] and found.max() < LOG_FACTORS[-2]:
            break
    return calibration


def _with_lateness(calibration: Calibration, sample: "_Sample") -> Calibration:
    """Measure how much further off forecasts are without the newest readings.

    For each lateness, whether to bridge it or to leave the gap is what the smaller error says.
    """
    spec = sample.forecaster.spec
    knots = late_knots(spec.context_length)
    factors, is_bridged = [], []
    for steps in knots:
        change = _without_newest(steps)
        tries = [sample.of(change)]
        if steps <= MOST_HORIZONS * spec.horizon:
            tries.append(sample.of(change, bridge=steps))
        best = int(np.argmin([_error(*attempt) for attempt in tries]))
        is_bridged.append(best == 1)
        factors.append(sample.factors(calibration, *tries[best]))
    rising = np.maximum.accumulate(np.maximum(0.0, np.stack(factors)), axis=0)
    return replace(
        calibration,
        late_steps=np.array(knots, np.int64),
        late=rising,
        is_bridged=np.array(is_bridged),
    )


def _error(actual: Array, quantiles: Array) -> float:
    """Return the mean error of the middle quantile, each target in units of its own deviation."""
    middle = quantiles[..., quantiles.shape[-1] // 2]
    unit = np.maximum(_deviation(actual), 1e-30)
    error = np.abs(actual - middle) / unit
    seen = np.isfinite(error)
    return float(error[seen].mean()) if seen.any() else np.inf


def _deviation(actual: Array) -> Array:
    """Return the standard deviation (T,) of what was observed; 0 where nothing was."""
    seen = np.isfinite(actual)
    count = np.maximum(seen.sum(axis=(0, 1)), 1)
    mean = np.where(seen, actual, 0.0).sum(axis=(0, 1)) / count
    away = np.where(seen, actual - mean, 0.0)
    return np.asarray(np.sqrt((away**2).sum(axis=(0, 1)) / count))


def _with_lacking(calibration: Calibration, sample: "_Sample") -> Calibration:
    """Measure how much further off forecasts are without each covariate."""
    spec = sample.forecaster.spec
    changes = [_without_past(len(spec.targets) + column) for column in range(len(spec.past))]
    changes += [_without_ahead(column, spec.context_length) for column in range(len(spec.known))]
    found = [sample.factors(calibration, *sample.of(change)) for change in changes]
    factors = np.maximum(0.0, np.array(found)).reshape(calibration.lacking.shape)
    return replace(calibration, lacking=factors)


class _Sample:
    """Windows that are forecast as they are, or without something."""

    def __init__(self, forecaster: "Forecaster", panel: Panel, index: WindowIndex) -> None:
        self.forecaster = forecaster
        self.index = index
        self.windows = forecaster.spec.host_windows(panel)
        self.origins = _independent(panel, index, forecaster.spec.horizon)

    def of(self, change: Change, *, bridge: int = 0) -> tuple[Array, Array]:
        """Return actuals (N, H, T) and raw quantiles (N, H, T, Q), NaN where not usable.

        With `bridge` that many newest steps are filled by the model's own forecasts.
        """
        actual, quantiles = [], []
        for batch in host_batches(self.windows, self.index, size=BATCH):
            changed = change(batch)
            past = changed.past[..., : batch.target.shape[2]]
            has_history = np.asarray(np.isfinite(past).any(axis=1))  # (N, T)
            if bridge:
                late = np.where(has_history, bridge, 0)
                changed = bridged(self._point, self.windows, changed, late)
            values = self.forecaster.raw(changed).quantiles
            usable = has_history[:, None, :, None]
            quantiles.append(np.where(usable, values, np.nan))
            actual.append(batch.target)
        return np.concatenate(actual), np.concatenate(quantiles)

    def _point(self, batch: HostBatch) -> NDArray[np.float32]:
        return self.forecaster.raw(batch).point

    def factors(self, calibration: Calibration, actual: Array, quantiles: Array) -> Array:
        """Return the log factors (R, T, S) by which calibrated quantiles were still off."""
        spec = self.forecaster.spec
        values = calibration.plain(quantiles, spec.levels)
        found = evidence_of(actual, values, spec.levels, least=calibration.least_spread)
        total = Evidence(found.loss.sum(axis=0), found.seen.sum(axis=0))
        origins = np.where(total.seen > 0, self.origins, 0.0)
        return best_factors(total, horizon=spec.horizon, origins=origins)


def _independent(panel: Panel, index: WindowIndex, horizon: int) -> float:
    """Return how many windows would fill the time of all of them without overlap."""
    step = np.unique(panel.start[index.series] + index.cutoff)
    return float(min(len(step), (step[-1] - step[0]) / horizon + 1))


def _base(actual: Array, quantiles: Array, levels: tuple[float, ...]) -> Array:
    """Return error quantiles (H, T, Q) about the median of forecasts without spread; else (0,)."""
    targets, count = quantiles.shape[2:]
    if count < 2 or (quantiles[..., -1] > quantiles[..., 0]).any():
        return np.empty((0, targets, count))
    error = (actual - quantiles[..., 0]).astype(np.float64)
    some = np.isfinite(error).any(axis=0)
    error = np.where(some, error, 0.0)
    found = np.moveaxis(np.nanquantile(error, levels, axis=0), 0, -1)
    middle = np.nanquantile(error, 0.5, axis=0)[..., None]
    return np.asarray(found - middle)


def _as_it_is(batch: HostBatch) -> HostBatch:
    return batch


def _without_newest(steps: int) -> Change:
    def change(batch: HostBatch) -> HostBatch:
        past = batch.past.copy()
        past[:, -steps:] = np.nan
        return batch._replace(past=past)

    return change


def _without_past(channel: int) -> Change:
    def change(batch: HostBatch) -> HostBatch:
        past = batch.past.copy()
        past[..., channel] = np.nan
        return batch._replace(past=past)

    return change


def _without_ahead(channel: int, context_length: int) -> Change:
    def change(batch: HostBatch) -> HostBatch:
        known = batch.known.copy()
        known[:, context_length:, channel] = np.nan
        return batch._replace(known=known)

    return change
