"""`forecast serve`: the champion behind HTTP on 127.0.0.1, by MLflow's scoring server.

It forecasts from the history in each request, and does not use the files of `forecast predict`.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from pipelines.process.console import say
from pipelines.process.local_server import HOST, serve_until_stopped
from pipelines.tracking import champion_bundle, tracking_uri
from pipelines.tracking.registry import registered_name
from pipelines.tracking.scoring import MODEL
from pipelines.tracking.store import ENVIRONMENT, log_in

if TYPE_CHECKING:
    from forecast.config import Config

AT_ONCE = 64  # connections; more are told to come back (503)


def run(config: Config, *, port: int = 5001) -> int | None:
    """Serve the current champion until stopped.

    Raises
    ------
    ModelError
        There is no champion.
    TrackingError
        The store cannot be reached, or the port is taken.
    """
    log_in(config)
    version, name = champion_bundle(config).version, registered_name(config)
    say(f"starting version {version} of {name}, this takes some seconds")
    command = [
        *(sys.executable, "-m", "uvicorn", "--factory", "pipelines.tracking.scoring:app"),
        *("--host", HOST, "--port", str(port), "--limit-concurrency", str(AT_ONCE)),
        *("--log-level", "warning"),
    ]
    return serve_until_stopped(
        command,
        port=port,
        ready="/ping",
        announce=f"POST history to http://{HOST}:{port}/invocations  (Ctrl-C stops it)",
        environment=ENVIRONMENT
        | {"MLFLOW_TRACKING_URI": tracking_uri(config), MODEL: f"models:/{name}/{version}"},
    )
