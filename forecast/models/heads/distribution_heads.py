"""Heads that give a distribution for each step, trained by maximum likelihood.

Shapes: B batch, H horizon, T targets, O raw numbers per step, Q quantile levels, M components.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F

from forecast.models.heads.point_heads import mean_of, observed_mean
from forecast.models.heads.quantile_functions import (
    bisect,
    negative_binomial_quantiles,
    student_t_quantiles,
)

SMALLEST_SPREAD = 1e-4
"""Floor of a spread in window units; without it the likelihood of a constant series is infinite."""


def _spread(raw: Tensor, scale: Tensor) -> Tensor:
    return (F.softplus(raw) + SMALLEST_SPREAD) * scale


@dataclass(frozen=True)
class GaussianHead:
    """Normal distribution; params (mean, deviation), deviation = softplus(r).

    loss = ((y - mean) / deviation)² / 2 + log deviation + log(2 π) / 2; closed-form quantiles.
    """

    size: int = field(default=2, init=False)
    raw_target: bool = field(default=False, init=False)

    def place(self, raw: Tensor, location: Tensor, scale: Tensor) -> Tensor:
        """Give (mean, deviation) in scaled units."""
        mean = raw[..., 0] * scale + location
        return torch.stack([mean, _spread(raw[..., 1], scale)], dim=-1)

    def loss(self, params: Tensor, target: Tensor) -> Tensor:
        """Mean negative log-likelihood of the observed targets."""
        mean, deviation = params.unbind(-1)
        distance = (torch.nan_to_num(target) - mean) / deviation
        loss = 0.5 * distance.square() + deviation.log() + 0.5 * math.log(2 * math.pi)
        return observed_mean(loss, ~torch.isnan(target))

    def point(self, params: Tensor) -> Tensor:
        """Give the mean, which is also the median."""
        return params[..., 0]

    def quantiles(self, params: Tensor, levels: Tensor) -> Tensor:
        """Give mean + deviation · Φ⁻¹(level)."""
        mean, deviation = params.unsqueeze(-1).unbind(-2)
        standard: Tensor = torch.special.ndtri(levels).to(params.dtype)
        return mean + deviation * standard

    def average(self, params: Sequence[Tensor]) -> Tensor:
        """Give the mean of means and deviations, and so of every quantile."""
        return mean_of(params)


@dataclass(frozen=True)
class StudentTHead:
    """Student's t; params (location, scale, degrees of freedom 2 + softplus(r)).

    The density is that of t = (y - location) / scale (Salinas et al. 2020); quantiles come from
    a table over the degrees of freedom that is solved from the distribution function.
    """

    size: int = field(default=3, init=False)
    raw_target: bool = field(default=False, init=False)

    def place(self, raw: Tensor, location: Tensor, scale: Tensor) -> Tensor:
        """Give (location, scale, degrees of freedom) in scaled units."""
        middle = raw[..., 0] * scale + location
        freedom = 2.0 + F.softplus(raw[..., 2])
        return torch.stack([middle, _spread(raw[..., 1], scale), freedom], dim=-1)

    def loss(self, params: Tensor, target: Tensor) -> Tensor:
        """Mean negative log-likelihood of the observed targets."""
        middle, spread, freedom = params.unbind(-1)
        distance = (torch.nan_to_num(target) - middle) / spread
        loss = (
            0.5 * (freedom + 1) * torch.log1p(distance.square() / freedom)
            + spread.log()
            + 0.5 * torch.log(math.pi * freedom)
            + torch.lgamma(0.5 * freedom)
            - torch.lgamma(0.5 * (freedom + 1))
        )
        return observed_mean(loss, ~torch.isnan(target))

    def point(self, params: Tensor) -> Tensor:
        """Give the location: mean and median."""
        return params[..., 0]

    def quantiles(self, params: Tensor, levels: Tensor) -> Tensor:
        """Give location + scale · t quantiles, (B, H, T, Q)."""
        middle, spread, freedom = params.unbind(-1)
        standard = student_t_quantiles(freedom, levels)
        return middle.unsqueeze(-1) + spread.unsqueeze(-1) * standard

    def average(self, params: Sequence[Tensor]) -> Tensor:
        """Give the mean location and scale, and the harmonic mean of the degrees of freedom.

        A quantile is nearly linear in 1 / freedom (Cornish & Fisher 1938). With the plain mean,
        one member that is sure of a normal distribution (very many degrees of freedom) would
        remove the tails of all others.
        """
        mean = mean_of(params)
        tails = mean_of([1 / param[..., 2:] for param in params])
        return torch.cat([mean[..., :2], 1 / tails], dim=-1)


@dataclass(frozen=True)
class NegativeBinomialHead:
    """Counts; params (mean, dispersion), variance mean + dispersion · mean² (Salinas et al. 2020).

    With the window's level v = 1 + max(location, 0): mean = v softplus(r_0) and
    dispersion = softplus(r_1) / sqrt(v). Targets are counts, unscaled. The point is the mean.
    """

    size: int = field(default=2, init=False)
    raw_target: bool = field(default=True, init=False)

    def place(self, raw: Tensor, location: Tensor, scale: Tensor) -> Tensor:  # noqa: ARG002
        """Give (mean, dispersion) in counts; `scale` is unused."""
        level = (1.0 + location.clamp(min=0.0)).unsqueeze(-1)
        spread = F.softplus(raw) + SMALLEST_SPREAD
        return torch.cat([level * spread[..., :1], spread[..., 1:] / level.sqrt()], dim=-1)

    def loss(self, params: Tensor, target: Tensor) -> Tensor:
        """Mean negative log-likelihood of the observed counts."""
        mean, dispersion = params.double().unbind(-1)  # lgamma loses all digits of float32
        count = torch.nan_to_num(target).clamp(min=0.0).double()
        r, product = 1 / dispersion, dispersion * mean
        loss = (
            torch.lgamma(r)
            + torch.lgamma(count + 1)
            - torch.lgamma(count + r)
            + (r + count) * torch.log1p(product)
            - count * torch.log(product)
        )
        return observed_mean(loss.to(params.dtype), ~torch.isnan(target))

    def point(self, params: Tensor) -> Tensor:
        """Give the mean count."""
        return params[..., 0]

    def quantiles(self, params: Tensor, levels: Tensor) -> Tensor:
        """Give counts, (B, H, T, Q)."""
        mean, dispersion = params.unbind(-1)
        return negative_binomial_quantiles(mean, dispersion, levels).to(params.dtype)

    def average(self, params: Sequence[Tensor]) -> Tensor:
        """Give the mean of means and dispersions: quantiles stay counts."""
        return mean_of(params)


@dataclass(frozen=True)
class AsymmetricLaplaceHead:
    """Mixture of M asymmetric Laplace distributions (Klotz et al. 2022, CMAL).

    Component: p(y) = τ (1 - τ) / b · exp(-(y - m) / b · (τ - [y < m])), with b = softplus(r),
    τ = sigmoid(r), weights softmax(r). params hold M locations m, M scales b, M asymmetries τ,
    M log-weights. Quantiles by bisection between the components' own; the point is the mean.
    """

    components: int = 3
    raw_target: bool = field(default=False, init=False)

    @property
    def size(self) -> int:
        """Location, scale, asymmetry and weight of each component."""
        return 4 * self.components

    def place(self, raw: Tensor, location: Tensor, scale: Tensor) -> Tensor:
        """Give (m, b, τ, log weight) of all components in scaled units."""
        location, scale = location.unsqueeze(-1), scale.unsqueeze(-1)
        middle, spread, tilt, weight = raw.chunk(4, dim=-1)
        tilt = 0.01 + 0.98 * torch.sigmoid(tilt)
        params = [middle * scale + location, _spread(spread, scale), tilt, weight.log_softmax(-1)]
        return torch.cat(params, dim=-1)

    def loss(self, params: Tensor, target: Tensor) -> Tensor:
        """Mean negative log-likelihood of the observed targets."""
        middle, spread, tilt, weight = params.chunk(4, dim=-1)
        distance = (torch.nan_to_num(target).unsqueeze(-1) - middle) / spread
        density = (tilt * (1 - tilt) / spread).log() - torch.maximum(
            tilt * distance, (tilt - 1) * distance
        )
        return observed_mean(-torch.logsumexp(weight + density, dim=-1), ~torch.isnan(target))

    def point(self, params: Tensor) -> Tensor:
        """Give the mean: that of a component is m + b (1 - 2 τ) / (τ (1 - τ))."""
        middle, spread, tilt, weight = params.chunk(4, dim=-1)
        means = middle + spread * (1 - 2 * tilt) / (tilt * (1 - tilt))
        return (weight.exp() * means).sum(-1)

    def quantiles(self, params: Tensor, levels: Tensor) -> Tensor:
        """Solve the mixture's distribution function for each level, (B, H, T, Q)."""
        middle, spread, tilt, weight = params.unsqueeze(-2).chunk(4, dim=-1)
        level = levels.to(params.dtype).unsqueeze(-1)
        own = middle + spread * torch.where(
            level <= tilt,
            torch.log(level / tilt) / (1 - tilt),
            -torch.log((1 - level) / (1 - tilt)) / tilt,
        )

        def cdf(value: Tensor) -> Tensor:
            distance = (value.unsqueeze(-1) - middle) / spread
            below = tilt * torch.exp((1 - tilt) * distance.clamp(max=0.0))
            above = 1 - (1 - tilt) * torch.exp(-tilt * distance.clamp(min=0.0))
            return (weight.exp() * torch.where(distance <= 0, below, above)).sum(-1)

        solved = bisect(cdf, own.amin(-1), own.amax(-1), level.squeeze(-1))
        return solved.cummax(dim=-1).values  # rounding could make two neighbours cross

    def average(self, params: Sequence[Tensor]) -> Tensor:
        """Mix the components of all networks, whose order differs from network to network.

        The density is the mean of the densities and the point the mean of the points; params then
        hold more components.
        """
        each = [param.chunk(4, dim=-1) for param in params]
        middle, spread, tilt, weight = (torch.cat(part, dim=-1) for part in zip(*each, strict=True))
        return torch.cat([middle, spread, tilt, weight - math.log(len(params))], dim=-1)


