"""The lowest and highest values of a column, updated chunk by chunk."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass
class Extreme:
    """The two outermost distinct values of a side, and the first occurrence of the outer one."""

    outer: float = np.nan
    inner: float = np.nan
    count: int = 0
    series: int = -1
    time: int = 0


@dataclass
class Extremes:
    """Both sides of one column."""

    low: Extreme = field(default_factory=Extreme)
    high: Extreme = field(default_factory=Extreme)
    count: int = 0

    def add(
        self, values: NDArray[np.float64], series: NDArray[np.int32], time: NDArray[np.int64]
    ) -> None:
        """Update with the next observed values."""
        if len(values):
            self.count += len(values)
            _widen(self.low, values, series, time, sign=1.0)
            _widen(self.high, values, series, time, sign=-1.0)


def _widen(
    side: Extreme,
    values: NDArray[np.float64],
    series: NDArray[np.int32],
    time: NDArray[np.int64],
    *,
    sign: float,
) -> None:
    """Update one side with values; `sign` -1 swaps highest and lowest."""
    outer = float(values.min() if sign > 0 else values.max())
    hits = values == outer
    count = int(np.count_nonzero(hits))
    rest = values[~hits]
    inner = float(rest.min() if sign > 0 else rest.max()) if len(rest) else np.nan
    inners = [value for value in (inner, side.inner) if not np.isnan(value)]
    if side.count and sign * side.outer < sign * outer:
        inners.append(outer)
    elif side.count and side.outer == outer:
        side.count += count
    else:
        if side.count:
            inners.append(side.outer)
        row = int(np.argmax(hits))
        side.outer, side.count = outer, count
        side.series, side.time = int(series[row]), int(time[row])
    if inners:
        side.inner = min(inners) if sign > 0 else max(inners)
