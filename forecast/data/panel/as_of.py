"""A panel as it stood at an earlier instant, for replays; changes no file."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from forecast.errors import DataError

if TYPE_CHECKING:
    from forecast.data.panel.panel import Panel


def panel_as_of(panel: Panel, instant_ns: int) -> Panel:
    """Return the panel without the readings that came after an instant.

    A reading counts as known at its timestamp. Where several readings make one step, the step is
    known when it is over: an earlier look would see later readings in its mean. Known covariates
    stay, for they were known before; vintages say what was known of every row.

    Parameters
    ----------
    panel
        Its memory is not written to.
    instant_ns
        Epoch nanoseconds, UTC.

    Raises
    ------
    DataError
        When no series had a reading by then.
    """
    newest = panel.grid.known_by(instant_ns)
    if panel.account.get("aggregated", 0):
        newest -= 1
    stop = np.clip(newest + 1 - panel.start, 0, panel.length)
    if not stop.any():
        when = np.datetime_as_string(np.datetime64(instant_ns, "ns"), unit="m")
        raise DataError(f"no reading is as old as {when}Z; choose a later instant")
    fingerprint = f"{panel.fingerprint}@{newest}"
    if not panel.known and panel.vintages is None:
        return replace(panel, length=stop, fingerprint=fingerprint)
    values = np.array(panel.values)
    if panel.vintages is not None:
        values = panel.vintages.as_of(np.arange(len(values)), instant_ns)
    watched = len(panel.targets) + len(panel.past)
    for offset, length, first in zip(panel.offset, panel.length, stop, strict=True):
        values[offset + first : offset + length, :watched] = np.nan
    return replace(panel, values=values, fingerprint=fingerprint)
