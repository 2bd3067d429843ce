"""Random draws that are the same however many processes share a batch.

Each process draws for the whole batch, from the same seed, and keeps the rows of its own windows.
A training therefore has one result, whatever the number of devices.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Rows(NamedTuple):
    """The windows rank, rank + world, ... of a batch of `whole`."""

    rank: int
    world: int
    whole: int

    @property
    def own(self) -> int:
        """Number of these windows."""
        return len(range(self.rank, self.whole, self.world))


_rows: ContextVar[Rows | None] = ContextVar("rows", default=None)


@contextmanager
def rows_of_batch(rows: Rows | None) -> Iterator[None]:
    """Set which windows of the batch this process holds, while the block runs; None means all."""
    token = _rows.set(rows)
    try:
        yield
    finally:
        _rows.reset(token)


class Dropout(nn.Module):
    """Dropout (Srivastava et al. 2014) of tensors whose windows lie along axis `windows`.

    Each window may fill several neighbouring entries of that axis.
    """

    def __init__(self, share: float, *, windows: int = 0) -> None:
        super().__init__()
        self.share, self.windows = share, windows

    def forward(self, values: Tensor) -> Tensor:
        """Set a share of the values to 0 in training, and scale up the others."""
        if not self.training or not self.share:
            return values
        kept = 1.0 - self.share

        def draw(shape: list[int]) -> Tensor:
            return values.new_empty(shape).bernoulli_(kept).div_(kept)

        return values * _own(draw, list(values.shape), self.windows)


def uniform(shape: list[int], device: torch.device) -> Tensor:
    """Draw from [0, 1) for each window of the first axis."""
    return _own(lambda whole: torch.rand(whole, device=device), shape, 0)


def _own(draw: Callable[[list[int]], Tensor], shape: list[int], axis: int) -> Tensor:
    rows = _rows.get()
    if rows is None:
        return draw(shape)
    each = shape[axis] // rows.own
    whole = draw([*shape[:axis], rows.whole * each, *shape[axis + 1 :]])
    windows = whole.view(*shape[:axis], rows.whole, each, *shape[axis + 1 :]).movedim(axis, 0)
    return windows[rows.rank :: rows.world].movedim(0, axis).reshape(shape)
