"""The rules by which readings become cells: channels, grid, aggregation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, get_args

from forecast.data.grid import Grid
from forecast.errors import ConfigError
from forecast.vocabulary import Aggregate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from forecast.config.data import Data

AGGREGATES = get_args(Aggregate)
DUPLICATES = ("error", "first", "last", "mean")
Bounds = tuple[float | None, float | None]


@dataclass(frozen=True)
class PanelSpec:
    """What a panel holds and by which rules.

    Parameters
    ----------
    aggregate
        Rule per channel for several readings within one step (`*`: the rest); the mean unless
        given. `circular_mean` is for degrees.
    duplicates
        Rule for readings of one series with the same timestamp, per channel over what is
        observed: the first, the last or the mean of the values; `error` refuses values that
        differ. Equal values always count once.
    limits
        Lowest and highest possible value per channel; outside becomes missing and is counted.
    difference
        Channels that hold running totals; the panel holds their growth from step to step.

    Raises
    ------
    ConfigError
        When a rule is unknown or a channel is named that does not exist.
    """

    grid: Grid
    targets: tuple[str, ...]
    past: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    aggregate: Mapping[str, str] = field(default_factory=dict)
    duplicates: str = "last"
    limits: Mapping[str, Bounds] = field(default_factory=dict)
    difference: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, rule in self.aggregate.items():
            _require_known("aggregate", name, (*self.channels, "*"))
            _require_known(f"aggregate.{name}", rule, AGGREGATES)
        for key, names in (("limits", self.limits), ("difference", self.difference)):
            for name in names:
                _require_known(key, name, self.channels)
        _require_known("duplicates", self.duplicates, DUPLICATES)

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the columns of the panel's values."""
        return self.targets + self.past + self.known

    @property
    def totals(self) -> tuple[int, ...]:
        """Positions of the channels that hold running totals."""
        return tuple(self.channels.index(name) for name in self.difference)

    @property
    def rules(self) -> tuple[str, ...]:
        """Aggregation rule of each channel."""
        rest = self.aggregate.get("*", "mean")
        return tuple(self.aggregate.get(name, rest) for name in self.channels)


def _require_known(key: str, found: str, allowed: tuple[str, ...]) -> None:
    if found not in allowed:
        raise ConfigError(f"data.{key}: {found!r} is unknown; one of {', '.join(allowed)}")


def panel_spec(data: Data) -> PanelSpec:
    """Return what the `data` section says of the panel."""
    covariates = data.covariates
    channels = data.targets + covariates.past + covariates.known
    # Codes have no mean; of a running total, the newest counts.
    labels = {name: "last" for name in (*data.categories, *data.difference) if name in channels}
    return PanelSpec(
        grid=Grid(data.frequency, data.timezone),
        targets=data.targets,
        past=data.covariates.past,
        known=data.covariates.known,
        aggregate=labels | data.aggregate,
        duplicates=data.duplicates,
        limits=data.limits,
        difference=data.difference,
    )
