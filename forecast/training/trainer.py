"""Assembles Lightning's Trainer: device, strategy, checkpoints, early stopping; keeps it quiet."""

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from pytorch_lightning.callbacks import Callback, EarlyStopping
from pytorch_lightning.strategies import DDPStrategy
from pytorch_lightning.utilities import rank_zero_only

from forecast.errors import ConfigError
from forecast.ranks import Group, group
from forecast.training.checkpoints import Checkpoints, WholeCheckpointIO
from forecast.training.module import DEV_SCORE

COLLECTIVE_S = 600.0
"""How long processes wait for each other's gradients before they give up."""


class GroupEnvironment(ClusterEnvironment):
    """A process' place as Lightning asks for it; the processes are there already."""

    def __init__(self, place: Group) -> None:
        super().__init__()
        self._place = place

    @property
    def creates_processes_externally(self) -> bool:
        """Return True: none is to be started."""
        return True

    @property
    def main_address(self) -> str:
        """Return where the processes meet."""
        return self._place.address

    @property
    def main_port(self) -> int:
        """Return the port there."""
        return self._place.port

    @staticmethod
    def detect() -> bool:
        """Return False: it is never chosen, only given."""
        return False

    def world_size(self) -> int:
        """Return how many processes there are."""
        return self._place.world

    def set_world_size(self, size: int) -> None:
        """Change nothing: the place is what it is."""

    def global_rank(self) -> int:
        """Return the rank among all."""
        return self._place.rank

    def set_global_rank(self, rank: int) -> None:
        """Change nothing."""

    def local_rank(self) -> int:
        """Return the rank on this machine, which picks the device."""
        return self._place.local_rank

    def node_rank(self) -> int:
        """Return the machine's number."""
        return self._place.node


class Steps(Callback):
    """Reports how many optimiser steps of the whole run are done."""

    def __init__(self, on_step: Callable[[int], None]) -> None:
        self._on_step = on_step

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        """Report, on rank zero."""
        if trainer.is_global_zero:
            self._on_step(trainer.global_step)


def build_trainer(
    *,
    epochs: int,
    patience: int,
    folder: Path,
    gradient_clip: float = 1.0,
    accelerator: str = "auto",
    devices: int | str = "auto",
    nodes: int = 1,
    strategy: str = "auto",
    precision: int | str = 32,
    on_step: Callable[[int], None] | None = None,
) -> pl.Trainer:
    """Build the Trainer that keeps each epoch, and the best, as checkpoints in `folder`.

    Raises
    ------
    ConfigError
        When devices and nodes are not the processes that were started.
    """
    stopping = EarlyStopping(
        DEV_SCORE, mode="min", patience=patience, check_on_train_epoch_end=True, verbose=False
    )

    place = group()
    devices, nodes = _agreed(devices, nodes, place)
    rank_zero_only.rank = place.rank  # type: ignore[attr-defined]
    shared = DDPStrategy(
        broadcast_buffers=False,  # alike on all ranks: sent once, not with every batch
        timeout=timedelta(seconds=COLLECTIVE_S),
    )
    with quiet():
        return pl.Trainer(
            accelerator=accelerator,
            devices=devices,
            num_nodes=nodes,
            strategy=shared if place.world > 1 or strategy == "ddp" else "auto",
            plugins=[
                GroupEnvironment(place) if place.world > 1 else LightningEnvironment(),
                WholeCheckpointIO(),
            ],
            precision=precision,  # type: ignore[arg-type]
            max_epochs=epochs,
            gradient_clip_val=gradient_clip,
            callbacks=[stopping, Checkpoints(folder), *([Steps(on_step)] if on_step else [])],
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
            num_sanity_val_steps=0,
        )


def devices_here(accelerator: str, devices: int | str) -> int:
    """Return how many devices of this machine the settings ask for, where nothing has started yet.

    "auto" is every GPU there is, or the one CPU.
    """
    if isinstance(devices, int):
        return devices
    return max(1, torch.cuda.device_count()) if accelerator in {"auto", "gpu"} else 1


def _agreed(devices: int | str, nodes: int, place: Group) -> tuple[int, int]:
    """Return devices and machines as they were started, if the settings do not speak against it."""
    if place.world == 1:
        if nodes > 1:
            raise ConfigError(
                f"training.nodes: {nodes} machines, but this process is alone; start it on each by "
                f"torchrun --nnodes {nodes} or srun"
            )
        return 1, 1
    machines = place.world // place.local_world
    if devices not in {"auto", place.local_world} or nodes not in {1, machines}:
        raise ConfigError(
            f"training.devices and training.nodes ask for {devices} devices on {nodes} machines, "
            f"and {place.launcher} started {place.local_world} processes on each of {machines}; "
            "leave them out, or start as many"
        )
    return place.local_world, machines


@contextmanager
def quiet() -> Iterator[None]:
    """Silence Lightning's tips and device banners while the block runs; errors still speak."""
    loggers = [logging.getLogger(name) for name in ("pytorch_lightning", "lightning_fabric")]
    loggers += [logging.getLogger(f"{log.name}.utilities.rank_zero") for log in list(loggers)]
    levels = [log.level for log in loggers]
    for log in loggers:
        log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"(pytorch_lightning|lightning_fabric)\..*")
            warnings.filterwarnings("ignore", message="Grad strides do not match bucket view")
            # a column more for the shutter: the weights are put together again, a few microseconds
            warnings.filterwarnings("ignore", message="RNN module weights are not part of single")
            yield
    finally:
        for log, level in zip(loggers, levels, strict=True):
            log.setLevel(level)
