"""Collects chunks of readings in a spill file: applies limits, counts readings, tracks spans."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from forecast.data.chunk import MISSING_TIME, Chunk
from forecast.data.panel.running_totals import FirstTotals
from forecast.data.places import Places
from forecast.data.strays import Days
from forecast.data.tables.time_texts import EARLIEST_NS, LATEST_NS
from forecast.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from forecast.data.grid import Grid
    from forecast.data.panel.rules import PanelSpec
    from forecast.data.panel.spill_file import Spill

_LATEST = np.iinfo(np.int64).max
ROOM_PER_READING = 200
ROOM = 20_000_000
MOST_SHOWN = 20


class Layout(NamedTuple):
    """Where each series lies in the file of values; a series without readings has length 0.

    `rows` counts the spare rows behind the blocks too.
    """

    grid: Grid
    start: NDArray[np.int64]
    length: NDArray[np.int64]
    offset: NDArray[np.int64]
    rows: int

    def row(self, series: NDArray[np.int32], time: NDArray[np.int64]) -> NDArray[np.int64]:
        """Row of each reading's cell."""
        return (self.offset - self.start)[series] + self.grid.index(time)


def key_of(what: str, table: int) -> str:
    """Return the key of the account for one of several tables.

    Examples
    --------
    >>> key_of("read", 0)
    'table 0 read'
    """
    return f"table {table} {what}"


def spare_rows(length: NDArray[np.int64], share: float) -> NDArray[np.int64]:
    """Rows to leave free behind each series, for appending."""
    return (length * share).astype(np.int64) + (32 if share else 0)


