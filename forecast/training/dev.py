"""The one metric over all dev windows, in the target's units, exact over batches and ranks.

It is a ratio of two float64 sums, so every window counts once whatever the batch size and the
number of processes.

Letters: B batch, H horizon, T targets, Q quantile levels, S series.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from forecast.data.windows.window_index import WindowIndex
from forecast.data.windows.windows import Batch, Windows, slices
from forecast.models.network import Network
from forecast.vocabulary import Metric


@dataclass(frozen=True)
class Objective:
    """Which metric chooses, and what it needs.

    Attributes
    ----------
    metric
        Its name.
    levels
        Quantile levels of `pinball` and `crps`.
    scale
        (S, T) in-sample seasonal-naive error of each series, for `mase`.
    """

    metric: Metric = "mae"
    levels: tuple[float, ...] = (0.1, 0.5, 0.9)
    scale: Tensor | None = None

    def sums(self, network: Network, batch: Batch, params: Tensor) -> Tensor:
        """Return numerator and denominator of the metric over one batch, float64 (2,)."""
        actual = batch.target.double()
        seen = torch.isfinite(actual)
        if self.metric in {"pinball", "crps"}:
            loss = self._pinball(network, params, batch)
        else:
            loss = self._error(network.point(params, batch).double(), actual, batch)
        if self.metric == "wape":
            weight = actual.abs()
        elif self.metric == "mase":
            weight = (self._scale(batch) > 0).expand_as(actual).double()
        else:
            weight = torch.ones_like(actual)
        zero = torch.zeros_like(actual)
        return torch.stack(
            [torch.where(seen, loss, zero).sum(), torch.where(seen, weight, zero).sum()]
        )

    def score(self, sums: Tensor) -> float:
        """Return the metric from the sums over all batches and ranks; NaN where nothing counts."""
        numerator, denominator = sums.tolist()
        if denominator == 0:
            return float("nan")
        mean = float(numerator / denominator)
        return mean**0.5 if self.metric == "rmse" else mean

    def _error(self, point: Tensor, actual: Tensor, batch: Batch) -> Tensor:
        error = (actual - point).abs()
        match self.metric:
            case "mse" | "rmse":
                return error.square()
            case "smape":  # Makridakis 1993, in percent; 0 against 0 is 0
                return 200.0 * error / (actual.abs() + point.abs()).clamp(min=1e-12)
            case "mase":  # Hyndman & Koehler 2006; series without a scale do not count
                scale = self._scale(batch)
                return torch.where(scale > 0, error / scale.clamp(min=1e-12), 0.0)
            case _:
                return error

    def _pinball(self, network: Network, params: Tensor, batch: Batch) -> Tensor:
        actual = batch.target.double()
        levels = torch.tensor(self.levels, dtype=torch.float64, device=actual.device)
        below = actual[..., None] - network.quantiles(params, self.levels, batch).double()
        loss = torch.maximum(levels * below, (levels - 1) * below).mean(-1)
        return 2.0 * loss if self.metric == "crps" else loss

    def _scale(self, batch: Batch) -> Tensor:
        if self.scale is None:
            raise ValueError("the metric mase needs the scale of each series, (series, target)")
        return self.scale.to(batch.target.device).double()[batch.series][:, None, :]


@dataclass(frozen=True)
class DevSet:
    """The dev windows and how they are scored.

    Attributes
    ----------
    windows, index
        Where the windows are, and which.
    objective
        The one metric.
    batch_size
        Windows of one forward pass; changes no score.
    """

    windows: Windows
    index: WindowIndex
    objective: Objective
    batch_size: int = 128

    def sums(self, network: Network, *, rank: int = 0, world: int = 1) -> Tensor:
        """Return the metric's sums over this rank's share of the windows, (2,) on the CPU."""
        was_training = network.training
        network.eval()
        total = torch.zeros(2, dtype=torch.float64)
        with torch.inference_mode():
            for series, cutoff in slices(self.index, self.batch_size, rank=rank, world=world):
                batch = self.windows.gather(series, cutoff)
                params = network.judged(batch)
                total += self.objective.sums(network, batch, params).cpu()
        network.train(was_training)
        return total
