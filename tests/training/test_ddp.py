import json
import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT


def train(folder, devices):
    done = subprocess.run(
        [sys.executable, "-m", "tests.training.ddp_job", str(folder), str(devices)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.ddp
@pytest.mark.slow
def test_two_processes_lose_as_one_does(tmp_path):
    """Same global batch: the same learning curve and the same weights, up to rounding."""
    one = train(tmp_path / "one", 1)
    two = train(tmp_path / "two", 2)
    assert two["weights"] == pytest.approx(one["weights"], rel=1e-3)
    for alone, shared in zip(one["history"], two["history"], strict=True):
        assert shared == pytest.approx(alone, rel=1e-3)
