"""The command line under torchrun or srun: who takes part, and who speaks of a fault."""

from __future__ import annotations

from pipelines.process.console import say


def join() -> None:
    """Take part with the processes that were started together, if there are any; watch them."""
    from forecast.ranks import drop_leftovers, group

    if group().world > 1:
        from forecast.ranks.watch import watch

        watch()
        return
    _drop(drop_leftovers())


def leave() -> bool:
    """Do alone what is not shared: whether this process is the one to do it."""
    from forecast.ranks import alone, is_first

    first = is_first()
    _drop(alone())
    return first


def _drop(names: list[str]) -> None:
    if names:
        say(f"{', '.join(names)}: this process is alone; these variables are ignored", error=True)


def fault(error: Exception) -> bool:
    """Tell the other processes why this one ends; whether this one is to print it.

    The first one prints what ended any of them.
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
