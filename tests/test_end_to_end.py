"""The whole path on three short series through the real command line, and what it must leave.

`tests/test_readme.py` runs the verbs in a reader's order; here is what holds between them.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pandas as pd
import pytest

from forecast.forecasting.forecaster import Forecaster
from pipelines.cli import main
from tests.bad_input.case import tree

Cli = Callable[..., CompletedProcess[str]]
NEWEST = "forecasts/plant/cutoff=2024-01-20T23-00Z"


@pytest.fixture
def site(trained_site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of the trained site, as the current folder."""
    shutil.copytree(trained_site, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def forecasts(folder: Path) -> pd.DataFrame:
    """Return the rows of one cutoff."""
    return pd.concat(pd.read_parquet(part) for part in sorted(folder.glob("part-*.parquet")))


def test_a_forecast_file_says_all_the_contract_asks(site: Path) -> None:
    rows = forecasts(site / NEWEST)
    levels = [f"q0.{level}" for level in range(1, 10)]
    head = ["unique_id", "ds", "target", "cutoff", "step", "y_hat"]
    assert list(rows.columns) == [*head, *levels, "model_version", "run_id", "flag"]
    assert len(rows) == 3 * 12
    assert not rows.duplicated(["unique_id", "step"]).any()
    assert str(rows["ds"].dt.tz) == str(rows["cutoff"].dt.tz) == "UTC"
    lead = (rows["ds"] - rows["cutoff"]) / pd.Timedelta(hours=1)
    assert (lead == rows["step"]).all()
    assert (np.diff(rows[levels].to_numpy(), axis=1) >= 0).all()
    success = json.loads((site / NEWEST / "_SUCCESS.json").read_text(encoding="utf-8"))
    assert (success["rows"], success["series"]) == (36, 3)


def test_the_same_cutoff_gives_the_same_bytes(site: Path, cli: Cli) -> None:
    before = tree(site / "forecasts")
    shutil.rmtree(site / "forecasts")
    done = cli("predict", "run.yaml")
    assert done.returncode == 0, done.stderr
    assert tree(site / "forecasts") == before
    done = cli("predict", "run.yaml")
    assert done.returncode == 0, done.stderr
    assert tree(site / "forecasts") == before


def test_a_backfill_writes_every_cutoff_once_and_scores_them(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    span = ["--from", "2024-01-19T00:00", "--to", "2024-01-19T05:00"]
    assert main(["predict", "run.yaml", *span]) == 0
    folders = sorted(site.glob("forecasts/plant/cutoff=2024-01-19T*"))
    assert [folder.name[-6:] for folder in folders] == [f"{hour:02}-00Z" for hour in range(6)]
    assert all((folder / "_SUCCESS.json").is_file() for folder in folders)
    capsys.readouterr()
    assert main(["score", "run.yaml"]) == 0
    assert "version 1 at training" in capsys.readouterr().out


def test_new_readings_extend_the_panel_and_move_the_cutoff(site: Path) -> None:
    with (site / "readings.csv").open("a", encoding="utf-8") as table:
        for name in "abc":
            table.write(f"{name},2024-01-21T00:00:00Z,10.5,3\n")
    assert main(["predict", "run.yaml"]) == 0
    rows = forecasts(site / "forecasts/plant/cutoff=2024-01-21T00-00Z")
    assert len(rows) == 3 * 12
    assert rows["ds"].min() == pd.Timestamp("2024-01-21T01:00:00Z")


def test_the_saved_model_gives_the_written_forecast_outside_the_service(site: Path) -> None:
    (bundle,) = site.glob(".forecast/plant/bundles/1")
    assert sorted(path.suffix for path in bundle.iterdir()) == [".json", ".json", ".safetensors"]
    frame = pd.read_csv(site / "readings.csv", parse_dates=["ds"])
    again = Forecaster.load(bundle).forecast(frame).sort_values(["unique_id", "step"])
    written = forecasts(site / NEWEST).sort_values(["unique_id", "step"])
    np.testing.assert_allclose(again["y_hat"], written["y_hat"], rtol=1e-4, atol=1e-4)


def test_csv_forecasts_hold_the_same_numbers(site: Path) -> None:
    output = ["--set", "output.format=csv", "--set", "output.path=as-csv"]
    assert main(["predict", "run.yaml", *output]) == 0
    (part,) = site.glob("as-csv/cutoff=*/part-00000.csv")
    text = pd.read_csv(part, parse_dates=["ds", "cutoff"])
    exact = forecasts(site / NEWEST)
    np.testing.assert_allclose(text["y_hat"], exact["y_hat"], rtol=1e-6)
    assert (text["ds"].to_numpy() == exact["ds"].to_numpy()).all()


@pytest.mark.parametrize(
    "arguments",
    [
        ["prepare", "run.yaml"],
        ["check", "run.yaml"],
        ["schedule", "list", "run.yaml"],
        ["schedule", "export", "run.yaml"],
        ["schedule", "export", "run.yaml", "--format", "kubernetes"],
        ["retrain", "run.yaml", "--dry-run"],
        ["promote", "run.yaml", "1"],
        ["schema"],
    ],
    ids=" ".join,
)
def test_the_other_verbs_end_well(arguments: list[str], site: Path) -> None:
    before = tree(site / "forecasts")
    assert main(arguments) == 0
    assert tree(site / "forecasts") == before
