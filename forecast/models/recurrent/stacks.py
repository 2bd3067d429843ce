"""Stacks of recurrent layers, on torch's kernels or on the cells of `cell_flags`.

Shapes: B batch, L steps, F input features, D hidden size, N layers, n planes per step, G gates.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, cast

import torch
from torch import Tensor, nn

from forecast.models.draws import Dropout
from forecast.models.recurrent.autograd import unroll
from forecast.models.recurrent.cell_flags import CellFlags, cell_flags
from forecast.models.recurrent.forward_loop import CellState, CellWeights
from forecast.vocabulary import CellName, Peepholes

_SHUT = 1e4  # sigmoid(_SHUT) is exactly 1 in float32, sigmoid(-_SHUT) exactly 0


@dataclass(frozen=True)
class CellOptions:
    """Options of a recurrent stack."""

    cell: CellName = "lstm"
    hidden_size: int = 64
    layers: int = 1
    dropout: float = 0.0
    """Between layers, and before the output where a strategy has one; in training."""
    forget_bias: float = 1.0
    """Initial bias of the forget gates; 1 lets gradients pass (Jozefowicz et al. 2015)."""
    initial_state: Literal["zero", "learned"] = "zero"
    peepholes: Peepholes | None = None
    """In place of the cell's own."""
    output_identity: bool = False
    """h = o ∘ c in place of o ∘ tanh(c)."""

    def __post_init__(self) -> None:
        if self.cell in ("gru", "elman") and (self.peepholes or self.output_identity):
            raise ValueError(f"cell {self.cell} has neither peepholes nor an output activation")

    @property
    def is_fused(self) -> bool:
        """Whether torch has a kernel for this cell."""
        plain = self.peepholes in (None, "none") and not self.output_identity
        return self.cell == "gru" or (self.cell == "lstm" and plain)


class RecurrentState(NamedTuple):
    """The state of every layer after a step."""

    hidden: Tensor  # (N, B, D)
    carry: Tensor | None = None  # (N, B, D), for cells with a carry
    gates: Tensor | None = None  # (N, B, G · D), with gate recurrence


