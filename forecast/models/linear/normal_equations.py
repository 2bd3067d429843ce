"""Normal equations of ridge regressions, summed over streamed rows and solved in closed form.

Rows are summed and dropped, so memory is (channel, feature, feature + output) whatever their
number. Callers pass windows that are already normalised.

Letters: N rows, C channels, F features, H outputs (steps of the horizon).
"""

from collections.abc import Iterable, Sequence
from functools import reduce
from typing import NamedTuple, Self

import torch
from torch import Tensor

from forecast.models.linear.ridge import Ridge, Spectrum


class Sums(NamedTuple):
    """Sufficient statistics of the rows of a regression, in float64."""

    rows: Tensor  # (channel,) sum of the row weights
    gram: Tensor  # (channel, feature + 1, feature + 1), the last column is 1
    cross: Tensor  # (channel, feature + 1, output)
    power: Tensor  # (channel, output) sum of squared outputs

    def plus(self, other: "Sums") -> "Sums":
        """Add two sums."""
        return Sums(*(mine + its for mine, its in zip(self, other, strict=True)))


EMPTY = Sums(*(torch.zeros(0, dtype=torch.float64) for _ in Sums._fields))


class NormalEquations:
    """The sums that a ridge regression needs, one set per channel, accumulated batch by batch.

    Sums are kept in float64; each batch is multiplied in its own type, so float32 rows are fast
    and float64 rows exact. A row counts for a channel when all its outputs of that channel are
    observed.

    Examples
    --------
    >>> rows = torch.arange(6.0).reshape(6, 1, 1)
    >>> sums = NormalEquations()
    >>> sums.add(rows, 3 * rows + 1)
    >>> fitted = sums.solve(penalty=1e-9)
    >>> [round(fitted.weight.item(), 3), round(fitted.intercept.item(), 3)]
    [3.0, 1.0]
    """

    def __init__(self, sums: Sums = EMPTY) -> None:
        self.sums = sums

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
        sums = Sums(
            counted.square().sum(dim=(0, 2)).double(),
            (rows.transpose(1, 2) @ rows).double(),
            (rows.transpose(1, 2) @ outputs).double(),
            outputs.double().square().sum(dim=1),
        )
        if not self.is_empty and self.sums.cross.shape != sums.cross.shape:
            raise ValueError(
                f"rows of shape {tuple(features.shape)} -> {tuple(target.shape)} do not fit the "
                f"sums so far (channel, feature + 1, output) = {tuple(self.sums.cross.shape)}"
            )
        self.sums = sums if self.is_empty else self.sums.plus(sums)

    @property
    def is_empty(self) -> bool:
        """Whether no row has been added."""
        return self.sums.rows.numel() == 0

    @property
    def has_weight(self) -> bool:
        """Whether a row counts for any channel."""
        return bool((self.sums.rows > 0).any())

    @property
    def channels(self) -> int:
        """Number of regressions."""
        return len(self.sums.rows)

    @property
    def output_count(self) -> float:
        """Number of outputs over all rows and channels, weighted."""
        return float(self.sums.rows.sum()) * self.sums.cross.shape[-1]

    @property
    def power(self) -> float:
        """Weighted sum of the squares of all outputs."""
        return float(self.sums.power.sum())

    @classmethod
    def together(cls, parts: Iterable[Self]) -> Self:
        """Add up several equations."""
        filled = [part.sums for part in parts if not part.is_empty]
        return cls(reduce(Sums.plus, filled) if filled else EMPTY)

    def of_outputs(self, every: int) -> Self:
        """Keep every `every`-th output; the sums over features are shared."""
        rows, gram, cross, power = self.sums
        if self.is_empty:
            return self
        return type(self)(Sums(rows, gram, cross[..., ::every], power[:, ::every]))

    def pooled(self) -> Self:
        """Pool the rows of all channels into one regression."""
        return type(self)(Sums(*(part.sum(dim=0, keepdim=True) for part in self.sums)))

    def solve(self, penalty: float) -> Ridge:
        """Weights that minimise |y - xW - b|^2 + penalty |W|^2; the intercept is free."""
        return self.path([penalty])[0]

    def path(self, penalties: Sequence[float], *, per_row: bool = False) -> list[Ridge]:
        """Fit once per penalty, from one eigendecomposition per channel.

        Parameters
        ----------
        penalties
            Each > 0, as in `Ridge(alpha=...)` of scikit-learn.
        per_row
            Multiply each penalty by the channel's number of rows, so that a penalty means the
            same for short and for long series.

        Raises
        ------
        ValueError
            When a penalty is not positive, or no row has been added.
        """
        if min(penalties) <= 0:
            raise ValueError(f"a ridge penalty must be > 0, found {min(penalties)}")
        spectrum = self.spectrum()
        if not per_row:
            spectrum = spectrum._replace(rows=torch.ones_like(spectrum.rows))
        return [spectrum.ridge(penalty) for penalty in penalties]

    def spectrum(self, root: Tensor | None = None, *, centred: bool = True) -> Spectrum:
        """Decompose the sums.

        Parameters
        ----------
        root
            (feature, axis) R: the weights are RU and |U|^2 is penalised, which gives them the
            prior covariance RR'; a feature whose row is 0 is not read. Identity by default.
        centred
            Whether the regression has an intercept.

        Raises
        ------
        ValueError
            When no row has been added.
        """
        if self.is_empty:
            raise ValueError("no rows were added: nothing to fit a ridge regression to")
        count, gram, cross, _ = self.sums
        count = count.clamp(min=1)
        mean_x = gram[:, -1, :-1] / count[:, None]  # (C, F)
        mean_y = cross[:, -1] / count[:, None]  # (C, H)
        gram, cross = gram[:, :-1, :-1], cross[:, :-1]
        if centred:
            rows = count[:, None, None]
            gram = gram - rows * mean_x[:, :, None] * mean_x[:, None]
            cross = cross - rows * mean_x[:, :, None] * mean_y[:, None]
        else:
            mean_x, mean_y = torch.zeros_like(mean_x), torch.zeros_like(mean_y)
        values, axes = torch.linalg.eigh(gram if root is None else root.mT @ gram @ root)
        if root is not None:
            axes = root @ axes
        return Spectrum(values.clamp(min=0), axes, gram, cross, mean_x, mean_y, count)

    def mean_forecast(self, ridge: Ridge) -> Tensor:
        """Give a regression's weighted mean forecast over all rows, (channel, output)."""
        count, gram, _, _ = self.sums
        mean_x = gram[:, -1, :-1] / count.clamp(min=1e-30)[:, None]
        weight = ridge.weight.to(gram)
        return torch.einsum("cf,cfh->ch", mean_x, weight) + ridge.intercept.to(gram)

    def squared_error(self, ridge: Ridge) -> float:
        """Weighted sum of squared errors of a regression over all rows, channels and outputs.

        The sums suffice: |y - xW|^2 = |y|^2 - 2 W'X'y + W'X'XW.
        """
        return float(self.squared_errors(ridge).sum())

    def squared_errors(self, ridge: Ridge) -> Tensor:
        """Give the sum of squared errors per channel, (channel,)."""
        weight = torch.cat([ridge.weight, ridge.intercept[:, None]], dim=1)  # (C, F+1, H)
        explained = weight * (2 * self.sums.cross - self.sums.gram @ weight)
        return self.sums.power.sum(dim=1) - explained.sum(dim=(1, 2))


def fit_ridge(batches: Iterable[tuple[Tensor, Tensor]], *, penalty: float) -> Ridge:
    """Fit one ridge regression per channel to streamed rows.

    Parameters
    ----------
    batches
        Pairs of features (row, channel, feature) and target (row, channel, output): windows of
        the target normalised by their own location and scale, followed by any covariates.
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
