"""Tells the two passes of an hour that a clock change repeats apart, by the order of rows.

A *visit* is a run of rows of one series within such an hour, without a row of another time between.
In rows that run forward the clock goes back once, or stands still (02:00, 02:00, 02:15, 02:15) if
the rows were sorted by local time: the second occurrence is then the second pass. Rows that run
backwards are the mirror image.
"""

from collections import Counter
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from forecast.data.chunk import MISSING_TIME, Chunk, SeriesIds, joined_chunks
from forecast.data.tables.local_clock import DAY_NS, LocalClock
from forecast.errors import DataError

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class _Visits(NamedTuple):
    """Visits as slices [begin, stop) of rows sorted by series.

    `before` and `after` are 1 where the row there is earlier and later than the visit, -1 where
    it is the other way round, 0 where the series has none; `back`, `up`, `same` and `thrice` count
    how often the clock goes back, on, stands still, or stands still for a third row. `overall` is 1
    where most rows of the series run forward, -1 where backwards; `twice` says that the second half
    holds the times of the first.
    """

    begin: Ints
    stop: Ints
    before: Ints
    after: Ints
    back: Ints
    up: Ints
    same: Ints
    thrice: Ints
    overall: Ints
    twice: Bools

    @property
    def forward(self) -> Ints:
        """Positive where the rows run forward in time, negative where backwards, else unclear."""
        inside = np.sign(self.up - self.back)
        total: Ints = np.sign(self.before + self.after + inside)
        has_no_row_around = (self.before == 0) & (self.after == 0) & (inside == 0)
        local = np.where(has_no_row_around, 1, total)
        return np.where(local * self.overall < 0, 0, local)


