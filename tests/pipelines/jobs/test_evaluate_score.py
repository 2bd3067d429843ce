"""`evaluate` and `score` on a small champion: tables, files, MLflow, the alert, running again."""

import csv
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast.config import load_config
from forecast.errors import ConfigError, DataError
from pipelines.jobs import evaluate, predict, score, train
from pipelines.steps.gate import read_findings
from pipelines.tracking import open_store

TINY = """
name: waves
data: {{source: readings.csv, frequency: 1h, targets: [y], covariates: {{past: [wind]}}}}
windows: {{context: 48h, horizon: 6h}}
split: {{train: 0.8, dev: 0.1, test: 0.1, calibration: 0.1}}
model: {{kind: segment, hidden_size: 8}}
training: {{epochs: 1, batch_size: 64, learning_rate: 0.01, threads: 1, accelerator: cpu}}
tracking: {{uri: "sqlite:///{folder}/store/mlflow.db"}}
monitor: {{window: 7d}}
"""
DAYS = 30


def write_readings(days, *, shift_after=None):
    hours = pd.date_range("2024-01-01", periods=24 * days, freq="h")
    t = np.arange(len(hours))
    noise = np.random.default_rng(0).normal(0, 0.2, (2, len(t)))
    shift = 0.0 if shift_after is None else 5.0 * np.sign(noise[0]) * (t >= 24 * shift_after)
    frames = [
        pd.DataFrame(
            {
                "unique_id": name,
                "ds": hours,
                "y": np.sin(2 * np.pi * (t + k) / 24) + noise[k] + shift,
                "wind": noise[k],
            }
        )
        for k, name in enumerate("ab")
    ]
    pd.concat(frames).to_csv("readings.csv", index=False)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("judged")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_readings(DAYS)
        Path("waves.yaml").write_text(TINY.format(folder=folder))
        train.run(load_config("waves.yaml"))
        predict.run(load_config("waves.yaml"), first="2024-01-20T00:00", last="2024-01-29T00:00")
    return folder


@pytest.fixture
def config(trained, monkeypatch):
    monkeypatch.chdir(trained)
    return load_config("waves.yaml")


def runs(config, kind):
    store = open_store(config)
    return store.client.search_runs([store.experiment_id], filter_string=f"tags.kind = '{kind}'")


def test_evaluate_prints_all_four_and_writes_the_report(config, capsys):
    evaluate.run(config)
    printed = capsys.readouterr().out
    for name in ("version 1", "persistence", "seasonal naive", "ridge"):
        assert name in printed
    folder = config.work_folder / "evaluation"
    assert "<h2>Worst windows</h2>" in (folder / "report.html").read_text()
    with (folder / "worst.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows
    assert rows[0]["label"] == ""
    run = runs(config, "evaluate")[0]
    assert {"backtest_mae", "backtest_ridge_mae", "backtest_coverage_80"} <= set(run.data.metrics)
    assert run.info.status == "FINISHED"
    names = {one.path for one in open_store(config).client.list_artifacts(run.info.run_id)}
    assert {"report.html", "worst.csv", "figures"} <= names


def test_a_bundle_is_evaluated_as_it_lies_and_windows_seen_in_training_are_told(config, capsys):
    evaluate.run(config, bundle=config.work_folder / "bundle", days=10)
    output = capsys.readouterr()
    assert "bundle .forecast" in output.out
    assert "480 windows" in output.out
    assert "before the test part" in output.err


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"days": 3, "first": "2024-01-20"}, ConfigError, "exclude each other"),
        ({"days": 0}, ConfigError, "at least one day"),
        ({"version": "newest"}, ConfigError, "not a version number"),
        ({"version": "1", "bundle": Path("x")}, ConfigError, "exclude each other"),
        ({"first": "yesterday"}, ConfigError, "is not a time; write it like"),
        ({"first": "2030-01-01", "last": "2030-01-02"}, DataError, "within the readings"),
    ],
)
def test_bad_options_are_told(config, options, error, message):
    with pytest.raises(error, match=message):
        evaluate.run(config, **options)


def test_score_is_idempotent_and_keeps_one_run_a_version(config, capsys):
    score.run(config)
    first = capsys.readouterr().out
    table = config.work_folder / score.SCORES
    before, steps = table.read_bytes(), (config.work_folder / score.STEPS).read_bytes()
    known = len(runs(config, "score"))
    score.run(config)
    assert capsys.readouterr().out == first
    assert table.read_bytes() == before
    assert (config.work_folder / score.STEPS).read_bytes() == steps
    assert len(runs(config, "score")) == known == 1
    scores = pd.read_parquet(table)
    assert scores["cutoff"].nunique() == 9 * 24 + 1
    assert scores.groupby("cutoff")["count"].sum().eq(12).all()
    metrics = runs(config, "score")[0].data.metrics
    assert metrics["live_mae_7d"] == pytest.approx(
        float(first.split("7 days")[1].split()[0]), rel=1e-3
    )
    assert "psi_wind" in metrics


def test_a_shift_of_the_readings_is_an_alert_and_exits_with_zero(config, capsys):
    write_readings(DAYS, shift_after=24)
    try:
        assert score.run(config) is None
    finally:
        write_readings(DAYS)
    printed = capsys.readouterr().out
    assert "ALERT waves: error drift: version 1 over 7d" in printed
    assert "ALERT waves: input drift: y has" in printed
    found = read_findings(config.work_folder, 1)
    assert any("error drift" in one for one in found)
    assert json.loads((config.work_folder / "monitor.json").read_text())["version"] == 1
    score.run(config)
    assert not any("error drift" in one for one in read_findings(config.work_folder, 1))


def test_a_damaged_table_of_scores_is_set_aside_and_made_anew(config, capsys):
    path = config.work_folder / score.SCORES
    score.run(config)
    whole = path.read_bytes()
    path.write_bytes(b"not parquet")
    score.run(config)
    assert "scores.parquet.damaged, everything is scored again" in capsys.readouterr().err
    assert path.read_bytes() == whole
    path.with_name("scores.parquet.damaged").unlink()
