"""Which cutoffs of a panel make a usable window."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forecast.data.windows.windows import WindowIndex

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from forecast.data.panel import Panel


class Candidates:
    """Which cutoffs of a panel make a usable window: one with an observed target in its horizon.

    Parameters
    ----------
    min_observed
        Share of the context's steps that need an observed target.
    """

    def __init__(
        self,
        panel: Panel,
        context_length: int,
        horizon: int,
        min_observed: float,
    ) -> None:
        self.panel = panel
        self.context_length = context_length
        self.horizon = horizon
        self.min_observed = min_observed

    def within(self, intervals: NDArray[np.int64], stride: int) -> WindowIndex:
        """Windows whose targets lie wholly within one of the grid intervals."""
        origins = [
            np.arange(first, stop - self.horizon + 1, stride, dtype=np.int64)
            for first, stop in intervals
        ]
        return self.select(np.concatenate(origins) if origins else np.empty(0, np.int64))

    def select(self, origins: NDArray[np.int64]) -> WindowIndex:
        """Usable windows whose first target step is one of the grid indices `origins`."""
        kept = [self._of_series(series, origins) for series in range(len(self.panel.offset))]
        counts = [len(cutoffs) for cutoffs in kept]
        series = np.repeat(np.arange(len(kept), dtype=np.int64), counts)
        return WindowIndex(series, np.concatenate(kept) if kept else np.empty(0, np.int64))

    def _of_series(self, series: int, origins: NDArray[np.int64]) -> NDArray[np.int64]:
        length = int(self.panel.length[series])
        cutoff: NDArray[np.int64] = origins - self.panel.start[series]
        cutoff = cutoff[(cutoff >= 1) & (cutoff <= length)]
        if not len(cutoff):
            return cutoff
        block = self.panel.block(series)[:, : len(self.panel.targets)]
        seen = np.zeros(length + 1, dtype=np.int64)
        np.cumsum(~np.isnan(block).all(axis=1), out=seen[1:])
        past = seen[cutoff] - seen[np.maximum(cutoff - self.context_length, 0)]
        future = seen[np.minimum(cutoff + self.horizon, length)] - seen[cutoff]
        is_usable = (past >= self.min_observed * self.context_length) & (future > 0)
        usable: NDArray[np.int64] = cutoff[is_usable]
        return usable
