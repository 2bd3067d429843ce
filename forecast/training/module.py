"""The one LightningModule: a training step, its optimiser, the metric after each epoch.

What happens between epochs is decided by the callbacks that `trainer.py` assembles.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import cos, pi
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer, swa_utils
from torch.optim.lr_scheduler import LambdaLR

from forecast.data.windows.windows import Batch
from forecast.errors import ModelError
from forecast.models.draws import rows_of_batch
from forecast.models.ensemble import members_of
from forecast.models.network import Network
from forecast.training.dev import DevSet
from forecast.training.ema import warm_average
from forecast.training.loader import WindowLoader

DEV_SCORE = "dev_score"


@dataclass(frozen=True)
class Optimisation:
    """How weights move: AdamW, a linear warm-up, then a half cosine to zero or a constant.

    Attributes
    ----------
    learning_rate, weight_decay
        Of AdamW (Loshchilov & Hutter 2019).
    epochs
        Length of the schedule.
    warmup_share
        Share of all steps in which the rate rises.
    schedule_is_cosine
        Whether the rate falls after the warm-up.
    average_decay
        Decay of the moving average of weights that is evaluated and kept; 0 for none.
    """

    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    epochs: int = 20
    warmup_share: float = 0.03
    schedule_is_cosine: bool = True
    average_decay: float = 0.0

    def rate(self, step: int, steps: int) -> float:
        """Return the share of the peak rate at `step` of `steps`."""
        warmup = max(1, round(self.warmup_share * steps))
        if step < warmup:
            return (step + 1) / warmup
        if not self.schedule_is_cosine:
            return 1.0
        return 0.5 * (1 + cos(pi * min(1.0, (step - warmup) / max(1, steps - warmup))))


class TrainingModule(pl.LightningModule):
    """Fits a network to the windows of a loader.

    Parameters
    ----------
    network
        What is trained.
    loader
        This rank's batches.
    dev
        Scored after every epoch, over all ranks.
    optimisation
        Optimiser and schedule.
    seed
        With the epoch it decides the dropout, so that an epoch can be repeated.
    on_epoch
        Called with the epoch and its numbers, on rank zero.
    """

    def __init__(
        self,
        network: Network,
        *,
        loader: WindowLoader,
        dev: DevSet,
        optimisation: Optimisation,
        seed: int,
        on_epoch: Callable[[int, dict[str, float]], None],
    ) -> None:
        super().__init__()
        self.network = network
        self.average: swa_utils.AveragedModel | None = None
        if optimisation.average_decay > 0:
            average = warm_average(optimisation.average_decay)
            self.average = swa_utils.AveragedModel(network, multi_avg_fn=average)
            self.average.requires_grad_(requires_grad=False)
        self.loader = loader
        self.dev = dev
        self.optimisation = optimisation
        self.seed = seed
        self.on_epoch = on_epoch
        self.history: list[dict[str, float]] = []
        self._loss_sum = torch.zeros(())

    @property
    def kept(self) -> Network:
        """The network that is scored and kept: the moving average where there is one."""
        if self.average is None:
            return self.network
        averaged = self.average.module
        assert isinstance(averaged, Network)
        return averaged

    def train_dataloader(self) -> WindowLoader:
        """Return the loader itself: it already holds this rank's share."""
        return self.loader

    def on_train_epoch_start(self) -> None:
        """Make the epoch a function of its number: order of windows and dropout."""
        self.loader.set_epoch(self.current_epoch)
        torch.manual_seed((self.seed * 1_000_003 + self.current_epoch) * 4_099)
        self._loss_sum = torch.zeros((), device=self.device)

    def training_step(self, batch: Batch) -> Tensor:
        """Return this rank's part of the mean loss over the whole batch of all ranks."""
        with rows_of_batch(self.loader.rows):
            loss = self.network.loss(batch)
        if self.trainer.world_size > 1:
            loss = loss * self._share(batch)
        self._loss_sum += loss.detach()
        return loss

    def _share(self, batch: Batch) -> Tensor:
        """Weigh ranks by their observed targets: DDP takes a plain mean of their losses."""
        observed = torch.isfinite(batch.target).sum().float()
        mean = self.trainer.strategy.reduce(observed.clone(), reduce_op="mean")
        assert isinstance(mean, Tensor)
        return observed / mean.clamp(min=1e-9)

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,  # noqa: ARG002 - Lightning's signature
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,  # noqa: ARG002
    ) -> None:
        """Clip the members of an ensemble one by one, as far as each would be clipped alone.

        Their gradients are those of a mean, so the largest norm is shared out too. Lightning's own
        clipping refuses the fused optimiser under mixed precision, for the sake of a loss scale
        that bfloat16 on a CPU does not have.
        """
        assert gradient_clip_val is not None
        members = members_of(self.network.model)
        for member in members:
            clip_grad_norm_(member.parameters(), gradient_clip_val / len(members))

    def on_train_batch_end(self, *_: Any) -> None:
        """Move the average of the weights."""
        if self.average is not None:
            self.average.update_parameters(self.network)

    def on_train_epoch_end(self) -> None:
        """Score dev, log the one metric for the callbacks, hand the numbers out.

        Raises
        ------
        ModelError
            When the loss is no longer a number.
        """
        loss = float(self._reduced(self._loss_sum / len(self.loader), "mean"))
        if loss != loss:  # noqa: PLR0124 - NaN
            raise ModelError(
                f"the training loss is not a number after epoch {self.current_epoch + 1}; "
                "set a smaller training.learning_rate (now "
                f"{self.optimisation.learning_rate:g}) or look for extreme values in the data"
            )
        sums = self.dev.sums(self.kept, rank=self.global_rank, world=self.trainer.world_size)
        score = self.dev.objective.score(self._reduced(sums.to(self.device), "sum").cpu())
        self.log(DEV_SCORE, score, logger=False)
        numbers = {
            "train_loss": loss,
            f"dev_{self.dev.objective.metric}": score,
            "learning_rate": float(self.trainer.optimizers[0].param_groups[0]["lr"]),
        }
        self.history.append(numbers)
        if self.trainer.is_global_zero:
            self.on_epoch(self.current_epoch, numbers)

    def _reduced(self, value: Tensor, how: str) -> Tensor:
        if self.trainer.world_size == 1:
            return value
        reduced = self.trainer.strategy.reduce(value, reduce_op=how)
        assert isinstance(reduced, Tensor)
        return reduced

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW over what is not frozen, its rate set before every step."""
        weights = [weight for weight in self.network.parameters() if weight.requires_grad]
        optimizer = torch.optim.AdamW(
            weights,
            lr=self.optimisation.learning_rate,
            weight_decay=self.optimisation.weight_decay,
            fused=self.device.type == "cpu",  # one pass over the weights in place of a dozen
        )
        steps = self.optimisation.epochs * len(self.loader)
        schedule = LambdaLR(optimizer, lambda step: self.optimisation.rate(step, steps))
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the learning curve with the weights."""
        checkpoint["history"] = self.history

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Continue the learning curve."""
        self.history = list(checkpoint["history"])
