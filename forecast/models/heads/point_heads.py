"""Heads that turn raw network outputs into points and quantiles.

`place` takes each window's location and scale, which the model has computed.

Shapes: B batch, H horizon, T targets, O raw numbers per step, Q quantile levels.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.nn import functional as F

from forecast.vocabulary import DECILES, PointLoss


@runtime_checkable
class Head(Protocol):
    """What every head implements; `params` are always in scaled units."""

    @property
    def size(self) -> int:
        """O, the raw numbers that the network must give per step and target."""

    @property
    def raw_target(self) -> bool:
        """Whether targets must come unscaled (counts, codes): their scaler is the identity."""

    def place(self, raw: Tensor, location: Tensor, scale: Tensor) -> Tensor:
        """Put raw outputs (B, H, T, O) of window units into scaled units.

        `location` and `scale` broadcast against (B, H, T); `scale` is positive.
        """

    def loss(self, params: Tensor, target: Tensor) -> Tensor:
        """Mean loss over the observed targets (B, H, T); NaN targets are left out."""

    def point(self, params: Tensor) -> Tensor:
        """Give the point forecast, (B, H, T)."""

    def quantiles(self, params: Tensor, levels: Tensor) -> Tensor:
        """Give the values at `levels` (Q,), (B, H, T, Q), never decreasing along Q."""

    def average(self, params: Sequence[Tensor]) -> Tensor:
        """Average the params of several networks into params of this head.

        Quantiles of the result are the means of the networks' quantiles, or close to them
        (Vincent 1912). Mixtures and classes average probabilities instead.
        """


def mean_of(params: Sequence[Tensor]) -> Tensor:
    """Average by adding one after the other, so that quantiles still rise after rounding."""
    return sum(params[1:], start=params[0]) / len(params)


def observed_mean(loss: Tensor, observed: Tensor) -> Tensor:
    """Average `loss` where `observed`; zero, with zero gradients, if nothing is observed."""
    return (loss * observed).sum() / observed.sum().clamp(min=1)


@lru_cache
def _on_device(values: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Send numbers to a device once; a copy in every step would make the CPU wait for the GPU."""
    return torch.tensor(values, dtype=dtype, device=device)


def pinball(quantiles: Tensor, target: Tensor, levels: Tensor) -> Tensor:
    """Pinball loss of each quantile (Koenker & Bassett 1978), (B, H, T, Q).

    Parameters
    ----------
    quantiles : Tensor
        (B, H, T, Q).
    target : Tensor
        (B, H, T), without NaN.
    levels : Tensor
        (Q,), between 0 and 1.
    """
    below = target.unsqueeze(-1) - quantiles
    return torch.addcmul(F.relu(-below), levels, below)


def interpolate_levels(values: Tensor, knots: Sequence[float], levels: Tensor) -> Tensor:
    """Read quantiles at `levels` (Q',) from those at `knots` (Q,), linearly between two.

    Raises
    ------
    ValueError
        When a level lies outside the trained ones.
    """
    known = torch.tensor(knots, dtype=levels.dtype, device=levels.device)
    if levels.shape == known.shape and torch.equal(levels, known):
        return values
    slack = 1e-6  # levels may have passed through float32
    if bool(((levels < known[0] - slack) | (levels > known[-1] + slack)).any()):
        raise ValueError(
            f"quantile levels {levels.tolist()} reach outside the trained ones, "
            f"{knots[0]} to {knots[-1]}; train the head with them"
        )
    if len(knots) == 1:
        return values.expand(*values.shape[:-1], levels.numel())
    above = torch.searchsorted(known, levels).clamp(1, len(knots) - 1)
    below = above - 1
    share = ((levels - known[below]) / (known[above] - known[below])).clamp(0.0, 1.0)
    return torch.lerp(values[..., below], values[..., above], share.to(values.dtype))


def has_median(levels: Sequence[float]) -> bool:
    """Return whether one of the levels is 0.5."""
    return any(abs(level - 0.5) < 1e-9 for level in levels)


def point_loss(name: PointLoss, point: Tensor, target: Tensor) -> Tensor:
    """Element-wise absolute, squared or Huber (1964, delta 1 scaled unit) loss."""
    match name:
        case "mae":
            return (point - target).abs()
        case "mse":
            return (point - target).square()
        case "huber":
            return F.huber_loss(point, target, reduction="none")


