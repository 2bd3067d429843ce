"""Conformal calibration of quantiles: offsets by step, target and level; trains nothing.

A quantile forecast q at level a is moved until a share a of held-back actuals lies below it, with
the finite-sample correction of Vovk et al. 2005 (one-sided; Romano et al. 2019 for quantiles).
Offsets are in units of each forecast's own spread, so one offset serves series of any scale.

Letters: N windows (in order of time for `rolling` and `adaptive`), H steps, T targets,
Q quantile levels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

LEAST_SPREAD = 1e-3  # of the outermost quantiles, in units of the train standard deviation


@dataclass(frozen=True)
class Calibration:
    """What is added to raw quantiles before they are handed out.

    Attributes
    ----------
    offset : (H, T, Q)
        In units of a forecast's spread.
    least_spread : (T,)
        The smallest spread, in the target's units.
    count : (H, T)
        Actuals each offset rests on.
    """

    offset: Array
    least_spread: Array
    count: NDArray[np.int64]

    def apply(self, quantiles: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return moved and sorted quantiles (N, H, T, Q)."""
        spread = forecast_spread(quantiles, self.least_spread)
        moved = quantiles + self.offset * spread[..., None]
        return np.sort(moved, axis=-1).astype(np.float32)

    def to_json(self) -> dict[str, Any]:
        """Plain values that JSON can hold."""
        return {
            "offset": self.offset.tolist(),
            "least_spread": self.least_spread.tolist(),
            "count": self.count.tolist(),
        }

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "Calibration":
        """Inverse of `to_json`."""
        return cls(
            np.array(content["offset"], np.float64),
            np.array(content["least_spread"], np.float64),
            np.array(content["count"], np.int64),
        )


def calibrate(
    actual: ArrayLike, quantiles: ArrayLike, levels: Sequence[float], *, target_scale: ArrayLike
) -> Calibration:
    """Fit the offsets on windows that neither the weights nor early stopping have seen.

    Parameters
    ----------
    actual
        (N, H, T), NaN where missing.
    quantiles
        (N, H, T, Q), raw.
    levels
        (Q,), rising.
    target_scale
        (T,), standard deviation of each target in training.
    """
    least = LEAST_SPREAD * np.asarray(target_scale, np.float64)
    raw = np.asarray(quantiles, np.float64)
    unit = _unit_scores(actual, raw, least)
    offset = conformal_offsets(unit, levels)
    return Calibration(offset, least, np.isfinite(unit[..., 0]).sum(axis=0))


def forecast_spread(quantiles: ArrayLike, least: ArrayLike) -> Array:
    """Distance of the outermost quantiles (N, H, T), at least `least` (T,)."""
    q = np.asarray(quantiles, np.float64)
    return np.maximum(q[..., -1] - q[..., 0], least)


def _unit_scores(actual: ArrayLike, quantiles: Array, least: Array) -> Array:
    spread = forecast_spread(quantiles, least)
    return (np.asarray(actual, np.float64)[..., None] - quantiles) / spread[..., None]


def conformal_offsets(scores: ArrayLike, levels: Sequence[float]) -> Array:
    """Return the score that a new one stays below with probability `level`, (..., Q).

    Of n scores, sorted, the ceil(level (n + 1))-th for levels above one half, the
    floor(level (n + 1))-th below, the mean of both at one half: exact for exchangeable scores
    (Vovk et al. 2005, prop. 2.3). With fewer scores than a level needs, the outermost.

    Parameters
    ----------
    scores
        (N, ..., Q), NaN where there is none. Without any score the offset is 0.
    """
    ordered = np.sort(np.asarray(scores, np.float64), axis=0)  # NaN last
    count = np.isfinite(ordered).sum(axis=0)  # (..., Q)
    level = np.asarray(levels, np.float64)
    position = level * (count + 1)
    slack = 1e-9  # 0.9 * 10 is a little above 9
    high = np.where(level >= 0.5, np.ceil(position - slack), np.floor(position + slack))
    low = np.where(level > 0.5, high, np.floor(position + slack))
    offset = (_nth(ordered, high, count) + _nth(ordered, low, count)) / 2
    return np.where(count > 0, offset, 0.0)


def _nth(ordered: Array, position: Array, count: NDArray[np.int64]) -> Array:
    last = np.maximum(count, 1)
    row = np.clip(position, 1, last).astype(np.int64) - 1
    value: Array = np.take_along_axis(ordered, row[None], axis=0)[0]
    return value


def rolling_conformal(
    actual: ArrayLike, quantiles: ArrayLike, levels: Sequence[float], *, window: int, delay: int
) -> Array:
    """Move each forecast's quantiles by offsets from the last `window` scored ones before it.

    Parameters
    ----------
    actual
        (N, H, T) in order of cutoff.
    quantiles
        (N, H, T, Q), raw.
    window
        Scored cutoffs that are looked back on.
    delay
        Cutoffs that must pass before a forecast is scored: the horizon in cutoffs, so that no
        offset rests on an actual of the future.

    Returns
    -------
    (N, H, T, Q), sorted; unmoved where nothing is scored yet.

    Raises
    ------
    ValueError
        When `window` or `delay` is not positive.
    """
    if window < 1 or delay < 1:
        raise ValueError(f"window and delay must be at least 1, not {window} and {delay}")
    raw = np.asarray(quantiles, np.float64)
    scores = np.asarray(actual, np.float64)[..., None] - raw
    moved = raw.copy()
    for n in range(delay, len(raw)):
        stop = n - delay + 1
        moved[n] += conformal_offsets(scores[max(0, stop - window) : stop], levels)
    return np.sort(moved, axis=-1)


def adaptive_conformal(
    actual: ArrayLike,
    quantiles: ArrayLike,
    levels: Sequence[float],
    *,
    window: int,
    delay: int,
    rate: float = 0.01,
) -> Array:
    """Return rolling offsets at levels steered by what was missed (Gibbs & Candes 2021, eq. 2).

    Each step, target and level has its own working level: after a scored forecast it rises by
    `rate` times (nominal level - share below), so that long-run coverage holds under drift.
    Parameters and result are those of `rolling_conformal`.

    Raises
    ------
    ValueError
        When `window`, `delay` or `rate` is not positive.
    """
    if window < 1 or delay < 1 or rate <= 0:
        raise ValueError(f"window {window}, delay {delay} and rate {rate} must be positive")
    raw = np.asarray(quantiles, np.float64)
    truth = np.asarray(actual, np.float64)[..., None]
    scores = truth - raw
    nominal = np.broadcast_to(np.asarray(levels, np.float64), raw.shape[1:])
    working = nominal.copy()
    moved = raw.copy()
    for n in range(delay, len(raw)):
        scored = n - delay
        below = np.where(np.isfinite(truth[scored]), truth[scored] <= moved[scored], nominal)
        working = np.clip(working + rate * (nominal - below), 0.001, 0.999)
        history = scores[max(0, scored + 1 - window) : scored + 1]
        moved[n] += _at_levels(history, working)
    return np.sort(moved, axis=-1)


def _at_levels(scores: Array, working: Array) -> Array:
    """Return the working level's quantile of the scores (N, ...) in every cell, by position."""
    ordered = np.sort(scores, axis=0)
    count = np.isfinite(ordered).sum(axis=0)
    offset = _nth(ordered, np.rint(working * (count + 1)), count)
    return np.where(count > 0, offset, 0.0)
