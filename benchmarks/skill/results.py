"""The file of measured results and the table made from it; measures nothing."""

import fcntl
import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean
from typing import Any

from .tables import ROWS, Row

Entry = dict[str, Any]
COLUMNS = ("lstm", "ridge", "both", "mean of seeds")
HEADING = (
    "| row | context | LSTM alone | ridge alone | together | mean of the seeds' forecasts "
    "| goal | seeds | minutes (CPU) | trained weights |"
)


def circumstances() -> Entry:
    """Where and when a result was measured, and from which commit."""
    here = Path(__file__).parent
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"],
        cwd=here,
        capture_output=True,
        text=True,
        check=False,
    )
    model = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        names = [x for x in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in x]
        model = names[0].split(":")[1].strip() if names else model
    return {
        "commit": described.stdout.strip() or "unknown",
        "machine": f"{model}, {os.cpu_count()} cores, 1 thread used",
        "measured": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


def store(path: Path, row: str, column: str, seed: str, entry: Entry) -> None:
    """Add one result to the file and write the table again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        results = json.loads(path.read_text()) if path.exists() else {}
        results.setdefault(row, {}).setdefault(column, {})[seed] = entry
        path.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
        path.with_name("RESULTS.md").write_text(table(results))
    path.with_suffix(".lock").unlink(missing_ok=True)


def table(results: dict[str, Any]) -> str:
    """Render all results as Markdown."""
    lines = [
        "# Forecast skill, measured",
        "",
        "Written by `python -m benchmarks.skill`; do not edit. MSE (MAE) on train-standardised",
        "test data, stride 1, no window dropped; every choice made on dev windows. Mean over the",
        "seeds, with the smallest and largest where there are several. M4: OWA (sMAPE, MASE) by",
        "the competition's formulas. Minutes are of one seed's training, wall clock and CPU time.",
        "",
        HEADING,
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, row in ROWS.items():
        columns = results.get(name, {})
        cells = [_cell(row, columns.get(column, {})) for column in COLUMNS]
        both = list(columns.get("both", {}).values())
        goal = ", ".join(f"{key} ≤ {value}" for key, value in row.goals.items())
        minutes = "-"
        if both:
            cpu = fmean(entry["cpu_minutes"] for entry in both)
            minutes = f"{fmean(entry['minutes'] for entry in both):.1f} ({cpu:.1f})"
        weights = f"{both[0]['weights'] / 1000:.0f} k" if both else "-"
        context = both[0]["context"] if both else "-"
        lines.append(
            f"| {name} | {context} | {' | '.join(cells)} | {goal} | {len(both) or '-'} "
            f"| {minutes} | {weights} |"
        )
    lines += ["", *_coverage(results), *_sources(results)]
    return "\n".join(lines) + "\n"


def _cell(row: Row, seeds: dict[str, Entry]) -> str:
    """Mean over seeds with the spread."""
    if not seeds:
        return "-"
    first, *others = ("owa", "smape", "mase") if row.source == "M4" else ("mse", "mae")
    entries = list(seeds.values())
    values = [entry[first] for entry in entries]
    text = f"{fmean(values):.4f}"
    if len(values) > 1:
        text += f" [{min(values):.4f}, {max(values):.4f}]"
    beside = ", ".join(f"{fmean(entry[key] for entry in entries):.3f}" for key in others)
    return f"{text} ({beside})"


def _coverage(results: dict[str, Any]) -> list[str]:
    rows = [
        (name, entry)
        for name in ROWS
        for entry in results.get(name, {}).get("intervals", {}).values()
    ]
    if not rows:
        return []
    lines = [
        "## Intervals",
        "",
        "Rolling, adaptive intervals on the point forecast over the last 1,000 scored origins, per",
        "channel and step: share of test actuals inside, in percent, and the outermost channels.",
        "",
        "| row | nominal 90 | channels | nominal 80 | channels |",
        "|---|---|---|---|---|",
    ]
    for name, entry in rows:
        cells = []
        for share in (90, 80):
            least, most = (entry[f"coverage_{share}_{end}_channel"] for end in ("least", "most"))
            cells += [f"{entry[f'coverage_{share}']:.1f}", f"{least:.1f} to {most:.1f}"]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return [*lines, ""]


def _sources(results: dict[str, Any]) -> list[str]:
    """List the commits and machines behind the numbers."""
    entries = [
        entry for row in results.values() for column in row.values() for entry in column.values()
    ]
    lines = ["## Where", ""]
    lines += [
        f"- {key}: {'; '.join(sorted({entry[key] for entry in entries}))}"
        for key in ("machine", "commit")
    ]
    dates = sorted(entry["measured"] for entry in entries)
    return [*lines, f"- measured: {dates[0]} to {dates[-1]}" if dates else "- measured: nothing"]
