"""Forward passes whose results do not depend on what they are computed beside, to the last bit.

Kernels add up in another order for another number of rows or threads, and a batch in which a
window begins late takes another path than one of whole windows. So every pass has the same number
of rows, on one thread, and windows of one kind; several threads take one pass each.

Letters: B windows, H horizon, T targets, Q quantile levels.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from forecast.data.windows.window_index import HostBatch

ROWS = 128

Item = TypeVar("Item")
Result = TypeVar("Result")


class Raw(NamedTuple):
    """What the network alone forecasts, in the targets' units."""

    point: NDArray[np.float32]  # (B, H, T)
    quantiles: NDArray[np.float32]  # (B, H, T, Q)


class Engine(Protocol):
    """What computes a network's forecasts."""

    def one_thread(self) -> AbstractContextManager[int]:
        """Compute on one thread while the block runs; yields how many may compute at once."""

    def begin_thread(self) -> None:
        """Let the arithmetic of a new thread be on that thread alone."""

    def run(self, batch: HostBatch, levels: Sequence[float]) -> Raw:
        """Forecast one batch."""


def forward(engine: Engine, batch: HostBatch, levels: Sequence[float]) -> Raw:
    """Forecast a batch of any size."""
    order, parts = [], []
    with engine.one_thread():
        for rows in _alike(batch):
            found = engine.run(batch.rows(_filled(rows)), levels)
            order.append(rows)
            parts.append(Raw(*(part[: len(rows)] for part in found)))
    place = np.argsort(np.concatenate(order))
    return Raw(*(np.concatenate(each)[place] for each in zip(*parts, strict=True)))


def _alike(batch: HostBatch) -> Iterator[NDArray[np.int64]]:
    """Yield the rows of each pass: windows whose first step is there, or whose is not."""
    begins_late = np.isnan(batch.past[:, 0]).all(axis=-1)
    lacks_known = np.isnan(batch.known[:, 0]).any(axis=-1)
    kind = 2 * begins_late + lacks_known
    for number in np.unique(kind):
        rows = np.flatnonzero(kind == number)
        yield from np.split(rows, range(ROWS, len(rows), ROWS))


def _filled(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Repeat the first row until there are enough."""
    return np.pad(rows, (0, ROWS - len(rows)), constant_values=rows[0])


def side_by_side(
    do: Callable[[Item], Result], items: Sequence[Item], engine: Engine
) -> list[Result]:
    """Do something with each item on as many threads as the arithmetic has, in order."""
    with engine.one_thread() as threads:
        if threads == 1 or len(items) < 2:
            return [do(item) for item in items]
        with ThreadPoolExecutor(threads, initializer=engine.begin_thread) as pool:
            return list(pool.map(do, items))
