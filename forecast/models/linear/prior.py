"""Prior covariance of the linear path's weights.

A plain ridge expects a reading of a month ago to weigh as much as one of an hour ago. Here

    W ~ N(0, R R'),   R R' = diag(d_a^2) + (SEASONAL^2 / n) P_n P_n', summed over n

where d_a = (1 + a / season)^-DECAY is how far the weight of a reading of age a may lie from 0
(Litterman 1986: older lags have smaller weights), and P_n spreads one weight over the readings of
the same phase in the newest n seasons. An average over seasons therefore needs little evidence,
like the means of a day, a week and a month in Corsi 2009. n is the number of seasons in the
context, its half, its quarter, ... down to two. A target's deviation from the common weights has
the first term only.
"""

import torch
from torch import Tensor

DECAY = 2.0
"""Exponent with which the prior deviation of a weight falls with its age in seasons."""

SEASONAL = 0.5
"""Prior deviation of the weight of an average over seasons; that of the newest reading is 1."""

SMALLEST = 1e-4
"""Floor of d; below it the eigendecomposition loses digits."""


def own_root(age: Tensor, season: int) -> Tensor:
    """Give R (F, F) of the deviation of a target's weights from the common ones.

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
    """Give R (F, F) of the weights common to all targets.

    Parameters
    ----------
    age, season
        As in `own_root`.
    window
        Number of leading features that are the target's own readings.
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
