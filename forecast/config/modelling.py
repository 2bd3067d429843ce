"""The sections on windows, split, model, training and the one metric; builds nothing."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, field_validator, model_validator

from forecast.config.base import Integer, Number, Section
from forecast.config.duration import Duration
from forecast.vocabulary import (
    DECILES,
    CellName,
    HeadName,
    InitialState,
    Kind,
    Metric,
    Normalization,
    Peepholes,
    PointLoss,
    StaticInto,
)


class Windows(Section):
    """What one example looks like: how much of the past is read, how far the forecast goes."""

    context: Duration | None = None
    """Past that the model reads. Unless set the longest of three horizons, two main seasons and,
    below a day, a week of days, but no more than 672 steps or two main seasons, nor a quarter of
    the readings: longer wins on long horizons (Lin 2023)."""
    horizon: Duration
    """How far the forecast reaches."""
    stride: Integer = Field(1, ge=1)
    """Steps between the cutoffs of two windows in training."""
    min_observed: Number = Field(0.5, ge=0, le=1)
    """Share of the context's target values that must be observed for a window to be trained on."""


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
    """Train, dev and test by target time, one cut over all series.

    A share that would hold under 4 horizons or 2 main seasons takes that many steps instead, as far
    as train keeps half of the whole.
    """

    train: Number = Field(0.98, gt=0, lt=1)
    """Share for training (with the calibration slice at its end); where dev or test is a duration
    or a count, train is what they leave."""
    dev: Part = 0.01
    """Share, duration or steps that choose epochs, trials and champions. Where train is long, up to
    eight stretches of it, a tenth of its time at most, are set apart and choose the epoch too."""
    test: Part = 0.01
    """Share, duration or steps that are read once, after the choice."""
    calibration: Part = 0.02
    """Share of the whole, duration or steps, taken from the end of train: calibrates intervals,
    seen neither by weights nor by early stopping."""
    scheme: Literal["chronological", "blocked"] = "chronological"
    """`blocked` draws dev and test blocks from the whole span, so that both have one
    distribution."""

    @model_validator(mode="after")
    def _sum(self) -> "Split":
        if isinstance(self.dev, float) and isinstance(self.test, float):
            whole = self.train + self.dev + self.test
            if abs(whole - 1) > 1e-6:
                raise ValueError(f"train, dev and test add up to {whole:g}; they must add up to 1")
        return self


class Linear(Section):
    """A closed-form linear path (ridge) that is fitted first; the network learns what is left."""

    enabled: bool = True
    """Whether there is one. It takes seconds and wins on most data."""
    context: Duration | None = None
    """Newest part of the context that it reads, all of it unless set. Older readings are held to
    weigh less than new ones anyway."""
    trust: bool = False
    """Whether each target keeps, after training, only the share of the network's correction that
    holds on dev, from none to all. For a dev part of months: a short one cannot tell."""


ModelPart = Literal["embedding", "recurrent", "head"]


class Transfer(Section):
    """Weights that training starts from, in place of random ones."""

    bundle: str | None = None
    """Folder of another run's bundle; its kind, cell, hidden_size and layers must be this one's,
    its data may differ."""
    parts: tuple[ModelPart, ...] = ("embedding", "recurrent", "head")
    """Parts to take; weights of another shape are left as they start."""
    freeze: tuple[ModelPart, ...] = ()
    """Parts that are not trained."""


class Model(Section):
    """The forecaster."""

    kind: Kind = "segment"
    """Strategy; `segment` is the accurate one on long horizons (Lin 2023)."""
    task: (
        Literal[
            "one_to_one",
            "one_to_many",
            "many_to_one",
            "many_to_many",
            "encoder_decoder",
            "aligned",
        ]
        | None
    ) = None
    """The mapping of sequences that kind, context and horizon are meant to make (one: a single
    step); a config that makes another one is refused."""
    cell: CellName = "lstm"
    """Recurrent cell; no variant is significantly better than `lstm` (Greff 2015)."""
    hidden_size: Integer = Field(128, ge=1, le=8192)
    """Width of the state; 128 is accurate and fast on a CPU."""
    layers: Integer = Field(1, ge=1, le=16)
    """Stacked recurrent layers."""
    dropout: Number = Field(0.3, ge=0, lt=1)
    """Dropout before the output and between layers."""
    ensemble: Integer = Field(1, ge=1, le=16)
    """Networks of different random starts, trained side by side on the same batches, whose
    forecasts are averaged: steadier, mostly a little more accurate, at so many times the time
    and memory."""
    segment_length: Duration | None = None
    """Readings in one recurrent step of `segment`; chosen to divide context and horizon unless
    set."""
    normalization: Normalization = "last"
    """Per window: subtract the last observed value, or standardise by the window's own mean."""
    linear: Linear = Linear()
    """The linear path."""
    head: HeadName = "point_quantile"
    """What the network emits a step: a point and quantiles unless set."""
    quantile_levels: tuple[Number, ...] = DECILES
    """Levels of the forecast's quantiles, rising."""
    loss: PointLoss = "mae"
    """What trains the point of `point` and `point_quantile`: the median, the mean, or between."""
    components: Integer = Field(3, ge=1, le=32)
    """Components of the mixture of `asymmetric_laplace` (Klotz 2022 takes 3)."""
    static_into: StaticInto = "state"
    """Whether static covariates enter the first recurrent state, or every step. Read by all kinds
    but `segment`."""
    teacher_forcing: Literal["all", "none", "scheduled"] = "scheduled"
    """What `recursive` and `encoder_decoder` are fed in training: the true value before each
    step, their own output, or ever fewer true values (Bengio 2015)."""
    teacher_forcing_steps: Integer = Field(1000, ge=1)
    """Training batches until `scheduled` feeds own outputs only."""
    initial_state: InitialState = "zero"
    """Recurrent state before the first step."""
    peepholes: Peepholes | None = None
    """Peepholes of the cell, in place of its own (Gers 2000: diagonal); not for `gru`, `elman`."""
    output_identity: bool = False
    """Whether the cell's output is o * c in place of o * tanh(c), as Gers 2000 suggest for
    peepholes; not for `gru`, `elman`."""
    forget_bias: Number = 1.0
    """Start of the forget gate's bias: open (Jozefowicz 2015)."""
    transfer: Transfer = Transfer()
    """Weights of another run to start from."""
    bounds: dict[str, tuple[Number | None, Number | None]] = {}
    """Lowest and highest possible forecast by target; outside is cut."""

    @model_validator(mode="after")
    def _parts(self) -> "Model":
        if self.cell in ("gru", "elman") and (self.peepholes or self.output_identity):
            raise ValueError(
                f"cell {self.cell} has neither peepholes nor an output activation to change; "
                "leave out peepholes and output_identity, or choose another cell"
            )
        return self

    def task_fault(self, context_length: int, horizon: int) -> str | None:
        """Say why kind, context and horizon (steps) do not make the task; None when they do."""
        match self.task:
            case None:
                return None
            case "aligned" | "encoder_decoder":
                wanted, holds = f"kind: {self.task}", self.kind == self.task
            case "many_to_many":
                wanted = "context and horizon of several steps, and a kind that reads history"
                holds = min(context_length, horizon) > 1 and self.kind != "aligned"
            case _:
                first, last = self.task.split("_to_")
                steps = {"one": "one step", "many": "several steps"}
                wanted = f"a context of {steps[first]} and a horizon of {steps[last]}"
                holds = (context_length > 1, horizon > 1) == (first == "many", last == "many")
        if holds:
            return None
        return (
            f"model.task: {self.task} needs {wanted}; found kind {self.kind}, context "
            f"{context_length}, horizon {horizon}; change those or leave task out"
        )

    @field_validator("quantile_levels")
    @classmethod
    def _rising(cls, levels: tuple[float, ...]) -> tuple[float, ...]:
        inside = all(0 < level < 1 for level in levels)
        if not levels or not inside or list(levels) != sorted(set(levels)):
            raise ValueError("levels must rise and lie between 0 and 1")
        return levels


