"""Splits the windows of a panel by target time into train, calibration, dev and test.

A window belongs to a part when all its target steps do. Between two parts ``horizon - 1`` cutoffs
are therefore left out, and no target step is in two parts; contexts may reach back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from forecast.data.windows.candidates import Candidates
from forecast.data.windows.part_sizes import (
    PARTS,
    Need,
    Part,
    part_sizes,
)
from forecast.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from forecast.data.panel import Panel
    from forecast.data.windows.window_index import WindowIndex

Spans = dict[str, "NDArray[np.int64]"]
"""Grid intervals [first, stop) of each part's targets, (R, 2), in order."""

MOST_BLOCKS = 24


class Split(NamedTuple):
    """Windows of each part, and the rows a scaler may see.

    Parameters
    ----------
    train, calibration, dev, test : WindowIndex
        Calibration is taken from train; neither the weights nor early stopping see it.
    train_end : (S,) int64
        Steps of each series whose rows a scaler may see, except those in `held_out`.
    held_out : (R, 2) int64
        Grid intervals [first, stop) that a scaler must not see.
    spans : dict
        Grid intervals of each part's targets.
    warnings : tuple of str
        Parts that are too small.
    notes : tuple of str
        Parts that were made larger than their share.
    """

    train: WindowIndex
    calibration: WindowIndex
    dev: WindowIndex
    test: WindowIndex
    train_end: NDArray[np.int64]
    held_out: NDArray[np.int64]
    spans: Spans
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def split_windows(
    panel: Panel,
    *,
    context_length: int,
    horizon: int,
    train: Part = 0.98,
    dev: Part = 0.01,
    test: Part = 0.01,
    calibration: Part = 0.02,
    scheme: Literal["chronological", "blocked"] = "chronological",
    stride: int = 1,
    min_observed: float = 0.5,
    season: int | None = None,
    seed: int = 0,
) -> Split:
    """Cut all series at the same target times.

    Parameters
    ----------
    train, dev, test, calibration
        Shares of the span, steps or durations; `calibration` is taken from train. If `dev` or
        `test` is not a share, a `train` share stands for whatever they leave. A `train` in steps
        starts with the data; otherwise `test` ends with it. Small shares grow, see `enlarged`.
    scheme
        `chronological`: train, calibration (the end of train), dev, test in this order.
        `blocked`: calibration, dev and test are blocks drawn from the whole span, train the rest.
    stride
        Steps between the cutoffs of train; the other parts keep every cutoff.
    min_observed
        Least share of the context's steps with an observed target. A window below it, or without
        any observed target in its horizon, is left out.
    season, seed
        Steps of the main season, of which a part should hold two; seed of the random blocks.

    Raises
    ------
    ConfigError
        When the sizes of the parts contradict each other.
    DataError
        When a part is too short for two horizons, or has no usable window.
    """
    first, stop = _observed_span(panel)
    asked = {"train": train, "calibration": calibration, "dev": dev, "test": test}
    sizes = part_sizes(panel, stop - first, asked, need=Need(horizon, season or 0))
    if scheme == "blocked":
        spans = _blocked(first, stop, sizes.steps, horizon, seed)
    else:
        spans = _chronological(first, stop, sizes.steps, at_start=isinstance(train, int | str))
    train_end, held_out = _rows_of_train(panel, spans, scheme)
    windows = Candidates(panel, context_length, horizon, min_observed)
    index = {part: windows.within(spans[part], stride if part == "train" else 1) for part in PARTS}
    _require_windows(index, sizes.steps, context_length, min_observed)
    return Split(
        **index,
        train_end=train_end,
        held_out=held_out,
        spans=spans,
        warnings=sizes.warnings,
        notes=sizes.notes,
    )


def rolling_origins(
    panel: Panel,
    *,
    horizon: int,
    first: int,
    last: int,
    stride: int = 1,
) -> WindowIndex:
    """Return the cutoffs whose last step is the grid index `first`, `first + stride`, ... `last`.

    A series is included where it has a past and an observed target in the horizon.
    """
    origins = np.arange(first, last + 1, stride, dtype=np.int64) + 1
    return Candidates(panel, 1, horizon, 0.0).select(origins)


def _observed_span(panel: Panel) -> tuple[int, int]:
    """Return the grid interval from the first to the last observed target of any series."""
    begin, end = panel.observed_begin(), panel.observed_end(targets_only=True)
    has_any = end > begin
    if not has_any.any():
        raise DataError(
            f"no value of the target {', '.join(panel.targets)} is observed in any series; "
            "run `forecast check` to see why"
        )
    return int((panel.start + begin)[has_any].min()), int((panel.start + end)[has_any].max())


def _require_windows(
    index: dict[str, WindowIndex], sizes: dict[str, int], context_length: int, min_observed: float
) -> None:
    for part, found in index.items():
        if sizes[part] and not len(found.cutoff):
            raise DataError(
                f"split.{part}: no window in its {sizes[part]} steps has both an observed target "
                f"and {min_observed:.0%} of its context of {context_length} observed; lower "
                f"windows.min_observed or windows.context, or enlarge split.{part}"
            )


def _rows_of_train(
    panel: Panel, spans: Spans, scheme: str
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return `train_end` and `held_out` of a `Split`."""
    if scheme == "blocked":
        return panel.length.copy(), np.concatenate([spans[part] for part in PARTS[1:]])
    train_end = np.clip(spans["train"][-1, 1] - panel.start, 0, panel.length)
    return train_end, np.empty((0, 2), dtype=np.int64)


def _chronological(first: int, stop: int, sizes: dict[str, int], *, at_start: bool) -> Spans:
    """Place the parts one after the other, at the start of the span or at its end."""
    begin = first if at_start else stop - sum(sizes.values())
    edges = begin + np.cumsum([0, *(sizes[part] for part in PARTS)])
    return {part: edges[None, i : i + 2].astype(np.int64) for i, part in enumerate(PARTS)}


def _blocked(first: int, stop: int, sizes: dict[str, int], horizon: int, seed: int) -> Spans:
    """Divide the span equally, and in each piece place one random block of each held-out part."""
    random = np.random.default_rng(seed)
    held = {part: sizes[part] for part in PARTS[1:] if sizes[part]}
    count = min(MOST_BLOCKS, *(size // (2 * horizon) for size in held.values()))
    edges = np.linspace(first, stop, count + 1).astype(np.int64)
    blocks: dict[str, list[tuple[int, int]]] = {part: [] for part in PARTS}
    begin = first
    for number in range(count):
        order = random.permutation(list(held))
        lengths = [
            held[part] * (number + 1) // count - held[part] * number // count for part in order
        ]
        free = int(edges[number + 1] - edges[number]) - sum(lengths)
        gaps = np.diff(np.sort(random.integers(0, free + 1, len(order))), prepend=0)
        place = int(edges[number])
        for part, length, gap in zip(order, lengths, gaps, strict=True):
            place += int(gap)
            blocks["train"].append((begin, place))
            blocks[part].append((place, place + length))
            begin = place = place + length
    blocks["train"].append((begin, stop))
    return {part: np.array(blocks[part], dtype=np.int64).reshape(-1, 2) for part in PARTS}
