"""The eighteen tasks: their tables as panels, their windows as GIFT-Eval cuts them; trains nothing.

A task ends with min(20, ceil(0.1 n / horizon)) windows that do not overlap, n the steps of the
shortest series (Aksu et al. 2024, GIFT-Eval, `data.py`); all before the first is train and dev.
"""

import math
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from forecast.data.panel import Panel, panel_from_frame
from forecast.data.windows.window_index import WindowIndex

MOST_WINDOWS = 20
ORIGIN = pd.Timestamp("2016-07-01")  # of series whose files hold no times


@dataclass(frozen=True)
class Task:
    """One task.

    Attributes
    ----------
    name
        Data set, frequency, term: as the published table has it.
    source
        Data set.
    frequency
        Of a step.
    horizon
        Steps.
    season
        Steps of the season of MASE and of the seasonal naive forecast.
    windows
        How many; None for the rule.
    """

    name: str
    source: str
    frequency: str
    horizon: int
    season: int
    windows: int | None = None


def _tasks() -> dict[str, Task]:
    terms = {"s": 1, "m": 10, "l": 15}
    found = []
    for source in ("ett1", "ett2"):
        for text, frequency, season in (("15T", "15min", 96), ("H", "1h", 24)):
            for term, times in terms.items():
                name = f"{source}/{text}/{term}"
                found.append(Task(name, source, frequency, 48 * times, season))
        found.append(Task(f"{source}/D/s", source, "1d", 30, 1))
    for term, times in terms.items():
        found.append(Task(f"jena/10T/{term}", "jena", "10min", 48 * times, 144))
    found.append(Task("m4_hourly", "m4_hourly", "1h", 48, 24, windows=1))
    return {task.name: task for task in found}


TASKS = _tasks()


def folder() -> Path:
    """Where the data sets lie."""
    return Path(os.environ.get("FORECAST_DATA", "../shared/data"))


def read_panel(task: Task) -> Panel:
    """Read a task's whole table, in the values' own units; test windows are its end."""
    frame = _m4() if task.source == "m4_hourly" else _table(task.source)
    if task.source.startswith("ett") and task.frequency != "15min":
        # GIFT-Eval takes the mean of whole blocks of quarter hours, not the published hourly table
        frame = _block_means(frame, {"1h": 4, "1d": 96}[task.frequency])
    targets = [name for name in frame.columns if name not in {"ds", "unique_id"}]
    return panel_from_frame(frame, frequency=task.frequency, targets=targets)


def _block_means(frame: pd.DataFrame, rows: int) -> pd.DataFrame:
    """Average every whole block of rows; it is as of its first row's time."""
    count = len(frame) // rows
    values = frame.drop(columns="ds").iloc[: count * rows]
    means = values.groupby(np.arange(count * rows) // rows).mean()
    return means.assign(ds=frame["ds"].iloc[: count * rows : rows].to_numpy())


@cache
def _table(source: str) -> pd.DataFrame:
    """Read one series of several targets; Jena keeps -9999 as a value, and its rows are counted."""
    if source == "jena":
        path = folder() / "jena_weather_2020/weather.csv.gz"
        frame = pd.read_csv(path, encoding_errors="replace")
        frame["date"] = pd.date_range(frame["date"].iloc[0], periods=len(frame), freq="10min")
    else:
        frame = pd.read_csv(folder() / "ett" / f"ETTm{source[-1]}.csv.gz")
        frame["date"] = pd.to_datetime(frame["date"])
    return frame.rename(columns={"date": "ds"})


def _m4() -> pd.DataFrame:
    """Read the 414 series, made to end together: the files hold no times."""
    parts = [
        pd.read_csv(folder() / "m4_hourly" / f"Hourly-{part}.csv", index_col=0)
        for part in ("train", "test")
    ]
    rows = [
        np.concatenate([values[np.isfinite(values)] for values in pair])
        for pair in zip(*(part.to_numpy(np.float64) for part in parts), strict=True)
    ]
    most = max(map(len, rows))
    times = pd.date_range(ORIGIN, periods=most, freq="1h")
    return pd.concat(
        [
            pd.DataFrame({"unique_id": name, "ds": times[most - len(row) :], "y": row})
            for name, row in zip(parts[0].index, rows, strict=True)
        ],
        ignore_index=True,
    )


def window_count(task: Task, panel: Panel) -> int:
    """Count a task's test windows.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> [window_count(TASKS[f"ett1/H/{term}"], SimpleNamespace(length=np.array([17_420])))
    ...  for term in "sml"]
    [20, 4, 3]
    """
    if task.windows is not None:
        return task.windows
    return min(MOST_WINDOWS, math.ceil(0.1 * int(panel.length.min()) / task.horizon))


def evaluation_windows(task: Task, panel: Panel) -> WindowIndex:
    """Give the windows of every series, oldest first."""
    count = window_count(task, panel)
    back = task.horizon * np.arange(count, 0, -1, dtype=np.int64)
    series = np.repeat(np.arange(len(panel.length), dtype=np.int64), count)
    return WindowIndex(series, (panel.length[:, None] - back).ravel())
