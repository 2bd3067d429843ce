"""GE-18: train, predict and score tasks by the product's defaults; write the table.

python -m benchmarks.gift ett1/H/s       one task
python -m benchmarks.gift                all of them
python -m benchmarks.gift --jobs 8       eight at a time, a process each
"""

import argparse
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .tasks import TASKS


def main() -> int:
    """Measure tasks; returns 1 when one failed."""
    parser = _parser()
    chosen = parser.parse_args()
    names = [*chosen.task, *chosen.tasks] or list(TASKS)
    if unknown := sorted(set(names) - set(TASKS)):
        parser.error(f"no task is called {', '.join(unknown)}; there are {', '.join(TASKS)}")
    threads = chosen.threads or max(1, (os.cpu_count() or 1) // chosen.jobs)
    if len(names) == 1:
        measure(names[0], chosen, threads)
        return 0
    with ThreadPoolExecutor(chosen.jobs) as pool:
        codes = list(pool.map(lambda name: in_own_process(name, chosen, threads), names))
    if not chosen.trial:
        print((chosen.out / "RESULTS.md").read_text())
    return int(any(codes))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("task", nargs="*", metavar="TASK")
    parser.add_argument("--tasks", nargs="+", metavar="TASK", default=[])
    parser.add_argument("--minutes", type=float, help="stop a task that takes longer")
    parser.add_argument("--jobs", type=int, default=1, help="tasks at a time")
    parser.add_argument("--threads", type=int, help="of one task; all cores over jobs unless set")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    parser.add_argument(
        "--trial", action="store_true", help="score the windows before test, write nothing"
    )
    parser.add_argument("--set", action="append", default=[], help="as on the command line")
    return parser


def measure(name: str, chosen: argparse.Namespace, threads: int) -> None:
    """Measure one task in this process and store it."""
    from forecast.training.allocator import keep_freed_memory

    from .results import circumstances, store
    from .run import run

    keep_freed_memory()
    entry = run(TASKS[name], threads=threads, overrides=chosen.set, is_trial=chosen.trial)
    words = ", ".join(
        f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in entry.items()
    )
    print(f"{'TRIAL' if chosen.trial else 'RESULT'} {name} {chosen.set}: {words}", flush=True)
    if not chosen.trial:
        store(chosen.out, name, entry | circumstances() | {"set": chosen.set})


def in_own_process(name: str, chosen: argparse.Namespace, threads: int) -> int:
    """Measure one task in a process of its own; its lines go to `logs/`."""
    log = chosen.out / "logs" / f"{name.replace('/', '-')}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "benchmarks.gift", name, "--threads", str(threads)]
    command += ["--out", str(chosen.out), *(["--trial"] if chosen.trial else [])]
    command += [word for one in chosen.set for word in ("--set", one)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    began = time.perf_counter()
    limit_s = 60 * chosen.minutes if chosen.minutes else None
    with log.open("w") as lines:
        try:
            code = subprocess.run(
                command,
                stdout=lines,
                stderr=subprocess.STDOUT,
                timeout=limit_s,
                check=False,
                env=environment,
            ).returncode
        except subprocess.TimeoutExpired:
            code = 124
    spent = (time.perf_counter() - began) / 60
    result = [line for line in log.read_text().splitlines() if line.startswith(("RESULT", "TRIAL"))]
    shown = result[0] if result else f"FAILED {name}: exit code {code}, see {log}"
    print(f"{shown}; {spent:.1f} minutes in all", flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
