"""`forecast ui` and `serve`: up on 127.0.0.1, right in a browser, gone with all their processes."""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from forecast.config import Config, load_config
from forecast.errors import ModelError, TrackingError
from pipelines.jobs import serve, ui
from pipelines.process.local_server import serve_until_stopped
from pipelines.tracking import CHAMPION, open_store, set_alias, start_run

ROOT = Path(__file__).resolve().parents[3]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _started(verb: str, port: int, uri: str) -> Iterator[str]:
    """Run `forecast ui` or `serve` and yield the line that announces it; then stop it."""
    arguments = [verb, "tiny.yaml", "--set", f"tracking.uri={uri}", "--port", str(port)]
    process = subprocess.Popen(
        [sys.executable, "-m", "pipelines.cli", *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        lines = iter(process.stdout.readline, "")
        yield next(line for line in lines if "http://" in line)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
        with pytest.raises(OSError, match="refused"), socket.socket() as probe:
            probe.connect(("127.0.0.1", port))
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def browser() -> Iterator[Any]:
    """Open a headless Chromium."""
    driver, chromium = shutil.which("chromedriver"), shutil.which("chromium")
    if driver is None or chromium is None:
        pytest.skip("no Chromium: apt-get install chromium chromium-driver")
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in (
        "headless=new",
        "no-sandbox",
        "disable-dev-shm-usage",
        "window-size=1500,1000",
    ):
        options.add_argument(f"--{argument}")
    opened = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield opened
    opened.quit()


@pytest.mark.browser
@pytest.mark.slow
def test_a_browser_sees_the_run_its_metric_and_its_figure(config: Config, browser: Any) -> None:
    from matplotlib.figure import Figure
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    figure = Figure()
    figure.subplots().plot([1, 2, 3])
    with start_run(config, kind="train") as run:
        run.log_metrics({"test_mae": 2.625})
        run.log_figure("error_per_step", figure)
    port, wait = _free_port(), WebDriverWait(browser, 60)

    def shows(text: str) -> bool:
        return bool(wait.until(lambda b: text in b.find_element(By.TAG_NAME, "body").text))

    def loaded(image: Any) -> bool:
        return bool(browser.execute_script("return arguments[0].naturalWidth > 100", image))

    with _started("ui", port, str(config.tracking.uri)) as line:
        runs = line.split()[1]
        assert runs == f"http://127.0.0.1:{port}/#/experiments/{_experiment(config)}/runs"
        browser.get(runs)
        assert shows("train 20")
        browser.get(f"{runs}/{run.run_id}")
        assert shows("test_mae")
        assert shows("2.625")
        browser.get(f"{runs}/{run.run_id}/artifacts/figures/error_per_step.png")
        images = wait.until(
            lambda b: [one for one in b.find_elements(By.TAG_NAME, "img") if loaded(one)]
        )
        assert images


def _experiment(config: Config) -> str:
    return open_store(config).experiment_id


def test_a_taken_port_is_refused_by_name(config: Config) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(TrackingError, match=f"port {port} of 127.0.0.1 cannot be used"):
            ui.run(config, port=port)


def test_for_a_tracking_server_the_ui_is_its_own(
    config: Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = open_store(config)._replace(uri="http://tracking:5000")
    monkeypatch.setattr(ui, "open_store", lambda _config: store)
    ui.run(config)
    expected = f"http://tracking:5000/#/experiments/{store.experiment_id}/runs"
    assert expected in capsys.readouterr().out


def test_without_a_champion_nothing_is_served(config: Config) -> None:
    with pytest.raises(ModelError, match="no version is the champion"):
        serve.run(config)


def test_a_server_goes_when_its_job_is_killed(tmp_path: Path) -> None:
    port = _free_port()
    command = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port)]
    job = (
        "from pipelines.process.local_server import serve_until_stopped as serve\n"
        f"serve({command!r}, port={port}, ready='/', announce='up', environment={{}})"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", job], env=environment, stdout=subprocess.PIPE, cwd=tmp_path
    ) as process:
        assert process.stdout is not None
        assert b"up\n" in iter(process.stdout.readline, b"")
        process.kill()
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return
        time.sleep(0.1)
    pytest.fail("the server outlived its job")


def test_a_server_is_stopped_with_children_that_outlive_it(tmp_path: Path) -> None:
    """Stopping waits for a worker that takes longer to end than the process that started it."""
    port, ended = _free_port(), tmp_path / "ended"
    worker = (
        "import http.server, pathlib, signal, sys, time\n"
        "def end(*_):\n"
        f"    time.sleep(1); pathlib.Path({str(ended)!r}).touch(); sys.exit()\n"
        "signal.signal(signal.SIGTERM, end)\n"
        f"http.server.HTTPServer(('127.0.0.1', {port}), http.server.SimpleHTTPRequestHandler)"
        ".serve_forever()\n"
    )
    leader = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {worker!r}])"
    stop = threading.Timer(3, os.kill, (os.getpid(), signal.SIGTERM))
    stop.start()
    code = serve_until_stopped(
        [sys.executable, "-c", leader], port=port, ready="/", announce="up", environment={}
    )
    assert code is None
    assert ended.exists()


