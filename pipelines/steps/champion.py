"""The champion as the model to beat: loaded, and checked to be comparable."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from forecast.errors import ConfigError, ModelError

if TYPE_CHECKING:
    from forecast.config import Config
    from forecast.data.panel import Panel
    from forecast.evaluation.backtest import Backtest
    from forecast.forecasting.forecaster import Forecaster
    from pipelines.tracking import ChampionBundle

INCUMBENT = "champion"  # its name in a backtest


class Champion(NamedTuple):
    """The model to beat."""

    bundle: ChampionBundle
    forecaster: Forecaster


def load_comparable(config: Config, panel: Panel, bundle: ChampionBundle) -> Champion:
    """Load a version's bundle that can forecast the windows of this config.

    Raises
    ------
    ModelError
        It was made for another horizon, frequency, targets or columns, or its bundle cannot be
        read.
    """
    from forecast.forecasting.forecaster import Forecaster

    forecaster = Forecaster.load(bundle.path)
    forecaster.spec.check(panel)
    spec, wanted = forecaster.spec, (config.horizon, config.data.targets)
    if (spec.horizon, spec.targets) != wanted:
        raise ModelError(
            f"version {bundle.version} forecasts {spec.horizon} steps of "
            f"{', '.join(spec.targets)}, the config asks for {wanted[0]} of "
            f"{', '.join(wanted[1])}: the two cannot be compared; make a new champion with "
            "`forecast train`"
        )
    return Champion(bundle, forecaster)


def with_champion(backtest: Backtest, panel: Panel, champion: Champion) -> Backtest:
    """Return the backtest with the champion's forecasts of the same windows."""
    forecast = champion.forecaster.predict(panel, backtest.index)
    return replace(backtest, forecasts={**backtest.forecasts, INCUMBENT: forecast})


def unlike_file(config: Config) -> list[str]:
    """Return the settings in which `--set` makes a model that the config file does not fit.

    `predict` runs from the file, and refuses a model of other columns or another frequency.
    """
    from forecast.config import load_config

    try:
        written = load_config(config.path) if config.path else config
    except ConfigError:  # the file is incomplete without --set, so all jobs run with it
        return []
    pairs = {
        "windows.horizon": (config.horizon, written.horizon),
        "data.frequency": (config.data.frequency, written.data.frequency),
        "data.timezone": (config.data.timezone, written.data.timezone),
        "data.targets": (config.data.targets, written.data.targets),
        "data.covariates": (_columns(config), _columns(written)),
    }
    return [f"{key} is {new}, {old} in the file" for key, (new, old) in pairs.items() if new != old]


def _columns(config: Config) -> tuple[tuple[str, ...], ...]:
    covariates = config.data.covariates
    return covariates.past, covariates.known, covariates.static
