"""A ridge regression on the same inputs as the model: the linear baseline a network must beat.

Features of a window, in train units (z-scores): each target minus its newest value, the newest
values themselves, past covariates carried forward over gaps, known covariates and the calendar
over the horizon, static covariates. One regression per target gives all steps at once, in closed
form from streamed normal equations; the penalty is chosen by MAE on dev.

Letters: N windows, L context, H horizon, T targets, P past, K known, F features.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from forecast.data.panel import Panel
from forecast.data.windows.calendar import calendar_names
from forecast.data.windows.predictor import Forecast
from forecast.data.windows.scaling import Scaler, fit_scaler
from forecast.data.windows.splits import Split
from forecast.data.windows.window_index import WindowIndex, thin
from forecast.data.windows.windows import Batch, Windows, batches
from forecast.evaluation.metrics import masked_mean
from forecast.evaluation.naive_baselines import Band, fit_band, with_band
from forecast.models.linear import ridge as linear
from forecast.models.linear.features import carry_forward
from forecast.models.linear.normal_equations import NormalEquations
from forecast.models.linear.output_groups import fill_gaps, groups_of
from forecast.vocabulary import DECILES

PENALTIES = tuple(10.0 ** (k / 2) for k in range(-10, 3))  # per row, for z-scored features
MOST_FEATURES = 2048  # of each kind of input; memory grows with their square

MEMORY = 1 << 30  # bytes for the sums of all groups of outputs
MOST_ROWS = 1_000_000  # over all groups


@dataclass(frozen=True)
class Inputs:
    """The regression's inputs; the same fields as the model's."""

    context_length: int
    horizon: int
    calendar: tuple[str, ...] = ()
    holidays: str | None = None

    def windows(self, panel: Panel, *, scaled_series: Sequence[str] = ()) -> Windows:
        """Return the windows of a panel with these inputs."""
        return Windows(
            panel,
            context_length=self.context_length,
            horizon=self.horizon,
            calendar=self.calendar,
            holidays=self.holidays,
            scaled_series=scaled_series,
        )


@dataclass(frozen=True)
class Ridge:
    """A fitted ridge regression that forecasts windows of a panel."""

    inputs: Inputs
    scaler: Scaler
    regression: linear.Ridge
    penalty: float
    band: Band

    @classmethod
    def fit(
        cls, panel: Panel, split: Split, *, inputs: Inputs, levels: Sequence[float] = DECILES
    ) -> Self:
        """Fit on train windows, choose the penalty on dev, learn the band on calibration.

        Raises
        ------
        ValueError
            When the split has no train windows.
        """
        if not len(split.train.series):
            raise ValueError("the split has no train windows: nothing to fit a ridge to")
        names = calendar_names(inputs.calendar, inputs.holidays)
        scaler = fit_scaler(panel, split.train_end, calendar_names=names, held_out=split.held_out)
        windows = inputs.windows(panel, scaled_series=scaler.series_ids)
        fits = _fits(windows, split.train, scaler)
        chooser = split.dev if len(split.dev.series) else split.train
        score = [_mae(fit, windows, thin(chooser, most=2_000), scaler) for fit in fits]
        best = int(np.argmin(score))
        held = split.calibration if len(split.calibration.series) else chooser
        error = _errors(fits[best], windows, thin(held), scaler)
        band = fit_band(error, thin(held).series, count=len(panel.series_ids), levels=levels)
        return cls(inputs, scaler, fits[best], PENALTIES[best], band)

    def predict(self, panel: Panel, index: WindowIndex, *, batch_size: int = 128) -> Forecast:
        """Forecast every window; a target without any reading in it starts from its train mean."""
        windows = self.inputs.windows(panel, scaled_series=self.scaler.series_ids)
        shape = (0, self.inputs.horizon, len(panel.targets))
        points = [
            _forecast(self.regression, batch, self.scaler).numpy()
            for batch in batches(windows, index, batch_size=batch_size)
        ]
        point = np.concatenate(points) if points else np.empty(shape, np.float32)
        return with_band(point, index, self.band)


def _fits(windows: Windows, index: WindowIndex, scaler: Scaler) -> list[linear.Ridge]:
    """Fit once per penalty; with many gaps, groups of outputs have their own rows."""
    width = features(next(batches(windows, index, batch_size=1)), scaler)[0].shape[-1]
    most = MEMORY // (8 * len(windows.panel.targets) * width**2)
    groups = groups_of(windows, index, features=width, most=most)
    sums = [NormalEquations() for _ in groups]
    rows = thin(index, most=MOST_ROWS // len(groups)) if len(groups) > 1 else index
    for batch in batches(windows, rows, batch_size=512):
        x, newest = features(batch, scaler)
        target = _scaled_target(batch, scaler) - newest[..., None]
        for part, group in zip(sums, groups, strict=True):
            if len(groups) == 1:
                part.add(x, target)
            else:
                part.add(x, *fill_gaps(target[..., group]))
    paths = [part.path(PENALTIES, per_row=True) for part in sums]
    return [linear.Ridge.side_by_side(fits) for fits in zip(*paths, strict=True)]


def features(batch: Batch, scaler: Scaler) -> tuple[Tensor, Tensor]:
    """Return the regression's inputs (N, T, F) and the newest scaled value of each target (N, T).

    If a kind of input has more than 2,048 columns, its oldest steps are left out; of known
    covariates only every second, third, ... step is kept.
    """
    context, targets = batch.past.shape[1], batch.target.shape[2]
    seen = batch.past.shape[2]
    location, scale = _units(batch, scaler)
    past = carry_forward((batch.past - location[..., :seen]) / scale[..., :seen])
    newest = past[:, -1, :targets].nan_to_num()  # (N, T)
    own = past[..., :targets] - newest[:, None]  # (N, L, T)
    room = max(1, MOST_FEATURES // max(1, seen - targets))
    others = past[:, -room:, targets:].flatten(1)  # (N, L*P)
    known = (batch.known[:, context:] - location[..., seen:]) / scale[..., seen:]
    every = 1 + known[0].numel() // (MOST_FEATURES + 1)
    fixed_location = torch.from_numpy(scaler.static_location)
    fixed_scale = torch.from_numpy(scaler.static_scale)
    static = (batch.static - fixed_location) / fixed_scale
    common = torch.cat([others, known[:, ::every].flatten(1), static, newest], dim=1)
    own = own[:, -MOST_FEATURES:].transpose(1, 2)  # (N, T, L)
    return torch.cat([own, common[:, None].expand(-1, targets, -1)], dim=2), newest


def _units(batch: Batch, scaler: Scaler) -> tuple[Tensor, Tensor]:
    """Return location and scale of each window's channels, (N, 1, C)."""
    location, scale = (torch.from_numpy(part)[batch.scale_row] for part in scaler.table())
    return location[:, None], scale[:, None]


