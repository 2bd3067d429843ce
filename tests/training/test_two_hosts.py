"""Two hosts (network namespaces) under torchrun, and srun's variables, train what one process does."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.training.ddp_job import Case

pytestmark = pytest.mark.devices
JOB = ["-m", "tests.training.ddp_job"]
ADDRESSES = ("10.77.0.1", "10.77.0.2")


def start(folder, *, before=(), launch=(), variables=None):
    """Start a process of the job."""
    return subprocess.Popen(
        [*before, sys.executable, *launch, *JOB, str(folder), "2", Case().write()],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", **(variables or {})},
        stderr=subprocess.PIPE,
        text=True,
    )


def agrees(folder, jobs):
    """Whether all ended well and the weights are those of one process."""
    for job in jobs:
        _, errors = job.communicate(timeout=300)
        assert job.returncode == 0, errors[-3000:]
    alone = folder / "alone"
    alone.mkdir()
    command = [sys.executable, *JOB, str(alone), "1", Case().write()]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=True)
    one, two = (json.loads((path / "found.json").read_text())[0] for path in (alone, folder))
    return two["weights"] == pytest.approx(one["weights"], rel=1e-5, abs=1e-4)


def ip(*words):
    subprocess.run(["ip", *words], check=True)


@pytest.fixture
def hosts():
    """Two network namespaces with a cable between them."""
    if not shutil.which("ip") or os.geteuid() != 0:
        pytest.skip("needs iproute2 and the right to make network namespaces")
    names = ("forecast-a", "forecast-b")
    for name in names:
        ip("netns", "add", name)
    ip("link", "add", "fva", "type", "veth", "peer", "name", "fvb")
    for name, end, address in zip(names, ("fva", "fvb"), ADDRESSES, strict=True):
        ip("link", "set", end, "netns", name)
        ip("-n", name, "addr", "add", f"{address}/24", "dev", end)
        ip("-n", name, "link", "set", "lo", "up")
        ip("-n", name, "link", "set", end, "up")
    yield dict(zip(names, ("fva", "fvb"), strict=True))
    for name in names:
        ip("netns", "del", name)


def test_torchrun_on_two_hosts(tmp_path, hosts):
    jobs = []
    for number, (name, end) in enumerate(hosts.items()):
        launch = ["-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1"]
        launch += ["--rdzv-backend=c10d", f"--rdzv-endpoint={ADDRESSES[0]}:29400"]
        launch += [f"--rdzv-conf=is_host={int(number == 0)}", f"--local-addr={ADDRESSES[number]}"]
        variables = {"GLOO_SOCKET_IFNAME": end, "TP_SOCKET_IFNAME": end}
        before = ["ip", "netns", "exec", name]
        jobs.append(start(tmp_path, before=before, launch=launch, variables=variables))
    assert agrees(tmp_path, jobs)


def test_variables_of_srun(tmp_path):
    shared = {
        "SLURM_JOB_ID": "4242",
        "SLURM_NTASKS": "2",
        "SLURM_NODEID": "0",
        "SLURM_NNODES": "1",
        "SLURM_NODELIST": "127.0.0.1",
    }
    jobs = [
        start(tmp_path, variables={**shared, "SLURM_PROCID": rank, "SLURM_LOCALID": rank})
        for rank in ("0", "1")
    ]
    assert agrees(tmp_path, jobs)
