"""The gate: what a challenger must show, which constraints count, and a champion without a score."""

from pathlib import Path

import numpy as np
import pytest

from forecast.config import Config, load_config
from forecast.evaluation.paired_test import PairedTest
from pipelines.steps.champion import unlike_file
from pipelines.steps.gate import decide, judge
from tests.evaluation.test_paired_test import backtest

OLD = {"mae": 2.0, "coverage_80": 0.8}
COVER = 'objective.constraints={coverage_80: ">= 0.75"}'
NAN = float("nan")


@pytest.mark.parametrize(
    ("old", "new", "p_value", "changes", "is_promoted", "reason"),
    [
        (OLD, {"mae": 1.9}, 0.01, [], True, "(+5.0% better), 145 cutoffs, p = 0.01"),
        (OLD, {"mae": 1.9}, 0.4, [], False, "may be luck: p of at most 0.1"),
        (OLD, {"mae": 1.9}, 0.4, ["retrain.max_p_value=1"], True, "p = 0.4"),
        (OLD, {"mae": 1.9}, NAN, [], False, "may be luck"),
        (OLD, {"mae": 1.99}, 0.01, [], False, "at least 1.0% is needed"),
        (OLD, {"mae": 2.0}, 0.5, ["retrain.min_improvement=0"], False, "is needed"),
        (OLD, {"mae": 2.1}, 0.9, [], False, "-5.0% better"),
        (OLD, {"mae": 1.9}, 0.01, ["retrain.min_improvement=0.1"], False, "at least 10.0%"),
        (OLD, {"mae": NAN}, 0.01, [], False, "it has no mae"),
        (OLD, {}, 0.01, [], False, "it has no mae"),
        ({"mae": NAN}, {"mae": 3.0}, NAN, [], True, "the champion has none"),
        ({"mae": 0.0}, {"mae": 0.0}, 0.5, [], False, "is needed"),
        (OLD, {"mae": 1.9, "rmse": 3.0}, 0.01, ["objective.metric=rmse"], True, "rmse 3, and"),
        (OLD, {"mae": 1.0, "coverage_80": 0.5}, 0.01, [COVER], False, "is 0.5, must be >= 0.75"),
        # Both break it: the challenger may be as far off as the champion, not farther.
        (
            {"mae": 2.0, "coverage_80": 0.5},
            {"mae": 1.2, "coverage_80": 0.5},
            0.01,
            [COVER],
            True,
            "",
        ),
        (
            {"mae": 2.0, "coverage_80": 0.5},
            {"mae": 1.2, "coverage_80": 0.6},
            0.01,
            [COVER],
            True,
            "",
        ),
        (
            {"mae": 2.0, "coverage_80": 0.6},
            {"mae": 1.2, "coverage_80": 0.4},
            0.01,
            [COVER],
            False,
            "0.4",
        ),
        ({"mae": NAN}, {"mae": 1.0, "coverage_80": 0.5}, NAN, [COVER], False, "coverage_80"),
    ],
)
def test_the_gate(
    *,
    config: Config,
    old: dict[str, float],
    new: dict[str, float],
    p_value: float,
    changes: list[str],
    is_promoted: bool,
    reason: str,
) -> None:
    changed = load_config("tiny.yaml", changes)
    decision = decide(changed, champion=old, challenger=new, test=PairedTest(p_value, 145))
    assert decision.is_promoted is is_promoted, decision.reason
    assert reason in decision.reason


def _judged(config: Config, **points: np.ndarray) -> tuple[bool, str]:
    return judge(
        config,
        backtest(np.zeros((60, 4)), **points),
        champion="champion",
        challenger="model",
    )


def test_a_champion_that_is_not_a_number_loses(config: Config) -> None:
    model, dead = np.ones((60, 4)), np.full((60, 4), np.nan)
    is_promoted, reason = _judged(config, model=model, champion=dead)
    assert is_promoted
    assert reason == "mae 1, and the champion has none on these windows"
    assert not _judged(config, model=dead, champion=model)[0]


def test_a_challenger_that_skips_what_is_hard_is_refused(config: Config) -> None:
    model, champion = np.full((60, 4), 0.1), np.ones((60, 4))
    model[:5] = np.nan
    is_promoted, reason = _judged(config, model=model, champion=champion)
    assert not is_promoted
    assert "no forecast for 20 values" in reason


def test_both_are_judged_on_what_both_forecast(config: Config) -> None:
    model, champion = np.ones((60, 4)), np.full((60, 4), 2.0)
    champion[:5], model[:5] = np.nan, 100.0
    is_promoted, reason = _judged(config, model=model, champion=champion)
    assert is_promoted
    assert "mae 1 against 2 of the champion (+50.0% better), 55 cutoffs" in reason


def test_a_model_of_other_settings_than_the_files_is_named(config: Config, tmp_path: Path) -> None:
    assert unlike_file(config) == []
    changed = load_config("tiny.yaml", ["windows.horizon=5h"])
    assert unlike_file(changed) == [f"windows.horizon is 5, {config.horizon} in the file"]
