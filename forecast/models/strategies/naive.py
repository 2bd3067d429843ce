"""Naive forecasts of a window, as candidates that a network may mix.

Targets are in window units, so that a candidate means the same for every series.

Shapes: B batch, L context, H horizon, T targets, N candidates.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

CANDIDATES_PER_SEASON = 3


def naive_candidates(values: Tensor, horizon: int, seasons: Sequence[int]) -> Tensor:
    """Give three naive forecasts per season length.

    For each step of a season of s steps: its newest value; the same, shifted by the change of level
    since one season ago; its mean over all seasons of the context. A missing reading is taken from
    the season before, and is 0 (the location of the window) where no season has it.

    Parameters
    ----------
    values : Tensor
        (B, L, T) in window units, NaN where missing.
    horizon : int
        H; a season shorter than H repeats.
    seasons : sequence of int
        Steps of each season, each at most L.

    Returns
    -------
    (B, H, T, N) with N = 3 · len(seasons).

    Raises
    ------
    ValueError
        When a season is longer than the context.
    """
    shortest = min(seasons, default=1)
    candidates = []
    for season in seasons:
        if not 1 <= season <= values.shape[1]:
            raise ValueError(f"a season must be 1 to {values.shape[1]} steps, found {season}")
        newest, mean = _seasons(values, season)
        shift = _level_shift(values, season, shortest)
        order = torch.arange(horizon, device=values.device) % season
        candidates += [newest[:, order], newest[:, order] + shift, mean[:, order]]
    return torch.stack(candidates, dim=-1)


def _seasons(values: Tensor, season: int) -> tuple[Tensor, Tensor]:
    """Newest observed reading and mean of each phase of the season, both (B, season, T)."""
    count = values.shape[1] // season
    whole = values[:, values.shape[1] - count * season :]
    folded = whole.reshape(len(values), count, season, -1)
    observed = ~torch.isnan(folded)
    filled = torch.nan_to_num(folded)
    newest = filled[:, 0]
    for number in range(1, count):
        newest = torch.where(observed[:, number], filled[:, number], newest)
    return newest, filled.sum(dim=1) / observed.sum(dim=1).clamp(min=1)


def _level_shift(values: Tensor, season: int, span: int) -> Tensor:
    """Mean change (B, 1, T) of the last `span` steps against one season before, 0 if unknown."""
    span = min(span, values.shape[1] - season)
    if span < 1:
        return torch.zeros_like(values[:, :1]).nan_to_num()
    before = values[:, values.shape[1] - season - span : values.shape[1] - season]
    change = values[:, -span:] - before
    known = ~torch.isnan(change)
    total = torch.nan_to_num(change).sum(dim=1, keepdim=True)
    return total / known.sum(dim=1, keepdim=True).clamp(min=1)
