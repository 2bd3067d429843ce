"""Opens, finds and closes MLflow runs, each with its status: finished, failed, or killed."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Literal

from forecast.errors import TrackingError
from forecast.ranks import rank
from pipelines.process.console import say
from pipelines.tracking.run_origin import close_orphans, create_run
from pipelines.tracking.runs import Run
from pipelines.tracking.store import Store, open_store, tracking_faults

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import FrameType

    from forecast.config import Config

_open_runs: set[str] = set()  # of this process


@contextmanager
def start_run(
    config: Config, *, kind: str, parent_id: str | None = None, run_id: str | None = None
) -> Iterator[Run]:
    """Open one run of kind train, evaluate, score, retrain or tune, and close it with its status.

    Parameters
    ----------
    config
        Logged whole, as `config.yaml` and as flat parameters.
    kind
        The verb that runs; a tag of the run.
    parent_id
        The run under which this one is shown.
    run_id
        A run to go on with, after an interruption.

    Raises
    ------
    TrackingError
        The store cannot be reached or refuses.
    """
    if rank() != 0:
        yield Run(None, "")
        return
    store = open_store(config)
    with tracking_faults(store.uri):
        close_orphans(store, config.work_folder, alive=_open_runs)
        before = None if run_id is None else _existing(store, run_id)
        run = Run(
            store,
            create_run(store, config.work_folder, kind, parent_id)
            if before is None
            else str(before.info.run_id),
        )
    _open_runs.add(run.run_id)
    status = "KILLED"
    try:
        with _terminated_as_exit():
            if before is not None:
                run.resume()
            if before is None or not before.data.params:  # killed before they were logged
                _log_config(run, store, config)
            yield run
            run.flush()
        status = "FINISHED"
    except KeyboardInterrupt as stop:  # what was kept, where a training says so
        if str(stop):
            say(str(stop), error=True)
        raise
    except Exception as cause:
        status = "FAILED"
        with suppress(TrackingError):
            run.set_tags({"failure": f"{type(cause).__name__}: {cause}"})
        raise
    finally:
        _open_runs.discard(run.run_id)
        _close(run, store, status)


def _existing(store: Store, run_id: str) -> Any | None:
    """Return a run of this experiment; None where it was deleted, or is of another store."""
    try:
        run = store.client.get_run(run_id)
    except store.mlflow.MlflowException as cause:
        if cause.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None
    is_ours = run.info.experiment_id == store.experiment_id
    return run if is_ours and run.info.lifecycle_stage == "active" else None


def find_run(config: Config, tags: Mapping[str, object]) -> str | None:
    """Return the newest run of a config's experiment that has these tags; None if none."""
    store = open_store(config)
    wanted = " and ".join(f"tags.{key} = '{value}'" for key, value in tags.items())
    with tracking_faults(store.uri):
        found = store.client.search_runs([store.experiment_id], wanted, max_results=1)
    return str(found[0].info.run_id) if found else None


def end_run(config: Config, run_id: str, status: Literal["FINISHED", "KILLED"]) -> None:
    """Give a run whose process has died the status that it ended with, unless it has it.

    Raises
    ------
    TrackingError
        The store cannot be reached or refuses.
    """
    store = open_store(config)
    with tracking_faults(store.uri):
        run = _existing(store, run_id)
        if run is not None and run.info.status != status:
            store.client.set_terminated(run_id, status)


def _log_config(run: Run, store: Store, config: Config) -> None:
    import yaml

    resolved = config.resolved()
    run.log_params(_flat(resolved))
    with tracking_faults(store.uri):
        text = yaml.safe_dump(resolved, sort_keys=False, allow_unicode=True)
        store.client.log_text(run.run_id, text, "config.yaml")


def _close(run: Run, store: Store, status: str) -> None:
    """End the run with its status; a store that is away now is told to the user, no more."""
    try:
        with tracking_faults(store.uri):
            if status != "FINISHED":
                with suppress(TrackingError):
                    run.flush()
            store.client.set_terminated(run.run_id, status)
    except TrackingError as cause:
        say(f"run {run.run_id}: its status {status} could not be stored: {cause}", error=True)
        if status == "FINISHED":
            raise


@contextmanager
def _terminated_as_exit() -> Iterator[None]:
    """Let SIGTERM unwind the stack, so that the run is closed; others' handlers stay."""
    is_ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    )
    if not is_ours:
        yield
        return

    def leave(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _flat(section: Mapping[str, Any], prefix: str = "") -> dict[str, object]:
    """Flatten nested sections to dotted keys.

    >>> _flat({"model": {"kind": "direct", "layers": 1}})
    {'model.kind': 'direct', 'model.layers': 1}
    """
    flat: dict[str, object] = {}
    for key, value in section.items():
        if isinstance(value, dict) and value:
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
