"""`forecast predict`: writes the forecast files of the newest readings.

A plain inference loop. Under torchrun each process takes its share of the series.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from forecast.data.windows.windows import WindowIndex
from forecast.errors import ConfigError, DataError, ForecastError, ModelError, TrackingError
from forecast.forecasting.forecast_files import CutoffFolder
from forecast.forecasting.forecast_table import Provenance, forecast_table, quantile_columns
from forecast.forecasting.published import SUCCESS, read_success, remove_stale_staging
from forecast.forecasting.spec import index_at
from forecast.forecasting.spreadsheet_safe import SAFE
from forecast.forecasting.stored_forecasts import first_rows, flagged_series
from forecast.ranks import Group, group
from forecast.ranks.store import agree
from forecast.text import decimals_of
from pipelines.process.alerts import tell
from pipelines.process.console import progress, say, table
from pipelines.process.lock import run_lock
from pipelines.process.moments import grid_index
from pipelines.steps.experiment import config_fingerprint
from pipelines.steps.freshness import cutoff_now
from pipelines.steps.known_covariates_template import write_template
from pipelines.steps.prepared_panel import prepare
from pipelines.steps.remarks import Remarks
from pipelines.steps.stand_in import FLAG, VERSION, StandIn
from pipelines.steps.vanished import in_words, vanished
from pipelines.tracking import champion_bundle
from pipelines.tracking.last_champion import champion_or_last
from pipelines.tracking.registry import is_cached

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa
    from numpy.typing import NDArray

    from forecast.config import Config
    from forecast.data.panel import Panel
    from forecast.data.windows.predictor import Predictor

WINDOWS_AT_ONCE = 4096  # in memory: series of one cutoff, or cutoffs of a few series
STALE_REGISTRY = "stale_registry"
SHOWN_SERIES = 4
SHOWN_STEPS = 24


class Job(NamedTuple):
    """What stays the same from cutoff to cutoff."""

    config: Config
    panel: Panel
    model: Model
    provenance: Provenance
    group: Group
    remarks: Remarks


class Model(NamedTuple):
    """What forecasts, and what holds of all its rows."""

    predictor: Predictor
    horizon: int
    version: str
    run_id: str
    flags: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    fault: ForecastError | None = None  # why the champion does not forecast


def run(
    config: Config,
    *,
    cutoff: str | None = None,
    first: str | None = None,
    last: str | None = None,
    template: Path | None = None,
) -> int | None:
    """Forecast from the newest readings, from one cutoff, or from every cutoff of a span.

    Parameters
    ----------
    cutoff
        Last timestamp to use; local time of the data unless it has an offset.
    first, last
        First and last cutoff of a backfill.
    template
        Write the known covariates' table for the horizon here instead of forecasting.

    Raises
    ------
    ConfigError
        Options that exclude each other, or cutoffs outside the readings.
    DataError
        The tables or the panel cannot be read, or the forecasts cannot be written.
    ModelError
        There is no champion, or its bundle is damaged or does not fit the data.
    TrackingError
        The tracking store cannot be reached, and no champion is known.
    LockError
        Another `predict` of this config runs.
    """
    with run_lock(config.work_folder, "predict", file="predict.lock"):
        panel = prepare(config)
        if template is not None:
            write_template(config, panel, template)
            return None
        asked = (cutoff, first, last)
        cutoffs = agree("cutoffs", lambda: _cutoffs(config, panel, asked).tolist())
        model = _model(config, panel, cutoffs[0])
        is_newest = cutoff is None and first is None and last is None
        remarks = Remarks.of(
            config, panel, freshness=is_newest, horizon=model.horizon, flags=model.flags
        )
        if is_newest and model.fault is None and group().rank == 0:
            lost = vanished(config.work_folder, model.version, panel.series_ids)
            remarks = remarks.with_lost(lost, in_words(lost))
        provenance = Provenance(
            model_version=model.version,
            run_id=model.run_id,
            config_fingerprint=config_fingerprint(config),
            data_fingerprint=panel.fingerprint,
            condition=remarks.digest,
        )
        job = Job(config, panel, model, provenance, group(), remarks)
        folders = _write_all(job, cutoffs)
    if job.group.rank == 0:
        _show(config, folders[-1], written=len(folders))
        for line in (*model.lines, *remarks.lines):
            say(f"{config.name}: {line}", error=True)
    if remarks.freshness is not None:
        tell(config, "stale", "; ".join(remarks.lines) or None)
        tell(config, "registry", "; ".join(model.lines) or None)
    if model.fault is not None and not config.monitor.allow_no_champion:
        raise model.fault
    return None


def _model(config: Config, panel: Panel, oldest: int) -> Model:
    """Return the champion, the last known one where the registry is away, or the stand-in."""
    answer = agree("champion", lambda: _asked(config))
    if "fault" in answer:
        fault = (ModelError if answer["kind"] == ModelError.exit_code else TrackingError)(
            f"{answer['fault']}; a seasonal naive forecast is written in its place, flagged {FLAG}"
        )
        stand_in = StandIn.fit(config, panel, oldest)
        if stand_in is None:
            raise type(fault)(answer["fault"])
        told = (str(fault),) if config.monitor.allow_no_champion else ()
        return Model(stand_in, config.horizon, VERSION, "", (), told, fault)
    from forecast.forecasting.forecaster import Forecaster

    version, run_id = answer["version"], answer["run_id"]
    folder = config.work_folder.absolute() / "bundles" / str(version)
    if not is_cached(folder, run_id):  # a machine of its own
        folder = champion_bundle(config, version).path
    forecaster = Forecaster.load(folder)
    model = Model(forecaster, forecaster.spec.horizon, str(version), run_id)
    if not answer["unasked"]:
        return model
    line = (
        f"{answer['unasked']}; version {version}, the last known champion, forecasts in the "
        f"meantime, flagged {STALE_REGISTRY}"
    )
    return model._replace(flags=(STALE_REGISTRY,), lines=(line,))


def _asked(config: Config) -> dict[str, Any]:
    """Return which version is the champion, or why there is none, as plain values."""
    try:
        found = champion_or_last(config)
    except (ModelError, TrackingError) as fault:
        return {"fault": str(fault), "kind": fault.exit_code}
    bundle = found.bundle
    return {"version": bundle.version, "run_id": bundle.run_id, "unasked": found.unasked}


def _cutoffs(
    config: Config, panel: Panel, asked: tuple[str | None, str | None, str | None]
) -> NDArray[np.int64]:
    """Return the grid indices of the cutoffs asked for."""
    cutoff, first, last = asked
    if cutoff is not None and (first or last):
        raise ConfigError("--cutoff and --from/--to exclude each other; give one of them")
    newest = cutoff_now(config, panel)
    if cutoff is not None:
        first = last = cutoff
    stop = newest if last is None else grid_index(config, panel, last)
    start = stop if first is None else grid_index(config, panel, first)
    oldest = int(panel.start.min())
    if start > stop:
        raise ConfigError(f"--from {first} lies after --to {last or 'the newest reading'}")
    if stop > newest or start < oldest:
        wrong, index = (last, newest) if stop > newest else (first, oldest)
        which = "after the newest" if stop > newest else "before the oldest"
        raise DataError(
            f"cutoff {wrong} lies {which} reading, {_local_text(config, panel, index)}; "
            "choose one within the readings"
        )
    return np.arange(start, stop + 1, dtype=np.int64)


def _local_text(config: Config, panel: Panel, index: int) -> str:
    instant = int(panel.grid.time(np.array([index]))[0]) / 1e9
    return datetime.fromtimestamp(instant, ZoneInfo(config.data.timezone)).isoformat()


def _write_all(job: Job, cutoffs: Sequence[int]) -> list[Path]:
    """Write every cutoff that is not there yet; return the folders of all, oldest first."""
    folders = {cutoff: _folder(job, cutoff) for cutoff in cutoffs}
    due = agree("due", lambda: [one for one, folder in folders.items() if not folder.is_done()])
    if job.model.fault is not None:  # what a champion has written is better
        due = [cutoff for cutoff in due if not (folders[cutoff].path / SUCCESS).exists()]
    if job.group.rank == 0:
        remove_stale_staging(
            job.config.output_folder, keep=[folders[cutoff].staging for cutoff in due]
        )
    count = len(job.panel.series_ids)
    rows = count * len(job.panel.targets) * job.model.horizon
    at_once = max(1, WINDOWS_AT_ONCE // count)
    for begin in range(0, len(due), at_once):
        some = due[begin : begin + at_once]
        missing = [one for one in some if not folders[one].has_part()]
        for one, rows_of_one in zip(missing, _tables(job, missing), strict=True):
            folders[one].write_part(rows_of_one)
        if job.group.rank == 0:
            for one in some:
                folders[one].finish(series=count, rows=rows)
            if len(due) > at_once:
                say(f"cutoffs written: {min(begin + at_once, len(due))}/{len(due)}")
    return [folder.path for folder in folders.values()]


def _folder(job: Job, cutoff: int) -> CutoffFolder:
    return CutoffFolder(
        job.config.output_folder,
        int(job.panel.grid.time(np.array([cutoff]))[0]),
        provenance=job.provenance,
        file_format=job.config.output.format,
        rank=job.group.rank,
        world=job.group.world,
        facts=job.remarks.facts | ({SAFE: True} if job.config.output.spreadsheet_safe else {}),
    )


def _tables(job: Job, cutoffs: list[int]) -> Iterator[Iterable[pa.Table]]:
    """Forecast this process' series at some cutoffs; yield the tables of each cutoff."""
    place, count = job.group, len(job.panel.series_ids)
    first, stop = (count * rank // place.world for rank in (place.rank, place.rank + 1))
    if len(cutoffs) == 1:
        yield _streamed(job, cutoffs[0], first, stop)
    elif cutoffs:  # all series of several cutoffs fit: they share the forward passes
        rows = _forecast(job, cutoffs, first, stop)
        each = rows.num_rows // len(cutoffs)
        for position in range(len(cutoffs)):
            yield [rows.slice(position * each, each)]


def _streamed(job: Job, cutoff: int, first: int, stop: int) -> Iterator[pa.Table]:
    """Forecast series `first` to `stop - 1` at one cutoff, some at a time."""
    pieces = range(first, max(stop, first + 1), WINDOWS_AT_ONCE)
    with _told(job, stop - first) as done:
        for begin in pieces:
            end = min(begin + WINDOWS_AT_ONCE, stop)
            yield _forecast(job, [cutoff], begin, end)
            done(end - first)


def _told(job: Job, count: int) -> AbstractContextManager[Callable[[int], None]]:
    """Show how far the forecasts are, where that takes long."""
    if job.group.rank > 0 or count <= WINDOWS_AT_ONCE:
        return nullcontext(lambda _: None)
    return progress(f"forecasting {job.config.name}, series", count)


def _forecast(job: Job, cutoffs: list[int], first: int, stop: int) -> pa.Table:
    """Forecast series `first` to `stop - 1`, of one cutoff after the other, as rows."""
    panel = job.panel.part(first, max(stop, first + 1))  # with too few series, one for show
    parts = [index_at(panel, cutoff) for cutoff in cutoffs]
    index = WindowIndex(*(np.concatenate(both) for both in zip(*parts, strict=True)))
    answer = job.model.predictor.predict(panel, index)
    answer = replace(answer, flag=job.remarks.on(answer.flag, answer.series + first))
    rows = forecast_table(answer, panel, job.provenance)
    return rows if stop > first else rows.slice(0, 0)


def _show(config: Config, path: Path, *, written: int) -> None:
    """Print the newest cutoff's first forecasts as a table and say where the files are."""
    success = read_success(path)
    total = success["series"] * len(config.data.targets)
    rows = first_rows(path, SHOWN_SERIES * (success["rows"] // total))
    names = list(dict.fromkeys((row["unique_id"], row["target"]) for row in rows))
    low, high = _outer_levels(rows[0])
    zone = ZoneInfo(config.data.timezone)
    digits = decimals_of(row[high] - row[low] if low else abs(row["y_hat"]) / 100 for row in rows)
    lines: dict[int, list[object]] = {}
    for row in rows:
        if row["step"] <= SHOWN_STEPS:
            stamp = row["ds"].astimezone(zone).strftime("%Y-%m-%d %H:%M")
            band = f" [{row[low]:z,.{digits}f}, {row[high]:z,.{digits}f}]" if low else ""
            lines.setdefault(row["step"], [stamp]).append(f"{row['y_hat']:z,.{digits}f}{band}")
    share = round(100 * (float(high[1:]) - float(low[1:]))) if low else 0
    title = f"{config.name}: forecast" + (f" with {share} % interval" if low else "")
    heads = [one if len(config.data.targets) == 1 else f"{one} {what}" for one, what in names]
    table(title, [f"time ({config.data.timezone})", *heads], list(lines.values()))
    if total > len(names):
        say(f"and {total - len(names)} more series")
    for flag, flagged in flagged_series(path).items():
        more = f" and {len(flagged) - 5} more" if len(flagged) > 5 else ""
        say(f"flag {flag}: {', '.join(flagged[:5])}{more}")
    say(f"wrote {path}" if written == 1 else f"wrote {written} cutoffs up to {path}")


def _outer_levels(row: dict[str, object]) -> tuple[str, str]:
    """Return the columns of the 80 % interval, else of the outermost quantiles; empty if none."""
    columns = quantile_columns(row)
    if {"q0.1", "q0.9"} <= set(columns):
        return "q0.1", "q0.9"
    return (columns[0], columns[-1]) if len(columns) > 1 else ("", "")
