"""`forecast score`: past forecasts against the readings that have arrived, drift, and alerts.

Error and coverage of each step over 7 and 28 days go to two table files and to MLflow; problems are
kept for `retrain`. Running it again on the same readings changes nothing.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import pandas as pd

from forecast.data.panel.panel import instant_text
from forecast.errors import TrackingError
from forecast.forecasting.bundle import read_manifest
from forecast.whole_files import checksum, read_object, write_whole
from pipelines.process.alerts import tell
from pipelines.process.clock import minute_text
from pipelines.process.console import say, table
from pipelines.process.lock import run_lock
from pipelines.steps.drift_verdict import SPANS_DAYS, Champion, Verdict, judge
from pipelines.steps.freshness import cutoff_now
from pipelines.steps.gate import write_findings
from pipelines.steps.prepared_panel import prepare
from pipelines.steps.score_tables import SCORES, STEPS, per_step, read_scores, update, write_scores
from pipelines.tracking import find_run, start_run
from pipelines.tracking.last_champion import champion_or_last
from pipelines.tracking.run_origin import work_id

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from forecast.config import Config
    from forecast.data.panel import Panel

RUN = "score_run.json"  # which scores have gone to MLflow, and to which version's run


def run(config: Config) -> int | None:
    """Score forecasts whose readings have arrived, judge the champion, and report.

    Drift is not an error: it is reported and kept for `retrain`, and the exit code stays 0.

    Raises
    ------
    DataError
        The tables, the panel or the forecasts cannot be read, or the scores cannot be written.
    ModelError
        There is no champion, or its bundle is damaged.
    TrackingError
        The tracking store cannot be reached, and no champion is known.
    LockError
        Another `score` of this config runs.
    """
    with run_lock(config.work_folder, "score", file="score.lock"):
        panel = prepare(config)
        path = config.work_folder / SCORES
        old = read_scores(path)
        newest = newest_reading(config, panel)
        scores = update(config, panel, old, newest)
        is_new = old is None or not scores.equals(old)
        champion = _champion(config)
        verdict = judge(config, panel, scores, champion, newest)
        steps = config.work_folder / STEPS
        if is_new or not steps.exists():  # before the scores: once they are there, so is it
            write_scores(steps, per_step(scores, newest))
        if is_new:
            write_scores(path, scores)
        write_findings(config.work_folder, champion.version, verdict.findings)
        _show(config, scores, champion, newest)
        _tell(config, verdict.findings)
        _record_or_tell(config, champion, verdict, int(newest.timestamp() // 60))
    return None


def _tell(config: Config, findings: Sequence[str]) -> None:
    """Print the problems, and send those that are new or over."""
    coverage = [finding for finding in findings if finding.startswith("interval drift")]
    drift = [finding for finding in findings if finding not in coverage]
    for finding in findings:
        say(f"ALERT {config.name}: {finding}")
    tell(config, "drifted", "; ".join(drift) or None)
    tell(config, "coverage", "; ".join(coverage) or None)


def _record_or_tell(config: Config, champion: Champion, verdict: Verdict, step: int) -> None:
    """Log to MLflow; if it is unavailable, the next run logs what is in the tables."""
    try:
        _record(config, champion, verdict, step)
    except TrackingError as cause:
        say(f"{config.name}: not recorded yet; the next score will do it: {cause}", error=True)


def newest_reading(config: Config, panel: Panel) -> pd.Timestamp:
    """Return the time of the newest reading that enough series have."""
    return pd.Timestamp(instant_text(panel, cutoff_now(config, panel)))


def _champion(config: Config) -> Champion:
    found, unasked = champion_or_last(config)
    if unasked:
        say(f"{unasked}; version {found.version}, the last known champion, is judged", error=True)
    origin = read_manifest(found.path)["origin"]
    error = origin.get("metrics", {}).get("test_mae", math.nan)
    return Champion(found.version, origin.get("data_until"), float(error))


def _show(config: Config, scores: pd.DataFrame, champion: Champion, newest: pd.Timestamp) -> None:
    from forecast.evaluation.live_scores import newest_span, rates

    if not len(scores):
        say(f"{config.output_folder}: no reading has arrived yet for a forecast there")
        return
    rows: list[list[object]] = []
    for days in SPANS_DAYS:
        numbers = rates(newest_span(scores, until=newest, days=days))
        names = ("mae", "rmse", "bias", "coverage_80", "flagged")
        rows.append([f"{days:g} days", *(numbers[name] for name in names), int(numbers["count"])])
    rows.append([f"version {champion.version} at training", champion.test_mae, *[None] * 5])
    columns = ["scored", "MAE", "RMSE", "bias", "80 % covers", "flagged", "values"]
    table(f"{config.name}: forecasts against readings until {minute_text(newest)}", columns, rows)


def _record(config: Config, champion: Champion, verdict: Verdict, step: int) -> None:
    """Log the numbers to the version's own run, against the time of the newest reading.

    Each state of the tables is logged once; if a run is killed after it has written the tables, the
    next one logs them.
    """
    kept = _recorded(config.work_folder / RUN)
    scores = checksum(config.work_folder / SCORES)
    if kept.get("scores") == scores:
        return
    run_id = kept["run_id"] if kept.get("version") == champion.version else None
    if not kept:  # the first scores, or the file was damaged
        run_id = find_run(
            config,
            {
                "kind": "score",
                "model_version": champion.version,
                "work_folder": work_id(config.work_folder),
            },
        )
    finite = {name: v for name, v in verdict.numbers.items() if math.isfinite(v)}
    with start_run(config, kind="score", run_id=run_id) as tracked:
        tracked.set_tags({"model_version": champion.version, "drift": _said(verdict.findings)})
        tracked.log_step(step, finite)
        tracked.log_file(config.work_folder / STEPS)
        content = {"version": champion.version, "run_id": tracked.run_id, "scores": scores}
    write_whole(config.work_folder / RUN, json.dumps(content))


def _recorded(path: Path) -> dict[str, Any]:
    """Return what was recorded last; empty if that is unknown."""
    try:
        return read_object(path)
    except (OSError, ValueError):
        return {}


def _said(findings: Sequence[str]) -> str:
    return "; ".join(findings) or "none"
