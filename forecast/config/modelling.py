"""The sections on windows, split, model, training and the objective."""

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


class Linear(Section):
    """A closed-form linear path (ridge) that is fitted first; the network learns what is left."""

    enabled: bool = True
    """Whether there is a linear path. It takes seconds and is more accurate on most data."""
    context: Duration | None = None
    """Newest part of the context that the linear path reads; all of it unless set. A prior already
    gives older readings less weight."""
    trust: bool = False
    """Whether to reduce, after training, the network's correction of each target to the share (0 to
    1) that has the least error on dev. Only for a dev part of months; a short one is too noisy."""


ModelPart = Literal["embedding", "recurrent", "head"]


class Transfer(Section):
    """Weights of another run from which training starts, instead of random ones."""

    bundle: str | None = None
    """Folder of the other run's bundle. Its kind, cell, hidden_size and layers must be the same;
    its data may differ."""
    parts: tuple[ModelPart, ...] = ("embedding", "recurrent", "head")
    """Parts of the network to copy; weights of another shape keep their random start."""
    freeze: tuple[ModelPart, ...] = ()
    """Parts of the network that are not trained."""


class Model(Section):
    """The forecaster."""

    kind: Kind = "segment"
    """Strategy; `segment` is the most accurate on long horizons (Lin 2023)."""
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
    """The intended mapping of sequences (`one`: a single step), as a check: a config whose kind,
    context and horizon make another one is refused."""
    cell: CellName = "lstm"
    """Recurrent cell; no variant is significantly better than `lstm` (Greff 2015)."""
    hidden_size: Integer = Field(128, ge=1, le=8192)
    """Width of the state; 128 is accurate and fast on a CPU."""
    layers: Integer = Field(1, ge=1, le=16)
    """Stacked recurrent layers."""
    dropout: Number = Field(0.3, ge=0, lt=1)
    """Dropout before the output and between layers."""
    ensemble: Integer = Field(1, ge=1, le=16)
    """Number of networks with different random starts, trained side by side on the same batches,
    whose forecasts are averaged: steadier, usually a little more accurate. Time and memory grow
    with the number."""
    segment_length: Duration | None = None
    """Readings per recurrent step of `segment`; chosen to divide context and horizon unless set."""
    normalization: Normalization = "last"
    """Per window: subtract the last observed value, or standardise by the window's own mean."""
    linear: Linear = Linear()
    """The linear path."""
    head: HeadName = "point_quantile"
    """What the network outputs per step: a point and quantiles unless set."""
    quantile_levels: tuple[Number, ...] = DECILES
    """Levels of the forecast's quantiles, rising."""
    loss: PointLoss = "mae"
    """Loss of the point of `point` and `point_quantile`: the point is then the median (`mae`), the
    mean (`mse`), or between (`huber`)."""
    components: Integer = Field(3, ge=1, le=32)
    """Components of the mixture of `asymmetric_laplace` (Klotz 2022 uses 3)."""
    static_into: StaticInto = "state"
    """Whether static covariates enter the initial recurrent state or every step. Read by all kinds
    except `segment`."""
    teacher_forcing: Literal["all", "none", "scheduled"] = "scheduled"
    """What `recursive` and `encoder_decoder` are fed in training: the true value before each step,
    their own output, or fewer and fewer true values (Bengio 2015)."""
    teacher_forcing_steps: Integer = Field(1000, ge=1)
    """Training batches until `scheduled` feeds only the model's own outputs."""
    initial_state: InitialState = "zero"
    """Recurrent state before the first step."""
    peepholes: Peepholes | None = None
    """Peepholes, overriding those of the cell (Gers 2000: diagonal); not for `gru`, `elman`."""
    output_identity: bool = False
    """Whether the cell's output is o * c in place of o * tanh(c), as Gers 2000 suggest for
    peepholes; not for `gru`, `elman`."""
    forget_bias: Number = 1.0
    """Initial bias of the forget gate; 1 keeps it open (Jozefowicz 2015)."""
    transfer: Transfer = Transfer()
    """Weights of another run to start from."""
    bounds: dict[str, tuple[Number | None, Number | None]] = {}
    """Lowest and highest possible forecast by target; forecasts are clipped to them."""

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
    """How the weights are trained."""

    epochs: Integer = Field(20, ge=1)
    """Largest number of epochs."""
    batch_size: Integer | None = Field(None, ge=1)
    """Windows per optimiser step, over all devices together. Unless set, 128 divided by the number
    of targets, and half of that for horizons of 720 steps and more."""
    learning_rate: Number = Field(0.001, gt=0, le=1)
    """Peak learning rate (AdamW), with a warm-up and then a cosine decay."""
    weight_decay: Number = Field(0.0, ge=0)
    """Decoupled weight decay."""
    average_decay: Number = Field(0.99, ge=0, lt=1)
    """Decay of the moving average of the weights, which is scored on dev and kept; 0 keeps the
    newest weights."""
    gradient_clip: Number = Field(1.0, gt=0)
    """Largest norm of the gradient."""
    windows_per_epoch: Integer | None = Field(None, ge=1)
    """Windows drawn per epoch. Unless set, all, up to 100 batches: on long data an epoch is the
    interval between two evaluations on dev."""
    patience: Integer = Field(10, ge=1)
    """Epochs without improvement on dev before training stops; the best weights are kept. Allow for
    the learning rate: while it is high, dev often stalls or rises, and it improves as the rate
    falls."""
    refit: Literal["auto", "always", "never"] = "auto"
    """Whether to train again, now on calibration and dev as well, once the epoch is chosen. Unless
    set, if they hold more than a fifth as many steps as train. Undone if it does worse on dev."""
    seed: Integer = Field(0, ge=0)
    """Seed of the initial weights, the order of windows and dropout: the same seed gives the same
    weights."""
    accelerator: Literal["auto", "cpu", "gpu", "mps"] = "auto"
    """Where to train."""
    devices: Integer | Literal["auto"] = "auto"
    """Devices per machine."""
    nodes: Integer = Field(1, ge=1)
    """Number of machines."""
    strategy: Literal["auto", "ddp"] = "auto"
    """How several devices share the work."""
    precision: Literal[32, "32", "bf16-mixed", "16-mixed"] = 32
    """Floating-point precision of the training."""
    threads: Integer | None = Field(None, ge=1)
    """Threads on a CPU; all cores unless set."""

    @field_validator("devices")
    @classmethod
    def _some(cls, value: int | str) -> int | str:
        if isinstance(value, int) and value < 1:
            raise ValueError("at least one device, or auto")
        return value


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
