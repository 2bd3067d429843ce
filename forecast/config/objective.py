"""The section on the metric that models are chosen by, and on what they must keep."""

import re
from collections.abc import Mapping

from pydantic import field_validator

from forecast.config.base import Section
from forecast.vocabulary import (
    Metric,
)

_CONSTRAINT = re.compile(r"^\s*(<=|>=|<|>)\s*(-?\d+(\.\d+)?([eE][-+]?\d+)?)\s*$")


def _comparison(text: str) -> tuple[str, float]:
    """Return the comparison and the bound of a constraint."""
    match = _CONSTRAINT.match(text)
    assert match is not None
    return match[1], float(match[2])


class Objective(Section):
    """The one metric that models are chosen by, and constraints that they must keep."""

    metric: Metric = "mae"
    """Metric on dev, in original units, by which epochs, trials and champions are chosen."""
    constraints: dict[str, str] = {}
    """Condition by metric, such as `coverage_80: ">= 0.75"`."""

    @field_validator("constraints")
    @classmethod
    def _readable(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            if _CONSTRAINT.match(text) is None:
                raise ValueError(
                    f'{name}: write a comparison with a number, such as ">= 0.75", not {text!r}'
                )
        return value

    def shortfalls(self, metrics: Mapping[str, float]) -> dict[str, float]:
        """Return by how much `metrics` break each constraint; NaN where the metric is missing."""
        broken = {}
        for name, text in self.constraints.items():
            sign, bound = _comparison(text)
            value = metrics.get(name, float("nan"))
            holds = {
                "<=": value <= bound,
                ">=": value >= bound,
                "<": value < bound,
                ">": value > bound,
            }[sign]
            if not holds:
                broken[name] = abs(value - bound)
        return broken

    def violations(self, metrics: Mapping[str, float]) -> list[str]:
        """Return the constraints that `metrics` break, in words; a missing metric counts."""
        return [
            f"{name} is {metrics.get(name, float('nan')):.4g}, must be {sign} {bound:g}"
            for name in self.shortfalls(metrics)
            for sign, bound in [_comparison(self.constraints[name])]
        ]
