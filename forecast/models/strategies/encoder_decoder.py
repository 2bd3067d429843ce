"""The encoder-decoder strategy: one net reads the context, another writes the horizon.

Shapes: B batch, L context, H horizon, T targets, P past, K known.
"""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from forecast.models.heads.point_heads import Head
from forecast.models.recurrent.padded_stack import Recurrent
from forecast.models.recurrent.stacks import CellOptions
from forecast.models.strategies.decoder import Decoder, Prompt, TeacherForcing
from forecast.models.strategies.inputs import TargetCoding, WindowSizes, observed_length
from forecast.models.strategies.static_entry import StaticEntry
from forecast.vocabulary import StaticInto


class EncoderDecoder(nn.Module):
    """Sequence to sequence (Sutskever et al. 2014): the decoder gets only the encoder's state.

    The encoder reads [coded targets, masks, past covariates, known covariates, static] of each
    context step. The decoder starts from its final state; step t reads [coded targets of t - 1,
    known covariates of t, static], where the targets before step 1 are the newest reading, and
    those before later steps the true values (teacher forcing) or the decoder's own outputs.
    """

    parts = {  # noqa: RUF012 - a constant table of names
        "embedding": ("static_entry",),
        "recurrent": ("encoder", "decoder.recurrent"),
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
        width = coding.width(sizes.target_count) + sizes.known_count + self.static_entry.width
        self.encoder = Recurrent(width + sizes.past_count, options)
        self.static_entry.feed(self.encoder.state_size)
        given = replace(
            options, initial_state="zero"
        )  # the decoder starts from the encoder's state
        self.decoder = Decoder(head, Recurrent(width, given), coding, sizes.target_count)
        self.teacher_forcing = TeacherForcing(*teacher_forcing)
        self.register_load_state_dict_pre_hook(  # type: ignore[no-untyped-call]
            _without_decoder_start
        )

    def forward(
        self, past: Tensor, known: Tensor, static: Tensor, target: Tensor | None = None
    ) -> Tensor:
        """Read the context, then write the horizon step by step.

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
        sizes, context = self.sizes, self.sizes.context_length
        targets, covariates = past[..., : sizes.target_count], past[..., sizes.target_count :]
        scale = self.coding.scale(targets)
        known = torch.nan_to_num(known)
        others = torch.cat([known, self.static_entry.beside(static, known.shape[1])], dim=-1)
        read = torch.cat(
            [self.coding.code(targets, scale), torch.nan_to_num(covariates), others[:, :context]],
            dim=-1,
        )
        state = self.encoder.start(past, self.static_entry.state(static))
        _, state = self.encoder(read, state, observed_length(past))
        prompt = Prompt(state, targets[:, -1:], others[:, context:], scale)
        share = self.teacher_forcing.share()
        params: Tensor = self.decoder(prompt, target if self.training else None, share)
        return params


def _without_decoder_start(_: nn.Module, state: dict[str, Any], prefix: str, *__: Any) -> None:
    """Drop the decoder's learned initial state, which older bundles hold but never used."""
    state.pop(f"{prefix}decoder.recurrent.initial", None)
