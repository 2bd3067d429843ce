"""`forecast clean`: lists what the service no longer needs on disk, and removes it on request.

Only what this program made and can name is listed: a file that a user put beside it stays.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from forecast.errors import ConfigError
from forecast.forecasting.published import (
    SUCCESS,
    made_by_us,
    remove_stale_staging,
    staging_folder,
    stale_staging,
)
from forecast.text import bytes_text, counted
from pipelines.process.console import say, table
from pipelines.process.lock import run_lock
from pipelines.steps.experiment import stale_trainings
from pipelines.steps.score_tables import (
    SCORES,
    cutoff_folders,
    cutoff_of,
    read_scores,
    settled_at,
)
from pipelines.tracking.cached_bundles import files_of_bundle, unused_bundles

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from forecast.config import Config

_DAMAGED = re.compile(r".+\.damaged(-\d+)?")


class Item(NamedTuple):
    """Something that can go: what it is, its place, and the files of it that are ours."""

    what: str
    path: Path
    files: tuple[Path, ...]

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(file.stat().st_size for file in self.files)


def run(config: Config, *, forecasts_before: str | None = None, is_agreed: bool = False) -> None:
    """Print what can be removed, and remove it if agreed to.

    Parameters
    ----------
    forecasts_before
        Also published forecasts with an earlier cutoff, once their scores are settled; local time
        of the data unless it has an offset.
    is_agreed
        Remove it.

    Raises
    ------
    ConfigError
        `forecasts_before` is no time.
    LockError
        A job of this config runs.
    TrackingError
        The registry, which knows the versions in use, cannot be reached.
    """
    with (
        run_lock(config.work_folder, "clean"),
        run_lock(config.work_folder, "clean", file="predict.lock"),
        run_lock(config.work_folder, "clean", file="score.lock"),
    ):
        items = [*_bundles(config), *_trainings(config), *_damaged(config), *_staging(config)]
        if forecasts_before is not None:
            items += _forecasts(config, forecasts_before)
        if not items:
            say(f"{config.name}: nothing to remove")
            return
        _show(config, items)
        if not is_agreed:
            say("nothing is removed yet: `forecast clean CONFIG --yes` removes it")
            return
        freed = sum(item.size for item in items)
        for item in items:
            _remove(item)
        remove_stale_staging(config.output_folder, keep=())
        say(f"{config.name}: removed, {bytes_text(freed)} freed")


def _bundles(config: Config) -> Iterator[Item]:
    """Yield copies of registered bundles that are neither in use nor one step away from it."""
    for folder in unused_bundles(config):
        yield Item("copy of a registered bundle", folder, files_of_bundle(folder))


def _trainings(config: Config) -> Iterator[Item]:
    """Yield checkpoints of trainings that none can continue from."""
    from forecast.data.panel import open_panel

    if not config.panel_folder.exists():
        return
    for folder in stale_trainings(config, open_panel(config.panel_folder)):
        yield Item("checkpoints of other readings", folder, _all_files(folder))


def _damaged(config: Config) -> Iterator[Item]:
    """Yield files that were found damaged and set aside."""
    folders = [config.work_folder, *(config.work_folder / "checkpoints").glob("*/")]
    for folder in folders:
        for path in sorted(folder.glob("*.damaged*")):
            if path.is_file() and _DAMAGED.fullmatch(path.name):
                yield Item("damaged file, set aside", path, (path,))


def _staging(config: Config) -> Iterator[Item]:
    """Yield what killed runs left of forecasts that they did not publish."""
    if files := stale_staging(config.output_folder):
        folder = staging_folder(config.output_folder)
        yield Item("unfinished forecasts", folder, tuple(files))


def _forecasts(config: Config, before: str) -> Iterator[Item]:
    """Yield published forecasts from before a time whose scores no reading can change any more."""
    import pandas as pd

    from forecast.data.tables.typed_time import typed_instant

    try:
        limit = pd.Timestamp(typed_instant(before, config.data.timezone), tz="UTC")
    except ValueError as error:
        raise ConfigError(f"--forecasts-before {before!r} {error}") from error
    scores = read_scores(config.work_folder / SCORES)
    known = set() if scores is None else set(scores["cutoff"])
    settled = settled_at(config, max(known)) if known else limit
    kept = 0
    for folder in cutoff_folders(config):
        cutoff = cutoff_of(folder)
        if cutoff >= limit:
            continue
        if cutoff < settled and cutoff in known:
            files = tuple(folder / name for name in made_by_us(folder))
            yield Item("published forecasts", folder, tuple(one for one in files if one.is_file()))
        else:
            kept += 1
    if kept:
        say(
            f"{counted(kept, 'cutoff')} before {before} stay: not scored yet, or scored again "
            "when readings arrive late (monitor.window)"
        )


def _remove(item: Item) -> None:
    """Remove the files that are ours, and the folders that then hold nothing."""
    for file in sorted(item.files, key=lambda one: one.name != SUCCESS):  # no half-published folder
        file.unlink(missing_ok=True)
    folders = {parent for file in item.files for parent in file.parents}
    inside = [one for one in folders if one == item.path or item.path in one.parents]
    for folder in sorted(inside, key=lambda one: -len(one.parts)):
        with suppress(OSError):  # it holds a file of somebody else
            folder.rmdir()


def _places(items: list[Item]) -> str:
    first, last = items[0].path, items[-1].path
    return str(first) if len(items) == 1 else f"{first} to {last.name}"


def _show(config: Config, items: list[Item]) -> None:
    kinds: dict[str, list[Item]] = {}
    for item in items:
        kinds.setdefault(item.what, []).append(item)
    rows: list[list[object]] = [
        [what, len(some), bytes_text(sum(one.size for one in some)), _places(some)]
        for what, some in kinds.items()
    ]
    table(f"{config.name}: no longer needed", ["what", "count", "size", "where"], rows)


def _all_files(folder: Path) -> tuple[Path, ...]:
    return tuple(path for path in sorted(folder.rglob("*")) if path.is_file())
