"""Bands made wider or narrower: one factor per side of the median, learned from what was missed.

A correction has few degrees of freedom, so that it can rest on little evidence. The distances of
the lower and of the upper quantiles from the median are each multiplied by a factor, which holds
for a group of neighbouring steps. It is the factor with which the pinball loss of past forecasts,
in units of each forecast's own spread, would have been least, held back by a prior at 1: where
nothing was scored the factor is 1, and the median never moves.

Letters: N windows, H horizon, R groups of steps, T targets, Q quantile levels, S sides (lower,
upper), G factors tried.
"""

import math
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

LOG_FACTORS = np.linspace(-2.0, 3.4, 55)  # tried: a seventh to thirty times, 1 among them
GROUPS = 6
PRIOR_WIDTH = 0.25  # of the logarithm of a factor: most models are off by less than a third
PRIOR_PARTS = 0.2  # by which one target or group of steps differs from all of them
WEIGHT = 1.0  # scores that an origin is worth: neighbouring steps err together
CAUTION = 1 / 30
"""By how much levels are moved away from one half before they are aimed at: of n scores the share
(n + 1) / n (Vovk et al. 2005), with the thirty horizons that evidence usually spans."""


class Evidence(NamedTuple):
    """Losses that each factor would have had, (..., R, T, S, G), and actuals seen, (..., R, T)."""

    loss: Array
    seen: Array


@cache
def group_edges(horizon: int) -> tuple[int, ...]:
    """Return the first step of each group, counted from 0, and the horizon.

    >>> group_edges(24)
    (0, 1, 2, 4, 8, 14, 24)
    """
    edges = np.unique(np.geomspace(1, horizon + 1, GROUPS + 1).round().astype(int)) - 1
    return tuple(edges.tolist())


@cache
def _step_weights(horizon: int) -> Array:
    """Return how the factors of the groups are mixed for each step, (H, R): linear in log step."""
    edges = np.array(group_edges(horizon))
    centre = np.log((edges[:-1] + edges[1:] + 1) / 2)
    step = np.log(np.arange(1, horizon + 1))
    parts = [np.interp(step, centre, one) for one in np.eye(len(centre))]
    return np.stack(parts, axis=1)


def by_step(log_factor: Array, horizon: int) -> Array:
    """Return the logarithms of factors of groups (..., R, T, S) for every step (..., H, T, S)."""
    steps: Array = np.einsum("hr,...rts->...hts", _step_weights(horizon), log_factor)
    return steps


def at_level(quantiles: Array, levels: Sequence[float] | Array, level: float) -> Array:
    """Return the quantile of a level between those forecast, (...); at the ends the nearest."""
    place = float(np.interp(level, levels, np.arange(quantiles.shape[-1])))
    below = int(place)
    above = min(below + 1, quantiles.shape[-1] - 1)
    share = place - below
    value: Array = quantiles[..., below] * (1 - share) + quantiles[..., above] * share
    return value


def spread_of(quantiles: Array, least: ArrayLike) -> Array:
    """Return the distance of the outermost quantiles (..., H, T), at least `least` (T,)."""
    return np.maximum(quantiles[..., -1] - quantiles[..., 0], least)


def scaled(quantiles: ArrayLike, log_factor: Array, levels: Sequence[float] | Array) -> Array:
    """Multiply the distances from the median of quantiles (..., T, Q) by factors (..., T, S)."""
    values, level = np.asarray(quantiles, np.float64), np.asarray(levels, np.float64)
    middle = at_level(values, level, 0.5)[..., None]
    factor = np.exp(log_factor)
    by_level = np.where(level < 0.5, factor[..., :1], factor[..., 1:])  # at one half nothing moves
    moved: Array = middle + by_level * (values - middle)
    return moved


def recentred(quantiles: Array, point: ArrayLike, levels: Sequence[float] | Array) -> Array:
    """Move quantiles (..., Q) as far as it takes for the point to lie within the 50 % band."""
    low, high = (at_level(quantiles, levels, level) for level in (0.25, 0.75))
    value = np.asarray(point, np.float64)
    moved: Array = quantiles + (value - np.clip(value, low, high))[..., None]
    return moved


def evidence_of(
    actual: ArrayLike,
    quantiles: ArrayLike,
    levels: Sequence[float] | Array,
    *,
    least: ArrayLike,
) -> Evidence:
    """Return what each factor would have cost, summed over the steps of each group.

    Parameters
    ----------
    actual
        (N, H, T), NaN where missing.
    quantiles
        (N, H, T, Q), not decreasing along Q.
    levels
        (Q,).
    least
        (T,) the smallest spread that losses are divided by.
    """
    values, level = np.asarray(quantiles, np.float64), np.asarray(levels, np.float64)
    middle = at_level(values, level, 0.5)
    error = np.asarray(actual, np.float64) - middle
    seen = np.isfinite(error) & np.isfinite(values).all(axis=-1)
    spread = np.where(seen, spread_of(values, least), 1.0)
    error = np.where(seen, error, 0.0) / spread
    distance = np.where(seen[..., None], values - middle[..., None], 0.0) / spread[..., None]
    aim = np.clip(0.5 + (1 + CAUTION) * (level - 0.5), 0.001, 0.999)
    edges = group_edges(error.shape[1])
    total = _by_group(seen.astype(np.float64), edges)
    loss = np.zeros((*total.shape, 2, len(LOG_FACTORS)))
    for place, one in enumerate(level):
        if one < 0.5:  # mirrored: what lies below the median is then above it
            loss[..., 0, :] += _pinball(-error, -distance[..., place], 1 - aim[place], edges)
        elif one > 0.5:
            loss[..., 1, :] += _pinball(error, distance[..., place], aim[place], edges)
    return Evidence(loss, total)


