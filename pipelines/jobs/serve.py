"""`forecast serve`: the champion behind HTTP on 127.0.0.1, by MLflow's scoring server.

It answers for whatever history it is sent; the forecast files are `forecast predict`'s.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from pipelines.process.console import say
from pipelines.process.local_server import HOST, serve_until_stopped
from pipelines.tracking import champion_bundle, tracking_uri
from pipelines.tracking.registry import registered_name
from pipelines.tracking.store import ENVIRONMENT

if TYPE_CHECKING:
    from forecast.config import Config


def run(config: Config, *, port: int = 5001) -> int | None:
    """Serve the version that is champion now, until stopped.

    Raises
    ------
    ModelError
        There is no champion.
    TrackingError
        The store cannot be reached, or the port is taken.
    """
    version, name = champion_bundle(config).version, registered_name(config)
    say(f"starting version {version} of {name}, this takes some seconds")
    command = [
        *(sys.executable, "-m", "mlflow", "models", "serve", "--env-manager", "local"),
        *("--host", HOST, "--port", str(port), "--model-uri", f"models:/{name}/{version}"),
    ]
    return serve_until_stopped(
        command,
        port=port,
        ready="/ping",
        announce=f"POST history to http://{HOST}:{port}/invocations  (Ctrl-C stops it)",
        environment=ENVIRONMENT | {"MLFLOW_TRACKING_URI": tracking_uri(config)},
    )
