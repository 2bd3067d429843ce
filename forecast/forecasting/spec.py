"""What a trained forecaster needs in its data, and the shape of its forecasts."""

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from forecast.data.panel import Panel
from forecast.data.windows.host_windows import HostWindows
from forecast.data.windows.window_index import WindowIndex
from forecast.errors import ModelError
from forecast.forecasting.label_codes import in_codes_of
from forecast.vocabulary import DECILES

if TYPE_CHECKING:
    from forecast.data.windows.windows import Windows

Bound = tuple[float | None, float | None]


@dataclass(frozen=True)
class Spec:
    """The shape and meaning of a forecaster's inputs and outputs.

    Attributes
    ----------
    context_length, horizon
        Steps read, steps forecast.
    frequency, timezone
        Of the grid.
    targets, past, known, static
        Channels in order.
    calendar, holidays
        Features computed from the timestamp.
    season
        Steps of the main season.
    levels
        Quantile levels, rising.
    bounds
        Lowest and highest possible forecast of each target.
    min_observed
        Share of observed targets in the contexts it was trained on.
    categories
        Labels of text channels in order of their codes.
    trained_until
        Grid index of the first step whose target no weight has seen.
    scaled_series
        Series that are scaled by their own train statistics; none where all share one.
    """

    context_length: int
    horizon: int
    frequency: str
    timezone: str
    targets: tuple[str, ...]
    past: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    calendar: tuple[str, ...] = ()
    holidays: str | None = None
    season: int = 1
    levels: tuple[float, ...] = DECILES
    bounds: tuple[Bound, ...] = ()
    min_observed: float = 0.5
    categories: tuple[tuple[str, tuple[str, ...]], ...] = ()
    trained_until: int = 0
    scaled_series: tuple[str, ...] = ()

    def windows(self, panel: Panel, device: Any = "cpu") -> "Windows":
        """Return the panel as a source of this forecaster's batches of tensors.

        Raises
        ------
        ModelError
            When the panel's channels or grid are not those the model was trained on.
        """
        from forecast.data.windows.windows import Windows

        self.check(panel)
        return Windows(in_codes_of(panel, self.categories), **self._windows(), device=device)

    def host_windows(self, panel: Panel) -> HostWindows:
        """Return the panel as a source of batches of arrays; errors as of `windows`."""
        self.check(panel)
        return HostWindows(in_codes_of(panel, self.categories), **self._windows())

    def _windows(self) -> dict[str, Any]:
        return {
            "context_length": self.context_length,
            "horizon": self.horizon,
            "calendar": self.calendar,
            "holidays": self.holidays,
            "scaled_series": self.scaled_series,
        }

    def check(self, panel: Panel) -> None:
        """Compare with a panel.

        Raises
        ------
        ModelError
            Naming everything that differs.
        """
        found = {
            "frequency": panel.grid.frequency,
            "timezone": panel.grid.timezone,
            "targets": panel.targets,
            "past": panel.past,
            "known": panel.known,
            "static": panel.static_names,
        }
        wrong = [
            f"{name} is {value!r} in the data, {getattr(self, name)!r} in the model"
            for name, value in found.items()
            if value != getattr(self, name)
        ]
        wrong += [
            f"{name} is a column of numbers in the data, of labels in the model"
            for name, _ in self.categories
            if name not in panel.categories
        ]
        if wrong:
            raise ModelError(
                "the model does not fit the data: " + "; ".join(wrong) + "; train it again"
            )

    def clip(self, values: NDArray[np.float32], *, axis: int) -> NDArray[np.float32]:
        """Cut values to the bounds of the targets, which lie along `axis`."""
        if not self.bounds:
            return values
        shape = [1] * values.ndim
        shape[axis] = len(self.bounds)
        low = [-np.inf if low is None else low for low, _ in self.bounds]
        high = [np.inf if high is None else high for _, high in self.bounds]
        return np.clip(
            values,
            np.array(low, np.float32).reshape(shape),
            np.array(high, np.float32).reshape(shape),
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values that JSON can hold."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "Spec":
        """Inverse of `to_json`."""
        names = {field.name for field in fields(cls)}
        return cls(**{name: _frozen(value) for name, value in content.items() if name in names})


def _frozen(value: Any) -> Any:
    """Turn the lists of JSON back into tuples."""
    return tuple(_frozen(part) for part in value) if isinstance(value, list) else value


def index_at(panel: Panel, cutoff: int) -> WindowIndex:
    """Return one window per series, all with their last step at grid index `cutoff`.

    A series whose own readings end earlier, or begin later, is forecast from there all the same.
    """
    count = len(panel.series_ids)
    return WindowIndex(np.arange(count, dtype=np.int64), cutoff + 1 - panel.start)
