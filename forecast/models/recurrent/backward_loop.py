"""The backward time loop of a cell, written by hand.

Each step costs two matrix products, one for the states and one for the weights. Weight gradients
accumulate while the step is in the CPU cache, so gradients of pre-activations are never stored.

Shapes: B batch, L steps, F input features, D hidden size, n planes per step (see `cell_flags`),
G gates, Z = F + 1 + D rows of [x; 1; h].
"""

import torch
from torch import Tensor

from forecast.models.recurrent.cell_flags import CellFlags
from forecast.models.recurrent.forward_loop import CellState, CellWeights, Planes, Tape

_sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
_tanh_backward = torch.ops.aten.tanh_backward.grad_input


class Sweep:
    """The backward loop: carries gradients of states back and accumulates those of weights."""

    def __init__(
        self, tape: Tape, start: CellState, weights: CellWeights, flags: CellFlags, *, inputs: bool
    ) -> None:
        self.tape, self.start, self.weights, self.flags = tape, start, weights, flags
        size, batch = start.hidden.shape
        self.size = size
        self.acts, self.rows = Planes(tape.gates, flags), tape.rows.unbind(0)
        self.carries, self.squashed = tape.carry.unbind(0), tape.squashed.unbind(0)
        activation, pre = torch.empty_like(tape.gates[:1]), torch.empty_like(tape.gates[:1])
        self.activation, self.pre = Planes(activation, flags), Planes(pre, flags)
        seen = weights.step if inputs else weights.step[:, -size:]
        self.back = seen.t().contiguous()
        self.row_grad = tape.rows.new_empty(len(self.back), batch)
        self.hidden_grad = self.row_grad[-size:]
        self.carry_grad = torch.zeros_like(tape.carry[0])
        self.gate_grad = None if start.gates is None else torch.zeros_like(start.gates)
        self.scratch = torch.empty_like(self.carry_grad)
        self.grads = [None if weight is None else self._zeros(weight) for weight in weights]
        self.input_grad = (
            torch.empty_like(tape.rows[:-1, : tape.rows.shape[1] - 1 - size]) if inputs else None
        )

    def weight_grads(self) -> list[Tensor | None]:
        """Give the gradients of the weights, after all steps."""
        return [
            grad
            if grad is None or weight is None or grad.shape == weight.shape
            else grad.sum(-1, keepdim=True)
            for grad, weight in zip(self.grads, self.weights, strict=True)
        ]

    def _zeros(self, weight: Tensor) -> Tensor:
        """Allocate a gradient; that of a diagonal peephole has one row per window until the end."""
        batch = self.hidden_grad.shape[1]
        return weight.new_zeros(
            *weight.shape[:-1], weight.shape[-1] if weight.shape[-1] > 1 else batch
        )

    def step(self, t: int) -> None:
        """Backpropagate step t from its outputs to its weights, inputs and earlier state."""
        flags, weights = self.flags, self.weights
        self._through_output(t)
        self._through_carry(t)
        if self.gate_grad is not None:
            part = self.activation.gates[0]
            inner = flags.inner * self.size if weights.output is not None else len(part)
            part[:inner].add_(self.gate_grad[:inner])
        own = "inner" if weights.output is not None else "gates"
        grad, act, pre = (getattr(x, own) for x in (self.activation, self.acts, self.pre))
        if flags.gates:
            _sigmoid_backward(grad[0], act[t], grad_input=pre[0])
        g, g_pre = self.activation.plane["g"][0], self.pre.plane["g"][0]
        if flags.input_tanh:
            _tanh_backward(g, self.acts.plane["g"][t], grad_input=g_pre)
        else:
            g_pre.copy_(g)
        self._to_earlier_state(t)

    def _through_output(self, t: int) -> None:
        """From h_t to the output gate and c_t."""
        output, squashed, scratch = self.acts.plane.get("o"), self.squashed[t], self.scratch
        if output is None:
            scratch.copy_(self.hidden_grad)
        else:
            torch.mul(self.hidden_grad, squashed, out=self.activation.plane["o"][0])
            torch.mul(self.hidden_grad, output[t], out=scratch)
        if self.flags.output_tanh:
            _tanh_backward(scratch, squashed, grad_input=scratch)
        self.carry_grad.add_(scratch)
        if output is not None and self.weights.output is not None:
            grad, pre = self.activation.plane["o"][0], self.pre.plane["o"][0]
            if self.gate_grad is not None:
                grad.add_(self.gate_grad[-self.size :])
            _sigmoid_backward(grad, output[t], grad_input=pre)
            self._unread(2, pre, self.carries[t + 1])

    def _through_carry(self, t: int) -> None:
        """From c_t to the gates i and f, to g, and to c_{t-1}."""
        grad, acts, carry = self.activation.plane, self.acts.plane, self.carry_grad
        before, g = self.carries[t], acts["g"][t]
        match self.flags.input_gate:
            case "own":
                torch.mul(carry, g, out=grad["i"][0])
                torch.mul(carry, acts["i"][t], out=grad["g"][0])
            case "open":
                grad["g"][0].copy_(carry)
            case "coupled":
                torch.mul(carry, acts["f"][t], out=self.scratch)
                torch.sub(carry, self.scratch, out=grad["g"][0])
        match self.flags.forget_gate:
            case "own":
                torch.mul(carry, before, out=grad["f"][0])
                if self.flags.input_gate == "coupled":
                    grad["f"][0].addcmul_(carry, g, value=-1.0)
                carry.mul_(acts["f"][t])
            case "closed":
                carry.zero_()
            case "open":
                pass

    def _to_earlier_state(self, t: int) -> None:
        """From the pre-activations to the weights and to everything the step read."""
        weights, pre, before = self.weights, self.pre.whole[0], self.carries[t]
        if weights.inner is not None:
            self._unread(1, self.pre.inner[0], before)
        if weights.carry is not None:
            self._unread(3, self.pre.plane["o"][0], before)
        if weights.gates is not None and self.gate_grad is not None:
            earlier = self.acts.gates[t - 1] if t else self.start.gates
            assert earlier is not None
            self._grad(4).addmm_(self.pre.gates[0], earlier.t())
            torch.mm(weights.gates.t(), self.pre.gates[0], out=self.gate_grad)
        self._grad(0).addmm_(pre, self.rows[t].t())
        torch.mm(self.back, pre, out=self.row_grad)
        if self.input_grad is not None:
            self.input_grad[t] = self.row_grad[: self.input_grad.shape[1]]

    def _grad(self, part: int) -> Tensor:
        grad = self.grads[part]
        assert grad is not None
        return grad

    def _unread(self, part: int, pre: Tensor, source: Tensor) -> None:
        """Undo `read` of weight number `part`: gradients of the carry and of the weight."""
        weight, grad = self.weights[part], self._grad(part)
        assert weight is not None
        if weight.shape[-1] > 1:
            self.carry_grad.addmm_(weight.t(), pre)
            grad.addmm_(pre, source.t())
            return
        planes = pre.view(-1, *source.shape)
        grad.view(-1, *source.shape).addcmul_(planes, source)
        for row, plane in zip(weight.view(-1, self.size, 1), planes, strict=True):
            self.carry_grad.addcmul_(row, plane)
