"""Fits a network to the train windows and returns it with the weights of its best epoch.

Given the same folder, it resumes after a kill.
"""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from forecast.config.training import Training
from forecast.data.windows.window_index import WindowIndex
from forecast.data.windows.windows import Windows
from forecast.errors import ConfigError, ModelError
from forecast.models.network import Network
from forecast.ranks import group
from forecast.ranks.store import start
from forecast.ranks.watch import SILENCE_S, RankError, verdict, watch
from forecast.training.checkpoints import (
    BEST,
    LAST,
    best_epoch,
    is_over,
    kept,
    mend,
    read,
    scores_of,
)
from forecast.training.dev import DevSet, Objective
from forecast.training.loader import WindowLoader
from forecast.training.module import Optimisation, TrainingModule
from forecast.training.recipe import sizes_of
from forecast.training.trainer import build_trainer, devices_here, quiet

FOUND_OUT_S = SILENCE_S + 5.0
"""By then it is known which process has ended."""


@dataclass(frozen=True)
class FitResult:
    """What training ends with.

    Attributes
    ----------
    network
        On the CPU, in evaluation mode, its weights (of the best epoch) frozen: torch takes the same
        kernels for it as for one that was loaded.
    history
        One row of numbers per epoch: `train_loss`, `dev_<metric>`, `learning_rate`.
    best_epoch
        Zero-based.
    best_score
        The one metric on dev, in original units.
    resumed_epoch
        Epochs that an earlier, interrupted run had already done.
    windows_per_s
        Training throughput over all ranks, evaluation included; zero when nothing was left to do.
    """

    network: Network
    history: tuple[dict[str, float], ...]
    best_epoch: int
    best_score: float
    resumed_epoch: int
    windows_per_s: float


class TrainingStoppedError(KeyboardInterrupt):
    """Training was interrupted by the keyboard; its message says how to go on."""


def nothing(*_: Any) -> None:
    """Take whatever is reported and do nothing with it."""


def fit(
    network: Network,
    make_windows: Callable[[torch.device], Windows],
    train: WindowIndex,
    dev: WindowIndex,
    *,
    settings: Training,
    objective: Objective,
    folder: Path,
    keep_epoch: int | None = None,
    on_epoch: Callable[[int, dict[str, float]], None] = nothing,
    on_step: Callable[[int], None] | None = None,
) -> FitResult:
    """Train by Lightning until the schedule ends or dev stops improving; restore the best epoch.

    Parameters
    ----------
    network
        With its starting weights; trained in place.
    make_windows
        Gives the windows on this rank's device.
    train, dev
        Windows whose loss is minimised, and those that choose the epoch by `objective`.
    settings
        The `training` section.
    folder
        Of the checkpoints of exactly this run: same data, same settings. An interrupted run is
        continued from its last undamaged checkpoint; `forget` removes them.
    keep_epoch
        Stop after this epoch of the schedule, whatever dev says, and keep its weights.
    on_epoch, on_step
        Told about progress on rank zero.

    Raises
    ------
    ConfigError
        When the processor cannot train in the stated precision.
    ModelError
        When the loss or the metric is not a number.
    RankError
        When another process of the group has ended.
    TrainingStoppedError
        On Ctrl-C; the folder then holds the last whole epoch.
    """
    patience = settings.patience if keep_epoch is None else settings.epochs
    trainer = _trainer(settings, folder, patience, keep_epoch=keep_epoch, on_step=on_step)
    _require_precision(settings, network, trainer.strategy.root_device)
    module = _module(
        network,
        make_windows(trainer.strategy.root_device),
        (train, dev),
        settings=settings,
        objective=objective,
        place=(trainer.global_rank, trainer.world_size),
        on_epoch=on_epoch,
    )
    began = time.perf_counter()
    resumed = _run(trainer, module, folder, patience)
    seconds = time.perf_counter() - began
    return _result(module, folder, resumed, seconds, keep_epoch=keep_epoch)


def _trainer(
    settings: Training,
    folder: Path,
    patience: int,
    *,
    keep_epoch: int | None,
    on_step: Callable[[int], None] | None,
) -> Any:
    """Start the processes of further devices, and return Lightning's trainer for all of them."""
    _gather_ranks(settings)
    return build_trainer(
        epochs=settings.epochs if keep_epoch is None else keep_epoch + 1,
        patience=patience,
        folder=folder,
        gradient_clip=settings.gradient_clip,
        accelerator=settings.accelerator,
        devices=settings.devices,
        nodes=settings.nodes,
        strategy=settings.strategy,
        precision=settings.precision,
        on_step=on_step,
    )


