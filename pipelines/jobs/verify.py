"""`forecast verify`: checks that files on disk are intact, and says how to restore damaged ones.

It reads panel, forecasts, bundles, tables of scores and databases, and changes none of them.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from forecast.errors import DataError
from forecast.forecasting.published import forecast_faults
from forecast.text import counted
from forecast.whole_files import read_object
from pipelines.process.console import say, table
from pipelines.steps.gate import MONITOR
from pipelines.tracking import tracking_uri
from pipelines.tracking.registry import bundle_faults
from pipelines.tracking.store import sqlite_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from forecast.config import Config

Fault = tuple["Path", str, str]  # path, what is wrong, how to restore it


def run(config: Config) -> int | None:
    """Check the files against their checksums; print what is wrong and how to restore it.

    Returns
    -------
    int or None
        3 if something is wrong.
    """
    cutoffs = sorted(config.output_folder.glob("cutoff=*"))
    faults = [
        *_panel(config),
        *_forecasts(config, cutoffs),
        *_bundles(config),
        *_state(config),
        *_databases(config),
    ]
    if not faults:
        kept = counted(len(cutoffs), "cutoff")
        say(f"{config.name}: everything is as it was written; {kept} of forecasts")
        return None
    table(
        f"{config.name}: damaged", ["where", "what", "heals by"], [list(fault) for fault in faults]
    )
    return DataError.exit_code


def _panel(config: Config) -> Iterator[Fault]:
    from forecast.data.panel import open_panel

    if not config.panel_folder.exists():
        return
    try:
        open_panel(config.panel_folder)
    except DataError as error:
        yield config.panel_folder, str(error).split("; ")[0], f"forecast prepare {config.path}"


def _forecasts(config: Config, cutoffs: list[Path]) -> Iterator[Fault]:
    for folder in cutoffs:
        if faults := forecast_faults(folder):
            moment = folder.name.removeprefix("cutoff=").removesuffix("Z")
            day, _, clock = moment.partition("T")
            cutoff = f"{day}T{clock.replace('-', ':')}Z"
            heals = f"forecast predict {config.path} --cutoff {cutoff}"
            yield folder, "; ".join(faults), heals


def _bundles(config: Config) -> Iterator[Fault]:
    root = config.work_folder / "bundles"
    for folder in sorted(root.iterdir()) if root.is_dir() else []:
        if folder.name.isdigit() and (faults := bundle_faults(folder)):
            yield folder, "; ".join(faults), "the next verb that needs it fetches it again"


def _state(config: Config) -> Iterator[Fault]:
    for name in ("score_run.json", MONITOR):
        path = config.work_folder / name
        try:
            read_object(path)
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            yield path, f"no JSON object ({error})", f"forecast score {config.path}"
    path = config.work_folder / "scores.parquet"
    if path.exists():
        import pyarrow.parquet

        try:
            pyarrow.parquet.read_table(path)
        except (OSError, ValueError) as error:
            yield path, str(error), f"forecast score {config.path}"


def _databases(config: Config) -> Iterator[Fault]:
    store = sqlite_path(tracking_uri(config))
    heals = {
        config.work_folder / "tune.sqlite": "forecast tune starts a new search",
        config.work_folder / "ledger.sqlite": "forecast schedule run starts again from now",
    }
    if store is not None:
        heals[store] = "put a copy from before in its place"
    for path, how in heals.items():
        if path.exists() and (fault := _database_fault(path)):
            yield path, fault, how


def _database_fault(path: Path) -> str:
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as database:
            (found,) = database.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as error:
        return str(error)
    return "" if found == "ok" else str(found)
