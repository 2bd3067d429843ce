"""The file of measured results and the table made from it; measures nothing."""

import csv
import fcntl
import json
import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from statistics import geometric_mean
from typing import Any

import torch

from .tasks import TASKS

Entry = dict[str, Any]
HERE = Path(__file__).parent
BESIDE = ("PatchTST", "xLSTM-Mixer", "TiRex", "Chronos-2")
NAIVE = "Seasonal naive"


def published() -> dict[str, dict[str, dict[str, float]]]:
    """MASE and WQL by model and task, as GIFT-Eval's `results/*/all_results.csv` state them."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    with (HERE / "published.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            scores = {"mase": float(row["mase"]), "wql": float(row["wql"])}
            found.setdefault(row["model"], {})[row["task"]] = scores
    return found


def circumstances() -> Entry:
    """Where and when a result was measured, and from which commit."""
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"],
        cwd=HERE,
        capture_output=True,
        text=True,
        check=False,
    )
    model = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        names = [x for x in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in x]
        model = names[0].split(":")[1].strip() if names else model
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return {
        "commit": described.stdout.strip() or "unknown",
        "machine": f"{model}, {os.cpu_count()} cores{gpu}, torch {torch.__version__}",
        "measured": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


def store(folder: Path, task: str, entry: Entry) -> None:
    """Add one result to the folder's `results.json` and write `RESULTS.md` again."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "results.json"
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        results = json.loads(path.read_text()) if path.exists() else {}
        results[task] = entry
        path.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
        (folder / "RESULTS.md").write_text(table(results))


def relative(scores: Mapping[str, float], naive: Mapping[str, float]) -> float:
    """Geometric mean over tasks of a score relative to the seasonal naive's."""
    return geometric_mean([scores[task] / naive[task] for task in scores])


def table(results: Mapping[str, Entry]) -> str:
    """Render all results as Markdown."""
    others = published()
    heads = ["task", "point", "median", "WQL", "raw WQL", "80 % holds (raw)", NAIVE, *BESIDE]
    lines = [
        "# Distributions, measured: GE-18",
        "",
        "Written by `python -m benchmarks.gift`; do not edit. MASE of the point and of the median,",
        "WQL of the delivered quantiles and of the network's own, share of actuals inside the",
        "delivered interval of 80 %, minutes of training; published figures are MASE / WQL.",
        "Nothing was chosen on test.",
        "",
        f"| {' | '.join([*heads, 'minutes'])} |",
        "|---" * (len(heads) + 1) + "|",
    ]
    for task in TASKS:
        entry = results.get(task)
        own = ["-"] * 5 if entry is None else _own(entry)
        beside = [_pair(others[model][task]) for model in (NAIVE, *BESIDE)]
        minutes = "-" if entry is None else f"{entry['minutes']:.1f}"
        lines.append(f"| {' | '.join([task, *own, *beside, minutes])} |")
    lines += ["", *_summary(results, others), "", *_sources(results)]
    return "\n".join(lines) + "\n"


def _own(entry: Entry) -> list[str]:
    return [
        f"{entry['mase_point']:.3f}",
        f"{entry['mase_median']:.3f}",
        f"{entry['wql']:.4f}",
        f"{entry['wql_raw']:.4f}",
        f"{100 * entry['coverage_80']:.1f} ({100 * entry['coverage_80_raw']:.1f})",
    ]


def _pair(scores: Mapping[str, float]) -> str:
    return f"{scores['mase']:.3f} / {scores['wql']:.3f}"


def _summary(
    results: Mapping[str, Entry], others: Mapping[str, Mapping[str, Mapping[str, float]]]
) -> list[str]:
    """Relative scores over the tasks that are measured, ours beside the published ones."""
    done = [task for task in TASKS if task in results]
    if not done:
        return ["Nothing is measured."]
    own = {task: results[task] for task in done}
    naive = {
        key: {task: one[f"naive_{key}"] for task, one in own.items()} for key in ("mase", "wql")
    }
    lines = [
        "Relative to the seasonal naive forecast, geometric mean over the",
        f"{len(done)} of {len(TASKS)} tasks that are measured:",
        "",
        "| | MASE | WQL |",
        "|---|---|---|",
    ]
    rows = {
        "delivered: median, quantiles": ("mase_median", "wql"),
        "point; the network's own quantiles": ("mase_point", "wql_raw"),
    }
    for name, keys in rows.items():
        pair = [
            relative({task: one[key] for task, one in own.items()}, naive[unit])
            for key, unit in zip(keys, naive, strict=True)
        ]
        lines.append(f"| {name} | {pair[0]:.3f} | {pair[1]:.3f} |")
    for model in BESIDE:
        pair = [
            relative(
                {task: others[model][task][key] for task in done},
                {task: others[NAIVE][task][key] for task in done},
            )
            for key in naive
        ]
        lines.append(f"| {model} | {pair[0]:.3f} | {pair[1]:.3f} |")
    return [*lines, "", *_counts(own, others["PatchTST"])]


def _counts(own: Mapping[str, Entry], patch: Mapping[str, Mapping[str, float]]) -> list[str]:
    beaten = sum(
        one["mase_median"] < one["naive_mase"] and one["wql"] < one["naive_wql"]
        for one in own.values()
    )
    better = sum(one["wql"] < patch[task]["wql"] for task, one in own.items())
    held = sum(0.75 <= one["coverage_80"] <= 0.85 for one in own.values())
    unspoilt = sum(one["wql"] <= one["wql_raw"] for one in own.values())
    counts = {
        "median and quantiles both better than the seasonal naive": beaten,
        "WQL better than PatchTST's": better,
        "75 to 85 % inside the interval of 80 %": held,
        "delivered WQL no worse than the network's own": unspoilt,
    }
    return [f"- {what}: {count} of {len(own)}" for what, count in counts.items()]


def _sources(results: Mapping[str, Entry]) -> list[str]:
    """List the commits and machines behind the numbers."""
    lines = [
        f"- {key}: {'; '.join(sorted({entry[key] for entry in results.values()}))}"
        for key in ("machine", "commit")
    ]
    dates = sorted(entry["measured"] for entry in results.values())
    return ["## Where", "", *lines, *([f"- measured: {dates[0]} to {dates[-1]}"] if dates else [])]
