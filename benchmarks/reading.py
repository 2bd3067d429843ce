"""Measures the preparation of a large CSV against pandas reading it once; in one run, in turns.

    python benchmarks/reading.py [--rounds 3]

The table is the household power set below FORECAST_DATA (2.08 million rows, xz), or a generated
one of the same shape. Prints seconds of each round, and the ratio of the medians.
"""

import argparse
import lzma
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1]))

from forecast.config import load_config
from forecast.data.panel import build_panel
from forecast.data.panel.rules import panel_spec
from forecast.data.tables import read_tables

ROOT = Path(__file__).parents[1]
ROWS = 2_075_259
NAME = "household_power/minute_household_power.csv.xz"
COLUMNS = (
    "Date,Time,Global_active_power,Global_reactive_power,Voltage,Global_intensity,"
    "Sub_metering_1,Sub_metering_2,Sub_metering_3"
)


def generate(folder):
    """Write a table of the shape of the household set."""
    generator = np.random.default_rng(0)
    stamps = np.datetime64("2006-12-16T17:24") + np.arange(ROWS).astype("timedelta64[m]")
    frame = pd.DataFrame({"at": stamps})
    frame["Date"], frame["Time"] = (
        frame["at"].dt.strftime("%d/%m/%Y"),
        frame["at"].dt.strftime("%T"),
    )
    for name in COLUMNS.split(",")[2:]:
        frame[name] = np.char.mod("%.3f", generator.gamma(2.0, 1.0, ROWS).round(3))
    frame.loc[1000:26_978, COLUMNS.split(",")[2:]] = "?"
    path = folder / NAME
    path.parent.mkdir(parents=True)
    with lzma.open(path, "wt", preset=0) as file:
        frame.drop(columns="at").to_csv(file, index=False)
    return folder


def pandas_once(path, engine):
    """Return the seconds in which pandas reads the table once."""
    begin = time.perf_counter()
    pd.read_csv(path, engine=engine, na_values=["?"])
    return time.perf_counter() - begin


def prepare_once(config):
    """Return the seconds in which the panel is built, written to disk and opened."""
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        build_panel(read_tables(config.data), folder, spec=panel_spec(config.data))
        return time.perf_counter() - begin


def read_once(config):
    """Return the seconds in which the tables are read to chunks."""
    begin = time.perf_counter()
    for _ in read_tables(config.data):
        pass
    return time.perf_counter() - begin


def main():
    """Measure in turns and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as made:
        folder = Path(os.environ.get("FORECAST_DATA", ROOT.parent / "shared" / "data"))
        if not (folder / NAME).exists():
            print("the household set is not here (FORECAST_DATA); generating one of its shape")
            folder = generate(Path(made))
        config = load_config(
            ROOT / "configs" / "household-power.yaml", environment={"FORECAST_DATA": str(folder)}
        )
        ways = {
            "pandas, engine pyarrow": lambda: pandas_once(folder / NAME, "pyarrow"),
            "pandas, engine c": lambda: pandas_once(folder / NAME, "c"),
            "read to chunks": lambda: read_once(config),
            "prepare (read, grid, write)": lambda: prepare_once(config),
        }
        seconds = {name: [] for name in ways}
        for _ in range(rounds):
            for name, way in ways.items():
                seconds[name].append(way())
    report(seconds)


def report(seconds):
    """Print the seconds of each way and the ratio of preparing to reading."""
    for name, values in seconds.items():
        shown = " ".join(f"{value:.2f}" for value in values)
        print(f"{name:30} {shown}   median {statistics.median(values):.2f} s")
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    fastest = min(value for name, value in medians.items() if name.startswith("pandas"))
    ratio = medians["prepare (read, grid, write)"] / fastest
    print(f"preparing takes {ratio:.2f} times reading once with pandas' fastest engine")


if __name__ == "__main__":
    main()
