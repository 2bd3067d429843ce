"""When a challenger is due and what it must show to become champion; trains and moves nothing."""

from __future__ import annotations

import json
import math
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from forecast.config.duration import duration_s
from forecast.whole_files import read_object, write_whole
from pipelines.process.console import say

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from forecast.config import Config

MONITOR = "monitor.json"  # in the work folder: what `score` found amiss


class Decision(NamedTuple):
    """Whether the challenger becomes champion, and why, in words."""

    is_promoted: bool
    reason: str


def write_findings(work_folder: Path, version: int, findings: Sequence[str]) -> None:
    """Keep what is amiss with a version's live forecasts, for the next `retrain` to act on."""
    work_folder.mkdir(parents=True, exist_ok=True)
    content = json.dumps({"version": version, "findings": list(findings)})
    write_whole(work_folder / MONITOR, content)


def read_findings(work_folder: Path, version: int) -> list[str]:
    """Return what `score` found amiss with a version; nothing where it looked at another one."""
    path = work_folder / MONITOR
    try:
        found = read_object(path)
        return list(found["findings"]) if found["version"] == version else []
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        say(f"{path}: damaged ({error}); the next `forecast score` writes it anew", error=True)
        return []


def due_reasons(
    config: Config, *, version: int, trained_until: str | None, newest: datetime
) -> list[str]:
    """Return why a challenger is due, in words; nothing when it is not.

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


def decide(
    config: Config, *, champion: Mapping[str, float], challenger: Mapping[str, float]
) -> Decision:
    """Compare two models' scores on the same windows: the one metric, then the constraints."""
    metric, share = config.objective.metric, config.retrain.min_improvement
    old, new = champion.get(metric, math.nan), challenger.get(metric, math.nan)
    gain = 1 - new / old if old > 0 else math.nan
    share_better = f" ({gain:+.1%} better)" if math.isfinite(gain) else ""
    compared = f"{metric} {new:.4g} against {old:.4g} of the champion{share_better}"
    if not (math.isfinite(new) and new < old and gain >= share):
        return Decision(False, f"{compared}; more than {share:.1%} is needed")
    broken = config.objective.violations(dict(challenger))
    if broken:
        return Decision(False, f"{compared}, but {'; '.join(broken)}")
    return Decision(True, compared)
