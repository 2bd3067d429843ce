"""One config on one panel, divided into its parts: what a training needs, and the training."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from forecast.forecasting.from_config import spec_of, split_of, with_context
from forecast.training.fit import nothing
from forecast.training.fitting import fit_forecaster
from forecast.training.refit import is_due, refitted

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from forecast.config import Config
    from forecast.data.panel import Panel
    from forecast.data.windows.splits import Split
    from forecast.forecasting.forecaster import Forecaster
    from forecast.forecasting.spec import Spec
    from forecast.training.fitting import Fitted


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

    def fit(
        self,
        folder: Path,
        *,
        start: Forecaster | None = None,
        on_epoch: Callable[[int, dict[str, float]], None] = nothing,
        on_step: Callable[[int], None] | None = None,
    ) -> Fitted:
        """Train, calibrate, refit where due; continues what an earlier run left in `folder`.

        Raises
        ------
        DataError, ModelError
            As `fit_forecaster`.
        """
        fitted = fit_forecaster(
            self.panel,
            self.split,
            self.spec,
            model=self.config.model,
            training=self.config.training,
            metric=self.config.objective.metric,
            folder=folder,
            start=start,
            on_epoch=on_epoch,
            on_step=on_step,
        )
        if not is_due(self.config, self.split):
            return fitted
        return refitted(
            fitted,
            self.panel,
            self.split,
            self.spec,
            config=self.config,
            folder=folder / "refit",
            start=start,
        )
