"""The direct strategy: read the context, then give all H steps at once.

Shapes: B batch, L context, H horizon, T targets, P past, K known, D hidden, O head outputs.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from forecast.models.draws import Dropout
from forecast.models.heads.point_heads import Head
from forecast.models.recurrent.padded_stack import Recurrent
from forecast.models.recurrent.stacks import CellOptions
from forecast.models.strategies.inputs import TargetCoding, WindowSizes, observed_length
from forecast.models.strategies.static_entry import StaticEntry
from forecast.vocabulary import StaticInto


class Direct(nn.Module):
    """A recurrent net over the context, all horizon steps from its last state.

    Each context step reads [coded targets, masks, past and known covariates, static]; with the
    last state h, forecast step t is A_t h + V relu(U h + W k_t + b), where k_t are the covariates
    known for that step: A_t h is the shape of the horizon, and the second term how the known
    future changes it. Horizon 1 is many-to-one, context 1 with horizon 1 one-to-one, and a window
    without history (static and known covariates only) one-to-many.
    """

    parts = {  # noqa: RUF012 - a constant table of names
        "embedding": ("static_entry",),
        "recurrent": ("recurrent",),
        "head": ("step_shape", "known_entry", "state_entry", "known_effect"),
    }

    def __init__(
        self,
        head: Head,
        sizes: WindowSizes,
        options: CellOptions,
        coding: TargetCoding,
        *,
        static_into: StaticInto = "state",
    ) -> None:
        super().__init__()
        self.head, self.sizes, self.coding = head, sizes, coding
        self.static_entry = StaticEntry(sizes.static_count, static_into)
        width = coding.width(sizes.target_count) + sizes.past_count + sizes.known_count
        self.recurrent = Recurrent(width + self.static_entry.width, options)
        self.static_entry.feed(self.recurrent.state_size)
        self.dropout = Dropout(options.dropout)
        hidden, outputs = options.hidden_size, sizes.target_count * head.size
        self.step_shape = nn.Linear(hidden, sizes.horizon * outputs)
        if sizes.known_count:
            self.state_entry = nn.Linear(hidden, hidden)
            self.known_entry = nn.Linear(sizes.known_count, hidden, bias=False)
            self.known_effect = nn.Linear(hidden, outputs, bias=False)

    def forward(
        self,
        past: Tensor,
        known: Tensor,
        static: Tensor,
        target: Tensor | None = None,  # noqa: ARG002 - one signature for all kinds
    ) -> Tensor:
        """Forecast all steps.

        Parameters
        ----------
        past : Tensor
            (B, L, T + P), targets first, NaN where missing.
        known : Tensor
            (B, L + H, K), NaN where missing.
        static : Tensor
            (B, n_static).
        target : Tensor, optional
            Not read.

        Returns
        -------
        Head parameters (B, H, T, O) in scaled units.
        """
        sizes = self.sizes
        targets, covariates = past[..., : sizes.target_count], past[..., sizes.target_count :]
        scale = self.coding.scale(targets)
        known = torch.nan_to_num(known)
        steps = torch.cat(
            [
                self.coding.code(targets, scale),
                torch.nan_to_num(covariates),
                known[:, : sizes.context_length],
                self.static_entry.beside(static, sizes.context_length),
            ],
            dim=-1,
        )
        state = self.recurrent.start(steps, self.static_entry.state(static))
        _, state = self.recurrent(steps, state, observed_length(past))
        raw = self._decode(self.dropout(state.hidden[-1]), known[:, sizes.context_length :])
        return self.head.place(raw, scale.location, scale.scale)

    def _decode(self, hidden: Tensor, future: Tensor) -> Tensor:
        """Raw outputs (B, H, T, O) from the last state (B, D) and the known future (B, H, K)."""
        sizes = self.sizes
        raw: Tensor = self.step_shape(hidden).view(
            len(hidden), sizes.horizon, sizes.target_count, -1
        )
        if sizes.known_count:
            mixed = F.relu(self.state_entry(hidden).unsqueeze(1) + self.known_entry(future))
            raw = raw + self.known_effect(mixed).view_as(raw)
        return raw
