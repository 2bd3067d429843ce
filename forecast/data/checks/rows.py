"""Findings from the order of rows and the extremes of columns; reads nothing."""

from collections.abc import Iterator

import numpy as np

from forecast.config.data import Data
from forecast.config.duration import duration_s
from forecast.data.checks.extremes import Extreme, Extremes
from forecast.data.checks.finding import Finding, counted, plain
from forecast.data.checks.order import RowOrder, Sightings, place
from forecast.data.checks.survey import Survey
from forecast.data.chunk import SeriesIds

KNOWN_SENTINELS = frozenset(
    sign * number
    for number in (9, 99, 999, 9999, 99999, 999999, 200, 32767, 32768, 65535, 6999, 999.9, 1e20)
    for sign in (1, -1)
) | {99.9, -99.9, 1e34, -1e34, 9.96921e36}
MANY_OUTSIDE = 0.01
UNITS_NS = {"d": 86_400 * 10**9, "h": 3600 * 10**9, "min": 60 * 10**9, "s": 10**9, "ms": 10**6}


def row_findings(survey: Survey) -> Iterator[Finding]:
    """Yield findings about the frequency, gaps, duplicates, order and limits of a reading."""
    order = survey.order
    yield from _frequency(order, survey.data)
    if not survey.has_vintages:
        yield from _order(survey)
        yield from _duplicates(order, survey.data)
    yield from _gaps(order, survey.data)
    for name, seen in survey.outside.items():
        yield from _outside(name, seen, survey)
    for name, extremes in survey.extremes.items():
        yield from _sentinels(name, extremes, survey.series_ids)


def _in_words(length_ns: int) -> str:
    """Return a length of time with its largest whole unit.

    Examples
    --------
    >>> _in_words(900_000_000_000), _in_words(86_400_000_000_000)
    ('15min', '1d')
    """
    for unit, size in UNITS_NS.items():
        if length_ns % size == 0:
            return f"{length_ns // size}{unit}"
    return f"{length_ns / 1e9:g}s"


def _about(length_ns: int) -> str:
    """Return a length of time in days where it is long.

    Examples
    --------
    >>> _about(3 * 3600 * 10**9), _about(100 * 3600 * 10**9)
    ('3h', '4.167 days')
    """
    days = length_ns / UNITS_NS["d"]
    return _in_words(length_ns) if days < 2 else f"{days:.4g} days".replace(".0 ", " ")


def _frequency(order: RowOrder, data: Data) -> Iterator[Finding]:
    """Yield what the distances between rows say of the stated frequency."""
    if not order.steps:
        return
    stated, total = duration_s(data.frequency) * 10**9, sum(order.steps.values())
    found = max(order.steps, key=lambda length: (order.steps[length], -length))
    share = order.steps[found] / total
    words = f"{share:.1%} of the steps between rows are {_in_words(found)}"
    hint = f"data.frequency: {_in_words(found)}"
    if found > stated * 1.5 and stated < UNITS_NS["d"]:
        yield Finding(
            "error",
            "frequency",
            f"{words}, but the frequency is stated as {data.frequency}: most steps would be empty",
            order.steps[found],
            setting=hint,
        )
    elif found < stated / 1.5:
        yield Finding(
            "note",
            "frequency",
            f"{words}: several readings fall into one step of {data.frequency} and are aggregated",
            order.steps[found],
            setting=f"data.aggregate, or {hint}",
        )
    else:
        yield Finding("note", "frequency", f"{words}, as stated", order.steps[found])
    if seen := order.off_grid.count:
        yield Finding(
            "note",
            "off_grid",
            f"{seen:,} of {order.rows:,} rows do not lie on a step of {data.frequency} and count "
            "for the step that holds them",
            seen,
            series=len(order.off_grid.series),
            first=order.off_grid.first,
            setting="data.frequency",
        )


