"""The forward time loop of a cell, and the tape it records for the backward loop.

All buffers are time-major with the batch innermost, so that the planes of a step are contiguous:
each step costs one matrix product, and the rest is done in place on preallocated buffers.

Shapes: B batch, L steps, F input features, D hidden size, n planes per step (see `cell_flags`),
G gates, Z = F + 1 + D rows of [x; 1; h].
"""

from typing import NamedTuple

import torch
from torch import Tensor

from forecast.models.recurrent.cell_flags import CellFlags


class CellWeights(NamedTuple):
    """The weights of one layer, as the loop reads them; None for those a cell lacks."""

    step: Tensor  # (n · D, Z): input weights, bias, recurrent weights
    inner: Tensor | None = None  # peepholes of i and f: (2, D, 1) or full (2 · D, D)
    output: Tensor | None = None  # peephole of o: (D, 1) or full (D, D)
    carry: Tensor | None = None  # V_o (D, D)
    gates: Tensor | None = None  # R (G · D, G · D)


class CellState(NamedTuple):
    """The state before or after a step."""

    hidden: Tensor  # (D, B)
    carry: Tensor  # (D, B); unused by a cell without a carry
    gates: Tensor | None = None  # (G · D, B), with gate recurrence


class Planes:
    """Views of a buffer (L, n · D, B), one list per plane; slicing in each step would be slow."""

    def __init__(self, buffer: Tensor, flags: CellFlags) -> None:
        size = buffer.shape[1] // len(flags.planes)
        inner, gates = flags.inner * size, flags.gates * size
        self.whole = buffer.unbind(0)
        self.inner = buffer[:, :inner].unbind(0)
        self.gates = buffer[:, :gates].unbind(0)
        self.plane = {
            name: buffer[:, k * size : (k + 1) * size].unbind(0)
            for k, name in enumerate(flags.planes)
        }


class Tape(NamedTuple):
    """Values of the forward loop that the backward loop needs."""

    rows: Tensor  # (L + 1, Z, B): [x; 1; h_{t-1}], at L only h is set
    gates: Tensor  # (L, n · D, B): activations
    carry: Tensor  # (L + 1, D, B)
    squashed: Tensor  # (L, D, B): tanh(c_t), or c_t itself


def read(weight: Tensor, source: Tensor, into: Tensor) -> None:
    """Add a peephole's product with `source` (D, B); weight (k, D, 1) or (D, 1), or (k D, D)."""
    if weight.shape[-1] == 1:
        into.view(*weight.shape[:-1], -1).addcmul_(weight, source)
    else:
        into.addmm_(weight, source)


def open_tape(steps: Tensor, start: CellState, weights: CellWeights, flags: CellFlags) -> Tape:
    """Allocate the buffers and write the inputs and the initial state into them."""
    length, features, batch = steps.shape
    size = start.hidden.shape[0]
    rows = steps.new_empty(length + 1, features + 1 + size, batch)
    rows[:length, :features] = steps
    rows[:, features] = 1.0
    rows[0, features + 1 :] = start.hidden
    carry = steps.new_empty(length + 1, size, batch)
    carry[0] = start.carry
    gates = steps.new_empty(length, weights.step.shape[0], batch)
    squashed = steps.new_empty(length, size, batch) if flags.output_tanh else carry[1:]
    return Tape(rows, gates, carry, squashed)


def run(tape: Tape, start: CellState, weights: CellWeights, flags: CellFlags) -> None:
    """Fill the tape, step by step."""
    planes, rows = Planes(tape.gates, flags), tape.rows.unbind(0)
    hidden = tape.rows[1:, -start.hidden.shape[0] :].unbind(0)
    carries, squashed = tape.carry.unbind(0), tape.squashed.unbind(0)
    output, g = planes.plane.get("o"), planes.plane["g"]
    for t, whole in enumerate(planes.whole):
        before, after = carries[t], carries[t + 1]
        torch.mm(weights.step, rows[t], out=whole)
        if weights.inner is not None:
            read(weights.inner, before, planes.inner[t])
        if weights.carry is not None and output is not None:
            output[t].addmm_(weights.carry, before)
        if weights.gates is not None:
            earlier = planes.gates[t - 1] if t else start.gates
            assert earlier is not None
            planes.gates[t].addmm_(weights.gates, earlier)
        (planes.gates if weights.output is None else planes.inner)[t].sigmoid_()
        if flags.input_tanh:
            g[t].tanh_()
        _advance(planes, t, before, after, flags)
        if output is not None and weights.output is not None:
            read(weights.output, after, output[t])
            output[t].sigmoid_()
        if flags.output_tanh:
            torch.tanh(after, out=squashed[t])
        if output is None:
            hidden[t].copy_(squashed[t])
        else:
            torch.mul(output[t], squashed[t], out=hidden[t])


def _advance(planes: Planes, t: int, before: Tensor, after: Tensor, flags: CellFlags) -> None:
    """Compute c_t = f ∘ c_{t-1} + i ∘ g, with the gates that the flags leave."""
    g = planes.plane["g"][t]
    match flags.input_gate:
        case "coupled":
            torch.lerp(g, before, planes.plane["f"][t], out=after)
            return
        case "own":
            torch.mul(planes.plane["i"][t], g, out=after)
        case "open":
            after.copy_(g)
    match flags.forget_gate:
        case "own":
            after.addcmul_(planes.plane["f"][t], before)
        case "open":
            after.add_(before)
        case "closed":
            pass
