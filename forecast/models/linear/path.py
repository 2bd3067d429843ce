"""The linear path of a forecaster: one ridge regression per target, from window to horizon.

Its weights are buffers: fitted in closed form, saved with the model, and never moved by the
optimiser.

Shapes: B batch, L context, H horizon, T targets, F features, O outputs (= H).
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from forecast.data.windows.train_folds import FoldSpan, fold_count
from forecast.models.linear.choice import (
    FoldSums,
    LinearChoice,
    LinearFit,
    Priors,
    choose,
    regressions,
    within,
    without,
)
from forecast.models.linear.normal_equations import NormalEquations
from forecast.models.linear.output_groups import fill_gaps
from forecast.models.linear.prior import common_root, own_root
from forecast.models.linear.ridge import Ridge

CHOICE_STEPS = 12
"""Number of evenly spaced steps of the horizon on which penalties are chosen."""

LARGEST_TARGET = 4.0
"""Root mean square of a row's target, in window units, above which the row is weighed down."""


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
        Whether some features are not relative to the window's location; only then is there an
        intercept. With window-relative features alone, an intercept would be a constant drift,
        learned from the seasons that train happens to hold.
    """

    weight: Tensor
    intercept: Tensor
    rest_weight: Tensor  # (fold, T, F, H), fitted to train without one fold of train
    rest_intercept: Tensor  # (fold, T, H)

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

    def forward(self, features: Tensor, fold: Tensor | None = None) -> Tensor:
        """Forecast (B, T, H) from features (B, T, F).

        In training, `fold` (B,) is the fold of train that each row is from, or -1. A row is then
        forecast by the regression fitted without its fold (only shifted to the fold's mean level),
        so that the residuals the network learns from resemble those at forecast time. In-sample
        residuals would be too small.
        """
        if fold is None or not len(self.rest_weight):
            return Ridge(self.weight, self.intercept).predict(features)
        forecast = features.new_empty(*features.shape[:2], self.weight.shape[2])
        rests = zip(self.rest_weight, self.rest_intercept, strict=True)
        for number, fitted in enumerate([(self.weight, self.intercept), *rests], start=-1):
            here = fold == number
            if features.device.type != "cpu":  # picking rows would make the CPU wait for the GPU
                whole = Ridge(*fitted).predict(features)
                forecast = torch.where(here[:, None, None], whole, forecast)
                continue
            forecast[here] = Ridge(*fitted).predict(features[here])
        return forecast

    @property
    def sums_size(self) -> int:
        """Bytes of the sums over the rows of one span of folds."""
        targets, features, horizon = self.weight.shape
        return 8 * targets * (features + 1) * (features + 1 + horizon)

    def forget_folds(self) -> None:
        """Drop what only training needs."""
        self.rest_weight, self.rest_intercept = self.rest_weight[:0], self.rest_intercept[:0]

    def fit(
        self,
        train: Mapping[FoldSpan, Iterable[LinearRows]],
        dev: Iterable[LinearRows],
        *,
        read: int | None = None,
        groups: Sequence[slice] = (),
    ) -> LinearFit | None:
        """Fit to all rows of train; penalties are chosen on held-out rows.

        Parameters
        ----------
        train
            Rows by the folds that their targets lie in.
        dev
            Rows that are not fitted to.
        read
            How many of the newest steps of the window are read; all unless set.
        groups
            Outputs that share their rows, see `output_groups`; one group unless set.

        Returns
        -------
        The choice of the first group, and the error over all groups. None without any row to fit
        to; the path then forecasts each window's location.
        """
        groups = groups or [slice(0, self.intercept.shape[1])]
        sums = {span: _summed(part, groups) for span, part in train.items()}
        held_back = _summed(dev, groups)
        priors = self._priors(min(read or self.context_length, self.context_length))
        folds = fold_count(train)
        kept = folds if folds > 1 else 0
        self.rest_weight = self.weight.new_zeros(kept, *self.weight.shape)
        self.rest_intercept = self.weight.new_zeros(kept, *self.intercept.shape)
        fits = [
            self._fit_group(
                group,
                {span: parts[number] for span, parts in sums.items()},
                held_back[number],
                priors,
            )
            for number, group in enumerate(groups)
        ]
        found = [fit for fit in fits if fit is not None]
        if not found:
            return None
        error = math.sqrt(sum(fit.error**2 for fit in found) / len(found))
        return LinearFit(found[0].choice, error)

    def _fit_group(
        self, group: slice, train: FoldSums, dev: NormalEquations, priors: Priors
    ) -> LinearFit | None:
        """Fit the outputs of one group; without rows the weights stay 0."""
        rows = NormalEquations.together(train.values())
        if not rows.has_weight:
            return None
        every = -(-(group.stop - group.start) // CHOICE_STEPS)
        short = {span: part.of_outputs(every) for span, part in train.items()}
        fit = choose(short, dev.of_outputs(every), priors)
        whole = _regression(rows, priors, fit.choice)
        self.weight[..., group], self.intercept[..., group] = whole
        for number in range(len(self.rest_weight)):
            rest, here = without(train, number, number), within(train, number, number)
            found = _regression(rest, priors, fit.choice) if rest.has_weight else whole
            found = _levelled(found, whole, here) if here.has_weight else found
            self.rest_weight[number, ..., group] = found.weight
            self.rest_intercept[number, ..., group] = found.intercept
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
    """Shift `rest` so that its mean forecast over the rows `here` equals that of `whole`.

    A regression fitted without a season does not know that season's level; one fitted to all of
    train does. Unshifted, the network would learn to correct that level wherever the calendar
    reveals the season.
    """
    level = here.mean_forecast(whole) - here.mean_forecast(rest)
    return Ridge(rest.weight, rest.intercept + level.to(rest.intercept))


def _summed(batches: Iterable[LinearRows], groups: Sequence[slice]) -> list[NormalEquations]:
    """Give the sums of each group of outputs."""
    sums = [NormalEquations() for _ in groups]
    for rows in batches:
        weight = _row_weight(rows.target)
        for part, group in zip(sums, groups, strict=True):
            target = rows.target[..., group]
            if len(groups) == 1:
                part.add(rows.features, target, weight)
                continue
            filled, share = fill_gaps(target)
            part.add(rows.features, filled, weight * share)
    return sums


def _row_weight(target: Tensor) -> Tensor:
    """Return weights (B, T) that reduce rows whose targets are large in their window's units.

    A window that hardly moved (no rain for days) has a tiny unit. What follows may be thousands of
    units, whose squares would dominate the regression. Such a row counts as if its targets had a
    root mean square of LARGEST_TARGET units.
    """
    size = target.square().nanmean(dim=-1).nan_to_num().sqrt()
    return (LARGEST_TARGET / size.clamp(min=LARGEST_TARGET)).square()
