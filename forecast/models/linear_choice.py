"""Which regressions the linear path is made of: chosen by leaving out a part of train at a time.

Everything is decided from sums over rows, so that a choice costs no further pass over the data.
It neither turns windows into rows nor keeps what was fitted.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from forecast.models.linear import NormalEquations, Ridge

PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 3e-1, 1.0)
"""Ridge penalties a row that are tried; windows are in units of about 1."""

OWN_PENALTIES = (math.inf, 10.0, 1.0, 0.1, 1e-2, 1e-3)
"""Penalties a row that are tried on what sets a target's regression apart from the common one."""

PARTS = 4
"""Parts of train that are left out in turn."""

Cells = Mapping[int, NormalEquations]
"""Sums of train rows by cell: 2k within the k-th stretch of time, 2k + 1 over its end's border."""


class LinearChoice(NamedTuple):
    """What the held-back rows choose."""

    contexts: tuple[int, ...]  # newest steps that each of the averaged regressions reads
    penalty: float  # of the regression common to all targets
    own_penalty: float  # of what sets a target's own apart from it; infinite: nothing does


class LinearFit(NamedTuple):
    """What the held-back rows chose, and how well it did there."""

    choice: LinearChoice
    error: float  # root mean square on the held-back rows, window units


def without(cells: Cells, first: int, last: int) -> NormalEquations:
    """Give the sums of all rows that share no target step with those of stretches first to last."""
    return NormalEquations.together(
        sums for cell, sums in cells.items() if not 2 * first - 1 <= cell <= 2 * last + 1
    )


def within(cells: Cells, first: int, last: int) -> NormalEquations:
    """Give the sums of all rows whose targets lie within stretches first to last."""
    return NormalEquations.together(
        sums for cell, sums in cells.items() if 2 * first <= cell <= 2 * last
    )


def choose(
    cells: Cells, dev: NormalEquations, *, context_length: int, contexts: Sequence[int]
) -> LinearFit:
    """Give the contexts and penalties with the least squared error on rows they were not fitted to.

    Parameters
    ----------
    cells
        Train rows.
    dev
        Rows that are never fitted to.
    context_length
        Features that are steps of the window, the leading ones.
    contexts
        Newest steps of the window that a regression may read. A choice is one of them or the mean
        of several neighbouring ones, which is a regression again.

    Each choice is judged on every quarter of train, fitted to the rest (blocked cross-validation,
    Bergmeir & Benitez 2012), and on dev, fitted to all of train. Origins that roll forward, fitted
    to what is before them, have few rows and prefer contexts that are too short for all of them.

    Raises
    ------
    ValueError
        When there are neither two stretches nor a row of dev.
    """
    stretches = max(cells, default=0) // 2 + 1
    edges = [part * stretches // PARTS for part in range(PARTS + 1)]
    quarters = [(first, stop - 1) for first, stop in pairwise(edges) if stop > first]
    trials = [(without(cells, *ends), within(cells, *ends)) for ends in quarters]
    trials = [(sums, held) for sums, held in trials if not (sums.is_empty or held.is_empty)]
    if not dev.is_empty:
        trials.append((NormalEquations.together(cells.values()), dev))
    if not trials:
        raise ValueError("no rows are held back: nothing to choose a regression by")
    lengths = sorted(set(contexts), reverse=True)
    ends = range(len(lengths) + 1)
    spans = [tuple(lengths[a:b]) for a in ends for b in ends[a + 1 :]]
    total, count = defaultdict[LinearChoice, float](float), 0.0
    for sums, held in trials:
        count += held.output_count
        for choice, ridge in regressions(sums, context_length, spans, PENALTIES, OWN_PENALTIES):
            total[choice] += held.squared_error(ridge)
    best = min(total, key=total.__getitem__)
    return LinearFit(best, math.sqrt(max(total[best], 0.0) / max(count, 1.0)))


def regressions(
    sums: NormalEquations,
    context_length: int,
    spans: Sequence[tuple[int, ...]],
    penalties: Sequence[float],
    own_penalties: Sequence[float],
) -> Iterator[tuple[LinearChoice, Ridge]]:
    """Fit every combination of contexts and penalties, as regressions on the whole window."""
    first = {length: context_length - length for span in spans for length in span}
    pooled = sums.pooled()
    common = {length: pooled.spectrum(skip) for length, skip in first.items()}
    if sums.channels == 1:
        own_penalties = own_penalties[:1]  # one target is all targets
    if any(map(math.isfinite, own_penalties)):
        apart = {length: sums.spectrum(skip) for length, skip in first.items()}
    for penalty in penalties:
        shared = {length: spectrum.ridge(penalty) for length, spectrum in common.items()}
        for own_penalty in own_penalties:
            fits = {
                length: _whole(
                    apart[length].ridge(own_penalty, toward=shared[length])
                    if math.isfinite(own_penalty)
                    else shared[length],
                    skip,
                    sums.channels,
                )
                for length, skip in first.items()
            }
            for span in spans:
                parts = [fits[length] for length in span]
                mean = Ridge(*(_mean(pieces) for pieces in zip(*parts, strict=True)))
                yield LinearChoice(span, penalty, own_penalty), mean


def _whole(ridge: Ridge, skip: int, channels: int) -> Ridge:
    """Give the regression of `channels` channels on all features: the first ones weigh nothing."""
    weight = torch.nn.functional.pad(ridge.weight, (0, 0, skip, 0))
    return Ridge(weight.expand(channels, -1, -1), ridge.intercept.expand(channels, -1))


def _mean(parts: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(parts)).mean(dim=0) if len(parts) > 1 else parts[0]
