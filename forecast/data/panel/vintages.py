"""What was known when: several values for one step, each with the time it became known.

A table of readings without `available_at` has none: its values count as known at their own time.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from forecast.data.panel.vintage_table import VintageTable


@dataclass(frozen=True)
class Vintages:
    """Versions of the rows of a panel.

    Version v of a row holds every channel as it was known from `available_at[v]` on, until the
    next version of that row.

    Parameters
    ----------
    indptr : (rows + 1,) int64
        Versions of row r are ``indptr[r]:indptr[r + 1]``, oldest first.
    available_at : (versions,) int64
        Epoch nanoseconds UTC; the smallest integer means always known.
    values : (versions, channels) float32
    """

    indptr: NDArray[np.int64]
    available_at: NDArray[np.int64]
    values: NDArray[np.float32]

    @property
    def size(self) -> int:
        """Bytes of all arrays."""
        return self.indptr.nbytes + self.available_at.nbytes + self.values.nbytes

    @cached_property
    def most_versions(self) -> int:
        """Largest number of versions of one row."""
        most, piece = 0, 1 << 20  # in pieces: the row pointers may be larger than memory
        for first in range(0, len(self.indptr) - 1, piece):
            count = np.diff(self.indptr[first : first + piece + 1])
            most = max(most, int(count.max(initial=0)))
        return most

    @cached_property
    def table(self) -> VintageTable:
        """The same as tensors on the CPU."""
        from forecast.data.panel.vintage_table import VintageTable

        return VintageTable(self)

    def as_of(
        self, row: NDArray[np.int64], known_at: int | NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Rows as known at an instant, or each at its own; NaN where nothing was known yet."""
        import torch  # preparing a panel needs none

        instant = np.full(row.shape, known_at, np.int64)
        taken = self.table.take(torch.from_numpy(row), torch.from_numpy(instant))
        result: NDArray[np.float32] = taken.numpy()
        return result
