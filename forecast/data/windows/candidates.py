"""The cutoffs of a panel that make a usable window."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forecast.data.panel.blocks import Block, blocks, ranges
from forecast.data.windows.window_index import WindowIndex

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from forecast.data.panel import Panel


class Candidates:
    """The cutoffs of a panel whose windows have an observed target in their horizon.

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
        """Return the windows whose target steps all lie within one of the grid intervals."""
        origins = [
            np.arange(first, stop - self.horizon + 1, stride, dtype=np.int64)
            for first, stop in intervals
        ]
        return self.select(np.concatenate(origins) if origins else np.empty(0, np.int64))

    def select(self, origins: NDArray[np.int64]) -> WindowIndex:
        """Return the windows whose first target step is one of `origins`, rising grid indices."""
        kept = [self._in_block(block, origins) for block in blocks(self.panel)]
        none = np.empty(0, np.int64)
        series, cutoff = zip(*(kept or [WindowIndex(none, none)]), strict=True)
        return WindowIndex(np.concatenate(series), np.concatenate(cutoff))

    def _in_block(self, block: Block, origins: NDArray[np.int64]) -> WindowIndex:
        """Return the usable windows of some series, in their order."""
        start, length = self.panel.start[block.series], self.panel.length[block.series]
        first = np.searchsorted(origins, start + 1)
        stop = np.searchsorted(origins, start + length, side="right")
        own = np.repeat(np.arange(len(start)), stop - first)  # series of each window, in the block
        cutoff = origins[ranges(first, stop)] - start[own]
        seen = np.zeros(len(block.values) + 1, dtype=np.int64)
        is_seen = ~np.isnan(block.values[:, : len(self.panel.targets)]).all(axis=1)
        np.cumsum(is_seen, out=seen[1:])
        begin = block.begin[own]
        now = seen[begin + cutoff]
        past = now - seen[begin + np.maximum(cutoff - self.context_length, 0)]
        future = seen[begin + np.minimum(cutoff + self.horizon, length[own])] - now
        is_usable = (past >= self.min_observed * self.context_length) & (future > 0)
        return WindowIndex(own[is_usable] + block.series.start, cutoff[is_usable])
