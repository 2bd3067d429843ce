"""One band: the error and the coverage are the same wherever they are stated."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from forecast.config import load_config
from pipelines.jobs import evaluate, predict, train
from pipelines.tracking import open_store

SITE = """
name: gauges
data: {{source: readings.csv, frequency: 1h, targets: [y]}}
windows: {{context: 48h, horizon: 6h}}
split: {{train: 0.8, dev: 0.1, test: 0.1, calibration: 0.1}}
model: {{kind: segment, hidden_size: 8, bounds: {{y: [0, null]}}}}
training: {{epochs: 1, batch_size: 64, learning_rate: 0.01, threads: 1, accelerator: cpu}}
tracking: {{uri: "sqlite:///{folder}/store/mlflow.db"}}
"""
HOURS = 720
FIRST, LAST = HOURS - 72, HOURS - 6  # readings used at the first and the last cutoff of test


def readings():
    """Two gauges that often stand at 0, one with gaps of which some outlast its context."""
    step = np.arange(HOURS)
    random = np.random.default_rng(0)
    frames = []
    for k, name in enumerate("ab"):
        level = np.maximum(
            0, np.sin(2 * np.pi * (step + 5 * k) / 24) + random.normal(0, 0.3, HOURS)
        )
        hidden = np.zeros(HOURS, bool)
        if name == "b":
            hidden[640:655] = hidden[690:692] = hidden[700:712] = True
        stamps = pd.date_range("2024-01-01", periods=HOURS, freq="h")
        frames.append(pd.DataFrame({"unique_id": name, "ds": stamps, "y": level})[~hidden])
    return pd.concat(frames)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("one-band")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        readings().to_csv("readings.csv", index=False)
        Path("gauges.yaml").write_text(SITE.format(folder=folder))
        train.run(load_config("gauges.yaml"))
        evaluate.run(load_config("gauges.yaml"))
        _backfill("forecasts/all")
    return folder


def _backfill(path, **environment):
    stamps = pd.date_range("2024-01-01", periods=HOURS, freq="h")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        predict.run(
            load_config("gauges.yaml", [f"output.path={path}"]),
            first=str(stamps[FIRST - 1]),
            last=str(stamps[LAST - 1]),
        )


def delivered(folder, path="forecasts/all"):
    """The files of all cutoffs beside what came."""
    files = sorted((folder / path).glob("cutoff=*/part-*.parquet"))
    table = pd.concat([pd.read_parquet(file, partitioning=None) for file in files])
    actual = readings()
    actual["ds"] = actual["ds"].dt.tz_localize("UTC")
    return table.merge(actual, on=["unique_id", "ds"])


def metrics(folder, kind):
    config = load_config(folder / "gauges.yaml")
    store = open_store(config)
    found = store.client.search_runs([store.experiment_id], f"tags.kind = '{kind}'")
    return found[0].data.metrics


def test_files_train_evaluate_and_mlflow_state_the_same_error_and_coverage(site, monkeypatch):
    monkeypatch.chdir(site)
    table = delivered(site)
    assert {"", "late"} <= set(table["flag"])
    error = (table["y"] - table["y_hat"]).abs().mean()
    inside = ((table["y"] >= table["q0.1"]) & (table["y"] <= table["q0.9"])).mean()
    trained, judged = metrics(site, "train"), metrics(site, "evaluate")
    assert_allclose([trained["test_mae"], judged["backtest_mae"]], error, rtol=1e-6)
    found = [trained["test_coverage_80"], judged["backtest_coverage_80"]]
    assert_allclose(found, inside, rtol=1e-6)
    assert table["q0.1"].min() >= 0


def test_the_report_shows_the_coverage_that_was_delivered(site, monkeypatch):
    monkeypatch.chdir(site)
    page = next(site.glob(".forecast/gauges/evaluation/report.html")).read_text()
    names = re.findall(r"<th>(\w*)</th>", page)
    cells = re.search(r"<td>model</td>(.*?)</tr>", page).group(1)
    shown = dict(zip(names[1:], re.findall(r"<td>([^<]*)</td>", cells), strict=False))
    wanted = metrics(site, "evaluate")["backtest_coverage_80"]
    assert float(shown["coverage_80"]) == pytest.approx(wanted, abs=1e-4)


def test_two_processes_write_the_bands_of_one(site, monkeypatch):
    monkeypatch.chdir(site)
    for rank in ("1", "0"):
        _backfill("forecasts/shared", RANK=rank, WORLD_SIZE="2")
    keys = ["cutoff", "unique_id", "step"]
    one, two = (
        delivered(site, f"forecasts/{name}").sort_values(keys, ignore_index=True)
        for name in ("all", "shared")
    )
    assert len(one) == len(two) > 0
    columns = [f"q0.{k}" for k in range(1, 10)]
    assert_allclose(one[columns], two[columns], rtol=1e-6, atol=1e-6)