def _order(survey: Survey) -> Iterator[Finding]:
    """Yield rows out of order."""
    seen = survey.order.backwards
    if seen.count:
        how = "" if survey.is_sorted else "; gaps and duplicates are counted in order of rows"
        yield Finding(
            "warning",
            "out_of_order",
            f"{counted(seen.count, 'row')} earlier than the row above in the series; sorted{how}",
            seen.count,
            series=len(seen.series),
            first=seen.first,
        )


def _duplicates(order: RowOrder, data: Data) -> Iterator[Finding]:
    """Yield rows of one series with the same timestamp: equal ones, and ones in conflict."""
    for code, seen, words in (
        ("duplicates_equal", order.equal, "same timestamp and values as another row"),
        (
            "duplicates_conflict",
            order.conflicting,
            "same timestamp as another row, other values",
        ),
    ):
        if seen.count:
            yield Finding(
                "warning",
                code,
                f"{words}: {counted(seen.count, 'row')}; the rule is {data.duplicates!r}",
                seen.count,
                series=len(seen.series),
                first=seen.first,
                setting="data.duplicates",
            )


def _gaps(order: RowOrder, data: Data) -> Iterator[Finding]:
    """Yield steps without a row, and what their places say of the time zone."""
    gaps = order.gaps
    if not gaps.count:
        return
    length = _about(gaps.longest * duration_s(data.frequency) * 10**9)
    yield Finding(
        "warning",
        "gaps",
        f"{gaps.steps:,} steps have no row, in {counted(gaps.count, 'gap')}; the longest has "
        f"{counted(gaps.longest, 'step')} ({length}) from {gaps.longest_first}",
        gaps.steps,
        series=len(gaps.series),
        first=gaps.first,
        setting="windows.min_observed",
    )


def _outside(name: str, seen: Sightings, survey: Survey) -> Iterator[Finding]:
    """Yield values outside the configured limits."""
    if not seen.count:
        return
    low, high = survey.data.limits[name]
    many = seen.count > MANY_OUTSIDE * max(survey.extremes[name].count, 1)
    span = f"[{'' if low is None else plain(low)}, {'' if high is None else plain(high)}]"
    yield Finding(
        "warning" if many else "note",
        "outside_limits",
        f"{counted(seen.count, 'value')} outside the limits {span}, taken as missing",
        seen.count,
        column=name,
        series=len(seen.series),
        first=seen.first,
        setting="data.limits",
    )


def _sentinels(name: str, extremes: Extremes, ids: SeriesIds) -> Iterator[Finding]:
    """Yield values that stand apart from all others: repeated ones are suspected markers."""
    low, high = extremes.low, extremes.high
    if extremes.count < 10 or np.isnan(low.inner) or np.isnan(high.inner):
        return
    for side, other, word in ((low, high, "below"), (high, low, "above")):
        apart = abs(side.outer - side.inner)
        inner_range = abs(other.outer - side.inner)
        if inner_range == 0 or not _stands_apart(side, apart, inner_range):
            continue
        first = place(ids, side.series, side.time)
        is_marker = side.count > 1 or side.outer in KNOWN_SENTINELS
        limits = (
            f"[{plain(side.inner)}, null]" if word == "below" else f"[null, {plain(side.inner)}]"
        )
        yield Finding(
            "warning",
            "sentinel" if is_marker else "extreme",
            f"the value {plain(side.outer)} is there {counted(side.count, 'time')}, {plain(apart)} "
            f"{word} every other value",
            side.count,
            column=name,
            first=first,
            setting=f"data.missing: {{{name}: [{plain(side.outer)}]}}"
            if is_marker
            else f"data.limits: {{{name}: {limits}}}",
        )


def _stands_apart(side: Extreme, apart: float, inner_range: float) -> bool:
    """Return whether an outermost value is too far from the rest to be one of them."""
    if side.outer in KNOWN_SENTINELS and side.outer != 0:
        return apart > 0.1 * inner_range
    return apart > inner_range
