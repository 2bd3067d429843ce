"""`forecast check`: what is wrong with the data, as findings."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from forecast.data.checks import Finding, as_errors, check, surveyed, worst_first
from forecast.data.checks.finding import stamp
from forecast.data.checks.tables import table_findings
from forecast.data.panel import build_panel
from forecast.data.panel.rules import panel_spec
from forecast.data.tables import Joined, read_source
from forecast.data.tables.sources import left_out
from forecast.data.windows.splits import split_windows
from forecast.errors import ConfigError, DataError
from forecast.forecasting.from_config import with_context
from pipelines.process.console import say, table
from pipelines.steps.known_now import ahead_in_words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from forecast.config import Config
    from forecast.config.data import Data
    from forecast.data.panel import Panel

COLUMNS = ("level", "finding", "column", "count", "series", "what", "first place", "setting")


def run(
    config: Config, *, strict: bool = False, as_json: bool = False, html: Path | None = None
) -> int:
    """Print the findings, worst first; return the exit code of a data error if there is an error.

    Parameters
    ----------
    strict
        Warnings count as errors.
    as_json
        Print JSON instead of a table.
    html
        Where to write a page with plots.
    """
    with tempfile.TemporaryDirectory(prefix="forecast-check-") as folder:
        findings, panel = find(config, folder)
        if strict:
            findings = as_errors(findings)
        if html is not None and panel is not None:
            from pipelines.pages.check_page import write_page

            write_page(html, config.name, findings, panel)
        if as_json:
            say(json.dumps([dataclasses.asdict(finding) for finding in findings], indent=1))
        else:
            _print(config, findings, panel)
            if html is not None and panel is not None:
                say(f"written: {html}")
    return DataError.exit_code if any(finding.level == "error" for finding in findings) else 0


def find(config: Config, folder: str) -> tuple[list[Finding], Panel | None]:
    """Return the findings and the panel, built in `folder`; None if it cannot be built."""
    data = config.data
    tables = read_source(data)
    source, surveys = surveyed(tables, data)
    try:
        panel = build_panel(source, folder, spec=panel_spec(data))
    except DataError as error:
        lines = str(error).splitlines()
        return [Finding("error", "unreadable", line, 1) for line in lines], None
    config = with_context(config, panel)
    spans, refusal = _spans(config, panel)
    findings = check(
        surveys,
        panel,
        context_length=config.context_length,
        horizon=config.horizon,
        season=config.season,
        spans=spans,
        counts=data.targets if config.model.head == "negative_binomial" else (),
    )
    if isinstance(tables, Joined):
        findings += table_findings(tables)
    return worst_first([*findings, *refusal, *_ahead(panel), *_other_files(data)]), panel


def _ahead(panel: Panel) -> list[Finding]:
    """Return readings ahead of the clock as findings."""
    return [
        Finding(
            "warning",
            "ahead",
            f"series {series.series_id!r}: {text}",
            series.steps,
            series=1,
            first=f"{series.series_id} {stamp(series.first_ns)}",
            setting="data.timezone",
        )
        for series, text in ahead_in_words(panel)
    ]


def _other_files(data: Data) -> list[Finding]:
    """Return a finding of files in the source's folders whose extension is not of a table."""
    others = left_out(data.sources)
    if not others:
        return []
    shown = ", ".join(Path(path).name for path in others[:3]) + (", ..." if len(others) > 3 else "")
    return [
        Finding(
            "note",
            "other_files",
            f"{len(others):,} files beside the tables were not read: {shown}",
            len(others),
            first=others[0],
            setting="data.source (a pattern such as folder/*.dat reads them)",
        )
    ]


def _spans(
    config: Config, panel: Panel
) -> tuple[dict[str, NDArray[np.int64]] | None, list[Finding]]:
    """Return the spans of train, dev and test, and findings about them."""
    split = config.split
    try:
        parts = split_windows(
            panel,
            context_length=config.context_length,
            horizon=config.horizon,
            train=split.train,
            dev=split.dev,
            test=split.test,
            calibration=split.calibration,
            scheme=split.scheme,
            min_observed=config.windows.min_observed,
            season=config.season,
        )
    except (ConfigError, DataError) as error:
        return None, [Finding("error", "split", str(error), 1, setting="split")]
    found = [Finding("note", "split", text, 1, setting="split") for text in parts.notes]
    found += [Finding("warning", "split", text, 1, setting="split") for text in parts.warnings]
    return parts.spans, found


def _print(config: Config, findings: list[Finding], panel: Panel | None) -> None:
    """Print a line about the panel, and the findings as a table."""
    if panel is not None:
        account = panel.account
        say(
            f"{config.name}: {account['read']:,} readings of {len(panel.series_ids):,} series: "
            f"{account['kept']:,} kept, {account['aggregated']:,} aggregated, "
            f"{account['rejected']:,} rejected"
        )
    rows = [
        (
            finding.level,
            finding.code,
            finding.column,
            finding.count,
            finding.series or None,
            finding.message,
            finding.first,
            finding.setting,
        )
        for finding in findings
    ]
    table("", COLUMNS, rows)
    counts = {
        level: sum(finding.level == level for finding in findings)
        for level in ("error", "warning", "note")
    }
    say(", ".join(f"{count} {level}{'s' * (count != 1)}" for level, count in counts.items()))
