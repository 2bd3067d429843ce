"""The benchmark tables as panels in train-standardised units; trains nothing.

Protocol: ETT 12/4/4 months of 30 days, Weather 70/10/20 %, the scaler fitted on the train part,
windows at every step of dev and test, none dropped; a context may reach back over a border.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from forecast.data.panel import Panel, panel_from_frame
from forecast.data.windows.scaling import fit_scaler
from forecast.data.windows.window_index import WindowIndex


@dataclass(frozen=True)
class Row:
    """One row of the table: its data, its lengths, and what it shall reach."""

    name: str
    source: str
    horizon: int
    context: int
    normalization: str
    goals: dict[str, float]
    seeds: int = 1
    refit: bool = False  # after the choice, on train and dev, as the competition's entries were


ROWS = {
    row.name: row
    for row in (
        Row("ETTh1-96", "ETTh1", 96, 720, "last", {"mse": 0.354, "lstm_mse": 0.360}, 3),
        Row("ETTh1-720", "ETTh1", 720, 720, "last", {"mse": 0.432}),
        Row("ETTh2-96", "ETTh2", 96, 720, "last", {"mse": 0.2685}, 3),
        Row("ETTh2-720", "ETTh2", 720, 720, "last", {"mse": 0.390}),
        Row("ETTm1-96", "ETTm1", 96, 672, "last", {"mse": 0.281}),
        Row("ETTm2-96", "ETTm2", 96, 672, "last", {"mse": 0.158}),
        Row("Weather-96", "Weather", 96, 720, "mean_std", {"mse": 0.145, "mae": 0.191}, 3),
        Row("Weather-720", "Weather", 720, 720, "mean_std", {"mse": 0.316}),
        Row("M4-Hourly", "M4", 48, 336, "last", {"owa": 0.390}, refit=True),
    )
}


@dataclass(frozen=True)
class Table:
    """A panel in train-standardised units, and the borders of its parts."""

    panel: Panel
    borders: NDArray[np.int64]  # (series, 3): end of train, dev and test, in steps
    day: int  # steps of a day
    calendar: tuple[str, ...] = ("hour_of_day",)

    def index(self, part: str, *, context: int, horizon: int) -> WindowIndex:
        """Every window whose target lies inside "train", "dev" or "test"."""
        series, cutoffs = [], []
        for number, (train, dev, test) in enumerate(self.borders):
            first = {"train": context, "dev": train, "test": dev}[part]
            last = {"train": train, "dev": dev, "test": test}[part] - horizon
            cutoffs.append(np.arange(first, last + 1, dtype=np.int64))
            series.append(np.full(len(cutoffs[-1]), number))
        return WindowIndex(np.concatenate(series), np.concatenate(cutoffs))


def folder() -> Path:
    """Where the data sets lie."""
    return Path(os.environ.get("FORECAST_DATA", "../shared/data"))


def read_table(source: str) -> Table:
    """Read a benchmark table; Weather keeps its -9999 sentinels, as published."""
    if source == "Weather":
        frame = pd.read_csv(
            folder() / "jena_weather_2020/weather.csv.gz", encoding_errors="replace"
        )
        count = len(frame)
        train, test = int(count * 0.7), int(count * 0.2)
        borders, frequency, day = (train, count - test, count), "10min", 144
        # The published benchmark counts rows: a doubled and nine missing stamps do not shift it.
        frame["date"] = pd.date_range(frame["date"].iloc[0], periods=count, freq=frequency)
    else:
        suffix = ".csv" if source.startswith("ETTh") else ".csv.gz"
        frame = pd.read_csv(folder() / "ett" / f"{source}{suffix}")
        hour = 1 if source.startswith("ETTh") else 4
        months = 30 * 24 * hour
        borders, day = (12 * months, 16 * months, 20 * months), 24 * hour
        frequency = "1h" if hour == 1 else "15min"
    frame = frame.iloc[: borders[-1]].rename(columns={"date": "ds"})
    frame["ds"] = pd.to_datetime(frame["ds"])
    frame["unique_id"] = source
    targets = tuple(name for name in frame.columns if name not in {"ds", "unique_id"})
    panel = panel_from_frame(frame, frequency=frequency, targets=targets)
    return Table(standardised(panel, borders[0]), np.array([borders]), day)


def standardised(panel: Panel, train_end: int) -> Panel:
    """Put a panel of one series into units of its train part."""
    scaler = fit_scaler(panel, np.array([train_end]))
    values = (np.asarray(panel.values) - scaler.location) / scaler.scale
    return replace(panel, values=values.astype(np.float32))


def as_tensors(index: WindowIndex) -> tuple[torch.Tensor, torch.Tensor]:
    """Series and cutoffs as torch reads them."""
    return torch.from_numpy(index.series), torch.from_numpy(index.cutoff)
