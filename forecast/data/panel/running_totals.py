"""Running totals as their growth from step to step, so that float32 holds what matters of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from forecast.data.chunk import Chunk
    from forecast.data.panel.collect import Layout


class FirstTotals:
    """The first total of each series, from which the others are counted before they are rounded.

    A meter at 1,234,567,890 Wh loses 64 Wh in float32; its growth since the first reading does not
    until it has grown by 16,777,216.
    """

    def __init__(self, channels: Sequence[int]) -> None:
        self._channels = list(channels)
        self._first = np.empty((0, len(self._channels)))

    def __bool__(self) -> bool:
        return bool(self._channels)

    def counted_from(self, chunk: Chunk) -> NDArray[np.float64]:
        """Return the values of a chunk (rows, channels), totals counted from their first."""
        values = np.array(chunk.values, dtype=np.float64)
        missing = int(chunk.series.max()) + 1 - len(self._first)
        if missing > 0:
            rows = np.full((missing, len(self._channels)), np.nan)
            self._first = np.concatenate([self._first, rows])
        for place, channel in enumerate(self._channels):
            known = np.flatnonzero(np.isfinite(values[:, channel]))
            series, first = np.unique(chunk.series[known], return_index=True)
            fresh = np.isnan(self._first[series, place])
            self._first[series[fresh], place] = values[known[first[fresh]], channel]
            values[:, channel] -= self._first[chunk.series, place]
        return values


def take_differences(path: Path, layout: Layout, channels: Sequence[int], width: int) -> list[int]:
    """Replace totals in a panel's file of values by their growth; return the falls by channel.

    The first step, a step after a missing one, and a step after a fall (a reset) are missing.
    """
    values = np.memmap(path, dtype="<f4", mode="r+", shape=(layout.rows, width))
    falls = [0] * len(channels)
    for series in np.flatnonzero(layout.length):
        first = layout.offset[series]
        block = values[first : first + layout.length[series]]
        for place, channel in enumerate(channels):
            growth = np.diff(block[:, channel])
            falls[place] += int(np.count_nonzero(growth < 0))
            growth[growth < 0] = np.nan
            block[0, channel] = np.nan
            block[1:, channel] = growth
    values.flush()
    return falls
