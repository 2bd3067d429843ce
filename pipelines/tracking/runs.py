"""One MLflow run per job: resolved config, metrics in batches, figures, the registered bundle.

The status of a run is owned here alone: finished, failed, or killed. Nothing here decides what
a job does next.
"""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from forecast.errors import TrackingError
from forecast.ranks import rank
from forecast.redaction import redact
from pipelines.process.console import say
from pipelines.tracking.registry import Version, register, registered_name, version_of_run
from pipelines.tracking.run_origin import close_orphans, create_run
from pipelines.tracking.store import Store, open_store, tracking_faults

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import FrameType

    from matplotlib.figure import Figure
    from pandas import DataFrame

    from forecast.config import Config

PARAM_LIMIT = 500  # characters of one MLflow parameter that every store takes
BATCH_EVERY_S = 5.0  # epochs quicker than this travel to the store together
BATCH_PARAMS = 100  # parameters that one request may hold
RUN_FOLDER = "model"  # name of the logged model inside its run

_open_runs: set[str] = set()  # of this process


class Run:
    """A running MLflow run; on ranks above zero every call does nothing.

    Epoch metrics are kept and sent in batches. While the server is away they wait: an outage
    in the middle of a training costs no epoch.
    """

    def __init__(self, store: Store | None, run_id: str) -> None:
        self.run_id = run_id
        self._store = store
        self._waiting: list[Any] = []
        self._sent_at = time.monotonic()

    def log_epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Keep the metrics of one epoch and send them with the next batch."""
        self._keep(metrics, step=epoch)
        if time.monotonic() - self._sent_at >= BATCH_EVERY_S:
            try:
                self.flush()
            except TrackingError as cause:
                say(f"{cause}; the metrics wait for the next epoch", error=True)
                self._sent_at = time.monotonic()

    def log_missing(self, history: Sequence[Mapping[str, float]]) -> None:
        """Send the epochs that the run lacks: those that a killed training still kept to itself.

        Raises
        ------
        TrackingError
            The store cannot be reached or refuses.
        """
        if self._store is None or not history:
            return
        self.flush()
        with tracking_faults(self._store.uri):
            sent = self._store.client.get_metric_history(self.run_id, _key(next(iter(history[0]))))
        there = {point.step for point in sent}
        for epoch, metrics in enumerate(history):
            if epoch not in there:
                self._keep(metrics, step=epoch)
        self.flush()

    def log_step(self, step: int, metrics: Mapping[str, float]) -> None:
        """Send the numbers of one step at once, but for those the run already holds so.

        Raises
        ------
        TrackingError
            The store cannot be reached or refuses.
        """
        if self._store is None:
            return
        self.flush()
        with tracking_faults(self._store.uri):
            run = self._store.client.get_run(self.run_id)
            latest = {one.key: (one.step, one.value) for one in run.data._metric_objs}  # noqa: SLF001
        new = {k: v for k, v in metrics.items() if latest.get(_key(k)) != (step, float(v))}
        self._keep(new, step=step)
        self.flush()

    def log_metrics(self, metrics: Mapping[str, float], *, after: int = 0) -> None:
        """Send final numbers, at the step behind the epochs: of a name that both have, the newest.

        Parameters
        ----------
        after
            Number of epochs that the run holds.

        Raises
        ------
        TrackingError
            The store cannot be reached or refuses.
        """
        self.log_step(after, metrics)

    def flush(self) -> None:
        """Send the metrics that wait.

        Raises
        ------
        TrackingError
            The store cannot be reached or refuses; the metrics stay and wait.
        """
        if self._store is None or not self._waiting:
            return
        with tracking_faults(self._store.uri):
            for first in range(0, len(self._waiting), 1000):
                batch = self._waiting[first : first + 1000]
                self._store.client.log_batch(self.run_id, metrics=batch)
        self._waiting = []
        self._sent_at = time.monotonic()

    def log_params(self, params: Mapping[str, object]) -> None:
        """Log parameters as text, cut where they are longer than a store takes."""
        if self._store is None:
            return
        param = self._store.mlflow.entities.Param
        texts = [
            param(_key(key), redact(str(value))[:PARAM_LIMIT]) for key, value in params.items()
        ]
        with tracking_faults(self._store.uri):
            for first in range(0, len(texts), BATCH_PARAMS):
                batch = texts[first : first + BATCH_PARAMS]
                self._store.client.log_batch(self.run_id, params=batch)

    def set_tags(self, tags: Mapping[str, object]) -> None:
        """Set tags on the run."""
        if self._store is None or not tags:
            return
        tag = self._store.mlflow.entities.RunTag
        with tracking_faults(self._store.uri):
            texts = [tag(_key(key), redact(str(value))) for key, value in tags.items()]
            self._store.client.log_batch(self.run_id, tags=texts)

    def describe(self, text: str) -> None:
        """Set the description that the UI shows above a run's metrics (Markdown)."""
        self.set_tags({"mlflow.note.content": text})

    def log_figure(self, name: str, figure: Figure) -> None:
        """Save a figure as `figures/<name>.png` of the run."""
        if self._store is None:
            return
        with tracking_faults(self._store.uri):
            self._store.client.log_figure(self.run_id, figure, f"figures/{name}.png")

    def log_file(self, path: Path, folder: str | None = None) -> None:
        """Copy a file into the run's artifacts."""
        if self._store is None:
            return
        with tracking_faults(self._store.uri):
            self._store.client.log_artifact(self.run_id, str(path), folder)

    def log_bundle(
        self, bundle: Path, config: Config, *, history: DataFrame, forecast: DataFrame
    ) -> Version | None:
        """Log a bundle as a pyfunc model and register it as the next version.

        The two frames only give the signature: no reading goes into the model.

        Parameters
        ----------
        bundle
            Folder with weights and JSON.
        config
            Names the registered model.
        history, forecast
            What the model takes and what it gives for that.

        Returns
        -------
        Version or None
            The new version; None on ranks above zero.

        Raises
        ------
        TrackingError
            The store cannot be reached or refuses.
        """
        if self._store is None:
            return None
        name = registered_name(config)
        if (before := version_of_run(self._store, name, self.run_id)) is not None:
            return before  # a run that was killed behind its registration
        mlflow = self._store.mlflow
        with tracking_faults(self._store.uri):
            mlflow.set_experiment(experiment_id=self._store.experiment_id)
            logged = mlflow.models.Model.log(
                artifact_path=None,
                name=RUN_FOLDER,
                flavor=mlflow.pyfunc,
                run_id=self.run_id,
                python_model=str(Path(__file__).with_name("pyfunc.py")),
                artifacts={"bundle": str(bundle)},
                signature=mlflow.models.infer_signature(_open(history), _open(forecast)),
                pip_requirements=_requirements(),
            )
        return register(self._store, name, logged.model_uri, self.run_id)

    def resume(self) -> None:
        """Mark a run that was interrupted as running again."""
        if self._store is not None:
            with tracking_faults(self._store.uri):
                self._store.client.update_run(self.run_id, status="RUNNING")
                self._store.client.set_tag(self.run_id, "pid", str(os.getpid()))

    def _keep(self, metrics: Mapping[str, float], *, step: int) -> None:
        if self._store is not None:
            metric, now = self._store.mlflow.entities.Metric, time.time_ns() // 1_000_000
            self._waiting += [metric(_key(k), float(v), now, step) for k, v in metrics.items()]


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


def _key(name: str) -> str:
    """Replace the characters that MLflow takes in no name.

    >>> _key("data.missing.*")
    'data.missing._'
    """
    return re.sub(r"[^\w\-. :/]", "_", name)


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


def _open(frame: DataFrame) -> DataFrame:
    """Widen integer columns to float: a reading may be missing when the model is called."""
    integers = frame.select_dtypes("integer").columns
    return frame.astype(dict.fromkeys(integers, "float64"))


def _requirements() -> list[str]:
    from importlib.metadata import version

    packages = ("torch", "numpy", "pandas", "safetensors", "pydantic", "PyYAML", "holidays")
    return [f"{name}=={version(name).partition('+')[0]}" for name in packages]
