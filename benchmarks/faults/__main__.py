"""Kill every verb, fill its disk: what a rerun makes must be what an undisturbed run makes.

    python -m benchmarks.faults --kills 220            SIGKILL, SIGTERM and Ctrl-C
    python -m benchmarks.faults --full-disks 84        needs root: the disk is a tmpfs of its size
    python -m benchmarks.faults --only train score     some verbs

Each case: a site in its state, the verb with a fault before its n-th effect or at a random time,
the verb again. Then forecasts, scores, panel, versions, aliases and metrics must equal those of an
undisturbed run (or of two, if the fault came when all was done), no run may be left running, and no
file may lie there that otherwise would not.
Prints every difference and a table; the exit code is 1 where there was one.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .process import call, warm
from .site import CASES, NOW, Case, differences, make_states, restore, state

SIGNALS = (signal.SIGKILL,) * 6 + (signal.SIGTERM, signal.SIGINT)
DISK_BYTES = 256 << 20


def main() -> int:
    """Run the faults that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--full-disks", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", default=[case.name for case in CASES])
    options = parser.parse_args()
    os.environ |= {"FORECAST_NOW": NOW, "OMP_NUM_THREADS": "1"}
    cases = [case for case in CASES if case.name in options.only]
    warm()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder) / "disk" / "site"
        with _disk(work.parent, is_wanted=bool(options.full_disks)):
            make_states(work, Path(folder) / "kept", lambda words: call(work, words).code)
            ran = _faults(options, cases, work, Path(folder) / "kept")
            faulty = sum(map(bool, ran))
    print(f"{len(ran)} faults, {faulty} with a difference")
    return int(bool(faulty))


def _faults(options: Any, cases: list[Case], work: Path, kept: Path) -> list[list[str]]:
    chance, found = random.Random(options.seed), []
    totals: dict[str, Counter[str]] = {}
    for case in cases:
        restore(kept / case.state, work)
        used = _used(work)
        whole = call(work, case.arguments)
        grown = max(1, _used(work) - used)
        wanted = [state(work)]
        again = call(work, case.arguments)
        wanted.append(state(work))  # where the fault came after the last effect
        if whole.code or again.code != case.again:
            print(f"{case.name}: ended with {whole.code}, again {again.code}\n{whole.output}")
            found.append(["undisturbed"])
            continue
        kills, disks = options.kills // len(cases), options.full_disks // len(cases)
        told = totals.setdefault(case.name, Counter(effects=whole.effects))
        for place in _places(whole.effects, kills, chance):
            restore(kept / case.state, work)
            number = chance.choice(SIGNALS)
            if chance.random() < 0.7:
                ended = call(work, case.arguments, at_effect=place, number=number)
                where = f"{signal.Signals(number).name} before effect {place}"
            else:
                after = chance.random() * whole.seconds
                ended = call(work, case.arguments, after_s=after, number=number)
                where = f"{signal.Signals(number).name} after {after:.2f} s"
            told["kills"] += 1
            found.append(_judged(case, where, ended, work, wanted))
        for part in range(disks):
            restore(kept / case.state, work)
            room = int(grown * part / max(1, disks)) + chance.randrange(4096)
            with _full(work.parent, room):
                ended = call(work, case.arguments)
            told["full disks"] += 1
            faults = _told_of_disk(ended)
            found.append(faults + _judged(case, f"{room:,} bytes left", ended, work, wanted))
            if faults:
                print(f"{case.name}, {room:,} bytes left: {faults}\n{ended.output[-600:]}")
        told["differences"] = sum(map(bool, found)) - sum(
            one["differences"] for name, one in totals.items() if name != case.name
        )
        print(f"{case.name}: {dict(told)}", flush=True)
    return found


def _places(effects: int, count: int, chance: random.Random) -> Iterator[int]:
    """Yield `count` effects, all different as far as there are so many."""
    while count > 0:
        some = chance.sample(range(1, effects + 1), min(count, effects))
        yield from some
        count -= len(some)


def _judged(
    case: Case, where: str, ended: Any, work: Path, wanted: list[dict[str, Any]]
) -> list[str]:
    """Run the verb again and name what differs."""
    again = call(work, case.arguments)
    done = (0, case.again)
    faults = [] if again.code in done else [f"the rerun ended with {again.code}"]
    if "fault of this program" in ended.output + again.output:
        faults.append("a fault of this program")
    found = state(work)
    faults += min((differences(found, one) for one in wanted), key=len)
    if faults:
        tail = "\n    ".join((ended.output[-300:] + "\n--\n" + again.output[-700:]).splitlines())
        print(f"{case.name}, {where} (ended {ended.code}):\n  " + "\n  ".join(faults[:8]))
        print(f"    {tail}", flush=True)
    return faults


def _told_of_disk(ended: Any) -> list[str]:
    """Name what is wrong with how a call ended on a full disk."""
    if ended.code == 0:
        return []
    words = ("No space left", "disk is full", "database or disk is full")
    if ended.code not in (1, 3, 4, 5):
        return [f"exit code {ended.code}"]
    return [] if any(one in ended.output for one in words) else ["no word of the disk"]


def _used(work: Path) -> int:
    return sum(path.stat().st_size for path in work.rglob("*") if path.is_file())


class _disk:  # noqa: N801 - a context manager
    """A disk of its own below a folder, if wanted."""

    def __init__(self, folder: Path, *, is_wanted: bool) -> None:
        self.folder, self.is_wanted = folder, is_wanted

    def __enter__(self) -> None:
        self.folder.mkdir(parents=True)
        if self.is_wanted:
            size = f"size={DISK_BYTES}"
            subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", self.folder], check=True)

    def __exit__(self, *_: object) -> None:
        if self.is_wanted:
            subprocess.run(["umount", self.folder], check=True)


class _full:  # noqa: N801 - a context manager
    """The disk with so many bytes left."""

    def __init__(self, folder: Path, room: int) -> None:
        self.folder, self.room = folder, room

    def __enter__(self) -> None:
        taken = shutil.disk_usage(self.folder).used
        self._size(taken + self.room)

    def __exit__(self, *_: object) -> None:
        self._size(DISK_BYTES)

    def _size(self, size: int) -> None:
        command = ["mount", "-o", f"remount,size={size}", self.folder]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    sys.exit(main())
