"""One config on one panel, divided into its parts: what a training or a comparison needs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from forecast.forecasting.from_config import spec_of, split_of, with_context

if TYPE_CHECKING:
    from forecast.config import Config
    from forecast.data.panel import Panel
    from forecast.data.windows.splits import Split
    from forecast.forecasting.spec import Spec


@dataclass(frozen=True)
class Experiment:
    """What is fitted, on which readings, divided how."""

    config: Config
    panel: Panel
    split: Split

    @classmethod
    def of(cls, config: Config, panel: Panel) -> Experiment:
        """Divide a panel as the config says.

        Raises
        ------
        DataError
            When the panel is too short for the parts.
        """
        config = with_context(config, panel)
        return cls(config, panel, split_of(config, panel))

    @property
    def spec(self) -> Spec:
        """What the forecaster shall expect and promise, with the panel's labels of text."""
        return replace(spec_of(self.config), categories=tuple(self.panel.categories.items()))
