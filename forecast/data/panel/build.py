"""Builds a panel on disk from chunks of readings, in bounded memory.

Readings are spilled to disk and sorted into stretches, ranges of rows of the panel that fit into
memory; each stretch is then aggregated to cells and written.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from forecast.data.panel.collect import Intake, Layout, key_of
from forecast.data.panel.panel import Panel
from forecast.data.panel.running_totals import take_differences
from forecast.data.panel.spill_file import MEMORY, Slab, Spill
from forecast.data.panel.store import (
    commit,
    describe,
    new_files,
    open_panel,
    unwritable,
    whole_or_nothing,
    work_folder,
)
from forecast.data.panel.writer import StretchWriter

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from forecast.data.chunk import Source
    from forecast.data.panel.aggregate import Readings
    from forecast.data.panel.rules import PanelSpec

STRETCH = 384 << 20  # approximate bytes of memory to aggregate one stretch
MOST_STRETCHES = 256
SPARE_SHARE = 0.125


def build_panel(
    source: Source,
    path: str | os.PathLike[str],
    *,
    spec: PanelSpec,
    fingerprint: str = "",
    states: object = (),
) -> Panel:
    """Build a panel in a folder from a source; an older panel there is replaced at the end.

    Parameters
    ----------
    fingerprint
        Of the source and the data settings.
    states
        Plain values that tell the state of the source, kept for an append.

    Raises
    ------
    DataError
        When there are no usable readings, duplicates conflict where the rule refuses them, or
        the folder cannot be written.
    """
    folder = Path(path)
    try:
        files = new_files(folder)
    except OSError as error:
        raise unwritable(folder, error) from error
    with whole_or_nothing(folder), work_folder(folder, files) as work:
        intake = Intake(Spill(work / "readings", len(spec.channels)), spec)
        for chunk in source:
            intake.add(chunk)
        layout = intake.layout(source.series_ids.names, SPARE_SHARE)
        writer = StretchWriter(folder, files, spec, layout, source.series_ids.names)
        try:
            for stretch, slab in stretches(intake.spill, layout):
                writer.write(stretch, slab)
        finally:
            writer.close()
        if spec.difference:
            _take_differences(writer, intake)
        meta = _describe(writer, intake, source, fingerprint)
        commit(folder, meta | {"source": states})
    return open_panel(folder)


def _take_differences(writer: StretchWriter, intake: Intake) -> None:
    """Turn the running totals of a panel into their growth; count the falls."""
    spec = writer.spec
    path = writer.folder / writer.files["values"]
    falls = take_differences(path, writer.layout, spec.totals, len(spec.channels))
    for name, count in zip(spec.difference, falls, strict=True):
        if count:
            intake.account[f"fallen:{name}"] = count


def stretches(spill: Spill, layout: Layout) -> Iterator[tuple[range, Slab | None]]:
    """Sort readings by stretches of the panel; yields rows and readings, all rows once."""
    crowd = max(1.0, spill.rows / max(layout.rows, 1))
    size = STRETCH // (64 + 12 * spill.channels)
    size = max(1024, int(size / crowd), -(-layout.rows // MOST_STRETCHES))
    count = -(-layout.rows // size)
    if count <= 1:
        yield range(layout.rows), spill.load()
        return
    parts = [
        Spill(spill.stem.with_name(f"stretch{n}"), spill.channels, memory=MEMORY // count)
        for n in range(count)
    ]
    for slab in spill.slabs():
        _scatter(slab, layout.row(slab.series, slab.time) // size, parts)
    spill.delete()
    for number, part in enumerate(parts):
        yield range(number * size, min((number + 1) * size, layout.rows)), part.load()
        part.delete()


def _scatter(slab: Slab, number: NDArray[np.int64], parts: list[Spill]) -> None:
    if (number[1:] < number[:-1]).any():
        order = np.argsort(number.astype(np.int16), kind="stable")
        slab, number = slab.take(order), number[order]
    edges = [0, *(np.flatnonzero(number[1:] != number[:-1]) + 1), len(number)]
    for first, stop in itertools.pairwise(edges):
        parts[number[first]].add(slab.take(slice(first, stop)))


def _describe(
    writer: StretchWriter, intake: Intake, source: Source, fingerprint: str
) -> dict[str, Any]:
    layout, spec = writer.layout, writer.spec
    used = np.flatnonzero(layout.length)
    read, rejected = intake.account["read"], intake.account["rejected"]
    account = {"read": read, "kept": writer.kept, "aggregated": read - rejected - writer.kept}
    for table, kept in enumerate(writer.kept_by_table.tolist()):
        account[key_of("kept", table)] = kept
    panel = Panel(
        values=np.empty((0, len(spec.channels)), dtype=np.float32),
        offset=layout.offset[used],
        length=layout.length[used],
        start=layout.start[used],
        series_ids=tuple(writer.names[series] for series in used),
        targets=spec.targets,
        past=spec.past,
        known=spec.known,
        static=static_rows(source, used),
        static_names=source.static_names,
        grid=layout.grid,
        fingerprint=fingerprint,
        account=account | {k: v for k, v in intake.account.items() if k != "read"},
        categories=dict(source.categories),
        strays=tuple((writer.names[series], time) for series, time in intake.strays),
    )
    meta = describe(panel, layout.rows, {"values": writer.files["values"]})
    if writer.versions is None:
        meta["files"]["tail"] = save_tail(writer.folder, writer.files, writer.tail())
    else:
        meta["versions"] = writer.versions
        meta["files"] |= {k: writer.files[k] for k in ("indptr", "available_at", "versions")}
    return meta


def static_rows(source: Source, used: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the static covariates of the series `used`, (series, name)."""
    if not source.static_names:
        return np.empty((len(used), 0), dtype=np.float32)
    return source.static[used].astype(np.float32)


def save_tail(folder: Path, files: Mapping[str, str], tail: Readings) -> str:
    """Write the readings of each series' last step; returns the file's name."""
    np.savez(folder / files["tail"], row=tail.row, time=tail.time, values=tail.values)
    return files["tail"]
