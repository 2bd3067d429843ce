"""One run per config: other processes are refused by name, nothing stale is left."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from forecast.errors import LockError
from pipelines.process.lock import run_lock

HOLD = (
    "import sys; from pathlib import Path; from pipelines.process.lock import run_lock\n"
    "with run_lock(Path(sys.argv[1]), 'train'):\n"
    "    print('held', flush=True); sys.stdin.read()"
)


def _holder(folder: Path) -> subprocess.Popen[str]:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


def test_a_held_lock_is_refused_and_names_its_holder(tmp_path: Path) -> None:
    with _holder(tmp_path) as holder:
        with (
            pytest.raises(LockError, match=rf"held by train \(process {holder.pid} on"),
            run_lock(tmp_path, "predict"),
        ):
            pass
        holder.kill()
        holder.wait()
        with run_lock(tmp_path, "predict"):
            pass


def test_waiting_outlasts_a_short_holder(tmp_path: Path) -> None:
    with _holder(tmp_path) as holder:
        assert holder.stdin is not None
        holder.stdin.close()
        with run_lock(tmp_path, "predict", wait_s=60):
            pass


def test_a_job_inside_a_job_enters_again(tmp_path: Path) -> None:
    with run_lock(tmp_path, "retrain"):
        with run_lock(tmp_path, "train"):
            pass
        holder = json.loads((tmp_path / "lock").read_text())
        assert holder["verb"] == "retrain"
        assert holder["pid"] == os.getpid()
    assert (tmp_path / "lock").read_text() == ""


def test_locks_of_two_configs_do_not_meet(tmp_path: Path) -> None:
    with _holder(tmp_path / "a") as holder:
        with run_lock(tmp_path / "b", "train"):
            pass
        holder.kill()


def test_ranks_above_zero_take_no_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with _holder(tmp_path) as holder:
        monkeypatch.setattr("pipelines.process.lock.rank", lambda: 1)
        with run_lock(tmp_path, "train"):
            pass
        holder.kill()
