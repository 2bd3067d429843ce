"""Try a change of the recipe on the dev windows of a row; test windows are never read here.

python -m benchmarks.skill.trial ETTh1-96 both --set width=256 --set context=336
"""

import argparse
import time
from dataclasses import fields, replace
from typing import Any

import torch

from forecast.training.allocator import keep_freed_memory

from .m4 import owa, read_m4
from .recipe import Job, Recipe, train
from .tables import ROWS, read_table


def main() -> None:
    """Print the dev errors of one column of one row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("row", choices=sorted(ROWS))
    parser.add_argument("column", choices=("lstm", "ridge", "both"))
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    row, recipe = replace(ROWS[chosen.row], refit=False), Recipe()
    for change in chosen.set:
        name, text = change.split("=")
        holder = recipe if name in {field.name for field in fields(Recipe)} else row
        value: Any = type(getattr(holder, name))(text)
        if holder is recipe:
            recipe = replace(recipe, **{name: value})
        else:
            row = replace(row, **{name: value})
    torch.set_num_threads(1)
    keep_freed_memory()
    table = read_m4()[0] if row.source == "M4" else read_table(row.source)
    began = time.perf_counter()
    print(f"{row.name} {chosen.column} {chosen.set}", flush=True)
    job = Job(row, table, recipe, chosen.column, chosen.seed)
    trained = train(job)
    square, absolute = trained.dev
    spent = time.perf_counter() - began
    scores: Any = ""
    if row.source == "M4":
        of_ridge = chosen.column == "ridge"
        scores = owa([trained.model], trained.windows, "dev", of_ridge=of_ridge)
    print(
        f"RESULT {row.name} {chosen.column} {chosen.set} dev mse {square:.4f} mae {absolute:.4f} "
        f"step {trained.step} weights {trained.weights} {spent:.0f} s {scores}"
    )


if __name__ == "__main__":
    main()
