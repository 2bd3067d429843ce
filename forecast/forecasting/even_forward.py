"""Forward passes whose results do not depend on what they are computed beside, to the last bit.

Kernels add up in another order for another number of rows or threads, and a batch in which a
window begins late takes another path than one of whole windows. So every pass has the same number
of rows, on one thread, and windows of one kind; several threads take one pass each.

Letters: B windows, H horizon, T targets, Q quantile levels.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from forecast.data.windows.windows import Batch
from forecast.models.network import Network

ROWS = 128

Item = TypeVar("Item")
Result = TypeVar("Result")


class Raw(NamedTuple):
    """What the network alone forecasts, in the targets' units."""

    point: NDArray[np.float32]  # (B, H, T)
    quantiles: NDArray[np.float32]  # (B, H, T, Q)


def forward(network: Network, batch: Batch, levels: Sequence[float]) -> Raw:
    """Forecast a batch of any size."""
    order, parts = [], []
    with one_thread(), torch.inference_mode():
        for rows in _alike(batch):
            order.append(rows)
            parts.append(_pass(network, Batch(*(part[_filled(rows)] for part in batch)), levels))
    place = torch.cat(order).argsort().cpu().numpy()
    counts = [len(rows) for rows in order]
    return Raw(*(_joined(each, counts)[place] for each in zip(*parts, strict=True)))


def forward_points(network: Network, batch: Batch, levels: Sequence[float]) -> Tensor:
    """Forecast the points (B, H, T) of a batch, on its device."""
    return torch.from_numpy(forward(network, batch, levels).point).to(batch.past.device)


def _joined(parts: Sequence[Tensor], counts: Sequence[int]) -> NDArray[np.float32]:
    kept = [part[:count] for part, count in zip(parts, counts, strict=True)]
    return torch.cat(kept).float().cpu().numpy()


def _pass(network: Network, batch: Batch, levels: Sequence[float]) -> tuple[Tensor, Tensor]:
    params = network(batch)
    return network.point(params, batch), network.quantiles(params, levels, batch)


def _alike(batch: Batch) -> Iterator[Tensor]:
    """Yield the rows of each pass: windows whose first step is there, or whose is not."""
    begins_late = torch.isnan(batch.past[:, 0]).all(dim=-1).long()
    lacks_known = torch.isnan(batch.known[:, 0]).any(dim=-1).long()
    kind = 2 * begins_late + lacks_known
    for number in torch.unique(kind).tolist():
        yield from torch.split(torch.nonzero(kind == number).squeeze(1), ROWS)


def _filled(rows: Tensor) -> Tensor:
    """Repeat the first row until there are enough."""
    return torch.cat([rows, rows[:1].expand(ROWS - len(rows))])


@contextmanager
def one_thread() -> Iterator[int]:
    """Compute on one thread while the block runs; yields how many there were."""
    before = torch.get_num_threads()
    if before != 1:
        torch.set_num_threads(1)
    try:
        yield before
    finally:
        if before != 1:
            torch.set_num_threads(before)


def side_by_side(
    do: Callable[[Item], Result], items: Sequence[Item], *, on_gpu: bool
) -> list[Result]:
    """Do something with each item on as many threads as the arithmetic has, in order."""
    with one_thread() as threads:
        if on_gpu or threads == 1 or len(items) < 2:
            return [do(item) for item in items]
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(do, items))
