"""The linear path of a forecaster: a ridge regression a target, from window to horizon, frozen.

Its weights are buffers: they are fitted in closed form, travel with the state of the model, and
no optimiser moves them. What a window is divided by, it does not decide.

Shapes: B batch, L context, H horizon, T targets, F features, O outputs (= H).
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from forecast.models.linear.choice import (
    LinearChoice,
    LinearFit,
    Priors,
    choose,
    regressions,
    within,
    without,
)
from forecast.models.linear.prior import common_root, own_root
from forecast.models.linear.ridge import NormalEquations, Ridge

CHOICE_STEPS = 12
"""Steps of the horizon, evenly spread, on which penalties are chosen."""

COVARIATE_STEPS = 48
"""Newest steps of the past covariates that are read: older ones add columns, hardly skill."""

LARGEST_TARGET = 4.0
"""Root mean square of a row's target, in window units, from which on it counts no more."""


class LinearRows(NamedTuple):
    """Windows as rows of a regression."""

    features: Tensor  # (B, T, F), oldest reading first, then what is known at the cutoff; NaN = 0
    target: Tensor  # (B, T, H) in window units, NaN where missing
    scale: Tensor  # (B, T, 1), one window unit in scaled units


class LinearPath(nn.Module):
    """forecast = features · W + b for each target; 0 until it is fitted.

    Parameters
    ----------
    target_count, horizon : int
        T and H.
    age : Tensor
        (F,) steps since each feature was read, 0 for what is not a reading of the past; the
        window comes first.
    context_length : int
        L, how many features the window is.
    season : int
        Steps of the main season.
    levels : bool
        Whether there are features that are not reduced by the window's location. They need an
        intercept; windows alone have none, it would be a drift of so much a step from any window
        on, that of the seasons which train happens to hold.
    """

    weight: Tensor
    intercept: Tensor
    rest_weight: Tensor  # (stretch, T, F, H), fitted to train without one stretch of time
    rest_intercept: Tensor  # (stretch, T, H)

    def __init__(
        self,
        target_count: int,
        horizon: int,
        age: Tensor,
        *,
        context_length: int,
        season: int,
        levels: bool,
    ) -> None:
        super().__init__()
        self.age, self.context_length = age, context_length
        self.season, self.levels = season, levels
        shape = (target_count, len(age), horizon)
        self.register_buffer("weight", torch.zeros(shape))
        self.register_buffer("intercept", torch.zeros(target_count, horizon))
        self.register_buffer("rest_weight", torch.zeros(0, *shape), persistent=False)
        self.register_buffer("rest_intercept", torch.zeros(0, target_count, horizon), False)

    def forward(self, features: Tensor, stretch: Tensor | None = None) -> Tensor:
        """Forecast (B, T, H) from features (B, T, F).

        `stretch` (B,) numbers the stretch of train that each row is from: its forecast is then that
        of the regression which has seen no more of it than its level, much as a later row's will
        be. What is left for the network to learn is otherwise less than what it will meet.
        """
        if stretch is None or not len(self.rest_weight):
            return Ridge(self.weight, self.intercept).predict(features)
        forecast = features.new_empty(*features.shape[:2], self.weight.shape[2])
        for number, unseen in enumerate(zip(self.rest_weight, self.rest_intercept, strict=True)):
            here = stretch == number
            forecast[here] = Ridge(*unseen).predict(features[here])
        return forecast

    @property
    def sums_size(self) -> int:
        """Bytes that the sums over the rows of one cell take."""
        targets, features, horizon = self.weight.shape
        return 8 * targets * (features + 1) * (features + 1 + horizon)

    def forget_stretches(self) -> None:
        """Drop what only training needs."""
        self.rest_weight, self.rest_intercept = self.rest_weight[:0], self.rest_intercept[:0]

    def fit(
        self,
        cells: Mapping[int, Iterable[LinearRows]],
        dev: Iterable[LinearRows],
        *,
        read: int | None = None,
    ) -> LinearFit:
        """Fit to all rows of train; penalties are chosen on held-back rows.

        Parameters
        ----------
        cells
            Rows of train by cell: 2k within the k-th stretch of time, 2k + 1 over its end's border.
        dev
            Rows that are not fitted to.
        read
            Newest steps of the window that it reads, all unless set.

        Raises
        ------
        ValueError
            When there are no rows in `cells`.
        """
        sums = {number: _summed(part) for number, part in cells.items()}
        every = -(-self.intercept.shape[1] // CHOICE_STEPS)
        short = {number: part.of_outputs(every) for number, part in sums.items()}
        held_back = _summed(dev).of_outputs(every)
        priors = self._priors(min(read or self.context_length, self.context_length))
        fit = choose(short, held_back, priors)
        whole = _regression(NormalEquations.together(sums.values()), priors, fit.choice)
        self.weight.copy_(whole.weight)
        self.intercept.copy_(whole.intercept)
        if max(cells) > 0:
            unseen = []
            for number in range(max(cells) // 2 + 1):
                rest, here = without(sums, number, number), within(sums, number, number)
                found = whole if rest.is_empty else _regression(rest, priors, fit.choice)
                found = found if here.is_empty else _levelled(found, whole, here)
                unseen.append(Ridge(*(part.to(self.weight) for part in found)))
            self.rest_weight = torch.stack([one.weight for one in unseen])
            self.rest_intercept = torch.stack([one.intercept for one in unseen])
        return fit

    def _priors(self, read: int) -> Priors:
        older = self.context_length - read
        age = self.age[older:]
        roots = common_root(age, self.season, window=read), own_root(age, self.season)
        common, own = (nn.functional.pad(root, (0, 0, older, 0)) for root in roots)  # weigh nothing
        return Priors(common, own, centred=self.levels)


def _regression(sums: NormalEquations, priors: Priors, choice: LinearChoice) -> Ridge:
    return next(regressions(sums, priors, [choice.penalty], [choice.own_penalty]))[1]


def _levelled(rest: Ridge, whole: Ridge, here: NormalEquations) -> Ridge:
    """Move `rest` so that its mean forecast over the rows `here` is that of `whole`.

    Left out, a season's own level is not known; it is once all of train is fitted. The network
    would learn to put that level right wherever the calendar tells it the season.
    """
    level = here.mean_forecast(whole) - here.mean_forecast(rest)
    return Ridge(rest.weight, rest.intercept + level.to(rest.intercept))


def _summed(batches: Iterable[LinearRows]) -> NormalEquations:
    sums = NormalEquations()
    for rows in batches:
        sums.add(rows.features, rows.target, _row_weight(rows.target))
    return sums


def _row_weight(target: Tensor) -> Tensor:
    """Weigh rows (B, T) down whose targets lie far out of their window's units.

    A window that hardly moved (no rain for days) has a tiny unit; what follows may be thousands of
    them, and its square would be all that the regression sees. Such a row counts as if its
    targets were LARGEST_TARGET units.
    """
    size = torch.nan_to_num(target).square().mean(dim=-1).sqrt()
    return (LARGEST_TARGET / size.clamp(min=LARGEST_TARGET)).square()


def covariate_age(past_count: int, known_count: int, context_length: int) -> Tensor:
    """Give the age of each column of `covariate_features`: none without past covariates."""
    if not past_count:
        return torch.zeros(0, dtype=torch.int64)
    age = torch.arange(min(context_length, COVARIATE_STEPS) - 1, -1, -1)
    level, ahead = torch.zeros(1, dtype=age.dtype), torch.zeros(known_count, dtype=age.dtype)
    return torch.cat([level, age.repeat_interleave(past_count), ahead])


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
