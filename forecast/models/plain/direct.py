"""The direct strategy on LSTM layers in numpy, see `strategies.direct`.

Shapes: B batch, L context, H horizon, T targets, P past, K known, D hidden, O head outputs.
"""

import numpy as np

from forecast.models.architecture import Architecture
from forecast.models.plain import window_units as units
from forecast.models.plain.lstm import Array, Weights, dense, run, start, zeros_for_nan
from forecast.models.plain.segment import Place, Point


class PlainDirect:
    """One direct forecaster; `place` is that of its head."""

    def __init__(self, a: Architecture, weights: Weights, place: Place, _: Point) -> None:
        self.a, self.weights, self.place = a, weights, place

    def __call__(self, past: Array, known: Array, static: Array) -> Array:
        """Forecast head parameters (B, H, T, O) from scaled inputs."""
        a, weights = self.a, self.weights
        targets, covariates = past[..., : a.target_count], past[..., a.target_count :]
        scale = units.window_scale(targets, a.normalization)
        known, static = zeros_for_nan(known), zeros_for_nan(static)
        parts = [
            zeros_for_nan((targets - scale.location) / scale.scale),
            (~np.isnan(targets)).astype(np.float32),
            zeros_for_nan(covariates),
            known[:, : a.context_length],
        ]
        added = None
        if "static_entry.to_state.weight" in weights:
            added = dense(weights, "static_entry.to_state", static)
        elif a.static_into == "steps":
            parts.append(np.repeat(static[:, None], a.context_length, axis=1))
        first = start(weights, len(past), layers=a.layers, size=a.hidden_size, added=added)
        steps = np.concatenate(parts, axis=-1)
        hidden = run(weights, steps, first, units.observed_length(past)).hidden[-1]
        raw = dense(weights, "step_shape", hidden).reshape(len(past), a.horizon, a.target_count, -1)
        if "known_effect.weight" in weights:
            entry = dense(weights, "known_entry", known[:, a.context_length :])
            mixed = np.maximum(dense(weights, "state_entry", hidden)[:, None] + entry, 0)
            raw = raw + dense(weights, "known_effect", mixed).reshape(raw.shape)
        return self.place(raw, scale.location, scale.scale)
