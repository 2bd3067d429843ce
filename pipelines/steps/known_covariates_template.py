"""A table of known covariates over the next horizon, for a person to fill in."""

from __future__ import annotations

import csv
import json
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np

from forecast.config.table import Csv
from forecast.data.tables.columns import DEFAULT_SERIES
from forecast.errors import ConfigError, DataError
from pipelines.process.console import say
from pipelines.steps.freshness import cutoff_now

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from forecast.config import Config
    from forecast.config.data import Data
    from forecast.data.panel import Panel


def write_template(config: Config, panel: Panel, path: Path) -> None:
    """Write one row per series and step ahead, with the values that are already known.

    Raises
    ------
    ConfigError
        When the config has no known covariates.
    DataError
        When the file cannot be written.
    """
    if not panel.known:
        raise ConfigError(
            f"{config.path}: data.covariates.known is empty: there is nothing to fill in, and "
            "forecasts need no template"
        )
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow([*_keys(config.data), *panel.known])
            writer.writerows(_rows(config, panel))
    except OSError as error:
        raise DataError(f"{path}: the template cannot be written ({error.strerror})") from error
    say(f"wrote {path}: fill in {', '.join(panel.known)} and {_how_to_add(config.data, path)}")


def _is_read_alike(data: Data) -> bool:
    """Return whether the template can be read as the section says of its tables."""
    is_plain = data.csv == Csv() and data.layout == "long" and data.format != "parquet"
    is_keyed = len(data.series) < 2 and data.series_from is None and len(data.timestamp) == 1
    return is_plain and is_keyed and data.timestamp_format is None and data.available_at is None


def _keys(data: Data) -> tuple[str, str]:
    """Return the names of the columns of ids and times."""
    names = data.series if data.series and _is_read_alike(data) else (DEFAULT_SERIES,)
    return names[0], data.timestamp[0] if _is_read_alike(data) else "ds"


def _how_to_add(data: Data, path: Path) -> str:
    """Return in words how to make the template part of the source."""
    if _is_read_alike(data):
        return "add the file to data.source"
    entry: dict[str, object] = {
        "source": str(path),
        "csv": {},
        "format": "csv",
        "layout": "long",
        "series": DEFAULT_SERIES,
        "series_from": None,
        "timestamp": "ds",
        "timestamp_format": None,
        "available_at": None,
    }
    text = ", ".join(f"{key}: {json.dumps(value)}" for key, value in entry.items())
    return f"add this entry to data.source: {{{text}}}"


def _rows(config: Config, panel: Panel) -> Iterator[list[str]]:
    ahead = cutoff_now(config, panel) + 1 + np.arange(config.horizon)
    zone = ZoneInfo(config.data.timezone)
    stamps = [datetime.fromtimestamp(int(t) / 1e9, zone) for t in panel.grid.time(ahead)]
    first = len(panel.targets) + len(panel.past)
    for series, name in enumerate(panel.series_ids):
        block = panel.block(series)[:, first:]
        for step, stamp in zip(ahead - panel.start[series], stamps, strict=True):
            values = block[step].tolist() if 0 <= step < len(block) else [np.nan] * len(panel.known)
            filled = ["" if np.isnan(value) else f"{value:g}" for value in values]
            yield [name, stamp.isoformat(), *filled]
