"""Intervals conformed at each cutoff by what the newest scored forecasts of a series missed.

The static calibration of a bundle grows old; here the forecaster looks back on the cutoffs
just before, forecasts them as it would have then, and moves its quantiles by what it missed
(rolling split conformal prediction). Only actuals at or before the cutoff are used. It moves no
point forecast and touches no fallback.

Letters: S series, N windows, H horizon, T targets, Q quantile levels.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from forecast.data.panel import Panel
from forecast.data.windows.predictor import Forecast
from forecast.data.windows.windows import WindowIndex, collect_actual
from forecast.forecasting.calibration import conformal_offsets
from forecast.forecasting.forecaster import Forecaster
from forecast.forecasting.spec import Spec

SEASONS = 7  # looked back on: in New York of those tried, 7 to 42, the one that covers best on dev
LEAST_SCORED = 20  # fewer scored cutoffs say nothing of a decile
MOST_SCORED = 500  # of a series: more move a decile by less than it is uncertain
MOST_WINDOWS = 20_000  # forecast again at once; beyond, the cutoffs looked back on are thinned


def lookback(spec: Spec) -> int:
    """Return how many cutoffs are looked back on."""
    return max(2 * spec.horizon, SEASONS * spec.season)


def conform(forecaster: Forecaster, panel: Panel, answer: Forecast) -> Forecast:
    """Return forecasts of the same windows with quantiles moved to hold their levels of late.

    Where fewer than 20 cutoffs can be scored that the model was not trained on, the quantiles
    stay as they are.
    """
    spec = forecaster.spec
    index = _origins(panel, answer, spec)
    if len(index.series) == 0:
        return answer
    before = forecaster.predict(panel, index)
    actual = collect_actual(panel, index, horizon=spec.horizon)
    scores = actual[..., None] - before.quantiles
    moved = answer.quantiles.copy()
    until = _counted_until(panel, answer, spec)
    for one in np.unique(answer.series):
        own = index.series == one
        for instant in np.unique(until[answer.series == one]):
            rows = (answer.series == one) & (until == instant)
            age = instant - (index.cutoff + spec.horizon)  # steps since a cutoff was scored
            scored = own & (age >= 0) & (age < lookback(spec))
            moved[rows] += _offsets(scores[scored], spec)
    moved = spec.clip(np.sort(moved, axis=-1), axis=2)
    is_fallback = np.char.find(answer.flag, "fallback:") >= 0  # (N, T)
    kept = np.where(is_fallback[:, None, :, None], answer.quantiles, moved)
    return replace(answer, quantiles=kept.astype(np.float32))


def _block(spec: Spec) -> int:
    """Return the steps for which offsets hold, so that a backfill need not sort at every step."""
    return max(1, spec.horizon // 4)


def _counted_until(panel: Panel, answer: Forecast, spec: Spec) -> NDArray[np.int64]:
    """Return for each window the last block border at or before its cutoff, in its steps (N,)."""
    start = panel.start[answer.series]
    until: NDArray[np.int64] = answer.cutoff - (answer.cutoff + start) % _block(spec)
    return until


@dataclass(frozen=True)
class Live:
    """A forecaster whose intervals are conformed at each cutoff, as `forecast predict` does."""

    forecaster: Forecaster

    def predict(self, panel: Panel, index: WindowIndex, *, batch_size: int = 128) -> Forecast:
        """Forecast every window of the index, in its order."""
        answer = self.forecaster.predict(panel, index, batch_size=batch_size)
        return conform(self.forecaster, panel, answer)


def _origins(panel: Panel, answer: Forecast, spec: Spec) -> WindowIndex:
    """Return the earlier cutoffs that any of the windows looks back on, of every series."""
    series = np.unique(answer.series)
    wanted = min(MOST_SCORED, MOST_WINDOWS / len(series))
    stride = max(1, round(lookback(spec) / wanted))
    parts = []
    for one in series:
        cutoffs = answer.cutoff[answer.series == one]
        first = max(
            int(cutoffs.min()) - lookback(spec) - spec.horizon - _block(spec),
            spec.trained_until - int(panel.start[one]),
            1,
        )
        last = min(int(cutoffs.max()), int(panel.length[one])) - spec.horizon
        parts.append(_every(first, last, stride, phase=int(panel.start[one])))
    counts = [len(part) for part in parts]
    return WindowIndex(np.repeat(series, counts), np.concatenate(parts))


def _every(first: int, last: int, stride: int, *, phase: int) -> NDArray[np.int64]:
    """Return the cutoffs from first to last whose instant is a multiple of the stride."""
    cutoffs = np.arange(first, last + 1, dtype=np.int64)
    chosen: NDArray[np.int64] = cutoffs[(cutoffs + phase) % stride == 0]
    return chosen


def _offsets(scores: NDArray[np.float32], spec: Spec) -> NDArray[np.float64]:
    """Return offsets (H, T, Q) from scores (n, H, T, Q); 0 where too few are numbers."""
    enough = np.isfinite(scores).sum(axis=0) >= LEAST_SCORED
    if not enough.any():
        return np.zeros(scores.shape[1:])
    return np.where(enough, conformal_offsets(scores, spec.levels), 0.0)
