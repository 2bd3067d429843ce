"""From a panel and its split to a trained, calibrated forecaster; reads and registers nothing."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import cycle
from pathlib import Path

import numpy as np
import torch
from torch import nn

from forecast.config.duration import count_steps, is_below_day
from forecast.config.modelling import Linear, Model, Training, Transfer
from forecast.data.panel import Panel
from forecast.data.windows.calendar import calendar_names
from forecast.data.windows.scaling import fit_scaler
from forecast.data.windows.set_apart import set_apart
from forecast.data.windows.splits import Split
from forecast.data.windows.train_folds import MOST_FOLDS, TrainFolds
from forecast.data.windows.windows import WindowIndex, Windows, batches, thin
from forecast.errors import DataError, ModelError
from forecast.evaluation.backtest import train_scale
from forecast.forecasting.calibrate import calibrated
from forecast.forecasting.calibration import origins_of
from forecast.forecasting.forecaster import Forecaster, assemble
from forecast.forecasting.spec import Spec
from forecast.models.architecture import Architecture, HeadSpec
from forecast.models.build import build_head
from forecast.models.ensemble import members_of, segments_of
from forecast.models.heads.point_heads import has_median
from forecast.models.linear.choice import PARTS
from forecast.models.linear.features import WindowTensors
from forecast.models.linear.output_groups import groups_of
from forecast.models.network import Network
from forecast.models.strategies.segment_fit import fit_correction_share, fit_linear_path
from forecast.models.transfer import freeze, take_weights
from forecast.training.dev import Objective
from forecast.training.fit import FitResult, fit, nothing
from forecast.training.recipe import DEV_SEQUENCES
from forecast.vocabulary import Metric

LINEAR_MEMORY = 2 << 30
"""Bytes for the sums that the linear path is chosen by: two cells a fold, fewer folds where
many targets or a long context would take more."""
MOST_LINEAR_ROWS = 1_000_000
"""Rows summed for the linear path, one a target of each window, over all groups of outputs; of one
group a fifth at most, evenly spaced: more no longer move it."""

CALIBRATED_ONCE = (
    "{:,} series are too many to look back on each one's own past at every cutoff: their bands are "
    "those of the calibration"
)
NOTHING_LINEAR = (
    "linear path: no horizon of train holds a reading of a target: nothing was fitted, and the "
    "network starts from each window's newest level"
)

TEACHER_FORCING = {"all": (1.0, 1.0), "none": (0.0, 0.0), "scheduled": (1.0, 0.0)}
"""Share of true values fed to a decoder at the first training batch and in the end."""


@dataclass(frozen=True)
class Fitted:
    """A forecaster and how it came about.

    Attributes
    ----------
    forecaster
        Calibrated where the split has a calibration part.
    fit
        The learning curve, the best epoch and its score on dev.
    notes
        Lines for a person: what could not be fitted.
    refitted
        The same, trained anew on calibration and dev as well; None where that was not asked for.
    """

    forecaster: Forecaster
    fit: FitResult
    notes: tuple[str, ...] = ()
    refitted: Forecaster | None = None

    @property
    def final(self) -> Forecaster:
        """What forecasts from now on. Dev tells nothing of it: it may have been trained on it."""
        return self.refitted or self.forecaster


def fit_forecaster(
    panel: Panel,
    split: Split,
    spec: Spec,
    *,
    model: Model,
    training: Training,
    metric: Metric,
    folder: Path,
    start: Forecaster | None = None,
    on_epoch: Callable[[int, dict[str, float]], None] = nothing,
    on_step: Callable[[int], None] | None = None,
) -> Fitted:
    """Scale, build, train, calibrate.

    Parameters
    ----------
    spec
        What the forecaster shall expect and promise.
    model, training
        Sections of a config.
    metric
        Chooses the epoch, on dev.
    folder
        Of the checkpoints, belonging to exactly this data and these settings.
    start
        A forecaster of the same shape, whose weights the training starts from.

    Raises
    ------
    DataError
        When no window is left to train on or to choose by.
    ModelError
        When the weights to start from are of another shape, or training fails.
    """
    _require_windows(split)
    torch.set_num_threads(training.threads or torch.get_num_threads())
    forecaster, notes = starting(panel, split, spec, model=model, seed=training.seed, start=start)
    train, judges = _judged_by(panel, split, spec)
    result = fit(
        forecaster.network,
        lambda device: forecaster.spec.windows(panel, device),
        train,
        judges,
        settings=training,
        objective=objective_of(metric, panel, split, spec),
        folder=folder,
        on_epoch=on_epoch,
        on_step=on_step,
    )
    result.network.forget_folds()
    trained = replace(forecaster, network=result.network)
    if model.linear.trust:
        fit_trust(trained, panel, split.dev)
    if not origins_of(len(panel.series_ids)):
        notes = (*notes, CALIBRATED_ONCE.format(len(panel.series_ids)))
    return Fitted(with_calibration(trained, panel, split.calibration), result, notes)


def starting(
    panel: Panel,
    split: Split,
    spec: Spec,
    *,
    model: Model,
    seed: int,
    start: Forecaster | None,
) -> tuple[Forecaster, tuple[str, ...]]:
    """Return a forecaster that is ready to be trained, and lines on what could not be fitted."""
    forecaster = untrained(panel, split, spec, model=model, seed=seed, start=start)
    if start is not None:
        _continue_from(forecaster, start)
        return forecaster, ()
    notes = fit_linear(forecaster, panel, split, model.linear)
    start_from(forecaster, model.transfer)
    return forecaster, notes


def _judged_by(panel: Panel, split: Split, spec: Spec) -> tuple[WindowIndex, WindowIndex]:
    """Return the windows that are trained on, and those that the epoch is chosen by.

    Dev, and as many windows of stretches of train that are set apart; thinned, they overlap.
    """
    train, held = set_apart(panel, split.train, horizon=spec.horizon, season=spec.season)
    most = max(1, DEV_SEQUENCES // len(spec.targets))
    parts = [thin(index, most=most) for index in (split.dev, held) if len(index.series)]
    return train, WindowIndex(*(np.concatenate(pair) for pair in zip(*parts, strict=True)))


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


class ScaledWindows:
    """The windows of an index in train z-scores, batch by batch, as often as asked."""

    def __init__(self, network: Network, windows: Windows, index: WindowIndex) -> None:
        self.network, self.windows, self.index = network, windows, index

    def __iter__(self) -> Iterator[WindowTensors]:
        """Gather anew."""
        for batch in batches(self.windows, self.index, batch_size=1024):
            yield self.network.scaled(batch)


def fit_linear(
    forecaster: Forecaster, panel: Panel, split: Split, linear: Linear
) -> tuple[str, ...]:
    """Fit the closed-form linear path, where the model has one, to train windows.

    Returns
    -------
    Lines that say what could not be fitted.
    """
    network = forecaster.network
    segments = segments_of(network.model)
    path = segments[0].linear if segments else None
    if path is None:
        return ()
    spec = forecaster.spec
    windows = spec.windows(panel)
    scaled = partial(ScaledWindows, network, windows)

    room = LINEAR_MEMORY // (2 * path.sums_size)
    groups = groups_of(windows, split.train, features=len(path.age), most=room // PARTS)
    rows = max(1, MOST_LINEAR_ROWS // len(spec.targets))
    train = thin(split.train, most=max(1, rows // max(5, len(groups))))
    most = max(1, min(MOST_FOLDS, room // len(groups)))
    folds = TrainFolds.of(panel, train, horizon=spec.horizon, most=most)
    fit = fit_linear_path(
        segments,
        {span: scaled(index) for span, index in folds.split(train).items()},
        scaled(thin(split.dev, most=max(1, rows // 5))),
        context_length=count_steps(linear.context, spec.frequency) if linear.context else None,
        groups=groups,
    )
    network.folds = folds
    return () if fit else (NOTHING_LINEAR,)


def fit_trust(forecaster: Forecaster, panel: Panel, dev: WindowIndex) -> None:
    """Set how much of the network's correction to the linear path is kept, by dev."""
    network = forecaster.network
    segments = segments_of(network.model)
    if not segments or network.head.raw_target:
        return
    windows = forecaster.spec.windows(panel)
    index = thin(dev, most=MOST_LINEAR_ROWS // 5)
    scaled = (network.scaled(batch) for batch in batches(windows, index, batch_size=256))
    fit_correction_share(segments, scaled)


def _continue_from(forecaster: Forecaster, start: Forecaster) -> None:
    try:
        forecaster.network.load_state_dict(start.network.state_dict())
    except RuntimeError as error:
        changed = forecaster.architecture.difference(start.architecture)
        raise ModelError(
            f"the weights to start from are of another shape ({changed}); restore these settings, "
            "or start from scratch (retrain.init)"
        ) from error


def start_from(forecaster: Forecaster, transfer: Transfer) -> None:
    """Take another run's weights and freeze parts, as the config asks.

    The members of an ensemble take from those of the other run in turn, over again where it has
    fewer.

    Raises
    ------
    ModelError
        When there is no such bundle, its weights do not fit, or members would start alike.
    """
    members = members_of(forecaster.network.model)
    if transfer.bundle is not None:
        others = members_of(Forecaster.load(transfer.bundle).network.model)
        for member, other in zip(members, cycle(others), strict=False):
            take_weights(member, other.state_dict(), parts=transfer.parts)
        if len(others) < len(members) and _are_alike(members[0], members[len(others)]):
            raise ModelError(
                f"model.transfer: {transfer.bundle} has {len(others)} of the {len(members)} "
                "members of model.ensemble, and with all parts taken they would start alike; leave "
                "one out of model.transfer.parts, or lower model.ensemble"
            )
    if transfer.freeze:
        for member in members:
            freeze(member, transfer.freeze)


def _are_alike(one: nn.Module, other: nn.Module) -> bool:
    return all(map(torch.equal, one.parameters(), other.parameters()))


def objective_of(metric: Metric, panel: Panel, split: Split, spec: Spec) -> Objective:
    """Return the metric with what it needs: levels, and each series' seasonal-naive error."""
    scale = None
    if metric == "mase":
        found = train_scale(panel, split.train_end, season=spec.season)
        scale = torch.as_tensor(np.nan_to_num(found))
    return Objective(metric, spec.levels, scale)


def with_calibration(forecaster: Forecaster, panel: Panel, index: WindowIndex) -> Forecaster:
    """Return the forecaster with its quantiles calibrated on windows it was not trained on.

    Not those of classes: codes are no scale on which an interval could be moved.
    """
    if forecaster.head.name == "categorical":
        return replace(forecaster, calibration=None)
    calibration = calibrated(forecaster, panel, index, series=len(panel.series_ids))
    return replace(forecaster, calibration=calibration)


def _require_windows(split: Split) -> None:
    for name, index in (("train", split.train), ("dev", split.dev)):
        if len(index.series) == 0:
            raise DataError(
                f"split.{name}: no usable window; the readings there are missing, or the series "
                f"are too short. Lower windows.min_observed or windows.context, or set split.{name}"
            )
