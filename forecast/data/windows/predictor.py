"""The interface of every predictor, network or baseline, and its result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from forecast.data.panel import Panel
    from forecast.data.windows.window_index import WindowIndex


@dataclass(frozen=True)
class Forecast:
    """Forecasts of N windows over H steps and T targets, in raw units.

    Parameters
    ----------
    series, cutoff : (N,) int64
        Position of the series in the panel, and the number of its steps used.
    point : (N, H, T) float32
    quantiles : (N, H, T, Q) float32
        Sorted along the last axis.
    levels : (Q,) float64
        Quantile levels, ascending.
    flag : (N, T) str
        Empty, or what a user should know of the forecast, such as `no_history`.
    never : (N, H, T) bool, optional
        Forecast steps whose phase of the season never had a reading before the cutoff.
    """

    series: NDArray[np.int64]
    cutoff: NDArray[np.int64]
    point: NDArray[np.float32]
    quantiles: NDArray[np.float32]
    levels: NDArray[np.float64]
    flag: NDArray[np.str_]
    never: NDArray[np.bool_] | None = None


class Predictor(Protocol):
    """Anything that forecasts windows of a panel."""

    def predict(self, panel: Panel, index: WindowIndex, *, batch_size: int = 128) -> Forecast:
        """Forecast every window of the index, in its order."""
        ...
