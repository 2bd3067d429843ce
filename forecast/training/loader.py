"""Batches of training windows in an order that is a pure function of seed and epoch.

The order is drawn once over all windows; `batch_size` counts the windows of one optimiser step
over all processes, and each rank gathers its own slice of every such batch. So one process and
several see the same steps. Nothing is copied ahead: a batch is gathered when it is asked for.
"""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from forecast.data.windows.window_index import WindowIndex
from forecast.data.windows.windows import Batch, Windows
from forecast.errors import ConfigError
from forecast.models.draws import Rows


class WindowLoader:
    """An iterable over the batches of one epoch, resumable at any batch.

    Parameters
    ----------
    windows
        Where batches are gathered from, and on which device.
    index
        The training windows.
    batch_size
        Windows of one optimiser step, over all ranks.
    seed
        Decides the order together with the epoch.
    rank, world
        This process and how many there are.
    epoch_windows
        Windows drawn per epoch; all of them when None.

    Raises
    ------
    ConfigError
        When a batch has fewer windows than there are ranks.
    """

    def __init__(
        self,
        windows: Windows,
        index: WindowIndex,
        *,
        batch_size: int,
        seed: int = 0,
        rank: int = 0,
        world: int = 1,
        epoch_windows: int | None = None,
    ) -> None:
        self._windows = windows
        self._series = torch.as_tensor(index.series)
        self._cutoff = torch.as_tensor(index.cutoff)
        self._seed = seed
        self._rank = rank
        self._world = world
        self._batch_size = batch_size
        self._epoch = 0
        self._position = 0
        count = len(index.series) if epoch_windows is None else epoch_windows
        self._count = min(count, len(index.series))
        if min(self._count, batch_size) < world:
            raise ConfigError(
                f"training.batch_size: {self._count} windows in batches of {batch_size} for "
                f"{world} processes: each needs at least one window of every batch; use fewer"
            )

    def __len__(self) -> int:
        """Optimiser steps of an epoch; an incomplete last batch is left for the next shuffle."""
        return max(1, self._count // self._batch_size)

    @property
    def rows(self) -> Rows | None:
        """Which windows of every whole batch are this process'; None where it has them all."""
        if self._world == 1:
            return None
        return Rows(self._rank, self._world, min(self._count, self._batch_size))

    @property
    def windows_per_epoch(self) -> int:
        """Windows one epoch shows to the model, over all ranks."""
        return min(self._count, len(self) * self._batch_size)

    def set_epoch(self, epoch: int) -> None:
        """Move to the start of `epoch`, unless it is the one under way."""
        if epoch != self._epoch:
            self._epoch = epoch
            self._position = 0

    def order(self) -> NDArray[np.int64]:
        """Rows of the index in this epoch's order, the same on every rank."""
        draw = np.random.default_rng((self._seed, self._epoch))
        return draw.permutation(len(self._series))[: self._count]

    def __iter__(self) -> Iterator[Batch]:
        """Yield this rank's slice of every remaining batch of the epoch."""
        order = torch.from_numpy(self.order())
        for position in range(self._position, len(self)):
            start = position * self._batch_size
            rows = order[start : start + self._batch_size][self._rank :: self._world]
            self._position = position + 1
            yield self._windows.gather(self._series[rows], self._cutoff[rows])
        self._position = 0

    def state_dict(self) -> dict[str, int]:
        """Where the epoch stands."""
        return {"epoch": self._epoch, "position": self._position}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Continue where `state` was taken."""
        self._epoch = state["epoch"]
        self._position = state["position"]
