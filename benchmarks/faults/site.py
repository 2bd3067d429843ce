"""Small sites in several states, and what a site holds once a job has ended; runs nothing itself.

States: `new` has a config and readings, `trained` a champion and a forecast whose readings have
arrived, `two` a second version.
"""

import hashlib
import json
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

NOW = "2024-01-21T00:30:00Z"
ID = re.compile(r"[0-9a-f]{32}")
SPAN = ("--from", "2024-01-18T06:00Z", "--to", "2024-01-18T09:00Z")
FIRST = ("predict", "run.yaml", "--cutoff", "2024-01-18T00:00Z")
TUNE = ("--set", "tune.trials=2", "--set", "tune.hidden_size=[2, 4]")
GATE = ("--set", "retrain.holdout=48h", "--set", "objective.constraints={}")


class Case(NamedTuple):
    """One verb from one state."""

    name: str
    state: str
    arguments: tuple[str, ...]
    again: int = 0
    """Exit code of a rerun that finds everything done."""


CASES = (
    Case("prepare", "new", ("prepare", "run.yaml")),
    Case("train", "new", ("train", "run.yaml")),
    Case("predict", "trained", ("predict", "run.yaml")),
    Case("backfill", "trained", ("predict", "run.yaml", *SPAN)),
    Case("score", "trained", ("score", "run.yaml")),
    Case("evaluate", "trained", ("evaluate", "run.yaml", "--days", "1")),
    Case("tune", "trained", ("tune", "run.yaml", *TUNE)),
    Case("train again", "trained", ("train", "run.yaml", "--set", "training.seed=1")),
    Case("retrain", "trained", ("retrain", "run.yaml", "--force", *GATE)),
    Case("promote", "two", ("promote", "run.yaml", "2")),
    Case("rollback", "crowned", ("promote", "run.yaml", "--rollback"), 4),
)  # fmt: skip
STEPS = (
    ("trained", "new", (("train", "run.yaml"), FIRST)),
    ("two", "trained", (("train", "run.yaml", "--set", "training.seed=1"),)),
    ("crowned", "two", (("promote", "run.yaml", "2"),)),
)  # fmt: skip


def make_states(work: Path, kept: Path, run: Callable[[tuple[str, ...]], int]) -> None:
    """Make every state at `work`, since a store holds absolute paths, and keep a copy of each."""
    from tests.site import write_site

    work.mkdir(parents=True)
    write_site(work)
    keep(work, kept / "new")
    for name, before, calls in STEPS:
        restore(kept / before, work)
        for arguments in calls:
            if code := run(arguments):
                raise RuntimeError(f"{' '.join(arguments)} ended with {code} before any fault")
        keep(work, kept / name)


def keep(work: Path, copy: Path) -> None:
    """Copy a site aside."""
    shutil.copytree(work, copy, symlinks=True)


def restore(copy: Path, work: Path) -> None:
    """Put a kept site in the place of the present one; the folder stays, it may be a disk."""
    for entry in work.iterdir():
        shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    shutil.copytree(copy, work, symlinks=True, dirs_exist_ok=True)


def state(work: Path) -> dict[str, Any]:
    """Return what a site holds, without what differs between two runs of the same job.

    Forecasts, scores and the panel by their bytes; versions, aliases and metrics of the registry;
    and the name of every other file.
    """
    return {
        "forecasts": dict(_forecasts(work / "forecasts")),
        "scores": _digest(work / ".forecast/plant/scores.parquet"),
        "panel": sorted(map(_digest, (work / ".forecast/plant/panel").glob("values-*"))),
        "registry": _registry(work / ".forecast/mlflow.db"),
        "files": sorted(_names(work)),
    }  # fmt: skip


def _forecasts(folder: Path) -> Iterator[tuple[str, Any]]:
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        if path.suffix == ".json":
            said = json.loads(path.read_text())
            yield str(path.relative_to(folder)), said
        else:
            yield str(path.relative_to(folder)), _digest(path)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12] if path.exists() else ""


def _names(work: Path) -> set[str]:
    """Return the names of all files; MLflow's own by their folder only, runs by no name."""
    found = set()
    for path in work.rglob("*"):
        name = ID.sub("ID", str(path.relative_to(work)))
        if path.is_file() and not name.startswith(".forecast/mlartifacts/"):
            name = re.sub(r"checkpoints/[0-9a-f]{12}", "checkpoints/KEY", name)
            found.add(re.sub(r"panel/(\w+)-[0-9a-f]{8}", r"panel/\1-KEY", name))
    return found


def _registry(store: Path) -> dict[str, Any]:
    if not store.exists():
        return {}
    connection = sqlite3.connect(f"file:{store}?mode=ro", uri=True)
    try:
        ask = connection.execute
        return {
            "versions": ask("select name, version from model_versions order by 2").fetchall(),
            "aliases": ask("select alias, version from registered_model_aliases").fetchall(),
            "running": ask("select count(*) from runs where status = 'RUNNING'").fetchone(),
            "finished": ask(
                "select t.value, count(*) from runs r join tags t on t.run_uuid = r.run_uuid "
                "and t.key = 'kind' where r.status = 'FINISHED' group by 1 order by 1"
            ).fetchall(),
            "metrics": ask(
                "select t.value, m.key, m.step, round(m.value, 6) from metrics m "
                "join runs r on r.run_uuid = m.run_uuid and r.status = 'FINISHED' "
                "join tags t on t.run_uuid = r.run_uuid and t.key = 'kind' "
                "where m.key not in ('windows_per_s', 'latency_ms', 'minutes') order by 1, 2, 3, 4"
            ).fetchall(),
        }  # fmt: skip
    finally:
        connection.close()


def differences(found: Any, wanted: Any, place: str = "") -> list[str]:
    """Name every place at which two states differ."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        keys = sorted({*found, *wanted})
        return [
            text
            for key in keys
            for text in differences(found.get(key), wanted.get(key), f"{place}/{key}")
        ]
    if found == wanted:
        return []
    if isinstance(found, list) and isinstance(wanted, list):
        more = [str(one) for one in found if one not in wanted]
        less = [str(one) for one in wanted if one not in found]
        return [f"{place}: more {more[:4]}, less {less[:4]}"]
    return [f"{place}: {str(found)[:80]} in place of {str(wanted)[:80]}"]
