"""The effect of known covariates on their own step, and initialisers of layers.

Shapes: B batch, H horizon, T targets, K known, D hidden, O head outputs, m segments of the horizon.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

STEP_UNITS = 32
"""Hidden units through which the known covariates of a step enter."""


class StepEffect(nn.Module):
    """The effect of the covariates known for a step on that step: V relu(U h + W k + b).

    h is the state of the step's segment, so that targets can respond differently; V starts at 0.
    `known_entry` cannot replace it: there, all steps of a segment pass through one state.
    """

    def __init__(self, known_count: int, hidden_size: int, outputs: int, *, width: int) -> None:
        super().__init__()
        self.width = width  # steps of a segment
        self.known = nn.Linear(known_count, STEP_UNITS)
        self.state = nn.Linear(hidden_size, STEP_UNITS, bias=False)
        self.output = zeroed(nn.Linear(STEP_UNITS, outputs, bias=False))

    def forward(self, hidden: Tensor, future: Tensor) -> Tensor:
        """Give (B, H, T, O) from states (B, T, m, D) and known covariates (B, H, K)."""
        horizon = future.shape[1]
        states = self.state(hidden).repeat_interleave(self.width, dim=2)[:, :, :horizon]
        entry = self.known(torch.nan_to_num(future)).unsqueeze(1)
        effect: Tensor = self.output(F.relu(states + entry))
        return effect.transpose(1, 2)


def zeroed(linear: nn.Linear) -> nn.Linear:
    """Start at 0, so that an untrained layer has no effect."""
    for weight in linear.parameters():
        nn.init.zeros_(weight)
    return linear


def shrunk(linear: nn.Linear) -> nn.Linear:
    """Start near 0, so that training starts from the center."""
    with torch.no_grad():
        for weight in linear.parameters():
            weight.mul_(0.01)
    return linear
