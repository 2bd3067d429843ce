"""The assembly of Lightning's Trainer: device, strategy, checkpoints, early stopping, silence.

It decides nothing about the data or the model.
"""

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback, EarlyStopping, ModelCheckpoint
from pytorch_lightning.strategies import DDPStrategy

from forecast.training.module import DEV_SCORE

LAST, BEST = "last.ckpt", "best.ckpt"


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
    """Build the Trainer that writes `last.ckpt` and `best.ckpt` into `folder` after each epoch."""
    checkpoint = ModelCheckpoint(
        dirpath=folder,
        filename=Path(BEST).stem,
        monitor=DEV_SCORE,
        mode="min",
        save_top_k=1,
        save_last=True,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )
    stopping = EarlyStopping(
        DEV_SCORE, mode="min", patience=patience, check_on_train_epoch_end=True, verbose=False
    )

    def assembled(how: str | DDPStrategy) -> pl.Trainer:
        return pl.Trainer(
            accelerator=accelerator,
            devices=devices,
            num_nodes=nodes,
            strategy=how,
            precision=precision,  # type: ignore[arg-type]
            max_epochs=epochs,
            gradient_clip_val=gradient_clip,
            callbacks=[stopping, checkpoint, *([Steps(on_step)] if on_step else [])],
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
            num_sanity_val_steps=0,
        )

    with quiet():
        trainer = assembled(strategy)
        if isinstance(trainer.strategy, DDPStrategy):  # "auto" may choose it too
            # buffers are alike on all ranks: sent once, not with every batch
            trainer = assembled(DDPStrategy(broadcast_buffers=False))
    return trainer


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
            yield
    finally:
        for log, level in zip(loggers, levels, strict=True):
            log.setLevel(level)
