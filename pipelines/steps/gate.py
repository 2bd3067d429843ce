"""Decides when a challenger is due, and whether it is good enough to become champion."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from forecast.config.duration import duration_s
from forecast.whole_files import read_object, write_whole
from pipelines.process.console import say

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from forecast.config import Config
    from forecast.evaluation.backtest import Backtest
    from forecast.evaluation.paired_test import PairedTest

MONITOR = "monitor.json"  # in the work folder: the problems that `score` found


class Decision(NamedTuple):
    """Whether the challenger becomes champion, and why, in words."""

    is_promoted: bool
    reason: str


def write_findings(work_folder: Path, version: int, findings: Sequence[str]) -> None:
    """Store the problems of a version's live forecasts, for the next `retrain` to act on."""
    work_folder.mkdir(parents=True, exist_ok=True)
    content = json.dumps({"version": version, "findings": list(findings)})
    write_whole(work_folder / MONITOR, content)


def read_findings(work_folder: Path, version: int) -> list[str]:
    """Return the problems that `score` found with a version; empty if it scored another one."""
    path = work_folder / MONITOR
    try:
        found = read_object(path)
        return list(found["findings"]) if found["version"] == version else []
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        say(f"{path}: damaged ({error}); the next `forecast score` writes it again", error=True)
        return []


def due_reasons(
    config: Config, *, version: int, trained_until: str | None, newest: datetime
) -> list[str]:
    """Return why a challenger is due, in words; empty if it is not.

    Parameters
    ----------
    version
        The champion.
    trained_until
        Newest reading there was when the champion was trained, ISO 8601; None where its bundle
        does not say.
    newest
        Newest reading there is.
    """
    reasons = list(read_findings(config.work_folder, version))
    if trained_until is None:
        return [*reasons, f"version {version} does not say how old its readings are"]
    age = newest - datetime.fromisoformat(trained_until)
    if age > timedelta(seconds=duration_s(config.retrain.max_age)):
        reasons.append(
            f"version {version} has not seen the last {age / timedelta(days=1):.1f} days of "
            f"readings; retrain.max_age is {config.retrain.max_age}"
        )
    return reasons


def judge(config: Config, backtest: Backtest, *, champion: str, challenger: str) -> Decision:
    """Compare two models of a backtest, over the pairs that both of them forecast."""
    from forecast.evaluation.backtest import with_common_pairs
    from forecast.evaluation.paired_test import compare
    from pipelines.steps.training_run import scores_of

    pair = replace(backtest, forecasts={k: backtest.forecasts[k] for k in (challenger, champion)})
    alone = replace(pair, forecasts={challenger: backtest.forecasts[challenger]})
    known = {who: _known_pairs(pair, who) for who in pair.forecasts}
    if known[challenger] < known[champion]:
        lost = known[champion] - known[challenger]
        return Decision(False, f"it has no forecast for {lost:,} values that the champion forecast")
    scores = scores_of(pair if known[champion] else alone)
    test = compare(
        with_common_pairs(pair),
        champion=champion,
        challenger=challenger,
        metric=config.objective.metric,
    )
    old = scores.get(champion, {})
    return decide(config, champion=old, challenger=scores[challenger], test=test)


def _known_pairs(backtest: Backtest, name: str) -> int:
    from forecast.evaluation.metrics import count

    return int(count(backtest.actual, backtest.forecasts[name].point))


def decide(
    config: Config,
    *,
    champion: Mapping[str, float],
    challenger: Mapping[str, float],
    test: PairedTest,
) -> Decision:
    """Decide by two models' scores on the same windows: the one metric, then the constraints.

    The challenger has to be better by a share that is worth a change, and by more than luck would
    give it; a champion without a score loses.
    """
    metric, gate = config.objective.metric, config.retrain
    old, new = champion.get(metric, math.nan), challenger.get(metric, math.nan)
    if not math.isfinite(new):
        return Decision(False, f"it has no {metric} on these windows")
    if math.isfinite(old):
        gain = 1 - new / old if old > 0 else -math.inf
        share = f" ({gain:+.1%} better)" if math.isfinite(gain) else ""
        luck = "" if math.isnan(test.p_value) else f", p = {test.p_value:.2g}"
        compared = (
            f"{metric} {new:.4g} against {old:.4g} of the champion{share}, {test.cutoffs:,} "
            f"cutoffs{luck}"
        )
        if not (new < old and gain >= gate.min_improvement):
            needed = f"at least {gate.min_improvement:.1%} is needed (retrain.min_improvement)"
            return Decision(False, f"{compared}; {needed}")
        if not test.p_value <= gate.max_p_value:
            limit = f"p of at most {gate.max_p_value:g} is needed (retrain.max_p_value)"
            return Decision(False, f"{compared}; that may be luck: {limit}")
    else:
        compared = f"{metric} {new:.4g}, and the champion has none on these windows"
    broken = _newly_broken(config, champion, challenger)
    return Decision(not broken, f"{compared}{', but ' if broken else ''}{'; '.join(broken)}")


def _newly_broken(
    config: Config, champion: Mapping[str, float], challenger: Mapping[str, float]
) -> list[str]:
    """Return the constraints that the challenger breaks and the champion keeps, or breaks less.

    Where both break one, it must not be the reason to keep the worse model: the challenger may
    fall short by as much as the champion, and a tenth of that more, since both are estimates.
    """
    short = config.objective.shortfalls(challenger)
    before = config.objective.shortfalls(champion)
    words = config.objective.violations(dict(challenger))
    return [
        text
        for (name, amount), text in zip(short.items(), words, strict=True)
        if not amount <= 1.1 * before.get(name, 0.0)
    ]
