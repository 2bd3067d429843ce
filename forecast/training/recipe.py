"""Defaults of a training that depend on the shape of the data.

One optimiser step costs what its sequences cost, one for each target of each window: a table of
many targets or a long horizon gets fewer windows per step, a long table no more steps per epoch
than a short one.
"""

from typing import NamedTuple

from forecast.config.training import Training

SEQUENCES = (64, 128)  # windows times targets in one optimiser step, fewest and most
VALUES = 46_080  # target values in one optimiser step, within these bounds
STEPS = 100  # of an epoch at most: 2,000 in 20 epochs, after which dev hardly moves
DEV_SEQUENCES = 2048  # windows times targets of a part that an epoch is judged by; they overlap


class Sizes(NamedTuple):
    """How many windows a training draws."""

    batch_size: int  # in one optimiser step, over all devices together
    windows_per_epoch: int

    @property
    def steps_per_epoch(self) -> int:
        """Optimiser steps of an epoch."""
        return max(1, self.windows_per_epoch // self.batch_size)


def sizes_of(training: Training, *, windows: int, targets: int, horizon: int) -> Sizes:
    """Give what the section says, and what suits the data where it says nothing.

    Parameters
    ----------
    windows
        Of train.
    targets, horizon
        Of a window.

    Examples
    --------
    >>> sizes_of(Training(), windows=60_000, targets=7, horizon=48)
    Sizes(batch_size=18, windows_per_epoch=1800)
    """
    fewest, most = SEQUENCES
    sequences = max(fewest, min(most, VALUES // horizon))
    batch = training.batch_size or max(1, sequences // targets)
    drawn = training.windows_per_epoch or STEPS * batch
    return Sizes(batch, min(drawn, windows))
