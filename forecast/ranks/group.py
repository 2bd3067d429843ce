"""Which of how many processes this is: under torchrun, under srun, or started by `forecast` itself.

The environment decides, if it is whole: variables of a group that is not there (left in a shell
by an earlier run) make no process believe that it is one of many.
"""

import os
import socket
from functools import lru_cache
from typing import Literal, NamedTuple

OWN = "FORECAST_RANK"
"""Of processes that `start` starts: parent's id, rank, world, ports of the group and the store."""
TORCHRUN = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
SLURM = ("SLURM_JOB_ID", "SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID", "SLURM_NODEID")
_LEFT = (*TORCHRUN, "GROUP_RANK", "NODE_RANK", "TORCHELASTIC_RUN_ID", OWN)


class Group(NamedTuple):
    """A process' place among those that do one job together; by default it is alone."""

    rank: int = 0
    world: int = 1
    local_rank: int = 0
    local_world: int = 1  # processes on this machine
    node: int = 0
    address: str = "127.0.0.1"
    port: int = 0  # where the processes meet to train
    store_port: int = 0  # where they tell each other what is decided and how they are
    launcher: Literal["", "forecast", "torchrun", "slurm"] = ""

    @property
    def hosts_store(self) -> bool:
        """Whether this process holds the store: torchrun holds one itself."""
        return self.rank == 0 and self.launcher != "torchrun"


def group() -> Group:
    """Return this process' place."""
    return _own() or _torchrun() or _slurm() or Group()


def rank() -> int:
    """Return this process' rank, 0 when it is alone."""
    return group().rank


def is_first() -> bool:
    """Whether this process writes, logs and speaks for all."""
    return rank() == 0


def drop_leftovers() -> list[str]:
    """Take variables that count for nothing out of the environment, where libraries look for them.

    Returns their names.
    """
    return [] if group().world > 1 else alone()


def alone() -> list[str]:
    """Go on as if no other process was started together with this one; return what was dropped."""
    found = [name for name in _LEFT if name in os.environ]
    if "SLURM_NTASKS" in os.environ:
        found.append("SLURM_NTASKS")
    for name in found:
        del os.environ[name]
    return found


def _own() -> Group | None:
    if OWN not in os.environ:
        return None
    parent, rank, world, port, store_port = map(int, os.environ[OWN].split(":"))
    starter = os.getpid() if rank == 0 else os.getppid()
    if parent != starter:
        return None
    return Group(
        rank=rank,
        world=world,
        local_rank=rank,
        local_world=world,
        port=port,
        store_port=store_port,
        launcher="forecast",
    )


def _torchrun() -> Group | None:
    """Return the place that torchrun gave; its agent holds a store as long as the group lives."""
    found = _numbers(TORCHRUN, text=("MASTER_ADDR",))
    if found is None or "TORCHELASTIC_RUN_ID" not in os.environ or int(found["WORLD_SIZE"]) < 2:
        return None
    address, port = str(found["MASTER_ADDR"]), int(found["MASTER_PORT"])
    if not _listens(address, port):
        return None
    local_world = int(found["LOCAL_WORLD_SIZE"])
    return Group(
        rank=int(found["RANK"]),
        world=int(found["WORLD_SIZE"]),
        local_rank=int(found["LOCAL_RANK"]),
        local_world=local_world,
        node=int(os.environ.get("GROUP_RANK", "0")),
        address=address,
        port=port,
        store_port=port,
        launcher="torchrun",
    )


def _slurm() -> Group | None:
    """Return the place that srun gave; a batch script or an interactive shell has none."""
    found = _numbers(SLURM)
    if found is None or int(found["SLURM_NTASKS"]) < 2 or _is_shell():
        return None
    world, nodes = int(found["SLURM_NTASKS"]), int(os.environ.get("SLURM_NNODES", "1"))
    hosts = os.environ.get("SLURM_STEP_NODELIST") or os.environ.get("SLURM_NODELIST", "127.0.0.1")
    port = 15_000 + int(found["SLURM_JOB_ID"]) % 10_000
    return Group(
        rank=int(found["SLURM_PROCID"]),
        world=world,
        local_rank=int(found["SLURM_LOCALID"]),
        local_world=world // nodes,
        node=int(found["SLURM_NODEID"]),
        address=os.environ.get("MASTER_ADDR") or first_host(hosts),
        port=int(os.environ.get("MASTER_PORT") or port),
        store_port=int(os.environ.get("MASTER_PORT") or port) + 10_000,
        launcher="slurm",
    )


def first_host(hosts: str) -> str:
    """Return the first of SLURM's list of hosts.

    >>> [first_host(one) for one in ("gpu7", "gpu[07-09,12],cpu1", "a1,a2")]
    ['gpu7', 'gpu07', 'a1']
    """
    head, bracket, rest = hosts.partition("[")
    if not bracket or "," in head:
        return head.split(",")[0]
    return head + rest.replace("-", ",").replace("]", ",").split(",")[0]


def _is_shell() -> bool:
    if os.environ.get("SLURM_JOB_NAME") in ("bash", "interactive"):
        return True
    return os.environ.get("ENVIRONMENT") == "BATCH" and "SLURM_STEP_ID" not in os.environ


def _numbers(names: tuple[str, ...], text: tuple[str, ...] = ()) -> dict[str, str] | None:
    """Return the variables, if all are there and numbers where they should be."""
    found = {name: os.environ.get(name, "") for name in names}
    wrong = [name for name, value in found.items() if name not in text and not value.isdigit()]
    return None if wrong or not all(found.values()) else found


@lru_cache
def _listens(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=10):
            return True
    except OSError:
        return False
