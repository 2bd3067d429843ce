"""The whole training of an experiment: fitted, calibrated, and refitted where that is due."""

from __future__ import annotations

from typing import TYPE_CHECKING

from forecast.training.fit import nothing
from forecast.training.fitting import fit_forecaster
from forecast.training.refit import is_due, refitted

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from forecast.forecasting.experiment import Experiment
    from forecast.forecasting.forecaster import Forecaster
    from forecast.training.fitting import Fitted


def fit_experiment(
    experiment: Experiment,
    folder: Path,
    *,
    start: Forecaster | None = None,
    on_epoch: Callable[[int, dict[str, float]], None] = nothing,
    on_step: Callable[[int], None] | None = None,
) -> Fitted:
    """Train, calibrate, refit where due; continues what an earlier run left in `folder`.

    Raises
    ------
    DataError, ModelError
        As `fit_forecaster`.
    """
    config = experiment.config
    fitted = fit_forecaster(
        experiment.panel,
        experiment.split,
        experiment.spec,
        model=config.model,
        training=config.training,
        metric=config.objective.metric,
        folder=folder,
        start=start,
        on_epoch=on_epoch,
        on_step=on_step,
    )
    if not is_due(experiment):
        return fitted
    return refitted(fitted, experiment, folder=folder / "refit", start=start)
