"""The section on how the weights are trained."""

from typing import Literal

from pydantic import Field, field_validator

from forecast.config.base import Integer, Number, Section


class Training(Section):
    """How the weights are trained."""

    epochs: Integer = Field(20, ge=1)
    """Largest number of epochs."""
    batch_size: Integer | None = Field(None, ge=1)
    """Windows per optimiser step, over all devices together. Unless set, 128 divided by the number
    of targets, and half of that for horizons of 720 steps and more."""
    learning_rate: Number = Field(0.002, gt=0, le=1)
    """Peak learning rate (AdamW), with a warm-up and then a cosine decay."""
    weight_decay: Number = Field(0.0, ge=0)
    """Decoupled weight decay."""
    average_decay: Number = Field(0.99, ge=0, lt=1)
    """Decay of the moving average of the weights, which is scored on dev and kept; 0 keeps the
    newest weights."""
    gradient_clip: Number = Field(1.0, gt=0)
    """Largest norm of the gradient."""
    windows_per_epoch: Integer | None = Field(None, ge=1)
    """Windows drawn per epoch. Unless set, all, up to 100 batches: on long data an epoch is the
    interval between two evaluations on dev."""
    patience: Integer = Field(10, ge=1)
    """Epochs without improvement on dev before training stops; the best weights are kept. Allow for
    the learning rate: while it is high, dev often stalls or rises, and it improves as the rate
    falls."""
    refit: Literal["auto", "always", "never"] = "auto"
    """Whether to train again, now on calibration and dev as well, once the epoch is chosen. Unless
    set, if they hold more than a fifth as many steps as train. Undone if it does worse on dev."""
    seed: Integer = Field(0, ge=0)
    """Seed of the initial weights, the order of windows and dropout: the same seed gives the same
    weights."""
    accelerator: Literal["auto", "cpu", "gpu", "mps"] = "auto"
    """Where to train."""
    devices: Integer | Literal["auto"] = "auto"
    """Devices per machine."""
    nodes: Integer = Field(1, ge=1)
    """Number of machines."""
    strategy: Literal["auto", "ddp"] = "auto"
    """How several devices share the work."""
    precision: Literal[32, "32", "bf16-mixed", "16-mixed"] = 32
    """Floating-point precision of the training."""
    threads: Integer | None = Field(None, ge=1)
    """Threads on a CPU; all cores unless set."""

    @field_validator("devices")
    @classmethod
    def _some(cls, value: int | str) -> int | str:
        if isinstance(value, int) and value < 1:
            raise ValueError("at least one device, or auto")
        return value
