"""What `forecast serve` stands: clients that ask without pause; errors, seconds to answer, memory.

    python benchmarks/serve_load.py [--clients 32] [--seconds 60]

Trains a small model of made readings in a temporary folder, serves it, and lets every client post
the same series' history again and again, each on one connection. Memory is the resident set of the
server after a tenth of the time and at the end. Compares nothing.
"""

import argparse
import http.client
import json
import math
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
FORECAST = [sys.executable, "-m", "pipelines.cli"]
CONFIG = """
name: load
data: {source: readings.csv, frequency: 1h, timezone: UTC, targets: [y]}
windows: {context: 168h, horizon: 24h}
training: {epochs: 1, windows_per_epoch: 1280, accelerator: cpu, threads: 1}
monitor: {max_age: 100000d}
"""
HOURS = 60 * 24
START_S = 120.0


class Answers(NamedTuple):
    """Seconds that each answer took, and what was wrong with the others."""

    seconds: list[float]
    faults: list[str]


def readings() -> list[dict[str, object]]:
    """Return a noisy daily course as records."""
    begin = datetime(2024, 1, 1)  # noqa: DTZ001 - clock time in UTC
    return [
        {
            "unique_id": "a",
            "ds": (begin + timedelta(hours=hour)).isoformat(),
            "y": round(20 + 5 * math.sin(hour * math.tau / 24) + (hour * 7919 % 13) / 13, 3),
        }
        for hour in range(HOURS)
    ]


def ask(port: int, body: str, until: float, answers: Answers) -> None:
    """Post the same history until a time; keep how long each answer took."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    while time.monotonic() < until:
        begin = time.monotonic()
        try:
            connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
        except OSError as error:
            answers.faults.append(type(error).__name__)
            connection.close()
            continue
        if answer.status == 200 and len(json.loads(text)["predictions"]) == 24:
            answers.seconds.append(time.monotonic() - begin)
        else:
            answers.faults.append(f"{answer.status}: {text[:80]!r}")
    connection.close()


def resident_mib(parent: int) -> float:
    """Return the resident memory of a process and all below it."""
    kib, waiting = 0, [parent]
    while waiting:
        process = waiting.pop()
        try:
            status = Path(f"/proc/{process}/status").read_text()
            children = Path(f"/proc/{process}/task/{process}/children").read_text()
        except OSError:
            continue
        found = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")]
        kib += sum(map(int, found))
        waiting += map(int, children.split())
    return kib / 1024


def wait_for(port: int) -> None:
    """Return when the server answers."""
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/ping")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.5)
    sys.exit(f"no answer on port {port} within {START_S:.0f} s")


def load(port: int, server: int, *, clients: int, seconds: float) -> None:
    """Let clients ask for some time; print what came of it."""
    body = json.dumps({"dataframe_records": readings()[-400:]})
    until = time.monotonic() + seconds
    answers = [Answers([], []) for _ in range(clients)]
    threads = [threading.Thread(target=ask, args=(port, body, until, one)) for one in answers]
    for thread in threads:
        thread.start()
    time.sleep(seconds / 10)
    before = resident_mib(server)
    for thread in threads:
        thread.join()
    taken = sorted(second for one in answers for second in one.seconds)
    faults = [fault for one in answers for fault in one.faults]
    print(f"clients  {clients} for {seconds:.0f} s")
    print(f"answers  {len(taken)} ({len(taken) / seconds:.1f}/s), errors {len(faults)}")
    if taken:
        p99 = taken[min(len(taken) - 1, math.ceil(0.99 * len(taken)) - 1)]
        print(
            f"seconds  median {statistics.median(taken):.3f}, p99 {p99:.3f}, most {taken[-1]:.3f}"
        )
    after = resident_mib(server)
    print(f"memory   {before:.0f} MiB after a tenth of the time, {after:.0f} at the end")
    for fault in sorted(set(faults))[:5]:
        print(f"error    {fault} ({faults.count(fault)} times)")


def main() -> None:
    """Train, serve, load, stop."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "run.yaml").write_text(CONFIG)
        rows = [f"{row['ds']},{row['y']}" for row in readings()]
        (folder / "readings.csv").write_text("\n".join(["ds,y", *rows]) + "\n")
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        subprocess.run(
            [*FORECAST, "train", "run.yaml"],
            cwd=folder, env=environment, stdout=subprocess.DEVNULL, check=True,
        )  # fmt: skip
        server = subprocess.Popen(
            [*FORECAST, "serve", "run.yaml", "--port", str(port)],
            cwd=folder, env=environment, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            wait_for(port)
            load(port, server.pid, clients=options.clients, seconds=options.seconds)
        finally:
            server.terminate()
            server.wait(30)


if __name__ == "__main__":
    main()
