"""A panel looked at in blocks of rows, many series at once.

Series are handled in blocks: a loop over a million of them costs more than their readings.

Letters: S series, N windows, R rows, C channels, n series of a block.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from forecast.data.panel.panel import Panel

    Counts = NDArray[np.int64]

MOST_ROWS = 1 << 18  # in memory at once, as far as one series is not longer
_FIRST_LOOK, _LONGEST_LOOK = 8, 1 << 14  # steps: most series have a reading close to their end


class Block(NamedTuple):
    """Some series that follow each other, with their rows.

    Parameters
    ----------
    series : slice
        Their positions in the panel.
    values : (R, C) float32
        A view of the rows from the first of the first series to the last of the last one.
    begin : (n,) int64
        Row of `values` that each series begins at; negative in a later piece of a long series.
    """

    series: slice
    values: NDArray[np.float32]
    begin: Counts


def blocks(panel: Panel, *, most_rows: int = MOST_ROWS) -> Iterator[Block]:
    """Yield all series in order, as many at once as have no more rows than `most_rows`."""
    ends = panel.offset + panel.length
    first = 0
    while first < len(ends):
        begin = int(panel.offset[first])
        stop = max(first + 1, int(np.searchsorted(ends, begin + most_rows, side="right")))
        rows = panel.values[begin : int(ends[stop - 1])]
        yield Block(slice(first, stop), rows, panel.offset[first:stop] - begin)
        first = stop


def pieces(panel: Panel, *, most_rows: int = MOST_ROWS) -> Iterator[Block]:
    """Yield all rows in order as `blocks` does, a series with more of them piece by piece."""
    for block in blocks(panel, most_rows=most_rows):
        for row in range(0, max(1, len(block.values)), most_rows):
            yield Block(block.series, block.values[row : row + most_rows], block.begin - row)


def ranges(first: Counts, stop: Counts) -> Counts:
    """Return the numbers from each first to before its stop, one range after the other.

    >>> ranges(np.array([3, 9, 0]), np.array([5, 9, 2])).tolist()
    [3, 4, 0, 1]
    """
    count = stop - first
    before = np.cumsum(count) - count
    return np.asarray(np.arange(int(count.sum())) + np.repeat(first - before, count))


def sums(values: NDArray[np.float64], count: Counts) -> NDArray[np.float64]:
    """Sum the rows of (R, C) by groups that follow each other, `count` (n,) rows each; (n, C)."""
    total = np.zeros((len(count), values.shape[1]))
    some = count > 0
    if some.any():
        total[some] = np.add.reduceat(values, (np.cumsum(count) - count)[some], axis=0)
    return total


def newest_seen(panel: Panel, series: Counts, stop: Counts, channels: slice) -> Counts:
    """Count steps up to and including the last before `stop` (N,) with a value, (N,); 0 if none.

    Parameters
    ----------
    series : (N,)
        Of each stop, which lies within its length.
    channels
        Of which one value is enough.
    """
    last = panel.offset[series] + stop - 1
    return stop - _steps_without(panel, last, -1, stop, channels)


def oldest_seen(panel: Panel, channels: slice) -> Counts:
    """Count each series' steps before the first with a value, (S,); all where there is none."""
    return _steps_without(panel, panel.offset, 1, panel.length, channels)


def _steps_without(
    panel: Panel, row: Counts, direction: int, count: Counts, channels: slice
) -> Counts:
    """Count the rows (N,) without a value from `row` on in a direction, `count` at most.

    First a few rows of each are looked at, then ever more of those that nothing was found in.
    """
    found = count.copy()
    still, done, width = np.flatnonzero(count > 0), 0, _FIRST_LOOK
    while len(still):
        at_once = max(1, MOST_ROWS // width)
        for part in np.split(still, range(at_once, len(still), at_once)):
            ahead = done + np.arange(width)
            is_there = ahead < count[part, None]  # (n, W)
            rows = row[part, None] + direction * np.where(is_there, ahead, 0)
            seen = ~np.isnan(panel.values[rows.reshape(-1), channels]).all(axis=1)
            seen = seen.reshape(rows.shape) & is_there
            has_any = seen.any(axis=1)
            found[part[has_any]] = done + seen[has_any].argmax(axis=1)
        done += width
        still = still[(found[still] == count[still]) & (count[still] > done)]
        width = min(8 * width, _LONGEST_LOOK)
    return found
