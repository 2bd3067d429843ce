"""Opens the tracking store a config names; creates the local one.

The default is SQLite under `.forecast/`, with absolute paths, so that a job started elsewhere
later still finds its artifacts. It is created under a file lock: MLflow itself breaks when two
processes create one store at once.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import urllib.error
import urllib.request
import warnings
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from forecast.errors import ForecastError, TrackingError
from forecast.redaction import login_of, redact
from forecast.whole_files import draft_of, set_aside, sync_folder
from pipelines.process.console import say
from pipelines.tracking.moved_store import ARTIFACTS, follow_move

if TYPE_CHECKING:
    from collections.abc import Iterator

    from forecast.config import Config

REACH_TIMEOUT_S = 5.0  # to find out whether a tracking server answers at all

HTTP = ("http://", "https://")
FAULT_MODULES = ("mlflow", "sqlalchemy", "sqlite3", "alembic", "requests", "urllib3")

# Lets the UI show training runs instead of what MLflow has for language models.
KIND = {"mlflow.experimentKind": "custom_model_development"}

# Set before MLflow is imported; what the user has set stays.
ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "GIT_PYTHON_REFRESH": "quiet",
}


class Store(NamedTuple):
    """An open tracking store and the experiment of one config in it."""

    uri: str
    mlflow: Any  # the imported module, pointed at `uri`
    client: Any  # its MlflowClient
    experiment_id: str


def tracking_uri(config: Config) -> str:
    """Return the tracking URI of a config; SQLite paths absolute, the default under `.forecast/`.

    The login of a server is no part of it: MLflow takes that from the environment (`log_in`).

    Raises
    ------
    TrackingError
        A plain folder, which MLflow no longer takes as a store.
    """
    uri = config.tracking.uri
    if uri is None:
        return f"sqlite:///{Path('.forecast', 'mlflow.db').absolute()}"
    if sqlite_path(uri) is not None:
        return f"sqlite:///{sqlite_path(uri)}"
    if uri.startswith(HTTP):
        return login_of(uri)[0]
    if "://" not in uri and not uri.startswith("databricks"):
        raise TrackingError(
            f"tracking.uri: {uri!r} is a folder, which MLflow no longer supports as a store; "
            f"write sqlite:///{uri}/mlflow.db or the http address of a server"
        )
    return uri


def log_in(config: Config) -> None:
    """Give MLflow the login in a server's address, by the environment as it asks for it."""
    if config.tracking.uri is None or not config.tracking.uri.startswith(HTTP):
        return
    _, user, password = login_of(config.tracking.uri)
    if user:
        os.environ["MLFLOW_TRACKING_USERNAME"] = user
        os.environ["MLFLOW_TRACKING_PASSWORD"] = password


def sqlite_path(uri: str) -> Path | None:
    """Return the absolute path of a SQLite URI's file, None for any other store."""
    prefix = "sqlite:///"
    return Path(uri.removeprefix(prefix)).absolute() if uri.startswith(prefix) else None


def open_store(config: Config) -> Store:
    """Open the store of a config and its experiment, creating both where they are missing.

    Raises
    ------
    TrackingError
        The server does not answer, or refuses; the database cannot be created or is of a
        MLflow version that this one cannot read.
    """
    uri = tracking_uri(config)
    log_in(config)
    if uri.startswith(HTTP):
        _reach(uri)
    mlflow = _import_mlflow()
    path = sqlite_path(uri)
    with tracking_faults(uri), _creation_lock(path):
        if path is not None and not _is_whole(path):
            _make(path)
        elif path is not None:
            follow_move(path)
        mlflow.set_tracking_uri(uri)
        mlflow.set_registry_uri(uri)
        client = mlflow.MlflowClient(uri, uri)
        experiment_id = _experiment(client, config, path)
    return Store(uri, mlflow, client, experiment_id)


def reach(uri: str) -> None:
    """Ask a server whether it is there, and load what talks to it; nothing for other stores.

    Raises
    ------
    TrackingError
        It does not answer, or only with a fault of its own.
    """
    if uri.startswith(HTTP):
        _reach(uri)
        _import_mlflow()


