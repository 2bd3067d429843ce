"""No registry, still a forecast: from the last known champion, or the seasonal naive, flagged."""

import shutil
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipelines.cli import main

NOW = "2024-01-21T00:00Z"


@pytest.fixture
def site(trained_site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of the trained site as the current directory, without forecasts."""
    shutil.copytree(trained_site, tmp_path, dirs_exist_ok=True)
    shutil.rmtree(tmp_path / "forecasts")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FORECAST_NOW", NOW)
    return tmp_path


def _rows() -> pd.DataFrame:
    (folder,) = Path("forecasts/plant").glob("cutoff=*")
    return pd.read_parquet(folder / "part-00000.parquet")


@contextmanager
def _mute() -> Iterator[str]:
    """Listen and never answer."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


class _Broken(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(500)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def _broken() -> Iterator[str]:
    """Answer everything with 500."""
    server = HTTPServer(("127.0.0.1", 0), _Broken)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def _down() -> Iterator[str]:
    yield "http://127.0.0.1:9"


@contextmanager
def _gone() -> Iterator[str]:
    yield "sqlite:///gone/mlflow.db"


@contextmanager
def _locked() -> Iterator[str]:
    """Hold the store's database."""
    path = Path(".forecast/mlflow.db").absolute()
    with sqlite3.connect(path, isolation_level=None) as database:
        database.execute("BEGIN EXCLUSIVE")
        yield f"sqlite:///{path}"


@pytest.mark.parametrize(
    "away", [_mute, _broken, _down, _gone, _locked], ids=lambda one: one.__name__
)
def test_the_last_champion_forecasts_while_the_registry_is_away(
    away: Callable[[], AbstractContextManager[str]],
    site: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("pipelines.tracking.last_champion.ANSWER_S", 2.0)
    monkeypatch.setattr("pipelines.tracking.store.REACH_TIMEOUT_S", 1.0)
    with away() as uri:
        assert main(["predict", "run.yaml", "--set", f"tracking.uri={uri}"]) == 0
    assert set(_rows()["flag"]) == {"stale_registry"}
    assert set(_rows()["model_version"]) == {"1"}
    assert "version 1, the last known champion" in capsys.readouterr().err


def test_the_flag_goes_when_the_registry_is_back(site: Path) -> None:
    main(["predict", "run.yaml", "--set", "tracking.uri=http://127.0.0.1:9"])
    assert main(["predict", "run.yaml"]) == 0
    assert set(_rows()["flag"]) == {""}


@pytest.mark.parametrize(("allowed", "code"), [("false", 4), ("true", 0)])
def test_without_a_champion_the_seasonal_naive_is_written(
    allowed: str, code: int, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(".forecast")
    settings = ("--set", f"monitor.allow_no_champion={allowed}")
    assert main(["predict", "run.yaml", *settings]) == code
    rows = _rows()
    assert set(rows["flag"]) == {"fallback:seasonal_naive"}
    table = pd.read_csv("readings.csv", parse_dates=["ds"]).set_index(["unique_id", "ds"])["y"]
    wanted = [table[one.unique_id, one.ds - pd.Timedelta(hours=24)] for one in rows.itertuples()]
    np.testing.assert_allclose(rows["y_hat"], wanted, rtol=1e-6)
    truth = 10 + rows["ds"].dt.hour + (480 + rows["step"] - 1) * 7 % 13 / 10
    covered = ((rows["q0.1"] <= truth) & (truth <= rows["q0.9"])).mean()
    assert 0.6 <= covered <= 1.0
    assert (rows["q0.9"] > rows["q0.1"]).all()
    assert "a seasonal naive forecast is written in its place" in capsys.readouterr().err


def test_the_stand_in_never_replaces_a_champions_forecast(site: Path) -> None:
    assert main(["predict", "run.yaml"]) == 0
    before = _rows()
    shutil.rmtree(".forecast")
    assert main(["predict", "run.yaml"]) == 4
    pd.testing.assert_frame_equal(_rows(), before)


def test_scores_stand_and_are_recorded_once_the_store_is_back(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", "run.yaml", "--cutoff", "2024-01-20T05:00"]) == 0
    away = ("--set", "tracking.uri=http://127.0.0.1:9")
    assert main(["score", "run.yaml", *away]) == 0
    assert "not recorded yet" in capsys.readouterr().err
    assert Path(".forecast/plant/scores.parquet").exists()
    assert not Path(".forecast/plant/score_run.json").exists()
    assert main(["score", "run.yaml"]) == 0
    assert Path(".forecast/plant/score_run.json").exists()
    assert not Path(".forecast/plant/score_unrecorded").exists()
