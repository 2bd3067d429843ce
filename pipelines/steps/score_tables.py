"""The tables of scores in the work folder, updated with the readings that have arrived."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import pandas as pd

from forecast.config.duration import duration_s
from forecast.errors import DataError
from forecast.whole_files import set_aside, write_whole
from pipelines.process.console import say
from pipelines.steps.drift_verdict import SPANS_DAYS

if TYPE_CHECKING:
    from pathlib import Path

    from forecast.config import Config
    from forecast.data.panel import Panel

SCORES = "scores.parquet"  # sums of every (cutoff, version, target, step); in the work folder

STEPS = "scores_per_step.csv"  # rates of every (span, target, step)


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

    settled = settled_at(config, newest)
    known = set() if old is None else set(old["cutoff"])
    found = []
    for folder in cutoff_folders(config):
        cutoff = cutoff_of(folder)
        is_due = cutoff < newest and (cutoff >= settled or cutoff not in known)
        if is_due and (folder / SUCCESS).exists() and _is_whole(config, folder):
            found.append(score_forecasts(read_forecasts(folder).to_pandas(), panel))
    some = [scores for scores in found if len(scores)]
    new = pd.concat(some, ignore_index=True) if some else pd.DataFrame(columns=COLUMNS)
    if not len(new):
        return new if old is None else old
    return merge_scores(old, new)


def _is_whole(config: Config, folder: Path) -> bool:
    """Return whether published forecasts are intact; print what is wrong if not."""
    from forecast.forecasting.published import forecast_faults

    faults = forecast_faults(folder)
    if faults:
        cutoff = f"{cutoff_of(folder):%Y-%m-%dT%H:%MZ}"
        say(
            f"ALERT {config.name}: {folder}: {'; '.join(faults)}; not scored; written again by "
            f"`forecast predict {config.path} --cutoff {cutoff}`",
            error=True,
        )
    return not faults


def settled_at(config: Config, newest: pd.Timestamp) -> pd.Timestamp:
    """Return the cutoff before which scores stay as they are, by the newest reading.

    Later ones are scored again each time, since readings may arrive late (`monitor.window`).
    """
    settled = newest - pd.Timedelta(seconds=duration_s(config.monitor.window))
    return settled - config.horizon * pd.Timedelta(seconds=duration_s(config.data.frequency))


def cutoff_folders(config: Config) -> list[Path]:
    """Return the folders of published forecasts, the oldest first."""
    return sorted(config.output_folder.glob("cutoff=*"))


def cutoff_of(folder: Path) -> pd.Timestamp:
    """Return the time in a folder's name, `cutoff=2013-12-30T23-00Z`.

    Raises
    ------
    DataError
        The name holds none.
    """
    day, _, clock = folder.name.removeprefix("cutoff=").removesuffix("Z").partition("T")
    try:
        return pd.Timestamp(f"{day}T{clock.replace('-', ':')}", tz="UTC")
    except ValueError as error:
        raise DataError(
            f"{folder}: no cutoff can be read from this name; move the folder elsewhere"
        ) from error


def per_step(scores: pd.DataFrame, newest: pd.Timestamp) -> pd.DataFrame:
    """Return error and coverage of each target and step over 7 and 28 days."""
    from forecast.evaluation.live_scores import newest_span, rates_per_step

    rows = []
    for days in SPANS_DAYS:
        span = newest_span(scores, until=newest, days=days)
        for target in sorted(span["target"].unique()):
            of_target = rates_per_step(span[span["target"] == target])
            rows += [
                {"days": days, "target": target, "step": step, **rates_of_step}
                for step, rates_of_step in of_target.items()
            ]
    return pd.DataFrame(rows)


def read_scores(path: Path) -> pd.DataFrame | None:
    """Return the table of scores; None without one. A damaged one is set aside."""
    if not path.exists():
        return None
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:
        aside = set_aside(path)
        say(
            f"{path}: damaged ({error}); moved to {aside.name}, everything is scored again",
            error=True,
        )
        return None


def write_scores(path: Path, frame: pd.DataFrame) -> None:
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
