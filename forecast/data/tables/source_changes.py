"""Tells whether a source has changed, by a state per file and a fingerprint of all."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forecast.data.chunk import SCHEMA
from forecast.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from forecast.data.tables import SourceFile

PIECE = 1 << 20
State = dict[str, Any]
"""Path, size, modified_ns and digest of one file, as JSON holds them."""


def file_states(files: Sequence[SourceFile], known: Iterable[State] = ()) -> list[State]:
    """State of each file; one that has its known size and time of change is not read again."""
    before = {state["path"]: state for state in known}
    return [_state(file, before.get(redact(file.path))) for file in files]


def _state(file: SourceFile, before: State | None) -> State:
    state: State = {"path": redact(file.path), "size": file.size, "modified_ns": file.modified_ns}
    if before is not None and all(before[key] == value for key, value in state.items()):
        return before
    if file.is_remote:
        return state | {"digest": f"modified {file.modified_ns}"}
    return state | {"digest": digest(Path(file.path), file.size)}


def digest(path: Path, size: int) -> str:
    """Digest of the first `size` bytes of a file, all of them: a correction may stand anywhere."""
    found = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        left = size
        while left and (block := file.read(min(left, PIECE))):
            found.update(block)
            left -= len(block)
    return found.hexdigest()


def has_grown(path: Path, before: State) -> bool:
    """Whether a file still begins with what was read of it, whole lines, and goes on behind it."""
    size = int(before["size"])
    if not size or path.stat().st_size <= size:
        return False
    with path.open("rb") as file:
        file.seek(size - 1)
        if file.read(1) != b"\n":
            return False
    return bool(digest(path, size) == before["digest"])


def whats_new(
    files: Sequence[SourceFile], states: Sequence[State], known: Sequence[State]
) -> tuple[list[SourceFile], list[SourceFile]] | None:
    """Files that came, and files that grew, since the `known` states; None if any other changed.

    States of other files than `files` (a table of static covariates) must be as they were.
    """
    now = {state["path"]: state for state in states}
    before = {state["path"]: state for state in known}
    others = now.keys() - {redact(file.path) for file in files}
    if not before or not before.keys() <= now.keys():
        return None
    if any(now[path]["digest"] != before.get(path, {}).get("digest") for path in others):
        return None
    came, grew = [], []
    for file in files:
        old, new = before.get(redact(file.path)), now[redact(file.path)]
        if old is None:
            came.append(file)
        elif (old["size"], old["digest"]) != (new["size"], new["digest"]):
            if file.is_remote or not has_grown(Path(file.path), old):
                return None
            grew.append(file)
    return came, grew


def fingerprint(settings: Mapping[str, Any], states: Iterable[State]) -> str:
    """Fingerprint of settings and contents; where the files lie does not count."""
    content = {
        "schema": SCHEMA,
        "settings": settings,
        "files": [[Path(s["path"]).name, s["size"], s["digest"]] for s in states],
    }
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