class FusedStack(nn.Module):
    """torch's LSTM or GRU, initialised like the other cells.

    `lstm` is the step of `cell_flags` with input, forget and output gates and no peepholes.
    `gru`: torch computes h_t = (1 - z_t) ∘ n_t + z_t ∘ h_{t-1}; where a text writes
    h_t = (1 - z_t) ∘ h_{t-1} + z_t ∘ n_t, its z is torch's 1 - z, and both can learn the same
    functions. Unlike Cho et al. 2014, torch's candidate n_t = tanh(W x_t + b + r_t ∘ (U h_{t-1} +
    b_u)) applies the reset gate after the recurrent product, not before it, U (r_t ∘ h_{t-1}).
    """

    def __init__(self, input_size: int, options: CellOptions) -> None:
        super().__init__()
        kernel = nn.LSTM if options.cell == "lstm" else nn.GRU
        size = options.hidden_size
        self.state_sizes = (size, size) if options.cell == "lstm" else (size,)
        self.dropout = Dropout(options.dropout)
        self.kernel = kernel(
            input_size,
            size,
            options.layers,
            batch_first=True,
        )
        for name, weight in self.kernel.named_parameters():
            blocks = torch.split(weight.detach(), size)
            if name.startswith("bias"):
                nn.init.zeros_(weight)
                if options.cell == "lstm" and name.startswith("bias_ih"):
                    blocks[1].fill_(options.forget_bias)
            else:
                _initialize(blocks, orthogonal=name.startswith("weight_hh"))

    def forward(
        self, steps: Tensor, state: RecurrentState, length: Tensor | None
    ) -> tuple[Tensor, RecurrentState]:
        """Run over the first `length` (B,) of `steps` (B, L, F); outputs (B, L, D).

        Outputs after a window's length are undefined.
        """
        drops = self.training and self.dropout.share > 0 and self.kernel.num_layers > 1
        if length is None and not drops:
            return self._whole(steps, state)
        return self._by_layer(steps, state, length)

    def _whole(self, steps: Tensor, state: RecurrentState) -> tuple[Tensor, RecurrentState]:
        if state.carry is None:
            output, hidden = self.kernel(steps, state.hidden)
            return output, RecurrentState(hidden)
        if self.training and steps.device.type == "cpu":
            return self._without_constants(steps, (state.hidden, state.carry))
        output, ends = self.kernel(steps, (state.hidden, state.carry))
        return output, RecurrentState(*ends)

    def _without_constants(
        self, steps: Tensor, start: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, RecurrentState]:
        """Run over the features that vary; constant ones are added as a bias.

        The masks of observed values are constant where no reading of a batch is missing. With one
        feature left, a step takes 6 % less time on a CPU. Training only: a forecast must not depend
        on the rest of its batch, not even in the last bit.
        """
        first = steps[0, 0]
        varies = (steps != first).flatten(0, 1).any(dim=0)
        layers = cast("list[list[Tensor]]", self.kernel.all_weights)
        weights = [weight for layer in layers for weight in layer]
        if bool(varies.any()) and not bool(varies.all()):
            entry, _, bias, *_ = weights
            weights[0] = entry[:, varies]
            weights[2] = torch.addmv(bias, entry[:, ~varies], first[~varies])
            steps = steps[..., varies]
        options = (True, self.kernel.num_layers, 0.0, self.training, False, True)
        output, hidden, carry = torch.lstm(steps, start, weights, *options)
        return output, RecurrentState(hidden, carry)

    def _by_layer(
        self, steps: Tensor, state: RecurrentState, length: Tensor | None
    ) -> tuple[Tensor, RecurrentState]:
        """Run one layer after the other, with gates that shut after a window's length.

        A packed batch misses torch's fast kernel on a CPU, where its backward takes 40 times as
        long, and makes the CPU wait for the lengths on a GPU. Here an extra input, 1 after the
        length, drives the forget gate to exactly 1 and the input gate to exactly 0 (in the GRU, z
        to 1), so that the carry does not change.
        """
        flowing, hiddens, carries = steps, [], []
        # has_biases, num_layers, dropout, train (cuDNN needs it for a backward), bidirectional,
        # batch_first
        options = (True, 1, 0.0, torch.is_grad_enabled(), False, True)
        shut = None if length is None else _behind(steps, length)
        for n in range(self.kernel.num_layers):
            entry = self.dropout(flowing) if n else flowing
            weights = self._weights(n, has_shutter=shut is not None)
            if shut is not None:
                entry = torch.cat([entry, shut], dim=-1)
            hidden = state.hidden[n : n + 1]
            if state.carry is None:
                flowing, end = torch.gru(entry, hidden, weights, *options)
            else:
                start = (hidden, state.carry[n : n + 1])
                flowing, end, carry = torch.lstm(entry, start, weights, *options)
                carries.append(carry)
                if length is not None:  # the output gate is still open there
                    last = (length - 1).view(-1, 1, 1).expand(-1, 1, flowing.shape[2])
                    end = flowing.gather(1, last).transpose(0, 1)
            hiddens.append(end)
        return flowing, RecurrentState(torch.cat(hiddens), torch.cat(carries) if carries else None)

    def _weights(self, layer: int, *, has_shutter: bool) -> list[Tensor]:
        """Return a layer's weights; with a shutter, the input weights have one more column."""
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        weights: list[Tensor] = [getattr(self.kernel, f"{name}_l{layer}") for name in names]
        if not has_shutter:
            return weights
        size = self.kernel.hidden_size
        # torch's order of gates: input, forget, candidate, output; in the GRU: r, z, n
        drive = (-_SHUT, _SHUT, 0.0, 0.0) if self.kernel.mode == "LSTM" else (0.0, _SHUT, 0.0)
        column = torch.cat([weights[0].new_full((size, 1), share) for share in drive])
        weights[0] = torch.cat([weights[0], column], dim=1)
        return weights


def _behind(steps: Tensor, length: Tensor) -> Tensor:
    """Mark the steps of each window after its length: (B, L, 1)."""
    order = torch.arange(steps.shape[1], device=steps.device)
    return (order >= length[:, None]).unsqueeze(-1).to(steps.dtype)


