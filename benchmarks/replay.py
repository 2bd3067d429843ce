"""Replays days of New York weather through `schedule run` with a moved clock, and counts.

    python benchmarks/replay.py --days 7

A first champion is trained for a moment only, on the readings up to the start. Then the clock
jumps from one due run to the next: `predict` every hour, `retrain` once, each a process of its
own that sees only the readings of its time. At the end every due forecast must exist exactly
once, the retrained model must be champion, and a challenger that has not been trained at all
must be refused.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
START = datetime(2013, 12, 5, tzinfo=UTC)  # a Thursday; the retrain is due on Sunday 03:00
CONFIG = ROOT / "configs" / "nyc-weather.yaml"
WEAK = (
    "model.linear.enabled=false",
    "training.epochs=1",
    "training.windows_per_epoch=128",
    "training.learning_rate=1e-6",
)


def run(days: float, folder: Path, sets: tuple[str, ...] = (), retrain: str = "0 3 * * 0") -> dict:
    """Replay in a folder and return what was counted; raises where a count is not what is due."""
    end = START + timedelta(days=days)
    plan = ("schedule.score=null", f"schedule.retrain={retrain}", "schedule.evaluate=null")
    # Weak as the first champion is, any age makes a challenger due.
    # The one metric alone decides: coverage of one winter week says little about a model.
    gate = ("retrain.max_age=1h", "retrain.holdout=7d", "objective.constraints={}")
    common = (*sets, *plan, *gate)
    _forecast(folder, "train", (*common, *WEAK), now=START)
    begun = time.monotonic()
    span = ("--now", START.isoformat(), "--until", end.isoformat())
    log = _forecast(folder, "schedule run", common, *span)
    spent_s = time.monotonic() - begun
    _forecast(folder, "retrain", (*common, *WEAK), "--force", now=end)
    return _count(folder, log, spent_s, days)


def _forecast(
    folder: Path, verb: str, sets: tuple[str, ...], *options: str, now: datetime | None = None
) -> str:
    """Run one command line; return what it printed."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    if now is not None:
        environment["FORECAST_NOW"] = now.isoformat()
    arguments = [part for one in sets for part in ("--set", one)]
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.cli", *verb.split(), str(CONFIG), *arguments, *options],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    (folder / f"{verb.replace(' ', '_')}.log").write_text(done.stdout)
    return done.stdout


def _count(folder: Path, log: str, spent_s: float, days: float) -> dict:
    """Compare what is there with what was due."""
    hours = range(int(24 * days) + 1)
    due = [START + timedelta(hours=hour, minutes=10) for hour in hours]
    due = [one for one in due if one <= START + timedelta(days=days)]
    written = sorted((folder / "forecasts").rglob("cutoff=*"))
    whole = [one for one in written if (one / "_SUCCESS.json").exists()]
    starts = Counter(line.split(": ")[0] for line in log.splitlines() if ": started" in line)
    predicts = {name: count for name, count in starts.items() if name.endswith("predict")}
    expected = {f"{one:%Y-%m-%dT%H:%MZ} predict": 1 for one in due}
    if predicts != expected or len(whole) != len(due):
        raise SystemExit(f"{len(due)} due, {len(predicts)} started, {len(whole)} forecasts written")
    rows = sum(json.loads((one / "_SUCCESS.json").read_text())["rows"] for one in whole)
    return {
        "due": len(due),
        "forecasts": len(whole),
        "rows": rows,
        "retrains": sum(count for name, count in starts.items() if name.endswith("retrain")),
        "retrain": next(line for line in log.splitlines() if "is the champion now" in line),
        "refused": _refusal((folder / "retrain.log").read_text()),
        "minutes": round(spent_s / 60, 1),
    }


def _refusal(log: str) -> str:
    return next(line for line in log.splitlines() if "is refused" in line)


def main() -> None:
    """Read the arguments, replay, print the counts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--days", type=float, default=7)
    parser.add_argument("--folder", type=Path, help="keep everything here")
    parser.add_argument("--set", action="append", default=[], help="as on the command line")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = chosen.folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        for key, value in run(chosen.days, folder, tuple(chosen.set)).items():
            print(f"{key}: {value}")


if __name__ == "__main__":
    main()
