"""`forecast score`: past forecasts against the readings that have arrived, drift, and alerts.

Error and coverage of each step over 7 and 28 days go to two table files and to MLflow; problems are
kept for `retrain`. Running it again on the same readings changes nothing.
"""

from __future__ import annotations

import json
import math
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from forecast.config.duration import duration_s, steps_within
from forecast.data.panel.panel import instant_text
from forecast.errors import DataError, TrackingError
from forecast.forecasting.bundle import read_manifest
from forecast.whole_files import checksum, read_object, set_aside, write_whole
from pipelines.process.alerts import tell
from pipelines.process.clock import minute_text
from pipelines.process.console import say, table
from pipelines.process.lock import run_lock
from pipelines.steps.freshness import cutoff_now
from pipelines.steps.gate import write_findings
from pipelines.steps.prepared_panel import prepare
from pipelines.tracking import find_run, start_run
from pipelines.tracking.last_champion import champion_or_last
from pipelines.tracking.run_origin import work_id

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from forecast.config import Config
    from forecast.data.panel import Panel

SCORES = "scores.parquet"  # sums of every (cutoff, version, target, step); in the work folder
STEPS = "scores_per_step.csv"  # rates of every (span, target, step)
RUN = "score_run.json"  # which scores have gone to MLflow, and to which version's run
SPANS_DAYS = (7.0, 28.0)
LEAST_HORIZONS = 3  # to be scored of each series before drift is judged


class Champion(NamedTuple):
    """The champion, and its scores at training."""

    version: int
    trained_until: str | None
    test_mae: float


