"""Two processes train what one trains, whatever is missing and whatever the model is."""

import json
import os
import subprocess
import sys
from typing import get_args

import pytest

from forecast.vocabulary import CellName, HeadName, Kind
from tests.conftest import ROOT
from tests.training.ddp_job import Case

GAPS = ("nowhere", "rarely", "everywhere")
FEW = (
    *(Case(gaps=gaps) for gaps in GAPS),
    Case({"kind": "direct", "layers": 2, "cell": "peephole"}, gaps="rarely"),
    Case({"kind": "recursive", "ensemble": 2}, gaps="rarely"),
)
ALL = (
    *(
        Case({"kind": kind, "cell": cell}, gaps)
        for kind in get_args(Kind)
        for cell in ("lstm", "gru")
        for gaps in GAPS
    ),
    *(Case({"kind": "direct", "cell": cell}, gaps) for cell in get_args(CellName) for gaps in GAPS),
    *(Case({"kind": kind, "head": head}) for kind in get_args(Kind) for head in get_args(HeadName)),
    *(Case({"kind": kind, "layers": 3, "dropout": 0.5}, "everywhere") for kind in get_args(Kind)),
    *(
        Case({"kind": kind, "teacher_forcing": feed})
        for kind in ("recursive", "encoder_decoder")
        for feed in ("all", "none", "scheduled")
    ),
    *(Case({"initial_state": "learned", "kind": kind}) for kind in get_args(Kind)),
    *(Case(batch_size=size) for size in (2, 3, 64)),
)


def start(folder, world, cases):
    folder.mkdir()
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tests.training.ddp_job",
            str(folder),
            str(world),
            *(case.write() for case in cases),
        ],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )


def outcome(folder, job, timeout):
    _, errors = job.communicate(timeout=timeout)
    assert job.returncode == 0, errors[-3000:]
    return json.loads((folder / "found.json").read_text())


def check(tmp_path, cases, timeout):
    """Same global batches: the same learning curve and weights, up to rounding."""
    jobs = [start(tmp_path / str(world), world, cases) for world in (1, 2)]
    alone, shared = (
        outcome(tmp_path / str(w), job, timeout) for w, job in zip((1, 2), jobs, strict=True)
    )
    for case, one, two in zip(cases, alone, shared, strict=True):
        for before, after in zip(one["history"], two["history"], strict=True):
            assert after == pytest.approx(before, rel=1e-5, abs=1e-5), case
        # a weight whose gradient is rounding alone moves by what Adam makes of it
        assert two["weights"] == pytest.approx(one["weights"], rel=1e-5, abs=1e-4), case


@pytest.mark.ddp
@pytest.mark.slow
def test_two_processes_train_what_one_does(tmp_path):
    check(tmp_path, FEW, timeout=300)


@pytest.mark.devices
def test_two_processes_train_what_one_does_in_every_model(tmp_path):
    check(tmp_path, ALL, timeout=3000)
