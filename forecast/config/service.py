"""The sections on tracking, output, schedule, retraining and monitoring."""

import re
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from forecast.config.base import Number, Section
from forecast.config.duration import ClockDuration, Duration

LONGEST_NAME = 200  # of a model or an experiment; every store takes that many


class Tracking(Section):
    """Where runs and models are recorded."""

    uri: str | None = None
    """MLflow tracking URI; a local SQLite store `.forecast/mlflow.db` unless set."""
    experiment: str | None = None
    """Experiment; the config's name unless set."""
    model_name: str | None = None
    """Registered model; the config's name unless set."""

    @field_validator("model_name", "experiment")
    @classmethod
    def _storable(cls, value: str | None, info: ValidationInfo) -> str | None:
        """Refuse before a training what MLflow refuses after it, or cannot search for."""
        banned = r"[^\w .+-]" if info.field_name == "model_name" else r"[\x00-\x1f\x7f'\"`\\]"
        if value is None:
            return None
        if not value.strip() or value != value.strip() or len(value) > LONGEST_NAME:
            raise ValueError(f"write 1 to {LONGEST_NAME} characters, no blanks at the ends")
        if wrong := sorted(set(re.findall(banned, value))):
            raise ValueError(
                f"{' '.join(map(ascii, wrong))} cannot be in the name of a registered model or "
                "an experiment; use letters, digits, blanks and . _ -"
            )
        return value


class Output(Section):
    """Where forecasts go."""

    path: str | None = None
    """Folder of the forecast files; `forecasts/<name>` unless set."""
    format: Literal["parquet", "csv"] = "parquet"
    """Format of the files."""
    spreadsheet_safe: bool = False
    """Whether ids in CSV that begin with `=`, `+`, `-`, `@` or an apostrophe get an apostrophe in
    front, so that no spreadsheet takes them for formulas."""


class Schedule(Section):
    """When each job runs: cron expressions (minute hour day month weekday)."""

    predict: str | None = None
    """When to forecast."""
    score: str | None = None
    """When to score past forecasts against the readings that arrived."""
    retrain: str | None = None
    """When to look whether to retrain."""
    evaluate: str | None = None
    """When to backtest the champion."""
    timezone: str | None = None
    """Zone of the expressions; that of the data unless set."""
    catch_up: ClockDuration = "7d"
    """Runs missed for longer than this are not made up for."""
    time_limit: ClockDuration = "12h"
    """A job that `schedule run` started and that runs longer is stopped and has failed: a job that
    hangs must not hold up the next."""

    @field_validator("predict", "score", "retrain", "evaluate")
    @classmethod
    def _five_fields(cls, value: str | None) -> str | None:
        if value is None:
            return None
        from croniter import croniter

        if len(value.split()) != 5 or not croniter.is_valid(value):
            raise ValueError('not a cron expression of five fields, such as "10 * * * *"')
        return value


class Retrain(Section):
    """When a challenger is trained and what it must show to become champion."""

    max_age: ClockDuration = "30d"
    """Age of the champion after which a challenger is trained (arXiv 2506.05776)."""
    holdout: Duration = "7d"
    """Newest windows on which champion and challenger are compared."""
    min_improvement: Number = Field(0.01, ge=0, lt=1)
    """Share by which the one metric must improve: less is not worth forecasts that change."""
    max_p_value: Number = Field(0.1, gt=0, le=1)
    """Chance of such a lead between models that are equally good, at most; an equal one does no
    harm, so that one in ten may pass. 1 compares the means alone."""
    init: Literal["scratch", "champion"] = "scratch"
    """Where the challenger's weights start."""


class Monitor(Section):
    """What counts as trouble once forecasts meet readings."""

    window: ClockDuration = "28d"
    """Span of scored forecasts that is looked at."""
    max_error_ratio: Number = Field(1.5, gt=0)
    """Error of that span over the error at training time, above which the model has drifted."""
    false_alarm_rate: Number = Field(0.05, gt=0, lt=1)
    """Share of windows of the past that would have been called input drift; limits follow from
    them. One in twenty windows of four weeks is less than one false alarm a year."""
    max_psi: Number | None = Field(None, gt=0)
    """Population stability index of a channel, above which its inputs have drifted; a limit for
    each channel by its own past unless set."""
    min_coverage_80: Number = Field(0.7, ge=0, le=1)
    """Realised coverage of the 80 % interval, below which intervals have drifted."""
    max_age: Duration | None = None
    """Age of a series' newest reading, by the clock, above which its forecasts are flagged `stale`;
    a horizon and a step unless set: older, and every step of the forecast is already over."""
    allow_no_champion: bool = False
    """Whether `predict` exits with 0 where there is no champion, and a seasonal naive forecast is
    written in its place; by default it is written, and the exit code says what is missing."""
