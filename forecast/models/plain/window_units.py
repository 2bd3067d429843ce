"""Windows in units of their own, and what is read off them: seasons, phases, features.

The functions are those of `strategies.normalization`, `strategies.naive`, `linear.features` and
`linear.known_effect`, in numpy.

Shapes: B batch, L context, H horizon, T targets, P past, K known, F features, N candidates.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from forecast.models.derived import COVARIATE_STEPS, HARMONICS, SMALLEST_SCALE
from forecast.models.plain.lstm import Array, zeros_for_nan
from forecast.vocabulary import Normalization


class WindowScale(NamedTuple):
    """Location and scale by which a window is normalised, (B, 1, T)."""

    location: Array
    scale: Array


def window_scale(targets: Array, mode: Normalization) -> WindowScale:
    """Find the location and scale of each window's targets (B, L, T)."""
    one = np.ones((len(targets), 1, targets.shape[2]), np.float32)
    match mode:
        case "none":
            return WindowScale(one * 0, one)
        case "last":
            steps = np.arange(targets.shape[1])[:, None]
            position = np.where(np.isnan(targets), 0, steps).max(axis=1, keepdims=True)
            return WindowScale(zeros_for_nan(np.take_along_axis(targets, position, 1)), one)
        case "mean_std":
            count = (~np.isnan(targets)).sum(axis=1, keepdims=True)
            share = np.maximum(count, 1).astype(np.float32)
            mean = zeros_for_nan(targets).sum(axis=1, keepdims=True) / share
            centred = zeros_for_nan(targets - mean)
            deviation = (centred**2).sum(axis=1, keepdims=True) / share
            scale = np.sqrt(deviation + np.float32(SMALLEST_SCALE**2))
            return WindowScale(mean, np.where(count > 0, scale, one))


def observed_length(past: Array) -> NDArray[np.int64] | None:
    """Count the steps (B,) from each window's first reading on; None when all are full."""
    absent = np.isnan(past)
    if not absent[:, 0].all(axis=-1).any():
        return None
    steps = np.arange(past.shape[1], 0, -1)
    return np.asarray(np.where(absent.all(axis=-1), 0, steps).max(axis=1))


def naive_candidates(values: Array, horizon: int, seasons: Sequence[int]) -> Array:
    """Give three naive forecasts per season length, (B, H, T, N), in window units."""
    candidates = []
    for season in seasons:
        newest, mean = _seasons(values, season)
        order = np.arange(horizon) % season
        shift = _level_shift(values, season, min(seasons))
        candidates += [newest[:, order], newest[:, order] + shift, mean[:, order]]
    return np.stack(candidates, axis=-1)


def _seasons(values: Array, season: int) -> tuple[Array, Array]:
    count = values.shape[1] // season
    whole = values[:, values.shape[1] - count * season :]
    folded = whole.reshape(len(values), count, season, -1)
    observed, filled = ~np.isnan(folded), zeros_for_nan(folded)
    newest = filled[:, 0]
    for number in range(1, count):
        newest = np.where(observed[:, number], filled[:, number], newest)
    share = np.maximum(observed.sum(axis=1), 1).astype(np.float32)
    return newest, filled.sum(axis=1) / share


def _level_shift(values: Array, season: int, span: int) -> Array:
    steps = values.shape[1]
    span = min(span, steps - season)
    if span < 1:
        return np.zeros_like(values[:, :1])
    change = values[:, -span:] - values[:, steps - season - span : steps - season]
    share = np.maximum((~np.isnan(change)).sum(axis=1, keepdims=True), 1).astype(np.float32)
    return np.asarray(zeros_for_nan(change).sum(axis=1, keepdims=True) / share)


def usual_by_phase(values: Array, season: int) -> Array:
    """Give the mean of each phase of the season over a window (B, L, C); NaN where unobserved."""
    steps = values.shape[1]
    season = min(season, steps)
    more = ((0, 0), (0, -steps % season), (0, 0))
    padded = np.pad(values, more, constant_values=np.nan)
    folded = padded.reshape(len(values), -1, season, values.shape[2])
    usual = nan_mean(folded)
    return np.tile(usual, (1, folded.shape[1], 1))[:, :steps]


def nan_mean(values: Array) -> Array:
    """Average over the second axis what is not NaN; NaN where all is."""
    count = (~np.isnan(values)).sum(axis=1).astype(np.float32)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(zeros_for_nan(values).sum(axis=1) / count)


def with_lead_in(values: Array, season: int) -> Array:
    """Fill the steps before the first reading of (B, L, T) with the mean reading of their phase."""
    missing = np.isnan(values)
    if not missing[:, 0].any():
        return values
    leading = np.logical_and.accumulate(missing, axis=1)
    return np.where(leading, usual_by_phase(values, season), values)


def without_gaps(known: Array, season: int) -> Array:
    """Fill gaps of (B, L + H, K) by the window's mean at the phase, else its mean, else 0."""
    missing = np.isnan(known)
    if not missing.any():
        return known
    usual = usual_by_phase(known, season)
    level = zeros_for_nan(nan_mean(known))[:, None]
    return np.where(missing, np.where(np.isnan(usual), level, usual), known)


def linear_features(
    values: Array,
    location: Array,
    covariates: Array,
    known: Array,
    *,
    season: int,
    cycles: Sequence[tuple[int, int]],
) -> Array:
    """Give the features (B, T, F) of the linear path, NaN where a reading is missing."""
    context, targets = values.shape[1:]
    features = [with_lead_in(values, season).transpose(0, 2, 1)]
    newest = zeros_for_nan(known[:, context - 1])  # (B, K)
    for sine, cosine in cycles:
        phase = np.arctan2(newest[:, sine], newest[:, cosine])
        angles = phase[:, None] * np.arange(1, HARMONICS + 1, dtype=np.float32)
        waves = np.concatenate([np.sin(angles), np.cos(angles)], axis=-1)
        features.append(np.repeat(waves[:, None], targets, axis=1))
    if covariates.shape[2]:
        steps = _carry_forward(covariates)[:, -COVARIATE_STEPS:].reshape(len(values), -1)
        shared = np.concatenate([steps, known[:, context]], axis=1)[:, None]
        features += [location.transpose(0, 2, 1), np.repeat(shared, targets, axis=1)]
    return np.concatenate(features, axis=-1)


def _carry_forward(values: Array) -> Array:
    step = np.arange(values.shape[1])[None, :, None]
    source = np.maximum.accumulate(np.where(np.isfinite(values), step, 0), axis=1)
    return np.take_along_axis(values, source, 1)
