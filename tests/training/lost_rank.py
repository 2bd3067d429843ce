"""A training of two processes, one of which is killed at random: how it ends, and goes on.

    python -m tests.training.lost_rank [--runs 20]

Each run must end within a stated time, name the process that was lost, and give the undisturbed
files byte for byte when it is started again.
"""

import argparse
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.conftest import ROOT
from tests.training.ddp_job import Case

CASE = Case(epochs=6)
ENDS_S = 60.0
"""Within so many seconds the others are gone."""


def start(folder, *, log=subprocess.DEVNULL):
    """Start a training of two processes."""
    folder.mkdir(parents=True, exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-m", "tests.training.ddp_job", str(folder), "2", CASE.write()],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=log,
        stderr=log,
    )


def children(pid):
    """Return the ids of the processes that a process started."""
    with contextlib.suppress(OSError):
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def is_there(pid):
    """Whether a process still runs; a zombie does not."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


def both(job, folder, after_epoch):
    """Wait until an epoch is done; return the ids of both processes."""
    until = time.monotonic() + 300
    while time.monotonic() < until and job.poll() is None:
        if after_epoch == 0 and children(job.pid):
            break
        if (folder / "0" / "last.ckpt").exists():
            break
        time.sleep(0.05)
    return [job.pid, *children(job.pid)]


def disturbed(folder, draw, *, how=signal.SIGKILL, victim=None):
    """Kill a process of a training; return its rank, seconds until all are gone, code and log."""
    folder.mkdir(parents=True)
    with (folder / "log").open("w+") as log:
        job = start(folder, log=log)
        ranks = both(job, folder, draw.randrange(2))
        time.sleep(draw.uniform(0, 2))
        rank = draw.randrange(len(ranks)) if victim is None else victim
        began = time.monotonic()
        with contextlib.suppress(OSError):
            os.kill(ranks[rank], how)
        code = None
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = job.wait(2 * ENDS_S)
        while any(map(is_there, ranks)) and time.monotonic() - began < 2 * ENDS_S:
            time.sleep(0.1)
        seconds = time.monotonic() - began
        for pid in ranks:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        log.seek(0)
        return rank, seconds, code, log.read()


def undisturbed(folder):
    """Return what a training leaves that nobody disturbs."""
    assert start(folder).wait(600) == 0
    return (folder / "found.json").read_bytes()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=20)
    runs = parser.parse_args().runs
    faults = 0
    with tempfile.TemporaryDirectory() as base:
        expected = undisturbed(Path(base) / "whole")
        for run in range(runs):
            folder = Path(base) / str(run)
            rank, seconds, code, log = disturbed(folder, random.Random(run))
            again = undisturbed(folder) == expected
            good = seconds < ENDS_S and again and (code == -9 if rank == 0 else code in {0, 1})
            faults += not good
            print(
                f"run {run}: rank {rank} killed, gone after {seconds:.1f} s, exit code {code}, "
                f"the same files: {again}",
                flush=True,
            )
            if not good:
                print(log[-3000:])
    print(f"{runs - faults} of {runs} runs as they should be")
    sys.exit(faults > 0)


if __name__ == "__main__":
    main()
