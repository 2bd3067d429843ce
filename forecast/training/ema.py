"""A moving average of weights that forgets its start."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Average = Callable[[Sequence[Tensor], Sequence[Tensor], Tensor | int], None]


def warm_average(decay: float) -> Average:
    """Give the update of an exponential moving average with a growing memory.

    After n updates, average ← d · average + (1 - d) · weights with
    d = min(decay, (1 + n) / (10 + n)): a short training is not held back by its first weights
    (Polyak & Juditsky 1992; the warm-up as in Abadi et al. 2016, TensorFlow's moving averages).
    """

    @torch.no_grad()
    def update(average: Sequence[Tensor], weights: Sequence[Tensor], count: Tensor | int) -> None:
        n = int(count)
        kept = min(decay, (1 + n) / (10 + n))
        for slow, fast in zip(average, weights, strict=True):
            slow.lerp_(fast.to(slow), 1 - kept)

    return update
