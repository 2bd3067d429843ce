"""Chooses the ridge penalties of the linear path by blocked cross-validation.

Every candidate is fitted and judged from sums over rows, so a choice needs no further pass over
the data.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from torch import Tensor

from forecast.data.windows.train_folds import FoldSpan, fold_count
from forecast.models.linear.normal_equations import NormalEquations
from forecast.models.linear.ridge import Ridge

PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Candidate ridge penalties per row; windows are in units of about 1."""

OWN_PENALTIES = (math.inf, 10.0, 1.0, 0.1, 1e-2, 1e-3)
"""Candidate penalties per row on the difference between a target's weights and the common ones."""

PARTS = 4
"""Number of blocks of train that are held out in turn."""

STILL = 1e-3
"""Errors below this share of the median block's mean square of targets count as equal."""

FoldSums = Mapping[FoldSpan, NormalEquations]
"""Sums of train rows by the folds that their targets lie in."""


class LinearChoice(NamedTuple):
    """What the held-back rows choose."""

    penalty: float  # of the regression common to all targets
    own_penalty: float  # of a target's deviation from it; infinite: all targets share one


class Priors(NamedTuple):
    """Prior covariances of the weights, see `prior`, and whether there is an intercept."""

    common: Tensor  # (feature, axis), a root of the covariance of the weights common to all targets
    own: Tensor  # (feature, axis), the same for a target's deviation from the common weights
    centred: bool


class LinearFit(NamedTuple):
    """What the held-back rows chose, and how well it did there."""

    choice: LinearChoice
    error: float  # root mean square on the held-back rows, window units


def without(sums: FoldSums, first: int, last: int) -> NormalEquations:
    """Sum all rows that share no target step with folds `first` to `last`."""
    return NormalEquations.together(
        part for span, part in sums.items() if not span.shares_steps_with(first, last)
    )


def within(sums: FoldSums, first: int, last: int) -> NormalEquations:
    """Sum all rows whose targets lie within folds `first` to `last`."""
    return NormalEquations.together(
        part for span, part in sums.items() if span.lies_in(first, last)
    )


def choose(train: FoldSums, dev: NormalEquations, priors: Priors) -> LinearFit:
    """Return the penalties with the least error on held-out rows.

    Parameters
    ----------
    train
        Sums of the train rows.
    dev
        Rows that are never fitted to.
    priors
        Of the weights.

    Each choice is scored on every quarter of train, fitted to the rest (blocked cross-validation,
    Bergmeir & Benitez 2012), and on dev, fitted to all of train. The score is the mean logarithm of
    the squared errors, so that neither a volatile season nor a quiet one (see STILL) decides
    alone. With fewer than two folds and no row of dev the strongest penalties are taken, and the
    error is NaN.
    """
    folds = fold_count(train)
    edges = [part * folds // PARTS for part in range(PARTS + 1)]
    quarters = [(first, stop - 1) for first, stop in pairwise(edges) if stop > first]
    trials = [(without(train, *ends), within(train, *ends)) for ends in quarters]
    trials = [(sums, held) for sums, held in trials if sums.has_weight and held.has_weight]
    if dev.has_weight:
        trials.append((NormalEquations.together(train.values()), dev))
    if not trials:
        return LinearFit(LinearChoice(max(PENALTIES), math.inf), math.nan)
    count = sum(held.output_count for _, held in trials)
    usual = median(held.power / max(held.output_count, 1.0) for _, held in trials)
    errors = defaultdict[LinearChoice, list[float]](list)
    badness = defaultdict[LinearChoice, float](float)
    for sums, held in trials:
        least = STILL * usual * held.output_count
        for choice, ridge in regressions(sums, priors, PENALTIES, OWN_PENALTIES):
            error = held.squared_error(ridge)
            errors[choice].append(error)
            badness[choice] += math.log(max(error, least, 1e-30))
    best = min(badness, key=badness.__getitem__)
    return LinearFit(best, math.sqrt(max(sum(errors[best]), 0.0) / max(count, 1.0)))


def regressions(
    sums: NormalEquations,
    priors: Priors,
    penalties: Sequence[float],
    own_penalties: Sequence[float],
) -> Iterator[tuple[LinearChoice, Ridge]]:
    """Fit every combination of penalties."""
    pooled = sums.pooled().spectrum(priors.common, centred=priors.centred)
    if sums.channels == 1:
        own_penalties = own_penalties[:1]  # a lone target's weights are the common ones
    if any(map(math.isfinite, own_penalties)):
        apart = sums.spectrum(priors.own, centred=priors.centred)
    for penalty in penalties:
        shared = pooled.ridge(penalty)
        for own_penalty in own_penalties:
            alike = math.isinf(own_penalty)
            ridge = shared if alike else apart.ridge(own_penalty, toward=shared)
            yield LinearChoice(penalty, own_penalty), ridge.for_channels(sums.channels)
