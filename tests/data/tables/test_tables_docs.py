"""docs/tables.md: every setting it shows is one that the config takes, every finding exists."""

import re
from pathlib import Path

import pytest
import yaml

from forecast.config.data import Data

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "tables.md").read_text(encoding="utf-8")
DESCRIBING, FINDINGS = PAGE.split("## What `check` looks for")
NEEDED = {"source": "t.csv", "frequency": "1h"}
COLUMNS = {"rain", "wd", "temp", "wind_speed"}


def shown_settings():
    """Return the settings of the page as texts."""
    spans = re.findall(r"`([^`]+)`", DESCRIBING)
    return [one for one in spans if re.match(r"[a-z_]+: .", one)]


@pytest.mark.parametrize("text", shown_settings())
def test_setting_is_taken(text):
    changes = yaml.safe_load(text)
    if "timestamp_format" in changes:
        changes.setdefault("timestamp", "ds")
    if changes.get("csv", {}).get("header") is False:
        changes["timestamp"] = "at"
    data = Data(**(NEEDED | {"targets": ["y"], "covariates": {"past": sorted(COLUMNS)}} | changes))
    for key in changes:
        assert key in data.model_fields_set


def test_findings_of_the_page_are_those_of_the_code():
    sources = [
        *(ROOT / "forecast" / "data" / "checks").glob("*.py"),
        ROOT / "pipelines" / "jobs" / "check.py",
    ]
    code = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    rows = [line.split("|")[1] for line in FINDINGS.splitlines() if line.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`([a-z_]+)`", row)}
    assert {name for name in named if f'"{name}"' not in code} == set()
    written = set(re.findall(r'"(?:error|warning|note)",\s*"([a-z_]+)"', code))
    assert written - named <= {"warning", "note"}
