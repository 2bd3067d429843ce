"""The gate: a better challenger becomes champion, a worse one does not, and the reason is kept."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pandas as pd
import pytest

from forecast.config import Config, load_config
from forecast.errors import ConfigError, ModelError
from pipelines.jobs import promote, retrain, train
from pipelines.steps.gate import due_reasons, read_findings, write_findings
from pipelines.tracking import (
    CHALLENGER,
    CHAMPION,
    alias_version,
    open_store,
    set_alias,
    versions,
)

TINY = """
name: waves
data: {{source: readings.csv, frequency: 1h, targets: [y]}}
windows: {{context: 48h, horizon: 6h}}
split: {{train: 0.8, dev: 0.1, test: 0.1, calibration: 0.1}}
model: {{kind: direct, hidden_size: 8, dropout: 0.0, linear: {{enabled: false}}}}
training: {{epochs: 3, batch_size: 64, learning_rate: 0.01, threads: 1, accelerator: cpu}}
tracking: {{uri: "sqlite:///{folder}/store/mlflow.db"}}
objective: {{metric: mae}}
retrain: {{max_age: 10d, holdout: 5d}}
"""
pytestmark = pytest.mark.usefixtures("without_figures")
WEAK = ["training.epochs=1", "training.learning_rate=1e-9"]
Cli = Callable[..., CompletedProcess[str]]


def write_readings(days: int) -> None:
    hours = pd.date_range("2024-01-01", periods=24 * days, freq="h")
    t = np.arange(len(hours))
    noise = np.random.default_rng(0).normal(0, 0.05, len(t))
    frames = [
        pd.DataFrame(
            {"unique_id": name, "ds": hours, "y": np.sin(2 * np.pi * (t + k) / 24) + noise}
        )
        for k, name in enumerate("ab")
    ]
    pd.concat(frames).to_csv("readings.csv", index=False)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with 40 days of readings and a weak champion, trained through the door."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_readings(40)
        Path("waves.yaml").write_text(TINY.format(folder=folder))
        train.run(load_config("waves.yaml", WEAK))
    return folder


@pytest.fixture
def folder(trained: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the trained folder, its weak version 1 the champion again."""
    monkeypatch.chdir(trained)
    config = load_config("waves.yaml")
    set_alias(config, CHAMPION, 1)
    set_alias(config, CHALLENGER, None)
    write_readings(40)
    return trained


def _champion(config: Config) -> int:
    version = alias_version(config, CHAMPION)
    assert version is not None
    return version.number


