"""`forecast prepare`: builds, extends or keeps the panel of a config's tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.steps.prepared_panel import prepare

if TYPE_CHECKING:
    from forecast.config import Config


def run(config: Config, *, force: bool = False) -> int | None:
    """Build the panel, append to it, or keep it if nothing has changed.

    Raises
    ------
    DataError
        When the tables cannot be read, or the panel cannot be written.
    """
    prepare(config, force=force)
    return None
