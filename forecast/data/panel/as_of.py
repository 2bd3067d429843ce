"""A panel as it was known at an instant."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from forecast.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from forecast.data.panel.panel import Panel


def panel_as_of(panel: Panel, instant_ns: int) -> Panel:
    """Return the panel without the readings that came after an earlier instant, for a replay.

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
    if panel.vintages is not None:
        rows = np.arange(len(panel.values))
        panel = replace(panel, values=panel.vintages.as_of(rows, instant_ns))
    return panel_now(panel, instant_ns)


def panel_now(panel: Panel, instant_ns: int) -> Panel:
    """Return the panel without steps that are not over, or not begun, at the present instant.

    As `panel_as_of`, but every vintage that is there is known; a panel without such steps is
    returned as it is.

    Raises
    ------
    DataError
        When every reading lies after the instant.
    """
    newest = panel.grid.known_by(instant_ns)
    if panel.account.get("aggregated", 0):
        newest -= 1
    stop = np.clip(newest + 1 - panel.start, 0, panel.length)
    if not stop.any():
        when = np.datetime_as_string(np.datetime64(instant_ns, "ns"), unit="m")
        raise DataError(
            f"no reading is as old as {when}Z; choose a later instant, or check data.timezone and "
            "the clock of this machine"
        )
    if (panel.observed_end() <= stop).all():
        return panel
    return replace(cut_after(panel, stop), fingerprint=f"{panel.fingerprint}@{newest}")


def cut_after(panel: Panel, stop: NDArray[np.int64]) -> Panel:
    """Return the panel with only the first `stop` steps (S,) of each series' readings.

    Known covariates stay. Only the pages that change are copied.
    """
    if not panel.known and panel.vintages is None:
        return replace(panel, length=np.minimum(panel.length, stop))
    values = _own_copy(panel.values)
    watched = len(panel.targets) + len(panel.past)
    for offset, length, first in zip(panel.offset, panel.length, stop, strict=True):
        values[offset + first : offset + length, :watched] = np.nan
    return replace(panel, values=values)


def _own_copy(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return values that can be written to; a file is mapped again, copied where written."""
    if isinstance(values, np.memmap) and values.filename is not None:
        try:
            return np.memmap(
                values.filename, np.float32, "c", offset=values.offset, shape=values.shape
            )
        except OSError:  # another process has just replaced the panel
            pass
    return np.array(values)
