"""A process is one of many only where the environment is whole and its group is there."""

import socket

import pytest

from forecast.ranks import alone, drop_leftovers, group
from forecast.ranks.group import OWN, SLURM, TORCHRUN

SRUN = {
    "SLURM_JOB_ID": "123457",
    "SLURM_PROCID": "5",
    "SLURM_NTASKS": "8",
    "SLURM_LOCALID": "1",
    "SLURM_NODEID": "1",
    "SLURM_NNODES": "2",
    "SLURM_NODELIST": "gpu[07-08]",
}


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch):
    for name in (*TORCHRUN, *SLURM, OWN, "TORCHELASTIC_RUN_ID", "SLURM_JOB_NAME", "ENVIRONMENT"):
        monkeypatch.delenv(name, raising=False)


def set_all(monkeypatch, variables):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def torchrun():
    """Variables as torchrun sets them, with someone listening where its agent would."""
    with socket.create_server(("127.0.0.1", 0)) as agent:
        port = agent.getsockname()[1]
        yield {
            "RANK": "3",
            "WORLD_SIZE": "4",
            "LOCAL_RANK": "1",
            "LOCAL_WORLD_SIZE": "2",
            "GROUP_RANK": "1",
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
            "TORCHELASTIC_RUN_ID": "none",
        }


def test_alone_without_variables():
    assert group().world == 1
    assert group().launcher == ""


def test_torchrun(monkeypatch, torchrun):
    set_all(monkeypatch, torchrun)
    place = group()
    assert (place.rank, place.world, place.local_rank, place.local_world) == (3, 4, 1, 2)
    assert (place.node, place.launcher, place.hosts_store) == (1, "torchrun", False)


@pytest.mark.parametrize("left_out", [*TORCHRUN, "TORCHELASTIC_RUN_ID"])
def test_torchrun_in_part_is_nobody(monkeypatch, torchrun, left_out):
    set_all(monkeypatch, {k: v for k, v in torchrun.items() if k != left_out})
    assert group().world == 1


def test_torchrun_whose_agent_is_gone_is_nobody(monkeypatch, torchrun):
    with socket.create_server(("127.0.0.1", 0)) as other:
        free = other.getsockname()[1]
    set_all(monkeypatch, torchrun | {"MASTER_PORT": str(free)})
    assert group().world == 1
    assert set(drop_leftovers()) >= {"RANK", "WORLD_SIZE", "TORCHELASTIC_RUN_ID"}
    assert drop_leftovers() == []


def test_leftovers_are_dropped(monkeypatch):
    set_all(monkeypatch, {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1"})
    assert group().rank == 0
    assert drop_leftovers() == ["RANK", "WORLD_SIZE", "LOCAL_RANK"]


def test_a_group_that_is_there_keeps_its_variables(monkeypatch, torchrun):
    set_all(monkeypatch, torchrun)
    assert drop_leftovers() == []
    assert group().world == 4
    assert "RANK" in alone()
    assert group().world == 1


def test_srun(monkeypatch):
    set_all(monkeypatch, SRUN)
    place = group()
    assert (place.rank, place.world, place.local_rank, place.local_world) == (5, 8, 1, 4)
    assert (place.address, place.port, place.launcher) == ("gpu07", 18_457, "slurm")


@pytest.mark.parametrize("shell", [{"SLURM_JOB_NAME": "bash"}, {"ENVIRONMENT": "BATCH"}])
def test_a_shell_of_slurm_is_nobody(monkeypatch, shell):
    set_all(monkeypatch, SRUN | shell)
    assert group().world == 1
    assert "SLURM_NTASKS" in drop_leftovers()


def test_processes_of_another_parent_are_nobody(monkeypatch):
    monkeypatch.setenv(OWN, "1:1:2:5000:5001")
    assert group().world == 1
