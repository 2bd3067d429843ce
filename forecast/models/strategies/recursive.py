"""The recursive strategy: a one-step model that is fed its own output past the newest reading.

Shapes: B batch, L context, H horizon, T targets, P past, K known.
"""

import torch
from torch import Tensor, nn

from forecast.models.heads.point_heads import Head
from forecast.models.recurrent.padded_stack import Recurrent
from forecast.models.recurrent.stacks import CellOptions
from forecast.models.strategies.decoder import Decoder, Prompt, TeacherForcing
from forecast.models.strategies.inputs import TargetCoding, WindowSizes, observed_length
from forecast.models.strategies.static_entry import StaticEntry
from forecast.vocabulary import StaticInto


class Recursive(nn.Module):
    """One recurrent net over context and horizon; each step forecasts the next one.

    Step t reads [coded targets of t, masks, known covariates of t + 1, static, past covariates of
    t] and gives the targets of t + 1. Past the newest reading the targets are the model's own
    points and the past covariates are unknown: they read 0, their mean.

    The spread of a step is conditional on the points fed before it. The uncertainty of those points
    enters the spread only if the model trains on its own outputs (teacher forcing that ends at 0).
    """

    parts = {  # noqa: RUF012 - a constant table of names
        "embedding": ("static_entry",),
        "recurrent": ("decoder.recurrent",),
        "head": ("decoder.output",),
    }

    def __init__(
        self,
        head: Head,
        sizes: WindowSizes,
        options: CellOptions,
        coding: TargetCoding,
        *,
        static_into: StaticInto = "state",
        teacher_forcing: tuple[float, float, int] = (1.0, 0.0, 1000),
    ) -> None:
        super().__init__()
        self.sizes, self.coding = sizes, coding
        self.static_entry = StaticEntry(sizes.static_count, static_into)
        width = coding.width(sizes.target_count) + sizes.past_count + sizes.known_count
        recurrent = Recurrent(width + self.static_entry.width, options)
        self.static_entry.feed(recurrent.state_size)
        self.decoder = Decoder(head, recurrent, coding, sizes.target_count)
        self.teacher_forcing = TeacherForcing(*teacher_forcing)

    def forward(
        self, past: Tensor, known: Tensor, static: Tensor, target: Tensor | None = None
    ) -> Tensor:
        """Forecast step by step.

        Parameters
        ----------
        past : Tensor
            (B, L, T + P), targets first, NaN where missing.
        known : Tensor
            (B, L + H, K), NaN where missing.
        static : Tensor
            (B, n_static).
        target : Tensor, optional
            (B, H, T), read in training as teacher forcing asks.

        Returns
        -------
        Head parameters (B, H, T, O) in scaled units.
        """
        sizes = self.sizes
        context, horizon = sizes.context_length, sizes.horizon
        targets, covariates = past[..., : sizes.target_count], past[..., sizes.target_count :]
        scale = self.coding.scale(targets)
        unknown = covariates.new_zeros(len(past), horizon - 1, sizes.past_count)
        others = torch.cat(
            [
                torch.nan_to_num(known[:, 1:]),
                self.static_entry.beside(static, context + horizon - 1),
                torch.cat([torch.nan_to_num(covariates), unknown], dim=1),
            ],
            dim=-1,
        )
        recurrent = self.decoder.recurrent
        state = recurrent.start(past, self.static_entry.state(static))
        if context > 1:
            read = torch.cat(
                [self.coding.code(targets[:, :-1], scale), others[:, : context - 1]], dim=-1
            )
            length = observed_length(past)
            _, state = recurrent(read, state, None if length is None else (length - 1).clamp(min=0))
        prompt = Prompt(state, targets[:, -1:], others[:, context - 1 :], scale)
        share = self.teacher_forcing.share()
        params: Tensor = self.decoder(prompt, target if self.training else None, share)
        return params
