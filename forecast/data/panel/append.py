"""Appends new readings to a panel on disk, without building it again.

Only new rows are written, into the spare rows of each series, and `meta.json` last. Readings that
would change existing rows are refused; the panel must then be built again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import numpy as np

from forecast.data.chunk import CannotAppendError
from forecast.data.grid import DAY_NS
from forecast.data.panel.aggregate import Cells, Readings, by_row_and_time, first_conflict, to_cells
from forecast.data.panel.build import SPARE_SHARE, save_tail, stretches
from forecast.data.panel.collect import Intake, Layout, spare_rows
from forecast.data.panel.spill_file import Spill
from forecast.data.panel.store import (
    commit,
    describe,
    new_files,
    open_panel,
    read_meta,
    whole_or_nothing,
    work_folder,
)
from forecast.data.strays import FAR_DAYS

if TYPE_CHECKING:
    import os
    from typing import Any

    from numpy.typing import NDArray

    from forecast.data.chunk import Source
    from forecast.data.panel.panel import Panel
    from forecast.data.panel.rules import PanelSpec


def append_panel(
    source: Source,
    path: str | os.PathLike[str],
    *,
    spec: PanelSpec,
    fingerprint: str = "",
    states: object = (),
) -> Panel:
    """Append readings to the panel of a folder.

    Parameters
    ----------
    source
        New readings only; its ids begin with the panel's, in their order.
    spec
        The one the panel was built by.
    fingerprint, states
        As for `build_panel`, of the whole source.

    Raises
    ------
    CannotAppendError
        When rows already there would change, or the spare rows are used up. Nothing is written.
    DataError
        When there is no whole panel, or the readings cannot be used.
    """
    folder = Path(path)
    panel = open_panel(folder)
    if panel.vintages is not None:
        raise CannotAppendError("the panel holds vintages")
    if spec.difference:
        raise CannotAppendError("growth is counted from the first reading of running totals")
    with whole_or_nothing(folder):
        files = new_files(folder)
        with work_folder(folder, files) as work:
            intake = Intake(Spill(work / "readings", len(spec.channels)), spec)
            for chunk in source:
                intake.add(chunk)
            change, layout = _change(panel, folder, intake, source, spec)
        meta = read_meta(folder)
        change.write(folder / meta["files"]["values"])
        kept = {"values": meta["files"]["values"], "tail": save_tail(folder, files, change.tail())}
        longer = _longer(panel, intake, source, layout, change.occupied)
        longer = replace(longer, fingerprint=fingerprint)
        commit(folder, describe(longer, layout.rows, kept, states))
    return open_panel(folder)


def _change(
    panel: Panel, folder: Path, intake: Intake, source: Source, spec: PanelSpec
) -> tuple[_Change, Layout]:
    """Work out which cells the readings change, and where they lie."""
    if intake.spill.has_vintages:
        raise CannotAppendError("the new readings have vintages")
    meta = read_meta(folder)
    layout = _layout(panel, intake, source, int(meta["rows"]))
    change = _Change(panel, spec, layout, _load_tail(folder, meta))
    for _, slab in stretches(intake.spill, layout):
        if slab is not None:
            row = layout.row(slab.series, slab.time)
            change.add(Readings(row, slab.time, slab.values))
    return change, layout


def _layout(panel: Panel, intake: Intake, source: Source, rows: int) -> Layout:
    """Place what came: old series grow into their spare rows, new ones stand behind them all."""
    grid, old = panel.grid, len(panel.series_ids)
    first, last = intake.spans(len(source.series_ids))
    came = first <= last
    _require_near(panel, first[came], last[came])
    if grid.anchor_ns and came.any() and intake.grid().anchor_ns != grid.anchor_ns:
        raise CannotAppendError("the readings no longer lie at one place of the step")
    new = len(first) - old
    start = np.append(panel.start, np.zeros(new, np.int64))
    length = np.append(panel.length, np.zeros(new, np.int64))
    begin = start.copy()
    begin[came] = grid.index(first[came])
    start[old:] = begin[old:]
    stop = start + length
    stop[came] = np.maximum(stop[came], grid.index(last[came]) + 1)
    if (begin[:old] < start[:old]).any():
        raise CannotAppendError("there are readings before the first step of a series")
    room = np.diff(np.append(panel.offset, rows))
    if (stop[:old] - start[:old] > room).any():
        raise CannotAppendError("the spare rows of a series are used up")
    length = stop - start
    space = np.where(came[old:], length[old:] + spare_rows(length[old:], SPARE_SHARE), 0)
    ends = rows + np.cumsum(space)
    offset = np.concatenate([panel.offset, ends - space]).astype(np.int64)
    return Layout(grid, start, length, offset, int(ends[-1]) if new else rows)


def _require_near(panel: Panel, first: NDArray[np.int64], last: NDArray[np.int64]) -> None:
    """Check that no new reading is stray, or makes strays of before part of the rest."""
    if not len(first):
        return
    far = FAR_DAYS * DAY_NS
    begin, end = panel.grid.time(np.array([panel.start.min(), (panel.start + panel.length).max()]))
    if first.min() < begin - far or last.max() > end + far:
        raise CannotAppendError("a new reading lies years from all others")
    near = [time for _, time in panel.strays if first.min() - far < time < last.max() + far]
    if near or panel.account.get("stray", 0) > len(panel.strays):
        raise CannotAppendError("readings set aside as far from all others may be none now")


@dataclass
class _Change:
    """Cells to write, checked against those already there.

    `occupied` counts cells that were empty before.
    """

    panel: Panel
    spec: PanelSpec
    layout: Layout
    old_tail: Readings

    def __post_init__(self) -> None:
        self.occupied = 0
        self._cells: list[Cells] = []
        self._tails: list[Readings] = []
        used = np.flatnonzero(self.layout.length)
        self._first = self.layout.offset[used]
        self._last = self._first + self.layout.length[used] - 1
        before = np.append(
            self.panel.length, np.zeros(len(self.layout.length) - len(self.panel.length), np.int64)
        )
        self._before = before[used]

    def add(self, readings: Readings) -> None:
        """Reduce new readings of some rows to cells."""
        from_tail = self.old_tail.take(np.isin(self.old_tail.row, readings.row))
        merged = by_row_and_time(
            Readings(
                np.concatenate([from_tail.row, readings.row]),
                np.concatenate([from_tail.time, readings.time]),
                np.concatenate([from_tail.values, readings.values]),
            )
        )
        if self.spec.duplicates == "error" and first_conflict(merged):
            raise CannotAppendError("readings of one timestamp differ")
        cells = to_cells(merged, self.spec.rules, self.spec.duplicates)
        series = np.searchsorted(self._first, cells.row, side="right") - 1
        is_old = cells.row < self._first[series] + self._before[series]
        is_tail = np.isin(cells.row, from_tail.row)
        keeps = np.flatnonzero(is_old & ~is_tail)
        cells.values[keeps] = self._merged(cells.row[keeps], cells.values[keeps])
        self.occupied += int((~is_old).sum())
        self._cells.append(cells)
        position = np.searchsorted(self._first, merged.row, side="right") - 1
        self._tails.append(merged.take(merged.row == self._last[position]))

    def _merged(self, row: NDArray[np.int64], values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Old cells with new values where they were missing."""
        old = np.asarray(self.panel.values[row])
        is_sum = np.array([rule == "sum" for rule in self.spec.rules])
        meets = ~np.isnan(old) & ~np.isnan(values)
        if (meets & ((old != values) | is_sum)).any():
            raise CannotAppendError("the readings change steps already in the panel")
        self.occupied += int(np.isnan(old).all(axis=1).sum())
        return np.where(np.isnan(values), old, values)

    def write(self, path: Path) -> None:
        """Write the cells; every row between a series' old and new end is written."""
        width = len(self.spec.channels)
        grown = np.flatnonzero(self._last + 1 - self._first > self._before)
        with path.open("r+b") as file:  # a full disk is told here; through the map it is a signal
            file.truncate(self.layout.rows * width * 4)
            for series in grown:
                begin, stop = self._first[series] + self._before[series], self._last[series] + 1
                file.seek(begin * width * 4)
                file.write(np.full((stop - begin, width), np.nan, dtype="<f4").data)
        values = np.memmap(path, dtype="<f4", mode="r+", shape=(self.layout.rows, width))
        for cells in self._cells:
            values[cells.row] = cells.values
        values.flush()

    def tail(self) -> Readings:
        """Collect the readings of each series' last step, old ones where nothing came."""
        fresh = [part.row for part in self._tails]
        touched = np.concatenate([np.empty(0, np.int64), *fresh])
        stays = np.isin(self.old_tail.row, self._last) & ~np.isin(self.old_tail.row, touched)
        parts = [self.old_tail.take(stays), *self._tails]
        return Readings(
            np.concatenate([part.row for part in parts]),
            np.concatenate([part.time for part in parts]),
            np.concatenate([part.values for part in parts]),
        )


def _longer(panel: Panel, intake: Intake, source: Source, layout: Layout, occupied: int) -> Panel:
    """Describe the panel with what came."""
    account = dict(panel.account)
    for key, count in intake.account.items():
        account[key] = account.get(key, 0) + count
    account["kept"] += occupied
    account["aggregated"] = account["read"] - account["rejected"] - account["kept"]
    used = np.flatnonzero(layout.length)
    old = len(panel.series_ids)
    static = panel.static
    if source.static_names:
        static = np.concatenate([static, source.static[old:].astype(np.float32)])[used]
    else:
        static = np.empty((len(used), 0), dtype=np.float32)
    return replace(
        panel,
        offset=layout.offset[used],
        length=layout.length[used],
        start=layout.start[used],
        series_ids=tuple(source.series_ids.names[series] for series in used),
        static=static,
        account=account,
        categories=dict(source.categories),
    )


def _load_tail(folder: Path, meta: dict[str, Any]) -> Readings:
    path = folder / meta["files"]["tail"]
    try:
        with np.load(path, allow_pickle=False) as tail:
            return Readings(tail["row"], tail["time"], tail["values"])
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise CannotAppendError(f"{path} is damaged") from error
