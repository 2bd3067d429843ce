"""The aligned strategy: the target of every step from the other channels up to that step.

Past targets are not read. Use it as a virtual sensor, where the real one is broken, expensive or
not yet installed.

Shapes: B batch, L context, H horizon, T targets, K known.
"""

import torch
from torch import Tensor, nn

from forecast.errors import ConfigError
from forecast.models.draws import Dropout
from forecast.models.heads.point_heads import Head
from forecast.models.recurrent.padded_stack import Recurrent
from forecast.models.recurrent.stacks import CellOptions
from forecast.models.strategies.inputs import WindowSizes
from forecast.models.strategies.static_entry import StaticEntry
from forecast.vocabulary import StaticInto


class Aligned(nn.Module):
    """A causal recurrent net over the known covariates of context and horizon, one output per step.

    Step t reads [known covariates of t, masks, static] and gives the targets of t. Past covariates
    are not read, since they are unknown at the steps to forecast. Nor are leading steps before the
    series began: those where `past` is missing and `known` is incomplete.
    """

    parts = {  # noqa: RUF012 - a constant table of names
        "embedding": ("static_entry",),
        "recurrent": ("recurrent",),
        "head": ("output",),
    }

    def __init__(
        self,
        head: Head,
        sizes: WindowSizes,
        options: CellOptions,
        *,
        static_into: StaticInto = "state",
    ) -> None:
        super().__init__()
        if not sizes.known_count:
            raise ConfigError(
                "model.kind: aligned reads known covariates only, and there are none; list them "
                "under data.covariates.known (or calendar), or choose another kind"
            )
        self.head, self.sizes = head, sizes
        self.static_entry = StaticEntry(sizes.static_count, static_into)
        self.recurrent = Recurrent(2 * sizes.known_count + self.static_entry.width, options)
        self.static_entry.feed(self.recurrent.state_size)
        self.dropout = Dropout(options.dropout)
        self.output = nn.Linear(options.hidden_size, sizes.target_count * head.size)

    def forward(
        self,
        past: Tensor,
        known: Tensor,
        static: Tensor,
        target: Tensor | None = None,  # noqa: ARG002 - one signature for all kinds
    ) -> Tensor:
        """Forecast each step of the horizon.

        Parameters
        ----------
        past : Tensor
            (B, L, T + P): only its missing values are read, to find where the series begins.
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
        missing = torch.isnan(known)
        read = torch.cat(
            [
                torch.nan_to_num(known),
                (~missing).to(known.dtype),
                self.static_entry.beside(static, known.shape[1]),
            ],
            dim=-1,
        )
        state = self.recurrent.start(read, self.static_entry.state(static))
        outputs, _ = self.recurrent(read, state, self._length(past, missing))
        raw = self.output(self.dropout(outputs[:, self.sizes.context_length :]))
        raw = raw.unflatten(-1, (self.sizes.target_count, self.head.size))
        still = raw.new_zeros(len(raw), 1, self.sizes.target_count)
        return self.head.place(raw, still, torch.ones_like(still))

    def _length(self, past: Tensor, missing: Tensor) -> Tensor | None:
        """Count the steps (B,) since the series began; None when all windows are full."""
        before = torch.isnan(past).all(dim=-1) & missing[:, : past.shape[1]].any(dim=-1)
        if past.device.type == "cpu" and not bool(before[:, 0].any()):
            return None
        return missing.shape[1] - before.long().cumprod(dim=1).sum(dim=1)
