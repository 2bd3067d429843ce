"""torch's LSTM in numpy.

Shapes: B batch, L steps, F input features, D hidden size, N layers.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Weights = Mapping[str, Array]


class State(NamedTuple):
    """The state of every layer after a step."""

    hidden: Array  # (N, B, D)
    carry: Array  # (N, B, D)


def start(weights: Weights, batch: int, *, layers: int, size: int, added: Array | None) -> State:
    """Give the state before the first step; `added` (B, N · 2D) comes from static covariates."""
    whole = np.zeros((layers, batch, 2 * size), np.float32)
    if "recurrent.initial" in weights:
        whole = whole + weights["recurrent.initial"]
    if added is not None:
        whole = whole + added.reshape(batch, layers, -1).transpose(1, 0, 2)
    return State(whole[..., :size], whole[..., size:])


def run(weights: Weights, steps: Array, state: State, length: NDArray[np.int64] | None) -> State:
    """Run over the last `length` (B,) of `steps` (B, L, F), or all; a length of 0 keeps the state.

    Returns the state after the last step.
    """
    count = steps.shape[1]
    hiddens, carries = [], []
    flowing = np.ascontiguousarray(steps.transpose(1, 0, 2))  # (L, B, F)
    for layer in range(len(state.hidden)):
        entry, back, bias = kernel(weights, layer)
        gates = by_row(flowing, entry) + bias
        hidden, carry = state.hidden[layer], state.carry[layer]
        outputs = []
        for step in range(count):
            moved, kept = step_of(gates[step] + by_row(hidden, back), carry)
            if length is not None:
                is_read = (step >= count - length)[:, None]
                moved, kept = np.where(is_read, moved, hidden), np.where(is_read, kept, carry)
            hidden, carry = moved, kept
            outputs.append(hidden)
        flowing = np.stack(outputs)
        hiddens.append(hidden)
        carries.append(carry)
    return State(np.stack(hiddens), np.stack(carries))


def kernel(weights: Weights, layer: int) -> tuple[Array, Array, Array]:
    """Give the input weights (4D, F), the recurrent ones (4D, D) and the bias (4D,) of a layer."""
    entry, back, one, two = (
        weights[f"recurrent.stack.kernel.{name}_l{layer}"]
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    return entry, back, one + two


def step_of(gates: Array, carry: Array) -> tuple[Array, Array]:
    """Give the hidden state and the carry after a step with gates (..., 4D)."""
    i, f, g, o = np.split(gates, 4, axis=-1)
    carry = sigmoid(f) * carry + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(carry), carry


def sigmoid(values: Array) -> Array:
    """1 / (1 + exp(-x)), by a function that cannot overflow."""
    half = np.float32(0.5)
    return np.asarray(half * np.tanh(half * values) + half)


def by_row(values: Array, weight: Array) -> Array:
    """Give the products of each row (..., K) alone with weights (M, K): (..., M).

    A product of many rows at once adds up in another order for the rows at its edge, so that a
    forecast would depend on its place in the batch, in its last digits.
    """
    return np.asarray((values[..., None, :] @ weight.T)[..., 0, :])


def dense(weights: Weights, name: str, values: Array) -> Array:
    """Give a linear layer's outputs for windows (B, ..., inputs)."""
    flat = values.reshape(len(values), -1, values.shape[-1])
    product = (flat @ weights[f"{name}.weight"].T).reshape(*values.shape[:-1], -1)
    bias = weights.get(f"{name}.bias")
    return np.asarray(product if bias is None else product + bias)


def zeros_for_nan(values: Array) -> Array:
    """Replace NaN by 0."""
    return np.where(np.isnan(values), np.float32(0), values)


def own(weights: Weights, prefix: str) -> dict[str, Array]:
    """Give the weights of one part of a network, by their names within it."""
    return {name[len(prefix) :]: part for name, part in weights.items() if name.startswith(prefix)}


def mean_of(parts: Sequence[Array]) -> Array:
    """Average by adding one after the other, as `heads.point_heads.mean_of` does."""
    return np.asarray(sum(parts[1:], start=parts[0]) / np.float32(len(parts)))