@pytest.mark.slow
def test_the_champion_answers_over_http(
    in_folder: Path, shared_store: str, frames: dict[str, pd.DataFrame]
) -> None:
    from tests.pipelines.jobs.test_retrain import TINY, WEAK, write_readings

    write_readings(40)
    Path("tiny.yaml").write_text(TINY.format(folder=in_folder).replace("waves", "served"))
    config = load_config("tiny.yaml", [f"tracking.uri={shared_store}", *WEAK])
    from pipelines.jobs import train

    train.run(config)
    history = pd.read_csv("readings.csv").groupby("unique_id").tail(60)
    port = _free_port()
    with _started("serve", port, shared_store):
        answer = _post(port, history.to_dict("records"))
        rows = pd.DataFrame(answer["predictions"])
        assert len(rows) == 2 * 6
        assert rows["y_hat"].notna().all()
        assert set(rows["model_version"]) == {"1"}
        _assert_times_are_read_as_written(port, history, rows)
        _assert_faults_are_told_without_a_trace(port, history)


def _assert_times_are_read_as_written(port: int, history: pd.DataFrame, rows: Any) -> None:
    """The config's zone is UTC, so that a local stamp, `Z` and an offset can be the same instant."""
    for zone, written in ((None, "%Y-%m-%dT%H:%M:%SZ"), ("-05:00", "%Y-%m-%dT%H:%M:%S%z")):
        stamps = pd.to_datetime(history["ds"]).dt.tz_localize("UTC")
        stamps = stamps if zone is None else stamps.dt.tz_convert("Etc/GMT+5")
        sent = history.assign(ds=stamps.dt.strftime(written))
        again = pd.DataFrame(_post(port, sent.to_dict("records"))["predictions"])
        pd.testing.assert_frame_equal(again, rows)


def _assert_faults_are_told_without_a_trace(port: int, history: pd.DataFrame) -> None:
    null = [*history.to_dict("records"), {"unique_id": "a", "ds": None, "y": 1.0}]
    warm = [{"unique_id": "a", "ds": "2024-01-01", "y": "warm"}]
    json_type, here = "application/json", f"127.0.0.1:{port}"
    attempts: list[tuple[int, bytes, str, dict[str, str]]] = [
        (400, json.dumps({"dataframe_records": warm}).encode(), json_type, {}),
        (400, b"unique_id,ds\na,b,c,d\n", "text/csv", {}),
        (400, b"[" * 1000 + b"]" * 1000, json_type, {}),
        (413, b" " * ((16 << 20) + 1), json_type, {}),
        (403, b"{}", json_type, {"Host": "evil.example"}),
        (403, b"{}", json_type, {"Host": here, "Origin": "http://evil.example"}),
    ]
    for status, body, kind, headers in attempts:
        found, text = _refused(port, body, {"Content-Type": kind} | headers)
        assert found == status, text
        assert not re.search(r"Traceback|File \"|site-packages", text), text
    status, text = _refused(
        port, json.dumps({"dataframe_records": null}).encode(), {"Content-Type": json_type}
    )
    assert "Traceback" not in text


def _refused(port: int, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    with suppress(BrokenPipeError, ConnectionResetError):  # refused while it was being sent
        connection.request("POST", "/invocations", body, headers)
    try:
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def _post(port: int, records: list[dict[str, Any]]) -> Any:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/invocations",
        data=json.dumps({"dataframe_records": records}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)


_Maker = Callable[[str], Path]


def test_a_champion_that_is_registered_is_the_one_served(
    config: Config, bundle: _Maker, frames: dict[str, pd.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    with start_run(config, kind="train") as run:
        version = run.log_bundle(bundle("one"), config, **frames)
    assert version is not None
    set_alias(config, CHAMPION, version.number)
    seen: list[Any] = []
    monkeypatch.setattr(serve, "serve_until_stopped", lambda _command, **named: seen.append(named))
    serve.run(config)
    served = seen[0]["environment"]["FORECAST_SERVED_MODEL"]
    assert served == f"models:/{config.name}/{version.number}"
