"""Steps of the season at which a series always reads the same: the nights of a solar site.

Rare rain leaves many hours dry for weeks, too. So a step counts as settled only after as many equal
readings as chance alone, by the share of that value at all steps, would hardly give.

Letters: R windows, H horizon, T targets, D seasons.
"""

import numpy as np
from numpy.typing import NDArray

LEAST_TIMES = 14
"""Readings at a step of the season before it may be settled."""

CHANCE = 1e-4
"""Highest probability of so many equal readings in a row, were they drawn from all steps alike."""

Array = NDArray[np.float32]


def may_be_settled(past: Array, season: int) -> NDArray[np.bool_]:
    """Say which windows (N, L, T) repeat a reading over all their seasons, but not everywhere."""
    seasons = past.shape[1] // season
    if seasons < 2 or season < 2:
        return np.zeros(len(past), np.bool_)
    newest = past[:, past.shape[1] - seasons * season :]
    folded = newest.reshape(len(past), seasons, season, past.shape[2])
    known = np.isfinite(folded)
    low = np.where(known, folded, np.inf).min(axis=1)  # (N, season, T)
    high = np.where(known, folded, -np.inf).max(axis=1)
    is_same = (low == high).any(axis=1) & (low < high).any(axis=1)  # (N, T)
    return np.asarray(np.any(is_same, axis=1))


def settled_values(block: Array, cutoff: NDArray[np.int64], *, horizon: int, season: int) -> Array:
    """Give the settled value of the steps behind each cutoff (R,), NaN where none: (R, H, T).

    Parameters
    ----------
    block : (length, T)
        A series' readings, the future included: none behind a cutoff is looked at for it.
    """
    stop = np.minimum(cutoff, len(block))
    values = np.pad(block, ((0, -len(block) % season), (0, 0)), constant_values=np.nan)
    phase = (cutoff[:, None] + np.arange(horizon)) % season  # (R, H)
    passed = np.maximum(0, (stop[:, None] - phase + season - 1) // season)  # of that phase, (R, H)
    found = np.full((*phase.shape, block.shape[1]), np.nan, np.float32)
    for target in range(block.shape[1]):
        folded = values[:, target].reshape(-1, season)  # (D, season)
        seen = np.isfinite(folded)
        first = folded[seen.argmax(axis=0), np.arange(season)]
        other = np.concatenate([seen & (folded != first), np.ones((1, season), np.bool_)])
        differs = other.argmax(axis=0)  # season of the first other reading
        times = np.concatenate([np.zeros((1, season), np.int64), seen.cumsum(axis=0)])
        is_one = (passed <= differs[phase]) & (times[passed, phase] >= LEAST_TIMES)
        for value in np.unique(first[phase[is_one]]):
            here = is_one & (first[phase] == value)
            share = _share(values[:, target], value, stop)[:, None]
            log_chance = times[passed, phase] * np.log(np.clip(share, 1e-9, 1.0))
            here &= log_chance <= np.log(CHANCE)
            found[..., target][here] = value
    return found


def _share(values: Array, value: np.float32, stop: NDArray[np.int64]) -> NDArray[np.float64]:
    """Give the share (R,) of a value among the readings before each stop (R,)."""
    equal = np.concatenate([[0], (values == value).cumsum()])
    seen = np.concatenate([[0], np.isfinite(values).cumsum()])
    return np.asarray(equal[stop] / np.maximum(seen[stop], 1), np.float64)
