"""Findings about suspected markers, negative counts and fractions of a count."""

from collections.abc import Collection, Iterator

import numpy as np

from forecast.data.checks.finding import Finding, plain
from forecast.data.checks.marks import KNOWN_MARKS, NEAR, Marks
from forecast.data.checks.order import place
from forecast.data.chunk import SeriesIds
from forecast.text import counted

LEAST_HITS = 5
TIMES_NEAR = 2
FEW = 0.005
ROUND = (200.0, 99.9, 6999.0)
"""Positive markers that are also plausible readings of a column in steps of 100 or of 0.1."""


def mark_findings(
    columns: dict[str, Marks], ids: SeriesIds, counts: Collection[str]
) -> Iterator[Finding]:
    """Yield suspected markers of each column, and values that cannot be counts.

    Parameters
    ----------
    columns
        Tallies of each column.
    ids
        Series ids of the reading.
    counts
        Columns that the model takes for counts.
    """
    for name, marks in columns.items():
        yield from _markers(name, marks, ids)
        if name in counts:
            yield from _no_counts(name, marks, ids)
        elif 0 < marks.negatives <= FEW * marks.count and not marks.fractions:
            yield Finding(
                "warning",
                "negative",
                f"{counted(marks.negatives, 'value')} below zero in a column of whole numbers that "
                "is otherwise never negative: a count?",
                marks.negatives,
                column=name,
                first=place(ids, *marks.first_negative),
                setting=f"data.limits: {{{name}: [0, null]}}",
            )


def _markers(name: str, marks: Marks, ids: SeriesIds) -> Iterator[Finding]:
    """Yield known markers that do not fit the rest of the column.

    A negative marker, if no other value is negative; a positive marker within the range of the
    column, if it is frequent and hardly any value lies near it.
    """
    for spot, (series, time) in sorted(marks.first.items()):
        mark, hits = float(KNOWN_MARKS[spot]), int(marks.hits[spot])
        if mark in ROUND:
            continue
        is_odd = marks.floor >= 0 if mark < 0 else _stands_alone(hits, int(marks.near[spot]))
        if is_odd and hits < marks.count:
            rest = "is negative" if mark < 0 else f"lies within {NEAR:.0%} of it"
            few = "no other value" if mark < 0 or not marks.near[spot] else "hardly a value"
            yield Finding(
                "warning",
                "sentinel",
                f"the value {plain(mark)} occurs {counted(hits, 'time')}, and {few} {rest}: "
                "a marker of missing values?",
                hits,
                column=name,
                first=place(ids, series, time),
                setting=f"data.missing: {{{name}: [{plain(mark)}]}}",
            )


def _stands_alone(hits: int, near: int) -> bool:
    """Return whether a value is too frequent, given how rare values near it are."""
    return hits >= LEAST_HITS and hits > TIMES_NEAR * near


def _no_counts(name: str, marks: Marks, ids: SeriesIds) -> Iterator[Finding]:
    """Yield negative numbers and fractions in a column that holds counts."""
    low = min(marks.floor, *(m for m, n in zip(KNOWN_MARKS, marks.hits, strict=True) if n), np.inf)
    below = marks.negatives + int(marks.hits[KNOWN_MARKS < 0].sum())
    if below:
        yield Finding(
            "error",
            "not_a_count",
            f"{counted(below, 'value')} below zero, down to {plain(low)}, in a target that "
            "model.head takes for counts",
            below,
            column=name,
            first=place(ids, *marks.first_negative) if marks.negatives else "",
            setting=f"data.limits: {{{name}: [0, null]}}, or another model.head",
        )
    if marks.fractions:
        yield Finding(
            "error",
            "not_a_count",
            f"{counted(marks.fractions, 'value')} that are not whole numbers, in a target that "
            "model.head takes for counts",
            marks.fractions,
            column=name,
            first=place(ids, *marks.first_fraction),
            setting="another model.head, such as quantile",
        )
