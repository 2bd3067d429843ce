"""Each limit of `monitor` decides about its own finding, and only about that."""

import pytest

from forecast.config import load_config
from pipelines.steps.drift_verdict import Champion, _findings

NUMBERS = {"error_ratio": 1.4, "psi_temp": 0.2}
SEEN = {"mae": 3.0, "coverage_80": 0.72, "count": 500.0}


@pytest.fixture
def findings(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text("name: plant\ndata: {source: a.csv, frequency: 1h}\nwindows: {horizon: 24h}\n")

    def _of(override: str, seen=SEEN) -> tuple[str, ...]:
        config = load_config(path, [override])
        champion = Champion(version=3, trained_until=None, test_mae=2.0)
        return _findings(config, NUMBERS, seen, champion)

    return _of


@pytest.mark.parametrize(
    ("strict", "lax", "what"),
    [
        ("monitor.max_error_ratio=1.3", "monitor.max_error_ratio=1.5", "error drift"),
        ("monitor.min_coverage_80=0.75", "monitor.min_coverage_80=0.7", "interval drift"),
        ("monitor.max_psi=0.1", "monitor.max_psi=0.25", "input drift: temp"),
    ],
)
def test_a_limit_decides_about_its_own_finding(findings, strict, lax, what):
    assert findings(lax) == ()
    (only,) = findings(strict)
    assert only.startswith(what)
    assert strict.split("=")[0] in only


def test_too_few_scored_forecasts_say_nothing_about_the_model(findings):
    assert findings("monitor.max_error_ratio=1.3", seen=None) == ()


def test_without_a_fixed_limit_a_channels_own_past_decides(findings, monkeypatch):
    assert findings("monitor.false_alarm_rate=0.05") == ()
    monkeypatch.setitem(NUMBERS, "limit_psi_temp", 0.15)
    (only,) = findings("monitor.false_alarm_rate=0.05")
    assert "input drift: temp" in only
    assert "in 95% of past windows it was below 0.15" in only
    assert findings("monitor.max_psi=0.25") == ()
