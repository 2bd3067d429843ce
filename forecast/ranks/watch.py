"""Ends a process that would wait for another that has died, and lets signals through.

Each gives a sign of life every second. The first watches all, all watch the first; whoever ends
with a fault says so. A process that hangs in the arithmetic of a training hears neither Python's
signals nor exceptions: a thread ends it.
"""

import atexit
import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import Any, NoReturn

from forecast.errors import ForecastError
from forecast.ranks.group import Group, group
from forecast.ranks.store import JOIN_S, children, store
from forecast.redaction import redact

PERIOD_S = 1.0
SILENCE_S = 60.0
"""Without a sign of life for so long, a process counts as lost."""
GRACE_S = 10.0
"""What a process is given to end by itself (to close its run) before its thread ends it."""


class RankError(ForecastError):
    """Another process of the group has ended; its message names it."""


class Watch(threading.Thread):
    """The thread; one per process."""

    def __init__(self, place: Group) -> None:
        super().__init__(daemon=True, name="rank-watch")
        self.place = place
        self.name_here = f"process {os.getpid()} on {socket.gethostname()}"
        self.store = store("watch", place)
        self.ended = threading.Event()
        self.verdict = ""
        self._began = time.monotonic()
        self._seen: dict[int, tuple[str, float]] = {}
        self._woken, self._wakes = socket.socketpair()
        self._deadline = (float("inf"), 0)  # and the exit code then

    def hear_signals(self) -> None:
        """Let SIGTERM unwind the stack, and wake the thread; only on the main thread."""
        if threading.current_thread() is not threading.main_thread():
            return
        self._wakes.setblocking(False)
        signal.set_wakeup_fd(self._wakes.fileno(), warn_on_full_buffer=False)
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, _leave)

    def run(self) -> None:
        """Look after the others until the process ends."""
        while not self.ended.is_set():
            try:
                self._beat()
                self._look()
            except (
                RuntimeError,
                ValueError,
                OSError,
            ) as error:  # the store is gone, and with it the first process
                if not self.ended.is_set():
                    self._conclude(
                        f"rank 0 of {self.place.world} has ended ({type(error).__name__})"
                    )
            self._hear()
            if time.monotonic() > self._deadline[0]:
                self._end(self._deadline[1])

    def _beat(self) -> None:
        self.store.set(f"beat/{self.place.rank}", f"{time.time_ns()} {self.name_here}")

    def _look(self) -> None:
        if self.verdict:
            return
        if self.store.check(["fault"]):
            whose, _, text = self.store.get("fault").decode().partition(" ")
            if int(whose) != self.place.rank:
                self._conclude(text, by=int(whose))
            return
        for number, child in enumerate(children, 1):
            if child.poll():
                self._conclude(
                    f"rank {number} of {self.place.world} (process {child.pid} on "
                    f"{socket.gethostname()}) ended with {_how(child.returncode)}"
                )
                return
        for other in range(1, self.place.world) if self.place.rank == 0 else (0,):
            self._look_at(other)

    def _look_at(self, other: int) -> None:
        if self.store.check([f"done/{other}"]):
            return
        now = time.monotonic()
        if not self.store.check([f"beat/{other}"]):
            if now - self._began > JOIN_S:
                self._conclude(
                    f"rank {other} of {self.place.world} has not joined within {JOIN_S:g} s"
                )
            return
        beat = self.store.get(f"beat/{other}").decode()
        before, since = self._seen.get(other, ("", now))
        self._seen[other] = (beat, now if beat != before else since)
        if now - self._seen[other][1] > SILENCE_S:
            name = beat.partition(" ")[2]
            self._conclude(
                f"rank {other} of {self.place.world} ({name}) has given no sign of life for "
                f"{SILENCE_S:g} s"
            )

    def _conclude(self, text: str, *, by: int | None = None) -> None:
        """Keep and pass on what is wrong; the main thread has a moment to end by itself."""
        self.verdict = self.verdict or text
        if by is None:
            self.publish(text)
        self._deadline = min(self._deadline, (time.monotonic() + GRACE_S, 1))

    def publish(self, text: str) -> bool:
        """Tell the others what ended this process; False when nobody hears."""
        try:
            self.store.compare_set("fault", "", f"{self.place.rank} {text}")
        except (RuntimeError, ValueError, OSError):
            return False
        return True

    def _hear(self) -> None:
        """Wait for the next look, or for a signal."""
        if not select.select([self._woken], [], [], PERIOD_S)[0]:
            return
        for number in self._woken.recv(64):
            if number in (signal.SIGTERM, signal.SIGINT):
                name = signal.Signals(number).name
                self.publish(
                    f"rank {self.place.rank} of {self.place.world} ({self.name_here}) was "
                    f"told to stop ({name})"
                )
                code = 128 + number
                self._deadline = min(self._deadline, (time.monotonic() + GRACE_S, code))

    def _end(self, code: int) -> NoReturn:
        if self.verdict:
            print(
                f"error: {redact(self.verdict)}; this process ends too", file=sys.stderr, flush=True
            )
        for child in children:
            child.kill()
        os._exit(code)

    def close(self) -> None:
        """Say that this process has done its part; the first one waits for the others to hear."""
        self.ended.set()
        self._wakes.send(b"\0")
        self.join(GRACE_S)  # a thread that the interpreter ends inside the store aborts the process
        with contextlib.suppress(RuntimeError, ValueError, OSError):
            self.store.set(f"done/{self.place.rank}", "")
        if self.verdict:
            for child in children:
                child.kill()
        for child in children:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(GRACE_S)
            child.kill()


_watch: list[Watch] = []


def watch() -> Watch | None:
    """Begin to watch, once; None where this process is alone."""
    place = group()
    if place.world > 1 and not _watch:
        watching = Watch(place)
        _watch.append(watching)
        watching.hear_signals()
        atexit.register(watching.close)
        watching.start()
    return _watch[0] if _watch else None


def verdict(wait_s: float = 0.0) -> str:
    """Return what ended another process, waiting for it to be found out; empty if nothing did."""
    if not _watch:
        return ""
    until = time.monotonic() + wait_s
    while not _watch[0].verdict and time.monotonic() < until:
        time.sleep(0.1)
    return _watch[0].verdict


def report(text: str) -> bool:
    """Tell the others what ended this process; False when none hears, or there are none."""
    return bool(_watch) and _watch[0].publish(text)


def _leave(number: int, _frame: Any) -> None:
    raise SystemExit(128 + number)


def _how(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
