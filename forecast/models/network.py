"""A model with its head and scaler: batches of raw readings in, raw forecasts out.

It scales inputs by the train statistics, and converts points and quantiles back to the target's
units.

Letters: B batch, L context, H horizon, T targets, O head outputs, Q quantile levels.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from forecast.data.windows.scaling import Scaler
from forecast.data.windows.windows import Batch
from forecast.models.ensemble import members_of, segments_of
from forecast.models.heads.point_heads import Head

if TYPE_CHECKING:
    from forecast.data.windows.train_folds import TrainFolds


class Network(nn.Module):
    """The module that is trained, saved and used to forecast.

    Parameters
    ----------
    model
        Maps scaled inputs to head parameters (B, H, T, O).
    head
        Computes losses, points and quantiles from those.
    scaler
        Train statistics, targets first, then past and known covariates.
    target_count, past_count
        How the scaler's channels divide.
    """

    past_location: Tensor
    past_scale: Tensor
    known_location: Tensor
    known_scale: Tensor
    static_location: Tensor
    static_scale: Tensor

    def __init__(
        self,
        model: nn.Module,
        head: Head,
        *,
        scaler: Scaler,
        target_count: int,
        past_count: int,
    ) -> None:
        super().__init__()
        self.model = model
        self.head = head
        self.target_count = target_count
        self.folds: TrainFolds | None = None  # of train, where the model has fits without each
        channels = target_count + past_count
        location, scale = scaler.table()
        buffers = {
            "past_location": location[:, :channels],
            "past_scale": scale[:, :channels],
            "known_location": location[:, channels:],
            "known_scale": scale[:, channels:],
            "static_location": scaler.static_location,
            "static_scale": scaler.static_scale,
        }
        for name, values in buffers.items():
            tensor = torch.as_tensor(values, dtype=torch.float32).clone()
            self.register_buffer(name, tensor, persistent=False)

    def forward(self, batch: Batch) -> Tensor:
        """Head parameters in scaled units, (B, H, T, O); the target is not read."""
        past, known, static, _ = self.scaled(batch)
        params: Tensor = self.model(past, known, static)
        return params

    def judged(self, batch: Batch) -> Tensor:
        """Head parameters as out-of-sample, also for windows of train.

        Where the model holds one fit per left-out fold of train, a window of train is forecast by
        the fit without its own fold, and a later window by the fit to all folds.
        """
        if self.folds is None:
            params: Tensor = self(batch)
            return params
        past, known, static, target = self.scaled(batch)
        fold = self.folds.number(batch.series, batch.cutoff)
        fold = torch.where(self.folds.holds(batch.series, batch.cutoff), fold, -1)
        members = members_of(self.model)
        forecasts = [member(past, known, static, target, fold) for member in members]
        return self.head.average(forecasts)

    def scaled(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return past, known, static and target in train z-scores."""
        count, row = self.target_count, batch.scale_row
        location, scale = _rows(self.past_location, row), _rows(self.past_scale, row)
        return (
            (batch.past - location) / scale,
            (batch.known - _rows(self.known_location, row)) / _rows(self.known_scale, row),
            (batch.static - self.static_location) / self.static_scale,
            (batch.target - location[..., :count]) / scale[..., :count],
        )

    def loss(self, batch: Batch) -> Tensor:
        """Return the head's mean loss over the observed targets, which teacher forcing may read.

        For an ensemble, the mean of its members' losses.
        """
        inputs: tuple[Tensor, ...] = self.scaled(batch)
        target = inputs[-1]
        if self.folds is not None:
            inputs = (*inputs, self.folds.number(batch.series, batch.cutoff))
        losses = [self.head.loss(member(*inputs), target) for member in members_of(self.model)]
        return torch.stack(losses).mean()

    def forget_folds(self) -> None:
        """Drop what only training needs."""
        if self.folds is not None:
            self.folds = None
            for member in segments_of(self.model):
                member.forget_folds()

    def point(self, params: Tensor, batch: Batch) -> Tensor:
        """Point forecasts (B, H, T) of a batch, in the target's units."""
        location, scale = self._target_units(batch)
        return self.head.point(params) * scale + location

    def quantiles(self, params: Tensor, levels: Sequence[float], batch: Batch) -> Tensor:
        """Return quantiles (B, H, T, Q) in the target's units, not decreasing along Q."""
        wanted = torch.as_tensor(levels, dtype=torch.float32, device=params.device)
        location, scale = self._target_units(batch)
        return self.head.quantiles(params, wanted) * scale[..., None] + location[..., None]

    def _target_units(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Location and scale of the targets, (B or 1, 1, T)."""
        count, row = self.target_count, batch.scale_row
        location, scale = _rows(self.past_location, row), _rows(self.past_scale, row)
        return location[..., :count], scale[..., :count]


def _rows(table: Tensor, row: Tensor) -> Tensor:
    """Give the rows (B, 1, C) of a table; a table of one row gives (1, 1, C) for all."""
    return table[:, None] if len(table) == 1 else table[row][:, None]
