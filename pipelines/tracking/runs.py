"""What a job writes to its MLflow run: metrics in batches, figures, the registered bundle."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forecast.errors import TrackingError
from forecast.redaction import redact
from pipelines.process.console import say
from pipelines.tracking.registry import Version, register, registered_name, version_of_run
from pipelines.tracking.store import Store, tracking_faults

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.figure import Figure
    from pandas import DataFrame

    from forecast.config import Config

PARAM_LIMIT = 500  # characters of one MLflow parameter that every store takes
BATCH_EVERY_S = 5.0  # epochs quicker than this travel to the store together
BATCH_PARAMS = 100  # parameters that one request may hold
RUN_FOLDER = "model"  # name of the logged model inside its run


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
            latest = {metric.key: (metric.step, metric.value) for metric in run.data._metric_objs}  # noqa: SLF001
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


def _key(name: str) -> str:
    """Replace the characters that MLflow takes in no name.

    >>> _key("data.missing.*")
    'data.missing._'
    """
    return re.sub(r"[^\w\-. :/]", "_", name)


def _open(frame: DataFrame) -> DataFrame:
    """Widen integer columns to float: a reading may be missing when the model is called."""
    integers = frame.select_dtypes("integer").columns
    return frame.astype(dict.fromkeys(integers, "float64"))


def _requirements() -> list[str]:
    from importlib.metadata import version

    packages = ("torch", "numpy", "pandas", "safetensors", "pydantic", "PyYAML", "holidays")
    return [f"{name}=={version(name).partition('+')[0]}" for name in packages]
