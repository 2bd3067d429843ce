"""Runs: their status, what they hold, and what an interruption leaves."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from forecast.config import Config, load_config
from forecast.errors import DataError, TrackingError
from pipelines.tracking import open_store, start_run
from pipelines.tracking.runs import Run

Frames = dict[str, pd.DataFrame]


def _stored(config: Config, run_id: str) -> Any:
    return open_store(config).client.get_run(run_id)


def _files(config: Config, run_id: str, folder: str | None = None) -> list[str]:
    return [file.path for file in open_store(config).client.list_artifacts(run_id, folder)]


def _interrupted(config: Config, by: BaseException) -> str:
    """Return the run id of a run that `by` ended after one epoch."""
    ids: list[str] = []

    def job() -> None:
        with start_run(config, kind="train") as run:
            ids.append(run.run_id)
            run.log_epoch(0, {"train_loss": 2.0})
            raise by

    with pytest.raises(type(by), match=str(by)):
        job()
    return ids[0]


def test_a_run_holds_config_metrics_and_tags(config: Config) -> None:
    with start_run(config, kind="train") as run:
        for epoch in range(3):
            run.log_epoch(epoch, {"train_loss": 1.0 / (epoch + 1), "dev mae (°C)": 2.0})
        run.log_metrics({"test_mae": 3.25})
        run.set_tags({"data_fingerprint": "abc"})
    stored = _stored(config, run.run_id)
    assert stored.info.status == "FINISHED"
    assert stored.data.params["windows.horizon"] == "24h"
    assert stored.data.metrics["test_mae"] == 3.25
    assert stored.data.tags["kind"] == "train"
    assert stored.data.tags["data_fingerprint"] == "abc"
    client = open_store(config).client
    history = client.get_metric_history(run.run_id, "train_loss")
    assert [(point.step, point.value) for point in history] == [(0, 1.0), (1, 0.5), (2, 1 / 3)]
    text = Path(client.download_artifacts(run.run_id, "config.yaml")).read_text()
    Path("again.yaml").write_text(text)
    assert load_config("again.yaml").resolved() == config.resolved()
    assert yaml.safe_load(text)["name"] == config.name


def test_a_figure_is_kept_as_an_image(config: Config) -> None:
    from matplotlib.figure import Figure

    with start_run(config, kind="evaluate") as run:
        run.log_figure("error_per_step", Figure())
        Path("report.html").write_text("<p>")
        run.log_file(Path("report.html"))
    assert _files(config, run.run_id, "figures") == ["figures/error_per_step.png"]
    assert "report.html" in _files(config, run.run_id)


def test_a_fault_marks_the_run_failed(config: Config) -> None:
    run_id = _interrupted(config, DataError("no rows"))
    stored = _stored(config, run_id)
    assert stored.info.status == "FAILED"
    assert stored.data.tags["failure"] == "DataError: no rows"
    assert stored.data.metrics == {"train_loss": 2.0}


def test_an_interruption_marks_the_run_killed(
    config: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    run_id = _interrupted(config, KeyboardInterrupt("stopped"))
    assert capsys.readouterr().err == "stopped\n"
    assert _stored(config, run_id).info.status == "KILLED"


SLEEP = (
    "import sys, time; from forecast.config import load_config\n"
    "from pipelines.tracking import start_run\n"
    "with start_run(load_config('tiny.yaml', sys.argv[1:]), kind='train') as run:\n"
    "    print(run.run_id, flush=True); time.sleep(600)"
)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_process_leaves_no_running_run(config: Config, number: signal.Signals) -> None:
    here = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    arguments = [sys.executable, "-c", SLEEP, f"tracking.uri={config.tracking.uri}"]
    with subprocess.Popen(arguments, env=here, stdout=subprocess.PIPE, text=True) as sleeper:
        assert sleeper.stdout is not None
        run_id = sleeper.stdout.readline().strip()
        sleeper.send_signal(number)
        sleeper.wait(timeout=60)
    if number == signal.SIGKILL:  # nobody could tell the store: the next run does
        assert _stored(config, run_id).info.status == "RUNNING"
        with start_run(config, kind="train"):
            pass
    else:
        assert sleeper.returncode == 128 + signal.SIGTERM
    assert _stored(config, run_id).info.status == "KILLED"


def test_an_interrupted_run_can_go_on(config: Config) -> None:
    run_id = _interrupted(config, KeyboardInterrupt("stopped"))
    with start_run(config, kind="train", run_id=run_id) as second:
        assert _stored(config, run_id).info.status == "RUNNING"
        second.log_epoch(1, {"train_loss": 1.0})
    stored = _stored(config, run_id)
    assert second.run_id == run_id
    assert stored.info.status == "FINISHED"
    assert stored.data.metrics == {"train_loss": 1.0}


def test_a_run_may_stand_under_another(config: Config) -> None:
    with (
        start_run(config, kind="tune") as search,
        start_run(config, kind="train", parent_id=search.run_id) as trial,
    ):
        pass
    assert _stored(config, trial.run_id).data.tags["mlflow.parentRunId"] == search.run_id


def test_ranks_above_zero_touch_no_store(
    local_config: Config,
    frames: Frames,
    bundle: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from matplotlib.figure import Figure

    monkeypatch.setattr("pipelines.tracking.run_lifetime.rank", lambda: 1)
    with start_run(local_config, kind="train") as run:
        run.log_epoch(0, {"train_loss": 1.0})
        run.log_metrics({"mae": 1.0})
        run.log_params({"a": 1})
        run.set_tags({"a": 1})
        run.log_figure("a", Figure())
        run.log_file(Path("nowhere"))
        assert run.log_bundle(bundle("b"), local_config, **frames) is None
    assert not Path(".forecast").exists()


def test_an_outage_costs_no_epoch(
    config: Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pipelines.tracking.runs.BATCH_EVERY_S", 0.0)
    with start_run(config, kind="train") as run:
        client = run._store.client  # type: ignore[union-attr]
        with monkeypatch.context() as away:
            away.setattr(type(client), "log_batch", _refuse)
            run.log_epoch(0, {"train_loss": 2.0})
            with pytest.raises(TrackingError, match="connection refused"):
                run.flush()
        run.log_epoch(1, {"train_loss": 1.0})
    assert "the metrics wait" in capsys.readouterr().err
    history = open_store(config).client.get_metric_history(run.run_id, "train_loss")
    assert [point.value for point in history] == [2.0, 1.0]


def _refuse(*_args: object, **_named: object) -> None:
    raise ConnectionError("connection refused")


def test_a_run_tells_how_it_was_started_without_passwords(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["forecast", "train", "/home/me/a.yaml", "--set", "tracking.uri=http://me:word@host:1"]
    monkeypatch.setattr("sys.argv", words)
    with start_run(config, kind="train") as run:
        run.describe("first of its kind")
    tags = _stored(config, run.run_id).data.tags
    assert (
        tags["mlflow.source.name"] == "forecast train a.yaml --set tracking.uri=http://***@host:1"
    )
    assert tags["mlflow.note.content"] == "first of its kind"


def test_a_silent_run_has_no_identity() -> None:
    assert Run(None, "").run_id == ""