class Intake:
    """Takes chunks in, one after the other.

    Attributes
    ----------
    account : dict
        Rows read and rejected, and values outside the limits or not finite by channel.
    first, last : (series,) int64
        Earliest and latest instant of each series.
    strays : list
        Series and instant of the first readings that were set aside as far from all others.
    """

    def __init__(self, spill: Spill, spec: PanelSpec) -> None:
        self.spill = spill
        self.spec = spec
        self.account = {"read": 0, "rejected": 0}
        self.first = np.empty(0, dtype=np.int64)
        self.last = np.empty(0, dtype=np.int64)
        self.strays: list[tuple[int, int]] = []
        self._places = Places(spec.grid)
        self._days = Days()
        self._totals = FirstTotals(spec.totals)
        self._limits = [
            (channel, spec.limits[name])
            for channel, name in enumerate(spec.channels)
            if name in spec.limits
        ]

    def add(self, chunk: Chunk) -> None:
        """Spill a chunk; readings without a time or a series are rejected."""
        self._count("read", chunk.read, chunk.table)
        usable = (chunk.time != MISSING_TIME) & (chunk.series >= 0)
        if not usable.all():
            chunk = replace(chunk.take(usable), rejected=chunk.rejected + int((~usable).sum()))
        self._count("rejected", chunk.rejected, chunk.table)
        if len(chunk.series):
            self._track(chunk.series, chunk.time)
            self._days.add(chunk.time)
            self.spill.add(replace(chunk, values=self._within_limits(chunk)))

    def spans(self, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return earliest and latest instant of `count` series; earliest is later where none."""
        missing = count - len(self.first)
        return (
            np.append(self.first, np.full(missing, _LATEST)),
            np.append(self.last, np.full(missing, MISSING_TIME)),
        )

    def grid(self) -> Grid:
        """Return the grid, anchored where all readings lie when they lie at one place."""
        return replace(self.spec.grid, anchor_ns=self._places.anchor())

    def layout(self, names: list[str], spare_share: float) -> Layout:
        """Place every series, with spare rows for appending.

        Raises
        ------
        DataError
            When there are no readings, or a stray timestamp would make the grid absurdly long.
        """
        if not self.spill.rows:
            raise DataError(
                f"no usable readings: {self.account['read']} rows read, "
                f"{self.account['rejected']} rejected; run `forecast check` to see why"
            )
        self._set_strays_aside()
        grid = self.grid()
        used = self.first != _LATEST
        self._require_within_bounds(used, names)
        start, length = np.zeros_like(self.first), np.zeros_like(self.first)
        start[used] = grid.index(self.first[used])
        length[used] = grid.index(self.last[used]) + 1 - start[used]
        self._require_sane(length, names)
        ends = np.cumsum(np.where(used, length + spare_rows(length, spare_share), 0))
        offset = np.concatenate([[0], ends[:-1]]).astype(np.int64)
        return Layout(grid, start, length, offset, int(ends[-1]))

    def _count(self, what: str, count: int, table: int | None) -> None:
        self.account[what] += count
        if table is not None:
            key = key_of(what, table)
            self.account[key] = self.account.get(key, 0) + count

    def _track(self, series: NDArray[np.int32], time: NDArray[np.int64]) -> None:
        missing = int(series.max()) + 1 - len(self.first)
        if missing > 0:
            self.first = np.append(self.first, np.full(missing, _LATEST))
            self.last = np.append(self.last, np.full(missing, MISSING_TIME))
        np.minimum.at(self.first, series, time)
        np.maximum.at(self.last, series, time)
        self._places.add(time)

    def _set_strays_aside(self) -> None:
        """Reject readings far from all others, and forget what was learned from them."""
        kept = self._days.kept(self.spec.grid.step_ns)
        if kept is None:
            return
        before, self.spill = self.spill, self.spill.sibling("kept")
        self.first, self.last = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        self._places = Places(self.spec.grid)
        for slab in before.slabs():
            is_near = (slab.time >= kept[0]) & (slab.time <= kept[1])
            far = np.flatnonzero(~is_near)
            of_tables = [len(far)] if slab.table is None else np.bincount(slab.table[far]).tolist()
            for table, count in enumerate(of_tables):
                self._count("rejected", count, None if slab.table is None else table)
            self.account["stray"] = self.account.get("stray", 0) + len(far)
            shown = far[: MOST_SHOWN - len(self.strays)]
            self.strays += list(
                zip(slab.series[shown].tolist(), slab.time[shown].tolist(), strict=True)
            )
            if is_near.any():
                near = slab.take(np.flatnonzero(is_near)) if len(far) else slab
                self._track(near.series, near.time)
                self.spill.add(near)
        before.delete()

    def _within_limits(self, chunk: Chunk) -> NDArray[np.float32]:
        exact = self._totals.counted_from(chunk) if self._totals else chunk.values
        with np.errstate(over="ignore"):  # what float32 cannot hold counts as infinite below
            values = exact.astype(np.float32)  # a copy: the chunk stays as it is
        wild = np.isinf(values)
        if wild.any():
            for channel in range(wild.shape[1]):
                self._drop(values, channel, "infinite", wild[:, channel])
        for channel, (low, high) in self._limits:
            source = chunk.values[:, channel]  # not yet rounded to float32
            outside = np.zeros(len(source), dtype=bool) if low is None else source < low
            if high is not None:
                outside |= source > high
            self._drop(values, channel, "outside", outside & ~wild[:, channel])
        return values

    def _drop(
        self, values: NDArray[np.float32], channel: int, why: str, which: NDArray[np.bool_]
    ) -> None:
        count = int(np.count_nonzero(which))
        if count:
            key = f"{why}:{self.spec.channels[channel]}"
            self.account[key] = self.account.get(key, 0) + count
            values[which, channel] = np.nan

    def _require_within_bounds(self, used: NDArray[np.bool_], names: list[str]) -> None:
        is_beyond = used & ((self.first <= EARLIEST_NS) | (self.last >= LATEST_NS))
        if is_beyond.any():
            raise DataError(
                f"series {names[int(np.argmax(is_beyond))]!r}: several readings have a time before "
                "1700 or after 2250 (9999-12-31 or 0001-01-01 for missing?); mend the rows, or "
                "name another column in data.timestamp"
            )

    def _require_sane(self, length: NDArray[np.int64], names: list[str]) -> None:
        if int(length.sum()) <= ROOM + ROOM_PER_READING * self.spill.rows:
            return
        import pandas as pd

        worst = int(np.argmax(length))
        first, last = (pd.Timestamp(int(t[worst]), tz="UTC") for t in (self.first, self.last))
        raise DataError(
            f"series {names[worst]!r}: {self.spill.rows} readings in all, but this series alone "
            f"spans {length[worst]} steps of {self.spec.grid.frequency}, from {first} to {last}; "
            "mend the stray timestamp, or set data.frequency to the step of the readings"
        )
