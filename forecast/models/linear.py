"""Ridge regression in closed form, from normal equations summed over streamed rows.

One regression a channel, many outputs at once (every step of the horizon). It never holds the
rows: memory is (channel, feature, feature + output), whatever their number. It does not choose
the features, nor does it scale them: callers bring windows that are already normalised.

Letters: N rows, C channels, F features, H outputs (steps of the horizon).
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Ridge(NamedTuple):
    """A fitted ridge regression for each channel.

    Attributes
    ----------
    weight
        (channel, feature, output).
    intercept
        (channel, output).
    """

    weight: Tensor
    intercept: Tensor

    def predict(self, features: Tensor) -> Tensor:
        """Forecast (row, channel, output) from features (row, channel, feature); NaN counts as 0.

        Raises
        ------
        ValueError
            When the features are not (row, channel, feature) of the fitted sizes.
        """
        if features.ndim != 3 or features.shape[1:] != self.weight.shape[:2]:
            raise ValueError(
                f"features must be (row, channel, feature) with (channel, feature) = "
                f"{tuple(self.weight.shape[:2])}, found {tuple(features.shape)}"
            )
        weight = self.weight.to(features)
        product = torch.einsum("ncf,cfh->nch", torch.nan_to_num(features), weight)
        return product + self.intercept.to(features)


class NormalEquations:
    """The sums that a ridge regression needs, one set a channel, grown batch by batch.

    Sums are kept in float64; each batch is multiplied in its own type, so float32 rows are fast
    and float64 rows exact. A row counts for a channel when all its outputs there are observed.

    Examples
    --------
    >>> rows = torch.arange(6.0).reshape(6, 1, 1)
    >>> sums = NormalEquations()
    >>> sums.add(rows, 3 * rows + 1)
    >>> fitted = sums.solve(penalty=1e-9)
    >>> [round(fitted.weight.item(), 3), round(fitted.intercept.item(), 3)]
    [3.0, 1.0]
    """

    def __init__(self) -> None:
        self.count = torch.zeros(0, dtype=torch.float64)  # (C,) rows that count, by weight
        self._gram = torch.zeros(0, dtype=torch.float64)  # (C, F+1, F+1), last column is 1
        self._cross = torch.zeros(0, dtype=torch.float64)  # (C, F+1, H)

    def add(self, features: Tensor, target: Tensor, weight: Tensor | None = None) -> None:
        """Add rows: features (row, channel, feature), target (row, channel, output).

        A missing feature (NaN) counts as 0, which is the window's own location once it is
        normalised; a row with a missing target is left out of that channel. `weight` (row,
        channel), by default 1, is how much a row's squared error counts.

        Raises
        ------
        ValueError
            When shapes disagree with each other or with the rows added before.
        """
        if features.ndim != 3 or target.ndim != 3 or features.shape[:2] != target.shape[:2]:
            raise ValueError(
                f"features (row, channel, feature) and target (row, channel, output) must agree "
                f"on rows and channels, found {tuple(features.shape)} and {tuple(target.shape)}"
            )
        counted = target.isfinite().all(dim=-1, keepdim=True).to(features.dtype)  # (N, C, 1)
        if weight is not None:
            counted = counted * weight.sqrt().unsqueeze(-1).to(features.dtype)
        rows = torch.cat([torch.nan_to_num(features), torch.ones_like(counted)], dim=-1)
        rows = (rows * counted).transpose(0, 1)  # (C, N, F+1)
        outputs = (torch.nan_to_num(target) * counted).transpose(0, 1)  # (C, N, H)
        gram = (rows.transpose(1, 2) @ rows).double()
        cross = (rows.transpose(1, 2) @ outputs).double()
        if self._gram.numel() == 0:
            self.count = torch.zeros(gram.shape[0], dtype=torch.float64)
            self._gram, self._cross = torch.zeros_like(gram), torch.zeros_like(cross)
        if self._gram.shape != gram.shape or self._cross.shape != cross.shape:
            raise ValueError(
                f"rows of shape {tuple(features.shape)} -> {tuple(target.shape)} do not fit the "
                f"sums so far (channel, feature + 1, output) = {tuple(self._cross.shape)}"
            )
        self.count += counted.square().sum(dim=(0, 2)).double().cpu()
        self._gram += gram
        self._cross += cross

    def solve(self, penalty: float) -> Ridge:
        """Weights that minimise |y - xW - b|^2 + penalty |W|^2; the intercept is free."""
        return self.path([penalty])[0]

    def path(
        self, penalties: Sequence[float], *, per_row: bool = False, first: int = 0
    ) -> list[Ridge]:
        """Fit once for each penalty; one eigendecomposition a channel serves them all.

        Parameters
        ----------
        penalties
            Each > 0, as in `Ridge(alpha=...)` of scikit-learn.
        per_row
            Multiply each penalty by the channel's count of rows, so that a penalty means the
            same on short and on long data.
        first
            Leave out this many leading features, as if they had never been added.

        Raises
        ------
        ValueError
            When a penalty is not positive, or no row was ever added.
        """
        if min(penalties) <= 0:
            raise ValueError(f"a ridge penalty must be > 0, found {min(penalties)}")
        if self._gram.numel() == 0:
            raise ValueError("no rows were added: nothing to fit a ridge regression to")
        count = self.count.clamp(min=1).to(self._gram.device)
        mean_x = self._gram[:, -1, first:-1] / count[:, None]  # (C, F)
        mean_y = self._cross[:, -1] / count[:, None]  # (C, H)
        rows = count[:, None, None]
        gram = self._gram[:, first:-1, first:-1] - rows * mean_x[:, :, None] * mean_x[:, None]
        cross = self._cross[:, first:-1] - rows * mean_x[:, :, None] * mean_y[:, None]
        values, vectors = torch.linalg.eigh(gram)
        rotated = vectors.transpose(1, 2) @ cross  # (C, F, H)
        fits = []
        for penalty in penalties:
            weighted = penalty * (count[:, None] if per_row else torch.ones_like(count)[:, None])
            weight = vectors @ (rotated / (values.clamp(min=0) + weighted)[:, :, None])
            intercept = mean_y - torch.einsum("cf,cfh->ch", mean_x, weight)
            fits.append(Ridge(weight, intercept))
        return fits


def fit_ridge(batches: Iterable[tuple[Tensor, Tensor]], *, penalty: float) -> Ridge:
    """Fit one ridge regression a channel to streamed rows.

    Parameters
    ----------
    batches
        Pairs of features (row, channel, feature) and target (row, channel, output): windows of
        the target divided by their own location and scale, and any covariates behind them.
    penalty
        As in `Ridge(alpha=...)` of scikit-learn: |y - xW - b|^2 + penalty |W|^2.

    Raises
    ------
    ValueError
        When there are no batches, or their shapes disagree.
    """
    sums = NormalEquations()
    for features, target in batches:
        sums.add(features, target)
    return sums.solve(penalty)
