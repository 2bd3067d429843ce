"""Several processes of this machine that train trials of one search; they end with their parent."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any, NamedTuple

from forecast.errors import DataError, ForecastError
from pipelines.process.console import say
from pipelines.steps.search import (
    ATTEMPT,
    count_left,
    cut_short,
    draw,
    join_study,
    repeat,
    search_lock,
    settings_of,
)
from pipelines.steps.search_trial import RUN_ID, Search, run_trial, words
from pipelines.tracking import end_run

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

    from forecast.config import Config
    from forecast.data.panel import Panel

ATTEMPTS = 2  # of a trial whose process dies
END_S = 30.0  # for a process to close its run


class Task(NamedTuple):
    """What a process needs to take part."""

    config: Config
    study_name: str
    parent_id: str
    now_ns: int  # readings after it are not known
    fingerprint: str  # of the panel
    threads: int


class _Worker(NamedTuple):
    process: SpawnProcess
    faults: Connection


def train_side_by_side(search: Search, *, now_ns: int) -> None:
    """Let `tune.jobs` processes train what is left of a search.

    A process that dies is replaced; its trial is trained once more. A fault that concerns every
    trial, an interrupt or the death of this process ends them all.

    Raises
    ------
    ForecastError
        That a process met.
    """
    config, study = search.config, search.study
    jobs = min(config.tune.jobs, max(1, count_left(config, study)))
    task = Task(
        config,
        study.study_name,
        search.parent_id,
        now_ns,
        search.panel.fingerprint,
        threads=_threads(jobs),
    )
    workers = []
    try:
        workers += [_start(task) for _ in range(jobs if count_left(config, study) else 0)]
        while workers:
            ended = wait([worker.process.sentinel for worker in workers])
            for worker in [worker for worker in workers if worker.process.sentinel in ended]:
                workers.remove(worker)
                if _must_be_replaced(search, worker):
                    workers.append(_start(task))
    finally:
        _end(workers)


def known_at(panel: Panel, now_ns: int) -> Panel:
    """Return what is known of a panel at an instant, the same in every process."""
    from forecast.data.panel import panel_as_of, panel_now
    from pipelines.process.clock import moved_now

    return panel_now(panel, now_ns) if moved_now() is None else panel_as_of(panel, now_ns)


def _threads(jobs: int) -> int:
    import torch

    return max(1, torch.get_num_threads() // jobs)


def _start(task: Task) -> _Worker:
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(task, sender), daemon=True)
    process.start()
    sender.close()
    return _Worker(process, receiver)


def _must_be_replaced(search: Search, worker: _Worker) -> bool:
    """Look at a process that has ended: raise its fault; of one that died, queue its trial again.

    Raises
    ------
    ForecastError
        That the process met, or when it died over no trial.
    """
    worker.process.join()
    code = worker.process.exitcode
    fault = _received(worker.faults)
    if fault is not None:
        raise fault
    if code == 0:
        return False
    with search_lock(search.config):
        trial = cut_short(search.study, worker.process.pid or 0)
        if trial is None:
            raise ForecastError(
                f"a process of the search ended with code {code}, outside any trial"
            )
        attempt = int(trial.user_attrs.get(ATTEMPT, 1))
        again = attempt < ATTEMPTS
        if again:
            repeat(search.study, trial, attempt=attempt + 1)
        else:
            search.study.tell(trial.number, state=_failed())
    if run_id := trial.user_attrs.get(RUN_ID):
        end_run(search.config, run_id, "KILLED")
    what = "it is trained once more" if again else "it died twice and is left out"
    say(
        f"tune: the process of trial {trial.number + 1} ({words(settings_of(trial))}) died with "
        f"code {code}: {what}",
        error=True,
    )
    return True


def _failed() -> Any:
    from optuna.trial import TrialState

    return TrialState.FAIL


def _received(faults: Connection) -> Exception | None:
    try:
        return faults.recv() if faults.poll() else None
    except EOFError:
        return None


def _end(workers: list[_Worker]) -> None:
    """End what still runs: each closes its MLflow run, then is killed if it does not end."""
    for worker in workers:
        worker.process.terminate()
    for worker in workers:
        worker.process.join(END_S)
        if worker.process.is_alive():
            worker.process.kill()


def _work(task: Task, faults: Connection) -> None:
    """Train trials until none is left; send what stops this process to its parent."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the parent ends this one
    try:
        _train(task)
    except ForecastError as error:
        faults.send(error)
    except Exception as error:  # noqa: BLE001 - told by the parent, whatever it is
        faults.send(RuntimeError(f"{type(error).__name__}: {error}"))


def _train(task: Task) -> None:
    import torch

    from forecast.data.panel import open_panel
    from forecast.training.allocator import keep_freed_memory

    keep_freed_memory()
    torch.set_num_threads(task.threads)
    panel = known_at(open_panel(task.config.panel_folder), task.now_ns)
    if panel.fingerprint != task.fingerprint:
        raise DataError(
            f"{task.config.panel_folder}: the readings have changed since the search began; run "
            "forecast tune again"
        )
    study = join_study(task.config, task.study_name)
    search = Search(task.config, panel, study, task.parent_id, is_alone=False)
    while (drawn := draw(search.config, search.study)) is not None:
        run_trial(search, drawn)


def _end_with_parent() -> None:
    """End this process when its parent has, however that ended."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
