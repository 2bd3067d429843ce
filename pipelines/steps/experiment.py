"""Steps that jobs which fit models share: from a config to split, spec and trained forecaster."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from forecast.forecasting import from_config
from forecast.forecasting.experiment import Experiment
from forecast.ranks import rank
from forecast.whole_files import read_object, write_whole
from pipelines.process.console import is_terminal, progress, say

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pandas as pd

    from forecast.config import Config
    from forecast.data.panel import Panel
    from forecast.data.windows.splits import Split
    from forecast.forecasting.forecaster import Forecaster
    from forecast.training.fitting import Fitted


RUN = "run.json"  # in a checkpoint folder: the MLflow run of the training


def experiment_of(config: Config, panel: Panel) -> Experiment:
    """Divide the panel as the config says; print what is shortened, enlarged or too small."""
    config = with_context(config, panel)
    return Experiment(config, panel, split_of(config, panel))


def split_of(config: Config, panel: Panel) -> Split:
    """Return the config's split of the panel; print which parts were enlarged or are too small."""
    split = from_config.split_of(config, panel)
    if rank() == 0:
        for note in split.notes:
            say(note)
        for warning in split.warnings:
            say(f"warning: {warning}", error=True)
    return split


def with_context(config: Config, panel: Panel) -> Config:
    """Return the config with a context that the readings can fill; print it if that shortens it."""
    found = from_config.with_context(config, panel)
    if found is not config and rank() == 0:
        say(
            f"windows.context: {found.context_length} steps, a quarter of the readings, in place "
            f"of {config.context_length}"
        )
    return found


def config_fingerprint(config: Config) -> str:
    """Return a digest of the settings that determine data and model."""
    resolved = config.resolved()
    sections = ("data", "windows", "split", "model", "training", "objective")
    text = json.dumps([resolved[name] for name in sections], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def checkpoint_folder(config: Config, panel: Panel, purpose: str = "") -> Path:
    """Return the checkpoint folder of a training with exactly this config and data."""
    key = hashlib.sha256(f"{config_fingerprint(config)} {panel.fingerprint} {purpose}".encode())
    return config.work_folder.absolute() / "checkpoints" / key.hexdigest()[:12]


def kept_run(folder: Path) -> str | None:
    """Return the MLflow run of the interrupted training in a folder; None if there is none."""
    with suppress(OSError, ValueError, KeyError):
        return str(read_object(folder / RUN)["run_id"])
    return None


def keep_run(folder: Path, run_id: str, panel: Panel) -> None:
    """Record the MLflow run of a training, so that after an interruption it continues in that run.

    A training killed after its registration then finds its version and does not register another.
    Only rank zero writes.
    """
    if rank() != 0:
        return
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / RUN, json.dumps({"run_id": run_id, "data_fingerprint": panel.fingerprint}))


CLOSING = ".closing-"
_TRAINING = re.compile(rf"({re.escape(CLOSING)})?[0-9a-f]{{12}}")


def close_training(folder: Path) -> None:
    """Remove the checkpoints of a finished training.

    Renamed first: killed in between, the training is either all there, and ends as it did, or over.
    Without its record alone it would be trained and registered a second time.
    """
    closing = folder.with_name(f"{CLOSING}{folder.name}")
    with suppress(FileNotFoundError):
        folder.rename(closing)
    shutil.rmtree(closing, ignore_errors=True)


def trainings(config: Config) -> list[Path]:
    """Return the folders of trainings that are not over; one of another name is not ours."""
    folders = sorted((config.work_folder / "checkpoints").glob("*/"))
    return [folder for folder in folders if _TRAINING.fullmatch(folder.name)]


def stale_trainings(config: Config, panel: Panel) -> list[Path]:
    """Return folders of trainings that were over, or that other readings were for."""
    stale = []
    for folder in trainings(config):
        if folder.name.startswith(CLOSING):
            stale.append(folder)
            continue
        with suppress(OSError, ValueError):
            if read_object(folder / RUN).get("data_fingerprint") != panel.fingerprint:
                stale.append(folder)
    return stale


def remove_stale_trainings(config: Config, panel: Panel) -> None:
    """Remove checkpoints that no training can continue from, because the readings have changed.

    Call it only while no other training of this config runs.
    """
    if rank() != 0:
        return
    for folder in stale_trainings(config, panel):
        if folder.name.startswith(CLOSING):
            shutil.rmtree(folder, ignore_errors=True)
        else:
            close_training(folder)


def fit_config(
    experiment: Experiment,
    *,
    folder: Path,
    on_epoch: Callable[[int, dict[str, float]], None],
    start: Forecaster | None = None,
) -> Fitted:
    """Train as the config says, with progress; continues from checkpoints in `folder`.

    Raises
    ------
    DataError, ModelError
        As `fit_forecaster`.
    """
    from forecast.training.checkpoints import mend
    from forecast.training.fit_experiment import fit_experiment
    from forecast.training.recipe import sizes_of

    config, training = experiment.config, experiment.config.training
    sizes = sizes_of(
        training,
        windows=len(experiment.split.train.series),
        targets=len(experiment.panel.targets),
        horizon=config.horizon,
    )
    steps = training.epochs * sizes.steps_per_epoch
    metric = config.objective.metric

    def tell(epoch: int, numbers: dict[str, float]) -> None:
        if not is_terminal():
            say(
                f"epoch {epoch + 1}/{training.epochs}: loss {numbers['train_loss']:.4g}, "
                f"dev {metric} {numbers[f'dev_{metric}']:.4g}"
            )
        on_epoch(epoch, numbers)

    if rank() == 0:
        for line in mend(folder):
            say(line, error=True)
    with progress(f"training {config.name}, steps", steps) as done:
        on_step = done if is_terminal() else None
        return fit_experiment(experiment, folder, start=start, on_epoch=tell, on_step=on_step)


def history_frame(panel: Panel, cutoff: int, *, steps: int) -> pd.DataFrame:
    """Return the newest `steps` rows up to grid index `cutoff` of every series, as a user's frame.

    Known covariates extend beyond the cutoff, as far as the panel has them.
    """
    import numpy as np
    import pandas as pd

    frames = []
    for series, name in enumerate(panel.series_ids):
        block = panel.block(series)
        step = np.arange(len(block)) + panel.start[series]
        kept = step > cutoff - steps
        columns: dict[str, Any] = {
            "unique_id": name,
            "ds": pd.to_datetime(panel.grid.time(step[kept]), utc=True),
        }
        seen = len(panel.targets) + len(panel.past)
        for position, channel in enumerate(panel.channels):
            values = block[kept, position].astype(np.float64)
            if position < seen:
                values[step[kept] > cutoff] = np.nan
            columns[channel] = values
        for position, channel in enumerate(panel.static_names):
            columns[channel] = float(panel.static[series, position])
        frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)
