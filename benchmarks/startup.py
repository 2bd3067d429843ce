"""How long a person waits: `forecast --help`, and `forecast predict` from process start to files.

    python benchmarks/startup.py

Trains a small model on the bundled weather in a temporary folder first. Wall-clock seconds, the
median of several runs after one that warms the file cache. Compares nothing.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FORECAST = [sys.executable, "-m", "pipelines.cli"]
SMALL = [
    *("--set", "training.epochs=1", "--set", "training.windows_per_epoch=512"),
    *("--set", "model.hidden_size=16", "--set", "model.linear.enabled=false"),
]


def run_s(arguments: list[str], folder: Path) -> float:
    """Run the command line once; return its seconds from process start to its end."""
    start = time.perf_counter()
    subprocess.run(
        [*FORECAST, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return time.perf_counter() - start


def median_s(arguments: list[str], folder: Path, *, runs: int) -> float:
    """Return the median of several runs after a warm one."""
    run_s(arguments, folder)
    return statistics.median(run_s(arguments, folder) for _ in range(runs))


def main() -> None:
    """Measure and print one line each."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print(f"forecast --help                {median_s(['--help'], folder, runs=9):6.2f} s")
        run_s(["init"], folder)
        run_s(["train", "forecast.yaml", *SMALL], folder)
        predict = median_s(["predict", "forecast.yaml"], folder, runs=5)
        print(f"forecast predict, 3 series     {predict:6.2f} s")


if __name__ == "__main__":
    main()
