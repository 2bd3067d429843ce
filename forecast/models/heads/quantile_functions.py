"""Distribution functions and their inverses that torch lacks.

They carry no gradients: training needs densities only, quantiles are read when forecasting.
"""

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

_TABLE_STEPS = 1024
_NODES = 48
_NEWTON_STEPS = 40
_TINY = 1e-300


def bisect(function: Callable[[Tensor], Tensor], low: Tensor, high: Tensor, goal: Tensor) -> Tensor:
    """Find x in [low, high] where the rising `function` reaches `goal`, to float32 accuracy."""
    for _ in range(40):
        middle = 0.5 * (low + high)
        below = function(middle) < goal
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    return 0.5 * (low + high)


@lru_cache(maxsize=32)
def _student_t_table(levels: tuple[float, ...]) -> Tensor:
    """Quantiles at `levels` (Q,) over 2 / n = 0 ... 1 in equal steps, (steps + 1, Q), float64.

    With n degrees of freedom, F(t) - 1/2 is Γ((n+1)/2) / (Γ(n/2) sqrt(π)) times the integral of
    cos^(n-1) from 0 to atan(t / sqrt(n)), here by Gauss-Legendre; solved by Newton from the normal
    quantile, which never overshoots, because F is concave above its median.
    """
    place, weight = (torch.from_numpy(x) for x in np.polynomial.legendre.leggauss(_NODES))
    place, weight = 0.5 * (place + 1.0), 0.5 * weight
    freedom = (2.0 * _TABLE_STEPS / torch.arange(1, _TABLE_STEPS + 1).double()).unsqueeze(-1)
    level = torch.tensor(levels, dtype=torch.float64)
    normal = torch.special.ndtri(level)
    tail = (level - 0.5).abs()
    constant = torch.lgamma(0.5 * (freedom + 1)) - torch.lgamma(0.5 * freedom)
    constant = torch.exp(constant) / math.sqrt(math.pi)
    t = normal.abs().expand(_TABLE_STEPS, -1)
    for _ in range(_NEWTON_STEPS):
        angle = torch.atan(t / freedom.sqrt())
        power = torch.cos(angle.unsqueeze(-1) * place) ** (freedom - 1).unsqueeze(-1)
        mass = constant * angle * (power * weight).sum(-1)
        density = constant / freedom.sqrt() * (1 + t**2 / freedom) ** (-0.5 * (freedom + 1))
        t = t + (tail - mass) / density
    return torch.cat([normal.unsqueeze(0), t * normal.sign()])


def student_t_quantiles(freedom: Tensor, levels: Tensor) -> Tensor:
    """Quantiles (..., Q) of Student's t with `freedom` (...,) >= 2 at `levels` (Q,).

    Read linearly from a table over 2 / freedom; the error is below 1e-5 of the deciles.
    """
    table = _student_t_table(tuple(levels.double().tolist())).to(freedom)
    place = (2.0 / freedom).clamp(0.0, 1.0) * _TABLE_STEPS
    below = place.floor().clamp(max=_TABLE_STEPS - 1)
    share = (place - below).unsqueeze(-1)
    return torch.lerp(table[below.long()], table[below.long() + 1], share)


def beta_cdf(a: Tensor, b: Tensor, x: Tensor) -> Tensor:
    """Regularised incomplete beta function I_x(a, b), float64.

    By its continued fraction (DLMF 8.17.22) after Lentz, on the side where it converges fast.
    """
    mirrored = x > (a + 1) / (a + b + 2)
    a, b = torch.where(mirrored, b, a), torch.where(mirrored, a, b)
    x = torch.where(mirrored, 1 - x, x)
    front = torch.lgamma(a + b) - torch.lgamma(a) - torch.lgamma(b)
    front = torch.exp(front + torch.xlogy(a, x) + torch.xlogy(b, 1 - x)) / a
    numerator = torch.ones_like(x)
    denominator = 1 / _away_from_zero(1 - (a + b) * x / (a + 1))
    value = denominator
    for m in range(1, 500):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            denominator = 1 / _away_from_zero(1 + term * denominator)
            numerator = _away_from_zero(1 + term / numerator)
            value = value * numerator * denominator
        if bool(((numerator * denominator - 1).abs() < 1e-12).all()):
            break
    lower = front * value
    result: Tensor = torch.where(mirrored, 1 - lower, lower)
    return result


def _away_from_zero(value: Tensor) -> Tensor:
    return torch.where(value.abs() < _TINY, _TINY, value)


def negative_binomial_quantiles(mean: Tensor, dispersion: Tensor, levels: Tensor) -> Tensor:
    """Smallest counts k with P(Y <= k) >= level, (..., Q), for variance mean + dispersion · mean².

    P(Y <= k) = I_p(r, k + 1) with r = 1 / dispersion and p = r / (r + mean); the search brackets
    a Cornish-Fisher guess and bisects.
    """
    mean, dispersion = mean.double().unsqueeze(-1), dispersion.double().unsqueeze(-1)
    levels = levels.double().expand(*mean.shape[:-1], -1)
    r = (1 / dispersion).expand_as(levels)
    p = 1 / (1 + dispersion * mean)
    deviation = (mean / p).sqrt()
    skew = (2 - p) / (r * (1 - p)).clamp(min=1e-12).sqrt()
    normal: Tensor = torch.special.ndtri(levels)
    guess = mean + deviation * (normal + skew * (normal**2 - 1) / 6)
    p = p.expand_as(levels)

    def reached(count: Tensor) -> Tensor:
        cumulated = beta_cdf(r, count.clamp(min=0) + 1, p)
        return torch.where(count >= 0, cumulated, 0.0) >= levels

    high, reach = guess.round().clamp(min=0), 1.0
    while not bool((ok := reached(high)).all()):
        high = torch.where(ok, high, high + reach)
        reach *= 2
    low, reach = high - 1, 1.0
    while bool((ok := reached(low)).any()):
        high = torch.where(ok, low, high)
        low = torch.where(ok, (low - reach).clamp(min=-1), low)
        reach *= 2
    while bool((high - low > 1).any()):
        middle = ((low + high) / 2).floor()
        ok = reached(middle)
        low, high = torch.where(ok, low, middle), torch.where(ok, middle, high)
    return high
