"""Fitted ridge regressions, and the decomposition from which any penalty is cheap to solve.

One regression per channel, with many outputs (every step of the horizon).

Letters: N rows, C channels, F features, H outputs (steps of the horizon).
"""

from collections.abc import Sequence
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

    @classmethod
    def side_by_side(cls, parts: Sequence["Ridge"]) -> "Ridge":
        """Concatenate the outputs of several regressions."""
        return cls(
            torch.cat([part.weight for part in parts], dim=-1),
            torch.cat([part.intercept for part in parts], dim=-1),
        )

    def for_channels(self, count: int) -> "Ridge":
        """Expand the regression of one channel to `count` channels; `count` channels stay."""
        return Ridge(self.weight.expand(count, -1, -1), self.intercept.expand(count, -1))


class Spectrum(NamedTuple):
    """Eigendecomposition of the normal equations, from which any penalty is cheap to solve.

    Attributes
    ----------
    values
        (channel, axis): eigenvalues of (XR)'XR, R the root of the prior.
    axes
        (channel, feature, axis): R times the eigenvectors.
    gram, cross
        (channel, feature, feature) and (channel, feature, output): X'X and X'y.
    mean_x, mean_y
        (channel, feature) and (channel, output): what X and y are centred by.
    rows
        (channel,) sum of the row weights.
    """

    values: Tensor
    axes: Tensor
    gram: Tensor
    cross: Tensor
    mean_x: Tensor
    mean_y: Tensor
    rows: Tensor

    def ridge(self, penalty: float, *, toward: Ridge | None = None) -> Ridge:
        """Minimise |y - xW - b|^2 / rows + penalty |U|^2, with W = V + RU.

        V are the weights of `toward`, or 0: each channel is shrunk toward `toward`, and the penalty
        sets how strongly. With the regression pooled over all channels as `toward`, it sets how
        similar the channels are.
        """
        left = self.cross if toward is None else self.cross - self.gram @ toward.weight
        moved = (self.axes.mT @ left) / (self.values + penalty * self.rows[:, None])[..., None]
        weight = self.axes @ moved
        if toward is not None:
            weight = toward.weight + weight
        return Ridge(weight, self.mean_y - torch.einsum("cf,cfh->ch", self.mean_x, weight))
