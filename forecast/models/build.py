"""Builds models and heads from their names."""

from typing import get_args

from torch import nn

from forecast.errors import ConfigError
from forecast.models.architecture import Architecture, HeadSpec
from forecast.models.derived import day_cycles, default_segment_length
from forecast.models.ensemble import Ensemble
from forecast.models.heads.distribution_heads import (
    AsymmetricLaplaceHead,
    CategoricalHead,
    GaussianHead,
    NegativeBinomialHead,
    StudentTHead,
)
from forecast.models.heads.point_heads import Head, PointHead, PointQuantileHead
from forecast.models.recurrent.stacks import CellOptions
from forecast.models.strategies.aligned import Aligned
from forecast.models.strategies.direct import Direct
from forecast.models.strategies.encoder_decoder import EncoderDecoder
from forecast.models.strategies.inputs import TargetCoding, WindowSizes
from forecast.models.strategies.recursive import Recursive
from forecast.models.strategies.segment import (
    Segment,
    SegmentOptions,
)
from forecast.vocabulary import (
    HeadName,
    Kind,
)


def build_head(spec: HeadSpec) -> Head:
    """Return the head of a specification.

    Raises
    ------
    ConfigError
        When "categorical" has fewer than two classes.
    ValueError
        When the head's name is unknown.
    """
    match spec.name:
        case "point_quantile":
            return PointQuantileHead(tuple(spec.levels), spec.loss, spec.is_one)
        case "point":
            return PointHead(spec.loss)
        case "gaussian":
            return GaussianHead()
        case "student_t":
            return StudentTHead()
        case "negative_binomial":
            return NegativeBinomialHead()
        case "asymmetric_laplace":
            return AsymmetricLaplaceHead(spec.components)
        case "categorical":
            if spec.categories < 2:
                raise ConfigError(
                    f"model.head: categorical needs a target of at least two classes, found "
                    f"{spec.categories}; give a text column as target or choose another head"
                )
            return CategoricalHead(spec.categories)
    raise ValueError(f"no head is called {spec.name!r}; there are {', '.join(get_args(HeadName))}")


def build_model(architecture: Architecture, head: Head) -> nn.Module:
    """Return an untrained network whose outputs `head` interprets.

    Raises
    ------
    ValueError
        When the kind is unknown.
    """
    count = architecture.ensemble
    if count == 1:
        return _member(architecture, head)
    return Ensemble(head, [_member(architecture, head) for _ in range(count)])


def _member(a: Architecture, head: Head) -> nn.Module:
    """Return one network."""
    sizes = WindowSizes(
        a.context_length, a.horizon, a.target_count, a.past_count, a.known_count, a.static_count
    )
    options = CellOptions(
        a.cell,
        a.hidden_size,
        a.layers,
        a.dropout,
        a.forget_bias,
        a.initial_state,
        a.peepholes,
        a.output_identity,
    )
    categories = head.categories if isinstance(head, CategoricalHead) else 0
    coding = TargetCoding(a.normalization, categories)
    match a.kind:
        case "direct":
            return Direct(head, sizes, options, coding, static_into=a.static_into)
        case "recursive" | "encoder_decoder":
            network = Recursive if a.kind == "recursive" else EncoderDecoder
            forcing = (*a.teacher_forcing, a.teacher_forcing_steps)
            return network(
                head, sizes, options, coding, static_into=a.static_into, teacher_forcing=forcing
            )
        case "aligned":
            return Aligned(head, sizes, options, static_into=a.static_into)
        case "segment":
            return Segment(head, sizes, options, coding, _segment_options(a))
    raise ValueError(f"no kind is called {a.kind!r}; there are {', '.join(get_args(Kind))}")


def _segment_options(a: Architecture) -> SegmentOptions:
    return SegmentOptions(
        a.segment_length or default_segment_length(a.context_length, a.horizon),
        a.dropout,
        a.linear,
        a.seasons[0] if a.seasons else None,
        tuple(season for season in a.seasons if season <= a.context_length),
        day_cycles(a.known_names),
        a.tabled_count,
    )
