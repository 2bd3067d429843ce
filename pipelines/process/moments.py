"""Timestamps that a person types, as steps of the grid; it knows neither files nor jobs."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np

from forecast.errors import ConfigError

if TYPE_CHECKING:
    from forecast.config import Config
    from forecast.data.panel import Panel


def grid_index(config: Config, panel: Panel, text: str) -> int:
    """Return the step of the grid that holds a timestamp, local time unless with an offset.

    Raises
    ------
    ConfigError
        The text is no ISO 8601 timestamp.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(
            f"{text!r} is not a timestamp; write it as 2013-12-30T23:00 or with an offset"
        ) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(config.data.timezone))
    instant = np.array([round(moment.timestamp()) * 1_000_000_000], dtype=np.int64)
    return int(panel.grid.index(instant)[0])