@dataclass(frozen=True)
class PointHead:
    """One number per step, trained by MAE, MSE or Huber loss.

    All `quantiles` equal the point; calibration gives the intervals.
    """

    trained_by: PointLoss = "mae"
    size: int = field(default=1, init=False)
    raw_target: bool = field(default=False, init=False)

    def place(self, raw: Tensor, location: Tensor, scale: Tensor) -> Tensor:
        """Put raw outputs (B, H, T, 1) into scaled units."""
        return raw * scale.unsqueeze(-1) + location.unsqueeze(-1)

    def loss(self, params: Tensor, target: Tensor) -> Tensor:
        """Mean loss over the observed targets."""
        observed = ~torch.isnan(target)
        filled = torch.nan_to_num(target)
        return observed_mean(point_loss(self.trained_by, params[..., 0], filled), observed)

    def point(self, params: Tensor) -> Tensor:
        """Give the point forecast, (B, H, T)."""
        return params[..., 0]

    def quantiles(self, params: Tensor, levels: Tensor) -> Tensor:
        """Repeat the point at every level."""
        return params.expand(*params.shape[:-1], levels.numel())

    def average(self, params: Sequence[Tensor]) -> Tensor:
        """Give the mean point."""
        return mean_of(params)


@dataclass(frozen=True)
class PointQuantileHead:
    """A point and quantiles around a median, which cannot cross.

    With raw outputs r, levels l_1 < ... < l_Q and l_m the level nearest 0.5:
    point = r_0; q_m = r_1; q_{j+1} = q_j + softplus(r_{j+1} - 1) for j = 1 .. Q - 1. The shift by
    one starts deciles near those of N(0, 1). Loss = point loss + 2 · mean pinball.

    A point trained by absolute error is itself a median. `is_one` makes it the median of the
    quantiles, point = q_m = r_0, followed by the gaps of the other levels. It then learns from
    every level, as in composite quantile regression (Zou & Yuan 2008), and point and median agree.
    """

    levels: tuple[float, ...] = DECILES
    trained_by: PointLoss = "mae"
    is_one: bool = False
    raw_target: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        if not self.levels or list(self.levels) != sorted(set(self.levels)):
            raise ValueError(f"levels must rise strictly, found {self.levels}")
        if self.levels[0] <= 0 or self.levels[-1] >= 1:
            raise ValueError(f"levels must lie between 0 and 1, found {self.levels}")
        if self.is_one and not has_median(self.levels):
            raise ValueError(f"a point that is the median needs the level 0.5, found {self.levels}")

    @property
    def size(self) -> int:
        """1 + Q: point, median, and a gap per other level; Q where the point is the median."""
        return len(self.levels) + (not self.is_one)

    @property
    def middle(self) -> int:
        """The position of the level nearest 0.5."""
        return min(range(len(self.levels)), key=lambda j: abs(self.levels[j] - 0.5))

    def place(self, raw: Tensor, location: Tensor, scale: Tensor) -> Tensor:
        """Give the point (unless it is the median) and quantiles, in scaled units, (B, H, T, O)."""
        own = self.size - len(self.levels)
        point, lowest = raw[..., :own], raw[..., own : own + 1]
        rise = F.softplus(raw[..., own + 1 :] - 1.0).cumsum(-1)
        if self.middle:
            lowest = lowest - rise[..., self.middle - 1 : self.middle]
        params = torch.cat([point, lowest, lowest + rise], dim=-1)
        return torch.addcmul(location.unsqueeze(-1), params, scale.unsqueeze(-1))

    def loss(self, params: Tensor, target: Tensor) -> Tensor:
        """Point loss + 2 · mean pinball over the observed targets."""
        observed = ~torch.isnan(target)
        filled = torch.nan_to_num(target)
        levels = _on_device(self.levels, params.dtype, params.device)
        spread = pinball(self._trained(params), filled, levels).mean(-1)
        point = point_loss(self.trained_by, self.point(params), filled)
        return observed_mean(point + 2.0 * spread, observed)

    def point(self, params: Tensor) -> Tensor:
        """Give the point forecast, (B, H, T)."""
        return params[..., self.middle if self.is_one else 0]

    def quantiles(self, params: Tensor, levels: Tensor) -> Tensor:
        """Give the trained quantiles, or interpolate between them, (B, H, T, Q)."""
        return interpolate_levels(self._trained(params), self.levels, levels)

    def _trained(self, params: Tensor) -> Tensor:
        return params[..., self.size - len(self.levels) :]

    def average(self, params: Sequence[Tensor]) -> Tensor:
        """Give the mean point and the mean of each quantile."""
        return mean_of(params)
