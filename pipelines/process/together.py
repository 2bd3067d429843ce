"""The command line under torchrun or srun: joining the other ranks, and reporting a fault once."""

from __future__ import annotations

from pipelines.process.console import say


def join() -> None:
    """Join the processes that were started together, if there are any, and watch them."""
    from forecast.ranks import drop_leftovers, group

    if group().world > 1:
        from forecast.ranks.watch import watch

        watch()
        return
    _drop(drop_leftovers())


def leave() -> bool:
    """Leave the group for work that is not shared; return whether this process should do it."""
    from forecast.ranks import alone, is_first

    first = is_first()
    _drop(alone())
    return first


def _drop(names: list[str]) -> None:
    if names:
        say(f"{', '.join(names)}: this process is alone; these variables are ignored", error=True)


def fault(error: Exception) -> bool:
    """Tell the other processes why this one ends; return whether this one should print it.

    Rank zero prints the fault of whichever process ended first.
    """
    from forecast.ranks import group
    from forecast.ranks.watch import RankError, report

    place = group()
    if place.world == 1:
        return True
    if isinstance(error, RankError):
        return place.rank == 0
    text = f"rank {place.rank} of {place.world}: {error}"
    return not report(text) or place.rank == 0
