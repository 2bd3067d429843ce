"""Findings about how a column moves: running totals, lost digits, zeros that mean outages."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forecast.data.checks.finding import Finding, short, stamp
from forecast.data.checks.runs import Runs, true_runs
from forecast.data.panel import Panel
from forecast.text import counted

SAMPLE = 1 << 18
LEAST = 100
"""Changes or values that a column needs to be judged."""
GROWS = 0.998
MOVES = 0.2
FEW_ZEROS = 0.1
FAR_FROM_ZERO = 0.4
NIGHTS = 20
ALIKE = 2.5
COARSE = 0.02
"""Of the usual change of neighbours, what the last kept digit may be."""


@dataclass
class Seen:
    """What was found in one column: series, steps, the first occurrence, a value for the text."""

    series: int = 0
    steps: int = 0
    runs: int = 0
    first: str = ""
    value: float = np.inf

    def add(self, steps: int, runs: int, first: str, value: float) -> None:
        """Add one series."""
        self.first = self.first or first
        self.series += 1
        self.steps += steps
        self.runs += runs
        self.value = min(self.value, value)


def course_findings(panel: Panel, *, season: int) -> Iterator[Finding]:
    """Yield columns that only grow or lose digits, and zeros in columns far from zero."""
    for channel, name in enumerate(panel.channels):
        if name in panel.categories or name in panel.known:
            continue
        grows, coarse, zeros, judged = Seen(), Seen(), Seen(), 0
        for series in range(len(panel.series_ids)):
            block = panel.block(series)
            column = np.ascontiguousarray(block[-SAMPLE:, channel])
            where = _Place(panel, series, len(block) - len(column))
            judged += _look_at_growth(column, where, grows)
            _look_at_digits(column, where, coarse)
            _look_at_zeros(column, where, season, zeros)
        if grows.series > judged / 2:
            yield _growth(name, grows, judged, coarse)
        elif coarse.series:
            yield _lost_digits(name, coarse)
        if zeros.series:
            yield _outage(name, zeros)


@dataclass(frozen=True)
class _Place:
    """A column of one series, from some step on."""

    panel: Panel
    series: int
    skipped: int

    def at(self, step: int) -> str:
        """Return the series and time of a step in words."""
        index = self.panel.start[self.series] + self.skipped + step
        time = stamp(int(self.panel.grid.time(np.array([index]))[0]))
        name = self.panel.series_ids[self.series]
        return f"{name} {time}" if len(self.panel.series_ids) > 1 else time


def _look_at_growth(column: NDArray[np.float32], where: _Place, seen: Seen) -> int:
    """Note a running total: often rising, hardly ever falling; return 1 if it could be judged."""
    values = column[~np.isnan(column)].astype(np.float64)
    changes = np.diff(values)
    if len(changes) < LEAST or not changes.any():
        return 0
    falls = np.flatnonzero(changes < 0)
    if len(falls) <= (1 - GROWS) * len(changes) and (changes > 0).mean() >= MOVES:
        seen.add(len(changes), len(falls), where.at(0), 0.0)
    return 1


def _look_at_digits(column: NDArray[np.float32], where: _Place, seen: Seen) -> None:
    """Note readings too large for float32 (24 bits) to hold the usual change between neighbours."""
    values = column[~np.isnan(column)]
    changes = np.abs(np.diff(values.astype(np.float64)))
    changes = changes[changes > 0]
    if not len(changes):
        return
    largest = np.abs(values).max()
    if np.spacing(largest) > COARSE * float(np.median(changes)):
        seen.add(len(values), 0, where.at(0), float(np.spacing(largest)))


def _lost_digits(name: str, seen: Seen) -> Finding:
    return Finding(
        "warning",
        "digits",
        f"readings are kept to the nearest {short(seen.value)} in {seen.series:,} series: "
        "coarse for the small steps between neighbours; differences keep all digits",
        seen.steps,
        column=name,
        series=seen.series,
        first=seen.first,
        setting=f"data.difference: [{name}]",
    )


def _look_at_zeros(column: NDArray[np.float32], where: _Place, season: int, seen: Seen) -> None:
    """Note zeros in a column otherwise far from zero, and zeros that last far beyond a night."""
    values = column[~np.isnan(column)]
    zeros = int(np.count_nonzero(values == 0))
    if len(values) < LEAST or not zeros or (values < 0).any() or zeros == len(values):
        return
    lowest = float(values[values > 0].min())
    runs = true_runs(column == 0)
    is_far = lowest > FAR_FROM_ZERO * float(np.median(values[values > 0]))
    if zeros > FEW_ZEROS * len(values) or not is_far:
        runs = _beyond_nights(runs, season)
    if len(runs.first):
        steps = int(runs.length.sum())
        seen.add(steps, len(runs.first), where.at(int(runs.first[0])), lowest)


def _beyond_nights(runs: Runs, season: int) -> Runs:
    """Return the runs of zeros longer than a season, if all other runs are alike, as nights are."""
    none = Runs(runs.first[:0], runs.length[:0])
    if len(runs.length) < NIGHTS:
        return none
    short_night, long_night = np.quantile(runs.length, [0.1, 0.9])
    long = runs.length >= max(season, 2 * long_night)
    if long_night > ALIKE * max(short_night, 2) or not long.any():
        return none
    return Runs(runs.first[long], runs.length[long])


def _growth(name: str, seen: Seen, judged: int, coarse: Seen) -> Finding:
    """Return the finding of a running total."""
    kept = (
        f"; so large, they are kept to the nearest {short(coarse.value)}" if coarse.series else ""
    )
    falls = f", with {counted(seen.runs, 'fall')} (resets?)" if seen.runs else ""
    return Finding(
        "warning",
        "grows",
        f"it only grows, in {seen.series:,} of {judged:,} series{falls}: a running total? Levels "
        f"never recur, so a model cannot learn them; it can learn their differences{kept}",
        seen.steps,
        column=name,
        series=seen.series,
        first=seen.first,
        setting=f"data.difference: [{name}]",
    )


def _outage(name: str, seen: Seen) -> Finding:
    """Return the finding of zeros that look like an outage."""
    return Finding(
        "warning",
        "zeros",
        f"{counted(seen.steps, 'zero')} in {counted(seen.runs, 'run')}, where every other value is "
        f"{short(seen.value)} or more, or in runs beyond those of other nights: outages?",
        seen.steps,
        column=name,
        series=seen.series,
        first=seen.first,
        setting=f"data.missing: {{{name}: [0]}}, or data.exclude",
    )
