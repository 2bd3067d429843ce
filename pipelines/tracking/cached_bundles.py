"""Copies of registered bundles on this disk: which are no longer in use, and their files."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

from forecast.whole_files import read_object
from pipelines.tracking.last_champion import LAST
from pipelines.tracking.registry import (
    CHALLENGER,
    CHAMPION,
    MARKER,
    alias_version,
    champion_before,
)

if TYPE_CHECKING:
    from pathlib import Path

    from forecast.config import Config

_OURS = re.compile(r"\d+|\.\d+\.fetching")


def unused_bundles(config: Config) -> list[Path]:
    """Return the folders of versions that a command does not need, now or for one step back.

    Kept are champion, challenger, the champion before, and the champion that was named last; any
    other is fetched from the registry again when it is asked for.

    Raises
    ------
    TrackingError
        The registry cannot be reached or refuses.
    """
    used = {str(version) for version in _in_use(config)}
    folders = sorted((config.work_folder / "bundles").glob("*/"))
    return [one for one in folders if _OURS.fullmatch(one.name) and one.name not in used]


def _in_use(config: Config) -> set[int]:
    used = set()
    for alias in (CHAMPION, CHALLENGER):
        if (version := alias_version(config, alias)) is not None:
            used.add(version.number)
    for number in list(used):
        if (before := champion_before(config, number)) is not None:
            used.add(before)
    with suppress(OSError, ValueError, KeyError, TypeError):
        used.add(int(read_object(config.work_folder / LAST)["version"]))
    return used


def files_of_bundle(folder: Path) -> tuple[Path, ...]:
    """Return the files in a copy that the program wrote, by the copy's own list of checksums."""
    if not (folder / MARKER).is_file():  # a fetch that was cut short holds nothing else
        is_cut = folder.name.endswith(".fetching")
        return tuple(one for one in sorted(folder.rglob("*")) if is_cut and one.is_file())
    try:
        names = [MARKER, *read_object(folder / MARKER)["sha256"]]
    except (OSError, ValueError, KeyError, TypeError):
        names = [MARKER]
    return tuple(folder / name for name in names if (folder / name).is_file())
