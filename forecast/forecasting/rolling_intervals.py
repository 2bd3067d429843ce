"""Bands corrected at each cutoff by what the newest forecasts of the same series missed.

A bundle's calibration grows old. Here the forecaster looks back on cutoffs of each series' own
past, forecasts them as it would have then, and learns factors of the spread from what it missed
(`spread_factors`). Only actuals at or before the cutoff count, and only cutoffs whose targets no
weight has seen. The cutoffs looked back on lie on a fixed raster of time, and no series looks at
another, so a band depends neither on what else is forecast in the same process nor on how many
processes share the work.

Letters: N windows, O origins, H horizon, R groups of steps, T targets, S sides, G factors.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from forecast.data.windows.host_windows import collect_actual
from forecast.data.windows.window_index import WindowIndex
from forecast.forecasting.spread_factors import (
    LOG_FACTORS,
    Array,
    Evidence,
    best_factors,
    by_step,
    evidence_of,
    group_edges,
    scaled,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from forecast.data.panel import Panel
    from forecast.data.windows.predictor import Forecast
    from forecast.forecasting.calibration import Calibration
    from forecast.forecasting.spec import Spec

    Predict = Callable[..., Forecast]

SPAN_SEASONS = 28  # looked back on at least, so that short horizons see weeks as well
BATCH = 64  # origins forecast together
MOST_VALUES = 4_000_000  # quantiles and losses of origins that are held at once
INDEPENDENT = 0.3
"""Independent windows that an origin is worth: the errors of one series are alike for longer than a
horizon. Counted whole, looking back made bands worse on five tasks of five (docs/models.md)."""


class Lookback(NamedTuple):
    """Which cutoffs count for the windows that are forecast.

    Parameters
    ----------
    origins : WindowIndex
        The cutoffs (O,), of each series together and in order of time.
    first, stop : (N,) int64
        The origins of each window: `first` to `stop - 1`; none where they are equal.
    """

    origins: WindowIndex
    first: NDArray[np.int64]
    stop: NDArray[np.int64]


def origin_stride(spec: Spec, origins: int) -> int:
    """Return the steps from one origin to the next.

    About a horizon, so that their targets hardly overlap, and without a divisor in common with
    the season, so that they come at all hours.
    """
    stride = max(spec.horizon - 1, -(-SPAN_SEASONS * spec.season // max(1, origins)), 1)
    while math.gcd(stride, spec.season) > 1:
        stride += 1
    return stride


def lookback(spec: Spec, panel: Panel, windows: WindowIndex, *, origins: int) -> Lookback:
    """Return the newest `origins` cutoffs that were scored whole at each window's cutoff.

    A cutoff counts when no weight has seen its targets and its whole context is there.
    """
    stride = origin_stride(spec, origins)
    start = panel.start[windows.series]
    end = np.minimum(windows.cutoff, panel.length[windows.series]) + start
    stop = (end - spec.horizon) // stride + 1  # origin k has its first target at step k * stride
    oldest = np.maximum(spec.trained_until, start + spec.context_length)
    first = np.maximum(stop - origins, -(-oldest // stride))
    has_any = first < stop
    series, place = np.unique(windows.series, return_inverse=True)
    begin = np.full(len(series), np.iinfo(np.int64).max)
    finish = np.zeros(len(series), np.int64)
    np.minimum.at(begin, place[has_any], first[has_any])
    np.maximum.at(finish, place[has_any], stop[has_any])
    count = np.maximum(finish - begin, 0)
    shift = np.cumsum(count) - count - np.where(count > 0, begin, 0)  # from number to position
    number = np.arange(count.sum()) - np.repeat(shift, count)
    cutoff = number * stride - np.repeat(panel.start[series], count)
    return Lookback(
        WindowIndex(np.repeat(series, count), cutoff),
        np.where(has_any, first + shift[place], 0),
        np.where(has_any, stop + shift[place], 0),
    )


def corrected(
    predict: Predict, calibration: Calibration, spec: Spec, *, panel: Panel, answer: Forecast
) -> Array:
    """Return the quantiles (N, H, T, Q) of an answer, corrected by each series' own past.

    Parameters
    ----------
    predict
        Forecasts windows as the answer was, without this correction.
    """
    moved = answer.quantiles.astype(np.float64)
    if calibration.origins == 0 or not len(answer.series):
        return moved
    for rows in _some_series(spec, answer, calibration.origins):
        windows = WindowIndex(answer.series[rows], answer.cutoff[rows])
        back = lookback(spec, panel, windows, origins=calibration.origins)
        if len(back.origins.series) == 0:
            continue
        factors = _factors(predict, calibration, spec, panel=panel, back=back)
        moved[rows] = scaled(moved[rows], by_step(factors, spec.horizon), spec.levels)
    return moved


def _some_series(spec: Spec, answer: Forecast, origins: int) -> Iterator[NDArray[np.int64]]:
    """Yield the rows of as many series as memory has room for, all rows of each together."""
    losses = 2 * len(LOG_FACTORS) * (len(group_edges(spec.horizon)) - 1)
    of_origin = len(spec.targets) * (spec.horizon * len(spec.levels) + losses)
    order = np.argsort(answer.series, kind="stable")
    begin = np.flatnonzero(np.diff(answer.series[order], prepend=-1))  # first row of each series
    cutoff = answer.cutoff[order]
    span = np.maximum.reduceat(cutoff, begin) - np.minimum.reduceat(cutoff, begin)
    values = (origins + span // origin_stride(spec, origins)) * of_origin
    part = np.cumsum(values) // MOST_VALUES
    edges = begin[np.flatnonzero(np.diff(part, prepend=-1))]
    yield from np.split(order, edges[1:])


def _factors(
    predict: Predict, calibration: Calibration, spec: Spec, *, panel: Panel, back: Lookback
) -> Array:
    """Return the log factors (N, R, T, S) of each window from its origins."""
    origins = _whole_batches(back.origins)
    before = predict(panel, origins, batch_size=BATCH)
    actual = collect_actual(panel, origins, horizon=spec.horizon)
    is_model = np.char.find(before.flag, "fallback:") < 0  # (O, T)
    found = evidence_of(
        np.where(is_model[:, None], actual, np.nan),
        before.quantiles,
        spec.levels,
        least=calibration.least_spread,
    )
    pairs, place = np.unique(np.stack([back.first, back.stop]), axis=1, return_inverse=True)
    total = _summed(found, *pairs)
    return changed(total, horizon=spec.horizon)[place.reshape(-1)]


def changed(total: Evidence, *, horizon: int) -> Array:
    """Return the log factors (..., R, T, S) by which spreads changed since the calibration."""
    windows = total.seen / np.diff(group_edges(horizon))[:, None]
    return best_factors(total, horizon=horizon, origins=INDEPENDENT * windows)


def _whole_batches(index: WindowIndex) -> WindowIndex:
    """Repeat the last origin until all batches are of one size.

    A window's forecast depends in its last digits on the size of the batch it is computed in, and
    factors magnify that; so all origins are computed in batches of the same size.
    """
    more = -len(index.series) % BATCH
    return WindowIndex(*(np.pad(part, (0, more), mode="edge") for part in index))


def _summed(found: Evidence, first: NDArray[np.int64], stop: NDArray[np.int64]) -> Evidence:
    """Sum the evidence of origins `first` to `stop - 1`, one by one, for each pair of them."""
    loss = np.zeros((len(first), *found.loss.shape[1:]))
    seen = np.zeros((len(first), *found.seen.shape[1:]))
    for back in range(1, int((stop - first).max()) + 1):
        at = stop - back
        is_one = at >= first
        loss[is_one] += found.loss[at[is_one]]
        seen[is_one] += found.seen[at[is_one]]
    return Evidence(loss, seen)
