"""How far apart two samples are."""

import numpy as np
from numpy.typing import ArrayLike


def kolmogorov_smirnov(first: ArrayLike, second: ArrayLike) -> float:
    """Largest gap between two empirical distribution functions, 0 to 1 (Smirnov 1939).

    Missing values are left out; NaN when nothing is left of either.

    >>> kolmogorov_smirnov([1, 2, 3, 4], [3, 4, 5, 6])
    0.5
    """
    a, b = (np.sort(_finite(sample)) for sample in (first, second))
    if not a.size or not b.size:
        return float("nan")
    points = np.concatenate([a, b])
    below_a = np.searchsorted(a, points, "right") / a.size
    below_b = np.searchsorted(b, points, "right") / b.size
    return float(np.abs(below_a - below_b).max())


def _finite(sample: ArrayLike) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    values = np.asarray(sample, np.float64).ravel()
    return values[np.isfinite(values)]
