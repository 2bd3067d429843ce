"""Forecasts as a table: one row for every window, target and step."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from forecast.data.panel import Panel
from forecast.data.windows.predictor import Forecast
from forecast.forecasting.arrow_arrays import arrow_of, texts_of
from forecast.forecasting.fallback import join_flags


@dataclass(frozen=True)
class Provenance:
    """Where forecasts come from: part of every row, or of the success file."""

    model_version: str = ""
    run_id: str = ""
    config_fingerprint: str = ""
    data_fingerprint: str = ""
    condition: str = ""  # of what holds only for now, such as which series are stale


def forecast_table(forecast: Forecast, panel: Panel, provenance: Provenance) -> pa.Table:
    """Return forecasts as rows in order of window, target and step."""
    n, horizon, targets = forecast.point.shape
    rows = n * targets * horizon

    def by_row(values: Any) -> Any:
        """Bring (N, H, T) into row order."""
        return np.ascontiguousarray(np.swapaxes(values, 1, 2)).reshape(rows)

    newest = panel.start[forecast.series] + forecast.cutoff - 1  # (N,) grid index of the cutoff
    step = np.arange(1, horizon + 1, dtype=np.int32)
    ds = np.repeat(panel.grid.time(newest[:, None] + step)[:, None], targets, axis=1)
    per_window, one = horizon * targets, np.zeros(rows, np.int64)
    names, place = np.unique(_step_flags(forecast), return_inverse=True)
    columns = {
        "unique_id": texts_of(panel.series_ids, np.repeat(forecast.series, per_window)),
        "ds": _stamps(ds.reshape(rows)),
        "target": texts_of(panel.targets, np.tile(np.repeat(np.arange(targets), horizon), n)),
        "cutoff": _stamps(np.repeat(panel.grid.time(newest), per_window)),
        "step": arrow_of(np.tile(step, n * targets), pa.int32()),
        "y_hat": arrow_of(np.asarray(by_row(forecast.point), np.float32), pa.float32()),
    }
    for position, level in enumerate(forecast.levels):
        values = by_row(forecast.quantiles[..., position])
        columns[f"q{level:g}"] = arrow_of(np.asarray(values, np.float32), pa.float32())
    columns["model_version"] = texts_of([provenance.model_version], one)
    columns["run_id"] = texts_of([provenance.run_id], one)
    columns["flag"] = texts_of(names.tolist(), by_row(place.reshape(forecast.point.shape)))
    return pa.table(columns)


def _step_flags(forecast: Forecast) -> NDArray[np.str_]:
    """Give the flag of each step (N, H, T)."""
    flag = np.repeat(forecast.flag[:, None], forecast.point.shape[1], axis=1)
    if forecast.never is None or not forecast.never.any():
        return flag
    return np.where(forecast.never, join_flags(flag, "never_observed"), flag)


def _stamps(time_ns: Any) -> pa.Array:
    return arrow_of(time_ns // 1000, pa.timestamp("us", tz="UTC"))


def quantile_columns(names: Iterable[object]) -> list[str]:
    """Return the columns that hold quantiles, in their order.

    >>> quantile_columns(["ds", "y_hat", "q0.1", "q0.9", "quality"])
    ['q0.1', 'q0.9']
    """
    return [str(name) for name in names if re.fullmatch(r"q\d[\d.e-]*", str(name))]
