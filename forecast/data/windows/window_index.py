"""Windows by position, and what a window holds as arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_WINDOWS = 20_000  # enough for error quantiles of each step

# B batch, L context, H horizon, T targets, P past, K known


class WindowIndex(NamedTuple):
    """Windows by position: series (N,) and cutoff (N,), the number of the series' steps used.

    The past of a window is ``[:cutoff]``; its last timestamp is
    ``grid.time(start[series] + cutoff - 1)``.
    """

    series: NDArray[np.int64]
    cutoff: NDArray[np.int64]


class HostBatch(NamedTuple):
    """Windows in raw units as arrays, for forecasting; the fields are those of `Batch`."""

    past: NDArray[np.float32]  # (B, L, T+P)
    known: NDArray[np.float32]  # (B, L+H, K)
    static: NDArray[np.float32]  # (B, n_static)
    target: NDArray[np.float32]  # (B, H, T)
    series: NDArray[np.int64]  # (B,)
    cutoff: NDArray[np.int64]  # (B,)
    scale_row: NDArray[np.int64]  # (B,)

    def rows(self, which: NDArray[np.int64]) -> HostBatch:
        """Return some of the windows."""
        return HostBatch(*(part[which] for part in self))  # type: ignore[arg-type]


def thin(index: WindowIndex, *, most: int = MOST_WINDOWS) -> WindowIndex:
    """Return at most `most` windows, evenly spaced over the index."""
    n = len(index.series)
    keep = np.linspace(0, n - 1, min(n, most)).round().astype(np.int64)
    return WindowIndex(index.series[keep], index.cutoff[keep])
