"""Converts timestamps that a person types to steps of the grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forecast.data.tables.typed_time import typed_instant
from forecast.errors import ConfigError

if TYPE_CHECKING:
    from forecast.config import Config
    from forecast.data.panel import Panel


def grid_index(config: Config, panel: Panel, text: str) -> int:
    """Return the step of the grid that holds a timestamp, local time unless with an offset.

    Raises
    ------
    ConfigError
        The text is not a time in a form that tables use, or a local time that its zone repeats or
        skips.
    """
    try:
        instant = typed_instant(text, config.data.timezone, in_days=panel.grid.in_days)
    except ValueError as error:
        raise ConfigError(f"{text!r} {error}") from error
    return int(panel.grid.index(np.array([instant]))[0])
