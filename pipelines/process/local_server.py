"""Runs a server process on 127.0.0.1 until stopped, and stops all of its children with it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from forecast.errors import TrackingError
from pipelines.process.console import say

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import FrameType

HOST = "127.0.0.1"
READY_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 15.0


def serve_until_stopped(
    command: Sequence[str], *, port: int, ready: str, announce: str, environment: Mapping[str, str]
) -> int | None:
    """Run a server until Ctrl-C, SIGTERM, or until it ends by itself.

    Parameters
    ----------
    command
        The command line of the server.
    port
        The port it listens on.
    ready
        Path that answers once the server is up.
    announce
        What to print then.
    environment
        Variables in addition to this process's own.

    Returns
    -------
    None after a request to stop, the exit code if the server ended by itself.

    Raises
    ------
    TrackingError
        The port is taken, or the server does not come up.
    """
    _require_free(port)
    with _stop_asked() as asked:
        here = Path(sys.executable).parent  # where MLflow looks for uvicorn, on no PATH perhaps
        path = {"PATH": os.pathsep.join([str(here), os.environ.get("PATH", os.defpath)])}
        everything = {**os.environ, **path, **environment}
        tied = [sys.executable, "-m", "pipelines.process.tied", str(os.getpid()), *command]
        server = subprocess.Popen(tied, env=everything, start_new_session=True)
        try:
            if _wait_ready(server, f"http://{HOST}:{port}{ready}", asked):
                say(announce)
            while server.poll() is None and not asked:
                time.sleep(0.1)
            return None if asked else server.returncode
        finally:
            _stop(server)


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as cause:
            raise TrackingError(
                f"port {port} of {HOST} cannot be used ({cause.strerror}); stop what uses it, or "
                "choose another with --port"
            ) from cause


def _wait_ready(server: subprocess.Popen[bytes], url: str, asked: list[int]) -> bool:
    """Wait until the server answers; return False if asked to stop before."""
    deadline = time.monotonic() + READY_TIMEOUT_S
    while not asked:
        if server.poll() is not None:
            raise TrackingError(f"the server ended at once with exit code {server.returncode}")
        with suppress(urllib.error.URLError, OSError):
            urllib.request.urlopen(url, timeout=2).close()  # noqa: S310
            return True
        if time.monotonic() > deadline:
            raise TrackingError(f"the server did not answer at {url} in {READY_TIMEOUT_S:.0f} s")
        time.sleep(0.2)
    return False


@contextmanager
def _stop_asked() -> Iterator[list[int]]:
    """Collect the signals that ask to stop."""
    asked: list[int] = []

    def ask(number: int, _frame: FrameType | None) -> None:
        asked.append(number)

    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(server: subprocess.Popen[bytes]) -> None:
    """End the server and the processes it started, and wait until all of them are gone."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + STOP_TIMEOUT_S
        with suppress(ProcessLookupError):
            os.killpg(server.pid, number)
            while time.monotonic() < deadline:
                server.poll()  # reap it: an ended leader stays in its group as a zombie
                os.killpg(server.pid, 0)  # raises once the group is empty, and so the port free
                time.sleep(0.05)
            continue
        return
