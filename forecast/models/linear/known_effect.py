"""Linear effect of known covariates on the target at the same step, removed and added back.

    forecast of y(t) = v k(t) + forecast of [y - v k](t)

A price, a plan or a weather forecast moves the step it is for. Without its effect the history is
easier to continue; added back, each step of the horizon follows its own covariates. v is fitted to
differences over a season, in which a daily pattern shared by target and covariate cancels, and is
kept for the targets whose error it reduces on held-out folds of train.

Shapes: B batch, L context, H horizon, T targets, K known covariates.
"""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from forecast.data.windows.train_folds import FoldSpan, fold_count
from forecast.models.linear.choice import FoldSums, within, without
from forecast.models.linear.features import WindowTensors, usual_by_phase
from forecast.models.linear.normal_equations import NormalEquations

PENALTY = 1e-3
"""Ridge penalty per row; collinear covariates then share their effect."""

LEAST_GAIN = 0.01
"""Share of the squared error that the effect must save on held-out folds."""


class KnownEffect(nn.Module):
    """v k for each target; 0 until it is fitted.

    Parameters
    ----------
    target_count, known_count : int
        T and K.
    context_length : int
        L.
    season : int
        Steps of the main season.
    """

    weight: Tensor  # (T, K)

    def __init__(
        self, target_count: int, known_count: int, *, context_length: int, season: int
    ) -> None:
        super().__init__()
        self.context_length, self.season = context_length, season
        self.register_buffer("weight", torch.zeros(target_count, known_count))

    def forward(self, known: Tensor) -> Tensor:
        """Give the effect (B, L + H, T) of known covariates (B, L + H, K) without gaps."""
        return known @ self.weight.T

    def filled(self, known: Tensor) -> Tensor:
        """Fill gaps of (B, L + H, K) with the window's mean at the same phase of the season.

        A phase without any value takes the window's mean; a window without any value takes 0,
        the mean of train.
        """
        missing = torch.isnan(known)
        if known.device.type == "cpu" and not bool(missing.any()):
            return known
        usual = usual_by_phase(known, self.season)
        level = known.nanmean(dim=1, keepdim=True).nan_to_num()
        usual = torch.where(torch.isnan(usual), level, usual)
        return torch.where(missing, usual, known)

    @torch.no_grad()
    def fit(self, train: Mapping[FoldSpan, Iterable[WindowTensors]]) -> None:
        """Fit to scaled windows of train, by the folds that their targets lie in."""
        sums = {span: self._summed(part) for span, part in train.items()}
        rows = NormalEquations.together(sums.values())
        if not rows.has_weight:
            return
        helps = self._gain(sums) > LEAST_GAIN
        weight = rows.path([PENALTY], per_row=True)[0].weight[..., 0]
        self.weight.copy_(torch.where(helps[:, None], weight, 0.0))

    def _summed(self, batches: Iterable[WindowTensors]) -> NormalEquations:
        """Sum rows (B · H, T, K) -> (B · H, T, 1) of differences over a season."""
        sums = NormalEquations()
        first, back = self.context_length, min(self.season, self.context_length)
        count, width = self.weight.shape
        for past, known, _, target in batches:
            values = torch.cat([past[..., :count], target], dim=1)
            change = values[:, first:] - values[:, first - back : -back]  # (B, H, T)
            tabled = known[..., :width]
            moved = tabled[:, first:] - tabled[:, first - back : -back]  # (B, H, K)
            observed = ~torch.isnan(moved).any(dim=-1, keepdim=True)
            change = torch.where(observed, change, torch.nan).flatten(0, 1)
            rows = moved.flatten(0, 1).unsqueeze(1).expand(-1, change.shape[1], -1)
            sums.add(rows, change.unsqueeze(-1))
        return sums

    def _gain(self, sums: FoldSums) -> Tensor:
        """Give the share of each target's squared error (T,) that is saved on held-out folds.

        With a single fold the error is in-sample; with few weights and many rows it overfits
        little.
        """
        folds = range(fold_count(sums))
        trials = [(without(sums, n, n), within(sums, n, n)) for n in folds]
        trials = [(rest, held) for rest, held in trials if rest.has_weight and held.has_weight]
        if not trials:
            rows = NormalEquations.together(sums.values())
            trials = [(rows, rows)]
        before, after = torch.zeros(2, len(self.weight), dtype=torch.float64)
        for rest, held in trials:
            before += held.sums.power.sum(dim=1)
            after += held.squared_errors(rest.path([PENALTY], per_row=True)[0])
        gain: Tensor = 1 - after / before.clamp(min=1e-30)
        return gain
