"""Features of the linear path: a window's readings, phases of the clock, covariates.

Shapes: B batch, L context, H horizon, T targets, P past, K known, F features.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from forecast.models.derived import COVARIATE_STEPS, HARMONICS

WindowTensors = tuple[Tensor, Tensor, Tensor, Tensor]
"""past, known, static and target of a batch, scaled."""


@dataclass(frozen=True)
class LinearFeatures:
    """Turns windows into features: the window, the phase of each cycle, past covariates."""

    context_length: int
    past_count: int = 0
    known_count: int = 0
    cycles: tuple[tuple[int, int], ...] = ()
    season: int = 1

    @property
    def age(self) -> Tensor:
        """Age of each feature in steps (F,), 0 for features that are not past readings."""
        return torch.cat(
            [
                torch.arange(self.context_length - 1, -1, -1),
                torch.zeros(2 * HARMONICS * len(self.cycles), dtype=torch.int64),
                covariate_age(self.past_count, self.known_count, self.context_length),
            ]
        )

    def __call__(
        self, location: Tensor, values: Tensor, covariates: Tensor, known: Tensor
    ) -> Tensor:
        """Give the features (B, T, F), NaN where a reading is missing.

        Parameters
        ----------
        location
            (B, 1, T), scaled.
        values
            (B, L, T), targets in window units.
        covariates
            (B, L, P), scaled.
        known
            (B, L + H, K), scaled.
        """
        features = [with_lead_in(values, self.season).mT]
        newest = torch.nan_to_num(known[:, self.context_length - 1])  # (B, K)
        for sine, cosine in self.cycles:
            phase = torch.atan2(newest[:, sine], newest[:, cosine])
            angles = phase.unsqueeze(-1) * torch.arange(1, HARMONICS + 1, device=phase.device)
            waves = torch.cat([angles.sin(), angles.cos()], dim=-1)
            features.append(waves.unsqueeze(1).expand(-1, values.shape[2], -1))
        if self.past_count:
            features.append(covariate_features(location, covariates, known[:, self.context_length]))
        return torch.cat(features, dim=-1)


def usual_by_phase(values: Tensor, season: int) -> Tensor:
    """Give the mean of each phase of the season over a window (B, L, C); NaN where unobserved."""
    steps = values.shape[1]
    season = min(season, steps)
    padded = nn.functional.pad(values, (0, 0, 0, -steps % season), value=torch.nan)
    folded = padded.reshape(len(values), -1, season, values.shape[2])
    usual = folded.nanmean(dim=1)  # (B, season, C)
    return usual.repeat(1, folded.shape[1], 1)[:, :steps]


def with_lead_in(values: Tensor, season: int) -> Tensor:
    """Fill the steps before the first reading of (B, L, T) with the mean reading of their phase.

    So a series shorter than the context looks as if its season had gone on before it began. A
    phase without any reading stays NaN, and so do gaps after the first reading.
    """
    missing = torch.isnan(values)
    if not bool(missing[:, 0].any()):
        return values
    leading = missing.long().cumprod(dim=1).bool()
    return torch.where(leading, usual_by_phase(values, season), values)


def covariate_age(past_count: int, known_count: int, context_length: int) -> Tensor:
    """Give the age of each column of `covariate_features`; empty without past covariates."""
    if not past_count:
        return torch.zeros(0, dtype=torch.int64)
    age = torch.arange(min(context_length, COVARIATE_STEPS) - 1, -1, -1)
    level, ahead = torch.zeros(1, dtype=age.dtype), torch.zeros(known_count, dtype=age.dtype)
    return torch.cat([level, age.repeat_interleave(past_count), ahead])


def covariate_features(location: Tensor, covariates: Tensor, ahead: Tensor) -> Tensor:
    """Give each target's level, the newest past covariates and the known ones, (B, T, F).

    The level is needed beside them because normalization removes it from the window: what a dew
    point implies depends on how far below the temperature it lies. The calendar is needed because
    a level is high or low for the time of year. Gaps are filled with the newest value before them.

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
