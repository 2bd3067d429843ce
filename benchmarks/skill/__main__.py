"""One row of the skill table: train on train, choose on dev, read test once, write the result.

python -m benchmarks.skill ETTh1-96 --seeds 0 1 2
"""

import argparse
import time
from pathlib import Path
from typing import Any

import torch

from forecast.training.allocator import keep_freed_memory

from .coverage import residuals, rolling_coverage
from .m4 import Scores, owa, read_m4
from .recipe import Job, Recipe, Trained, errors, ridge_errors, train
from .results import Entry, circumstances, store
from .tables import ROWS, read_table

WITH_INTERVALS = ("ETTh1-96", "Weather-96")


def main() -> None:
    """Measure the columns of a row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("row", choices=list(ROWS))
    parser.add_argument("--seeds", type=int, nargs="+", help="default: 0, or 0 1 2 where stated")
    parser.add_argument("--columns", nargs="+", choices=("both", "lstm"), default=["both", "lstm"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results.json")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    keep_freed_memory()
    row = ROWS[chosen.row]
    where = circumstances()
    table = read_m4()[0] if row.source == "M4" else read_table(row.source)
    for column in chosen.columns:
        kept = []
        for seed in chosen.seeds or range(row.seeds):
            job = Job(row, table, Recipe(), column, seed)
            print(f"{row.name} {column} seed {seed}", flush=True)
            cpu = time.process_time()
            trained = train(job)
            cpu = time.process_time() - cpu
            store(chosen.out, row.name, column, str(seed), where | measured(job, trained, cpu))
            kept.append(trained)
            if column == "both":
                ridge = where | scores(job, [trained], of_ridge=True)
                store(chosen.out, row.name, "ridge", "0", ridge | {"note": trained.note})
                if seed == 0 and row.name in WITH_INTERVALS:
                    store(chosen.out, row.name, "intervals", "0", where | intervals(job, trained))
        if column == "both" and len(kept) > 1:
            together = where | scores(job, kept)
            store(chosen.out, row.name, "mean of seeds", "all", together)


def scores(job: Job, trained: list[Trained], *, of_ridge: bool = False) -> Entry:
    """Test errors of one network, of the mean of several, or of the linear path alone."""
    windows = trained[0].windows
    models = [one.model for one in trained]
    if job.row.source == "M4":
        found: Scores = owa(models, windows, "test", of_ridge=of_ridge)
        return {"owa": found.owa, "smape": found.smape, "mase": found.mase}
    index = job.index("test")
    error = ridge_errors if of_ridge else errors
    square, absolute = error(models, windows, index)
    return {"mse": square, "mae": absolute}


def measured(job: Job, trained: Trained, cpu: float) -> Entry:
    """One column's result with what is needed to judge and repeat it."""
    square, absolute = trained.dev
    entry: dict[str, Any] = scores(job, [trained])
    entry |= {"dev_mse": square, "dev_mae": absolute, "context": job.row.context}
    entry |= {"weights": trained.weights, "linear_weights": trained.linear_weights}
    entry |= {"minutes": trained.seconds / 60, "cpu_minutes": cpu / 60, "kept_step": trained.step}
    print("  " + ", ".join(f"{key} {value}" for key, value in entry.items()), flush=True)
    return entry | {"normalization": job.row.normalization, "note": trained.note}


def intervals(job: Job, trained: Trained) -> Entry:
    """Coverage of rolling intervals on test; residuals of dev come first."""
    every = max(1, job.table.day // 24)  # steps between origins: one an hour
    before, test = (
        residuals(trained.model, trained.windows, job.index(part), every=every)
        for part in ("dev", "test")
    )
    return rolling_coverage(before, test, origin_steps=every)


if __name__ == "__main__":
    main()
