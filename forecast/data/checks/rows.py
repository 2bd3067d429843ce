"""Findings from the order of rows and the extremes of columns."""

from collections.abc import Iterator

import numpy as np

from forecast.config.data import Data
from forecast.config.duration import duration_s
from forecast.data.checks.extremes import Extreme, Extremes
from forecast.data.checks.finding import Finding, plain, stamp
from forecast.data.checks.frequency import UNITS_NS, frequency_findings, in_words
from forecast.data.checks.order import RowOrder, Sightings, place
from forecast.data.checks.survey import Survey
from forecast.data.chunk import SeriesIds
from forecast.text import counted

KNOWN_SENTINELS = frozenset(
    sign * number
    for number in (9, 99, 999, 9999, 99999, 999999, 200, 32767, 32768, 65535, 6999, 999.9, 1e20)
    for sign in (1, -1)
) | {99.9, -99.9, 1e34, -1e34, 9.96921e36}
MANY_OUTSIDE = 0.01


def row_findings(survey: Survey) -> Iterator[Finding]:
    """Yield findings about the frequency, gaps, duplicates, order and limits of a reading."""
    order = survey.order
    yield from frequency_findings(order, survey.data)
    yield from _stray(survey)
    if not survey.has_vintages:
        yield from _order(survey)
        yield from _duplicates(order, survey.data)
    yield from _gaps(order, survey.data)
    for name, seen in survey.outside.items():
        yield from _outside(name, seen, survey)
    for name, extremes in survey.extremes.items():
        yield from _sentinels(name, extremes, survey.series_ids)


def _about(length_ns: int) -> str:
    """Return a length of time, in days if it is long.

    Examples
    --------
    >>> _about(3 * 3600 * 10**9), _about(100 * 3600 * 10**9)
    ('3h', '4.167 days')
    """
    days = length_ns / UNITS_NS["d"]
    return in_words(length_ns) if days < 2 else f"{days:.4g} days".replace(".0 ", " ")


def _stray(survey: Survey) -> Iterator[Finding]:
    """Yield readings years from all others, with their rows and the range of the others."""
    if survey.kept is None:
        return
    far = [
        reading
        for reading in survey.notes.far
        if not survey.kept[0] <= reading[1] <= survey.kept[1]
    ]
    shown = [
        f"{survey.series_ids.names[series]} {stamp(time)} ({where})" for series, time, where in far
    ]
    begin, end = survey.kept[0], survey.kept[1] + 1
    yield Finding(
        "warning",
        "stray",
        f"{counted(survey.strays, 'reading')} years from all others, which lie between "
        f"{stamp(begin)} and {stamp(end)}; set aside" + (f": {', '.join(shown[:3])}" * bool(shown)),
        survey.strays,
        series=len({series for series, _, _ in far}),
        first=shown[0] if shown else "",
        setting="mend the rows",
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
    """Yield rows of a series with the same timestamp, with equal or with conflicting values."""
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
    """Yield steps without a row, and what they suggest about the time zone."""
    gaps = order.gaps
    if not gaps.count:
        return
    length = _about(gaps.longest * duration_s(data.frequency) * 10**9)
    yield Finding(
        "warning",
        "gaps",
        f"{counted(gaps.steps, 'step', 'has', 'have')} no row, in {counted(gaps.count, 'gap')}; "
        f"the longest has {counted(gaps.longest, 'step')} ({length}) from {gaps.longest_first}",
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
    """Yield values far from all others; repeated ones are suspected markers."""
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
            f"the value {plain(side.outer)} occurs {counted(side.count, 'time')}, {plain(apart)} "
            f"{word} every other value",
            side.count,
            column=name,
            first=first,
            setting=f"data.missing: {{{name}: [{plain(side.outer)}]}}"
            if is_marker
            else f"data.limits: {{{name}: {limits}}}",
        )


def _stands_apart(side: Extreme, apart: float, inner_range: float) -> bool:
    """Return whether an outermost value is too far from the rest to belong to them."""
    if side.outer in KNOWN_SENTINELS and side.outer != 0:
        return apart > 0.1 * inner_range
    return apart > inner_range
