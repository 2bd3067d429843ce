"""What is damaged or cut short on disk heals by the next run, or is named with its remedy."""

import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from forecast.config import load_config
from forecast.forecasting.published import SUCCESS
from pipelines.cli import main
from pipelines.scheduling.plan import ledger_path
from pipelines.steps.gate import MONITOR, Decision
from pipelines.tracking import (
    CHALLENGER,
    CHAMPION,
    alias_version,
    champion_before,
    open_store,
    set_alias,
    versions,
)
from tests.killed import KilledError, full_disk, killed

pytestmark = pytest.mark.usefixtures("without_figures")


@pytest.fixture
def site(trained_site, tmp_path, monkeypatch):
    """Return a folder with a champion and forecasts whose readings have arrived."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "250")
    shutil.copytree(trained_site, tmp_path, dirs_exist_ok=True)
    assert main(["predict", "run.yaml", "--cutoff", "2024-01-18T00:00Z"]) == 0
    return tmp_path


def damage(path):
    path.write_bytes(path.read_bytes()[:-9] + b"\0" * 9)


def metrics(kind):
    """Every point of every run of a kind, and the states of the runs."""
    store = open_store(load_config("run.yaml"))
    runs = store.client.search_runs([store.experiment_id], f"tags.kind = '{kind}'")
    points = [
        (key, one.step, one.value)
        for run in runs
        for key in sorted(run.data.metrics)
        for one in store.client.get_metric_history(run.info.run_id, key)
    ]
    return points, [run.info.status for run in runs]


def kill_at(monkeypatch, place, *arguments):
    with monkeypatch.context() as patch:
        patch.setattr(place, killed)
        with pytest.raises(KilledError):
            main(list(arguments))


def test_a_damaged_part_is_told_scoring_goes_on_and_predict_heals_it(site, capsys):
    folder = site / "forecasts/plant/cutoff=2024-01-18T00-00Z"
    assert main(["predict", "run.yaml", "--cutoff", "2024-01-18T06:00Z"]) == 0
    damage(folder / "part-00000.parquet")
    capsys.readouterr()
    assert main(["verify", "run.yaml"]) == 3
    assert "--cutoff 2024-01-18T00:00Z" in capsys.readouterr().out
    assert main(["score", "run.yaml"]) == 0
    told = capsys.readouterr()
    assert "part-00000.parquet is not what was written" in told.err
    assert "forecasts against readings" in told.out
    assert main(["predict", "run.yaml", "--cutoff", "2024-01-18T00:00Z"]) == 0
    assert main(["verify", "run.yaml"]) == 0
    (folder / SUCCESS).write_bytes(b"")
    assert main(["score", "run.yaml"]) == 0


@pytest.mark.parametrize("name", ["model.safetensors", "bundle.json", "source.json"])
@pytest.mark.parametrize("content", [b"", None])
def test_a_damaged_cached_bundle_is_fetched_again(site, capsys, name, content):
    bundle = next((site / ".forecast/plant/bundles").glob("[0-9]*"))
    whole = (bundle / name).read_bytes()
    if content is None:
        damage(bundle / name)
    else:
        (bundle / name).write_bytes(content)
    assert main(["verify", "run.yaml"]) == 3
    assert main(["predict", "run.yaml", "--cutoff", "2024-01-18T03:00Z"]) == 0
    if name != "source.json":
        assert "fetched from the registry again" in capsys.readouterr().err
    assert (bundle / name).read_bytes() == whole
    assert sorted(one.name for one in bundle.parent.iterdir()) == ["1", "lock"]


@pytest.mark.parametrize("name", ["score_run.json", MONITOR, "scores.parquet"])
def test_an_empty_state_file_is_written_anew(site, name):
    assert main(["score", "run.yaml"]) == 0
    before = metrics("score")
    (site / ".forecast/plant" / name).write_bytes(b"")
    assert main(["retrain", "run.yaml", "--dry-run"]) == 0
    assert main(["score", "run.yaml"]) == 0
    assert metrics("score") == before
    assert main(["verify", "run.yaml"]) == 0


@pytest.mark.parametrize(
    "place",
    [
        "pipelines.jobs.score._record",
        "pipelines.jobs.score.start_run",
        "pipelines.tracking.runs.Run.log_step",
        "pipelines.tracking.runs.Run.log_file",
    ],
)
def test_score_killed_behind_its_tables_loses_no_step(site, monkeypatch, place):
    kill_at(monkeypatch, place, "score", "run.yaml")
    assert main(["score", "run.yaml"]) == 0
    points, states = metrics("score")
    assert len({key for key, *_ in points}) == len(points) > 5
    assert set(states) <= {"FINISHED", "KILLED"}
    assert states.count("FINISHED") == 1


def test_score_killed_between_its_tables_writes_both(site, monkeypatch):
    from pipelines.jobs import score

    write = score.write_scores

    def killed_at_scores(path, frame):
        if path.name == score.SCORES:
            killed()
        write(path, frame)

    with monkeypatch.context() as patch:
        patch.setattr("pipelines.jobs.score.write_scores", killed_at_scores)
        with pytest.raises(KilledError):
            main(["score", "run.yaml"])
    for lost in ((), (score.STEPS,)):
        for name in lost:
            (site / ".forecast/plant" / name).unlink()
        assert main(["score", "run.yaml"]) == 0
        assert (site / ".forecast/plant" / score.STEPS).exists()
    assert metrics("score")[1].count("FINISHED") == 1


def test_what_is_left_of_a_fetch_that_was_killed_goes_with_the_next_call(site):
    scratch = site / ".forecast/plant/bundles/.1.fetching"
    scratch.mkdir()
    (scratch / "bundle.json").write_text("{}")
    assert main(["predict", "run.yaml", "--cutoff", "2024-01-18T03:00Z"]) == 0
    assert not scratch.exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    "place",
    [
        "pipelines.jobs.train._report",  # registered, no alias
        "pipelines.tracking.registry.champion_bundle",  # alias moved, bundle not fetched
        "pipelines.tracking.registry.set_alias",  # tagged, alias not moved
        "pipelines.jobs.train.close_training",
        "pipelines.tracking.registry.publish_folder",  # fetched, not in its place
    ],
)
def test_train_killed_on_its_last_steps_makes_one_version(
    trained_site, tmp_path, monkeypatch, place
):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(trained_site, tmp_path, dirs_exist_ok=True)
    arguments = ["train", "run.yaml", "--set", "training.seed=5"]
    config = load_config("run.yaml")
    known = len(versions(config))
    before = alias_version(config, CHAMPION).number
    kill_at(monkeypatch, place, *arguments)
    assert main(arguments) == 0
    assert len(versions(config)) == known + 1
    champion = alias_version(config, CHAMPION)
    assert champion.number == known + 1
    assert champion_before(config, champion.number) == before
    assert alias_version(config, CHALLENGER) is None
    assert list(Path(".forecast/plant/checkpoints").iterdir()) == []
    kill_at(
        monkeypatch, "pipelines.jobs.promote._say_rolled_back", "promote", "run.yaml", "--rollback"
    )
    assert alias_version(config, CHAMPION).number == before
    assert main(["promote", "run.yaml", "--rollback"]) == 0  # completed: it goes back no further
    assert alias_version(config, CHAMPION).number == before
    assert not Path(".forecast/plant/rollback.json").exists()
    assert main(["promote", "run.yaml", "--rollback"]) == 4  # which this version replaced none for
    _, states = metrics("train")
    assert "RUNNING" not in states


def test_a_killed_run_is_closed_by_the_next_whatever_its_process_number(site, monkeypatch):
    """In containers every job is process 1, on a host of another name each time."""
    monkeypatch.setattr("pipelines.tracking.run_origin.os.getpid", lambda: 1)
    with monkeypatch.context() as patch:
        patch.setattr("pipelines.tracking.run_origin.socket.gethostname", lambda: "first")
        patch.setattr("pipelines.tracking.run_lifetime._close", lambda *_: None)
        kill_at(patch, "pipelines.tracking.runs.Run.log_step", "score", "run.yaml")
    assert metrics("score")[1] == ["RUNNING"]
    assert main(["score", "run.yaml"]) == 0
    assert sorted(metrics("score")[1]) in (["FINISHED"], ["FINISHED", "KILLED"])


def test_verify_is_silent_about_nothing_and_changes_nothing(site, capsys):
    assert main(["score", "run.yaml"]) == 0
    before = {path: path.read_bytes() for path in site.rglob("*") if path.is_file()}
    assert main(["verify", "run.yaml"]) == 0
    assert "everything is as it was written; 2 cutoffs" in capsys.readouterr().out
    assert {path: path.read_bytes() for path in site.rglob("*") if path.is_file()} == before
    meta = json.loads((site / ".forecast/plant/panel/meta.json").read_text())
    values = site / ".forecast/plant/panel" / meta["files"]["values"]
    values.write_bytes(values.read_bytes()[:-4])
    (site / ".forecast/plant/scores.parquet").write_bytes(b"")
    (site / ".forecast/plant/tune.sqlite").write_bytes(b"no database, " * 99)
    assert main(["verify", "run.yaml"]) == 3
    told = capsys.readouterr().out
    for word in ("forecast prepare", "forecast score", "forecast tune"):
        assert word in told


@pytest.mark.slow
def test_retrain_killed_once_its_model_is_crowned_is_not_done_twice(site, monkeypatch, capsys):
    config = load_config("run.yaml")
    arguments = ["retrain", "run.yaml", "--force", "--set", "retrain.holdout=48h"]
    judged = Decision(True, "by the test")
    monkeypatch.setattr("pipelines.jobs.retrain.judge", lambda *_, **__: judged)
    known = len(versions(config))
    kill_at(monkeypatch, "pipelines.jobs.retrain.close_training", *arguments)
    assert alias_version(config, CHAMPION).number == known + 1
    assert main(arguments) == 0
    assert "its interrupted training is complete" in capsys.readouterr().out
    assert len(versions(config)) == known + 1
    assert list(Path(".forecast/plant/checkpoints").iterdir()) == []
    assert set(metrics("retrain")[1]) == {"FINISHED"}


def test_promote_killed_behind_its_alias_is_completed(site, monkeypatch, capsys):
    config = load_config("run.yaml")
    set_alias(config, CHALLENGER, 1)
    capsys.readouterr()
    assert main(["promote", "run.yaml", "1"]) == 0
    assert "version 1 is the champion already" in capsys.readouterr().out
    assert alias_version(config, CHALLENGER) is None


def test_verify_names_a_damaged_ledger(site, capsys):
    ledger_path(load_config("run.yaml")).write_bytes(b"no database, " * 99)
    capsys.readouterr()
    assert main(["verify", "run.yaml"]) == 3
    assert "ledger.sqlite" in capsys.readouterr().out


@pytest.mark.parametrize(
    "place", ["pipelines.tracking.runs.Run.log_figure", "pipelines.jobs.evaluate.run"]
)
def test_a_full_disk_is_no_fault_of_the_program(site, monkeypatch, capsys, place):
    """A write names no file, unlike the opening of one."""
    monkeypatch.setattr(place, full_disk)
    assert main(["evaluate", "run.yaml", "--days", "1"]) == 1
    assert "error: No space left on device; check the path" in capsys.readouterr().err


def test_a_full_disk_beneath_a_database_is_no_fault_of_the_program(site, monkeypatch, capsys):
    from sqlalchemy.exc import OperationalError

    def full(*_, **__):
        cause = sqlite3.OperationalError("database or disk is full")
        raise OperationalError("CREATE TABLE studies", {}, cause) from cause

    monkeypatch.setattr("pipelines.jobs.tune.run", full)
    assert main(["tune", "run.yaml"]) == 1
    assert "error: SQLite: database or disk is full; check" in capsys.readouterr().err


@pytest.mark.slow
def test_a_resumed_training_holds_each_number_once(site, monkeypatch):
    arguments = ["train", "run.yaml", "--set", "training.seed=6"]
    before = len(metrics("train")[0])
    kill_at(monkeypatch, "pipelines.jobs.train._report", *arguments)
    assert main(arguments) == 0
    store = open_store(load_config("run.yaml"))
    runs = store.client.search_runs([store.experiment_id], "tags.kind = 'train'", max_results=1)
    newest = runs[0].info.run_id
    for key in runs[0].data.metrics:
        points = store.client.get_metric_history(newest, key)
        assert len({one.step for one in points}) == len(points), key
    assert "train_loss" in runs[0].data.metrics
    assert len(metrics("train")[0]) > before
