"""The section on the search: which keys, between which values, and what a model may cost."""

import difflib
import math
import typing
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import InitErrorDetails, PydanticCustomError

from forecast.config.base import Integer, Number, Section
from forecast.config.modelling import Model
from forecast.config.objective import Objective
from forecast.config.training import Training
from forecast.config.windows import Windows

SECTIONS: dict[str, type[Section]] = {"model": Model, "training": Training, "windows": Windows}
"""What a search may change."""
FIXED = {
    "windows.horizon": "errors over another horizon cannot be compared; write a config for each",
    "training.refit": "trials are judged on dev, which a refit would train on",
    "training.devices": "a trial trains on one device; tune.jobs trains several at once",
    "training.nodes": "a trial trains on one machine",
    "training.strategy": "a trial trains on one device; tune.jobs trains several at once",
}
"""What it may not, and why."""
SHORT = {
    "hidden_size": "model.hidden_size",
    "dropout": "model.dropout",
    "learning_rate": "training.learning_rate",
}
"""Keys of the section that name a range without `space`."""


class Range(Section):
    """All numbers from `low` to `high`; whole ones where the key takes whole ones."""

    low: Number
    """Smallest value."""
    high: Number
    """Largest value."""
    log: bool = False
    """Whether each doubling is as likely as the next."""

    @model_validator(mode="after")
    def _rising(self) -> "Range":
        if self.low >= self.high:
            raise ValueError(f"low {self.low:g} must be less than high {self.high:g}")
        if self.log and self.low <= 0:
            raise ValueError(f"low {self.low:g} must be above 0 on a log scale")
        return self


def _scalar(value: Any) -> Any:
    """Accept what one value of a list may be."""
    if value is not None and not isinstance(value, bool | int | float | str):
        raise ValueError("write numbers, texts, true, false or null")
    return value


Scalar = Annotated[
    Any,
    AfterValidator(_scalar),
    WithJsonSchema({"type": ["number", "string", "boolean", "null"]}),
]
Values = Annotated[tuple[Scalar, ...], Field(min_length=1), Tag("values")]
Domain = Annotated[
    Values | Annotated[Range, Tag("range")],
    Discriminator(lambda value: "range" if isinstance(value, dict | Range) else "values"),
]
"""Values to try, or a range to draw from."""
Cost = Literal["latency_ms", "bundle_mb", "minutes"]


