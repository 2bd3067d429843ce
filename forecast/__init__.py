"""LSTM forecasting of many series: tables to panel to windows to forecasts.

>>> from forecast import Forecaster
>>> Forecaster(horizon="24h", frequency="1h").config.horizon
24
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from forecast.forecaster import Forecaster

__all__ = ["Forecaster"]


def __getattr__(name: str) -> Any:
    """Load the front door when it is first asked for: the command line must not load torch."""
    if name == "Forecaster":
        from forecast.forecaster import Forecaster

        return Forecaster
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
