"""All findings about a reading and its panel; prints nothing and changes nothing."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from forecast.data.checks.clocks import clock_findings
from forecast.data.checks.finding import Finding, worst_first
from forecast.data.checks.levels import level_findings
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


def check(
    survey: Survey,
    panel: Panel,
    *,
    context_length: int,
    horizon: int,
    season: int,
    spans: Mapping[str, NDArray[np.int64]] | None = None,
) -> list[Finding]:
    """Return what is wrong or odd, worst first.

    Parameters
    ----------
    survey
        The reading from which the panel was built, read to its end.
    panel
        The panel.
    context_length, horizon, season
        Steps.
    spans
        Grid intervals of train, dev and test; without them the parts are not compared.
    """
    findings = [
        *reading_findings(survey.notes, survey.data, survey.order.rows),
        *row_findings(survey),
        *clock_findings(survey.order, survey.data.timezone),
        *level_findings(panel, season=season, gap_steps=survey.order.gaps.steps),
        *length_findings(panel),
        *end_findings(panel, context_length=context_length, horizon=horizon),
        *leak_findings(panel, horizon),
    ]
    if spans is not None:
        findings += part_findings(panel, spans)
    return worst_first(findings)
