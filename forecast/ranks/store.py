"""What the processes of a group tell each other: decisions of the first one, faults, signs of life.

A small key-value server (torch's TCPStore) in the first process, or in torchrun's agent. Nothing
of a training's arithmetic goes over it.
"""

import json
import os
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from forecast.ranks.group import OWN, Group, group

if TYPE_CHECKING:
    from torch._C._distributed_c10d import Store

LONGEST_DECISION_S = 7200.0
"""How long others wait for a decision of the first process: it may build a panel for it."""
JOIN_S = 600.0
"""How long the first process may take to open the store."""

_decided: list[tuple[str, str]] = []  # by this process, while it was alone
_asked: Counter[str] = Counter()
_clients: dict[str, "Store"] = {}
_server: list["Store"] = []
children: list[subprocess.Popen[bytes]] = []


def store(purpose: str, place: Group) -> "Store":
    """Return a connection of its own for each purpose: a waiting one holds up no other."""
    from torch._C._distributed_c10d import PrefixStore, TCPStore

    if purpose not in _clients:
        if place.hosts_store and not _server:
            _server.append(_tcp(TCPStore, place, is_master=True))
        attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
        client = _tcp(TCPStore, place, is_master=False)
        _clients[purpose] = PrefixStore(f"forecast/{attempt}", client)
    return _clients[purpose]


def _tcp(kind: Any, place: Group, *, is_master: bool) -> "Store":
    found: Store = kind(
        place.address,
        place.store_port,
        is_master=is_master,
        wait_for_workers=False,
        timeout=timedelta(seconds=JOIN_S),
    )
    return found


def agree(what: str, make: Callable[[], Any]) -> Any:
    """Return what the first process makes of it, on every process; a plain value.

    For all that may come out differently elsewhere or a moment later: the state of files, which
    model is champion, the time.
    """
    place = group()
    key = f"decided/{what}/{_asked[what]}"
    _asked[what] += 1
    if place.world == 1:
        value = make()
        _decided.append((key, json.dumps(value)))
        return value
    if place.rank == 0:
        value = make()
        store("decide", place).set(key, json.dumps(value))
        return value
    there = store("decide", place)
    there.wait([key], timedelta(seconds=LONGEST_DECISION_S))
    return json.loads(there.get(key))


def start(count: int) -> Group:
    """Start this very command `count` - 1 times more, one process per device of this machine.

    They learn what has been decided up to here.
    """
    port, store_port = _free_port(), _free_port()

    def place(rank: int) -> str:
        return f"{os.getpid()}:{rank}:{count}:{port}:{store_port}"

    os.environ[OWN] = place(0)
    there = store("decide", group())
    for key, value in _decided:
        there.set(key, value)
    command = [sys.executable, *sys.orig_argv[1:]]
    children.extend(
        subprocess.Popen(command, env={**os.environ, OWN: place(rank)}) for rank in range(1, count)
    )
    return group()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
