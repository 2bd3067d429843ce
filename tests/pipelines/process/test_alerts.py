"""Alerts: once when something begins, once when it is over, by each way, and never fatal."""

import json
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from forecast.config import Config, load_config
from forecast.errors import ConfigError, DataError
from pipelines.process.alerts import read_alerts, tell, watched
from tests.pipelines.conftest import CONFIG


class _Hook(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append(json.loads(body))  # type: ignore[attr-defined]
        self.send_response(self.server.code)  # type: ignore[attr-defined]
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def hook() -> Iterator[HTTPServer]:
    """Run a webhook that keeps what it gets in `got` and answers with `code`."""
    server = HTTPServer(("127.0.0.1", 0), _Hook)
    server.got, server.code = [], 200  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def _config(*sets: str) -> Config:
    Path("tiny.yaml").write_text(CONFIG.format(name="tiny"))
    return load_config("tiny.yaml", sets)


def _hooked(server: HTTPServer, *sets: str) -> Config:
    return _config(f"alert.webhook=http://127.0.0.1:{server.server_port}/x", *sets)


def test_a_change_is_told_once_and_its_end_once(in_folder: Path, hook: HTTPServer) -> None:
    config = _hooked(hook)
    for text in ("31d old", "32d old", None, None, "5d old"):
        tell(config, "stale", text)
    got = [(one["kind"], one["state"], one["text"]) for one in hook.got]  # type: ignore[attr-defined]
    assert got == [
        ("stale", "begun", "tiny: 31d old"),
        ("stale", "over", "tiny: over: 32d old"),
        ("stale", "begun", "tiny: 5d old"),
    ]
    assert list(read_alerts(config.work_folder)) == ["stale"]


def test_each_job_has_its_own_state(in_folder: Path, hook: HTTPServer) -> None:
    config = _hooked(hook)
    tell(config, "failed", "predict: x", about="predict")
    tell(config, "failed", None, about="score")
    tell(config, "failed", "score: y", about="score")
    assert [one["about"] for one in hook.got] == ["predict", "score"]  # type: ignore[attr-defined]


def test_what_could_not_be_sent_is_sent_the_next_time(
    in_folder: Path, hook: HTTPServer, capsys: pytest.CaptureFixture[str]
) -> None:
    config = _hooked(hook)
    hook.code = 500  # type: ignore[attr-defined]
    tell(config, "drifted", "MAE doubled")
    assert "alert.webhook: HTTPError" in capsys.readouterr().err
    hook.code = 200  # type: ignore[attr-defined]
    tell(config, "drifted", "MAE doubled")
    tell(config, "drifted", "MAE doubled")
    assert len(hook.got) == 2  # type: ignore[attr-defined]


def test_kinds_that_nobody_asked_for_are_kept_and_not_sent(
    in_folder: Path, hook: HTTPServer
) -> None:
    config = _hooked(hook, "alert.on=[failed]")
    tell(config, "stale", "old")
    assert hook.got == []  # type: ignore[attr-defined]
    assert list(read_alerts(config.work_folder)) == ["stale"]


def test_a_command_gets_the_message_on_its_input(in_folder: Path) -> None:
    config = _config('alert.command=["sh", "-c", "cat >> told.json"]')
    tell(config, "coverage", "61 % covered")
    message = json.loads(Path("told.json").read_text())
    assert (message["name"], message["kind"]) == ("tiny", "coverage")
    assert message["text"] == "tiny: 61 % covered"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ('["sh", "-c", "exit 3"]', "alert.command: exit code 3"),
        ('["sleep", "30"]', "alert.command: not done after 1 s"),
        ('["no-such-program"]', "alert.command: FileNotFoundError"),
    ],
)
def test_a_way_that_fails_is_said_and_costs_nothing(
    command: str, said: str, in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tell(_config(f"alert.command={command}", "alert.timeout=1s"), "failed", "x")
    assert said in capsys.readouterr().err


class _Mail(socketserver.StreamRequestHandler):
    """As much of a mail server as a client needs."""

    def handle(self) -> None:
        self.wfile.write(b"220 test\r\n")
        is_body = False
        for line in self.rfile:
            self.server.got.append(line.decode().strip())  # type: ignore[attr-defined]
            if is_body and line != b".\r\n":
                continue
            is_body = line.upper().startswith(b"DATA")
            self.wfile.write(b"354 go\r\n" if is_body else b"250 ok\r\n")
            if line.upper().startswith(b"QUIT"):
                return


def test_mail_goes_to_everybody_named(in_folder: Path) -> None:
    with socketserver.TCPServer(("127.0.0.1", 0), _Mail) as server:
        server.got = []  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_address[1]
        email = f"{{to: [a@x.org, b@x.org], sender: f@x.org, host: 127.0.0.1, port: {port}}}"
        tell(_config(f"alert.email={email}"), "late", "2 h late", about="predict")
        server.shutdown()
    got = "\n".join(server.got)  # type: ignore[attr-defined]
    assert "rcpt TO:<a@x.org>" in got
    assert "rcpt TO:<b@x.org>" in got
    assert "Subject: tiny: late begun" in got


def test_a_job_outside_a_schedule_tells_of_its_failure_itself(
    in_folder: Path, hook: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = _hooked(hook)

    def fail() -> None:
        raise DataError("no usable readings")

    with pytest.raises(DataError, match="no usable readings"):
        watched(config, "predict", fail)
    assert watched(config, "predict", lambda: 0) == 0
    states = [one["state"] for one in hook.got]  # type: ignore[attr-defined]
    assert states == ["begun", "over"]
    monkeypatch.setenv("FORECAST_SCHEDULED", "1")
    with pytest.raises(DataError, match="no usable readings"):
        watched(config, "predict", fail)
    assert len(hook.got) == 2  # type: ignore[attr-defined]


def test_a_webhook_is_an_http_address(in_folder: Path) -> None:
    with pytest.raises(ConfigError, match="not an address that begins with http"):
        _config("alert.webhook=file:///etc/passwd")


def test_a_damaged_state_file_starts_anew(in_folder: Path, hook: HTTPServer) -> None:
    config = _hooked(hook)
    config.work_folder.mkdir(parents=True)
    (config.work_folder / "alerts.json").write_text("{")
    tell(config, "stale", "old")
    assert len(hook.got) == 1  # type: ignore[attr-defined]
