"""The linear path of a forecaster: a ridge regression a target, from window to horizon, frozen.

Its weights are buffers: they are fitted in closed form, travel with the state of the model, and
no optimiser moves them. What a window is divided by, it does not decide.

Shapes: B batch, L context, H horizon, T targets, F features, O outputs (= H).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from forecast.models.linear import NormalEquations, Ridge

PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 3e-1)
"""Ridge penalties a row that are tried; windows are in units of about 1."""

COVARIATE_STEPS = 48
"""Newest steps of the past covariates that are read: older ones add columns, hardly skill."""

LARGEST_TARGET = 4.0
"""Root mean square of a row's target, in window units, from which on it counts no more."""


class LinearRows(NamedTuple):
    """Windows as rows of a regression."""

    features: Tensor  # (B, T, F), oldest reading first, then what is known at the cutoff; NaN = 0
    target: Tensor  # (B, T, H) in window units, NaN where missing
    scale: Tensor  # (B, T, 1), one window unit in scaled units


class LinearFit(NamedTuple):
    """What the held-back windows chose."""

    contexts: tuple[int, ...]  # newest steps that each of the averaged regressions reads
    penalty: float
    error: float  # mean absolute error on the held-back windows, scaled units


class LinearPath(nn.Module):
    """forecast = features · W + b for each target; 0 until it is fitted.

    Parameters
    ----------
    target_count, context_length, extra, horizon : int
        T, L, the features beside the window (F = L + extra) and H.
    """

    weight: Tensor
    intercept: Tensor

    def __init__(self, target_count: int, context_length: int, extra: int, horizon: int) -> None:
        super().__init__()
        self.context_length = context_length
        features = context_length + extra
        self.register_buffer("weight", torch.zeros(target_count, features, horizon))
        self.register_buffer("intercept", torch.zeros(target_count, horizon))

    def forward(self, features: Tensor) -> Tensor:
        """Forecast (B, T, H) from features (B, T, F)."""
        return Ridge(self.weight, self.intercept).predict(features)

    def fit(
        self,
        train: Iterable[LinearRows],
        dev: Iterable[LinearRows],
        *,
        contexts: Sequence[int],
        penalties: Sequence[float] = PENALTIES,
    ) -> LinearFit:
        """Fit to train rows; contexts and penalty are those with the least absolute error on dev.

        A regression is fitted for each context; a choice is one of them or the mean of several
        neighbouring ones, which is a regression again and errs less than its parts where dev is
        short. All come from one pass over `train` and one over `dev`: the sums of a shorter
        context are a part of those of the whole one.

        Raises
        ------
        ValueError
            When `train` holds no rows.
        """
        sums = NormalEquations()
        for rows in train:
            sums.add(rows.features, rows.target, _row_weight(rows.target))
        lengths = sorted(set(contexts), reverse=True)
        fits: dict[tuple[int, float], Ridge] = {}
        for length in lengths:
            path = sums.path(penalties, per_row=True, first=self.context_length - length)
            for penalty, ridge in zip(penalties, path, strict=True):
                fits[length, penalty] = Ridge(ridge.weight.float(), ridge.intercept.float())
        ends = range(len(lengths) + 1)
        spans = [tuple(lengths[a:b]) for a in ends for b in ends[a + 1 :]]
        chosen, penalty, error = self._best(fits, spans, penalties, dev)
        self.weight.zero_()
        self.intercept.zero_()
        for length in chosen:
            part = fits[length, penalty]
            self.weight[:, self.context_length - length :] += part.weight / len(chosen)
            self.intercept += part.intercept / len(chosen)
        return LinearFit(chosen, penalty, error)

    def _best(
        self,
        fits: Mapping[tuple[int, float], Ridge],
        spans: Sequence[tuple[int, ...]],
        penalties: Sequence[float],
        dev: Iterable[LinearRows],
    ) -> LinearFit:
        """Give the span of contexts and the penalty with the least mean absolute error on dev."""
        choices = [(span, penalty) for penalty in penalties for span in spans]
        total, count = [0.0] * len(choices), 0
        for rows in dev:
            count += int(rows.target.isfinite().sum())
            forecasts = {
                key: fit.predict(rows.features[..., self.context_length - key[0] :])
                for key, fit in fits.items()
            }
            for number, (span, penalty) in enumerate(choices):
                mean = torch.stack([forecasts[length, penalty] for length in span]).mean(0)
                error = (mean - rows.target) * rows.scale
                total[number] += float(torch.nan_to_num(error).abs().sum())
        best = min(range(len(choices)), key=total.__getitem__)
        return LinearFit(*choices[best], total[best] / max(count, 1))


def _row_weight(target: Tensor) -> Tensor:
    """Weigh rows (B, T) down whose targets lie far out of their window's units.

    A window that hardly moved (no rain for days) has a tiny unit; what follows may be thousands of
    them, and its square would be all that the regression sees. Such a row counts as if its
    targets were LARGEST_TARGET units.
    """
    size = torch.nan_to_num(target).square().mean(dim=-1).sqrt()
    return (LARGEST_TARGET / size.clamp(min=LARGEST_TARGET)).square()


def covariate_width(past_count: int, known_count: int, context_length: int) -> int:
    """Count the columns of `covariate_features`: none without past covariates."""
    steps = min(context_length, COVARIATE_STEPS)
    return 1 + past_count * steps + known_count if past_count else 0


def covariate_features(location: Tensor, covariates: Tensor, ahead: Tensor) -> Tensor:
    """Give each target's level, the newest past covariates and what is known, (B, T, F).

    The level belongs to them: what a dew point says depends on how far below the temperature it
    lies, and the window has lost its level. So does the calendar: a level is high or low for the
    time of the year. Gaps carry the newest value before them.

    Parameters
    ----------
    location
        (B, 1, T), scaled.
    covariates
        (B, L, P), scaled, NaN where missing.
    ahead
        (B, K), known covariates of the first forecast step, scaled, NaN where missing.
    """
    steps = carry_forward(covariates)[:, -COVARIATE_STEPS:].flatten(1)  # (B, W · P)
    shared = torch.cat([steps, ahead], dim=1).unsqueeze(1).expand(-1, location.shape[2], -1)
    return torch.cat([location.mT, shared], dim=-1)


def carry_forward(values: Tensor) -> Tensor:
    """Fill each gap of (B, L, C) with the newest value before it; NaN before the first."""
    step = torch.arange(values.shape[1], device=values.device)[None, :, None]
    source = torch.where(values.isfinite(), step, 0).cummax(dim=1).values
    return values.gather(1, source)
