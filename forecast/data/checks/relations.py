"""Findings about relations: leaking covariates, lengths and ends of series, parts of the split."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from forecast.data.checks.finding import Finding, stamp
from forecast.data.distance import kolmogorov_smirnov
from forecast.data.panel import Panel

LEAK_STEPS = 1 << 14
LEAK_SERIES = 1000
LEAST_CHANGES = 20
MOST_LAGS = 200
SAME_SHARE = 0.99
SAME_CHANGES = 0.999
FAR_APART = 0.35
MOST_LENGTHS = 4


def leak_findings(panel: Panel, horizon: int) -> Iterator[Finding]:
    """Yield covariates that hold the target itself, now or at a later time.

    A covariate is suspected if, over the newest steps of a series, it or its changes equal those of
    the target at the same or a later step. All series are checked, or the longest `LEAK_SERIES`.
    """
    chosen = np.argsort(-panel.length, kind="stable")[:LEAK_SERIES].tolist()
    numeric = [
        column
        for column in range(len(panel.targets), len(panel.channels))
        if panel.channels[column] not in panel.categories
    ]
    found: dict[tuple[int, int], list[int]] = {}
    for series in chosen if numeric else ():
        block = panel.block(series)[-LEAK_STEPS:].astype(np.float64)
        for target in range(len(panel.targets)):
            for covariate in numeric:
                shift = _shift_of(block[:, covariate], block[:, target], horizon)
                if shift is not None:
                    found.setdefault((covariate, target), []).append(shift)
    for (covariate, target), shifts in sorted(found.items()):
        yield _leak(panel, covariate, target, shifts)


def _leak(panel: Panel, covariate: int, target: int, shifts: list[int]) -> Finding:
    """Return the finding of a covariate that follows a target."""
    shift = max(set(shifts), key=shifts.count)
    when = "of the same step" if shift == 0 else f"{shift} steps later"
    is_future = shift > 0 or panel.channels[covariate] in panel.known
    total, looked = len(panel.series_ids), min(len(panel.series_ids), LEAK_SERIES)
    sampled = f" looked at, of {total:,}" if looked < total else ""
    series = f", in {len(shifts):,} of {looked:,} series{sampled}" if total > 1 else ""
    return Finding(
        "warning" if is_future else "note",
        "leak",
        f"it equals the target {panel.targets[target]!r} {when}{series}: "
        + ("it holds what is to be forecast" if is_future else "it adds nothing"),
        len(shifts),
        column=panel.channels[covariate],
        series=len(shifts),
        setting="leave the column out of data.covariates",
    )


def _shift_of(x: NDArray[np.float64], y: NDArray[np.float64], horizon: int) -> int | None:
    """Return how many steps later the target y equals the covariate x; None if it does not."""
    most = min(horizon, MOST_LAGS, len(x) // 2)
    for shift in dict.fromkeys((0, _best_shift(x, y, most))):
        if _is_same(x[: len(x) - shift], y[shift:]):
            return shift
    return None


def _best_shift(x: NDArray[np.float64], y: NDArray[np.float64], most: int) -> int:
    """Return the shift at which the changes of two columns correlate most, by one FFT."""
    dx, dy = (np.nan_to_num(np.diff(values)) for values in (x, y))
    size = 1 << int(2 * len(x) - 1).bit_length()
    alike = np.fft.irfft(np.conj(np.fft.rfft(dx, size)) * np.fft.rfft(dy, size), size)
    return int(np.argmax(np.abs(alike[: most + 1])))


def _is_same(x: NDArray[np.float64], y: NDArray[np.float64]) -> bool:
    """Return whether two columns are equal, or equal in other units."""
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
    if min(np.count_nonzero(dx), np.count_nonzero(dy)) < LEAST_CHANGES:
        return False
    if not dx.std() or not dy.std():
        return False
    return bool(abs(np.corrcoef(dx, dy)[0, 1]) > SAME_CHANGES)


def length_findings(panel: Panel) -> Iterator[Finding]:
    """Yield the lengths of the series, if they differ."""
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
    """Yield series that are too short, and known covariates that end before the horizon does."""
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
    """Yield known covariates with values missing in the horizon."""
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
    """Yield targets whose values in dev or test are distributed differently from train.

    The distance is the largest difference between the two distribution functions
    (Kolmogorov-Smirnov).
    """
    yield from _series_of_parts(panel, spans)
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
                    f"{part} is distributed differently from train (distance {distance:.2f} of 1; "
                    f"medians {np.median(other):.4g} and {np.median(train):.4g})",
                    len(other),
                    column=name,
                    setting="split.scheme: blocked, or a larger split." + part,
                )


def _series_of_parts(panel: Panel, spans: Mapping[str, NDArray[np.int64]]) -> Iterator[Finding]:
    """Yield parts of the split with readings of only some series: errors there cover only those."""
    total = len(panel.series_ids)
    for part in ("train", "dev", "test"):
        absent = []
        for series in range(total):
            block, start = panel.block(series), int(panel.start[series])
            values = [
                block[max(first - start, 0) : max(stop - start, 0), : len(panel.targets)]
                for first, stop in spans[part].tolist()
            ]
            if all(np.isnan(part).all() for part in values):
                absent.append(panel.series_ids[series])
        if absent:
            yield Finding(
                "warning",
                "part_series",
                f"{part} holds readings of only {total - len(absent):,} of {total:,} series",
                len(absent),
                series=len(absent),
                first=absent[0],
                setting="split.scheme: blocked, a larger split." + part + ", or leave series out "
                "with data.exclude",
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
