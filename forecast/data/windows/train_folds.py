"""Equal stretches of train time, each of which can be left out; gathers no values."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from forecast.data.panel import Panel
    from forecast.data.windows.windows import WindowIndex

MOST_STRETCHES = 8


class Stretches(NamedTuple):
    """Stretches of time that windows are told apart by, none shorter than a horizon.

    Parameters
    ----------
    start : (S,) int64
        First grid index of each series.
    begin, stop : int
        Grid interval of all targets.
    horizon : int
        Steps of a target.
    parts : int
        How many stretches.
    """

    start: Tensor
    begin: int
    stop: int
    horizon: int
    parts: int

    @classmethod
    def of(
        cls, panel: Panel, index: WindowIndex, *, horizon: int, most: int = MOST_STRETCHES
    ) -> Stretches:
        """Cut the time of all targets of `index` into `most`, or as many as are long enough."""
        start = torch.as_tensor(panel.start)
        first = panel.start[index.series] + index.cutoff
        begin, stop = int(first.min()), int(first.max()) + horizon
        count = max(1, min(most, (stop - begin) // horizon))
        return cls(start, begin, stop, horizon, count)

    def number(self, series: Tensor, cutoff: Tensor, *, step: int = 0) -> Tensor:
        """Give the stretch (N,) that a step of each window's target lies in, the first unless set.

        Steps before the first stretch and after the last count as theirs.
        """
        place = self.start.to(series.device)[series] + cutoff + step - self.begin
        number = place * self.parts // (self.stop - self.begin)
        return number.clamp(0, self.parts - 1)

    def cells(self, index: WindowIndex) -> Tensor:
        """Give the cell of each window, (N,): 2k when its targets lie within stretch k.

        2k + 1 when they reach over the border of stretches k and k + 1. Windows of stretch k share
        no target step with those of cells other than 2k - 1 to 2k + 1.
        """
        windows = torch.as_tensor(index.series), torch.as_tensor(index.cutoff)
        return self.number(*windows) + self.number(*windows, step=self.horizon - 1)

    def split(self, index: WindowIndex) -> dict[int, WindowIndex]:
        """Give the windows of each cell that has any, in their order."""
        cells = self.cells(index).numpy()
        return {
            int(number): type(index)(*(part[cells == number] for part in index))
            for number in sorted(set(cells.tolist()))
        }
