"""Train, calibration, dev and test as cutoffs, by target time; gathers no values.

A window belongs to a part when all its target steps do. Between two parts ``horizon - 1`` cutoffs
are therefore left out, and no target step is in two parts; contexts may reach back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from forecast.data.windows.candidates import Candidates
from forecast.errors import ConfigError, DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from forecast.data.panel import Panel
    from forecast.data.windows.windows import WindowIndex

Part = float | int | str
"""Size of a part: a share of the span (float), a count of steps (int) or a duration (str)."""
Spans = dict[str, "NDArray[np.int64]"]
"""Grid intervals [first, stop) of each part's targets, (R, 2), in order."""

PARTS = ("train", "calibration", "dev", "test")
MOST_BLOCKS = 24


class Split(NamedTuple):
    """Windows of each part, and what a scaler may see.

    Parameters
    ----------
    train, calibration, dev, test : WindowIndex
        Calibration is taken from train, seen neither by the weights nor by early stopping.
    train_end : (S,) int64
        Steps of each series whose rows a scaler may see, save those in `held_out`.
    held_out : (R, 2) int64
        Grid intervals [first, stop) that a scaler must not see.
    spans : dict
        Grid intervals of each part's targets.
    warnings : tuple of str
        What is thin about this split.
    """

    train: WindowIndex
    calibration: WindowIndex
    dev: WindowIndex
    test: WindowIndex
    train_end: NDArray[np.int64]
    held_out: NDArray[np.int64]
    spans: Spans
    warnings: tuple[str, ...] = ()


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
        Shares of the span, steps or durations; `calibration` is taken from train. Where `dev` or
        `test` is no share, a `train` share means what they leave. A `train` in steps begins with
        the data, otherwise `test` ends with it.
    scheme
        `chronological`: train, calibration (the end of train), dev, test in this order.
        `blocked`: calibration, dev and test are blocks drawn from the whole span, train the rest.
    stride
        Steps between the cutoffs of train; the other parts keep every cutoff.
    min_observed
        Share of the context's steps with an observed target below which a window is left out,
        as is one without any observed target.
    season
        Steps of the main season, for the warnings.
    seed
        Of the draw of blocks.

    Raises
    ------
    ConfigError
        When the parts do not fit together.
    DataError
        When the data is too short for a part to hold two horizons, or has no usable windows.
    """
    first, stop = _observed_span(panel)
    sizes = _sizes(panel, stop - first, {"train": train, "dev": dev, "test": test}, calibration)
    for part in PARTS:
        _require_two_horizons(part, sizes[part], horizon, stop - first)
    if scheme == "blocked":
        spans = _blocked(first, stop, sizes, horizon, seed)
        held_out = np.concatenate([spans[part] for part in PARTS[1:]])
        train_end = panel.length.copy()
    else:
        begin = first if isinstance(train, int | str) else stop - sum(sizes.values())
        spans = _chronological(begin, sizes)
        held_out = np.empty((0, 2), dtype=np.int64)
        train_end = np.clip(spans["train"][-1, 1] - panel.start, 0, panel.length)
    windows = Candidates(panel, context_length, horizon, min_observed)
    index = {part: windows.within(spans[part], stride if part == "train" else 1) for part in PARTS}
    for part, found in index.items():
        if sizes[part] and not len(found.cutoff):
            raise DataError(_no_windows(part, sizes[part], context_length, min_observed))
    return Split(
        train=index["train"],
        calibration=index["calibration"],
        dev=index["dev"],
        test=index["test"],
        train_end=train_end,
        held_out=held_out,
        spans=spans,
        warnings=_warnings(sizes, horizon, season or 0),
    )


def rolling_origins(
    panel: Panel,
    *,
    horizon: int,
    first: int,
    last: int,
    stride: int = 1,
    needs_actuals: bool = True,
) -> WindowIndex:
    """Cutoffs whose last step is the grid index `first`, `first + stride`, ... up to `last`.

    A series takes part where it has a past and, if `needs_actuals`, at least one observed target
    in the horizon.
    """
    origins = np.arange(first, last + 1, stride, dtype=np.int64) + 1
    windows = Candidates(panel, 1, horizon, 0.0, needs_actuals=needs_actuals)
    return windows.select(origins)


def _observed_span(panel: Panel) -> tuple[int, int]:
    """Grid interval from the first to the last observed target of any series."""
    begin, end = panel.observed_begin(), panel.observed_end(targets_only=True)
    has_any = end > begin
    if not has_any.any():
        raise DataError(
            f"no value of the target {', '.join(panel.targets)} is observed in any series; "
            "run `forecast check` to see why"
        )
    return int((panel.start + begin)[has_any].min()), int((panel.start + end)[has_any].max())


def _sizes(panel: Panel, span: int, parts: dict[str, Part], calibration: Part) -> dict[str, int]:
    """Count the steps of each part, calibration taken out of train."""
    shares = {name: part for name, part in parts.items() if isinstance(part, float)}
    for name, share in {**shares, "calibration": calibration}.items():
        if isinstance(share, float) and not 0.0 <= share < 1.0:
            raise ConfigError(f"split.{name}: {share} is no share between 0 and 1")
    if len(shares) == len(parts) and sum(shares.values()) > 1 + 1e-9:
        raise ConfigError(f"split: {parts} add up to more than the whole; make them 1 together")
    steps = {name: _steps(panel, part, span) for name, part in parts.items()}
    held, rest = _steps(panel, calibration, span), span - steps["dev"] - steps["test"]
    if "train" in shares and len(shares) < len(parts):
        steps["train"] = rest
    if steps["train"] > rest and not isinstance(parts["train"], float):
        raise DataError(
            f"the readings span {span} steps, but split.train, dev and test ask for "
            f"{sum(steps.values())}; make one of them smaller"
        )
    steps["train"] = min(steps["train"], rest)
    if steps["train"] <= held:
        raise DataError(
            f"the readings span {span} steps: nothing is left for train beside calibration "
            f"{held}, dev {steps['dev']} and test {steps['test']}; make split.calibration, "
            "split.dev or split.test smaller"
        )
    return {
        "train": steps["train"] - held,
        "calibration": held,
        "dev": steps["dev"],
        "test": steps["test"],
    }


def _steps(panel: Panel, part: Part, span: int) -> int:
    return round(part * span) if isinstance(part, float) else panel.grid.steps(part)


def _require_two_horizons(name: str, steps: int, horizon: int, span: int) -> None:
    if steps >= 2 * horizon or (name == "calibration" and steps == 0):
        return
    raise DataError(
        f"split.{name}: {steps} of {span} steps are too few for two horizons of {horizon}; set "
        f"split.{name} to {2 * horizon} steps or more ({2 * horizon / span:.2g} of the whole), or "
        "shorten windows.horizon"
    )


def _no_windows(name: str, steps: int, context_length: int, min_observed: float) -> str:
    return (
        f"split.{name}: no window in its {steps} steps has both an observed target and "
        f"{min_observed:.0%} of its context of {context_length} observed; lower "
        f"windows.min_observed or windows.context, or enlarge split.{name}"
    )


def _warnings(sizes: dict[str, int], horizon: int, season: int) -> tuple[str, ...]:
    found = []
    for name in ("dev", "test"):
        least = max(4 * horizon, 2 * season)
        if sizes[name] < least:
            why = "4 horizons" if least == 4 * horizon else "2 main seasons"
            found.append(
                f"split.{name} holds {sizes[name]} steps, under {why} ({least}): its figures are "
                "uncertain; the rolling backtest of `forecast evaluate` says more"
            )
    return tuple(found)


def _chronological(begin: int, sizes: dict[str, int]) -> Spans:
    edges = begin + np.cumsum([0, *(sizes[part] for part in PARTS)])
    return {part: edges[None, i : i + 2].astype(np.int64) for i, part in enumerate(PARTS)}


def _blocked(first: int, stop: int, sizes: dict[str, int], horizon: int, seed: int) -> Spans:
    """One block of each held-out part at a random place in each of equal stretches of the span."""
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
