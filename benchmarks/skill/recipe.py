"""The one recipe of all rows: a segment forecaster, trained in a plain loop, best dev weights kept.

It never sees a test window. Everything but context and normalisation is the same for all rows.
"""

import copy
import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from forecast.data.windows.train_folds import TrainFolds
from forecast.data.windows.window_index import WindowIndex
from forecast.data.windows.windows import Windows
from forecast.models.architecture import Architecture, HeadSpec
from forecast.models.build import build_head, build_model
from forecast.models.ensemble import Ensemble, segments_of
from forecast.models.strategies.segment import Segment
from forecast.models.strategies.segment_fit import fit_correction_share, fit_linear_path
from forecast.vocabulary import PointLoss

from .tables import Row, Table, as_tensors

Column = Literal["lstm", "ridge", "both"]
Model = Segment | Ensemble


@dataclass(frozen=True)
class Recipe:
    """What is the same for every row; each value chosen on dev windows."""

    width: int = 128
    members: int = 2  # of the ensemble
    longest_segment: int = 48  # readings in one recurrent step: a day, and no more than this
    dropout: float = 0.3
    loss: PointLoss = "mae"
    steps: int = 1200
    sequences: int = 128  # windows times channels in one optimiser step
    learning_rate: float = 2e-3
    weight_decay: float = 0.01
    average: float = 0.99  # decay of the moving average of weights
    checks: int = 6  # looks at dev
    dev_windows: int = 250  # spread evenly over dev, for each look
    seasons: int = 2  # naive candidates of: nothing, the day, the day and the week
    clip: float = 1.0


@dataclass(frozen=True)
class Job:
    """One fit: a column of a row."""

    row: Row
    table: Table
    recipe: Recipe
    column: Column
    seed: int = 0

    def windows(self) -> Windows:
        """Give the table as a source of windows of the row's lengths."""
        return Windows(
            self.table.panel,
            context_length=self.row.context,
            horizon=self.row.horizon,
            calendar=self.table.calendar,
        )

    def index(self, part: str) -> WindowIndex:
        """Every window of a part."""
        return self.table.index(part, context=self.row.context, horizon=self.row.horizon)

    def folds(self) -> TrainFolds:
        """Cut the time of train into folds that the linear path can be fitted without."""
        return TrainFolds.of(self.table.panel, self.index("train"), horizon=self.row.horizon)


@dataclass(frozen=True)
class Trained:
    """A forecaster and what its training took."""

    model: Model
    windows: Windows
    seconds: float
    weights: int  # moved by the optimiser
    linear_weights: int  # fitted in closed form, frozen
    step: int  # of the kept weights
    note: str  # what dev chose for the linear path
    dev: tuple[float, float]  # squared and absolute error on all of dev, before any refit


def scaled_batches(
    windows: Windows, index: WindowIndex, size: int = 256
) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """Past, known, static and target of all windows, in order."""
    series, cutoff = as_tensors(index)
    for chosen in torch.arange(len(cutoff)).split(size):
        batch = windows.gather(series[chosen], cutoff[chosen])
        yield batch.past, batch.known, batch.static, batch.target


