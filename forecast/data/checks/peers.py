"""Findings that compare series: outlying levels, orders of magnitude, silence, capacity."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from forecast.data.checks.finding import Finding, short, stamp
from forecast.data.panel import Panel
from forecast.text import counted

SAMPLE = 1 << 16
LEAST_PEERS = 5
ALIKE = 2.0
WIDENED = 3.0
MUCH_OUTSIDE = 0.25
ORDERS = 1e3
FILLED = 0.2
NEARLY_ALL = 0.8


class Levels(NamedTuple):
    """Quantiles of one channel by series, (series,) each; NaN where a series has no value."""

    low: NDArray[np.float64]
    middle: NDArray[np.float64]
    high: NDArray[np.float64]
    top: NDArray[np.float64]


def peer_findings(panel: Panel, *, season: int, has_times: bool = True) -> Iterator[Finding]:
    """Yield findings that compare the series, channel by channel.

    Parameters
    ----------
    panel
        The panel, read series by series.
    season
        Steps of the main season: a series that lags the newest reading by more is silent.
    has_times
        Whether the table has timestamps; without them no series can be silent.
    """
    if has_times:
        yield from _silent(panel, season)
    for channel, name in enumerate(panel.channels):
        if name in panel.categories:
            continue
        levels = _levels(panel, channel)
        unlike = list(_unlike(panel, channel, levels))
        yield from unlike
        if not unlike and name in panel.targets:
            yield from _orders(panel, name, levels)
        if name in panel.targets:
            yield from _above_capacity(panel, channel, levels)


def _levels(panel: Panel, channel: int) -> Levels:
    """Return the quantiles of each series over its newest steps."""
    found = np.full((len(panel.series_ids), 4), np.nan)
    for series in range(len(found)):
        column = panel.block(series)[-SAMPLE:, channel]
        seen = column[~np.isnan(column)]
        if len(seen):
            found[series, :3] = np.quantile(seen, [0.05, 0.5, 0.95])
            found[series, 3] = seen.max()
    return Levels(*found.T)


def _unlike(panel: Panel, channel: int, levels: Levels) -> Iterator[Finding]:
    """Yield series that are often far from all others, if the others are alike."""
    known = np.flatnonzero(~np.isnan(levels.middle))
    if len(known) <= LEAST_PEERS:
        return
    width = float(np.median((levels.high - levels.low)[known]))
    apart = float(np.ptp(np.quantile(levels.middle[known], [0.1, 0.9])))
    if width <= 0 or apart > ALIKE * width:
        return
    low = float(np.quantile(levels.low[known], 0.1)) - WIDENED * width
    high = float(np.quantile(levels.high[known], 0.9)) + WIDENED * width
    suspects = known[(levels.low[known] < low) | (levels.high[known] > high)]
    shares = {}
    for series in suspects.tolist():
        column = panel.block(series)[-SAMPLE:, channel]
        seen = column[~np.isnan(column)]
        shares[series] = float(((seen < low) | (seen > high)).mean())
    odd = [series for series, share in shares.items() if share >= MUCH_OUTSIDE]
    if not odd or len(odd) > max(1, len(known) // 10):
        return
    worst = max(odd, key=lambda series: shares[series])
    name = panel.channels[channel]
    yield Finding(
        "warning",
        "unlike_peers",
        f"{len(odd):,} series unlike the other "
        f"{len(known) - len(odd)}: {shares[worst]:.0%} of the values of {panel.series_ids[worst]} "
        f"lie outside {low:.3g} to {high:.3g}, where the others stay",
        len(odd),
        column=name,
        series=len(odd),
        first=panel.series_ids[odd[0]],
        setting=f"data.limits: {{{name}: [{low:.3g}, {high:.3g}]}}, or data.exclude: "
        f"[{{series: {panel.series_ids[worst]!r}}}]",
    )


def _orders(panel: Panel, name: str, levels: Levels) -> Iterator[Finding]:
    """Yield targets whose series differ in scale by orders of magnitude."""
    size = np.maximum(np.abs(levels.middle), (levels.high - levels.low) / 2)
    known = np.flatnonzero(size > 0)
    if len(known) < 2:
        return
    small, large = known[np.argmin(size[known])], known[np.argmax(size[known])]
    factor = float(size[large] / size[small])
    if factor >= ORDERS:
        yield Finding(
            "note",
            "scales",
            f"series differ in scale by a factor of {factor:.1g}: about {size[small]:.3g} in "
            f"{panel.series_ids[small]}, {size[large]:.3g} in {panel.series_ids[large]}; a mean "
            "error over all of them is that of the largest",
            len(known),
            column=name,
            series=len(known),
            first=panel.series_ids[small],
            setting="objective.metric: mase, or one config for each unit",
        )


def _silent(panel: Panel, season: int) -> Iterator[Finding]:
    """Yield series and columns whose readings ended well before the newest reading."""
    ends = panel.start + panel.observed_end()
    newest = int(ends.max())
    ended = np.flatnonzero(ends + season < newest)
    if len(ended):
        first = int(ended[0])
        longest = newest - int(ends[ended].min())
        yield Finding(
            "warning",
            "silent",
            f"{len(ended):,} of {len(panel.series_ids):,} series silent for longer than "
            f"a season at the end, up to {counted(longest, 'step')}",
            len(ended),
            series=len(ended),
            first=_at(panel, first, int(ends[first]) - 1),
            setting="data.exclude, or mend the source",
        )
    for channel in range(len(panel.targets) + len(panel.past)):
        yield from _silent_column(panel, channel, season)


def _silent_column(panel: Panel, channel: int, season: int) -> Iterator[Finding]:
    """Yield a column whose values ended, while other columns of its series go on."""
    ends = panel.observed_end()
    quiet, longest, first = 0, 0, ""
    for series, end in enumerate(ends.tolist()):
        column = panel.block(series)[:end, channel]
        seen = ~np.isnan(column)
        if not seen.any() or seen.mean() < 0.5:
            continue
        last = end - 1 - int(np.argmax(seen[::-1]))
        if end - 1 - last > season:
            first = first or _at(panel, series, int(panel.start[series]) + last)
            quiet, longest = quiet + 1, max(longest, end - 1 - last)
    if quiet:
        yield Finding(
            "warning",
            "silent",
            f"no value for longer than a season at the end, in {quiet:,} of "
            f"{len(ends):,} series, up to {counted(longest, 'step')}",
            longest,
            column=panel.channels[channel],
            series=quiet,
            first=first,
            setting="leave the column out, or mend the source",
        )


def _at(panel: Panel, series: int, index: int) -> str:
    """Return the series and time of a step of the grid in words."""
    time = stamp(int(panel.grid.time(np.array([index]))[0]))
    return f"{panel.series_ids[series]} {time}" if len(panel.series_ids) > 1 else time


def _above_capacity(panel: Panel, channel: int, levels: Levels) -> Iterator[Finding]:
    """Yield values above a static covariate that is an upper bound in nearly all series."""
    for place, static in enumerate(panel.static_names):
        bound = panel.static[:, place].astype(np.float64)
        known = np.flatnonzero((bound > 0) & ~np.isnan(levels.top))
        if not len(known):
            continue
        filled = levels.top[known] / bound[known]
        over = known[filled > 1]
        is_bound = (filled <= 1).mean() >= NEARLY_ALL and np.median(filled) >= FILLED
        if not len(over) or not (is_bound or "capacity" in static.lower()):
            continue
        worst = int(over[np.argmax((levels.top / bound)[over])])
        counts = [
            int(np.count_nonzero(panel.block(s)[:, channel] > bound[s])) for s in over.tolist()
        ]
        yield Finding(
            "warning",
            "above_capacity",
            f"{counted(sum(counts), 'value')} above the static covariate {static!r}; the largest, "
            f"{short(levels.top[worst])} of {panel.series_ids[worst]}, lies above "
            f"{short(bound[worst])}",
            sum(counts),
            column=panel.channels[channel],
            series=len(over),
            first=panel.series_ids[int(over[0])],
            setting="data.limits or data.clip, or mend the static covariate",
        )