@dataclass(frozen=True)
class CategoricalHead:
    """One class per step, as codes 0 .. categories - 1; params are log-probabilities.

    Targets are codes, unscaled. The point is the most probable code. Quantiles are quantiles of
    the codes, which mean something only where the classes are ordered.
    """

    categories: int
    raw_target: bool = field(default=True, init=False)

    @property
    def size(self) -> int:
        """One number per class."""
        return self.categories

    def place(self, raw: Tensor, location: Tensor, scale: Tensor) -> Tensor:  # noqa: ARG002
        """Give log-probabilities; `location` and `scale` are unused."""
        return raw.log_softmax(dim=-1)

    def loss(self, params: Tensor, target: Tensor) -> Tensor:
        """Mean cross-entropy of the observed codes."""
        code = torch.nan_to_num(target).long().unsqueeze(-1)
        return observed_mean(-params.gather(-1, code).squeeze(-1), ~torch.isnan(target))

    def point(self, params: Tensor) -> Tensor:
        """Give the most probable code, as a float."""
        return params.argmax(dim=-1).to(params.dtype)

    def quantiles(self, params: Tensor, levels: Tensor) -> Tensor:
        """Give the smallest code whose cumulative probability reaches each level."""
        reached = params.exp().cumsum(-1).unsqueeze(-2) >= levels.to(params.dtype).unsqueeze(-1)
        reached[..., -1] = True  # the sum of probabilities may round below 1
        return reached.to(torch.uint8).argmax(dim=-1).to(params.dtype)

    def average(self, params: Sequence[Tensor]) -> Tensor:
        """Average probabilities: the mean of two codes would be an unrelated third class."""
        return torch.stack(list(params)).logsumexp(dim=0) - math.log(len(params))
