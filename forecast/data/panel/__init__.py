"""Many series on one regular grid: in memory, on disk, and how they get there."""

from forecast.data.chunk import CannotAppendError
from forecast.data.panel.append import append_panel
from forecast.data.panel.as_of import panel_as_of, panel_now
from forecast.data.panel.build import build_panel
from forecast.data.panel.from_frame import panel_from_frame
from forecast.data.panel.panel import Panel
from forecast.data.panel.rules import PanelSpec
from forecast.data.panel.store import (
    is_tidy,
    open_panel,
    read_meta,
    remove_leftovers,
    write_panel,
)

__all__ = [
    "CannotAppendError",
    "Panel",
    "PanelSpec",
    "append_panel",
    "build_panel",
    "is_tidy",
    "open_panel",
    "panel_as_of",
    "panel_from_frame",
    "panel_now",
    "read_meta",
    "remove_leftovers",
    "write_panel",
]
