"""Past forecasts against the readings that arrived: sums for each cutoff, target and step.

Sums add up over any span: error and coverage of a week or a month follow from one addition.
`pipelines/jobs/score.py` reads the forecast files, stores the sums and judges them.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from forecast.data.panel import Panel

KEYS = ["cutoff", "model_version", "target", "step"]
SUMS = ["count", "abs_error", "squared_error", "error", "banded", "inside_80", "flagged"]
COLUMNS = [*KEYS, "ds", *SUMS]


def score_forecasts(forecasts: pd.DataFrame, panel: Panel) -> pd.DataFrame:
    """Return the sums of every (cutoff, model version, target, step) whose actual is known.

    Parameters
    ----------
    forecasts
        Rows of forecast files: unique_id, ds, target, cutoff, step, y_hat, model_version, flag,
        and q0.1, q0.9 where quantiles were forecast.
    panel
        The readings; forecasts of series and targets that it lacks are left out.
    """
    actual = lookup(panel, forecasts["unique_id"], forecasts["ds"], forecasts["target"])
    point = forecasts["y_hat"].to_numpy(np.float64)
    seen = np.isfinite(actual) & np.isfinite(point)
    error = np.where(seen, point - actual, 0.0)
    banded, inside = np.zeros(len(seen), bool), np.zeros(len(seen), bool)
    if {"q0.1", "q0.9"} <= set(forecasts.columns):
        low, high = (forecasts[name].to_numpy(np.float64) for name in ("q0.1", "q0.9"))
        banded = seen & np.isfinite(low) & np.isfinite(high)
        inside = banded & (low <= actual) & (actual <= high)
    rows = forecasts[[*KEYS, "ds"]].assign(
        count=seen.astype(np.int64),
        abs_error=np.abs(error),
        squared_error=error**2,
        error=error,
        banded=banded.astype(np.int64),
        inside_80=inside.astype(np.int64),
        flagged=(seen & (forecasts["flag"].to_numpy(str) != "")).astype(np.int64),
    )
    sums: pd.DataFrame = rows[seen].groupby([*KEYS, "ds"], as_index=False, sort=True)[SUMS].sum()
    return sums[COLUMNS]


def lookup(panel: Panel, unique_id: Any, ds: Any, target: Any) -> NDArray[np.float64]:
    """Return the reading of each (series, time, target); NaN where there is none."""
    place = {name: k for k, name in enumerate(panel.series_ids)}
    column = {name: k for k, name in enumerate(panel.targets)}
    series = pd.Series(unique_id).map(place).fillna(-1).to_numpy(np.int64)
    channel = pd.Series(target).map(column).fillna(-1).to_numpy(np.int64)
    time_ns = pd.DatetimeIndex(ds).as_unit("ns").asi8
    step = panel.grid.index(time_ns) - panel.start[series]
    known = (series >= 0) & (channel >= 0) & (step >= 0) & (step < panel.length[series])
    row = np.where(known, panel.offset[series] + step, 0)
    return np.where(known, panel.values[row, np.maximum(channel, 0)], np.nan)


def merge_scores(old: pd.DataFrame | None, new: pd.DataFrame) -> pd.DataFrame:
    """Return both tables as one; a cutoff in `new` replaces the same cutoff in `old`."""
    if old is not None and len(old):
        kept = old[~old["cutoff"].isin(new["cutoff"].unique())]
        new = pd.concat([kept, new], ignore_index=True) if len(kept) else new
    return new.sort_values(KEYS, kind="stable", ignore_index=True)


def newest_span(scores: pd.DataFrame, *, until: pd.Timestamp, days: float) -> pd.DataFrame:
    """Return the rows whose target time lies in the `days` up to and including `until`."""
    begin = until - pd.Timedelta(days=days)
    return scores[(scores["ds"] > begin) & (scores["ds"] <= until)]


def rates(sums: pd.DataFrame) -> dict[str, float]:
    """Return mae, rmse, bias, coverage_80, flagged share and count of rows; NaN when empty."""
    total = sums[SUMS].sum()
    count, banded = float(total["count"]), float(total["banded"])
    nan = float("nan")
    return {
        "mae": float(total["abs_error"]) / count if count else nan,
        "rmse": (float(total["squared_error"]) / count) ** 0.5 if count else nan,
        "bias": float(total["error"]) / count if count else nan,
        "coverage_80": float(total["inside_80"]) / banded if banded else nan,
        "flagged": float(total["flagged"]) / count if count else nan,
        "count": count,
    }


def rates_per_step(sums: pd.DataFrame) -> dict[int, dict[str, float]]:
    """Return `rates` for each step that has rows, in order."""
    steps = sorted(sums["step"].unique().tolist())
    return {step: rates(sums[sums["step"] == step]) for step in steps}
