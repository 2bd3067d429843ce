"""Trains a forecaster on a panel and its split, and calibrates it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from forecast.config.modelling import Model
from forecast.config.training import Training
from forecast.data.panel import Panel
from forecast.data.windows.set_apart import set_apart
from forecast.data.windows.splits import Split
from forecast.data.windows.window_index import WindowIndex, thin
from forecast.errors import DataError
from forecast.evaluation.backtest import train_scale
from forecast.forecasting.calibrate import calibrated
from forecast.forecasting.calibration import origins_of
from forecast.forecasting.forecaster import Forecaster
from forecast.forecasting.spec import Spec
from forecast.training.closed_form import fit_linear, fit_trust
from forecast.training.dev import Objective
from forecast.training.fit import FitResult, fit, nothing
from forecast.training.recipe import DEV_SEQUENCES
from forecast.training.start_weights import continue_from, start_from
from forecast.training.untrained import untrained
from forecast.vocabulary import Metric

CALIBRATED_ONCE = (
    "{:,} series are too many to look back on each one's own past at every cutoff: their bands are "
    "those of the calibration"
)


@dataclass(frozen=True)
class Fitted:
    """A forecaster and how it came about.

    Attributes
    ----------
    forecaster
        Calibrated where the split has a calibration part.
    fit
        The learning curve, the best epoch and its score on dev.
    notes
        Lines for a person: what could not be fitted.
    refitted
        The same, trained again on calibration and dev as well; None where that was not asked for.
    """

    forecaster: Forecaster
    fit: FitResult
    notes: tuple[str, ...] = ()
    refitted: Forecaster | None = None

    @property
    def final(self) -> Forecaster:
        """What forecasts from now on. Dev tells nothing of it: it may have been trained on it."""
        return self.refitted or self.forecaster


def fit_forecaster(
    panel: Panel,
    split: Split,
    spec: Spec,
    *,
    model: Model,
    training: Training,
    metric: Metric,
    folder: Path,
    start: Forecaster | None = None,
    on_epoch: Callable[[int, dict[str, float]], None] = nothing,
    on_step: Callable[[int], None] | None = None,
) -> Fitted:
    """Scale, build, train, calibrate.

    Parameters
    ----------
    spec
        What the forecaster shall expect and promise.
    model, training
        Sections of a config.
    metric
        Chooses the epoch, on dev.
    folder
        Of the checkpoints, belonging to exactly this data and these settings.
    start
        A forecaster of the same shape, whose weights the training starts from.

    Raises
    ------
    DataError
        When no window is left to train on or to choose by.
    ModelError
        When the weights to start from are of another shape, or training fails.
    """
    _require_windows(split)
    torch.set_num_threads(training.threads or torch.get_num_threads())
    forecaster, notes = starting(panel, split, spec, model=model, seed=training.seed, start=start)
    train, judges = _judged_by(panel, split, spec)
    result = fit(
        forecaster.network,
        lambda device: forecaster.spec.windows(panel, device),
        train,
        judges,
        settings=training,
        objective=objective_of(metric, panel, split, spec),
        folder=folder,
        on_epoch=on_epoch,
        on_step=on_step,
    )
    result.network.forget_folds()
    trained = replace(forecaster, network=result.network)
    if model.linear.trust:
        fit_trust(trained, panel, split.dev)
    if not origins_of(len(panel.series_ids)):
        notes = (*notes, CALIBRATED_ONCE.format(len(panel.series_ids)))
    return Fitted(with_calibration(trained, panel, split.calibration), result, notes)


def starting(
    panel: Panel,
    split: Split,
    spec: Spec,
    *,
    model: Model,
    seed: int,
    start: Forecaster | None,
) -> tuple[Forecaster, tuple[str, ...]]:
    """Return a forecaster that is ready to be trained, and lines on what could not be fitted."""
    forecaster = untrained(panel, split, spec, model=model, seed=seed, start=start)
    if start is not None:
        continue_from(forecaster, start)
        return forecaster, ()
    notes = fit_linear(forecaster, panel, split, model.linear)
    start_from(forecaster, model.transfer)
    return forecaster, notes


def _judged_by(panel: Panel, split: Split, spec: Spec) -> tuple[WindowIndex, WindowIndex]:
    """Return the windows that are trained on, and those that the epoch is chosen by.

    Dev, and as many windows of stretches of train that are set apart; thinned, they overlap.
    """
    train, held = set_apart(panel, split.train, horizon=spec.horizon, season=spec.season)
    most = max(1, DEV_SEQUENCES // len(spec.targets))
    parts = [thin(index, most=most) for index in (split.dev, held) if len(index.series)]
    return train, WindowIndex(*(np.concatenate(pair) for pair in zip(*parts, strict=True)))


def objective_of(metric: Metric, panel: Panel, split: Split, spec: Spec) -> Objective:
    """Return the metric with what it needs: levels, and each series' seasonal-naive error."""
    scale = None
    if metric == "mase":
        found = train_scale(panel, split.train_end, season=spec.season)
        scale = torch.as_tensor(np.nan_to_num(found))
    return Objective(metric, spec.levels, scale)


def with_calibration(forecaster: Forecaster, panel: Panel, index: WindowIndex) -> Forecaster:
    """Return the forecaster with its quantiles calibrated on windows it was not trained on.

    Not those of classes: an interval cannot be moved on a scale of codes.
    """
    if forecaster.head.name == "categorical":
        return replace(forecaster, calibration=None)
    calibration = calibrated(forecaster, panel, index, series=len(panel.series_ids))
    return replace(forecaster, calibration=calibration)


def _require_windows(split: Split) -> None:
    for name, index in (("train", split.train), ("dev", split.dev)):
        if len(index.series) == 0:
            raise DataError(
                f"split.{name}: no usable window; the readings there are missing, or the series "
                f"are too short. Lower windows.min_observed or windows.context, or set split.{name}"
            )
