"""Findings about tables that belong together: what each gives, and which series only one has."""

from collections.abc import Iterator, Sequence

import numpy as np

from forecast.data.checks.finding import Finding
from forecast.data.tables import Joined
from forecast.data.tables.joined import Part


def table_findings(source: Joined) -> Iterator[Finding]:
    """Yield what each table gives, and the series that a table lacks, once all have been read."""
    for part in source.parts:
        view = part.view
        yield Finding(
            "note",
            "table",
            f"{view.name} gives {', '.join(view.columns)}"
            + ("" if view.has_ids or not len(source.series_ids) else ", for every series"),
            part.reader.notes.rows,
            first=view.files[0].path,
            setting="data.source",
        )
    own = [part for part in source.parts if part.reader.series_ids is source.series_ids]
    has = np.zeros((len(own), len(source.series_ids)), dtype=bool)
    for row, part in zip(has, own, strict=True):
        row[: len(part.series)] = part.series
    for row, part in zip(has, own, strict=True):
        absent = np.flatnonzero(has.any(axis=0) & ~row).tolist()
        yield from _absent(part, [source.series_ids.names[code] for code in absent])


def _absent(part: Part, absent: Sequence[str]) -> Iterator[Finding]:
    """Yield the series of other tables that one has no row of."""
    if absent:
        yield Finding(
            "warning",
            "one_table",
            f"{len(absent):,} series of other tables without a row in "
            f"{part.view.name}: {', '.join(part.view.columns)} missing there; the ids must be "
            "spelled alike",
            len(absent),
            series=len(absent),
            first=absent[0],
            setting="exclude in the entry of data.source",
        )
