"""The panel of a config: reused, extended, or built, depending on what changed in the source."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from forecast.data.chunk import SeriesIds
from forecast.data.panel import (
    CannotAppendError,
    Panel,
    append_panel,
    build_panel,
    is_tidy,
    open_panel,
    read_meta,
    remove_leftovers,
)
from forecast.data.panel.ownership import META
from forecast.data.panel.rules import panel_spec
from forecast.data.tables import Joined, SourceFile, read_source, read_tables, source_files
from forecast.data.tables.appended import NewReadings, can_read_on, rest_of
from forecast.data.tables.source_changes import State, file_states, fingerprint, whats_new
from forecast.data.tables.views import views_of
from forecast.errors import DataError
from forecast.ranks import is_first
from forecast.ranks.store import agree
from forecast.text import counted
from pipelines.process.clock import minute_text
from pipelines.process.console import say
from pipelines.process.lock import run_lock
from pipelines.steps.known_now import known_now

if TYPE_CHECKING:
    from forecast.config import Config
    from forecast.config.data import Data
    from forecast.config.table import Table
    from forecast.data.tables import Reader

NOT_IN_PANEL = {"source", "panel", "holidays", "season"}
WAIT_S = 7200.0
SHARED_S = 60.0  # limit for a shared folder to show on all machines what one has written


def prepare(config: Config, *, force: bool = False) -> Panel:
    """Return the panel of the config's data, reused, extended or built as the source requires.

    It holds no reading newer than now (or `FORECAST_NOW`), and no unfinished step; readings set
    aside are printed.

    Raises
    ------
    DataError
        When the tables cannot be read, or the panel cannot be written.
    """
    return known_now(_current(config, force=force))


def _current(config: Config, *, force: bool) -> Panel:
    """Return the panel that the first of all processes has prepared."""
    panel = _prepared(config, force=force) if is_first() else None
    wanted = agree("panel", lambda: panel and panel.fingerprint)
    return panel or _opened(config, wanted)


def _prepared(config: Config, *, force: bool) -> Panel:
    source = _Source.of(config)
    if not force and _is_tidy(config, source) and (panel := _unchanged(config, source)):
        return panel
    with run_lock(config.work_folder, "prepare", file="panel.lock", wait_s=WAIT_S):
        source = _Source.of(config)  # another run may have prepared it meanwhile
        remove_leftovers(config.panel_folder)
        panel = None if force else _unchanged(config, source) or _append(config, source)
        if panel is None:
            _say_damage(config, source)
            tables = read_source(config.data, files=source.files)
            panel = build_panel(
                tables,
                config.panel_folder,
                spec=panel_spec(config.data),
                fingerprint=source.fingerprint,
                states=source.record,
            )
            _print_account(panel)
            _print_tables(panel, tables)
    return panel


@dataclass(frozen=True)
class _Source:
    """The state of the source now, and the state recorded in the existing panel.

    `settings` is the fingerprint of the settings, `before` the panel's `meta.json` (empty if there
    is none that can be read).
    """

    files: list[SourceFile]
    states: list[State]
    settings: str
    fingerprint: str
    before: dict[str, Any]

    @classmethod
    def of(cls, config: Config) -> _Source:
        data = config.data
        try:
            before = read_meta(config.panel_folder)
        except DataError:
            before = {}
        files = source_files(data.sources)
        fixed = [] if data.static_table is None else source_files(data.static_table.source)
        known = before.get("source") or {"files": ()}
        states = file_states([*files, *fixed], known["files"])
        settings = _settings(data)
        whole = fingerprint(settings, states)
        return cls(files, states, fingerprint(settings, ()), whole, before)

    @property
    def record(self) -> dict[str, Any]:
        """What the panel stores, to find out later what has changed."""
        return {"settings": self.settings, "files": self.states}


def _append(config: Config, source: _Source) -> Panel | None:
    """Append the readings that are new since the panel was made; None if it must be rebuilt."""
    known = source.before.get("source")
    if not known or known["settings"] != source.settings:
        return None
    new = whats_new(source.files, source.states, known["files"])
    if new is None or not can_read_on(config.data, new[1]):
        return None
    if views_of(config.data):
        say("prepare: several tables: the panel is built again")
        return None
    came, grew = new
    sizes = {state["path"]: state["size"] for state in known["files"]}
    ids = SeriesIds(list(source.before["series_ids"]))
    try:
        with contextlib.ExitStack() as stack:
            rest = [
                stack.enter_context(rest_of(config.data, file, sizes[file.path])) for file in grew
            ]
            reader = read_tables(
                config.data,
                files=[*rest, *came],
                series_ids=ids,
                categories=source.before["categories"],
            )
            panel = append_panel(
                NewReadings(reader),
                config.panel_folder,
                spec=panel_spec(config.data),
                fingerprint=source.fingerprint,
                states=source.record,
            )
    except CannotAppendError as reason:
        say(f"prepare: {reason}: the panel is built again")
        return None
    except DataError:
        return None  # a full build meets the fault again, and names its file
    rows = panel.account["read"] - source.before["account"]["read"]
    files = counted(len(came) + len(grew), "file")
    say(f"prepare: {counted(rows, 'new row')} from {files} appended")
    _print_account(panel)
    return panel


def _settings(data: Data) -> dict[str, Any]:
    settings = data.model_dump(mode="json", exclude=NOT_IN_PANEL)
    settings["covariates"].pop("calendar")
    if data.tables:
        settings["tables"] = [_table_settings(entry) for entry in data.source]
    return settings


def _table_settings(entry: str | Table) -> dict[str, Any] | None:
    """Return what one entry of the source sets, and how many files it means."""
    if isinstance(entry, str):
        return None
    own = entry.model_dump(mode="json")
    return own | {"source": len(source_files(entry.source))}


def _is_tidy(config: Config, source: _Source) -> bool:
    return bool(source.before) and is_tidy(config.panel_folder, source.before)


def _unchanged(config: Config, source: _Source) -> Panel | None:
    """Open the existing panel if it holds exactly this source; None otherwise, or if damaged."""
    if source.before.get("fingerprint") != source.fingerprint:
        return None
    try:
        panel = open_panel(config.panel_folder)
    except DataError:
        return None
    say(f"prepare: unchanged, {config.panel_folder} is used as it is ({_size(panel)})")
    return panel


def _say_damage(config: Config, source: _Source) -> None:
    """Print why an existing panel of exactly this source is rebuilt: it is damaged."""
    if not source.before or source.before.get("fingerprint") == source.fingerprint:
        try:
            open_panel(config.panel_folder)
        except DataError as error:
            if not (config.panel_folder / META).exists():
                return  # the first build
            what = str(error).split("; ")[0]  # without the advice: the rebuild follows it
            say(f"prepare: {what}: building it again")


def _opened(config: Config, wanted: str) -> Panel:
    """Open the panel that another process has prepared."""
    deadline = time.monotonic() + SHARED_S
    while time.monotonic() < deadline:
        with contextlib.suppress(DataError):
            if read_meta(config.panel_folder)["fingerprint"] == wanted:
                return open_panel(config.panel_folder)
        time.sleep(0.2)
    raise DataError(
        f"{config.panel_folder}: the panel that rank 0 prepared is not here; put data.panel on a "
        "folder that all machines share"
    )


def _print_account(panel: Panel) -> None:
    account = panel.account
    say(
        f"prepare: {account['read']:,} rows read = {account['kept']:,} kept + "
        f"{account['aggregated']:,} aggregated + {account['rejected']:,} rejected; {_size(panel)}"
    )
    if stray := account.get("stray", 0):
        name, time = panel.strays[0]
        say(
            f"prepare: {counted(stray, 'reading')} years from all others set aside, the first of "
            f"series {name!r} at {_minute(time)}"
        )
    for key, count in account.items():
        what, _, channel = key.partition(":")
        if channel:
            words = {
                "outside": "outside its limits",
                "infinite": "not finite",
                "fallen": "below the total before",
            }[what]
            say(f"prepare: {channel}: {counted(count, 'cell')} {words}, now missing")


def _print_tables(panel: Panel, tables: Reader | Joined) -> None:
    if isinstance(tables, Joined):
        for number, part in enumerate(tables.parts):
            account = panel.account_of(number)
            say(
                f"prepare: {part.view.name} ({', '.join(part.view.columns)}): "
                f"{account['read']:,} readings = {account['kept']:,} kept + "
                f"{account['aggregated']:,} aggregated + {account['rejected']:,} rejected"
            )


def _size(panel: Panel) -> str:
    ends = panel.start + panel.length - 1
    first, last = (
        _minute(int(panel.grid.time(step.reshape(1))[0]))
        for step in (panel.start.min(), ends.max())
    )
    return (
        f"{len(panel.series_ids):,} series, {int(panel.length.sum()):,} steps of "
        f"{panel.grid.frequency}, {first} to {last}"
    )


def _minute(time_ns: int) -> str:
    return minute_text(datetime.fromtimestamp(time_ns // 1_000_000_000, UTC))
