"""The findings of a config of `configs/` over a folder that holds its set, or a cut-out of it."""

import tempfile
from pathlib import Path

from forecast.config import load_config
from pipelines.jobs.check import find

ROOT = Path(__file__).parents[2]


def findings_of(name, folder, *overrides):
    """Return the findings of a config of `configs/` over sets in a folder, and the panel."""
    config = load_config(
        ROOT / "configs" / f"{name}.yaml", overrides, environment={"FORECAST_DATA": str(folder)}
    )
    with tempfile.TemporaryDirectory() as work:
        findings, panel = find(config, work)
        return findings, panel


def counts(findings):
    """Return the count of each finding by its code and column."""
    return {(one.code, one.column): one.count for one in findings}


def message(findings, code, column=""):
    """Return the words of one finding."""
    return next(one.message for one in findings if (one.code, one.column) == (code, column))
