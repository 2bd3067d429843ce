"""A self-contained HTML page with tables and figures: PNGs embedded, no external request."""

import base64
import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from forecast.text import format_number

STYLE = """
:root{color-scheme:light dark;--ink:#1c1e21;--soft:#5c6370;--paper:#fff;--line:#d9dce1;
--mark:#0072b2}
@media(prefers-color-scheme:dark){:root{--ink:#e6e8eb;--soft:#a2a9b4;--paper:#16181c;--line:#343941;
--mark:#56b4e9}}
*{box-sizing:border-box}
body{font:16px/1.55 system-ui,-apple-system,Segoe UI,sans-serif;color:var(--ink);
background:var(--paper);max-width:68rem;margin:0 auto;padding:2rem 1.2rem}
h1{font-size:1.7rem;margin:0 0 .2rem}h2{font-size:1.2rem;margin:2.4rem 0 .6rem}
p.lead{color:var(--soft);margin:.2rem 0 1.6rem}
.wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:.35rem .8rem;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}
th:first-child,td:first-child{text-align:left}thead th{color:var(--soft);font-weight:600}
tbody tr.first{font-weight:600}tbody tr.first td:first-child{color:var(--mark)}
figure{margin:1rem 0}img{max-width:100%;height:auto;background:#fff;border-radius:6px;padding:4px}
figcaption{color:var(--soft);font-size:.92rem}
"""


@dataclass(frozen=True)
class Table:
    """A table whose first column names its rows; numbers are rounded for reading."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str | float | int]]
    marks_first: bool = False


@dataclass(frozen=True)
class Section:
    """A heading with paragraphs, a table and figures (PNG bytes by caption)."""

    title: str
    paragraphs: Sequence[str] = ()
    table: Table | None = None
    figures: Mapping[str, bytes] = field(default_factory=dict)


def render_page(title: str, lead: str, sections: Sequence[Section]) -> str:
    """Return the page as HTML, with every text escaped."""
    return document(title, lead, "\n".join(_section(section) for section in sections))


def document(title: str, lead: str, body: str, *, style: str = "") -> str:
    """Return a page around a body that is HTML already, in the style that all pages share.

    Parameters
    ----------
    title, lead
        Texts, which are escaped.
    style
        CSS that only this page needs.
    """
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{STYLE}{style}</style></head>\n"
        f'<body><h1>{html.escape(title)}</h1><p class="lead">{html.escape(lead)}</p>\n'
        f"{body}\n</body></html>\n"
    )


def score_rows(table: Mapping[str, Mapping[str, float]], scores: Sequence[str]) -> Table:
    """Return a table of predictors by scores, with those scores that any predictor has."""
    kept = [score for score in scores if any(score in row for row in table.values())]
    rows: list[list[str | float | int]] = []
    for name, row in table.items():
        rows.append([name, *(row.get(score, math.nan) for score in kept)])
    return Table(["", *kept], rows, marks_first=True)


def _section(section: Section) -> str:
    parts = [f"<section><h2>{html.escape(section.title)}</h2>"]
    parts += [f"<p>{html.escape(text)}</p>" for text in section.paragraphs]
    if section.table is not None:
        parts.append(_table(section.table))
    for caption, png in section.figures.items():
        code = base64.b64encode(png).decode("ascii")
        said = html.escape(caption)
        parts.append(
            f'<figure><img alt="{said}" src="data:image/png;base64,{code}">'
            f"<figcaption>{said}</figcaption></figure>"
        )
    return "\n".join([*parts, "</section>"])


def _table(table: Table) -> str:
    head = "".join(f"<th>{html.escape(name)}</th>" for name in table.columns)
    lines = []
    for place, row in enumerate(table.rows):
        cells = "".join(
            f"<td>{html.escape(cell) if isinstance(cell, str) else format_number(cell)}</td>"
            for cell in row
        )
        kind = ' class="first"' if table.marks_first and place == 0 else ""
        lines.append(f"<tr{kind}>{cells}</tr>")
    return (
        f'<div class="wide"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )
