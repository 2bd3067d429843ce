"""`forecast predict`: writes the forecast files of the newest readings.

A plain inference loop. Under torchrun each process takes its share of the series.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from forecast.data.windows.window_index import WindowIndex
from forecast.errors import ConfigError, DataError
from forecast.forecasting.forecast_files import CutoffFolder
from forecast.forecasting.forecast_table import Provenance, forecast_table
from forecast.forecasting.published import SUCCESS, remove_stale_staging
from forecast.forecasting.spec import index_at
from forecast.forecasting.spreadsheet_safe import SAFE
from forecast.ranks import Group, group
from forecast.ranks.store import agree
from pipelines.process.alerts import tell
from pipelines.process.console import progress, say
from pipelines.process.lock import run_lock
from pipelines.process.moments import grid_index
from pipelines.steps.experiment import config_fingerprint
from pipelines.steps.forecasting_model import Model, model_now
from pipelines.steps.freshness import cutoff_now
from pipelines.steps.known_covariates_template import write_template
from pipelines.steps.prepared_panel import prepare
from pipelines.steps.remarks import Remarks
from pipelines.steps.shown_forecast import show_forecast
from pipelines.steps.vanished import in_words, vanished

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa
    from numpy.typing import NDArray

    from forecast.config import Config
    from forecast.data.panel import Panel

WINDOWS_AT_ONCE = 4096  # in memory: series of one cutoff, or cutoffs of a few series


class Job(NamedTuple):
    """What stays the same from cutoff to cutoff."""

    config: Config
    panel: Panel
    model: Model
    provenance: Provenance
    group: Group
    remarks: Remarks


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
        model = model_now(config, panel, cutoffs[0])
        remarks = _remarks(config, panel, model, is_newest=asked == (None, None, None))
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
        show_forecast(config, folders[-1], written=len(folders))
        for line in (*model.lines, *remarks.lines):
            say(f"{config.name}: {line}", error=True)
    if remarks.freshness is not None:
        tell(config, "stale", "; ".join(remarks.lines) or None)
        tell(config, "registry", "; ".join(model.lines) or None)
    if model.fault is not None and not config.monitor.allow_no_champion:
        raise model.fault
    return None


def _remarks(config: Config, panel: Panel, model: Model, *, is_newest: bool) -> Remarks:
    """Return what is to be said about these forecasts: old readings, vanished series, flags."""
    remarks = Remarks.of(
        config, panel, freshness=is_newest, horizon=model.horizon, flags=model.flags
    )
    if is_newest and model.fault is None and group().rank == 0:
        lost = vanished(config.work_folder, model.version, panel.series_ids)
        remarks = remarks.with_lost(lost, in_words(lost))
    return remarks


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
    due = agree("due", lambda: [at for at, folder in folders.items() if not folder.is_done()])
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
        missing = [cutoff for cutoff in some if not folders[cutoff].has_part()]
        for cutoff, tables in zip(missing, _tables(job, missing), strict=True):
            folders[cutoff].write_part(tables)
        if job.group.rank == 0:
            for cutoff in some:
                folders[cutoff].finish(series=count, rows=rows)
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
