"""Which share of the work is this process', under torchrun; starts no processes."""

from __future__ import annotations

import os
from typing import NamedTuple


class Shard(NamedTuple):
    """One process of several, and how many there are."""

    rank: int
    world: int


def shard() -> Shard:
    """Return this process' place under torchrun; alone everywhere else."""
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        return Shard(0, 1)
    return Shard(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]))
