"""The segment strategy in numpy, see `strategies.segment`.

Shapes: B batch, L context, H horizon, T targets, P past, K known, D hidden, O head outputs,
W steps per segment, n segments of the context, m segments of the horizon, N candidates.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from forecast.models.architecture import Architecture
from forecast.models.derived import day_cycles, default_segment_length
from forecast.models.plain import window_units as units
from forecast.models.plain.lstm import (
    Array,
    State,
    Weights,
    by_row,
    dense,
    kernel,
    run,
    start,
    step_of,
    zeros_for_nan,
)

Place = Callable[[Array, Array, Array], Array]
Point = Callable[[Array], Array]


class PlainSegment:
    """One segment forecaster; `place` and `point` are those of its head."""

    def __init__(self, a: Architecture, weights: Weights, place: Place, point: Point) -> None:
        self.a, self.weights, self.place, self.point = a, weights, place, point
        self.width = a.segment_length or default_segment_length(a.context_length, a.horizon)
        self.season = a.seasons[0] if a.seasons else self.width
        self.seasons = tuple(season for season in a.seasons if season <= a.context_length)
        self.cycles = day_cycles(a.known_names)

    def __call__(self, past: Array, known: Array, static: Array) -> Array:
        """Forecast head parameters (B, H, T, O) from scaled inputs."""
        a, weights = self.a, self.weights
        length = units.observed_length(past)
        targets, covariates = past[..., : a.target_count], past[..., a.target_count :]
        effect: Array = np.zeros((), np.float32)
        if "known_effect.weight" in weights:
            tabled = units.without_gaps(known[..., : a.tabled_count], self.season)
            moves = tabled @ weights["known_effect.weight"].T
            known = np.concatenate([tabled, known[..., a.tabled_count :]], axis=-1)
            targets, effect = targets - moves[:, : a.context_length], moves[:, a.context_length :]
        scale = units.window_scale(targets, a.normalization)
        values = (targets - scale.location) / scale.scale
        linear = self._linear(values, scale.location, covariates, known)
        steps = self._embed(values, covariates, known, length)
        future = known[:, a.context_length :]
        hidden = self._decode(self._encode(steps, static, length), linear, future)
        raw = self._joined(dense(weights, "output", hidden))
        if "step_effect.output.weight" in weights:
            raw = raw + self._step_effect(hidden, future)
        base = scale.location + effect
        location = base + scale.scale * self._center(hidden, values, linear)
        params = self.place(raw, location, scale.scale)
        if linear is None:
            return params
        correction = self.point(params) - base - scale.scale * linear.transpose(0, 2, 1)
        return self.place(raw, location - (1 - weights["trust"]) * correction, scale.scale)

    def _linear(
        self, values: Array, location: Array, covariates: Array, known: Array
    ) -> Array | None:
        """Forecast by the linear path, (B, T, H) in window units."""
        weight = self.weights.get("linear.weight")  # (T, F, H)
        if weight is None:
            return None
        features = units.linear_features(
            values, location, covariates, known, season=self.season, cycles=self.cycles
        )
        product = (zeros_for_nan(features)[:, :, None] @ weight)[:, :, 0]
        return np.asarray(product + self.weights["linear.intercept"])

    def _embed(
        self, values: Array, covariates: Array, known: Array, length: NDArray[np.int64] | None
    ) -> Array:
        """Segments of every target as recurrent steps, (B, T, n, D)."""
        batch, context, count = values.shape
        cut = self._cut_context(values).reshape(batch, -1, self.width, count).transpose(0, 3, 1, 2)
        steps = dense(self.weights, "embed", zeros_for_nan(cut))
        missing = np.isnan(cut)
        if missing.any():
            steps = steps + dense(self.weights, "embed_missing", missing.astype(np.float32))
        if "embed_covariates.weight" in self.weights:
            beside = np.concatenate([covariates, known[:, :context]], axis=-1)
            if length is not None:
                is_read = np.arange(context, 0, -1) <= length[:, None]
                beside = np.where(is_read[..., None], beside, np.float32(np.nan))
            beside = zeros_for_nan(self._cut_context(beside))
            steps = steps + dense(self.weights, "embed_covariates", beside)[:, None]
        return np.maximum(steps, np.float32(0))

    def _cut_context(self, channels: Array) -> Array:
        short = -channels.shape[1] % self.width
        if short:
            channels = np.pad(channels, ((0, 0), (short, 0), (0, 0)), constant_values=np.nan)
        return channels.reshape(len(channels), channels.shape[1] // self.width, -1)

    def _cut_horizon(self, channels: Array) -> Array:
        short = -channels.shape[2] % self.width
        if short:
            channels = np.pad(channels, ((0, 0), (0, 0), (0, short), (0, 0)))
        return channels.reshape(*channels.shape[:2], channels.shape[2] // self.width, -1)

    def _encode(self, steps: Array, static: Array, length: NDArray[np.int64] | None) -> State:
        """Give the state after the newest segment; its batch is B · T."""
        count = steps.shape[1]
        flat = steps.reshape(-1, *steps.shape[2:])
        added = None
        if "static_state.weight" in self.weights:
            added = dense(self.weights, "static_state", zeros_for_nan(static))
            added = np.repeat(added, count, axis=0)
        if length is not None:
            length = np.repeat(-(-length // self.width), count)
        first = start(self.weights, len(flat), layers=1, size=self.a.hidden_size, added=added)
        return run(self.weights, flat, first, length)

    def _decode(self, state: State, linear: Array | None, future: Array) -> Array:
        """Hidden states of all horizon segments, (B, T, m, D)."""
        weights = self.weights
        position, target = weights["position"], weights["target"]
        count, segments = len(target), len(position)
        shape = (count, segments)
        entry = np.concatenate(
            [
                np.broadcast_to(position, (*shape, position.shape[1])),
                np.broadcast_to(target[:, None], (*shape, target.shape[1])),
            ],
            axis=-1,
        )
        to_gates, back, bias = kernel(weights, 0)
        from_state = by_row(state.hidden[0], back)
        gates = (entry @ to_gates.T + bias) + from_state.reshape(-1, count, 1, from_state.shape[1])
        if linear is not None:
            gates = gates + dense(weights, "shown", self._cut_horizon(linear[..., None]))
        if "known_entry.weight" in weights:
            ahead = self._cut_horizon(zeros_for_nan(future)[:, None])
            gates = gates + dense(weights, "known_entry", ahead)
        carry = state.carry[0].reshape(-1, count, 1, self.a.hidden_size)
        return step_of(gates, carry)[0]

    def _joined(self, segments: Array) -> Array:
        """Rearrange segments (B, T, m, W · size) into steps (B, H, T, size)."""
        batch, count, parts, size = segments.shape
        steps = segments.reshape(batch, count, parts * self.width, size // self.width)
        return steps[:, :, : self.a.horizon].transpose(0, 2, 1, 3)

    def _step_effect(self, hidden: Array, future: Array) -> Array:
        """Give the effect (B, H, T, O) of what is known of a step on that step."""
        states = dense(self.weights, "step_effect.state", hidden)
        states = np.repeat(states, self.width, axis=2)[:, :, : future.shape[1]]
        entry = dense(self.weights, "step_effect.known", zeros_for_nan(future))[:, None]
        mixed = np.maximum(states + entry, np.float32(0))
        return dense(self.weights, "step_effect.output", mixed).transpose(0, 2, 1, 3)

    def _center(self, hidden: Array, values: Array, linear: Array | None) -> Array:
        """Give what the network corrects, (B, H, T) in window units."""
        shape = (len(values), self.a.horizon, values.shape[2])
        begin = np.zeros(shape, np.float32) if linear is None else linear.transpose(0, 2, 1)
        if "gate.weight" not in self.weights:
            return begin
        naive = units.naive_candidates(values, self.a.horizon, self.seasons)
        candidates = np.concatenate([begin[..., None], naive], axis=-1)
        logits = self._joined(dense(self.weights, "gate", hidden))
        shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return np.asarray((shares * candidates).sum(axis=-1) / shares.sum(axis=-1))
