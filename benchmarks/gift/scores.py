"""The scores of GIFT-Eval: MASE of a point, weighted quantile loss, coverage; forecasts nothing.

Letters: N windows, H steps of the horizon, T targets, Q quantile levels.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from forecast.data.panel import Panel
from forecast.data.windows.host_windows import collect_actual
from forecast.data.windows.window_index import WindowIndex

from .tasks import Task

Array = NDArray[np.float64]
LEVELS = tuple(round(0.1 * level, 1) for level in range(1, 10))
DEVIATES = np.array([NormalDist().inv_cdf(level) for level in LEVELS])


@dataclass(frozen=True)
class Truth:
    """What a task's windows are scored against.

    Attributes
    ----------
    actual
        (N, H, T).
    scale
        (N, T) mean absolute change over a season in each window's own past, the unit of MASE.
    """

    actual: Array
    scale: Array


def truth_of(task: Task, panel: Panel, index: WindowIndex) -> Truth:
    """Collect actuals and the units of MASE."""
    actual = collect_actual(panel, index, horizon=task.horizon).astype(np.float64)
    scale = [
        np.nanmean(np.abs(past[task.season :] - past[: -task.season]), axis=0)
        for past in (
            panel.block(series)[:cutoff].astype(np.float64)
            for series, cutoff in zip(*index, strict=True)
        )
    ]
    return Truth(actual, np.stack(scale))


def mase(truth: Truth, point: NDArray[np.floating]) -> float:
    """Mean absolute error in units of the scale; the mean over steps, windows and targets.

    Hyndman & Koehler 2006; a target that never changes over a season has no scale and counts not.
    """
    error = np.abs(truth.actual - point).mean(axis=1)
    counted = truth.scale > 0
    return float((error[counted] / truth.scale[counted]).mean())


def wql(truth: Truth, quantiles: NDArray[np.floating]) -> float:
    """Mean over the levels of twice the summed pinball loss over the summed |actual|.

    `quantiles` (N, H, T, Q) at LEVELS. Park et al. 2022, as gluonts computes it.
    """
    below = truth.actual[..., None] - quantiles
    level = np.asarray(LEVELS)
    loss = 2 * np.maximum(level * below, (level - 1) * below)
    return float(loss.sum(axis=(0, 1, 2)).mean() / np.abs(truth.actual).sum())


def coverage(truth: Truth, quantiles: NDArray[np.floating]) -> float:
    """Share of actuals between the outermost quantiles, an interval of 80 %."""
    inside = (quantiles[..., 0] <= truth.actual) & (truth.actual <= quantiles[..., -1])
    return float(inside.mean())


def seasonal_naive(task: Task, panel: Panel, index: WindowIndex) -> tuple[Array, Array]:
    """Give point (N, H, T) and quantiles (N, H, T, Q) of the last season, repeated.

    The spread of step h is that of the errors one season ahead in the past, times the square root
    of the seasons that h reaches (Hyndman & Athanasopoulos 2021, table 5.2).
    """
    points, spreads = [], []
    for series, cutoff in zip(*index, strict=True):
        past = panel.block(series)[:cutoff].astype(np.float64)
        ahead = np.arange(task.horizon)
        points.append(past[cutoff - task.season + ahead % task.season])
        error = past[task.season :] - past[: -task.season]
        sigma = np.sqrt((error**2).mean(axis=0))
        spreads.append(sigma * np.sqrt(ahead // task.season + 1)[:, None])
    point = np.stack(points)
    return point, point[..., None] + np.stack(spreads)[..., None] * DEVIATES
