"""How much memory and time the panel takes: preparing, appending a day, gathering batches.

    python benchmarks/panel.py [--rows 5000000] [--series 1000] [--folder DIR]

Generates hourly readings as Parquet files, all series hour by hour (the order that has to be
sorted most), prepares them in a process of its own, adds one day and prepares again; then gathers
batches of 128 windows of 168 + 24 hours. Seconds are those of `prepare` itself, without imports;
memory is the largest resident set of the process. Compares nothing.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
HOUR_NS = 3_600_000_000_000
HOURS_A_FILE = 1000
CONFIG = """
name: panel-benchmark
data: {source: readings, frequency: 1h}
windows: {context: 168, horizon: 24}
"""
BATCH, CONTEXT, HORIZON = 128, 168, 24


def write_hours(path: Path, series: int, first: int, stop: int) -> None:
    """Write the readings of all series at some hours, hour by hour."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    random = np.random.default_rng(first)
    names = pa.array([f"sensor-{number:05d}" for number in range(series)])
    codes = np.tile(np.arange(series, dtype=np.int32), stop - first)
    hours = np.repeat(np.arange(first, stop, dtype=np.int64), series)
    values = 20 + 5 * np.sin(hours * (2 * np.pi / 24)) + random.standard_normal(len(hours))
    table = pa.table(
        {
            "unique_id": pa.DictionaryArray.from_arrays(codes, names),
            "ds": pa.array(hours * HOUR_NS).cast(pa.timestamp("ns", tz="UTC")),
            "y": values.astype(np.float32),
        }
    )
    pq.write_table(table, path)


def prepare(folder: Path) -> dict[str, float]:
    """Run `prepare` in a process of its own; return its seconds and peak memory in MiB."""
    done = subprocess.run(
        [sys.executable, __file__, "--child"],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    *lines, result = done.stdout.splitlines()
    print("\n".join(f"    {line}" for line in lines))
    return json.loads(result)


def child() -> None:
    """Prepare in this process; print the measurements as the last line."""
    from forecast.config import load_config
    from pipelines.steps.prepared_panel import run

    config = load_config("config.yaml")
    start, busy = time.perf_counter(), time.process_time()
    run(config)
    seconds, busy = time.perf_counter() - start, time.process_time() - busy
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "busy": busy, "peak_mib": peak}))


def gather_ms(folder: Path) -> float:
    """Return the median milliseconds of one batch from the panel of a folder."""
    import numpy as np
    import torch

    from forecast.data.panel import open_panel
    from forecast.data.windows.windows import Windows

    panel = open_panel(folder / ".forecast/panel-benchmark/panel")
    calendar = ["hour_of_day", "day_of_year"]
    windows = Windows(panel, context_length=CONTEXT, horizon=HORIZON, calendar=calendar)
    random = np.random.default_rng(0)
    times = []
    for _ in range(300):
        series = random.integers(0, len(panel.length), BATCH)
        cutoff = random.integers(CONTEXT, panel.length[series] - HORIZON)
        pair = torch.from_numpy(series), torch.from_numpy(cutoff)
        start = time.perf_counter()
        windows.gather(*pair)
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times[20:])


def measure(folder: Path, rows: int, series: int) -> None:
    """Measure one size and print a line for each figure."""
    hours = rows // series
    (folder / "readings").mkdir(parents=True)
    (folder / "config.yaml").write_text(CONFIG)
    for first in range(0, hours, HOURS_A_FILE):
        stop = min(first + HOURS_A_FILE, hours)
        write_hours(folder / "readings" / f"hours-{first:07d}.parquet", series, first, stop)
    print(f"{hours * series:,} rows of {series:,} series:")
    built = prepare(folder)
    write_hours(folder / "readings" / f"hours-{hours:07d}.parquet", series, hours, hours + 24)
    longer = prepare(folder)
    for name, cost in (("build", built), ("a day", longer)):
        print(
            f"  {name}   {cost['seconds']:8.2f} s ({cost['busy']:.2f} s of processor)   "
            f"peak {cost['peak_mib']:6.0f} MiB"
        )
    wall, busy = (longer[key] / built[key] for key in ("seconds", "busy"))
    print(f"  a day costs {wall:.2%} of building, {busy:.2%} of its processor time")
    print(f"  gather of {BATCH} x {CONTEXT + HORIZON}: {gather_ms(folder):.2f} ms a batch")


def main() -> None:
    """Measure what the arguments say, and the gather of a small panel."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--series", type=int, default=1000)
    parser.add_argument("--folder", type=Path, default=None, help="where the files go")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child()
        return
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        measure(Path(name) / "small", 30_000, 3)
        measure(Path(name) / "large", arguments.rows, arguments.series)


if __name__ == "__main__":
    main()
