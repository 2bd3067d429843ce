"""Splits the windows of a panel by target time into train, calibration, dev and test.

A window belongs to a part when all its target steps do. Between two parts ``horizon - 1`` cutoffs
are therefore left out, and no target step is in two parts; contexts may reach back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from forecast.data.windows.candidates import Candidates
from forecast.errors import ConfigError, DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from forecast.data.panel import Panel
    from forecast.data.windows.windows import WindowIndex

Part = float | int | str
"""Size of a part: a share of the span (float), a count of steps (int) or a duration (str)."""
Spans = dict[str, "NDArray[np.int64]"]
"""Grid intervals [first, stop) of each part's targets, (R, 2), in order."""

PARTS = ("train", "calibration", "dev", "test")
HELD_BACK = ("dev", "test", "calibration")
MOST_BLOCKS = 24


class Need(NamedTuple):
    """The least size of a part whose scores mean something: 4 horizons and 2 main seasons."""

    horizon: int
    season: int

    @property
    def steps(self) -> int:
        """Steps of the longer of the two."""
        return max(4 * self.horizon, 2 * self.season)

    @property
    def why(self) -> str:
        """Which of the two is longer, in words."""
        return "4 horizons" if self.steps == 4 * self.horizon else "2 main seasons"


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
        starts with the data; otherwise `test` ends with it. A share under 4 horizons or 2 main
        seasons becomes that long, as far as train keeps half of the span (a third, where two
        horizons need it), see `enlarged`.
    scheme
        `chronological`: train, calibration (the end of train), dev, test in this order.
        `blocked`: calibration, dev and test are blocks drawn from the whole span, train the rest.
    stride
        Steps between the cutoffs of train; the other parts keep every cutoff.
    min_observed
        Least share of the context's steps with an observed target. A window below it, or without
        any observed target in its horizon, is left out.
    season
        Steps of the main season; a part should hold two of them, and 4 horizons.
    seed
        Of the random blocks.

    Raises
    ------
    ConfigError
        When the sizes of the parts contradict each other.
    DataError
        When a part is too short for two horizons, or has no usable window.
    """
    first, stop = _observed_span(panel)
    asked = {"train": train, "calibration": calibration, "dev": dev, "test": test}
    sizes, notes = _sizes(panel, stop - first, asked, need=Need(horizon, season or 0))
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
        warnings=_warnings(sizes, Need(horizon, season or 0)),
        notes=notes,
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


def _sizes(
    panel: Panel, span: int, parts: dict[str, Part], *, need: Need
) -> tuple[dict[str, int], tuple[str, ...]]:
    """Return the steps of each part, with calibration taken out of train, and what was enlarged."""
    shares = {name: part for name, part in parts.items() if isinstance(part, float)}
    for name, share in shares.items():
        if not 0.0 <= share < 1.0:
            raise ConfigError(f"split.{name}: {share} is no share between 0 and 1")
    whole = [shares[name] for name in ("train", "dev", "test") if name in shares]
    if len(whole) == 3 and sum(whole) > 1 + 1e-9:
        raise ConfigError(f"split: {shares} add up to more than the whole; make them 1 together")
    steps = {name: _steps(panel, part, span) for name, part in parts.items()}
    held = {name: steps[name] for name in HELD_BACK}
    growing = [name for name in HELD_BACK if shares.get(name, 0) > 0 and "train" in shares]
    grown = enlarged(held, growing, need=need, span=span)
    rest = span - grown["dev"] - grown["test"]
    if "train" not in shares and steps["train"] > rest:
        raise DataError(
            f"the readings span {span} steps, but split.train, dev and test ask for "
            f"{steps['train'] + span - rest}; make one of them smaller"
        )
    train = rest if len(whole) < 3 and "train" in shares else min(steps["train"], rest)
    if train <= grown["calibration"]:
        raise DataError(
            f"the readings span {span} steps: nothing is left for train beside calibration "
            f"{grown['calibration']}, dev {grown['dev']} and test {grown['test']}; make "
            "split.calibration, split.dev or split.test smaller"
        )
    sizes = {**grown, "train": train - grown["calibration"]}
    return {name: sizes[name] for name in PARTS}, _notes(held, grown, need)


def enlarged(
    held: dict[str, int], growing: Sequence[str], *, need: Need, span: int
) -> dict[str, int]:
    """Enlarge the `growing` parts equally to the steps they need, within half of the span.

    If that is too little for two horizons each, there is no calibration; if it still is, dev and
    test may take two thirds of the span: seven years of months are enough to forecast one.

    Examples
    --------
    >>> enlarged({"dev": 7, "test": 7, "calibration": 14}, ["dev", "test", "calibration"],
    ...          need=Need(30, 7), span=725)
    {'dev': 120, 'test': 120, 'calibration': 120}
    >>> enlarged({"dev": 1, "test": 1, "calibration": 2}, ["dev", "test", "calibration"],
    ...          need=Need(12, 12), span=84)
    {'dev': 24, 'test': 24, 'calibration': 0}
    """
    without_late = [name for name in growing if name != "calibration"]
    least = 2 * need.horizon
    if "calibration" in growing and held["calibration"] < least:
        held = {**held, "calibration": 0}  # too short to calibrate on
    for names, top, most in (
        (growing, need.steps, span // 2),
        (without_late, need.steps, span // 2),
        (without_late, least, 2 * span // 3),
    ):
        for level in range(top, least - 1, -1):
            sizes = {
                name: max(size, level) if name in names else size for name, size in held.items()
            }
            if sum(sizes.values()) <= most:
                return sizes
    return held


def _notes(held: dict[str, int], grown: dict[str, int], need: Need) -> tuple[str, ...]:
    changed = [name for name in HELD_BACK if grown[name] != held[name]]
    if not changed:
        return ()
    moves = ", ".join(f"{name} {grown[name]} in place of {held[name]}" for name in changed)
    return (f"split: {moves} steps, for {need.why} ({need.steps}) or as many as train can spare",)


def _steps(panel: Panel, part: Part, span: int) -> int:
    return round(part * span) if isinstance(part, float) else panel.grid.steps(part)


def _require_two_horizons(name: str, steps: int, horizon: int, span: int) -> None:
    if steps >= 2 * horizon or (name == "calibration" and steps == 0):
        return
    shorter = f" to {span // 8} steps or fewer" if span >= 8 else "; the readings are too few"
    raise DataError(
        f"split.{name}: {steps} of {span} steps are too few for two horizons of {horizon}; set "
        f"split.{name} to {2 * horizon} steps or more ({2 * horizon / span:.2g} of the whole), or "
        f"shorten windows.horizon{shorter}"
    )


def _no_windows(name: str, steps: int, context_length: int, min_observed: float) -> str:
    return (
        f"split.{name}: no window in its {steps} steps has both an observed target and "
        f"{min_observed:.0%} of its context of {context_length} observed; lower "
        f"windows.min_observed or windows.context, or enlarge split.{name}"
    )


def _warnings(sizes: dict[str, int], need: Need) -> tuple[str, ...]:
    found = [
        f"split.{name} holds {sizes[name]} steps, under {need.why} ({need.steps}): its figures are "
        "uncertain; the rolling backtest of `forecast evaluate` says more"
        for name in ("dev", "test")
        if sizes[name] < need.steps
    ]
    return tuple(found)


def _chronological(begin: int, sizes: dict[str, int]) -> Spans:
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
