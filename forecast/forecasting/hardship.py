"""What a window lacks that the model is used to: the newest readings, or a covariate.

A forecast made in hardship is less certain than the model knows; by how much is measured on the
calibration windows, from which the same is taken away (`calibrate`).

Letters: N windows, L context, H horizon, T targets, P past covariates, K known ones.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Hardship(NamedTuple):
    """What some windows lack.

    Parameters
    ----------
    late : (N, T) int64
        Steps before the cutoff since each target's newest value; L where there is none.
    lacking : (N, P+K) bool
        Covariates without one value in the context (past), or with a gap ahead (known).
    """

    late: NDArray[np.int64]
    lacking: NDArray[np.bool_]


def hardship_of(
    past: NDArray[np.float32], ahead: NDArray[np.float32], *, targets: int, known: int
) -> Hardship:
    """Say what windows lack, from past (N, L, T+P) and what is known ahead (N, H, K...)."""
    observed = np.isfinite(past)
    is_ever = np.asarray(observed.any(axis=1))  # (N, T+P)
    newest = observed[:, ::-1, :targets].argmax(axis=1)
    late = np.where(is_ever[:, :targets], newest, past.shape[1])
    gaps = np.asarray(np.isnan(ahead[..., :known]).any(axis=1))
    return Hardship(late.astype(np.int64), np.concatenate([~is_ever[:, targets:], gaps], axis=1))


def late_knots(context_length: int) -> tuple[int, ...]:
    """Return the latenesses that are measured, in steps; in between it is interpolated.

    >>> late_knots(168)
    (1, 2, 4, 9, 19, 39, 80, 167)
    """
    knots = np.geomspace(1, max(1, context_length - 1), 8).round().astype(int)
    return tuple(np.unique(knots).tolist())
