"""What many series cost: processor seconds and memory of each step, and how they grow.

    python benchmarks/many_series.py [--series 1000 10000] [--hours 200] [--folder DIR]

Makes N series of seeded hourly readings as one Parquet file, prepares them, trains a tiny model for
a few steps, evaluates it and forecasts all series, each in a process of its own. Processor seconds
are user and system time from process start to end, memory is the largest resident set. Between two
sizes stands the exponent p of cost ~ N^p: 1 is in proportion, and what is paid once lowers it.
Compares nothing.
"""

import argparse
import math
import os
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
FORECAST = [sys.executable, "-m", "pipelines.cli"]
CONFIG = """
name: many-series
data: {source: readings.parquet, frequency: 1h, timezone: UTC, targets: [y]}
windows: {context: 48h, horizon: 24h}
split: {train: 0.6, dev: 0.2, test: 0.2}
model: {kind: direct, hidden_size: 16, dropout: 0.0, linear: {enabled: false}}
training: {epochs: 1, windows_per_epoch: 1280, accelerator: cpu, threads: 1}
monitor: {max_age: 100000d}
output: {path: forecasts}
"""
VERBS = ("prepare", "train", "predict", "evaluate")


class Cost(NamedTuple):
    """Of one process: user and system seconds, largest resident set in MiB."""

    busy_s: float
    peak_mib: float


def write_readings(path: Path, series: int, hours: int) -> None:
    """Write noisy daily courses of a level of each series' own."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    random = np.random.default_rng(series)
    step = np.arange(hours)
    level = 20 + 5 * random.standard_normal((series, 1))
    values = level + 5 * np.sin(2 * np.pi * step / 24) + random.standard_normal((series, hours))
    ids = np.repeat([f"sensor-{number:07d}" for number in range(series)], hours)
    stamps = np.tile(np.datetime64("2024-01-01", "ms") + step.astype("m8[h]"), series)
    pq.write_table(pa.table({"unique_id": ids, "ds": stamps, "y": values.reshape(-1)}), path)


def cost_of(verb: str, folder: Path) -> Cost:
    """Run one verb of the command line in a folder."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [*FORECAST, verb, "config.yaml"],
        cwd=folder,
        env=environment,
        stdout=(folder / f"{verb}.log").open("w"),
        stderr=subprocess.STDOUT,
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit((folder / f"{verb}.log").read_text(encoding="utf-8"))
    return Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def measure(folder: Path, series: int, hours: int, verbs: list[str]) -> dict[str, Cost]:
    """Measure all steps with one number of series, and print a line for each."""
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(CONFIG, encoding="utf-8")
    write_readings(folder / "readings.parquet", series, hours)
    found = {}
    for verb in verbs:
        found[verb] = cost_of(verb, folder)
        busy, peak = found[verb]
        print(f"{series:9,} series  {verb:9} {busy:8.1f} s   peak {peak:6.0f} MiB", flush=True)
    return found


def main() -> None:
    """Measure what the arguments say, then the exponents from each size to the next."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--hours", type=int, default=200)
    parser.add_argument("--verbs", nargs="+", choices=VERBS, default=list(VERBS))
    parser.add_argument("--folder", type=Path, default=None, help="where the files go")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        sizes = sorted(set(arguments.series))
        costs = [measure(Path(name) / str(n), n, arguments.hours, arguments.verbs) for n in sizes]
    for (few, less), (many, more) in pairwise(zip(sizes, costs, strict=True)):
        for verb in arguments.verbs:
            time, space = (
                math.log(high / low) / math.log(many / few)
                for low, high in zip(less[verb], more[verb], strict=True)
            )
            print(f"{few:,} to {many:,}: {verb:9} time ^{time:.2f}, memory ^{space:.2f}")


if __name__ == "__main__":
    main()