def thinned(index: WindowIndex, most: int) -> WindowIndex:
    """At most about `most` windows, evenly spread."""
    every = max(1, len(index.cutoff) // most)
    return WindowIndex(index.series[::every], index.cutoff[::every])


@torch.inference_mode()
def errors(models: list[Model], windows: Windows, index: WindowIndex) -> tuple[float, float]:
    """Mean squared and absolute error of the models' mean forecast over all windows and steps."""

    def forecast_errors() -> Iterator[Tensor]:
        for past, known, static, target in scaled_batches(windows, index):
            points = [model.eval().head.point(model(past, known, static)) for model in models]
            yield torch.stack(points).mean(0) - target

    return _means(forecast_errors())


@torch.inference_mode()
def ridge_errors(models: list[Model], windows: Windows, index: WindowIndex) -> tuple[float, float]:
    """Mean squared and absolute error of the first model's linear path alone."""
    first = segments_of(models[0])[0]
    path = first.linear
    assert path is not None
    rows = first.linear_rows(scaled_batches(windows, index))
    return _means((path(row.features) - row.target) * row.scale for row in rows)


def _means(parts: Iterable[Tensor]) -> tuple[float, float]:
    """Mean square and mean absolute value over all parts."""
    square = absolute = 0.0
    count = 0
    for part in parts:
        error = part.double()
        square += float(error.square().sum())
        absolute += float(error.abs().sum())
        count += error.numel()
    return square / count, absolute / count


def train(job: Job) -> Trained:
    """Fit one column of a row; the linear path and the kept step are chosen on dev."""
    began = time.perf_counter()
    windows, train_index = job.windows(), job.index("train")
    model = build(job, windows)
    dev = thinned(job.index("dev"), job.recipe.dev_windows)
    note = ""
    if job.column != "lstm":
        rows = thinned(train_index, 12_000)
        cells = job.folds().split(rows)
        batches = {cell: scaled_batches(windows, index) for cell, index in cells.items()}
        fit = fit_linear_path(segments_of(model), batches, scaled_batches(windows, dev))
        assert fit is not None
        note = f"{fit.choice}, rmse {fit.error:.4f}"
        print(f"  linear path: {note}, {time.perf_counter() - began:.0f} s", flush=True)
    step = 0
    if job.column != "ridge":
        model, step = descend(job, model, windows, train_index, dev)
        rows = scaled_batches(windows, thinned(job.index("dev"), 700))
        trust = fit_correction_share(segments_of(model), rows)
        note += f", trust {[round(share, 2) for share in trust]}"
        print(f"  trust {trust}", flush=True)
    seconds = time.perf_counter() - began
    measure = ridge_errors if job.column == "ridge" else errors
    dev_errors = measure([model], windows, job.index("dev"))
    if job.row.refit and job.column != "ridge":
        again = time.perf_counter()
        model = refitted(job, model, windows, train_index, dev)
        seconds += time.perf_counter() - again
    weights = sum(weight.numel() for weight in model.parameters())
    frozen = 0
    for member in segments_of(model):
        member.forget_folds()
        if member.linear is not None:
            frozen = sum(part.numel() for part in member.linear.buffers())  # one for all members
    return Trained(model, windows, seconds, weights, frozen, step, note, dev_errors)


def refitted(
    job: Job, chosen: Model, windows: Windows, train_index: WindowIndex, dev: WindowIndex
) -> Model:
    """Train again on train and dev, as many steps as before, everything chosen as before."""
    whole = WindowIndex(
        *(np.concatenate(pair) for pair in zip(train_index, job.index("dev"), strict=True))
    )
    model = build(job, windows)
    for member, before in zip(segments_of(model), segments_of(chosen), strict=True):
        member.linear = copy.deepcopy(before.linear)
    last = descend(job, model, windows, whole, dev, keep_last=True)[0]
    for member, before in zip(segments_of(last), segments_of(chosen), strict=True):
        member.trust.copy_(before.trust)
    return last


def build(job: Job, windows: Windows) -> Model:
    """Give an untrained network of the row's sizes."""
    torch.manual_seed(job.seed)
    table, recipe = job.table, job.recipe
    seasons = (table.day, 7 * table.day)[: recipe.seasons] if job.column != "lstm" else ()
    architecture = Architecture(
        "segment",
        context_length=job.row.context,
        horizon=job.row.horizon,
        target_count=len(table.panel.targets),
        known_count=len(windows.known_names),
        static_count=table.panel.static.shape[1],
        hidden_size=recipe.width,
        dropout=recipe.dropout,
        normalization=job.row.normalization,
        segment_length=min(table.day, recipe.longest_segment),
        linear=job.column != "lstm",
        seasons=seasons,
        known_names=tuple(windows.known_names),
        ensemble=recipe.members,
    )
    model = build_model(architecture, build_head(HeadSpec("point", loss=recipe.loss)))
    assert isinstance(model, Segment | Ensemble)
    return model


def descend(
    job: Job,
    model: Model,
    windows: Windows,
    index: WindowIndex,
    dev: WindowIndex,
    *,
    keep_last: bool = False,
) -> tuple[Model, int]:
    """AdamW with warm-up and cosine; the average of the weights that is best on dev is kept."""
    recipe = job.recipe
    steps, folds = recipe.steps, job.folds()
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
    )
    average = copy.deepcopy(model)
    best, best_error, best_step = average, float("inf"), 0
    began = time.perf_counter()
    for step, chosen in enumerate(draws(job, len(index.cutoff), steps), start=1):
        rate = min(1.0, step / 50) * 0.5 * (1 + math.cos(math.pi * step / steps))
        optimizer.param_groups[0]["lr"] = recipe.learning_rate * rate
        rows = WindowIndex(index.series[chosen.numpy()], index.cutoff[chosen.numpy()])
        past, known, static, target = next(scaled_batches(windows, rows))
        fold = folds.number(*as_tensors(rows))
        model.train()
        optimizer.zero_grad()
        for member in segments_of(model):
            forecast = member(past, known, static, target, fold)
            member.head.loss(forecast, target).backward()
            nn.utils.clip_grad_norm_(member.parameters(), recipe.clip)
        optimizer.step()
        follow(average, model, min(recipe.average, (1 + step) / (10 + step)))
        if step % max(1, steps // recipe.checks) == 0 or step == steps:
            square, absolute = errors([average], windows, dev)
            spent = time.perf_counter() - began
            print(f"  {step} dev mse {square:.4f} mae {absolute:.4f}, {spent:.0f} s", flush=True)
            if keep_last or absolute < best_error:
                best, best_error, best_step = copy.deepcopy(average), absolute, step
    return best, best_step


def draws(job: Job, count: int, steps: int) -> Iterator[Tensor]:
    """Positions of the windows of each step: all of them in a new order, again and again."""
    batch = max(1, job.recipe.sequences // len(job.table.panel.targets))
    draw = torch.Generator().manual_seed(job.seed)
    order = torch.empty(0, dtype=torch.int64)
    for _ in range(steps):
        if len(order) < batch:
            order = torch.randperm(count, generator=draw)
        chosen, order = order[:batch], order[batch:]
        yield chosen


@torch.no_grad()
def follow(average: nn.Module, model: nn.Module, decay: float) -> None:
    """Move the average of the weights towards the newest ones."""
    for slow, fast in zip(average.parameters(), model.parameters(), strict=True):
        slow.lerp_(fast, 1 - decay)
