"""`forecast prepare`: the tables of a config to its panel; nothing is done when nothing changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.steps.prepared_panel import prepare

if TYPE_CHECKING:
    from forecast.config import Config


def run(config: Config, *, force: bool = False) -> int | None:
    """Build, append to or keep the panel.

    Raises
    ------
    DataError
        When the tables cannot be read, or the panel cannot be written.
    """
    prepare(config, force=force)
    return None
