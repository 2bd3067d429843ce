"""Remarks on the forecasts of a run: old data, another horizon, vanished series.

Each remark is a flag on the rows it concerns, a line in the log, or an entry of the success file.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from forecast.forecasting.fallback import join_flags
from pipelines.process.clock import minute_text
from pipelines.steps.freshness import Freshness

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from forecast.config import Config
    from forecast.data.panel import Panel


@dataclass(frozen=True)
class Remarks:
    """Remarks on the forecasts of one run.

    Attributes
    ----------
    marks
        Flags of each series (S,), or empty texts.
    lines
        For the log.
    facts
        For the success file.
    freshness
        None if the user chose the cutoffs, whose age is then intended.
    """

    marks: NDArray[np.str_]
    lines: tuple[str, ...]
    facts: dict[str, Any]
    freshness: Freshness | None

    @classmethod
    def of(
        cls,
        config: Config,
        panel: Panel,
        *,
        freshness: bool,
        horizon: int,
        flags: Sequence[str] = (),
    ) -> Remarks:
        """Collect the remarks on a run.

        Parameters
        ----------
        freshness
            Whether to check the age of the readings, as for a forecast from the newest ones.
        horizon
            Steps that the model forecasts.
        flags
            Flags of every row.
        """
        marks = np.array([""] * len(panel.series_ids))
        lines: list[str] = []
        facts: dict[str, Any] = {}
        fresh = None
        if freshness:
            fresh = Freshness.of(config, panel)
            marks = fresh.marks
            facts = {"newest_reading": minute_text(fresh.newest), "age": fresh.age}
            facts["stale_series"] = int((marks != "").sum())
            if said := fresh.said(panel.series_ids):
                lines.append(said)
        if horizon != config.horizon:
            flags = [*flags, f"horizon:{horizon}"]
            lines.append(
                f"windows.horizon is {config.horizon} steps and the model forecasts {horizon}: "
                "these are what is written, flagged; train again"
            )
        for flag in flags:
            marks = join_flags(marks, flag)
        return cls(marks, tuple(lines), facts, fresh)

    def with_lost(self, lost: list[str], said: str | None) -> Remarks:
        """Return the remarks with the vanished series added, and the line about them."""
        if said is None:
            return self
        facts = self.facts | {"vanished_series": lost}
        return replace(self, lines=(*self.lines, said), facts=facts)

    @property
    def digest(self) -> str:
        """A short text that changes with the marks; empty without marks."""
        if not (self.marks != "").any():
            return ""
        return hashlib.sha256(json.dumps(self.marks.tolist()).encode()).hexdigest()[:12]

    def on(self, flag: NDArray[np.str_], series: NDArray[np.int64]) -> NDArray[np.str_]:
        """Return flags (N, T) with the marks of each window's series."""
        return join_flags(flag, self.marks[series][:, None])