def _pinball(error: Array, distance: Array, aim: float, edges: tuple[int, ...]) -> Array:
    """Return the pinball loss of every factor times a distance, summed by group, (N, R, T, G).

    Of a level a above one half the loss of an error e is a (e - f d) + max(0, f d - e). The first
    term is linear in the factor f; the second is f d - e from the factor e / d on, so sums over
    the steps whose e / d is below each factor give all factors at once. The ends of bands count
    more: losses are weighted by the square of the level's distance from one half.
    """
    factors = np.exp(LOG_FACTORS)
    ratio = np.where(error < 0, -np.inf, np.inf)
    np.divide(error, distance, out=ratio, where=distance > 0)
    first = np.searchsorted(factors, ratio, side="right")  # the first factor that overshoots
    n, _, targets = error.shape
    group = np.repeat(np.arange(len(edges) - 1), np.diff(edges))
    shape = (n, len(edges) - 1, targets, len(factors) + 1)
    cell = np.ravel_multi_index(
        (np.arange(n)[:, None, None], group[:, None], np.arange(targets), first), shape
    ).ravel()

    def below_factor(values: Array) -> Array:
        sums = np.bincount(cell, values.ravel(), minlength=math.prod(shape)).reshape(shape)
        return np.asarray(sums[..., :-1].cumsum(axis=-1))

    over = factors * below_factor(distance) - below_factor(error)
    linear = _by_group(error, edges)[..., None] - factors * _by_group(distance, edges)[..., None]
    return np.asarray((aim - 0.5) ** 2 * (aim * linear + over))


def _by_group(values: Array, edges: tuple[int, ...]) -> Array:
    """Sum values (N, H, T) over the steps of each group, (N, R, T)."""
    return np.asarray(np.add.reduceat(values, edges[:-1], axis=1))


def best_factors(
    evidence: Evidence,
    *,
    horizon: int,
    origins: ArrayLike | None = None,
) -> Array:
    """Return the logarithm of the best factor of each group, target and side, (..., R, T, S).

    All groups and targets are first taken together; then each group, each target, and each of
    both is moved away from what all have in common as far as its own evidence carries.

    Parameters
    ----------
    evidence
        Summed over windows.
    origins
        (..., R, T) how many independent windows it is worth; as many as were seen unless given.
    """
    steps = np.diff(group_edges(horizon))
    seen = evidence.seen / steps[:, None] if origins is None else np.asarray(origins, np.float64)
    targets = np.sqrt(seen.shape[-1])  # forecasts of several targets tend to err together
    of_group, of_target = seen.mean(axis=-1) * targets, seen.mean(axis=-2)
    of_all = of_group.mean(axis=-1)
    loss = evidence.loss
    common = _peak(loss.sum(axis=(-4, -3)), of_all[..., None], 0.0, PRIOR_WIDTH)  # (..., S)
    group = _peak(loss.sum(axis=-3), of_group[..., None], common[..., None, :], PRIOR_PARTS)
    target = _peak(loss.sum(axis=-4), of_target[..., None], common[..., None, :], PRIOR_PARTS)
    expected = group[..., :, None, :] + target[..., None, :, :] - common[..., None, None, :]
    return _peak(loss, seen[..., None], expected, PRIOR_PARTS)


def _peak(loss: Array, origins: Array, centre: ArrayLike, width: float) -> Array:
    """Return where the posterior of the log factor is highest, (...), from losses (..., G).

    The likelihood is that of an asymmetric Laplace distribution of unknown scale, the mean loss
    to the power of minus the number of scores; the prior is Student's t with three degrees of
    freedom, which lets strong evidence have its way. The peak lies where the slope,
    linear between the middles of neighbouring factors, is zero, so it moves continuously.
    """
    ratio = loss / np.maximum(loss.min(axis=-1, keepdims=True), 1e-300)
    away = (LOG_FACTORS - np.asarray(centre, np.float64)[..., None]) / width
    prior_height = -2 * np.log1p(away**2 / 3)
    height = prior_height - WEIGHT * origins[..., None] * np.log(np.maximum(ratio, 1.0))
    top = np.clip(height.argmax(axis=-1), 1, len(LOG_FACTORS) - 2)[..., None]
    left, middle, right = (
        np.take_along_axis(height, top + shift, axis=-1)[..., 0] for shift in (-1, 0, 1)
    )
    bend = np.minimum(left - 2 * middle + right, -1e-12)
    shift = np.clip(0.5 * (left - right) / bend, -1.0, 1.0)
    found: Array = LOG_FACTORS[top[..., 0]] + shift * (LOG_FACTORS[1] - LOG_FACTORS[0])
    return found