class CellLayer(nn.Module):
    """The weights of one layer of a cell of `cell_flags`.

    Input weights are uniform (Glorot & Bengio 2010), recurrent ones orthogonal, peepholes and the
    other matrices normal with deviation 0.1 (Greff et al. 2015), biases 0 except the forget gate's.
    """

    def __init__(self, input_size: int, options: CellOptions, flags: CellFlags) -> None:
        super().__init__()
        size, planes = options.hidden_size, flags.planes
        self.flags = flags
        self.input = nn.Parameter(torch.empty(len(planes) * size, input_size))
        self.hidden = nn.Parameter(torch.empty(len(planes) * size, size))
        self.bias = nn.Parameter(torch.zeros(len(planes) * size))
        _initialize(torch.split(self.input.detach(), size), orthogonal=False)
        _initialize(torch.split(self.hidden.detach(), size), orthogonal=True)
        if "f" in planes:
            torch.split(self.bias.detach(), size)[planes.index("f")].fill_(options.forget_bias)
        diagonal, inner = flags.peepholes == "diagonal", flags.inner
        has_inner = flags.peepholes != "none" and inner > 0
        has_output = flags.peepholes != "none" and "o" in planes
        narrow = (inner, size, 1) if diagonal else (inner * size, size)
        self.inner_peephole = _small(narrow, wanted=has_inner)
        self.output_peephole = _small((size, 1 if diagonal else size), wanted=has_output)
        self.output_carry = _small((size, size), wanted=flags.output_reads_carry)
        gates = flags.gates * size
        self.gate_recurrence = _small((gates, gates), wanted=flags.gate_recurrence)

    def forward(
        self, steps: Tensor, start: CellState, last: Tensor | None
    ) -> tuple[Tensor, CellState]:
        """Run over `steps` (L, F, B); hidden states (L, D, B) and the state at `last` (B,)."""
        weights = CellWeights(
            torch.cat([self.input, self.bias.unsqueeze(1), self.hidden], dim=1),
            self.inner_peephole,
            self.output_peephole,
            self.output_carry,
            self.gate_recurrence,
        )
        return unroll(steps, start, weights, self.flags, last)


class CellStack(nn.Module):
    """Layers of one cell of `cell_flags`, each reading the hidden states of the layer below."""

    def __init__(self, input_size: int, options: CellOptions) -> None:
        super().__init__()
        flags = cell_flags(options.cell, options.peepholes, output_identity=options.output_identity)
        size = options.hidden_size
        self.dropout = Dropout(options.dropout, windows=2)
        self.state_sizes = (
            size,
            *([size] if flags.has_carry else []),
            *([flags.gates * size] if flags.gate_recurrence else []),
        )
        self.layers = nn.ModuleList(
            CellLayer(size if n else input_size, options, flags) for n in range(options.layers)
        )

    def forward(
        self, steps: Tensor, state: RecurrentState, length: Tensor | None
    ) -> tuple[Tensor, RecurrentState]:
        """Run over the first `length` (B,) of `steps` (B, L, F); outputs (B, L, D)."""
        last = None if length is None else length - 1
        precision = next(self.parameters()).dtype  # the hand-written loop does not autocast
        flowing = steps.permute(1, 2, 0).to(precision)
        ends: list[CellState] = []
        for n, layer in enumerate(self.layers):
            parts = [part if part is None else part[n].t().to(precision) for part in state]
            hidden, carry, gates = parts
            assert hidden is not None
            start = CellState(hidden, hidden if carry is None else carry, gates)
            flowing, end = layer(self.dropout(flowing) if n else flowing, start, last)
            ends.append(end)
        after = [
            None if part is None else torch.stack([cast("Tensor", x[k]).t() for x in ends])
            for k, part in enumerate(state)
        ]
        assert after[0] is not None
        return flowing.permute(2, 0, 1), RecurrentState(after[0], *after[1:])


def _initialize(blocks: Sequence[Tensor], *, orthogonal: bool) -> None:
    for block in blocks:
        if orthogonal:
            nn.init.orthogonal_(block)
        else:
            nn.init.xavier_uniform_(block)


def _small(shape: tuple[int, ...], *, wanted: bool) -> nn.Parameter | None:
    return nn.Parameter(torch.empty(shape).normal_(std=0.1)) if wanted else None
