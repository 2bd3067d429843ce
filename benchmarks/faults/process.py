"""One call of the command line in a process forked from a warm one, with a fault to come.

The parent has imported what every job needs, so that a call takes its own time only. The child
counts its effects: files opened for writing, renamed, removed or synced, folders made, and commits
of the store. A fault comes just before a chosen effect, or after a chosen time.
"""

import builtins
import io
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

EFFECTS = ("replace", "rename", "unlink", "remove", "mkdir", "rmdir", "fsync", "link", "symlink")


class Ended(NamedTuple):
    """How a call ended."""

    code: int  # below 0: killed by that signal
    output: str
    effects: int
    seconds: float


def warm() -> None:
    """Import what the jobs import."""
    for name in ("mlflow.pyfunc", "optuna", "pandas", "pyarrow.parquet", "pytorch_lightning"):
        import_module(name)
    for verb in ("evaluate", "predict", "promote", "retrain", "score", "train", "tune"):
        import_module(f"pipelines.jobs.{verb}")
    import torch

    torch.set_num_threads(1)


def call(
    work: Path,
    arguments: tuple[str, ...],
    *,
    at_effect: int | None = None,
    after_s: float | None = None,
    number: int = signal.SIGKILL,
) -> Ended:
    """Run one call of the command line at `work`; a signal comes at an effect or after a time."""
    log, count = work.parent / "call.log", work.parent / "effects"
    begun = time.monotonic()
    child = os.fork()
    if child == 0:
        _be_the_call(work, arguments, at_effect, number)
    if after_s is not None:
        time.sleep(after_s)
        os.kill(child, number)
    _, status = os.waitpid(child, 0)
    return Ended(
        os.waitstatus_to_exitcode(status),
        log.read_text(errors="replace"),
        int(count.read_text() or 0) if count.exists() else 0,
        time.monotonic() - begun,
    )


def _be_the_call(
    work: Path, arguments: tuple[str, ...], at_effect: int | None, number: int
) -> None:
    """Run the call in this process and end it; never returns."""
    code, log, count = 70, work.parent / "call.log", work.parent / "effects"
    try:
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(out, 1)
        os.dup2(out, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        os.chdir(work)
        effects = _count_effects(at_effect, number)
        from pipelines.cli import main

        code = main(list(arguments))
        fd = os.open(count, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.write(fd, str(effects[0]).encode())
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    except BaseException:  # noqa: BLE001 - it goes to the log, the process ends below
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _count_effects(at_effect: int | None, number: int) -> list[int]:
    """Count every effect of this process from now on; send itself a signal before one of them."""
    effects = [0]

    def note(*_: Any) -> None:
        effects[0] += 1
        if effects[0] == at_effect:
            os.kill(os.getpid(), number)

    for name in EFFECTS:
        setattr(os, name, _noted(getattr(os, name), note))
    opened, low = builtins.open, os.open

    def open_noted(file: Any, mode: str = "r", *args: Any, **options: Any) -> Any:
        if set(mode) & set("wax+"):
            note()
        return opened(file, mode, *args, **options)

    def open_low(path: Any, flags: int, *args: Any, **options: Any) -> int:
        if flags & (os.O_CREAT | os.O_WRONLY | os.O_RDWR):
            note()
        return low(path, flags, *args, **options)

    builtins.open = io.open = open_noted  # type: ignore[assignment]
    os.open = open_low  # type: ignore[assignment]
    from sqlalchemy import Engine, event

    event.listen(Engine, "commit", note)
    return effects


def _noted(function: Callable[..., Any], note: Callable[..., None]) -> Callable[..., Any]:
    def noted(*args: Any, **options: Any) -> Any:
        note()
        return function(*args, **options)

    return noted
