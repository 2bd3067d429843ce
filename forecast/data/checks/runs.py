"""Runs of equal values in a column: where they begin and how long they are."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Runs(NamedTuple):
    """Where runs begin, and their lengths."""

    first: NDArray[np.int64]
    length: NDArray[np.int64]


def true_runs(mask: NDArray[np.bool_]) -> Runs:
    """Return the runs of True.

    Examples
    --------
    >>> true_runs(np.array([True, True, False, True]))
    Runs(first=array([0, 3]), length=array([2, 1]))
    """
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    return Runs(edges[::2], edges[1::2] - edges[::2])


def equal_runs(values: NDArray[np.float32], shortest: int) -> Runs:
    """Return the runs of equal observed values that are at least `shortest` long.

    Examples
    --------
    >>> equal_runs(np.array([1, 5, 5, 5, np.nan, 2], dtype=np.float32), 3)
    Runs(first=array([1]), length=array([3]))
    """
    same = true_runs(values[1:] == values[:-1])
    long = same.length + 1 >= shortest
    return Runs(same.first[long], same.length[long] + 1)
