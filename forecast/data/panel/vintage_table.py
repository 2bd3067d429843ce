"""Vintages as tensors: many rows at many instants in one gather."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from forecast.data.panel.vintages import Vintages


class VintageTable:
    """Vintages as tensors, for gathering many rows at many instants at once."""

    def __init__(self, vintages: Vintages, device: str | torch.device = "cpu") -> None:
        self._indptr = torch.from_numpy(vintages.indptr).to(device)
        self._known = torch.from_numpy(vintages.available_at).to(device)
        self._values = torch.from_numpy(vintages.values).to(device)
        self._halvings = vintages.most_versions.bit_length()

    def take(self, row: Tensor, known_at: Tensor) -> Tensor:
        """Newest version of each row known by its instant, (..., channels); NaN where none was.

        A binary search over all rows at once.

        Parameters
        ----------
        row, known_at : (...) int64
        """
        first = self._indptr[row]
        low, high = first, self._indptr[row + 1]
        last = max(len(self._known) - 1, 0)
        for _ in range(self._halvings):  # low: versions known so far end at or behind it
            middle = (low + high) // 2
            is_known = (middle < high) & (self._known[middle.clamp(max=last)] <= known_at)
            low = torch.where(is_known, middle + 1, low)
            high = torch.where(is_known, high, middle)
        version = (low - 1).clamp(min=0)
        taken = self._values.index_select(0, version.reshape(-1)).reshape(*row.shape, -1)
        return taken.masked_fill_((low == first)[..., None], torch.nan)
