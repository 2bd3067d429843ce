"""`forecast ui`: the MLflow UI of the config's own store, on 127.0.0.1."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from pipelines.process.console import say
from pipelines.process.local_server import HOST, serve_until_stopped
from pipelines.tracking import open_store
from pipelines.tracking.moved_store import ARTIFACTS
from pipelines.tracking.store import ENVIRONMENT, sqlite_path

if TYPE_CHECKING:
    from forecast.config import Config

# Without the first variable MLflow starts eight more processes of 200 MB each.
SERVER = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "PYTHONWARNINGS": "ignore"}


def run(config: Config, *, port: int = 5000) -> int | None:
    """Serve the UI until stopped; for a tracking server, only print the address of its UI.

    Raises
    ------
    TrackingError
        The store cannot be opened, or the port is taken.
    """
    store = open_store(config)
    place = f"#/experiments/{store.experiment_id}/runs"
    path = sqlite_path(store.uri)
    if path is None:
        say(f"the runs of {config.name} are at {store.uri}/{place}")
        return None
    say("starting the MLflow UI, this takes some seconds")
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port)),
        *("--workers", "1", "--backend-store-uri", store.uri),
        *("--artifacts-destination", str(path.parent / ARTIFACTS)),
        *("--uvicorn-opts", "--log-level warning"),
    ]
    return serve_until_stopped(
        command,
        port=port,
        ready="/health",
        announce=f"open http://{HOST}:{port}/{place}  (Ctrl-C stops it)",
        environment=ENVIRONMENT | SERVER,
    )
