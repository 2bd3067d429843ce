"""Decodes steps one after the other, each fed the value before it.

Shapes: B batch, H horizon, T targets, E other features of a step, D hidden size, O head outputs.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from forecast.models.draws import Dropout, uniform
from forecast.models.heads.point_heads import Head
from forecast.models.recurrent.padded_stack import Recurrent
from forecast.models.recurrent.stacks import RecurrentState
from forecast.models.strategies.inputs import TargetCoding
from forecast.models.strategies.normalization import WindowScale


class TeacherForcing(nn.Module):
    """The share of steps that are fed the true value before them, in training.

    It changes linearly from `first` to `last` over `steps` training batches (scheduled sampling,
    Bengio et al. 2015). When forecasting, every step is fed the model's own output.
    """

    seen: Tensor

    def __init__(self, first: float = 1.0, last: float = 0.0, steps: int = 1000) -> None:
        super().__init__()
        self.first, self.last, self.steps = first, last, steps
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def share(self) -> float | Tensor:
        """Give the share for this batch and count the batch; a float where the share is fixed."""
        if not self.training:
            return 0.0
        if self.first == self.last:
            return self.first
        passed = (self.seen / self.steps).clamp(max=1.0)
        self.seen += 1
        return self.first + (self.last - self.first) * passed


class Prompt(NamedTuple):
    """The inputs of the decoder."""

    state: RecurrentState
    newest: Tensor  # (B, 1, T) the value before the first step, scaled; NaN where missing
    others: Tensor  # (B, H, E) the other inputs of each step: known and static covariates
    scale: WindowScale


class Decoder(nn.Module):
    """A recurrent net that reads [coded value before, others] and gives the next step."""

    def __init__(
        self, head: Head, recurrent: Recurrent, coding: TargetCoding, target_count: int
    ) -> None:
        super().__init__()
        self.head, self.recurrent, self.coding = head, recurrent, coding
        self.target_count = target_count
        self.dropout = Dropout(recurrent.dropout)
        self.output = nn.Linear(recurrent.hidden_size, target_count * head.size)

    def forward(self, prompt: Prompt, target: Tensor | None, share: float | Tensor) -> Tensor:
        """Decode all steps.

        Parameters
        ----------
        prompt : Prompt
            The state to start from, and the inputs of each step besides the value before it.
        target : Tensor, optional
            (B, H, T) true values, in training.
        share : float or Tensor
            Probability, for each window and step, of being fed the true value; where that is
            missing, the model's own output is fed. With the float 1 all steps run in one pass, and
            a missing value is fed as missing.

        Returns
        -------
        Head parameters (B, H, T, O) in scaled units.
        """
        if target is not None and isinstance(share, float) and share >= 1.0:
            before = torch.cat([prompt.newest, target[:, :-1]], dim=1)
            return self._run(before, prompt, prompt.others, prompt.state)[0]
        before, state, steps = prompt.newest, prompt.state, []
        for t, others in enumerate(torch.split(prompt.others, 1, dim=1)):
            params, state = self._run(before, prompt, others, state)
            steps.append(params)
            before = self.head.point(params)
            if target is not None and (isinstance(share, Tensor) or share > 0.0):
                true = target[:, t : t + 1]
                drawn = uniform([len(true), 1, 1], true.device) < share
                before = torch.where(drawn & ~torch.isnan(true), true, before)
        return torch.cat(steps, dim=1)

    def _run(
        self, before: Tensor, prompt: Prompt, others: Tensor, state: RecurrentState
    ) -> tuple[Tensor, RecurrentState]:
        read = torch.cat([self.coding.code(before, prompt.scale), others], dim=-1)
        outputs, state = self.recurrent(read, state)
        raw = self.output(self.dropout(outputs)).unflatten(-1, (self.target_count, self.head.size))
        return self.head.place(raw, prompt.scale.location, prompt.scale.scale), state