def _scaled_target(batch: Batch, scaler: Scaler) -> Tensor:
    """Return the targets as (N, T, H) z-scores."""
    targets = batch.target.shape[2]
    location, scale = (part[..., :targets] for part in _units(batch, scaler))
    return ((batch.target - location) / scale).transpose(1, 2)


def _forecast(fit: linear.Ridge, batch: Batch, scaler: Scaler) -> Tensor:
    """Return the forecast (N, H, T) in raw units."""
    targets = batch.target.shape[2]
    location, scale = (part[..., :targets] for part in _units(batch, scaler))
    x, newest = features(batch, scaler)
    return (fit.predict(x) + newest[..., None]).transpose(1, 2) * scale + location


def _errors(
    fit: linear.Ridge, windows: Windows, index: WindowIndex, scaler: Scaler
) -> NDArray[np.float32]:
    """Return actual - forecast (N, H, T) of an index."""
    found = [
        (batch.target - _forecast(fit, batch, scaler)).numpy()
        for batch in batches(windows, index, batch_size=512)
    ]
    return np.concatenate(found)


def _mae(fit: linear.Ridge, windows: Windows, index: WindowIndex, scaler: Scaler) -> float:
    """Return the mean absolute error in raw units; infinite without any actual."""
    value = float(masked_mean(np.abs(_errors(fit, windows, index, scaler))))
    return value if np.isfinite(value) else float("inf")
