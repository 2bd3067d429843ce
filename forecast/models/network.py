"""A model with its head and scaler: batches of raw readings in, raw forecasts out.

It scales inputs by the train statistics, and puts points and quantiles back into the target's
units. It learns nothing of its own and knows neither panels nor files.

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
    """What is trained, saved and asked for forecasts.

    Parameters
    ----------
    model
        Maps scaled inputs to head parameters (B, H, T, O).
    head
        Reads losses, points and quantiles from those.
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
        buffers = {
            "past_location": scaler.location[:channels],
            "past_scale": scaler.scale[:channels],
            "known_location": scaler.location[channels:],
            "known_scale": scaler.scale[channels:],
            "static_location": scaler.static_location,
            "static_scale": scaler.static_scale,
        }
        for name, values in buffers.items():
            tensor = torch.as_tensor(values, dtype=torch.float32).clone()
            self.register_buffer(name, tensor, persistent=False)

    def forward(self, batch: Batch) -> Tensor:
        """Head parameters in scaled units, (B, H, T, O); the target is not looked at."""
        past, known, static, _ = self.scaled(batch)
        params: Tensor = self.model(past, known, static)
        return params

    def scaled(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return past, known, static and target in train z-scores."""
        count = self.target_count
        return (
            (batch.past - self.past_location) / self.past_scale,
            (batch.known - self.known_location) / self.known_scale,
            (batch.static - self.static_location) / self.static_scale,
            (batch.target - self.past_location[:count]) / self.past_scale[:count],
        )

    def loss(self, batch: Batch) -> Tensor:
        """Return the head's loss, a mean over the observed targets; the model may see them too.

        Of an ensemble it is the mean of the losses that its members' own forecasts have.
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

    def point(self, params: Tensor) -> Tensor:
        """Point forecasts (B, H, T) in the target's units."""
        count = self.target_count
        return self.head.point(params) * self.past_scale[:count] + self.past_location[:count]

    def quantiles(self, params: Tensor, levels: Sequence[float]) -> Tensor:
        """Return quantiles (B, H, T, Q) in the target's units, not decreasing along Q."""
        count = self.target_count
        wanted = torch.as_tensor(levels, dtype=torch.float32, device=params.device)
        scaled = self.head.quantiles(params, wanted)
        location, scale = self.past_location[:count, None], self.past_scale[:count, None]
        return scaled * scale + location
