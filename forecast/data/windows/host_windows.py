"""Windows gathered as arrays, for forecasting: torch is not needed.

`Windows` gathers the same as tensors, for training.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forecast.data.windows.calendar import calendar_table
from forecast.data.windows.window_index import HostBatch, WindowIndex

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from forecast.data.panel import Panel

    Ints = NDArray[np.int64]

# B batch, L context, H horizon, C channels, T targets


class HostWindows:
    """The panel as a source of batches; the parameters are those of `Windows`."""

    def __init__(
        self,
        panel: Panel,
        *,
        context_length: int,
        horizon: int,
        calendar: Sequence[str] = (),
        holidays: str | None = None,
        scaled_series: Sequence[str] = (),
    ) -> None:
        self.panel = panel
        self.context_length, self.horizon = context_length, horizon
        self._seen = len(panel.targets) + len(panel.past)
        self._first = int(panel.start.min()) - context_length
        self._count = int((panel.start + panel.length).max()) + horizon - self._first
        self._calendar = calendar_table(panel.grid, self._first, self._count, calendar, holidays)
        self._scale_row = np.zeros(len(panel.start), np.int64)
        if scaled_series:
            place = {name: row for row, name in enumerate(scaled_series, start=1)}
            self._scale_row[:] = [place.get(name, 0) for name in panel.series_ids]
        self._reach = np.arange(-context_length, horizon)

    def gather(self, series: Ints, cutoff: Ints) -> HostBatch:
        """Gather the windows of `series` (B,) at `cutoff` (B,)."""
        panel, context = self.panel, self.context_length
        step = cutoff[:, None] + self._reach  # (B, L+H), counted from the series' first step
        length = panel.length[series][:, None]
        row = panel.offset[series][:, None] + np.clip(step, 0, np.maximum(length - 1, 0))
        outside = (step < 0) | (step >= length)
        truth = window = self._without(np.asarray(panel.values[row]), outside)  # (B, L+H, C)
        if panel.vintages is not None:  # what was known at the cutoff; the target stays the truth
            newest = panel.grid.time(panel.start[series] + cutoff - 1)
            known_at = np.broadcast_to(newest[:, None], row.shape)
            window = self._without(panel.vintages.as_of(row, known_at), outside)
        known = window[..., self._seen :]
        if self._calendar.shape[1]:
            clock = self._calendar[panel.start[series][:, None] - self._first + step]
            known = np.concatenate([known, clock], axis=-1)
        return HostBatch(
            past=window[:, :context, : self._seen],
            known=known,
            static=panel.static[series],
            target=truth[:, context:, : len(panel.targets)],
            series=series,
            cutoff=cutoff,
            scale_row=self._scale_row[series],
        )

    @staticmethod
    def _without(taken: NDArray[np.float32], outside: NDArray[np.bool_]) -> NDArray[np.float32]:
        if outside.any():
            taken[outside] = np.nan
        return taken


def parts_of(index: WindowIndex, size: int) -> list[WindowIndex]:
    """Divide an index into batches."""
    starts = range(0, len(index.series), size)
    return [WindowIndex(*(np.asarray(part[i : i + size]) for part in index)) for i in starts]


def host_batches(windows: HostWindows, index: WindowIndex, *, size: int) -> Iterator[HostBatch]:
    """Yield the windows of an index in batches, in order."""
    for part in parts_of(index, size):
        yield windows.gather(*part)


def collect_actual(panel: Panel, index: WindowIndex, *, horizon: int) -> NDArray[np.float32]:
    """Return the actuals (N, H, T) of an index; NaN where missing or in the future."""
    targets = len(panel.targets)
    found = np.empty((len(index.series), horizon, targets), np.float32)
    ahead = np.arange(horizon)
    for first in range(0, len(found), _AT_ONCE):
        some = slice(first, first + _AT_ONCE)
        series, step = np.asarray(index.series[some]), index.cutoff[some, None] + ahead
        length = panel.length[series][:, None]
        row = panel.offset[series][:, None] + np.clip(step, 0, np.maximum(length - 1, 0))
        values = np.asarray(panel.values[row][..., :targets])
        values[(step < 0) | (step >= length)] = np.nan
        found[some] = values
    return found


_AT_ONCE = 1024
