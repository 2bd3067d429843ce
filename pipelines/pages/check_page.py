"""The findings of a check as one self-contained HTML page with small plots."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from forecast.evaluation.html import document

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from forecast.data.checks import Finding
    from forecast.data.panel import Panel

WIDTH, HEIGHT = 640, 70
MOST_SERIES = 6
STYLE = """
.findings td,.findings th{text-align:left;vertical-align:top;white-space:normal}
.findings td.count{text-align:right}.findings td:nth-child(5){min-width:20rem}
.error{color:#a4161a;font-weight:600}.warning{color:#8a5a00;font-weight:600}
.note{color:var(--soft)}code{font-size:90%}svg{max-width:100%;height:auto}
@media(prefers-color-scheme:dark){.error{color:#ff8a8d}.warning{color:#f0b95a}}
"""


def write_page(path: Path, name: str, findings: Sequence[Finding], panel: Panel) -> None:
    """Write the page of one check.

    Parameters
    ----------
    path
        The file.
    name
        Name of the run.
    findings
        Worst first.
    panel
        The panel, of whose longest series each channel is drawn: each pixel column spans the lowest
        to the highest value, and columns without any value are shaded.
    """
    chosen = np.sort(np.argsort(-panel.length, kind="stable")[:MOST_SERIES])
    plots = [
        _plot(panel, int(series), channel)
        for channel in range(len(panel.channels))
        for series in chosen
    ]
    body = f"{_table(findings)}<h2>Values</h2>{''.join(plots)}"
    lead = "What the check found, the worst first"
    page = document(f"{name}: findings", lead, body, style=STYLE)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")


def _table(findings: Sequence[Finding]) -> str:
    """Return the findings as a table."""
    if not findings:
        return "<p>Nothing was found.</p>"
    head = "".join(
        f"<th>{word}</th>"
        for word in ("Level", "Finding", "Column", "Count", "What", "First place", "Setting")
    )
    rows = "".join(
        f'<tr><td class="{finding.level}">{finding.level}</td><td>{escape(finding.code)}</td>'
        f"<td>{escape(finding.column)}</td><td class='count'>{finding.count:,}</td>"
        f"<td>{escape(finding.message)}</td><td>{escape(finding.first)}</td>"
        f"<td><code>{escape(finding.setting)}</code></td></tr>"
        for finding in findings
    )
    return (
        f'<div class="wide"><table class="findings"><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _plot(panel: Panel, series: int, channel: int) -> str:
    """Return one channel of one series as a small figure."""
    column = panel.block(series)[:, channel]
    low, high = _envelope(column)
    seen = ~np.isnan(low)
    caption = escape(f"{panel.channels[channel]}, {panel.series_ids[series]}")
    if not seen.any():
        return f"<figure><figcaption>{caption}: no value</figcaption></figure>"
    bottom, top = float(low[seen].min()), float(high[seen].max())
    span = (top - bottom) or 1.0
    x = np.arange(len(low)) * (WIDTH / len(low))
    step = WIDTH / len(low)
    bars = "".join(
        f"M{at:.1f} {HEIGHT - (up - bottom) / span * HEIGHT:.1f}"
        f"V{HEIGHT - (down - bottom) / span * HEIGHT + 0.8:.1f}"
        for at, down, up in zip(x[seen], low[seen], high[seen], strict=True)
    )
    holes = "".join(f"M{at:.1f} 0V{HEIGHT}" for at in x[~seen])
    return (
        f'<figure><svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img">'
        f"<title>{caption}</title>"
        f'<path d="{holes}" stroke="#c2410c" stroke-opacity=".25" stroke-width="{step:.2f}"/>'
        f'<path d="{bars}" stroke="#2563a8" stroke-width="{max(step, 0.8):.2f}"/></svg>'
        f"<figcaption>{caption}: {bottom:.5g} to {top:.5g}</figcaption></figure>"
    )


def _envelope(column: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the lowest and highest value of each of up to `WIDTH` pixel columns; NaN if none."""
    size = max(1, -(-len(column) // WIDTH))
    padded = np.full(-(-len(column) // size) * size, np.nan, dtype=np.float32)
    padded[: len(column)] = column
    stretches = padded.reshape(-1, size)
    seen = ~np.isnan(stretches)
    low = np.where(seen, stretches, np.inf).min(axis=1)
    high = np.where(seen, stretches, -np.inf).max(axis=1)
    none = ~seen.any(axis=1)
    low[none] = high[none] = np.nan
    return low, high
