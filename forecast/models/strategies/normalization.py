"""Location and scale of each window, from its observed targets.

Shapes: B batch, L context, T targets. NaN means missing; an all-NaN window gets location 0 and
scale 1, so that a forecast without history stays in train z-scores.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from forecast.models.derived import SMALLEST_SCALE
from forecast.vocabulary import Normalization


class WindowScale(NamedTuple):
    """Location and scale by which a window is normalised."""

    location: Tensor  # (B, 1, T)
    scale: Tensor  # (B, 1, T), positive


def window_scale(targets: Tensor, mode: Normalization) -> WindowScale:
    """Find the location and scale of each window and target.

    Parameters
    ----------
    targets : Tensor
        (B, L, T), NaN where missing.
    mode : {"last", "mean_std", "none"}
        The last observed value and scale 1 (Zeng et al. 2023, NLinear); mean and standard
        deviation of the observed values (Kim et al. 2022, RevIN, without its weights); or 0 and 1.
    """
    match mode:
        case "last":
            location = last_observed(targets)
            return WindowScale(location, torch.ones_like(location))
        case "mean_std":
            return _mean_std(targets)
        case "none":
            zero = targets.new_zeros(targets.shape[0], 1, targets.shape[2])
            return WindowScale(zero, torch.ones_like(zero))


def last_observed(targets: Tensor) -> Tensor:
    """Give each window's newest observed value, (B, 1, T); 0 where none is."""
    steps = torch.arange(targets.shape[1], device=targets.device).unsqueeze(-1)
    position = torch.where(torch.isnan(targets), 0, steps).amax(dim=1, keepdim=True)
    return torch.nan_to_num(targets.gather(1, position))


def _mean_std(targets: Tensor) -> WindowScale:
    observed = ~torch.isnan(targets)
    count = observed.sum(dim=1, keepdim=True)
    share = count.clamp(min=1)
    mean = torch.nan_to_num(targets).sum(dim=1, keepdim=True) / share
    centred = torch.nan_to_num(targets - mean)
    deviation = (centred.square().sum(dim=1, keepdim=True) / share).clamp(min=0.0)
    scale = (deviation + SMALLEST_SCALE**2).sqrt()
    return WindowScale(mean, torch.where(count > 0, scale, torch.ones_like(scale)))
