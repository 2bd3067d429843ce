"""Readings of a table whose steps are longer than the grid's: when known, and held over their step.

A value of a coarser table describes its whole step, so it is known when that step is over: a day's
rain, stamped at midnight, is unknown that morning.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from forecast.data.chunk import Chunk
from forecast.data.grid import Grid

Ints = NDArray[np.int64]


def end_of(own: Grid, time: Ints) -> Ints:
    """Return the instants at which the steps end that begin at some instants."""
    index = own.index(time)
    return own.time(index + 1) + (time - own.time(index))


def known_when_over(chunk: Chunk, own: Grid) -> Chunk:
    """Return readings that count as known when their own step is over."""
    return replace(chunk, available_at=end_of(own, chunk.time))


def held(
    chunk: Chunk, own: Grid, grid: Grid, *, which: NDArray[np.bool_], until: Ints | None = None
) -> Chunk:
    """Return readings with copies for the steps of the grid that lie within their own.

    Parameters
    ----------
    which : (channels,) bool
        Channels whose values are held; in the copies the others are missing.
    until : (rows,) int64, optional
        Last instant for which each may stand: what was not known before is no newest reading.
    """
    begin = grid.index(chunk.time)
    shift = chunk.time - grid.time(begin)
    count = np.maximum(1, grid.index(end_of(own, chunk.time) - 1 - shift) - begin + 1)
    row = np.repeat(np.arange(len(count)), count)
    number = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    copied = chunk.values[row]
    copied[np.ix_(number > 0, ~which)] = np.nan
    time = np.where(number == 0, chunk.time[row], grid.time(begin[row] + number) + shift[row])
    known = chunk.available_at
    copies = replace(
        chunk,
        series=chunk.series[row],
        time=time,
        values=copied,
        available_at=None if known is None else known[row],
    )
    return copies if until is None else copies.take((number == 0) | (time <= until[row]))
