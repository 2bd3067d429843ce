"""A folder with its store is moved or copied, and goes on where it is."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from forecast.config import load_config
from pipelines.cli import main
from pipelines.tracking import champion_bundle, open_store


@pytest.fixture
def copied(trained_site, tmp_path, monkeypatch):
    """Return a copy of a site with a champion, without the bundle on disk; the original stays."""
    folder = tmp_path / "elsewhere"
    shutil.copytree(trained_site, folder)
    shutil.rmtree(folder / ".forecast/plant/bundles")
    monkeypatch.chdir(folder)
    return folder


def paths(folder):
    with closing(sqlite3.connect(folder / ".forecast/mlflow.db")) as database:
        return {
            *(row[0] for row in database.execute("SELECT artifact_location FROM experiments")),
            *(row[0] for row in database.execute("SELECT artifact_uri FROM runs")),
            *(row[0] for row in database.execute("SELECT artifact_location FROM logged_models")),
        }


def test_a_copied_store_finds_its_models_and_writes_beside_itself(copied, trained_site, capsys):
    theirs = {path: path.stat().st_mtime_ns for path in trained_site.rglob("*")}
    assert main(["predict", "run.yaml"]) == 0
    told = capsys.readouterr()
    assert "moved here" in told.out + told.err
    assert "fallback" not in told.out + told.err
    assert all(path.startswith(str(copied)) for path in paths(copied))
    assert main(["evaluate", "run.yaml", "--days", "1"]) == 0
    assert "moved here" not in capsys.readouterr().out
    store = open_store(load_config("run.yaml"))
    runs = store.client.search_runs([store.experiment_id], "tags.kind = 'evaluate'")
    assert Path(runs[0].info.artifact_uri).is_relative_to(copied)
    assert list(Path(runs[0].info.artifact_uri).iterdir())
    assert {path: path.stat().st_mtime_ns for path in trained_site.rglob("*")} == theirs


def test_a_moved_store_gives_the_bundle_that_it_gave(copied, trained_site):
    found = champion_bundle(load_config("run.yaml")).path
    names = sorted(path.name for path in found.iterdir())
    original = trained_site / ".forecast/plant/bundles" / found.name
    assert names == sorted(path.name for path in original.iterdir())
    for name in names:
        assert (found / name).read_bytes() == (original / name).read_bytes()


def test_paths_of_somebodys_own_choice_stay(copied):
    with closing(sqlite3.connect(".forecast/mlflow.db")) as database:
        database.execute("UPDATE experiments SET artifact_location = '/srv/models/7'")
        database.commit()
    open_store(load_config("run.yaml"))
    with closing(sqlite3.connect(".forecast/mlflow.db")) as database:
        places = database.execute("SELECT artifact_location FROM experiments").fetchall()
    assert {place for (place,) in places} == {"/srv/models/7"}
