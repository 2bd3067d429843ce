"""A cell run over time as one node of autograd's graph; first derivatives only.

Shapes: B batch, L steps, F input features, D hidden size.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from forecast.models.recurrent.backward_loop import Sweep
from forecast.models.recurrent.cell_flags import CellFlags
from forecast.models.recurrent.forward_loop import CellState, CellWeights, Tape, open_tape, run


class _Unroll(torch.autograd.Function):
    """The loop as one node of the graph; see `unroll`."""

    @staticmethod
    def forward(
        ctx: Any, steps: Tensor, last: Tensor | None, flags: CellFlags, *parts: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        start, weights = CellState(*parts[:3]), CellWeights(*parts[3:])  # type: ignore[arg-type]
        tape = open_tape(steps, start, weights, flags)
        run(tape, start, weights, flags)
        ctx.save_for_backward(last, *tape, *parts)
        ctx.flags = flags
        ctx.set_materialize_grads(False)
        size = start.hidden.shape[0]
        hidden, carry = tape.rows[1:, -size:], tape.carry[1:]
        gates = None if start.gates is None else tape.gates[:, : flags.gates * size]
        ends = [None if x is None else _at(x, last) for x in (hidden, carry, gates)]
        return hidden, *ends

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, outputs: Tensor | None, *ends: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        last, *saved = ctx.saved_tensors
        tape, start, weights = Tape(*saved[:4]), CellState(*saved[4:7]), CellWeights(*saved[7:])
        sweep = Sweep(tape, start, weights, ctx.flags, inputs=ctx.needs_input_grad[0])
        states = (sweep.hidden_grad, sweep.carry_grad, sweep.gate_grad)
        sweep.hidden_grad.zero_()
        final = len(tape.gates) - 1
        stops = {final} if last is None else _steps_of(last, final)
        for t in range(final, -1, -1):
            if t in stops:
                here = None if last is None else (last == t)
                for state, grad in zip(states, ends, strict=True):
                    if state is not None and grad is not None:
                        state.add_(grad if here is None else grad * here)
            if outputs is not None:
                sweep.hidden_grad.add_(outputs[t])
            sweep.step(t)
        return sweep.input_grad, None, None, *states, *sweep.weight_grads()


def _steps_of(last: Tensor, final: int) -> set[int]:
    """Give the steps that end some window; all steps on a GPU, to avoid waiting for it."""
    return set(last.tolist()) if last.device.type == "cpu" else set(range(final + 1))


def _at(steps: Tensor, last: Tensor | None) -> Tensor:
    """Select the step `last` (B,) of each window of (L, R, B), by default the final one: (R, B)."""
    if last is None:
        return steps[-1].clone()
    return steps.gather(0, last.expand(1, steps.shape[1], -1)).squeeze(0)


def unroll(
    steps: Tensor,
    start: CellState,
    weights: CellWeights,
    flags: CellFlags,
    last: Tensor | None = None,
) -> tuple[Tensor, CellState]:
    """Run a cell over time.

    Parameters
    ----------
    steps : Tensor
        (L, F, B).
    start : CellState
        State before the first step.
    weights, flags
        Of the cell.
    last : Tensor, optional
        (B,) int64: the step whose state is returned for each window; by default the final one.

    Returns
    -------
    Hidden states (L, D, B) of every step, and the state after the last.
    """
    hidden, *ends = _Unroll.apply(steps, last, flags, *start, *weights)  # type: ignore[no-untyped-call]
    return hidden, CellState(*ends)