class Tune(Section):
    """The search of `forecast tune`."""

    trials: Integer = Field(20, ge=1)
    """Trials in all, those of an earlier start included."""
    jobs: Integer = Field(1, ge=1)
    """Processes that train trials at the same time; they share the machine's cores."""
    hidden_size: tuple[Integer, ...] = (64, 128, 256)
    """Widths to try."""
    dropout: tuple[Number, Number] = (0.0, 0.6)
    """Range of the dropout."""
    learning_rate: tuple[Number, Number] = (0.0003, 0.003)
    """Range of the learning rate, searched on a log scale."""
    space: dict[str, Domain] = {}
    """What to search in place of those three, as far as they are not set: any key of `model`,
    `training` and `windows`, to a list of values, `model.cell: [lstm, gru]`, or a range,
    `training.weight_decay: {low: 1e-5, high: 1e-1, log: true}`."""
    constraints: dict[Cost, str] = {}
    """What a trial may cost, beside `objective.constraints`, such as `bundle_mb: "<= 2"`:
    `latency_ms` to forecast one window, `bundle_mb` of the bundle, `minutes` of training."""

    @property
    def domains(self) -> dict[str, Any]:
        """Every key that is searched, to its values (a tuple) or its Range."""
        short = {
            "hidden_size": tuple(dict.fromkeys(self.hidden_size)),
            "dropout": _between(*self.dropout),
            "learning_rate": _between(*self.learning_rate, log=True),
        }
        asked = [name for name in short if not self.space or self._is_set(name)]
        return {**{SHORT[name]: short[name] for name in asked}, **self.space}

    def _is_set(self, name: str) -> bool:
        return bool(getattr(self, name) != type(self).model_fields[name].default)

    @field_validator("space", mode="wrap")
    @classmethod
    def _known(cls, value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        """Accept sections within sections, as `--set` makes them, for dotted keys; tell all faults.

        Each value is checked as if it stood in the config.
        """
        space = dict(_leaves(value)) if isinstance(value, dict) else value
        try:
            space, faults = handler(space), []
        except ValidationError as error:
            faults = [
                _fault(fault, _place(fault["loc"]), fault["input"]) for fault in error.errors()
            ]
        wrong = {fault["loc"][0] for fault in faults if fault["loc"]}
        for key, domain in space.items() if isinstance(space, dict) else ():
            faults += [] if key in wrong else _faults(key, domain)
        if faults:
            raise ValidationError.from_exception_data("space", faults)
        return space

    @field_validator("constraints")
    @classmethod
    def _readable(cls, value: dict[str, str]) -> dict[str, str]:
        Objective(constraints=value)
        return value

    @model_validator(mode="after")
    def _one_space(self) -> "Tune":
        for name, key in SHORT.items():
            if key in self.space and self._is_set(name):
                raise ValueError(f"{name} and space name the same key, {key}; keep one of them")
        _ = self.domains
        return self


def is_whole(key: str) -> bool:
    """Whether a key takes whole numbers only."""
    return float not in set(_types(_field(key).annotation))


def _between(low: float, high: float, *, log: bool = False) -> tuple[float] | Range:
    return (low,) if low == high else Range(low=low, high=high, log=log)


def _leaves(value: dict[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, inner in value.items():
        if isinstance(inner, dict) and not {"low", "high"} & set(inner):
            yield from _leaves(inner, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", inner


def _faults(key: str, domain: Any) -> list[InitErrorDetails]:
    """Return what is wrong with a key of the space, or with single values of it."""
    try:
        _field(key)
    except KeyError as error:
        return [_fault({"type": "space", "msg": error.args[0]}, _place((key,)), key)]
    if isinstance(domain, Range):
        domain = {"low": domain.low, "high": domain.high}
    is_range = isinstance(domain, dict)
    values = [(end, domain[end]) for end in ("low", "high")] if is_range else enumerate(domain)
    faults = []
    for name, value in values:
        try:
            _section_with(key, value)
        except ValidationError as error:
            faults.append(_fault(error.errors()[0], _place((key, name)), value))
    return faults


def _fault(error: Any, place: tuple[Any, ...], value: Any) -> InitErrorDetails:
    kind = PydanticCustomError(error["type"], error["msg"])
    return InitErrorDetails(type=kind, loc=place, input=value)


def _place(location: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return where a key stands: dotted, or as sections within sections; one of them is there."""
    if not location:
        return ()
    key, *rest = location
    return (key, *str(key).split("."), *rest)


def _field(key: str) -> FieldInfo:
    """Return the field of a dotted key.

    Raises
    ------
    KeyError
        There is none, or it is not searched; with what to say.
    """
    if key in FIXED:
        raise KeyError(f"not searched: {FIXED[key]}")
    section, *names = key.split(".")
    if section not in SECTIONS:
        raise KeyError(f"unknown section{_nearest(section, SECTIONS)}")
    place: Any = SECTIONS[section]
    field: FieldInfo | None = None
    for name in names:
        fields = getattr(place, "model_fields", {})
        if name not in fields:
            raise KeyError(f"unknown key{_nearest(name, fields)}")
        field, place = fields[name], fields[name].annotation
    if field is None or hasattr(place, "model_fields"):
        raise KeyError(f"a section; name one of its keys: {', '.join(place.model_fields)}")
    return field


def _nearest(name: str, known: typing.Iterable[str]) -> str:
    names = list(known)
    close = difflib.get_close_matches(name, names, n=1)
    return f"; did you mean {close[0]}?" if close else f"; allowed are {', '.join(names)}"


def _section_with(key: str, value: Any) -> Section:
    """Return the section of a key with this value and defaults beside it."""
    section, *names = key.split(".")
    for name in reversed(names):
        value = {name: value}
    base = {"horizon": 1} if section == "windows" else {}
    return SECTIONS[section].model_validate({**base, **value})


def _types(annotation: Any) -> Iterator[Any]:
    yield annotation
    for inner in typing.get_args(annotation):
        yield from _types(inner)


def contains(domain: Any, value: Any) -> bool:
    """Whether a value lies in a domain."""
    if not isinstance(domain, Range):
        return value in domain
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value) and domain.low <= value <= domain.high
