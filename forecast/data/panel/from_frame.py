"""A panel in memory from a pandas frame."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from forecast.data.chunk import MISSING_TIME, Chunk
from forecast.data.grid import Grid
from forecast.data.panel.aggregate import Readings, by_row_and_time, to_cells
from forecast.data.panel.collect import Intake
from forecast.data.panel.frame_times import FrameTimes
from forecast.data.panel.panel import Panel
from forecast.data.panel.rules import PanelSpec
from forecast.data.panel.spill_file import Spill
from forecast.data.panel.versions import to_versions
from forecast.data.panel.vintages import Vintages
from forecast.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray


def panel_from_frame(
    frame: pd.DataFrame,
    *,
    frequency: str,
    timezone: str = "UTC",
    series: str = "unique_id",
    timestamp: str = "ds",
    targets: Sequence[str] = ("y",),
    past: Sequence[str] = (),
    known: Sequence[str] = (),
    static: pd.DataFrame | None = None,
    available_at: str | None = None,
) -> Panel:
    """Return the panel of a long frame, with one row per reading.

    Of rows with one timestamp the last counts, of timestamps within one step the mean.

    Parameters
    ----------
    frame
        Columns `series` (may be absent: one series), `timestamp` (naive stamps are local to
        `timezone`) and the channels. NaN means missing.
    static
        One row per series, indexed by series id.
    available_at
        Column with the time at which a row became known; missing means always known.

    Raises
    ------
    DataError
        When a column is missing, or a timestamp is missing or not a time.
    """
    spec = PanelSpec(Grid(frequency, timezone), tuple(targets), tuple(past), tuple(known))
    return panel_by_rules(
        frame, spec, series=series, timestamp=timestamp, static=static, available_at=available_at
    )


def panel_by_rules(
    frame: pd.DataFrame,
    spec: PanelSpec,
    *,
    series: str = "unique_id",
    timestamp: str = "ds",
    static: pd.DataFrame | None = None,
    available_at: str | None = None,
) -> Panel:
    """Panel of a long frame by the rules of a config: aggregation, duplicates, limits.

    Parameters and errors as of `panel_from_frame`.
    """
    import pandas as pd

    _require(frame, [timestamp, *spec.channels, *([available_at] if available_at else [])])
    ids = frame[series].astype(str) if series in frame else pd.Series("series", frame.index)
    codes, names = pd.factorize(ids)
    times = FrameTimes(spec.grid)
    time, repeated = times.of(frame[timestamp])
    if (time == MISSING_TIME).any():
        missing = int((time == MISSING_TIME).sum())
        raise DataError(f"column {timestamp!r}: {missing} rows have no time")
    known_at = None if available_at is None else times.known_at(frame[available_at])
    values = frame[list(spec.channels)].to_numpy(dtype=np.float64, na_value=np.nan)
    chunk = Chunk(codes.astype(np.int32), time, values, known_at, repeated=repeated)
    chunk = times.settled(chunk, names)
    fixed = np.empty((len(names), 0)) if static is None else static.reindex(names).to_numpy(float)
    return _panel(
        chunk,
        spec,
        names=tuple(map(str, names)),
        static=fixed.astype(np.float32),
        static_names=() if static is None else tuple(map(str, static.columns)),
    )


def _panel(
    chunk: Chunk,
    spec: PanelSpec,
    *,
    names: tuple[str, ...],
    static: NDArray[np.float32],
    static_names: tuple[str, ...],
) -> Panel:
    intake = Intake(Spill(Path(), len(spec.channels), memory=sys.maxsize), spec)
    intake.add(chunk)
    layout = intake.layout(list(names), 0.0)
    slab = intake.spill.load()
    assert slab is not None
    row = layout.row(slab.series, slab.time)
    readings = Readings(row, slab.time, slab.values, slab.available_at)
    values = np.full((layout.rows, len(spec.channels)), np.nan, dtype=np.float32)
    vintages = None
    if readings.available_at is None:
        cells = to_cells(by_row_and_time(readings), spec.rules, spec.duplicates)
        values[cells.row] = cells.values
        kept = len(cells.row)
    else:
        versions = to_versions(readings, spec.rules)
        values[versions.row] = versions.values  # of each row the newest, which comes last
        counts = np.bincount(versions.row, minlength=layout.rows)
        indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        vintages = Vintages(indptr, versions.available_at, versions.values)
        kept = len(versions.row)
    used = np.flatnonzero(layout.length)
    read = intake.account["read"] - intake.account["rejected"]
    return Panel(
        values=values,
        offset=layout.offset[used],
        length=layout.length[used],
        start=layout.start[used],
        series_ids=tuple(names[series] for series in used),
        targets=spec.targets,
        past=spec.past,
        known=spec.known,
        static=static[used],
        static_names=static_names,
        grid=layout.grid,
        account={**intake.account, "kept": kept, "aggregated": read - kept},
        vintages=vintages,
        strays=tuple((names[series], time) for series, time in intake.strays),
    )


def _require(frame: pd.DataFrame, columns: Sequence[str]) -> None:
    absent = [name for name in columns if name not in frame]
    if absent:
        raise DataError(f"the frame has no column {absent}; its columns: {list(frame.columns)}")
    if frame.empty:
        raise DataError("the frame has no rows")