class Training(Section):
    """How the weights are found."""

    epochs: Integer = Field(20, ge=1)
    """Passes over the training windows, at most."""
    batch_size: Integer | None = Field(None, ge=1)
    """Windows in one optimiser step, over all devices together. 128 unless set, and fewer where
    they have several targets: 128 over their number, half of that on horizons of 720 and more."""
    learning_rate: Number = Field(0.001, gt=0, le=1)
    """Peak of the learning rate (AdamW); warm-up, then cosine."""
    weight_decay: Number = Field(0.0, ge=0)
    """Decoupled weight decay."""
    average_decay: Number = Field(0.99, ge=0, lt=1)
    """Decay of the moving average of weights that is scored on dev and kept; 0 keeps the newest
    weights."""
    gradient_clip: Number = Field(1.0, gt=0)
    """Largest norm of the gradient."""
    windows_per_epoch: Integer | None = Field(None, ge=1)
    """Windows drawn for one epoch; unless set all, up to 100 batches: on long data an epoch is what
    lies between two looks at dev."""
    patience: Integer = Field(10, ge=1)
    """Epochs without improvement on dev before training stops; the best weights are kept. While the
    learning rate is high dev often moves little or up, and falls when the rate does."""
    refit: Literal["auto", "always", "never"] = "auto"
    """Whether to train anew on calibration and dev as well, once the epoch is chosen; unless set,
    where they hold more than a fifth of what train does. Undone if dev got no better by it."""
    seed: Integer = Field(0, ge=0)
    """Seed of weights, order and dropout: the same seed gives the same weights."""
    accelerator: Literal["auto", "cpu", "gpu", "mps"] = "auto"
    """Where to train."""
    devices: Integer | Literal["auto"] = "auto"
    """Devices of one machine."""
    nodes: Integer = Field(1, ge=1)
    """Machines."""
    strategy: Literal["auto", "ddp"] = "auto"
    """How several devices share the work."""
    precision: Literal[32, "32", "bf16-mixed", "16-mixed"] = 32
    """Arithmetic of the training."""
    threads: Integer | None = Field(None, ge=1)
    """Threads of the arithmetic on a CPU; all cores unless set."""

    @field_validator("devices")
    @classmethod
    def _some(cls, value: int | str) -> int | str:
        if isinstance(value, int) and value < 1:
            raise ValueError("at least one device, or auto")
        return value


_CONSTRAINT = re.compile(r"^\s*(<=|>=|<|>)\s*(-?\d+(\.\d+)?([eE][-+]?\d+)?)\s*$")


def _comparison(text: str) -> tuple[str, float]:
    """Return sign and bound of a constraint."""
    match = _CONSTRAINT.match(text)
    assert match is not None
    return match[1], float(match[2])


class Objective(Section):
    """The one metric that chooses, and the constraints that only rule out."""

    metric: Metric = "mae"
    """Chooses epochs, trials and champions, on dev, in original units."""
    constraints: dict[str, str] = {}
    """Metric to condition, such as `coverage_80: ">= 0.75"`."""

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
        """Return by how much `metrics` break each constraint; NaN where the metric is not there."""
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
        """Return the constraints that `metrics` break, in words; a metric not there breaks it."""
        return [
            f"{name} is {metrics.get(name, float('nan')):.4g}, must be {sign} {bound:g}"
            for name in self.shortfalls(metrics)
            for sign, bound in [_comparison(self.constraints[name])]
        ]