def _module(
    network: Network,
    windows: Windows,
    parts: tuple[WindowIndex, WindowIndex],
    *,
    settings: Training,
    objective: Objective,
    place: tuple[int, int],
    on_epoch: Callable[[int, dict[str, float]], None],
) -> TrainingModule:
    """Return what Lightning trains: this rank's batches of train, dev, the optimiser's settings."""
    train, dev = parts
    sizes = sizes_of(
        settings,
        windows=len(train.series),
        targets=network.target_count,
        horizon=windows.horizon,
    )
    loader = WindowLoader(
        windows,
        train,
        batch_size=sizes.batch_size,
        seed=settings.seed,
        rank=place[0],
        world=place[1],
        epoch_windows=sizes.windows_per_epoch,
    )
    optimisation = Optimisation(
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        epochs=settings.epochs,
        average_decay=settings.average_decay,
    )
    return TrainingModule(
        network,
        loader=loader,
        dev=DevSet(windows, dev, objective),
        optimisation=optimisation,
        seed=settings.seed,
        on_epoch=on_epoch,
    )


def _require_precision(settings: Training, network: Network, device: torch.device) -> None:
    """Refuse bfloat16 on processors without AVX-512 where torch's own LSTM would need it."""
    if settings.precision != "bf16-mixed" or device.type != "cpu":
        return
    has_lstm = any(isinstance(module, torch.nn.LSTM) for module in network.modules())
    if has_lstm and not torch.ops.mkldnn._is_mkldnn_bf16_supported():  # noqa: SLF001
        raise ConfigError(
            "training.precision: bf16-mixed needs a GPU or a processor with AVX-512, and this one "
            "has neither; set training.precision: 32"
        )


def _gather_ranks(settings: Training) -> None:
    """Start a process for every further device, unless they were started from outside."""
    count = devices_here(settings.accelerator, settings.devices)
    if group().world == 1 and settings.nodes == 1 and count > 1:
        start(count)
    watch()


def _run(trainer: Any, module: TrainingModule, folder: Path, patience: int) -> int:
    """Train from where the folder stands; return the epochs that were already done."""
    if trainer.is_global_zero:
        mend(folder)
    before = kept(folder)
    done = len(before.history) if before else 0
    if before is not None and is_over(
        scores_of(before.history), epochs=trainer.max_epochs, patience=patience
    ):
        module.history = before.history
        return done
    try:
        with quiet():
            path = None if before is None else str(before.path)
            trainer.fit(module, ckpt_path=path, weights_only=True)
    except SystemExit as stop:
        if stop.code != 1:
            raise
        # Lightning turns Ctrl-C into an exit, and ignores the next one
        signal.signal(signal.SIGINT, signal.default_int_handler)
        raise TrainingStoppedError(_stopped(folder)) from stop
    except RuntimeError as error:  # of a connection, where another process has ended
        if cause := verdict(wait_s=FOUND_OUT_S if trainer.world_size > 1 else 0.0):
            raise RankError(f"{cause}; training stops. {_stopped(folder)}") from error
        raise
    trainer.strategy.barrier("the names of the checkpoints")  # which rank zero gives
    return done


def _stopped(folder: Path) -> str:
    found = kept(folder)
    if found is None:
        return "stopped before the first epoch was whole; nothing is kept"
    return (
        f"stopped; {len(found.history)} whole epochs are kept in {found.path}: the same command "
        "continues there"
    )


def _result(
    module: TrainingModule,
    folder: Path,
    resumed: int,
    seconds: float,
    *,
    keep_epoch: int | None,
) -> FitResult:
    scores = [numbers[f"dev_{module.dev.objective.metric}"] for numbers in module.history]
    kept_state = read(folder / (BEST if keep_epoch is None else LAST))
    if kept_state is not None:
        module.load_state_dict(kept_state["state_dict"])
    elif module.global_rank == 0:  # others may not share the folder, and are done here
        raise ModelError(
            f"no epoch gave a finite {module.dev.objective.metric} on dev; is the dev part all "
            "missing, or training.learning_rate too large?"
        )
    done = len(module.history) - resumed
    chosen = (best_epoch(scores) or 0) if keep_epoch is None else keep_epoch
    return FitResult(
        network=module.kept.cpu().eval().requires_grad_(requires_grad=False),
        history=tuple(module.history),
        best_epoch=chosen,
        best_score=scores[chosen],
        resumed_epoch=resumed,
        windows_per_s=done * module.loader.windows_per_epoch / seconds,
    )