class RepeatedHours:
    """Settles the passes of chunk after chunk; what ends a chunk waits for the next one.

    Attributes
    ----------
    alone : int
        Rows whose local time was there once: taken as the first pass, the other one is missing.
        Those of a night that is not over are none.
    """

    def __init__(self, clock: LocalClock, series_ids: SeriesIds) -> None:
        self.alone = 0
        self._clock = clock
        self._ids = series_ids
        self._held: Chunk | None = None
        self._newest = MISSING_TIME
        self._visited: dict[tuple[int, int], bool] = {}  # series and night: was it alone

    def settle(self, chunk: Chunk, where: str, *, is_last: bool = False) -> Chunk:
        """Return a chunk with the passes of its repeated times settled.

        Parameters
        ----------
        chunk
            Its `repeated` rows stand at the first of their two instants.
        where
            The file, for words.
        is_last
            Whether nothing follows; otherwise visits that a series ends with are held back.

        Raises
        ------
        DataError
            When the order of rows does not tell the passes apart.
        """
        if len(chunk.time):
            self._newest = max(self._newest, int(chunk.time.max()))
        if self._held is not None:
            chunk, self._held = joined_chunks(self._held, chunk), None
        if chunk.repeated is None or not chunk.repeated.any():
            return replace(chunk, repeated=None)
        order = np.argsort(chunk.series, kind="stable")
        series, time = chunk.series[order], chunk.time[order]
        night = (time + DAY_NS // 2) // DAY_NS * chunk.repeated[order]
        visits = _visits(series, time, night)
        if not is_last:
            is_open = visits.after == 0
            held = np.zeros(len(order), dtype=bool)
            begin = visits.begin[is_open] - (visits.before[is_open] != 0)  # with the row before
            held[order[_rows(begin, visits.stop[is_open])]] = True
            if held.any():
                done = self.settle(chunk.take(~held), where, is_last=True)
                self._held = replace(chunk.take(held), rejected=0)
                return done
        second = self._second(series, time, visits, where)
        late = order[second]
        settled = chunk.time.copy()
        settled[late] = self._clock.second(settled[late])
        return replace(chunk, time=settled, repeated=None)

    def rest(self, where: str) -> Chunk | None:
        """Settle what is held back when nothing follows."""
        if self._held is None:
            return None
        held, self._held = self._held, None
        return self.settle(held, where, is_last=True)

    def _second(self, series: NDArray[np.int32], time: Ints, visits: _Visits, where: str) -> Ints:
        """Return the rows, sorted by series, that belong to the second pass."""
        unclear, alone = _judge(visits)
        nights = (time[visits.begin] + DAY_NS // 2) // DAY_NS
        keys = list(zip(series[visits.begin].tolist(), nights.tolist(), strict=True))
        visited = Counter(keys)
        again = np.array([visited[key] > 1 or key in self._visited for key in keys])
        meets_alone = np.array([self._visited.get(key, False) for key in keys])
        wrong = np.flatnonzero(unclear | (alone & again) | meets_alone)
        if len(wrong):
            raise self._refusal(keys[wrong[0]][0], int(time[visits.begin[wrong[0]]]), where)
        self._visited.update(zip(keys, alone.tolist(), strict=True))
        second, once = _passes(time, visits)
        settled, late = self._between(time, visits, alone)
        number = np.repeat(np.arange(len(visits.begin)), visits.stop - visits.begin)
        has_row_around = (visits.before != 0) | (visits.after != 0)
        is_live = has_row_around & (self._clock.second(time[visits.stop - 1]) >= self._newest)
        self.alone += int(np.count_nonzero(once & ~(settled | is_live)[number]))
        return np.append(second, _rows(visits.begin[late], visits.stop[late]))

    def _between(self, time: Ints, visits: _Visits, alone: Bools) -> tuple[Bools, Bools]:
        """Return which visits have all their rows, by even distances, and which of these are late.

        Where clocks go back by half an hour, hourly rows meet one of the passes only: the one that
        lies in the middle between the row before and the row after.
        """
        begin, last = visits.begin, visits.stop - 1
        has_both = alone & (visits.before != 0) & (visits.after != 0)
        before = np.abs(time[begin] - time[np.maximum(begin - 1, 0)])
        after = np.abs(time[np.minimum(last + 1, len(time) - 1)] - time[last])
        is_forward = visits.forward >= 0
        earlier, later = np.where(is_forward, before, after), np.where(is_forward, after, before)
        shift = self._clock.second(time[begin]) - time[begin]
        is_early = has_both & (earlier == later)
        is_late = has_both & (earlier + shift == later - shift)
        return is_early | is_late, is_late & ~is_early

    def _refusal(self, series: int, time: int, where: str) -> DataError:
        """Return the error of a visit whose rows do not tell their passes."""
        zone = self._clock.timezone
        night = np.datetime64(int(self._clock.to_local(np.array([time]))[0]), "ns")
        return DataError(
            f"{where}: series {self._ids.names[series]!r}: times from "
            f"{np.datetime_as_string(night, unit='m').replace('T', ' ')} come twice in {zone} "
            "(clocks go back), and the order of rows does not tell which is which; sort the rows "
            "by time, use stamps with an offset, or set data.ambiguous: first or second"
        )


def _rows(begin: Ints, stop: Ints) -> Ints:
    """Return the positions of several slices, one after the other."""
    length = stop - begin
    return np.repeat(begin - np.cumsum(length) + length, length) + np.arange(int(length.sum()))


def _visits(series: NDArray[np.int32], time: Ints, night: Ints) -> _Visits:
    """Return the visits in rows sorted by series; `night` is 0 outside of repeated hours."""
    is_new = np.append(True, (series[1:] != series[:-1]) | (night[1:] != night[:-1]))
    edges = np.append(np.flatnonzero(is_new), len(series))
    chosen = np.flatnonzero(night[edges[:-1]] != 0)
    begin, stop = edges[:-1][chosen], edges[1:][chosen]
    step = np.sign(np.diff(time))
    stands = step == 0
    before, after = np.zeros(len(begin), np.int64), np.zeros(len(begin), np.int64)
    has = (begin > 0) & (series[begin - 1] == series[begin])
    before[has] = np.sign(time[begin[has]] - time[begin[has] - 1])
    has = stop < len(series)
    has[has] = series[stop[has]] == series[stop[has] - 1]
    after[has] = np.sign(time[stop[has]] - time[stop[has] - 1])
    first = np.searchsorted(series, series[begin], side="left")
    last = np.searchsorted(series, series[begin], side="right") - 1
    ups, backs = (_count_within(step == sign, first, last) for sign in (1, -1))
    return _Visits(
        begin,
        stop,
        before,
        after,
        back=_count_within(step < 0, begin, stop - 1),
        up=_count_within(step > 0, begin, stop - 1),
        same=_count_within(stands, begin, stop - 1),
        thrice=_count_within(stands[1:] & stands[:-1], begin, np.maximum(stop - 2, begin)),
        overall=np.sign(ups - backs),
        twice=_are_twice(time, begin, stop),
    )


def _are_twice(time: Ints, begin: Ints, stop: Ints) -> Bools:
    """Return which slices hold the same times in their second half as in their first."""
    half = (stop - begin) // 2
    first = _rows(begin, begin + half)
    differs = time[first] != time[first + np.repeat(half, half)]
    edges = np.append(0, np.cumsum(half))
    found: Bools = ((stop - begin) % 2 == 0) & (_count_within(differs, edges[:-1], edges[1:]) == 0)
    return found


def _count_within(mask: Bools, begin: Ints, stop: Ints) -> Ints:
    """Count what is true in each of several slices."""
    counts = np.append(0, np.cumsum(mask))
    last = len(counts) - 1
    found: Ints = counts[np.minimum(stop, last)] - counts[np.minimum(begin, last)]
    return found


def _judge(visits: _Visits) -> tuple[Bools, Bools]:
    """Return the visits whose passes the rows do not tell, and those with times there once only."""
    is_forward = visits.forward >= 0
    against = np.where(is_forward, visits.back, visits.up)
    # backwards, side by side: which of two equal stamps came first depends on how they were sorted
    beside = ~is_forward & (visits.same > 0) & ((visits.back > 0) | (visits.same > 1))
    alone = (against == 0) & (visits.same == 0)
    has_row_around = (visits.before != 0) | (visits.after != 0)  # else nothing says which way
    is_told = has_row_around | visits.twice
    clear = ((against == 1) & is_told) | ((against == 0) & ~beside & (visits.thrice == 0))
    is_one_row = visits.stop - visits.begin == 1
    return ~is_one_row & ((visits.forward == 0) | ~clear), alone


def _passes(time: Ints, visits: _Visits) -> tuple[Ints, Bools]:
    """Return the rows of the second pass, and which rows of all visits stand for one pass only."""
    rows = _rows(visits.begin, visits.stop)
    number = np.repeat(np.arange(len(visits.begin)), visits.stop - visits.begin)
    is_first = np.diff(number, prepend=-1) > 0
    step = np.where(is_first, 0, np.sign(np.diff(time[rows], prepend=0)))
    is_forward = visits.forward >= 0
    has_jump = np.where(is_forward, visits.back, visits.up)[number] == 1
    jumps = np.cumsum(step == np.where(is_forward, -1, 1)[number])
    has_passed = jumps > jumps[np.flatnonzero(is_first)][number]
    stands = (step == 0) & ~is_first
    is_followed = np.append(stands[1:], False)
    by_sighting = np.where(is_forward[number], stands, is_followed)
    second = np.where(has_jump, has_passed == is_forward[number], by_sighting)
    return rows[second], ~(has_jump | stands | is_followed)
