"""The whole config of one run, with checks across sections."""

from pathlib import Path
from typing import Any

from pydantic import Field, PrivateAttr, model_validator

from forecast.config.alert import Alert
from forecast.config.base import Section
from forecast.config.data import Data
from forecast.config.duration import count_steps, duration_s, is_below_day, steps_of_season
from forecast.config.modelling import Model
from forecast.config.objective import Objective
from forecast.config.service import Monitor, Output, Retrain, Schedule, Tracking
from forecast.config.training import Training
from forecast.config.tune import Tune
from forecast.config.windows import Split, Windows
from forecast.errors import ConfigError
from forecast.redaction import HIDDEN, redacted

LONGEST_CONTEXT = 672
"""Longest default context in steps, a week of quarter hours: the time to fit the linear path grows
with its cube."""


class Config(Section):
    """One complete run: data, windows, split, model, training, tracking, output, schedule."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    """Name of the run's work folder, experiment, registered model and forecasts."""
    data: Data
    """Tables and the meaning of their columns."""
    windows: Windows
    """Context and horizon."""
    split: Split = Split()
    """Train, dev and test."""
    model: Model = Model()
    """The forecaster."""
    training: Training = Training()
    """How the weights are trained."""
    objective: Objective = Objective()
    """The metric that models are chosen by, and constraints."""
    tracking: Tracking = Tracking()
    """Where runs and models are recorded."""
    output: Output = Output()
    """Where forecasts go."""
    schedule: Schedule = Schedule()
    """When each job runs."""
    retrain: Retrain = Retrain()
    """When to retrain, and the gate for a new model."""
    monitor: Monitor = Monitor()
    """Thresholds beyond which forecasts or inputs are a problem."""
    alert: Alert = Alert()
    """Who is notified of problems."""
    tune: Tune = Tune()
    """The hyperparameter search."""

    _path: str = PrivateAttr("")
    _templates: dict[str, Any] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _related(self) -> "Config":
        try:
            _ = (self.horizon, self.context_length, self.season)
        except ConfigError as error:
            raise ValueError(str(error)) from error
        if fault := self.model.task_fault(self.context_length, self.horizon):
            raise ValueError(fault)
        for target in self.model.bounds:
            if target not in self.data.targets:
                known = ", ".join(self.data.targets)
                raise ValueError(f"model.bounds: {target!r} is not a target; targets are {known}")
        return self

    @property
    def season(self) -> int:
        """Steps of the main season."""
        data = self.data
        if data.season is not None:
            return count_steps(data.season, data.frequency)
        return steps_of_season(data.frequency)

    @property
    def horizon(self) -> int:
        """Steps of the horizon."""
        return count_steps(self.windows.horizon, self.data.frequency)

    @property
    def context_length(self) -> int:
        """Steps of the context."""
        if self.windows.context is not None:
            return count_steps(self.windows.context, self.data.frequency)
        week = 7 * self.season if is_below_day(self.data.frequency) else 0
        longest = max(3 * self.horizon, week)
        if longest > LONGEST_CONTEXT:  # whole seasons, like most horizons: a segment divides both
            longest = LONGEST_CONTEXT // self.season * self.season
        return max(longest, 2 * self.season)

    @property
    def max_age_s(self) -> int:
        """Seconds after which the newest reading of a series is stale."""
        limit, step = self.monitor.max_age, duration_s(self.data.frequency)
        if isinstance(limit, str):
            return duration_s(limit)
        return step * (self.horizon + 1 if limit is None else limit)

    @property
    def work_folder(self) -> Path:
        """Folder of this run's own state, under the current directory."""
        return Path(".forecast") / self.name

    @property
    def panel_folder(self) -> Path:
        """Folder of the prepared panel."""
        return Path(self.data.panel) if self.data.panel else self.work_folder / "panel"

    @property
    def output_folder(self) -> Path:
        """Folder of the forecast files."""
        return Path(self.output.path) if self.output.path else Path("forecasts") / self.name

    @property
    def path(self) -> str:
        """Path of the file that the config was read from."""
        return self._path

    def resolved(self) -> dict[str, Any]:
        """Return every value, defaults included, as plain types; `${ENV}` texts stay unresolved.

        Runs and bundles store this, so secrets are left out: logins and tokens in addresses are
        hidden, and so are the secrets of `alert`.
        """
        dumped = self.model_dump(mode="json")
        values = {key: redacted(section) for key, section in dumped.items()}
        if self.alert.email is not None and self.alert.email.password is not None:
            values["alert"]["email"]["password"] = HIDDEN  # however short
        for dotted, template in self._templates.items():
            *sections, key = dotted.split(".")
            place = values
            for section in sections:
                place = place[section]
            place[key] = template
        return values
