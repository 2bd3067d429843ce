"""Gathers windows of a panel by index, in raw units, when a batch needs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from forecast.data.panel.vintage_table import VintageTable
from forecast.data.windows.calendar import calendar_names, calendar_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from forecast.data.panel import Panel
    from forecast.data.windows.window_index import WindowIndex

# B batch, L context, H horizon, C channels, T targets, P past, K known


class Batch(NamedTuple):
    """Windows in raw units; NaN means missing.

    Parameters
    ----------
    past : (B, L, T+P)
        NaN also before the series' first step.
    known : (B, L+H, K)
        The panel's known covariates, then the calendar.
    static : (B, n_static)
    target : (B, H, T)
        NaN also in the future.
    series, cutoff : (B,) int64
    scale_row : (B,) int64
        Row of `Scaler.table` by which each window is scaled.
    """

    past: Tensor
    known: Tensor
    static: Tensor
    target: Tensor
    series: Tensor
    cutoff: Tensor
    scale_row: Tensor


class Windows:
    """The panel as a source of batches.

    Parameters
    ----------
    calendar
        Calendar features, computed once for the whole span and the horizon after it.
    holidays
        Country or country-subdivision of the feature `is_holiday`.
    scaled_series
        Series with their own row in the scaler's table, whose first row is the pooled one.
    device
        Where the batches are needed. The panel's values are held there too, unless they would fill
        more than half of a GPU's free memory: then they stay mapped and each batch is copied.
    """

    def __init__(
        self,
        panel: Panel,
        *,
        context_length: int,
        horizon: int,
        calendar: Sequence[str] = (),
        holidays: str | None = None,
        scaled_series: Sequence[str] = (),
        device: str | torch.device = "cpu",
    ) -> None:
        if context_length < 1 or horizon < 1:
            raise ValueError(f"context {context_length} and horizon {horizon} must be at least 1")
        self.panel = panel
        self.context_length = context_length
        self.horizon = horizon
        self.device = torch.device(device)
        self.known_names = panel.known + calendar_names(calendar, holidays)
        self._seen = len(panel.targets) + len(panel.past)
        first = int(panel.start.min()) - context_length
        count = int((panel.start + panel.length).max()) + horizon - first
        table = calendar_table(panel.grid, first, count, calendar, holidays)
        home = self.device if _fits(panel, table, self.device) else torch.device("cpu")
        self.home = home
        self._values = torch.from_numpy(np.asarray(panel.values)).to(home)
        place = {name: row for row, name in enumerate(scaled_series, start=1)}
        rows = (
            [place.get(name, 0) for name in panel.series_ids] if place else [0] * len(panel.start)
        )
        self._scale_row = torch.tensor(rows, dtype=torch.int64, device=home)
        self._static = torch.from_numpy(panel.static).to(home)
        self._offset = torch.from_numpy(panel.offset).to(home)
        self._length = torch.from_numpy(panel.length).to(home)
        self._reach = torch.arange(-context_length, horizon, device=home)
        self._calendar = torch.from_numpy(table).to(home)
        self._calendar_row = torch.from_numpy(panel.start - first).to(home)
        self._vintages: VintageTable | None = None
        if panel.vintages is not None:
            self._vintages = VintageTable(panel.vintages, home)
            time = panel.grid.time(np.arange(first, first + count, dtype=np.int64))
            self._time = torch.from_numpy(time).to(home)

    def gather(self, series: Tensor, cutoff: Tensor) -> Batch:
        """Gather the windows of `series` (B,) at `cutoff` (B,), on the device."""
        series, cutoff = series.to(self.home), cutoff.to(self.home)
        step = cutoff[:, None] + self._reach  # (B, L+H), counted from the series' first step
        row, outside = self._rows(series, cutoff, step)
        truth = window = self._take(self._values, row, outside)  # (B, L+H, C)
        if self._vintages is not None:  # what was known at the cutoff; the target stays the truth
            known_at = self._time[self._calendar_row[series] + cutoff - 1]
            window = self._vintages.take(row, known_at[:, None].expand_as(row))
            if outside is not None:
                window.masked_fill_(outside, torch.nan)
        known = window[..., self._seen :]
        if self._calendar.shape[1]:
            clock = self._take(self._calendar, self._calendar_row[series][:, None] + step)
            known = torch.cat([known, clock], dim=-1) if known.shape[-1] else clock
        context = self.context_length
        batch = Batch(
            past=window[:, :context, : self._seen],
            known=known,
            static=self._static[series],
            target=truth[:, context:, : len(self.panel.targets)],
            series=series,
            cutoff=cutoff,
            scale_row=self._scale_row[series],
        )
        if self.home == self.device:
            return batch
        return Batch(*(field.to(self.device, non_blocking=True) for field in batch))

    def _rows(self, series: Tensor, cutoff: Tensor, step: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the rows of the windows' steps, and which steps lie outside the series, if any.

        Most batches lie inside their series; on a CPU a check is cheaper than masking.
        """
        length, offset = self._length[series], self._offset[series][:, None]
        if self.home.type == "cpu":
            is_inside = (cutoff >= self.context_length) & (cutoff + self.horizon <= length)
            if bool(is_inside.all()):
                return offset + step, None
        length = length[:, None]
        outside = ((step < 0) | (step >= length))[..., None]
        return offset + step.minimum(length - 1).clamp(min=0), outside

    @staticmethod
    def _take(table: Tensor, row: Tensor, outside: Tensor | None = None) -> Tensor:
        taken = table.index_select(0, row.reshape(-1)).reshape(*row.shape, table.shape[1])
        return taken if outside is None else taken.masked_fill_(outside, torch.nan)


def _fits(panel: Panel, calendar: NDArray[np.float32], device: torch.device) -> bool:
    """Return whether the panel leaves half of a GPU's free memory to the model."""
    if device.type != "cuda":
        return True
    versions = 0 if panel.vintages is None else panel.vintages.size
    return bool(
        panel.values.nbytes + calendar.nbytes + versions < torch.cuda.mem_get_info(device)[0] // 2
    )


def batches(windows: Windows, index: WindowIndex, *, batch_size: int) -> Iterator[Batch]:
    """Yield the windows of an index in batches, in order."""
    series, cutoff = torch.from_numpy(index.series), torch.from_numpy(index.cutoff)
    for begin in range(0, len(series), batch_size):
        part = slice(begin, begin + batch_size)
        yield windows.gather(series[part], cutoff[part])


def slices(
    index: WindowIndex, batch_size: int, *, rank: int = 0, world: int = 1
) -> Sequence[tuple[Tensor, Tensor]]:
    """Divide this rank's share of an index into batches of (series, cutoff)."""
    series = torch.as_tensor(index.series)[rank::world]
    cutoff = torch.as_tensor(index.cutoff)[rank::world]
    starts = range(0, len(series), batch_size)
    return [(series[i : i + batch_size], cutoff[i : i + batch_size]) for i in starts]
