"""`forecast evaluate`: rolling backtest of a model against baselines, with diagnosis and report.

The windows are those of the test part by default.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from forecast.config.duration import steps_within
from forecast.errors import ConfigError, DataError
from forecast.evaluation.beside import MODEL, SEASONAL
from forecast.text import better_by
from pipelines.pages.evaluation_page import Findings, figures_of, page_of
from pipelines.process.console import say, table
from pipelines.process.lock import run_lock
from pipelines.process.moments import grid_index
from pipelines.steps.experiment import experiment_of
from pipelines.steps.freshness import cutoff_now
from pipelines.steps.prepared_panel import prepare
from pipelines.tracking import champion_bundle, start_run

if TYPE_CHECKING:
    from pathlib import Path

    from forecast.config import Config
    from forecast.data.windows.window_index import WindowIndex
    from forecast.evaluation.backtest import Backtest
    from forecast.forecasting.experiment import Experiment
    from forecast.forecasting.forecaster import Forecaster

MOST_WINDOWS = 2_000  # of a part, evenly spaced: enough to compare its error with the other parts'
MOST_VALUES = 5_000_000  # forecast at once, by each predictor: about 200 MB with nine quantiles
SCORES = ("mae", "rmse", "mase", "coverage_80")


class Subject(NamedTuple):
    """The model under evaluation and its name in reports."""

    forecaster: Forecaster
    name: str


def run(
    config: Config,
    *,
    days: int | None = None,
    first: str | None = None,
    last: str | None = None,
    version: str | None = None,
    bundle: Path | None = None,
) -> int | None:
    """Backtest the champion, another version or a bundle; print the scores, write the report.

    Parameters
    ----------
    days
        Every cutoff of the newest days instead of the test part.
    first, last
        First and last cutoff instead; local time of the data unless with an offset.
    version
        Registered version instead of the champion.
    bundle
        Folder of a bundle instead of a registered model.

    Raises
    ------
    ConfigError
        Options that exclude each other, or cutoffs outside the readings.
    DataError
        The tables or the panel cannot be read, or the report cannot be written.
    ModelError
        There is no such model, or its bundle is damaged or does not fit the data.
    TrackingError
        The tracking store cannot be reached.
    LockError
        Another evaluation of this config runs.
    """
    with run_lock(config.work_folder, "evaluate", file="evaluate.lock"):
        panel = prepare(config)
        experiment = experiment_of(config, panel)
        config = experiment.config
        index = _affordable(config, _origins(experiment, (days, first, last)))
        subject = _subject(config, version, bundle)
        _warn_of_seen(experiment, index)
        findings = evaluate(experiment, subject, index)
        _show(config, findings)
        folder = config.work_folder / "evaluation"
        _record(config, findings, folder)
    say(f"report {folder / 'report.html'}; worst windows to label {folder / 'worst.csv'}")
    return None


def evaluate(experiment: Experiment, subject: Subject, index: WindowIndex) -> Findings:
    """Return the backtest with the errors of all parts and the worst windows."""
    from forecast.data.windows.window_index import thin
    from forecast.evaluation.backtest import run_backtest, score_table
    from forecast.evaluation.beside import simple_forecasts
    from forecast.evaluation.diagnosis import PARTS, worst_windows

    config, panel, split = experiment.config, experiment.panel, experiment.split
    predictors = simple_forecasts(experiment)

    def backtest(windows: WindowIndex, names: tuple[str, ...]) -> Backtest:
        beside = {name: predictors[name] for name in names}
        return run_backtest(
            panel,
            windows,
            {MODEL: subject.forecaster, **beside},
            horizon=config.horizon,
            season=config.season,
            train_end=split.train_end,
        )

    whole = backtest(index, tuple(predictors))
    parts = {
        part: backtest(thin(getattr(split, part), most=MOST_WINDOWS), (SEASONAL,))
        for part in PARTS
        if len(getattr(split, part).series)
    }
    scores = score_table(whole)
    worst = worst_windows(whole, model=MODEL, naive=SEASONAL)
    return Findings(config, panel, subject.name, whole, scores, parts, worst)


def _affordable(config: Config, index: WindowIndex) -> WindowIndex:
    """Return as many evenly spaced windows as fit into memory; print it if that is not all."""
    from forecast.data.windows.window_index import thin

    most = max(1, MOST_VALUES // (config.horizon * len(config.data.targets)))
    if len(index.series) > most:
        say(f"{len(index.series):,} windows are too many: {most:,} evenly spaced ones are taken")
    return thin(index, most=most)


def _subject(config: Config, version: str | None, bundle: Path | None) -> Subject:
    from forecast.forecasting.forecaster import Forecaster

    if bundle is not None:
        if version is not None:
            raise ConfigError("--version and --bundle exclude each other; give one of them")
        return Subject(Forecaster.load(bundle), f"bundle {bundle}")
    if version is not None and not version.isdigit():
        raise ConfigError(f"--version {version!r} is not a version number; write it like 3")
    found = champion_bundle(config, None if version is None else int(version))
    return Subject(Forecaster.load(found.path), f"version {found.version}")


def _origins(
    experiment: Experiment, asked: tuple[int | None, str | None, str | None]
) -> WindowIndex:
    """Return the requested windows: the test part, the newest days, or a span of cutoffs."""
    from forecast.data.windows.splits import rolling_origins

    days, first, last = asked
    if days is None and first is None and last is None:
        return experiment.split.test
    config, panel = experiment.config, experiment.panel
    if days is not None and (first or last):
        raise ConfigError("--days and --from/--to exclude each other; give one of them")
    if days is not None and days < 1:
        raise ConfigError(f"--days {days}: at least one day is needed")
    newest = cutoff_now(config, panel) - config.horizon
    stop = newest if last is None else grid_index(config, panel, last)
    if days is not None:
        begin = stop - steps_within(f"{days}d", panel.grid.frequency) + 1
    else:
        begin = int(panel.start.min()) if first is None else grid_index(config, panel, first)
    index = rolling_origins(panel, horizon=config.horizon, first=begin, last=stop)
    if not len(index.series):
        raise DataError(
            f"no series has readings behind a cutoff from {first or f'{days} days ago'} to "
            f"{last or 'the newest'}; choose cutoffs within the readings"
        )
    return index


def _warn_of_seen(experiment: Experiment, index: WindowIndex) -> None:
    """Print how many of the windows the model or its choices may have been fitted on."""
    stop = int(experiment.split.spans["test"][:, 0].min())
    seen = int((experiment.panel.start[index.series] + index.cutoff < stop).sum())
    if seen:
        say(
            f"warning: {seen} of {len(index.series)} windows forecast readings before the test "
            "part, which training or choices may have seen; their error flatters the model",
            error=True,
        )


def _show(config: Config, findings: Findings) -> None:
    """Print every predictor's scores, and what they mean."""
    scores = findings.scores
    own = scores[MODEL]["mae"]
    rows = [
        [
            findings.subject if name == MODEL else name,
            *(numbers.get(score, math.nan) for score in SCORES),
            "" if name == MODEL else better_by(own, numbers["mae"]),
        ]
        for name, numbers in scores.items()
    ]
    title = f"{config.name}: {findings.span()}"
    table(title, ["forecast", "MAE", "RMSE", "MASE", "80 % covers", "model better by"], rows)
    for text in findings.readings():
        say(text)


def _record(config: Config, findings: Findings, folder: Path) -> None:
    """Write report and worst windows; log them, scores and figures to one run."""
    from forecast.evaluation.diagnosis import write_worst

    drawn = figures_of(findings)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_worst(folder / "worst.csv", findings.worst)
        (folder / "report.html").write_text(page_of(findings, drawn), encoding="utf-8")
    except OSError as error:
        raise DataError(f"{folder}: the report cannot be written ({error.strerror})") from error
    numbers = {
        f"backtest_{name.replace(' ', '_')}_{score}"
        if name != MODEL
        else f"backtest_{score}": value
        for name, numbers in findings.scores.items()
        for score, value in numbers.items()
        if np.isfinite(value)
    }
    with start_run(config, kind="evaluate") as tracked:
        tracked.log_metrics({_metric(name): value for name, value in numbers.items()})
        tracked.set_tags({"subject": findings.subject, "windows": len(findings.whole.actual)})
        for name, (_, figure) in drawn.items():
            tracked.log_figure(name, figure)
        tracked.log_file(folder / "report.html")
        tracked.log_file(folder / "worst.csv")


def _metric(name: str) -> str:
    return name.replace(" ", "_")
