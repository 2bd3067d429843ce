"""A stack of recurrent layers over left-padded windows, from an initial state.

Shapes: B batch, L steps, F input features, D hidden size, N layers.
"""

import torch
from torch import Tensor, nn

from forecast.models.recurrent.stacks import CellOptions, CellStack, FusedStack, RecurrentState

__all__ = ["CellOptions", "CellStack", "FusedStack", "Recurrent", "RecurrentState"]


class Recurrent(nn.Module):
    """A recurrent stack over left-padded windows, from a zero, learned or given state."""

    def __init__(self, input_size: int, options: CellOptions) -> None:
        super().__init__()
        self.layers, self.hidden_size = options.layers, options.hidden_size
        self.dropout = options.dropout
        kind = FusedStack if options.is_fused else CellStack
        self.stack = kind(input_size, options)
        self.initial = (
            nn.Parameter(torch.zeros(options.layers, 1, sum(self.stack.state_sizes)))
            if options.initial_state == "learned"
            else None
        )

    @property
    def state_size(self) -> int:
        """Size of one window's state, over all layers."""
        return self.layers * sum(self.stack.state_sizes)

    def start(self, like: Tensor, added: Tensor | None = None) -> RecurrentState:
        """Give the state before the first step, for a batch the size of `like` (B, ...).

        `added` (B, state_size), from static covariates for instance, is added to it.
        """
        batch = like.shape[0]
        whole = like.new_zeros(self.layers, batch, sum(self.stack.state_sizes))
        if self.initial is not None:
            whole = whole + self.initial
        if added is not None:
            whole = whole + added.view(batch, self.layers, -1).transpose(0, 1)
        parts = torch.split(whole, list(self.stack.state_sizes), -1)
        return RecurrentState(*(part.contiguous() for part in parts))

    def forward(
        self, steps: Tensor, state: RecurrentState | None = None, length: Tensor | None = None
    ) -> tuple[Tensor, RecurrentState]:
        """Run the stack.

        Parameters
        ----------
        steps : Tensor
            (B, L, F), without NaN.
        state : RecurrentState, optional
            From an earlier call or `start`; by default the initial state.
        length : Tensor, optional
            (B,) int64: only the last `length` steps of each window are read (left padding); a
            window of length 0 keeps its state.

        Returns
        -------
        outputs (B, L, D) of the last layer, zero at padded steps, and the state after the last.
        """
        state = self.start(steps) if state is None else state
        if length is None:
            output: tuple[Tensor, RecurrentState] = self.stack(steps, state, None)
            return output
        lead = (steps.shape[1] - length).unsqueeze(1)
        order = torch.arange(steps.shape[1], device=steps.device)
        moved = _take(steps, (order + lead).clamp(max=steps.shape[1] - 1))
        outputs, after = self.stack(moved, state, length.clamp(min=1))
        outputs = _take(outputs, (order - lead).clamp(min=0))
        outputs = outputs * (order >= lead).unsqueeze(-1)
        return outputs, _keep(after, state, length > 0)


def _take(steps: Tensor, order: Tensor) -> Tensor:
    """Reorder the steps of each window by `order` (B, L)."""
    batch, length, width = steps.shape
    first = length * torch.arange(batch, device=steps.device).unsqueeze(1)
    rows = (first + order).view(-1)  # indexing whole rows is 10 times as fast as gather
    return steps.reshape(-1, width).index_select(0, rows).view(batch, -1, width)


def _keep(after: RecurrentState, before: RecurrentState, moved: Tensor) -> RecurrentState:
    """Take the state after the steps for windows that `moved` (B,), else the state before."""
    chosen = moved.view(1, -1, 1)
    return RecurrentState(
        *(
            None if x is None or y is None else torch.where(chosen, x, y)
            for x, y in zip(after, before, strict=True)
        )  # type: ignore[arg-type]
    )
