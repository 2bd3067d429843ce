"""Collects all findings about a reading and its panel."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from forecast.data.checks.clocks import clock_findings
from forecast.data.checks.courses import course_findings
from forecast.data.checks.finding import Finding, worst_first
from forecast.data.checks.levels import level_findings
from forecast.data.checks.marked import mark_findings
from forecast.data.checks.names import name_findings
from forecast.data.checks.peers import peer_findings
from forecast.data.checks.reading import reading_findings
from forecast.data.checks.relations import (
    end_findings,
    leak_findings,
    length_findings,
    part_findings,
)
from forecast.data.checks.rows import row_findings
from forecast.data.checks.survey import Survey
from forecast.data.panel import Panel

TOLD_BY = {
    "extreme": ("sentinel",),
    "sudden": ("sentinel", "extreme", "unlike_peers", "zeros", "grows"),
    "negative": ("sentinel",),
    "unit_break": ("grows", "unlike_peers"),
    "parts_differ": ("grows",),
    "empty_column": ("empty",),
    "missing": ("silent",),
}
"""Codes of findings, each with the codes that explain the same fact and so replace it."""
WHOLE = ("grows", "unlike_peers", "empty")
"""Codes about a column as a whole: they replace others whatever the counts."""


def check(
    surveys: Survey | Sequence[Survey],
    panel: Panel,
    *,
    context_length: int,
    horizon: int,
    season: int,
    spans: Mapping[str, NDArray[np.int64]] | None = None,
    counts: Collection[str] = (),
) -> list[Finding]:
    """Return what is wrong or odd, worst first.

    Parameters
    ----------
    surveys
        The reading from which the panel was built, read to its end; one of each table.
    panel
        The panel.
    context_length, horizon, season
        Steps.
    spans
        Grid intervals of train, dev and test; without them the parts are not compared.
    counts
        Columns that the model takes for counts.
    """
    # The first step of a running total has no growth.
    surveys = [surveys] if isinstance(surveys, Survey) else surveys
    survey = surveys[0]
    firsts = len(panel.series_ids) if survey.data.difference else 0
    gap_steps = max(survey.order.gaps.steps for survey in surveys) + firsts
    findings = [
        *(found for survey in surveys for found in _of_table(survey, counts)),
        *name_findings(panel.series_ids),
        *level_findings(panel, season=season, gap_steps=gap_steps),
        *course_findings(panel, season=season),
        *peer_findings(panel, season=season, has_times=survey.data.layout != "wide_rows"),
        *length_findings(panel),
        *end_findings(panel, context_length=context_length, horizon=horizon),
        *leak_findings(panel, horizon),
    ]
    if spans is not None:
        findings += part_findings(panel, spans)
    held = {name for table in survey.data.tables for name in table.hold}
    findings = [
        finding for finding in findings if finding.code != "stuck" or finding.column not in held
    ]
    return worst_first(_once(findings))


def _of_table(survey: Survey, counts: Collection[str]) -> Iterator[Finding]:
    """Yield the findings about one table as it came."""
    findings = (
        *reading_findings(survey.notes, survey.data, survey.order.rows),
        *row_findings(survey),
        *mark_findings(survey.marks, survey.series_ids, counts),
        *clock_findings(survey.order, survey.data.timezone),
    )
    for finding in findings:
        where = f"{survey.name}: " if survey.name else ""
        own = finding.setting
        if where and finding.code in ("frequency", "off_grid"):
            own = "frequency in the table's entry of data.source"
        yield replace(finding, message=where + finding.message, setting=own)


def _once(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings without those that another finding about the column explains."""
    different = {
        (
            finding.code,
            finding.column,
            finding.setting if finding.code == "sentinel" else finding.message,
        ): finding
        for finding in findings
    }
    codes = {(finding.code, finding.column): finding for finding in findings}

    def is_told(finding: Finding) -> bool:
        tellers = (codes.get((code, finding.column)) for code in TOLD_BY.get(finding.code, ()))
        return any(
            by is not None and (by.count >= finding.count or by.code in WHOLE) for by in tellers
        )

    return [finding for finding in different.values() if not is_told(finding)]