def _reach(uri: str) -> None:
    try:
        urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=REACH_TIMEOUT_S).close()  # noqa: S310
    except urllib.error.HTTPError as answer:
        answer.close()
        if answer.code < 500:
            return  # it answers; whether it lets us in, the next call tells
        raise TrackingError(
            f"tracking.uri: the MLflow server at {redact(uri)} answers with "
            f"{answer.code} ({answer.reason}); see its log"
        ) from answer
    except (OSError, ValueError) as cause:
        reason = getattr(cause, "reason", cause)
        raise TrackingError(
            f"tracking.uri: no MLflow server answers at {redact(uri)} ({reason}); start it, "
            "correct the address, or leave tracking.uri out to use the local store"
        ) from cause


def _import_mlflow() -> Any:
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    import mlflow

    return mlflow


@contextmanager
def _creation_lock(path: Path | None) -> Iterator[None]:
    if path is None:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f"{path.name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _is_whole(path: Path) -> bool:
    """Whether a local store is there; one whose making was cut short is set aside.

    The last step of its making writes the first experiment, and MLflow never removes one.

    Raises
    ------
    TrackingError
        The file is damaged, or no database.
    """
    if not path.exists() or not path.stat().st_size:
        return False
    try:
        with closing(sqlite3.connect(path, timeout=30)) as database:
            tables = {row[0] for row in database.execute("SELECT name FROM sqlite_master")}
            if "experiments" in tables:
                (count,) = database.execute("SELECT COUNT(*) FROM experiments").fetchone()
                if count:
                    return True
    except sqlite3.OperationalError:  # locked, say: MLflow tries for longer, and tells
        return True
    except sqlite3.DatabaseError as cause:
        raise TrackingError(
            f"{path}: damaged, or no SQLite database ({cause}); put a copy from before in its "
            "place, or move it elsewhere to begin a new store without the old runs and models"
        ) from cause
    if tables - {"alembic_version", "sqlite_sequence"} and not tables & {"runs", "experiments"}:
        raise TrackingError(f"{path}: another program's database; set tracking.uri to another file")
    aside = set_aside(path)
    say(f"{path}: cut short while being made, it holds no runs; moved to {aside.name}, made again")
    return False


def _make(path: Path) -> None:
    """Make a local store beside its place, then rename it: a kill leaves none, or a whole one."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    draft = draft_of(path)
    _remove(draft)
    try:
        SqlAlchemyStore(f"sqlite:///{draft}", str(path.parent / ARTIFACTS)).engine.dispose()
        draft.replace(path)
    except BaseException:
        _remove(draft)
        raise
    sync_folder(path.parent)


def _remove(draft: Path) -> None:
    for left in (draft, draft.with_name(f"{draft.name}-journal")):
        left.unlink(missing_ok=True)


def _experiment(client: Any, config: Config, path: Path | None) -> str:
    name = config.tracking.experiment or config.name
    found = client.get_experiment_by_name(name)
    if found is None:
        artifacts = None if path is None else str(path.parent / ARTIFACTS)
        return str(client.create_experiment(name, artifact_location=artifacts, tags=KIND))
    if found.lifecycle_stage == "deleted":
        raise TrackingError(
            f"experiment {name!r} was deleted in the tracking store; restore it with "
            f"`mlflow experiments restore --experiment-id {found.experiment_id}`, or set "
            "tracking.experiment to another name"
        )
    return str(found.experiment_id)


@contextmanager
def tracking_faults(uri: str) -> Iterator[None]:
    """Turn whatever MLflow, its database or its server raise into a TrackingError.

    What MLflow warns of concerns its own code (deprecations, type hints), so it is not shown.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except ForecastError:
        raise
    except Exception as cause:
        module = type(cause).__module__
        if not isinstance(cause, OSError) and not module.startswith(FAULT_MODULES):
            raise
        first = str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__
        raise TrackingError(f"tracking store {redact(uri)}: {first}") from cause
