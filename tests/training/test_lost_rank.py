"""When a process of a training ends, the others end too, name it, and the training goes on."""

import random
import signal

import pytest

from tests.training.lost_rank import ENDS_S, disturbed, undisturbed


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    return undisturbed(tmp_path_factory.mktemp("whole"))


@pytest.mark.ddp
@pytest.mark.slow
def test_a_killed_process_is_named_and_the_training_goes_on(tmp_path, expected):
    _, seconds, code, log = disturbed(tmp_path / "run", random.Random(1), victim=1)
    assert seconds < ENDS_S
    assert code == 1
    assert "rank 1 of 2 (process" in log
    assert "ended with signal SIGKILL" in log
    assert undisturbed(tmp_path / "run") == expected


@pytest.mark.devices
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_no_process_outlives_the_first(tmp_path, how):
    _, seconds, code, _ = disturbed(tmp_path / "run", random.Random(1), victim=0, how=how)
    assert seconds < ENDS_S
    assert code == (-9 if how == signal.SIGKILL else 143)
