"""Versions, aliases, and the champion's bundle on this disk."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from forecast.config import Config
from forecast.errors import ModelError, TrackingError
from pipelines.tracking import (
    CHAMPION,
    Version,
    alias_version,
    champion_bundle,
    open_store,
    set_alias,
    start_run,
    tag_version,
    tracking_uri,
    versions,
)
from pipelines.tracking.local_registry import KNOWN_REVISIONS, read_alias
from pipelines.tracking.store import sqlite_path

Frames = dict[str, pd.DataFrame]
Maker = Callable[[str], Path]


def _register(config: Config, folder: Path, frames: Frames) -> Version:
    with start_run(config, kind="train") as run:
        version = run.log_bundle(folder, config, **frames)
    assert version is not None
    return version


def test_a_logged_bundle_is_a_version_without_pickle_or_readings(
    config: Config, bundle: Maker, frames: Frames
) -> None:
    version = _register(config, bundle("one"), frames)
    assert version == Version(config.name, 1, version.run_id)
    store = open_store(config)
    source = store.mlflow.artifacts.download_artifacts(f"models:/{config.name}/1")
    files = {path.name for path in Path(source).rglob("*") if path.is_file()}
    assert {"MLmodel", "pyfunc.py", "bundle.json", "model.safetensors"} <= files
    assert not [name for name in files if name.endswith((".pkl", ".pt", ".pth", ".csv"))]
    signature = store.mlflow.models.get_model_info(f"models:/{config.name}/1").signature
    assert signature.inputs.input_names() == ["unique_id", "ds", "y"]
    assert signature.outputs.input_names() == ["unique_id", "ds", "y_hat"]
    assert str(signature.inputs.input_types()[2]) == "DataType.double"  # may be missing


def test_the_champion_is_copied_once_and_follows_its_alias(
    config: Config, bundle: Maker, frames: Frames
) -> None:
    first = _register(config, bundle("one"), frames)
    second = _register(config, bundle("two"), frames)
    assert [version.number for version in versions(config)] == [1, 2]
    set_alias(config, CHAMPION, first.number)
    found = champion_bundle(config)
    assert (found.version, found.run_id) == (1, first.run_id)
    assert "one" in (found.path / "bundle.json").read_text()
    copied_at = (found.path / "bundle.json").stat().st_mtime_ns
    assert (champion_bundle(config).path / "bundle.json").stat().st_mtime_ns == copied_at
    set_alias(config, CHAMPION, second.number)
    assert "two" in (champion_bundle(config).path / "bundle.json").read_text()
    assert "one" in (champion_bundle(config, version=1).path / "bundle.json").read_text()
    source = open_store(config).mlflow.artifacts.download_artifacts(f"models:/{config.name}/1")
    assert list(Path(source).rglob("bundle.json"))  # the store keeps its own


def test_a_half_copied_bundle_is_copied_again(
    config: Config, bundle: Maker, frames: Frames
) -> None:
    set_alias(config, CHAMPION, _register(config, bundle("one"), frames).number)
    found = champion_bundle(config)
    (found.path / "source.json").unlink()
    (found.path / "model.safetensors").unlink()
    assert (champion_bundle(config).path / "model.safetensors").read_bytes() == b"weights"


def test_no_champion_says_which_command_makes_one(config: Config) -> None:
    with pytest.raises(ModelError, match="make one with `forecast train`"):
        champion_bundle(config)


def test_no_store_yet_is_no_champion(local_config: Config) -> None:
    with pytest.raises(ModelError, match="no version is the champion"):
        champion_bundle(local_config)
    assert not Path(".forecast").exists()


def test_an_unknown_version_names_the_known_ones(
    config: Config, bundle: Maker, frames: Frames
) -> None:
    _register(config, bundle("one"), frames)
    with pytest.raises(ModelError, match="version 7 is not registered; versions: 1"):
        champion_bundle(config, version=7)
    with pytest.raises(TrackingError, match="7"):
        set_alias(config, CHAMPION, 7)


def test_an_alias_can_be_taken_away_and_a_version_tagged(
    config: Config, bundle: Maker, frames: Frames
) -> None:
    version = _register(config, bundle("one"), frames)
    set_alias(config, CHAMPION, version.number)
    set_alias(config, CHAMPION, None)
    assert alias_version(config, CHAMPION) is None
    tag_version(config, version.number, {"decision": "refused"})
    stored = open_store(config).client.get_model_version(config.name, "1")
    assert stored.tags == {"decision": "refused"}


def test_the_cheap_reading_agrees_with_mlflow(
    config: Config, bundle: Maker, frames: Frames, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = sqlite_path(tracking_uri(config))
    assert path is not None
    open_store(config)
    assert read_alias(path, config.name, CHAMPION) is None
    version = _register(config, bundle("one"), frames)
    set_alias(config, CHAMPION, version.number)
    assert read_alias(path, config.name, CHAMPION) == (1, version.run_id)
    cheap = alias_version(config, CHAMPION)
    monkeypatch.setattr("pipelines.tracking.local_registry.KNOWN_REVISIONS", frozenset())
    assert alias_version(config, CHAMPION) == cheap == version


def test_unknown_tables_are_left_to_mlflow(in_folder: Path) -> None:
    with sqlite3.connect("other.db") as database:
        database.execute("CREATE TABLE alembic_version (version_num TEXT)")
        database.execute("INSERT INTO alembic_version VALUES ('ffffffffffff')")
    with pytest.raises(LookupError):
        read_alias(Path("other.db").absolute(), "tiny", CHAMPION)
    Path("text.db").write_text("text" * 1000)
    with pytest.raises(LookupError):
        read_alias(Path("text.db").absolute(), "tiny", CHAMPION)


def test_the_installed_mlflow_has_tables_that_are_known(config: Config) -> None:
    open_store(config)
    path = sqlite_path(tracking_uri(config))
    assert path is not None
    with sqlite3.connect(path) as database:
        found = {row[0] for row in database.execute("SELECT version_num FROM alembic_version")}
    assert found <= KNOWN_REVISIONS


def test_asking_for_the_champion_needs_no_mlflow(
    config: Config, bundle: Maker, frames: Frames
) -> None:
    set_alias(config, CHAMPION, _register(config, bundle("one"), frames).number)
    champion_bundle(config)
    ask = (
        "import sys; from forecast.config import load_config\n"
        "from pipelines.tracking import champion_bundle\n"
        "print(champion_bundle(load_config('tiny.yaml', sys.argv[1:])).version)\n"
        "assert 'mlflow' not in sys.modules"
    )
    arguments = [sys.executable, "-c", ask, f"tracking.uri={config.tracking.uri}"]
    answer = subprocess.run(
        arguments,
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.stdout == "1\n", answer.stderr
