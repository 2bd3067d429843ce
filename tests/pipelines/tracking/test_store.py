"""Stores: made once though several processes ask at once, absolute, and quickly given up on."""

import os
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from forecast.config import Config, load_config
from forecast.errors import TrackingError
from pipelines.tracking import open_store, tracking_uri
from pipelines.tracking.store import sqlite_path, tracking_faults
from tests.killed import killed, killed_at

OPEN = (
    "from forecast.config import load_config; from pipelines.tracking import start_run\n"
    "with start_run(load_config('tiny.yaml'), kind='train') as run:\n"
    "    run.log_metrics({'mae': 1.0})"
)


def test_the_default_store_is_absolute(local_config: Config, in_folder: Path) -> None:
    assert tracking_uri(local_config) == f"sqlite:///{in_folder}/.forecast/mlflow.db"


def test_a_relative_sqlite_store_is_made_absolute(local_config: Config, in_folder: Path) -> None:
    config = load_config("tiny.yaml", ["tracking.uri=sqlite:///runs.db"])
    assert tracking_uri(config) == f"sqlite:///{in_folder}/runs.db"
    assert sqlite_path("http://127.0.0.1:5000") is None


def test_a_folder_is_refused_with_what_to_write(local_config: Config) -> None:
    config = load_config("tiny.yaml", ["tracking.uri=mlruns"])
    with pytest.raises(TrackingError, match=r"write sqlite:///mlruns/mlflow\.db"):
        tracking_uri(config)


@pytest.mark.slow
def test_three_processes_may_create_one_store_at_once(local_config: Config) -> None:
    here = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    starters = [
        subprocess.Popen([sys.executable, "-c", OPEN], env=here, stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    for starter in starters:
        _, errors = starter.communicate(timeout=240)
        assert starter.returncode == 0, errors.decode()
    store = open_store(local_config)
    runs = store.client.search_runs([store.experiment_id])
    assert [run.info.status for run in runs] == ["FINISHED"] * 3
    place = store.client.get_experiment(store.experiment_id).artifact_location
    assert Path(place) == Path(".forecast/mlartifacts").absolute()


def test_a_server_that_is_not_there_is_given_up_on(local_config: Config) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, never listening: connections are refused
        uri = f"http://127.0.0.1:{taken.getsockname()[1]}"
        config = load_config("tiny.yaml", [f"tracking.uri={uri}"])
        with pytest.raises(TrackingError, match=rf"no MLflow server answers at {uri}"):
            open_store(config)


def test_a_damaged_database_is_a_tracking_error(local_config: Config) -> None:
    Path("broken.db").write_text("not a database, only text that goes on for a while" * 20)
    config = load_config("tiny.yaml", ["tracking.uri=sqlite:///broken.db"])
    with pytest.raises(TrackingError, match=r"broken\.db: damaged.*put a copy from before"):
        open_store(config)
    assert Path("broken.db").exists()


def test_a_database_of_another_program_is_left_alone(local_config: Config) -> None:
    with sqlite3.connect("theirs.db") as database:
        database.execute("CREATE TABLE readings (y REAL)")
    before = Path("theirs.db").read_bytes()
    config = load_config("tiny.yaml", ["tracking.uri=sqlite:///theirs.db"])
    with pytest.raises(TrackingError, match=r"theirs\.db: another program's database"):
        open_store(config)
    assert Path("theirs.db").read_bytes() == before


HALF_MADE = {
    "first-tables": "CREATE TABLE experiments (id INTEGER); CREATE TABLE runs (id INTEGER);",
    "between-migrations": (
        "CREATE TABLE alembic_version (version_num TEXT); CREATE TABLE runs (id INTEGER);"
        "INSERT INTO alembic_version VALUES ('bf29a5ff90ea');"
        "CREATE TABLE _alembic_tmp_experiments (id INTEGER);"
    ),
    "empty-file": "",
}


@pytest.mark.parametrize("script", HALF_MADE.values(), ids=HALF_MADE)
def test_a_store_whose_making_was_cut_short_is_made_anew(
    local_config: Config, monkeypatch: pytest.MonkeyPatch, script: str, shared_store: str
) -> None:
    path = Path(".forecast/mlflow.db")
    path.parent.mkdir()
    with sqlite3.connect(path) as database:
        database.executescript(script)
    whole = sqlite_path(shared_store)
    shared = open_store(load_config("tiny.yaml", [f"tracking.uri={shared_store}"])).client
    names = [one.name for one in shared.search_registered_models()]  # of other tests
    monkeypatch.setattr(
        "pipelines.tracking.store._make", lambda place: place.write_bytes(whole.read_bytes())
    )
    made = open_store(local_config).client
    assert [one.name for one in made.search_registered_models()] == names
    moved = [one.name for one in path.parent.iterdir() if ".damaged" in one.name]
    assert moved == ([] if script == "" else ["mlflow.db.damaged"])


def test_a_kill_while_the_store_is_made_leaves_none(
    local_config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Cut:
        def __init__(self, uri: str, _: str) -> None:
            Path(uri.removeprefix("sqlite:///")).write_text("half")
            killed()

    with killed_at(monkeypatch, "mlflow.store.tracking.sqlalchemy_store.SqlAlchemyStore", call=Cut):
        open_store(local_config)
    assert [one.name for one in Path(".forecast").iterdir()] == ["mlflow.db.lock"]


def test_a_database_of_another_mlflow_is_a_tracking_error(config: Config) -> None:
    open_store(config)
    path = sqlite_path(tracking_uri(config))
    assert path is not None
    copy = Path("newer.db").absolute()
    copy.write_bytes(path.read_bytes())
    with sqlite3.connect(copy) as database:
        database.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")
    newer = load_config("tiny.yaml", ["tracking.uri=sqlite:///newer.db"])
    with pytest.raises(TrackingError, match=r"newer\.db"):
        open_store(newer)


def test_a_deleted_experiment_says_how_to_restore_it(config: Config) -> None:
    store = open_store(config)
    store.client.delete_experiment(store.experiment_id)
    with pytest.raises(TrackingError, match=f"restore --experiment-id {store.experiment_id}"):
        open_store(config)


def test_the_experiment_may_have_a_name_of_its_own(config: Config) -> None:
    uri = f"tracking.uri={config.tracking.uri}"
    other = open_store(load_config("tiny.yaml", [uri, "tracking.experiment=weather of the north"]))
    assert other.client.get_experiment(other.experiment_id).name == "weather of the north"
    assert open_store(config).experiment_id != other.experiment_id


def test_faults_of_this_program_are_not_hidden_as_tracking_errors() -> None:
    with pytest.raises(ZeroDivisionError), tracking_faults("sqlite:///x.db"):
        _ = 1 / 0


def test_secrets_in_a_uri_are_not_printed() -> None:
    with (
        pytest.raises(TrackingError, match=r"store http://\*\*\*@server:5000: refused"),
        tracking_faults("http://user:word@server:5000"),
    ):
        raise OSError("refused")
