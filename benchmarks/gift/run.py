"""One task by the product's own jobs: train, predict as delivered, score; chooses nothing on test.

Everything but the table, its frequency and the horizon is the product's default.
"""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forecast.config import Config
from forecast.data.panel import Panel
from forecast.data.windows.predictor import Forecast
from forecast.forecasting.forecaster import Forecaster
from pipelines.steps.experiment import experiment_of, fit_config

from .scores import LEVELS, Truth, coverage, mase, seasonal_naive, truth_of, wql
from .tasks import Task, evaluation_windows, read_panel, window_count

Entry = dict[str, Any]


def config_of(task: Task, panel: Panel, overrides: Sequence[str] = ()) -> Config:
    """Give a task's config: its columns, frequency and horizon, and where its test windows begin.

    `overrides` are `section.key=value` as on the command line.
    """
    import yaml

    values: dict[str, Any] = {
        "name": task.name.replace("/", "-"),
        "data": {"source": task.source, "frequency": task.frequency, "targets": panel.targets},
        "windows": {"horizon": task.horizon},
        "split": {"test": max(2, window_count(task, panel)) * task.horizon},  # two at least
    }
    for override in overrides:
        dotted, _, text = override.partition("=")
        *sections, key = dotted.split(".")
        place = values
        for section in sections:
            place = place.setdefault(section, {})
        place[key] = yaml.safe_load(text)
    return Config.model_validate(values)


def run(
    task: Task, *, threads: int, overrides: Sequence[str] = (), is_trial: bool = False
) -> Entry:
    """Train on what lies before the first window, forecast every window, score.

    Parameters
    ----------
    is_trial
        Whether to do the same one test part earlier, the test windows unseen: what a choice
        between settings may look at.
    """
    panel = read_panel(task)
    if is_trial:
        panel = before(panel, window_count(task, panel) * task.horizon)
    config = config_of(task, panel, (f"training.threads={threads}", *overrides))
    index = evaluation_windows(task, panel)
    truth = truth_of(task, panel, index)
    experiment = experiment_of(config, panel)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        fitted = fit_config(experiment, folder=Path(folder), on_epoch=lambda *_: None)
    trained = time.perf_counter()
    forecaster = fitted.final
    entry = delivered(truth, forecaster.predict(panel, index))
    predicted = time.perf_counter()
    entry |= raw_scores(truth, forecaster, panel, index)
    naive_point, naive_quantiles = seasonal_naive(task, panel, index)
    return entry | {
        "naive_mase": mase(truth, naive_point),
        "naive_wql": wql(truth, naive_quantiles),
        "minutes": (trained - began) / 60,
        "predict_minutes": (predicted - trained) / 60,
        "best_epoch": fitted.fit.best_epoch + 1,
        "epochs": len(fitted.fit.history),
        "is_refitted": fitted.refitted is not None,
        "dev_score": fitted.fit.best_score,
        "context": forecaster.spec.context_length,
        "threads": threads,
        "device": str(forecaster.network.past_scale.device),
    }


def before(panel: Panel, steps: int) -> Panel:
    """Give the panel without the last `steps` of every series."""
    return replace(panel, length=panel.length - steps)


def delivered(truth: Truth, answer: Forecast) -> Entry:
    """Score what `predict` hands out."""
    quantiles = at_levels(answer)
    return {
        "mase_point": mase(truth, answer.point),
        "mase_median": mase(truth, quantiles[..., len(LEVELS) // 2]),
        "wql": wql(truth, quantiles),
        "coverage_80": coverage(truth, quantiles),
    }


def raw_scores(truth: Truth, forecaster: Forecaster, panel: Panel, index: Any) -> Entry:
    """Score the network's own quantiles, without any calibration."""
    quantiles = at_levels(replace(forecaster, calibration=None).predict(panel, index))
    return {
        "mase_median_raw": mase(truth, quantiles[..., len(LEVELS) // 2]),
        "wql_raw": wql(truth, quantiles),
        "coverage_80_raw": coverage(truth, quantiles),
    }


def at_levels(answer: Forecast) -> NDArray[np.float32]:
    """Give the quantiles (N, H, T, 9) at the deciles, out of more.

    Raises
    ------
    ValueError
        When a decile was not forecast.
    """
    places = [int(np.abs(answer.levels - level).argmin()) for level in LEVELS]
    if not np.allclose(answer.levels[places], LEVELS, atol=1e-6):
        raise ValueError(f"deciles are scored; the forecast has the levels {answer.levels}")
    return answer.quantiles[..., places]
