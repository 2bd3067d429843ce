"""Findings about values of a panel: missing, constant, stuck, sudden, or in another unit."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forecast.data.checks.finding import Finding, Level, short, stamp
from forecast.data.checks.occurrences import ByChannel, Occurrences, noted
from forecast.data.checks.runs import equal_runs, true_runs
from forecast.data.panel import Panel
from forecast.text import counted

STUCK_LEAST = 24
SUDDEN_TIMES = 40.0
GAP = 2.0
BURST_GAP = 3.0
BURSTY = 5.0
BLOCKS = 24
BLOCK_LEAST = 50
SAMPLE = 1 << 20
"""Newest steps of a series that are checked where a check copies the values."""


def level_findings(panel: Panel, *, season: int, gap_steps: int) -> Iterator[Finding]:
    """Yield findings about the values of a panel.

    Parameters
    ----------
    panel
        The panel, read series by series.
    season
        Steps of the main season: a value that stays longer is stuck.
    gap_steps
        Number of steps without a row, which have a finding of their own.
    """
    blank, constant, empty = Occurrences(), ByChannel(Occurrences), ByChannel(Occurrences)
    stuck, sudden, breaks = ByChannel(Occurrences), ByChannel(Occurrences), ByChannel(Occurrences)
    numeric = [c for c, name in enumerate(panel.channels) if name not in panel.categories]
    for series in range(len(panel.series_ids)):
        block = panel.block(series)
        _blank(panel, series, block, blank)
        for channel in numeric:
            name = panel.channels[channel]
            column = np.ascontiguousarray(block[-SAMPLE:, channel])
            where = Where(panel, series, len(block) - len(column))
            if not _has_spread(column, where, constant[name], empty[name]):
                continue
            _stuck(column, where, max(season, STUCK_LEAST), stuck[name])
            _sudden(column, where, sudden[name])
            _breaks(column, where, breaks[name])
    yield from _blank_findings(blank, gap_steps)
    yield from _column_findings(panel, constant, empty)
    yield from _value_findings(stuck, sudden, breaks)


@dataclass(frozen=True)
class Where:
    """A column of one series, from some step on."""

    panel: Panel
    series: int
    skipped: int

    def at(self, step: int) -> str:
        """Return the series and time of a step in words."""
        grid = self.panel.grid
        index = np.array([self.panel.start[self.series] + self.skipped + step])
        name = self.panel.series_ids[self.series]
        time = stamp(int(grid.time(index)[0]))
        return f"{name} {time}" if len(self.panel.series_ids) > 1 else time


def _blank(panel: Panel, series: int, block: NDArray[np.float32], found: Occurrences) -> None:
    """Note steps without any value."""
    gone = np.ones(len(block), dtype=bool)
    for channel in range(block.shape[1]):
        gone &= np.isnan(block[:, channel])
    runs = true_runs(gone)
    if len(runs.first):
        where = Where(panel, series, 0)
        worst = int(np.argmax(runs.length))
        found.add(
            int(runs.length.sum()),
            where.at(int(runs.first[0])),
            runs=len(runs.first),
            worst=float(runs.length[worst]),
            worst_at=where.at(int(runs.first[worst])),
        )


def _has_spread(
    column: NDArray[np.float32], where: Where, constant: Occurrences, empty: Occurrences
) -> bool:
    """Note columns without values or with only one value; return False for those."""
    seen = column[~np.isnan(column)]
    if not len(seen):
        empty.add(len(column), where.at(0))
        return False
    if len(seen) > 1 and seen.min() == seen.max():
        constant.add(len(seen), f"{where.at(0)}: {short(seen[0])}")
        return False
    return len(seen) > 2


def _stuck(column: NDArray[np.float32], where: Where, shortest: int, found: Occurrences) -> None:
    """Note values that stay the same for long, except zero and the ends of the range."""
    runs = equal_runs(column, shortest)
    if not len(runs.first):
        return
    value = column[runs.first]
    odd = (value != 0) & (value != np.nanmin(column)) & (value != np.nanmax(column))
    if odd.any():
        first, length = runs.first[odd], runs.length[odd]
        worst = int(np.argmax(length))
        found.add(
            int(length.sum()),
            where.at(int(first[0])),
            runs=len(first),
            worst=float(length[worst]),
            worst_at=f"{where.at(int(first[worst]))}: {short(value[odd][worst])}",
        )


def _sudden(column: NDArray[np.float32], where: Where, found: Occurrences) -> None:
    """Note single values far from both neighbours, relative to the usual distance."""
    middle = column[1:-1]
    apart = np.abs(middle - (column[:-2] + column[2:]) / 2)
    neighbours = np.abs(column[2:] - column[:-2])
    known = apart[~np.isnan(apart)]
    if len(known) < 100:
        return
    usual = float(np.quantile(known, 0.9))
    if usual == 0:
        return
    bar = _stands_out(known, usual, is_bursty=_is_bursty(column))
    hits = (apart > bar) & (neighbours < apart)
    if hits.any():
        steps = np.flatnonzero(hits)
        worst = int(steps[np.argmax(apart[steps])])
        found.add(
            len(steps),
            where.at(int(steps[0]) + 1),
            worst=float(apart[worst] / usual),
            worst_at=f"{where.at(worst + 1)}: {short(middle[worst])}",
        )


def _is_bursty(column: NDArray[np.float32]) -> bool:
    """Return whether a column comes in bursts, like rain and floods: its long tail is upward."""
    low, middle, high = np.nanquantile(column, [0.001, 0.5, 0.999])
    return bool(np.nanmin(column) >= 0 and high - middle > BURSTY * (middle - low))


def _stands_out(known: NDArray[np.float32], usual: float, *, is_bursty: bool) -> float:
    """Return the distance above which single values are outliers rather than a long tail.

    Outliers are `SUDDEN_TIMES` the usual distance away, with a gap between them and all others: a
    tail that reaches as far without a gap belongs to the column. The gap must be wider for columns
    that come in bursts.
    """
    tail = np.sort(known[known > SUDDEN_TIMES / 4 * usual])
    if not len(tail):
        return np.inf
    below = np.concatenate([[usual * SUDDEN_TIMES / 4], tail[:-1]])
    gap = (tail > GAP * (BURST_GAP if is_bursty else 1) * below) & (tail > SUDDEN_TIMES * usual)
    return float(below[np.argmax(gap)]) if gap.any() else np.inf


def _breaks(column: NDArray[np.float32], where: Where, found: Occurrences) -> None:
    """Note a time at which level and spread change by the same factor: another unit."""
    size = len(column) // BLOCKS
    if size < BLOCK_LEAST:
        return
    blocks = column[: size * BLOCKS].reshape(BLOCKS, size)
    kept = (~np.isnan(blocks)).sum(axis=1) >= size // 4
    if kept.sum() < 8:
        return
    low, level, high = np.nanquantile(blocks[kept], [0.1, 0.5, 0.9], axis=1)
    spread, level = high - low, np.abs(level)
    if (spread <= 0).any() or (level <= 0).any():
        return
    place = np.flatnonzero(kept)
    for cut in range(4, len(place) - 3):
        by_level = np.log(np.median(level[cut:]) / np.median(level[:cut]))
        by_spread = np.log(np.median(spread[cut:]) / np.median(spread[:cut]))
        inside = max(np.ptp(np.log(level[:cut])), np.ptp(np.log(level[cut:])))
        is_scaled = abs(by_level) > np.log(2.5) and abs(by_level - by_spread) < 0.25
        if is_scaled and inside < abs(by_level) / 2:
            factor = float(np.exp(by_level))
            found.add(1, where.at(int(place[cut]) * size), worst=max(factor, 1 / factor))
            return


def _blank_findings(blank: Occurrences, gap_steps: int) -> Iterator[Finding]:
    """Yield steps without any value, except those without a row."""
    if blank.count > gap_steps:
        rest = f" ({gap_steps:,} of them without a row)" if gap_steps else ""
        yield blank.finding(
            "warning",
            "blank",
            f"{counted(blank.count, 'step', 'holds', 'hold')} no value at all{rest}, "
            f"in {counted(blank.runs, 'run')}; the longest has "
            f"{counted(int(blank.worst), 'step')} from {blank.worst_at}",
            setting="windows.min_observed",
        )


def _column_findings(panel: Panel, constant: ByChannel, empty: ByChannel) -> Iterator[Finding]:
    """Yield constant and empty columns; a target without values anywhere is an error."""
    total = len(panel.series_ids)
    for name, found in noted(constant):
        yield found.finding(
            "warning",
            "constant",
            f"one value only in {found.series:,} of {total:,} series",
            column=name,
            setting="leave the column or these series out",
        )
    for name, found in noted(empty):
        level: Level = "error" if found.series == total and name in panel.targets else "warning"
        yield found.finding(
            level,
            "empty",
            f"no value at all in {found.series:,} of {total:,} series",
            column=name,
            setting="leave the column or these series out",
        )


def _value_findings(stuck: ByChannel, sudden: ByChannel, breaks: ByChannel) -> Iterator[Finding]:
    """Yield stuck, sudden and rescaled values."""
    for name, found in noted(stuck):
        yield found.finding(
            "note",
            "stuck",
            f"{counted(found.count, 'step', 'repeats', 'repeat')} one value "
            f"in {counted(found.runs, 'long run')}; the longest has "
            f"{counted(int(found.worst), 'step')} from {found.worst_at}",
            column=name,
        )
    for name, found in noted(sudden):
        yield found.finding(
            "warning",
            "sudden",
            f"{counted(found.count, 'value')} far from both neighbours; the largest, "
            f"{found.worst_at}, is {found.worst:.0f} times the usual distance from its "
            "neighbours",
            column=name,
            setting="data.limits",
        )
    for name, found in noted(breaks):
        yield found.finding(
            "warning",
            "unit_break",
            f"level and spread change by one factor in {found.series:,} series, "
            f"{found.worst:.3g} at {found.worst_at}: another unit?",
            column=name,
        )
