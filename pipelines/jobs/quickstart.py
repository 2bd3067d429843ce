"""The last page of `make quickstart`: the test error against simple methods, and where files are.

    python -m pipelines.jobs.quickstart CONFIG

It reads what `train` and `predict` have written.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from forecast.config import load_config
from forecast.errors import DataError
from pipelines.process.console import say, table

if TYPE_CHECKING:
    from pathlib import Path

    from forecast.config import Config

BASELINES = ("persistence", "seasonal_naive", "ridge")


def run(config: Config) -> None:
    """Print the champion's test error, the simple methods' errors, and where the files are.

    Raises
    ------
    DataError
        If there is no forecast yet.
    """
    folder = newest_folder(config.output_folder)
    _print_errors(config)
    say(f"\nforecasts   {folder}/")
    say(f"model       {config.work_folder / 'bundles'}/")
    say(f"MLflow UI   .venv/bin/forecast ui {config.path}")


def newest_folder(root: Path) -> Path:
    """Return the whole forecast folder with the newest cutoff."""
    folders = sorted(path.parent for path in root.glob("cutoff=*/_SUCCESS.json"))
    if not folders:
        raise DataError(f"{root}: no forecasts here yet; run `forecast predict` first")
    return folders[-1]


def _print_errors(config: Config) -> None:
    """Print the test errors of the champion and of the simple methods."""
    from pipelines.tracking import champion_bundle

    champion = champion_bundle(config)
    from forecast.forecasting.bundle import read_manifest

    origin = read_manifest(champion.path)["origin"]
    metrics = origin["metrics"]
    rows: list[list[object]] = [
        [f"this model, version {champion.version}", metrics["test_mae"], metrics.get("test_rmse")]
    ]
    rows += [
        [name.replace("_", " "), metrics[f"test_{name}_mae"], metrics.get(f"test_{name}_rmse")]
        for name in BASELINES
        if f"test_{name}_mae" in metrics
    ]
    say("")
    table("Error on the test part, which no choice has seen", ["forecast by", "mae", "rmse"], rows)


if __name__ == "__main__":
    run(load_config(sys.argv[1]))
