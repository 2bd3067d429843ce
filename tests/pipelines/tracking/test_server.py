"""The same runs, registry and bundles behind an MLflow server as in the local store."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

from forecast.config import load_config
from pipelines.tracking import CHAMPION, champion_bundle, open_store, set_alias, start_run
from pipelines.tracking.store import ENVIRONMENT
from tests.pipelines.conftest import CONFIG


@pytest.fixture
def server(in_folder: Path) -> Iterator[str]:
    """Run an MLflow server with a store of its own and yield its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--port", str(port), "--workers", "1"]
    place = ["--backend-store-uri", "sqlite:///server.db", "--artifacts-destination", "kept"]
    variables = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "PYTHONWARNINGS": "ignore"}
    process = subprocess.Popen(
        [*command, *place],
        env=os.environ | ENVIRONMENT | variables,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{address}/health", process)
        yield address
    finally:
        os.killpg(process.pid, 15)
        process.wait(timeout=60)


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        assert process.poll() is None, "the server ended"
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
        else:
            return
    pytest.fail(f"{url} did not answer")


@pytest.mark.slow
def test_a_bundle_travels_through_a_server(
    server: str, bundle: Callable[[str], Path], frames: dict[str, pd.DataFrame]
) -> None:
    Path("tiny.yaml").write_text(CONFIG.format(name="tiny"))
    config = load_config("tiny.yaml", [f"tracking.uri={server}"])
    with start_run(config, kind="train") as run:
        run.log_epoch(0, {"train_loss": 1.0})
        version = run.log_bundle(bundle("one"), config, **frames)
    assert version is not None
    set_alias(config, CHAMPION, version.number)
    found = champion_bundle(config)
    assert (found.version, found.run_id) == (1, run.run_id)
    assert (found.path / "model.safetensors").read_bytes() == b"weights"
    assert open_store(config).client.get_run(run.run_id).info.status == "FINISHED"
    assert list(Path("kept").rglob("model.safetensors"))  # the server's, not a local copy
