"""Findings about columns against each other and against time: leaks, ends, parts; reads nothing."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from forecast.data.checks.finding import Finding, stamp
from forecast.data.distance import kolmogorov_smirnov
from forecast.data.panel import Panel

LEAK_STEPS = 20_000
LEAK_SERIES = 5
MOST_LAGS = 200
SAME_SHARE = 0.99
SAME_CHANGES = 0.999
FAR_APART = 0.35
MOST_LENGTHS = 4


def leak_findings(panel: Panel, horizon: int) -> Iterator[Finding]:
    """Yield covariates that hold the target itself, now or at a later time.

    A covariate is suspected where, over the newest steps of a few series, it equals the target of
    the same or a later step, or its changes do.
    """
    chosen = np.argsort(-panel.length, kind="stable")[:LEAK_SERIES]
    for covariate in range(len(panel.targets), len(panel.channels)):
        name = panel.channels[covariate]
        if name in panel.categories:
            continue
        for target, target_name in enumerate(panel.targets):
            shifts = [_shift_of(panel, int(s), covariate, target, horizon) for s in chosen]
            found = [shift for shift in shifts if shift is not None]
            if found and len(found) == len(shifts):
                yield _leak(name, target_name, found, is_known=name in panel.known)


def _leak(name: str, target: str, shifts: list[int], *, is_known: bool) -> Finding:
    """Return the finding of a covariate that follows a target."""
    shift = max(set(shifts), key=shifts.count)
    when = "of the same step" if shift == 0 else f"{shift} steps later"
    is_future = shift > 0 or is_known
    return Finding(
        "warning" if is_future else "note",
        "leak",
        f"it equals the target {target!r} {when}: "
        + ("it holds what is to be forecast" if is_future else "it adds nothing"),
        len(shifts),
        column=name,
        series=len(shifts),
        setting="leave the column out of data.covariates",
    )


def _shift_of(panel: Panel, series: int, covariate: int, target: int, horizon: int) -> int | None:
    """Return how many steps later the target equals the covariate, if it does."""
    block = panel.block(series)[-LEAK_STEPS:]
    x = block[:, covariate].astype(np.float64)
    y = block[:, target].astype(np.float64)
    for shift in range(min(horizon, MOST_LAGS, len(x) // 2) + 1):
        if _is_same(x[: len(x) - shift], y[shift:]):
            return shift
    return None


def _is_same(x: NDArray[np.float64], y: NDArray[np.float64]) -> bool:
    """Return whether two columns are equal, or move alike in other units."""
    both = ~(np.isnan(x) | np.isnan(y))
    if both.sum() < 50:
        return False
    x, y = x[both], y[both]
    spread = float(y.std())
    if spread == 0:
        return False
    if (np.abs(x - y) < 1e-4 * spread).mean() > SAME_SHARE:
        return True
    dx, dy = np.diff(x), np.diff(y)
    if not dx.std() or not dy.std():
        return False
    return bool(abs(np.corrcoef(dx, dy)[0, 1]) > SAME_CHANGES)


def length_findings(panel: Panel) -> Iterator[Finding]:
    """Yield how long the series are, where they differ."""
    lengths, counts = np.unique(panel.length, return_counts=True)
    if len(lengths) > 1:
        few = len(lengths) <= MOST_LENGTHS
        pairs = zip(counts.tolist(), lengths.tolist(), strict=True)
        spread = ", ".join(f"{count:,} of {length:,} steps" for count, length in pairs)
        yield Finding(
            "note",
            "lengths",
            f"series differ in length: {spread}"
            if few
            else f"series are {lengths[0]:,} to {lengths[-1]:,} steps long",
            len(panel.series_ids),
            series=len(panel.series_ids),
        )


def end_findings(panel: Panel, *, context_length: int, horizon: int) -> Iterator[Finding]:
    """Yield series that are too short, and known covariates that stop before the horizon."""
    ends = panel.observed_end()
    short = np.flatnonzero(panel.length < context_length + horizon)
    if len(short):
        everything = len(short) == len(panel.series_ids)
        yield Finding(
            "error" if everything else "warning",
            "too_short",
            f"{len(short):,} of {len(panel.series_ids):,} series have fewer steps than context and "
            f"horizon together ({context_length} + {horizon}); the shortest has "
            f"{int(panel.length[short].min()):,}",
            len(short),
            series=len(short),
            first=panel.series_ids[short[0]],
            setting="windows.context, windows.horizon",
        )
    for channel in range(len(panel.targets) + len(panel.past), len(panel.channels)):
        yield from _known_end(panel, channel, ends, horizon)


def _known_end(
    panel: Panel, channel: int, ends: NDArray[np.int64], horizon: int
) -> Iterator[Finding]:
    """Yield series in which a known covariate is not known for a whole horizon."""
    lacking, first, most = 0, "", 0
    for series, end in enumerate(ends.tolist()):
        future = panel.block(series)[end : end + horizon, channel]
        absent = horizon - int(np.count_nonzero(~np.isnan(future)))
        if absent:
            if not lacking:
                after = panel.grid.time(np.array([panel.start[series] + end + horizon - absent]))
                first = f"{panel.series_ids[series]} {stamp(int(after[0]))}"
            lacking, most = lacking + 1, max(most, absent)
    if lacking:
        yield Finding(
            "warning",
            "known_ends",
            f"the known covariate stops before the horizon in {lacking:,} series; up to {most} of "
            f"{horizon} steps after the newest reading are unknown",
            lacking,
            column=panel.channels[channel],
            series=lacking,
            first=first,
            setting="add future rows (forecast predict --template writes them to fill in), or list "
            "the column under data.covariates.past",
        )


def part_findings(panel: Panel, spans: Mapping[str, NDArray[np.int64]]) -> Iterator[Finding]:
    """Yield targets whose values in dev or test are distributed otherwise than in train.

    The distance is the largest difference of the two shares of values below any value
    (Kolmogorov-Smirnov), at worst over the targets.
    """
    for target, name in enumerate(panel.targets):
        train = _values_within(panel, target, spans["train"])
        for part in ("dev", "test"):
            other = _values_within(panel, target, spans[part])
            if len(train) < 100 or len(other) < 10:
                continue
            distance = kolmogorov_smirnov(train, other)
            if distance > FAR_APART:
                yield Finding(
                    "warning",
                    "parts_differ",
                    f"{part} is distributed otherwise than train (distance {distance:.2f} of 1; "
                    f"medians {np.median(other):.4g} and {np.median(train):.4g})",
                    len(other),
                    column=name,
                    setting="split.scheme: blocked, or a larger split." + part,
                )


def _values_within(
    panel: Panel, channel: int, span: NDArray[np.int64], most: int = 200_000
) -> NDArray[np.float32]:
    """Return the observed values of a channel in grid intervals, thinned to about `most`."""
    every = max(1, int(panel.length.sum()) // most)
    parts = []
    for series in range(len(panel.series_ids)):
        block, start = panel.block(series), int(panel.start[series])
        for first, stop in span.tolist():
            part = block[max(first - start, 0) : max(stop - start, 0) : every, channel]
            parts.append(part[~np.isnan(part)])
    return np.concatenate(parts) if parts else np.empty(0, np.float32)
