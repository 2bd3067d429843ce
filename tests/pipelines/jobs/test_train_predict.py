"""Train and predict through the real command line, on three short series."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from pipelines.cli import main
from tests.builders import frame_of
from tests.conftest import ROOT

CONFIG = """
name: tiny
data: {source: readings.csv, frequency: 1h, covariates: {calendar: [hour_of_day]}}
windows: {context: 24h, horizon: 6h}
split: {dev: 40, test: 40, calibration: 40}
model: {kind: direct, hidden_size: 8}
training: {epochs: 2, batch_size: 64, windows_per_epoch: 256, accelerator: cpu, threads: 1}
"""
FOLDER = Path("forecasts/tiny")
NEWEST = FOLDER / "cutoff=2024-01-17T15-00Z"


def command(*args, cwd, env=None):
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.cli", *args],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **(env or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def bytes_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a config, readings and a champion."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "tiny.yaml").write_text(CONFIG)
    frame_of(400, series=3).to_csv(folder / "readings.csv", index=False)
    done = command("train", "tiny.yaml", cwd=folder)
    assert done.returncode == 0, done.stderr
    (folder / "train.log").write_text(done.stdout)
    return folder


@pytest.fixture(scope="module")
def predicted(trained):
    done = command("predict", "tiny.yaml", cwd=trained)
    assert done.returncode == 0, done.stderr
    (trained / "predict.log").write_text(done.stdout)
    return trained


def test_train_shows_the_test_error_beside_the_naive_ones(trained):
    log = (trained / "train.log").read_text()
    for words in (
        "epoch 2/2",
        "persistence",
        "seasonal naive",
        "version 1 of tiny is the champion",
    ):
        assert words in log


def test_a_forecast_loads_neither_torch_nor_pandas(trained):
    script = (
        "import sys; from pipelines.cli import main; "
        "assert main(['predict', 'tiny.yaml', '--set', 'output.path=light']) == 0; "
        "print(*{'torch', 'pandas', 'mlflow', 'sklearn', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=trained,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == ""


def test_train_leaves_no_checkpoints_behind(trained):
    assert not list((trained / ".forecast/tiny/checkpoints").glob("*"))


def test_predict_writes_every_series_and_step_once(predicted):
    table = pq.read_table(predicted / NEWEST / "part-00000.parquet").to_pandas()
    assert len(table) == 3 * 6
    assert not table.duplicated(["unique_id", "target", "step"]).any()
    assert table["cutoff"].unique().tolist() == [pd.Timestamp("2024-01-17T15:00Z")]
    assert table["flag"].str.fullmatch(r"stale:\d+d").all()  # readings of 2024, and nothing else
    success = json.loads((predicted / NEWEST / "_SUCCESS.json").read_text())
    assert (success["rows"], success["series"], success["model_version"]) == (18, 3, "1")


def test_predict_prints_the_next_steps_of_every_series(predicted):
    log = (predicted / "predict.log").read_text()
    for words in ("80 % interval", "s0", "s1", "s2", "2024-01-17 16:00", str(NEWEST)):
        assert words in log


def test_a_second_run_gives_the_same_bytes(predicted, monkeypatch):
    monkeypatch.chdir(predicted)
    before = bytes_of(predicted / NEWEST)
    assert main(["predict", "tiny.yaml"]) == 0
    assert bytes_of(predicted / NEWEST) == before
    for path in (predicted / NEWEST).iterdir():
        path.unlink()
    assert main(["predict", "tiny.yaml"]) == 0
    assert bytes_of(predicted / NEWEST) == before


def test_a_backfill_gives_what_single_cutoffs_give(predicted, monkeypatch, capsys):
    monkeypatch.chdir(predicted)
    span = ("--from", "2024-01-16T10:00", "--to", "2024-01-16T13:00")
    assert main(["predict", "tiny.yaml", *span]) == 0
    assert "wrote 4 cutoffs" in capsys.readouterr().out
    one = predicted / FOLDER / "cutoff=2024-01-16T12-00Z"
    filled = bytes_of(one)
    for path in one.iterdir():
        path.unlink()
    assert main(["predict", "tiny.yaml", "--cutoff", "2024-01-16T12:00Z"]) == 0
    assert bytes_of(one) == filled


def test_series_forecast_one_by_one_give_the_same_bytes(predicted):
    whole = bytes_of(predicted / NEWEST)
    for path in (predicted / NEWEST).iterdir():
        path.unlink()
    code = (
        "import pipelines.jobs.predict as job; job.WINDOWS_AT_ONCE = 1\n"
        "from pipelines.cli import main; main(['predict', 'tiny.yaml'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=predicted,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "series: 3/3" in done.stdout
    assert bytes_of(predicted / NEWEST) == whole


def test_processes_share_the_series_and_write_the_same_bytes(predicted):
    alone = bytes_of(predicted / NEWEST)
    for path in (predicted / NEWEST).iterdir():
        path.unlink()
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [sys.executable, *launch, "-m", "pipelines.cli", "predict", "tiny.yaml"],
        cwd=predicted,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert bytes_of(predicted / NEWEST) == alone


def test_predict_loads_neither_lightning_nor_mlflow(predicted):
    code = (
        "import sys; from pipelines.cli import main; main(['predict', 'tiny.yaml'])\n"
        "heavy = {'pytorch_lightning', 'torchmetrics', 'sklearn', 'matplotlib', 'optuna',"
        " 'mlflow', 'scipy'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=predicted,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--cutoff", "2030-01-01"), 3, "after the newest reading"),
        (("--cutoff", "1990-01-01"), 3, "before the oldest reading"),
        (("--cutoff", "2024-01-10", "--from", "2024-01-10"), 2, "exclude each other"),
        (("--from", "2024-01-12", "--to", "2024-01-10"), 2, "lies after"),
        (("--cutoff", "yesterday"), 2, "yesterday"),
        (("--template", "ahead.csv"), 2, "known is empty"),
        (("--set", "output.path=readings.csv"), 3, "cannot be written"),
    ],
)
def test_what_cannot_be_forecast_is_told(  # noqa: PLR0917
    trained, options, code, words, monkeypatch, capsys
):
    monkeypatch.chdir(trained)
    assert main(["predict", "tiny.yaml", *options]) == code
    assert words in capsys.readouterr().err


def test_an_interrupted_training_is_continued(tmp_path):
    """Killed between two epochs, the same command goes on where it was."""
    (tmp_path / "tiny.yaml").write_text(CONFIG.replace("epochs: 2", "epochs: 40, patience: 40"))
    frame_of(400, series=3).to_csv(tmp_path / "readings.csv", index=False)
    with subprocess.Popen(
        [sys.executable, "-m", "pipelines.cli", "train", "tiny.yaml"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
    ) as started:
        for line in started.stdout:
            if line.startswith("epoch 3/"):
                started.kill()
                break
    done = command("train", "tiny.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "epoch 40/40" in done.stdout
    assert "epoch 2/40" not in done.stdout
    assert "version 1 of tiny is the champion" in done.stdout


@pytest.mark.ddp
@pytest.mark.slow
def test_two_processes_train_one_model(trained):
    options = ("training.devices=2", "training.strategy=ddp")
    done = command(
        "train", "tiny.yaml", *(x for one in options for x in ("--set", one)), cwd=trained
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("epoch 2/2") == 1
    assert "champion, " in done.stdout  # the new one, or the one before
