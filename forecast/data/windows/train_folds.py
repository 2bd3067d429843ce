"""Equal folds of train time, for cross-validation and cross-fitting."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor

    from forecast.data.panel import Panel
    from forecast.data.windows.window_index import WindowIndex

MOST_FOLDS = 8


class FoldSpan(NamedTuple):
    """The folds that the targets of a window lie in: one fold, or two neighbouring ones.

    Examples
    --------
    >>> border = FoldSpan(1, 2)
    >>> border.lies_in(1, 3), border.lies_in(2, 3), border.shares_steps_with(2, 3)
    (True, False, True)
    """

    first: int
    last: int

    def lies_in(self, first: int, last: int) -> bool:
        """Return whether all target steps lie within folds `first` to `last`."""
        return first <= self.first and self.last <= last

    def shares_steps_with(self, first: int, last: int) -> bool:
        """Return whether these windows may share target steps with windows in `first` to `last`."""
        return self.first <= last and first <= self.last


def fold_count(spans: Iterable[FoldSpan]) -> int:
    """Return the number of folds up to the last one that any span reaches."""
    return 1 + max((span.last for span in spans), default=0)


class TrainFolds(NamedTuple):
    """A division of time into equal folds, none shorter than a horizon.

    Parameters
    ----------
    start : (S,) int64
        First grid index of each series.
    begin, stop : int
        Grid interval of all target steps.
    horizon : int
        Steps of a window's target.
    total : int
        Number of folds.
    """

    start: Tensor
    begin: int
    stop: int
    horizon: int
    total: int

    @classmethod
    def of(
        cls, panel: Panel, index: WindowIndex, *, horizon: int, most: int = MOST_FOLDS
    ) -> TrainFolds:
        """Divide the target time of `index` into `most` folds, or as many as are long enough."""
        start = torch.as_tensor(panel.start)
        first = panel.start[index.series] + index.cutoff
        begin, stop = int(first.min()), int(first.max()) + horizon
        total = max(1, min(most, (stop - begin) // horizon))
        return cls(start, begin, stop, horizon, total)

    def number(self, series: Tensor, cutoff: Tensor, *, step: int = 0) -> Tensor:
        """Return the fold (N,) of a target step of each window, the first step unless set.

        Steps before the first fold belong to it, steps after the last fold to that one.
        """
        place = self.start.to(series.device)[series] + cutoff + step - self.begin
        number = place * self.total // (self.stop - self.begin)
        return number.clamp(0, self.total - 1)

    def holds(self, series: Tensor, cutoff: Tensor) -> Tensor:
        """Return whether the first target step of each window (N,) lies in any fold."""
        place = self.start.to(series.device)[series] + cutoff
        return (place >= self.begin) & (place < self.stop)

    def split(self, index: WindowIndex) -> dict[FoldSpan, WindowIndex]:
        """Group the windows of an index by the folds of their targets, keeping their order."""
        windows = torch.as_tensor(index.series), torch.as_tensor(index.cutoff)
        first = self.number(*windows).numpy()
        last = self.number(*windows, step=self.horizon - 1).numpy()
        spans = sorted(set(zip(first.tolist(), last.tolist(), strict=True)))
        return {
            FoldSpan(*span): type(index)(
                *(part[(first == span[0]) & (last == span[1])] for part in index)
            )
            for span in spans
        }