@pytest.mark.slow
def test_a_better_challenger_is_promoted_and_can_be_rolled_back(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = load_config("waves.yaml")
    retrain.run(config, force=True)
    new = versions(config)[-1].number
    assert _champion(config) == new > 1
    assert alias_version(config, CHALLENGER) is None
    assert f"version {new} is the champion now: mae" in capsys.readouterr().out
    promote.run(config, rollback=True)
    assert _champion(config) == 1
    capsys.readouterr()
    promote.run(config, version=str(new))
    told = capsys.readouterr().out
    assert f"version {new} against version 1: mae " in told
    assert "the gate agrees" in told
    assert _champion(config) == new


@pytest.mark.slow
def test_a_worse_challenger_is_refused_and_the_reason_is_kept(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = load_config("waves.yaml")
    retrain.run(config, force=True)
    good = _champion(config)
    retrain.run(load_config("waves.yaml", WEAK), force=True)
    assert _champion(config) == good
    challenger = alias_version(config, CHALLENGER)
    assert challenger is not None
    assert challenger.number == good + 1
    client = open_store(config).client
    run = client.get_run(challenger.run_id)
    assert run.data.tags["decision"] == "refused"
    assert "is needed" in run.data.tags["reason"]
    assert run.data.tags["trigger"] == "--force"
    assert run.data.metrics["challenger_mae"] > run.data.metrics["champion_mae"]
    version = client.get_model_version(config.name, str(good + 1))
    assert version.tags["decision"] == "refused"
    assert version.tags["champion_version"] == str(good)
    capsys.readouterr()
    promote.run(config, version=str(good + 1))
    told = capsys.readouterr().out
    assert f"version {good + 1} against version {good}: mae " in told
    assert "the gate would not have changed it" in told
    assert _champion(config) == good + 1  # by hand all the same


@pytest.mark.slow
def test_train_passes_the_same_gate(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = load_config("waves.yaml")
    train.run(config)
    good = _champion(config)
    assert good > 1
    printed = capsys.readouterr().out
    assert f"version {good} of waves is the champion, version 1 was before: mae" in printed
    train.run(load_config("waves.yaml", WEAK))
    assert _champion(config) == good
    printed = capsys.readouterr().out
    assert f"version {good} stays champion, {good + 1} is the challenger: mae" in printed
    assert "p = " in printed or "at least 1.0% is needed" in printed


@pytest.mark.slow
def test_a_model_that_predict_refuses_is_not_crowned(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, other = load_config("waves.yaml"), ["data.frequency=2h", "training.epochs=1"]
    train.run(load_config("waves.yaml", other))
    assert _champion(config) == 1
    assert "data.frequency is 2h, 1h in the file" in capsys.readouterr().out
    text = Path("waves.yaml").read_text()
    Path("waves.yaml").write_text(text.replace("frequency: 1h", "frequency: 2h"))
    try:
        train.run(load_config("waves.yaml", WEAK))  # now it is what the file asks for
    finally:
        Path("waves.yaml").write_text(text)
    assert _champion(config) == versions(config)[-1].number
    assert "not comparable: the model does not fit the data" in capsys.readouterr().out


@pytest.mark.slow
def test_new_readings_make_a_challenger_due(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = load_config("waves.yaml")
    retrain.run(config)
    assert "version 1 stays champion: no retrain is due" in capsys.readouterr().out
    write_readings(51)
    retrain.run(config, dry_run=True)
    printed = capsys.readouterr().out
    assert "version 1 has not seen the last 11.0 days" in printed
    assert "nothing is trained" in printed
    assert _champion(config) == 1


@pytest.mark.slow
def test_a_challenger_may_start_from_the_champions_weights(folder: Path) -> None:
    config = load_config("waves.yaml")
    retrain.run(config, force=True)
    again = load_config("waves.yaml", ["retrain.init=champion", *WEAK])
    retrain.run(again, force=True)  # next to no step: as good as the weights it began with
    metrics = open_store(config).client.get_run(versions(config)[-1].run_id).data.metrics
    assert metrics["challenger_mae"] == pytest.approx(metrics["champion_mae"], rel=0.05)


@pytest.mark.slow
def test_a_replay_forecasts_every_due_hour_once_and_retrains(folder: Path, cli: Cli) -> None:
    write_readings(51)
    jobs = ("--set", "schedule.predict=10 * * * *", "--set", "schedule.retrain=30 1 * * *")
    span = ("--now", "2024-02-20T01:00Z", "--until", "2024-02-20T02:20Z")
    done = cli("schedule", "run", "waves.yaml", *jobs, *span, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("predict: done") == 2
    assert done.stdout.count("retrain: done") == 1
    made = {one.parent.name: json.loads(one.read_text()) for one in _successes(folder)}
    assert list(made) == [f"cutoff=2024-02-20T0{hour}-00Z" for hour in (1, 2)]  # not one later
    new = str(_champion(load_config("waves.yaml")))
    assert [one["model_version"] for one in made.values()] == ["1", new]
    assert new != "1"
    again = cli("schedule", "run", "waves.yaml", *jobs, *span, cwd=folder)
    assert "started" not in again.stdout


def _successes(folder: Path) -> list[Path]:
    return sorted(folder.glob("forecasts/waves/cutoff=*/_SUCCESS.json"))


def test_a_training_is_described_by_its_error_on_test(folder: Path) -> None:
    config = load_config("waves.yaml")
    run = open_store(config).client.get_run(versions(config)[0].run_id)
    text = run.data.tags["mlflow.note.content"]
    assert text.startswith(f"mae on test: model {run.data.metrics['test_mae']:.4g}, persistence ")
    assert "80 % intervals cover" in text


def test_models_of_different_horizons_are_not_compared(folder: Path) -> None:
    with pytest.raises(ModelError, match=r"forecasts 6 steps of y, the config asks for 12 of y"):
        retrain.run(load_config("waves.yaml", ["windows.horizon=12h"]), force=True)


def test_without_a_champion_there_is_nothing_to_beat(folder: Path) -> None:
    config = load_config("waves.yaml", ["tracking.model_name=other"])
    with pytest.raises(ModelError, match="make one with `forecast train`"):
        retrain.run(config, force=True)


def test_promote_lists_and_refuses(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = load_config("waves.yaml")
    promote.run(config)
    assert "champion" in capsys.readouterr().out
    promote.run(config, version="1")
    assert "the champion already" in capsys.readouterr().out
    with pytest.raises(ModelError, match="version 99 is not registered; versions: 1"):
        promote.run(config, version="99")
    with pytest.raises(ConfigError, match="'best' is not a version"):
        promote.run(config, version="best")
    with pytest.raises(ConfigError, match="not both"):
        promote.run(config, version="1", rollback=True)
    with pytest.raises(ModelError, match="replaced no other"):
        promote.run(config, rollback=True)


def test_a_version_that_predict_could_not_use_is_not_promoted(folder: Path) -> None:
    config = load_config("waves.yaml")
    set_alias(config, CHAMPION, None)
    for change, fault in (
        (["windows.horizon=12h"], r"horizon is 6 in the model, 12 in the config"),
        (["data.frequency=2h", "windows.horizon=12h"], "frequency is 1h in the model, 2h"),
    ):
        with pytest.raises(ModelError, match=fault):
            promote.run(load_config("waves.yaml", change), version="1")
    assert alias_version(config, CHAMPION) is None
    promote.run(config, version="1")
    assert _champion(config) == 1


@pytest.mark.slow
def test_promotion_by_hand_needs_no_readings(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = load_config("waves.yaml")
    retrain.run(config, force=True)
    promote.run(config, rollback=True)
    new = versions(config)[-1].number
    Path("readings.csv").rename("elsewhere.csv")
    capsys.readouterr()
    promote.run(config, version=str(new))
    assert "not compared: " in capsys.readouterr().out
    assert _champion(config) == new


def test_the_holdout_is_the_newest_part_whatever_the_split_is(config: Config) -> None:
    changed = load_config("tiny.yaml", ["retrain.holdout=3d", "split.scheme=blocked"])
    split = retrain._with_holdout(changed).split
    assert (split.test, split.scheme, split.dev) == (72, "chronological", changed.split.dev)


def test_what_makes_a_challenger_due(config: Config) -> None:
    newest = datetime(2024, 3, 1, tzinfo=UTC)
    month, day = ((newest - timedelta(days=n)).isoformat() for n in (31, 1))

    def reasons(until: str | None, version: int = 1) -> str:
        found = due_reasons(config, version=version, trained_until=until, newest=newest)
        return "; ".join(found)

    assert reasons(day) == ""
    assert "has not seen the last 31.0 days" in reasons(month)
    assert "does not say how old" in reasons(None)
    patient = load_config("tiny.yaml", ["retrain.max_age=60d"])
    assert due_reasons(patient, version=1, trained_until=month, newest=newest) == []
    write_findings(config.work_folder, 1, ["error 1.8 times that of training"])
    assert reasons(day) == "error 1.8 times that of training"
    assert reasons(day, version=2) == ""  # it was about another model
    assert read_findings(config.work_folder, 1) == ["error 1.8 times that of training"]
