"""Draws docs/models.svg: what each part of the default model forecasts, on the bundled weather.

    .venv/bin/python docs/draw_models.py

Trains a small model on the New York sample (about a minute of one core), prints the test errors
of its parts, and draws three cutoffs of the test part.
"""

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from forecast.config.modelling import Model
from forecast.config.training import Training
from forecast.data.panel import Panel, panel_from_frame
from forecast.data.windows.host_windows import collect_actual
from forecast.data.windows.splits import split_windows
from forecast.data.windows.window_index import WindowIndex
from forecast.evaluation.naive_baselines import Naive
from forecast.forecasting.forecaster import Forecaster
from forecast.forecasting.spec import Spec
from forecast.models.strategies.segment import Segment
from forecast.training.fitting import fit_forecaster

CONTEXT, HORIZON, DAY = 168, 24, 24
PAST_SHOWN = 48
STATION = "JFK"
INK, GREY, GREEN, BLUE = "#333333", "#9a9a9a", "#2f8f5b", "#1f6fb4"
TITLES = ("a usual day", "a change of weather", "where all parts miss")


@dataclass(frozen=True)
class Parts:
    """Forecasts (window, step) in °F and what came."""

    actual: np.ndarray
    naive: np.ndarray
    linear: np.ndarray
    together: np.ndarray
    low: np.ndarray
    high: np.ndarray


def main() -> None:
    """Train, print the errors of the parts, draw."""
    torch.set_num_threads(1)
    panel = sample_panel()
    split = split_windows(
        panel, context_length=CONTEXT, horizon=HORIZON, dev="31d", test="29d", calibration="14d"
    )
    spec = Spec(
        CONTEXT, HORIZON, "1h", "America/New_York", ("temp",), panel.past,
        calendar=("hour_of_day", "day_of_year"), season=DAY,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        forecaster = fit_forecaster(
            panel,
            split,
            spec,
            model=Model(hidden_size=64, dropout=0.5, segment_length="6h"),
            training=Training(epochs=8, windows_per_epoch=5000, threads=1),
            metric="mae",
            folder=Path(folder),
        ).forecaster
    chosen = split.test.series == panel.series_ids.index(STATION)
    index = WindowIndex(split.test.series[chosen], split.test.cutoff[chosen])
    parts = forecasts(forecaster, panel, index)
    print(f"MAE in °F at {STATION}, {len(index.cutoff)} test windows of {HORIZON} h:")
    for name in ("naive", "linear", "together"):
        print(f"  {name}: {np.nanmean(np.abs(getattr(parts, name) - parts.actual)):.2f}")
    draw(panel, index, parts)


def sample_panel() -> Panel:
    """Read the bundled weather as a panel."""
    path = ROOT / "forecast" / "data" / "samples" / "nyc_weather.csv.gz"
    frame = pd.read_csv(path, parse_dates=["time_hour"])
    past = ("dewp", "humid", "wind_speed", "pressure")
    frame = frame[["origin", "time_hour", "temp", *past]]
    frame.loc[frame["wind_speed"] > 150, "wind_speed"] = np.nan
    return panel_from_frame(
        frame, frequency="1h", timezone="America/New_York", series="origin",
        timestamp="time_hour", targets=("temp",), past=past,
    )  # fmt: skip


def forecasts(forecaster: Forecaster, panel: Panel, index: WindowIndex) -> Parts:
    """Forecast every window by the parts and by the whole."""
    whole = forecaster.predict(panel, index)
    naive = Naive(HORIZON, DAY).predict(panel, index)
    network = forecaster.network
    assert isinstance(network.model, Segment)
    assert network.model.linear is not None
    windows = forecaster.spec.windows(panel)
    batch = windows.gather(torch.from_numpy(index.series), torch.from_numpy(index.cutoff))
    scaled = network.scaled(batch)
    with torch.inference_mode():
        (rows,) = network.model.linear_rows([scaled])
        scale = network.model.coding.scale(scaled[0][..., :1])
        linear = network.model.linear(rows.features).mT * scale.scale + scale.location
    linear = linear * network.past_scale[:1] + network.past_location[:1]
    return Parts(
        collect_actual(panel, index, horizon=HORIZON)[..., 0],
        naive.point[..., 0],
        linear[..., 0].numpy(),
        whole.point[..., 0],
        whole.quantiles[..., 0, 0],
        whole.quantiles[..., 0, -1],
    )


def three(parts: Parts) -> list[int]:
    """Choose windows: the median error; the largest gain on the naive; the largest error."""
    error = np.abs(parts.together - parts.actual).mean(axis=1)
    gain = np.abs(parts.naive - parts.actual).mean(axis=1) - error
    usual = int(np.argsort(np.nan_to_num(error, nan=np.inf))[np.isfinite(error).sum() // 2])
    return [usual, int(np.nanargmax(gain)), int(np.nanargmax(error))]


def draw(panel: Panel, index: WindowIndex, parts: Parts) -> None:
    """Draw three cutoffs side by side."""
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "models"})
    figure = Figure(figsize=(11, 3.4), layout="constrained")
    all_axes = figure.subplots(1, 3, sharey=True)
    for axes, number, title in zip(all_axes, three(parts), TITLES, strict=True):
        series, cutoff = int(index.series[number]), int(index.cutoff[number])
        before = panel.block(series)[cutoff - PAST_SHOWN : cutoff, 0]
        local = pd.Timestamp(
            panel.grid.time(panel.start[series] + np.array([cutoff - 1]))[0], tz="UTC"
        ).tz_convert("America/New_York")
        one(axes, before, parts, number)
        axes.set_title(f"{title}: {local:%d %b, %H h}", fontsize=10)
    all_axes[0].set_ylabel(f"temperature at {STATION}, °F")
    all_axes[0].legend(frameon=False, fontsize=8, loc="upper right")
    figure.savefig(ROOT / "docs" / "models.svg", metadata={"Date": None}, facecolor="white")


def one(axes: Axes, before: np.ndarray, parts: Parts, number: int) -> None:
    """Draw the past, what came, and the forecasts of one cutoff."""
    ahead = np.arange(1, HORIZON + 1)
    axes.plot(np.arange(-len(before) + 1, 1), before, color=INK, linewidth=1.4)
    axes.plot(ahead, parts.actual[number], color=INK, linestyle=":", label="measured later")
    axes.fill_between(
        ahead, parts.low[number], parts.high[number], color=BLUE, alpha=0.2, linewidth=0
    )
    axes.plot(ahead, parts.naive[number], color=GREY, linewidth=1, label="same hour yesterday")
    axes.plot(ahead, parts.linear[number], color=GREEN, linewidth=1.3, label="linear path")
    axes.plot(ahead, parts.together[number], color=BLUE, linewidth=2, label="together, 80 %")
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.set_xlabel("hours from the cutoff")
    axes.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    main()
