"""Draws docs/forecast.svg: a forecast of the bundled weather, its 80 % band, and what came.

    make quickstart
    .venv/bin/python docs/draw_forecast.py

Uses the champion that the quickstart trained, at a cutoff inside its test part. Trains nothing.
"""

import sys
from pathlib import Path

import matplotlib as mpl
import matplotlib.dates
import pandas as pd
from matplotlib.figure import Figure

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from forecast.config import load_config
from forecast.forecasting.stored_forecasts import read_forecasts
from pipelines.jobs import predict

CUTOFF = pd.Timestamp("2013-12-28T22:00:00Z")
STATION = "JFK"
PAST_SHOWN = pd.Timedelta(days=4)
INK, BLUE = "#333333", "#1f6fb4"


def main() -> None:
    """Forecast, read what came, draw."""
    config = load_config(ROOT / "configs" / "nyc-weather.yaml")
    predict.run(config, cutoff=CUTOFF.isoformat(), first=None, last=None, template=None)
    folder = config.output_folder / f"cutoff={CUTOFF:%Y-%m-%dT%H-%M}Z"
    rows = read_forecasts(folder).to_pandas()
    sample = ROOT / "forecast" / "data" / "samples" / "nyc_weather.csv.gz"
    readings = pd.read_csv(sample, parse_dates=["time_hour"])
    draw(
        rows[rows["unique_id"] == STATION],
        readings[readings["origin"] == STATION].set_index("time_hour")["temp"],
        zone=config.data.timezone,
    )


def draw(forecast: pd.DataFrame, temperature: pd.Series, *, zone: str) -> None:
    """Draw one station: the days before the cutoff, the forecast, what came."""
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "forecast", "timezone": zone})
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    axes = figure.add_subplot()
    past = temperature[CUTOFF - PAST_SHOWN : CUTOFF]
    came = temperature[CUTOFF : forecast["ds"].max()]
    axes.plot(past.index, past, color=INK, linewidth=1.4, label="measured")
    axes.plot(came.index, came, color=INK, linewidth=1.4, linestyle=":", label="measured later")
    axes.fill_between(
        forecast["ds"], forecast["q0.1"], forecast["q0.9"], color=BLUE, alpha=0.22, linewidth=0,
        label="80 % interval",
    )  # fmt: skip
    axes.plot(forecast["ds"], forecast["y_hat"], color=BLUE, linewidth=2, label="forecast")
    axes.axvline(CUTOFF, color=INK, linewidth=0.8)
    axes.set_ylabel(f"temperature at {STATION}, °F")
    axes.xaxis.set_major_locator(mpl.dates.DayLocator(tz=zone))
    axes.xaxis.set_major_formatter(mpl.dates.DateFormatter("%a %d %b", tz=zone))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="upper left", ncols=4)
    figure.savefig(ROOT / "docs" / "forecast.svg", metadata={"Date": None}, facecolor="white")


if __name__ == "__main__":
    main()