class Verdict(NamedTuple):
    """The numbers of the monitor, and the problems among them, in words."""

    numbers: dict[str, float]
    findings: tuple[str, ...]


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
        old = _read(path)
        newest = newest_reading(config, panel)
        scores = update(config, panel, old, newest)
        is_new = old is None or not scores.equals(old)
        champion = _champion(config)
        verdict = judge(config, panel, scores, champion, newest)
        steps = config.work_folder / STEPS
        if is_new or not steps.exists():  # before the scores: once they are there, so is it
            _write(steps, per_step(scores, newest))
        if is_new:
            _write(path, scores)
        write_findings(config.work_folder, champion.version, verdict.findings)
        _show(config, scores, champion, newest)
        _tell(config, verdict.findings)
        _record_or_tell(config, champion, verdict, int(newest.timestamp() // 60))
    return None


def _tell(config: Config, findings: Sequence[str]) -> None:
    """Print the problems, and send those that are new or over."""
    coverage = [one for one in findings if one.startswith("interval drift")]
    drift = [one for one in findings if one not in coverage]
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


def update(
    config: Config, panel: Panel, old: pd.DataFrame | None, newest: pd.Timestamp
) -> pd.DataFrame:
    """Return the table of scores, updated with the readings that have arrived since.

    Cutoffs within `monitor.window` are scored again each time, since readings may arrive late;
    older ones keep their scores.
    """
    from forecast.evaluation.live_scores import COLUMNS, merge_scores, score_forecasts
    from forecast.forecasting.published import SUCCESS
    from forecast.forecasting.stored_forecasts import read_forecasts

    settled = newest - pd.Timedelta(seconds=duration_s(config.monitor.window))
    settled -= config.horizon * pd.Timedelta(seconds=duration_s(config.data.frequency))
    known = set() if old is None else set(old["cutoff"])
    found = []
    for folder in sorted(config.output_folder.glob("cutoff=*")):
        cutoff = _cutoff_of(folder)
        is_due = cutoff < newest and (cutoff >= settled or cutoff not in known)
        if is_due and (folder / SUCCESS).exists() and _is_whole(config, folder):
            found.append(score_forecasts(read_forecasts(folder).to_pandas(), panel))
    some = [one for one in found if len(one)]
    new = pd.concat(some, ignore_index=True) if some else pd.DataFrame(columns=COLUMNS)
    if not len(new):
        return new if old is None else old
    return merge_scores(old, new)


def _is_whole(config: Config, folder: Path) -> bool:
    """Return whether published forecasts are intact; print what is wrong if not."""
    from forecast.forecasting.published import forecast_faults

    faults = forecast_faults(folder)
    if faults:
        cutoff = f"{_cutoff_of(folder):%Y-%m-%dT%H:%MZ}"
        say(
            f"ALERT {config.name}: {folder}: {'; '.join(faults)}; not scored; written again by "
            f"`forecast predict {config.path} --cutoff {cutoff}`",
            error=True,
        )
    return not faults


def _cutoff_of(folder: Path) -> pd.Timestamp:
    """Return the time in a folder's name, `cutoff=2013-12-30T23-00Z`."""
    day, _, clock = folder.name.removeprefix("cutoff=").removesuffix("Z").partition("T")
    try:
        return pd.Timestamp(f"{day}T{clock.replace('-', ':')}", tz="UTC")
    except ValueError as error:
        raise DataError(
            f"{folder}: no cutoff can be read from this name; move the folder elsewhere"
        ) from error


def judge(
    config: Config,
    panel: Panel,
    scores: pd.DataFrame,
    champion: Champion,
    newest: pd.Timestamp,
) -> Verdict:
    """Compare the champion's newest span with its training: error, coverage, inputs."""
    from forecast.evaluation.live_scores import newest_span, rates

    own = scores[scores["model_version"] == str(champion.version)]
    days = duration_s(config.monitor.window) / 86_400
    numbers: dict[str, float] = {}
    for span in (*SPANS_DAYS, days):
        rows = rates(newest_span(own, until=newest, days=span))
        numbers |= {f"live_{name}_{span:g}d": value for name, value in rows.items()}
    seen = rates(newest_span(own, until=newest, days=days))
    trained = champion.test_mae if champion.test_mae > 0 else math.nan  # a part without rain: 0
    numbers["error_ratio"] = seen["mae"] / trained
    numbers |= _psi(config, panel, champion, newest)
    least = LEAST_HORIZONS * config.horizon * len(panel.series_ids)
    findings = _findings(config, numbers, seen if seen["count"] >= least else None, champion)
    numbers["drifted"] = float(bool(findings))
    return Verdict(numbers, findings)


def _findings(
    config: Config,
    numbers: dict[str, float],
    seen: dict[str, float] | None,
    champion: Champion,
) -> tuple[str, ...]:
    """Return what exceeds the limits of `monitor`, in words."""
    monitor, found = config.monitor, []
    who = f"version {champion.version} over {monitor.window}"
    if seen is not None and numbers["error_ratio"] > monitor.max_error_ratio:
        found.append(
            f"error drift: {who} has MAE {seen['mae']:.4g}, {numbers['error_ratio']:.2f} times "
            f"the {champion.test_mae:.4g} at training; monitor.max_error_ratio is "
            f"{monitor.max_error_ratio:g}"
        )
    if seen is not None and seen["coverage_80"] < monitor.min_coverage_80:
        found.append(
            f"interval drift: {who} covers {seen['coverage_80']:.1%} with its 80 % intervals; "
            f"monitor.min_coverage_80 is {monitor.min_coverage_80:g}"
        )
    moved = {k.removeprefix("psi_"): v for k, v in numbers.items() if k.startswith("psi_")}
    for channel, value in moved.items():
        limit = monitor.max_psi or numbers.get(f"limit_psi_{channel}", math.inf)
        if value > limit:
            why = (
                "monitor.max_psi is"
                if monitor.max_psi
                else f"in {1 - monitor.false_alarm_rate:.0%} of past windows it was below"
            )
            found.append(
                f"input drift: {channel} has a population stability index of {value:.2f} against "
                f"the readings before; {why} {limit:.2g}"
            )
    return tuple(found)


def _psi(
    config: Config, panel: Panel, champion: Champion, newest: pd.Timestamp
) -> dict[str, float]:
    """Return each channel's index, the newest span against the readings of the training, and limit.

    The limit is what windows of the same length before it would seldom have passed.
    """
    from forecast.evaluation.drift import channel_psi, index_limits, past_indices, season_changes

    stop = int(panel.grid.index(np.array([newest.value]))[0])
    begin = stop - steps_within(config.monitor.window, panel.grid.frequency) + 1
    end = begin - 1
    if champion.trained_until is not None:
        trained = pd.Timestamp(champion.trained_until).value
        end = min(end, int(panel.grid.index(np.array([trained]))[0]))
    season = config.season
    before = season_changes(panel, season=season, first=int(panel.start.min()), last=end)
    now = season_changes(panel, season=season, first=begin, last=stop)
    if min(len(before), len(now)) < 10 * LEAST_HORIZONS:
        return {}
    names = panel.targets + panel.past
    indices = channel_psi(before, now, names)
    past = past_indices(
        panel, season=season, first=int(panel.start.min()), last=end, length=stop - begin + 1
    )
    limits = dict(zip(names, index_limits(past, rate=config.monitor.false_alarm_rate), strict=True))
    return {f"psi_{name}": value for name, value in indices.items()} | {
        f"limit_psi_{name}": float(value) for name, value in limits.items()
    }


def _champion(config: Config) -> Champion:
    found, unasked = champion_or_last(config)
    if unasked:
        say(f"{unasked}; version {found.version}, the last known champion, is judged", error=True)
    origin = read_manifest(found.path)["origin"]
    error = origin.get("metrics", {}).get("test_mae", math.nan)
    return Champion(found.version, origin.get("data_until"), float(error))


def per_step(scores: pd.DataFrame, newest: pd.Timestamp) -> pd.DataFrame:
    """Return error and coverage of each target and step over 7 and 28 days."""
    from forecast.evaluation.live_scores import newest_span, rates_per_step

    rows = []
    for days in SPANS_DAYS:
        span = newest_span(scores, until=newest, days=days)
        for target in sorted(span["target"].unique()):
            of_target = rates_per_step(span[span["target"] == target])
            rows += [
                {"days": days, "target": target, "step": step, **one}
                for step, one in of_target.items()
            ]
    return pd.DataFrame(rows)


def _show(config: Config, scores: pd.DataFrame, champion: Champion, newest: pd.Timestamp) -> None:
    from forecast.evaluation.live_scores import newest_span, rates

    if not len(scores):
        say(f"{config.output_folder}: no reading has arrived yet for a forecast there")
        return
    rows: list[list[object]] = []
    for days in SPANS_DAYS:
        one = rates(newest_span(scores, until=newest, days=days))
        names = ("mae", "rmse", "bias", "coverage_80", "flagged")
        rows.append([f"{days:g} days", *(one[name] for name in names), int(one["count"])])
    rows.append([f"version {champion.version} at training", champion.test_mae, *[None] * 5])
    columns = ["scored", "MAE", "RMSE", "bias", "80 % covers", "flagged", "values"]
    table(f"{config.name}: forecasts against readings until {minute_text(newest)}", columns, rows)


def _read(path: Path) -> pd.DataFrame | None:
    if not path.exists():
        return None
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:
        aside = set_aside(path)
        say(f"{path}: damaged ({error}); moved to {aside.name}, all is scored anew", error=True)
        return None


def _write(path: Path, frame: pd.DataFrame) -> None:
    """Write a table atomically."""
    buffer = BytesIO()
    if path.suffix == ".csv":
        frame.to_csv(buffer, index=False, float_format="%.6g")
    else:
        frame.to_parquet(buffer, index=False)
    try:
        write_whole(path, buffer.getvalue())
    except OSError as error:
        raise DataError(f"{path}: scores cannot be written ({error.strerror})") from error


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
