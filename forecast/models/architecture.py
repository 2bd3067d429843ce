"""What a network is built from, as plain values: stored in the bundle, rebuilt from it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

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


class _Stored:
    """Converts plain values to JSON and back; a value an older bundle lacks takes its default."""

    def to_json(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        return asdict(self)  # type: ignore[call-overload, no-any-return]

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Inverse of `to_json`.

        Raises
        ------
        ValueError
            When `content` has a name that is not a field.
        """
        names = {field.name for field in fields(cls)}  # type: ignore[arg-type]
        if unknown := sorted(content.keys() - names):
            raise ValueError(f"{cls.__name__} has no {', '.join(unknown)}")
        frozen = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in content.items()
        }
        return cls(**frozen)


@dataclass(frozen=True)
class HeadSpec(_Stored):
    """What the network's outputs mean.

    Attributes
    ----------
    name
        "point_quantile" (a point and non-crossing quantiles), "point", "gaussian", "student_t",
        "negative_binomial" (counts), "asymmetric_laplace" (a mixture) or "categorical" (codes).
    levels
        Rising quantile levels; read by "point_quantile".
    loss
        Loss of the point of "point_quantile" and "point".
    components
        Components of the mixture.
    categories
        Classes of "categorical", at least 2.
    is_one
        Whether the point of "point_quantile" is the median of its quantiles.
    """

    name: HeadName = "point_quantile"
    levels: tuple[float, ...] = DECILES
    loss: PointLoss = "mae"
    components: int = 3
    categories: int = 0
    is_one: bool = False


@dataclass(frozen=True)
class Architecture(_Stored):
    """Everything that defines a network except its head and its weights.

    Attributes
    ----------
    kind
        "segment": few long recurrent steps and the whole horizon decoded in parallel; the most
        accurate. "direct": all horizon steps at once from the last state. "recursive": one step
        after the other, fed its own outputs. "encoder_decoder": the same, by a second network
        that starts from the state of the first. "aligned": each step from the known covariates
        up to that step, without the target's history.
    context_length, horizon
        Steps read, steps forecast.
    target_count, past_count, known_count, static_count
        Channels of a window; known includes calendar features.
    cell, hidden_size, layers, dropout, forget_bias, initial_state, peepholes, output_identity
        The recurrent stack, see `CellOptions`.
    normalization
        Location and scale by which each window is normalized, see `window_scale`.
    static_into
        How static covariates enter, see `StaticEntry`; ignored by "segment", which sets the
        initial state from them.
    teacher_forcing, teacher_forcing_steps
        First and last share of true values fed to "recursive" and "encoder_decoder" in training,
        and the number of batches over which the share moves from one to the other: (1, 1) feeds
        only true values, (0, 0) none.
    segment_length
        Readings per recurrent step of "segment"; chosen from context and horizon where None.
    linear
        Whether "segment" starts from a closed-form linear path; `fit_linear` fits it.
    seasons
        Steps of the seasons whose naive forecasts "segment" mixes in; the first is the main one,
        over which the linear path averages.
    known_names
        Names of the known channels: the linear path reads the phase of day and week from them.
    tabled_count
        Number of leading known channels that come from tables; "segment" removes their effect.
    ensemble
        Number of members, each with its own random weights, whose forecasts are averaged. The
        first member equals a network trained without an ensemble.
    """

    kind: Kind
    context_length: int
    horizon: int
    target_count: int = 1
    past_count: int = 0
    known_count: int = 0
    static_count: int = 0
    cell: CellName = "lstm"
    hidden_size: int = 64
    layers: int = 1
    dropout: float = 0.0
    forget_bias: float = 1.0
    initial_state: InitialState = "zero"
    peepholes: Peepholes | None = None
    output_identity: bool = False
    normalization: Normalization = "last"
    static_into: StaticInto = "state"
    teacher_forcing: tuple[float, float] = (1.0, 0.0)
    teacher_forcing_steps: int = 1000
    segment_length: int | None = None
    linear: bool = True
    seasons: tuple[int, ...] = ()
    known_names: tuple[str, ...] = ()
    tabled_count: int = 0
    ensemble: int = 1

    def difference(self, other: "Architecture") -> str:
        """Return the fields that differ in `other`, each as `name VALUE there and VALUE here`."""
        return ", ".join(
            f"{name} {there} there and {here} here"
            for name, here in asdict(self).items()
            if (there := getattr(other, name)) != here
        )
