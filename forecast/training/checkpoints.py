"""Checkpoints of a training: written atomically, the previous one kept, damaged ones set aside.

`last.ckpt` holds every whole epoch, `best.ckpt` the best of them, `previous.ckpt` the epoch before
the last. A checkpoint is written once, then given its names.
"""

import io
import math
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO
from pytorch_lightning.callbacks import Checkpoint

from forecast.whole_files import draft_of, set_aside, write_whole

LAST, BEST, PREVIOUS = "last.ckpt", "best.ckpt", "previous.ckpt"
NEW = "new.ckpt"  # before it gets its names


class WholeCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint beside its place and down to the disk, then renames it."""

    def save_checkpoint(
        self,
        checkpoint: dict[str, Any],
        path: str | os.PathLike[str],
        storage_options: Any | None = None,  # noqa: ARG002 - Lightning's signature
    ) -> None:
        """Write the checkpoint, whole or not at all."""
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        write_whole(Path(path), buffer.getvalue())


class Checkpoints(Checkpoint):
    """Keeps every whole epoch, and the best.

    Parameters
    ----------
    folder
        Where they are kept.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keep the epoch that has just been scored."""
        trainer.save_checkpoint(self.folder / NEW)
        if trainer.is_global_zero:
            scores = scores_of(pl_module.history)  # type: ignore[arg-type]
            # The best first: an epoch that `last` holds is never better than the best kept.
            if best_epoch(scores) == len(scores) - 1:
                _also_as(self.folder / NEW, self.folder / BEST)
            if (self.folder / LAST).exists():
                _also_as(self.folder / LAST, self.folder / PREVIOUS)
            (self.folder / NEW).replace(self.folder / LAST)


class Kept(NamedTuple):
    """Where an interrupted training goes on."""

    path: Path
    history: list[dict[str, float]]


def scores_of(history: Sequence[dict[str, float]]) -> list[float]:
    """Return the one metric on dev of every epoch."""
    return [next(v for k, v in row.items() if k.startswith("dev_")) for row in history]


def best_epoch(scores: Sequence[float]) -> int | None:
    """Return the first epoch with the lowest score; None where none is a number.

    >>> best_epoch([float("nan"), 2.0, 1.0, 1.0])
    2
    """
    finite = [(score, epoch) for epoch, score in enumerate(scores) if math.isfinite(score)]
    return min(finite)[1] if finite else None


def is_over(scores: Sequence[float], *, epochs: int, patience: int) -> bool:
    """Whether a training with these scores has come to its end, as early stopping sees it."""
    best = best_epoch(scores)
    if not scores or best is None:
        return bool(scores)
    is_stopped = len(scores) - 1 - best >= patience or not math.isfinite(scores[-1])
    return len(scores) >= epochs or is_stopped


def kept(folder: Path) -> Kept | None:
    """Return the newest whole epoch in a folder that a training can go on from; None if none."""
    has_best = read(folder / BEST) is not None
    for name in (LAST, PREVIOUS):
        state = read(folder / name)
        if state is None:
            continue
        scores = scores_of(state["history"])
        if has_best or best_epoch(scores) in {None, len(scores) - 1}:
            return Kept(folder / name, list(state["history"]))
    return None


def mend(folder: Path) -> list[str]:
    """Set damaged checkpoints aside and remove half-written ones; say what was done, in lines.

    Afterwards `kept` finds the same epoch as before, and its best weights are there.
    """
    if not folder.is_dir():
        return []
    for name in (NEW, LAST, BEST, PREVIOUS):
        draft_of(folder / name).unlink(missing_ok=True)
    (folder / NEW).unlink(missing_ok=True)
    found = kept(folder)
    lines = [_set_aside(path, found) for path in _damaged(folder)]
    if found is None:  # whole ones, but of no use alone
        for name in (LAST, PREVIOUS, BEST):
            (folder / name).unlink(missing_ok=True)
    elif not (folder / BEST).exists() and best_epoch(scores_of(found.history)) is not None:
        _also_as(found.path, folder / BEST)
    return lines


def read(path: Path) -> dict[str, Any] | None:
    """Return a checkpoint; None where there is none, or none that is whole."""
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        _ = state["history"], state["state_dict"]
    except Exception:  # noqa: BLE001 - torch has many ways to say that a file is damaged
        return None
    return state


def forget(folder: Path) -> None:
    """Remove the checkpoints of a training that is done with; other files stay."""
    for path in _ours(folder):
        path.unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()


def _ours(folder: Path) -> Iterator[Path]:
    for name in (NEW, LAST, BEST, PREVIOUS):
        yield from (folder / name, draft_of(folder / name))
        yield from folder.glob(f"{name}.damaged*")


def _damaged(folder: Path) -> list[Path]:
    paths = [folder / name for name in (LAST, PREVIOUS, BEST)]
    return [path for path in paths if path.exists() and read(path) is None]


def _set_aside(path: Path, found: Kept | None) -> str:
    aside = set_aside(path)
    onward = (
        "the training starts again"
        if found is None
        else f"the training goes on after epoch {len(found.history)}"
    )
    return f"{path}: damaged, or unusable without another; moved to {aside.name}; {onward}"


def _also_as(path: Path, name: Path) -> None:
    """Give a file a second name, at once; a copy where the disk knows no links."""
    draft = draft_of(name)
    draft.unlink(missing_ok=True)
    try:
        os.link(path, draft)
    except OSError:
        shutil.copyfile(path, draft)
    draft.replace(name)
