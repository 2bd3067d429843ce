"""The one place where names become models and heads; knows no configuration object."""

from collections.abc import Sequence
from typing import Literal, get_args

from torch import nn

from forecast.errors import ConfigError
from forecast.models.ensemble import Ensemble
from forecast.models.heads.distribution_heads import (
    AsymmetricLaplaceHead,
    CategoricalHead,
    GaussianHead,
    NegativeBinomialHead,
    StudentTHead,
)
from forecast.models.heads.point_heads import Head, PointHead, PointQuantileHead
from forecast.models.linear.features import day_cycles
from forecast.models.recurrent.stacks import CellOptions
from forecast.models.strategies.aligned import Aligned
from forecast.models.strategies.direct import Direct
from forecast.models.strategies.encoder_decoder import EncoderDecoder
from forecast.models.strategies.inputs import TargetCoding, WindowSizes
from forecast.models.strategies.recursive import Recursive
from forecast.models.strategies.segment import (
    Segment,
    SegmentOptions,
    default_segment_length,
)
from forecast.vocabulary import (
    DECILES,
    CellName,
    HeadName,
    Kind,
    Normalization,
    Peepholes,
    PointLoss,
    StaticInto,
)


def build_head(
    name: HeadName = "point_quantile",
    levels: Sequence[float] = DECILES,
    *,
    loss: PointLoss = "mae",
    components: int = 3,
    categories: int = 0,
) -> Head:
    """Give the head of that name.

    Parameters
    ----------
    name : str
        "point_quantile" (a point and non-crossing quantiles), "point", "gaussian", "student_t",
        "negative_binomial" (counts), "asymmetric_laplace" (a mixture) or "categorical" (codes).
    levels : sequence of float
        Rising quantile levels; read by "point_quantile".
    loss : {"mae", "mse", "huber"}
        What trains the point of "point_quantile" and "point".
    components : int
        Components of the mixture.
    categories : int
        Classes of "categorical", at least 2.

    Raises
    ------
    ConfigError
        When "categorical" is asked for with fewer than two classes.
    """
    match name:
        case "point_quantile":
            return PointQuantileHead(tuple(levels), loss)
        case "point":
            return PointHead(loss)
        case "gaussian":
            return GaussianHead()
        case "student_t":
            return StudentTHead()
        case "negative_binomial":
            return NegativeBinomialHead()
        case "asymmetric_laplace":
            return AsymmetricLaplaceHead(components)
        case "categorical":
            if categories < 2:
                raise ConfigError(
                    f"model.head: categorical needs a target of at least two classes, found "
                    f"{categories}; give a text column as target or choose another head"
                )
            return CategoricalHead(categories)
    raise ValueError(f"no head is called {name!r}; there are {', '.join(get_args(HeadName))}")


def build_model(
    kind: Kind,
    *,
    head: Head,
    context_length: int,
    horizon: int,
    target_count: int = 1,
    past_count: int = 0,
    known_count: int = 0,
    static_count: int = 0,
    cell: CellName = "lstm",
    hidden_size: int = 64,
    layers: int = 1,
    dropout: float = 0.0,
    forget_bias: float = 1.0,
    initial_state: Literal["zero", "learned"] = "zero",
    peepholes: Peepholes | None = None,
    output_identity: bool = False,
    normalization: Normalization = "last",
    static_into: StaticInto = "state",
    teacher_forcing: tuple[float, float] = (1.0, 0.0),
    teacher_forcing_steps: int = 1000,
    segment_length: int | None = None,
    linear: bool = True,
    seasons: Sequence[int] = (),
    known_names: Sequence[str] = (),
    ensemble: int = 1,
) -> nn.Module:
    """Give an untrained forecaster of that kind.

    Parameters
    ----------
    kind : str
        "segment": few long recurrent steps and the whole horizon decoded in parallel, the
        accurate one. "direct": all horizon steps at once from the last state. "recursive": one
        step after the other, fed its own outputs. "encoder_decoder": the same by a second net
        that starts from the state of the first. "aligned": each step from the known covariates
        up to it, without the target's history.
    head : Head
        What the network's outputs mean.
    context_length, horizon : int
        Steps read, steps forecast.
    target_count, past_count, known_count, static_count : int
        Channels of a window; known includes calendar features.
    cell, hidden_size, layers, dropout, forget_bias, initial_state, peepholes, output_identity
        The recurrent stack, see `CellOptions`.
    normalization : {"last", "mean_std", "none"}
        What each window is reduced by.
    static_into : {"state", "steps"}
        How static covariates enter, see `StaticEntry`; "segment" has its own way.
    teacher_forcing, teacher_forcing_steps
        Share of true values fed to "recursive" and "encoder_decoder" in training, from first to
        last over that many batches: (1, 1) is all, (0, 0) none.
    segment_length : int, optional
        Steps in one recurrent step of "segment"; chosen from context and horizon unless given.
    linear : bool
        Whether "segment" starts from a closed-form linear path; `fit_linear` fits it.
    seasons : sequence of int
        Steps of the seasons whose naive forecasts "segment" mixes in; the first is the main one,
        over which the linear path averages.
    known_names : sequence of str
        Names of the known channels: the linear path reads the phase of day and week from them.
    ensemble : int
        Members, each with its own random weights, whose forecasts are averaged; the first is what
        one alone would be.
    """
    sizes = WindowSizes(
        context_length, horizon, target_count, past_count, known_count, static_count
    )
    options = CellOptions(
        cell, hidden_size, layers, dropout, forget_bias, initial_state, peepholes, output_identity
    )
    categories = head.categories if isinstance(head, CategoricalHead) else 0
    coding = TargetCoding(normalization, categories)

    def member() -> nn.Module:
        match kind:
            case "direct":
                return Direct(head, sizes, options, coding, static_into=static_into)
            case "recursive" | "encoder_decoder":
                network = Recursive if kind == "recursive" else EncoderDecoder
                return network(
                    head,
                    sizes,
                    options,
                    coding,
                    static_into=static_into,
                    teacher_forcing=(*teacher_forcing, teacher_forcing_steps),
                )
            case "aligned":
                return Aligned(head, sizes, options, static_into=static_into)
            case "segment":
                segment = SegmentOptions(
                    segment_length or default_segment_length(context_length, horizon),
                    dropout,
                    linear,
                    seasons[0] if seasons else None,
                    tuple(season for season in seasons if season <= context_length),
                    day_cycles(known_names),
                )
                return Segment(head, sizes, options, coding, segment)
        raise ValueError(f"no kind is called {kind!r}; there are {', '.join(get_args(Kind))}")

    return member() if ensemble == 1 else Ensemble(head, [member() for _ in range(ensemble)])
