"""What is held likely of a linear path's weights before any data are seen; it fits nothing.

A plain ridge holds the reading of a month ago to weigh as much as that of an hour ago. Here

    W ~ N(0, R R'),   R R' = diag(d_a^2) + (SEASONAL^2 / n) P_n P_n', summed over n

where d_a = (1 + a / season)^-DECAY is how far the weight of a reading of age a may lie from 0
(Litterman 1986: lags count less the older they are), and P_n spreads one weight over the readings
of the same phase in the newest n seasons: averages over seasons cost little, as the means of a
day, a week and a month do in Corsi 2009. n is how many seasons the context holds, and halves of it
down to two. What sets one target apart from all has the first part alone.
"""

import torch
from torch import Tensor

DECAY = 2.0
"""Exponent by which a weight is held to be smaller per season of age."""

SEASONAL = 0.5
"""How far the weight of an average over seasons may lie from 0; the newest reading's is 1."""

SMALLEST = 1e-4
"""Floor of d: below it the decomposition loses digits."""


def own_root(age: Tensor, season: int) -> Tensor:
    """Give R of what sets one target's weights apart from the common ones, (F, F).

    Parameters
    ----------
    age
        (F,) steps since each feature was read, 0 for what is not a reading of the past.
    season
        Steps of the main season.

    Examples
    --------
    >>> own_root(torch.tensor([4, 2, 0]), 2).diagonal().tolist()
    [0.1111111111111111, 0.25, 1.0]
    """
    return torch.diag((1 + age.double() / season).pow(-DECAY).clamp(min=SMALLEST))


def common_root(age: Tensor, season: int, *, window: int) -> Tensor:
    """Give R of the weights common to all targets, (F, F).

    Parameters
    ----------
    age, season
        As above.
    window
        How many of the features, the leading ones, are the target's own readings.
    """
    variance = own_root(age, season).square()
    own = age[:window]
    seasons = window // season
    while seasons >= 2:
        phase = torch.nn.functional.one_hot(own % season, season).double()
        phase[own >= seasons * season] = 0
        variance[:window, :window] += SEASONAL**2 / seasons * phase @ phase.T
        seasons //= 2
    root: Tensor = torch.linalg.cholesky(variance)
    return root
