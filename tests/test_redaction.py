"""Logins and tokens are hidden wherever a text leaves, and a login still reaches its server."""

import base64
import json
import os
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from forecast.config import load_config
from forecast.data.tables import SourceFile
from forecast.data.tables.source_changes import file_states, whats_new
from forecast.redaction import login_of, redact, redacted
from pipelines.cli import main
from pipelines.process.console import say, table
from pipelines.tracking.store import log_in, tracking_uri
from tests.site import write_site


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://ann:hunter22@host:5000/x", "http://***@host:5000/x"),
        ("postgresql://ann:p%40ss-word@db/mlflow", "postgresql://***@db/mlflow"),
        ("https://tok3n-only@host", "https://***@host"),
        (
            "see s3://k3y:s3cr3t@bucket, twice s3://k3y:s3cr3t@b2",
            "see s3://***@bucket, twice s3://***@b2",
        ),
        ("https://h/t.csv?page=2&token=abc.d-ef_99&x=1", "https://h/t.csv?page=2&token=***&x=1"),
        (
            "https://h/t?X-Amz-Signature=0f0f&X-Amz-Date=2024",
            "https://h/t?X-Amz-Signature=***&X-Amz-Date=2024",
        ),
        ("https://h/t.csv?sv=2020&sig=a%2Fb: 403", "https://h/t.csv?sv=2020&sig=***: 403"),
        ("https://h/t?api_key=12&ACCESS_TOKEN=34", "https://h/t?api_key=***&ACCESS_TOKEN=***"),
        ("mail ann@host about http://host/a@b", "mail ann@host about http://host/a@b"),
        ("keys=3 and the code=7 stay", "keys=3 and the code=7 stay"),
    ],
)
def test_what_is_hidden(text, shown):
    assert redact(text) == shown
    assert redact(redact(text)) == shown


def test_a_secret_met_once_is_hidden_alone_too():
    redact("http://ann:correct%20horse@host")
    assert redact("401 for ann / correct horse") == "401 for ann / ***"
    assert redacted({"a": ["correct horse", 3, None]}) == {"a": ["***", 3, None]}


def test_a_login_is_taken_apart():
    assert login_of("https://host/x") == ("https://host/x", "", "")
    assert login_of("http://ann@host") == ("http://host", "ann", "")


def test_messages_and_tables_are_redacted(capsys):
    say("reading http://ann:hunter22@host")
    table("of http://ann:hunter22@host", ["source"], [["http://ann:hunter22@host/a"]])
    printed = capsys.readouterr().out
    assert "hunter22" not in printed
    assert printed.count("***@host") == 3


def test_the_record_of_a_source_holds_no_token_and_still_knows_the_file():
    one = SourceFile("https://host/t.csv?token=first-token", 10, 7)
    (state,) = file_states([one])
    assert "first-token" not in json.dumps(state)
    renewed = SourceFile("https://host/t.csv?token=second-token", 10, 7)
    (again,) = file_states([renewed], [state])
    assert again == state
    assert whats_new([renewed], [again], [state]) is not None


def test_what_travels_with_runs_and_bundles_holds_no_secret(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_site(tmp_path)
    secrets = [
        "tracking.uri=http://ann:hunter22@host",
        "data.source=https://h/t.csv?token=abcdef12",
    ]
    kept = json.dumps(load_config("run.yaml", secrets).resolved())
    assert "hunter22" not in kept
    assert "abcdef12" not in kept


@pytest.mark.parametrize("password", ["abc", "smtp-s3cret-1"])
def test_literal_secrets_of_alerts_stay_out_of_messages_and_files(tmp_path, monkeypatch, password):
    monkeypatch.chdir(tmp_path)
    write_site(tmp_path)
    token = "services/T00/B00/w3bhook-t0ken"
    alert = f"{{to: [a@b], sender: c@d, user: ann, password: {password}}}"
    config = load_config(
        "run.yaml", [f"alert.webhook=https://hooks.example/{token}", f"alert.email={alert}"]
    )
    assert config.alert.email.password == password  # what is sent is the real one
    assert config.alert.webhook == f"https://hooks.example/{token}"
    kept = config.resolved()["alert"]
    assert kept["email"]["password"] == "***"
    assert kept["webhook"] == "https://hooks.example/***"
    assert token not in redact(f"POST /{token} refused")
    if len(password) > 5:
        assert password not in redact(f"535 {password}")


def test_a_webhook_that_is_refused_is_not_shown(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_site(tmp_path)
    address = "ftp://hooks.example/services/w3bhook-refused"
    assert main(["check", "run.yaml", "--set", f"alert.webhook={address}"]) == 2
    assert "w3bhook-refused" not in "".join(capsys.readouterr())


def test_no_fault_shows_a_password(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_site(tmp_path)
    address = "http://ann:hunter22@127.0.0.1:9"
    for arguments in (["predict", "run.yaml"], ["--debug", "predict", "run.yaml"]):
        assert main([*arguments, "--set", f"tracking.uri={address}"]) == 5
    assert main(["check", "run.yaml", "--set", f"data.source={address}/t.csv"]) == 3
    assert main(["check", "run.yaml", "--set", f"windows.horizon={address}"]) == 2
    printed = "".join(capsys.readouterr())
    assert "127.0.0.1:9" in printed
    assert "hunter22" not in printed
    written = [
        path for path in tmp_path.rglob("*") if path.is_file() and b"hunter22" in path.read_bytes()
    ]
    assert written == []


@contextmanager
def server_that_asks(login):
    """Yield the port of a server that answers only with a login, and what it was told."""
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            given = self.headers.get("Authorization", "")
            seen.append(given)
            is_known = given == "Basic " + base64.b64encode(login.encode()).decode()
            self.send_response(200 if is_known else 401)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            if is_known:
                self.wfile.write(b'{"experiment": {"experiment_id": "7", "name": "plant"}}')

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port, seen
    finally:
        server.shutdown()
        server.server_close()


def test_a_login_in_the_address_reaches_the_server(tmp_path, monkeypatch):
    import mlflow

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "")  # both as they were afterwards
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "")
    write_site(tmp_path)
    with server_that_asks("ann:p@ss-word") as (port, seen):
        config = load_config("run.yaml", [f"tracking.uri=http://ann:p%40ss-word@127.0.0.1:{port}"])
        assert tracking_uri(config) == f"http://127.0.0.1:{port}"
        log_in(config)
        assert os.environ["MLFLOW_TRACKING_PASSWORD"] == "p@ss-word"
        client = mlflow.MlflowClient(tracking_uri(config), tracking_uri(config))
        assert client.get_experiment_by_name("plant").experiment_id == "7"
    assert seen
    assert all(one.startswith("Basic ") for one in seen)
