"""Judges the champion's newest forecasts and inputs against its training, by `monitor`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from forecast.config.duration import duration_s, steps_within

if TYPE_CHECKING:
    from forecast.config import Config
    from forecast.data.panel import Panel

SPANS_DAYS = (7.0, 28.0)

LEAST_HORIZONS = 3  # to be scored of each series before drift is judged


class Champion(NamedTuple):
    """The champion, and its scores at training."""

    version: int
    trained_until: str | None
    test_mae: float


class Verdict(NamedTuple):
    """The numbers of the monitor, and the problems among them, in words."""

    numbers: dict[str, float]
    findings: tuple[str, ...]


def judge(
    config: Config,
    panel: Panel,
    scores: pd.DataFrame,
    champion: Champion,
    newest: pd.Timestamp,
) -> Verdict:
    """Compare the champion's newest span with its training: error, coverage, inputs."""
    from forecast.evaluation.live_scores import newest_span, rates

    own = scores[scores["model_version"] == str(champion.version)]
    days = duration_s(config.monitor.window) / 86_400
    numbers: dict[str, float] = {}
    for span in (*SPANS_DAYS, days):
        rows = rates(newest_span(own, until=newest, days=span))
        numbers |= {f"live_{name}_{span:g}d": value for name, value in rows.items()}
    seen = rates(newest_span(own, until=newest, days=days))
    trained = champion.test_mae if champion.test_mae > 0 else math.nan  # a part without rain: 0
    numbers["error_ratio"] = seen["mae"] / trained
    numbers |= _psi(config, panel, champion, newest)
    least = LEAST_HORIZONS * config.horizon * len(panel.series_ids)
    findings = _findings(config, numbers, seen if seen["count"] >= least else None, champion)
    numbers["drifted"] = float(bool(findings))
    return Verdict(numbers, findings)


def _findings(
    config: Config,
    numbers: dict[str, float],
    seen: dict[str, float] | None,
    champion: Champion,
) -> tuple[str, ...]:
    """Return what exceeds the limits of `monitor`, in words."""
    monitor, found = config.monitor, []
    who = f"version {champion.version} over {monitor.window}"
    if seen is not None and numbers["error_ratio"] > monitor.max_error_ratio:
        found.append(
            f"error drift: {who} has MAE {seen['mae']:.4g}, {numbers['error_ratio']:.2f} times "
            f"the {champion.test_mae:.4g} at training; monitor.max_error_ratio is "
            f"{monitor.max_error_ratio:g}"
        )
    if seen is not None and seen["coverage_80"] < monitor.min_coverage_80:
        found.append(
            f"interval drift: {who} covers {seen['coverage_80']:.1%} with its 80 % intervals; "
            f"monitor.min_coverage_80 is {monitor.min_coverage_80:g}"
        )
    moved = {k.removeprefix("psi_"): v for k, v in numbers.items() if k.startswith("psi_")}
    for channel, value in moved.items():
        limit = monitor.max_psi or numbers.get(f"limit_psi_{channel}", math.inf)
        if value > limit:
            why = (
                "monitor.max_psi is"
                if monitor.max_psi
                else f"in {1 - monitor.false_alarm_rate:.0%} of past windows it was below"
            )
            found.append(
                f"input drift: {channel} has a population stability index of {value:.2f} against "
                f"the readings before; {why} {limit:.2g}"
            )
    return tuple(found)


def _psi(
    config: Config, panel: Panel, champion: Champion, newest: pd.Timestamp
) -> dict[str, float]:
    """Return each channel's index, the newest span against the readings of the training, and limit.

    The limit is what windows of the same length before it would seldom have passed.
    """
    from forecast.evaluation.drift import channel_psi, index_limits, past_indices, season_changes

    stop = int(panel.grid.index(np.array([newest.value]))[0])
    begin = stop - steps_within(config.monitor.window, panel.grid.frequency) + 1
    end = begin - 1
    if champion.trained_until is not None:
        trained = pd.Timestamp(champion.trained_until).value
        end = min(end, int(panel.grid.index(np.array([trained]))[0]))
    season = config.season
    before = season_changes(panel, season=season, first=int(panel.start.min()), last=end)
    now = season_changes(panel, season=season, first=begin, last=stop)
    if min(len(before), len(now)) < 10 * LEAST_HORIZONS:
        return {}
    names = panel.targets + panel.past
    indices = channel_psi(before, now, names)
    past = past_indices(
        panel, season=season, first=int(panel.start.min()), last=end, length=stop - begin + 1
    )
    limits = dict(zip(names, index_limits(past, rate=config.monitor.false_alarm_rate), strict=True))
    return {f"psi_{name}": value for name, value in indices.items()} | {
        f"limit_psi_{name}": float(value) for name, value in limits.items()
    }
