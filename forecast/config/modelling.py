"""The section on the forecaster: its network, its linear path, the weights it starts from."""

from typing import Literal

from pydantic import Field, field_validator, model_validator

from forecast.config.base import Integer, Number, Section
from forecast.config.duration import Duration
from forecast.vocabulary import (
    DECILES,
    CellName,
    HeadName,
    InitialState,
    Kind,
    Normalization,
    Peepholes,
    PointLoss,
    StaticInto,
)


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
