"""The sections on the size of a window and on the parts of the split."""

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from forecast.config.base import Integer, Number, Section
from forecast.config.duration import Duration


class Windows(Section):
    """The size of a window: how much of the past is read, and how far the forecast reaches."""

    context: Duration | None = None
    """The past that the model reads. Unless set, the longest of three horizons, two main seasons
    and (for steps below a day) one week, at most 672 steps or two main seasons and at most a
    quarter of the readings. Longer contexts win on long horizons (Lin 2023)."""
    horizon: Duration
    """How far the forecast reaches."""
    stride: Integer = Field(1, ge=1)
    """Steps between the cutoffs of two windows in training."""
    min_observed: Number = Field(0.5, ge=0, le=1)
    """Share of a context's target values that must be observed for the window to be used."""


_PART = r"^\s*[1-9]\d*\s*(s|min|h|d|w)\s*$"


def _part(value: Any) -> Any:
    """Accept a share (0 to 1, exclusive), a duration, or a count of steps."""
    if isinstance(value, float) and 0 < value < 1:
        return value
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    if isinstance(value, str) and re.match(_PART, value):
        return re.sub(r"\s", "", value)
    raise ValueError("write a share between 0 and 1, a duration such as 28d, or a count of steps")


Part = Annotated[
    Any,
    BeforeValidator(_part),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
                {"type": "integer", "minimum": 1},
                {"type": "string", "pattern": _PART},
            ]
        }
    ),
]
"""A share (float), a count of steps (int) or a duration (str)."""


class Split(Section):
    """Train, dev and test by target time, cut at the same times in all series.

    A share that would be shorter than 4 horizons or 2 main seasons becomes that long, as far as
    train keeps half of the whole, or a third where two horizons need that much.
    """

    train: Number = Field(0.98, gt=0, lt=1)
    """Share for training, including the calibration part at its end. If dev or test is a duration
    or a count, train is whatever they leave."""
    dev: Part = 0.01
    """Share, duration or steps that choose epochs, trials and champions. If train is long, up to
    eight blocks of it, at most a tenth of its time, are held out and also choose the epoch."""
    test: Part = 0.01
    """Share, duration or steps that are read once, after the choice."""
    calibration: Part = 0.02
    """Share of the whole, duration or steps, taken from the end of train. It calibrates the
    intervals; neither the weights nor early stopping see it."""
    scheme: Literal["chronological", "blocked"] = "chronological"
    """`chronological` cuts in order of time; `blocked` draws blocks of dev and test from the whole
    span, so that both have the same distribution."""

    @model_validator(mode="after")
    def _sum(self) -> "Split":
        if isinstance(self.dev, float) and isinstance(self.test, float):
            whole = self.train + self.dev + self.test
            if abs(whole - 1) > 1e-6:
                raise ValueError(f"train, dev and test add up to {whole:g}; they must add up to 1")
        return self
