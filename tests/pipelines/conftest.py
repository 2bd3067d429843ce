"""A small config in a folder of its own, one tracking store for all tests, bundles by hand."""

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from forecast.config import Config, load_config

CONFIG = """
name: {name}
data: {{source: readings.csv, frequency: 1h}}
windows: {{context: 48h, horizon: 24h}}
"""


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a fresh folder the current directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def shared_store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the URI of one store for the tests that do not ask how a store is made."""
    return f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db"


@pytest.fixture
def config(in_folder: Path, shared_store: str, request: pytest.FixtureRequest) -> Config:
    """Return a config of the test's own name on the shared store; its data does not exist."""
    name = re.sub(r"[^A-Za-z0-9]", "-", request.node.name)
    Path("tiny.yaml").write_text(CONFIG.format(name=name))
    return load_config("tiny.yaml", [f"tracking.uri={shared_store}"])


@pytest.fixture
def local_config(in_folder: Path) -> Config:
    """Return a config on the default store under the current directory."""
    Path("tiny.yaml").write_text(CONFIG.format(name="tiny"))
    return load_config("tiny.yaml")


@pytest.fixture
def without_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw no figures of a training: they take half the time of a small one."""
    for job in ("train", "retrain"):
        monkeypatch.setattr(f"pipelines.jobs.{job}.log_figures", lambda *_: None)


@pytest.fixture
def frames() -> dict[str, pd.DataFrame]:
    """Return a history frame and a forecast frame, for a model's signature."""
    hours = pd.date_range("2020-01-01", periods=3, freq="h")
    history = pd.DataFrame({"unique_id": "a", "ds": hours, "y": [1, 2, 3]})
    forecast = pd.DataFrame({"unique_id": "a", "ds": hours, "y_hat": [1.0, 2.0, 3.0]})
    return {"history": history, "forecast": forecast}


@pytest.fixture
def bundle(tmp_path: Path) -> Callable[[str], Path]:
    """Return a maker of bundle folders that only look like one."""

    def make(name: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "bundle.json").write_text(f'{{"made_for": "{name}"}}')
        (folder / "model.safetensors").write_bytes(b"weights")
        return folder

    return make
