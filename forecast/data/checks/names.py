"""Findings about series ids that a person would take for the same series."""

import unicodedata
from collections.abc import Iterator, Sequence

from forecast.data.checks.finding import Finding


def name_findings(names: Sequence[str]) -> Iterator[Finding]:
    """Yield ids that differ only in leading zeros, case, blanks or Unicode form."""
    alike: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault(_plain(name), []).append(name)
    groups = [found for found in alike.values() if len(found) > 1]
    if groups:
        shown = " and ".join(repr(name) for name in groups[0][:3])
        yield Finding(
            "warning",
            "similar_ids",
            f"{shown} are read as {len(groups[0])} series: ids are compared as texts"
            + (f"; {len(groups):,} such groups" if len(groups) > 1 else ""),
            sum(map(len, groups)),
            series=sum(map(len, groups)),
            first=groups[0][0],
            setting="data.series: spell each id in one way",
        )


def _plain(name: str) -> str:
    """Return an id without case, blanks and leading zeros.

    Examples
    --------
    >>> _plain("007") == _plain("7"), _plain("Site a") == _plain("SITE  A"), _plain("0")
    (True, True, '0')
    """
    text = " ".join(unicodedata.normalize("NFKC", name).casefold().split())
    return text.lstrip("0") or text[-1:]
