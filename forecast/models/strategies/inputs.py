"""Inputs of a recurrent network at every step of a window.

Shapes: B batch, L context, H horizon, T targets, P past covariates, K known covariates,
C = T + P channels, E coded target channels.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from forecast.models.strategies.normalization import WindowScale, window_scale
from forecast.vocabulary import Normalization


@dataclass(frozen=True)
class WindowSizes:
    """The lengths and widths of a batch of windows."""

    context_length: int
    horizon: int
    target_count: int
    past_count: int = 0
    known_count: int = 0
    static_count: int = 0


@dataclass(frozen=True)
class TargetCoding:
    """How target values enter a network: normalised by their window, or one-hot if categories.

    With `categories` > 0, targets are codes 0 .. categories - 1.
    """

    normalization: Normalization = "last"
    categories: int = 0

    def width(self, target_count: int) -> int:
        """E: coded values and one mask per target."""
        return target_count * (max(self.categories, 1) + 1)

    def scale(self, targets: Tensor) -> WindowScale:
        """Find each window's location and scale from its past targets (B, L, T)."""
        return window_scale(targets, "none" if self.categories else self.normalization)

    def code(self, targets: Tensor, scale: WindowScale) -> Tensor:
        """Give coded values, 0 where missing, then masks, 1 where observed: (B, L, E)."""
        observed = ~torch.isnan(targets)
        if self.categories:
            codes = torch.nan_to_num(targets).long().clamp(0, self.categories - 1)
            values = F.one_hot(codes, self.categories) * observed.unsqueeze(-1)
            values = values.flatten(-2).to(targets.dtype)
        else:
            values = torch.nan_to_num((targets - scale.location) / scale.scale)
        return torch.cat([values, observed.to(targets.dtype)], dim=-1)


def observed_length(past: Tensor) -> Tensor | None:
    """Count the steps (B,) from each window's first reading on; None when all windows are full.

    Networks skip the steps before (before the series began, or padding), so that padding changes
    no forecast. `past` is (B, L, C), NaN = missing. None is returned on a CPU only: on a GPU, to
    find out whether all are full would make the CPU wait.
    """
    absent = torch.isnan(past)
    if past.device.type == "cpu" and not bool(absent[:, 0].all(dim=-1).any()):
        return None
    present = ~absent.all(dim=-1)
    steps = torch.arange(past.shape[1], 0, -1, device=past.device)
    return torch.where(present, steps, 0).amax(dim=1)
