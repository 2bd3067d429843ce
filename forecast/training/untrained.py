"""Builds a forecaster with random weights as a config's `model` section asks for it."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from forecast.config.duration import count_steps, is_below_day
from forecast.config.modelling import Model
from forecast.data.panel import Panel
from forecast.data.windows.calendar import calendar_names
from forecast.data.windows.scaling import fit_scaler
from forecast.data.windows.splits import Split
from forecast.forecasting.forecaster import Forecaster, assemble
from forecast.forecasting.spec import Spec
from forecast.models.architecture import Architecture, HeadSpec
from forecast.models.build import build_head
from forecast.models.heads.point_heads import has_median

TEACHER_FORCING = {"all": (1.0, 1.0), "none": (0.0, 0.0), "scheduled": (1.0, 0.0)}
"""Share of true values fed to a decoder at the first training batch and in the end."""


def untrained(
    panel: Panel,
    split: Split,
    spec: Spec,
    *,
    model: Model,
    seed: int,
    start: Forecaster | None = None,
) -> Forecaster:
    """Return a forecaster with random weights, its scaler fitted on train rows.

    Where it will take the weights of `start`, its point is the median if that one's is.
    """
    spec.check(panel)
    names = calendar_names(spec.calendar, spec.holidays)
    scaler = fit_scaler(panel, split.train_end, calendar_names=names, held_out=split.held_out)
    head = head_of(model, spec)
    if start is not None:
        head = replace(head, is_one=start.head.is_one)
    if build_head(head).raw_target:
        scaler = scaler.unscaled(len(spec.targets))
    architecture = architecture_of(model, spec, known_names=(*panel.known, *names))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = assemble(architecture, head, spec=spec, scaler=scaler)
    until = int((panel.start + split.train_end).max())
    spec = replace(spec, trained_until=until, scaled_series=scaler.series_ids)
    return Forecaster(network, spec, scaler, architecture, head)


def head_of(model: Model, spec: Spec) -> HeadSpec:
    """Return the head that a config's `model` section asks for."""
    categories = dict(spec.categories)
    labels = [len(categories.get(target, ())) for target in spec.targets]
    is_median = model.head == "point_quantile" and model.loss == "mae"
    return HeadSpec(
        name=model.head,
        levels=model.quantile_levels,
        loss=model.loss,
        components=model.components,
        categories=max(labels) if all(labels) else 0,
        is_one=is_median and has_median(model.quantile_levels),
    )


def architecture_of(model: Model, spec: Spec, *, known_names: Sequence[str]) -> Architecture:
    """Return the network that a config's `model` section asks for."""
    length = count_steps(model.segment_length, spec.frequency) if model.segment_length else None
    return Architecture(
        kind=model.kind,
        context_length=spec.context_length,
        horizon=spec.horizon,
        target_count=len(spec.targets),
        past_count=len(spec.past),
        known_count=len(known_names),
        static_count=len(spec.static),
        cell=model.cell,
        hidden_size=model.hidden_size,
        layers=model.layers,
        dropout=model.dropout,
        forget_bias=model.forget_bias,
        initial_state=model.initial_state,
        peepholes=model.peepholes,
        output_identity=model.output_identity,
        static_into=model.static_into,
        teacher_forcing=TEACHER_FORCING[model.teacher_forcing],
        teacher_forcing_steps=model.teacher_forcing_steps,
        normalization=model.normalization,
        segment_length=length,
        linear=model.linear.enabled,
        ensemble=model.ensemble,
        seasons=_seasons(spec),
        known_names=tuple(known_names),
        tabled_count=len(spec.known),
    )


def _seasons(spec: Spec) -> tuple[int, ...]:
    """Return the main season and, for steps below a day, the week."""
    has_week = is_below_day(spec.frequency)
    return (spec.season, 7 * spec.season) if has_week else (spec.season,)
