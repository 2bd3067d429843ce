"""How many steps train, calibration, dev and test take, and which of them must grow."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from forecast.errors import ConfigError, DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from forecast.data.panel import Panel

Part = float | int | str
"""Size of a part: a share of the span (float), a count of steps (int) or a duration (str)."""

PARTS = ("train", "calibration", "dev", "test")

HELD_BACK = ("dev", "test", "calibration")


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


class PartSizes(NamedTuple):
    """Steps of each part, with calibration taken out of train.

    Parameters
    ----------
    steps : dict
        By part, in the order of `PARTS`.
    warnings : tuple of str
        Parts that are too small.
    notes : tuple of str
        Parts that were made larger than their share.
    """

    steps: dict[str, int]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]


def part_sizes(panel: Panel, span: int, parts: dict[str, Part], *, need: Need) -> PartSizes:
    """Turn what was asked for each part into steps of the `span`; see `split_windows`.

    Raises
    ------
    ConfigError
        When the sizes of the parts contradict each other.
    DataError
        When the readings are too few for them, or a part is too short for two horizons.
    """
    shares = {name: part for name, part in parts.items() if isinstance(part, float)}
    _require_a_whole(shares)
    steps = {name: _steps(panel, part, span) for name, part in parts.items()}
    held = {name: steps[name] for name in HELD_BACK}
    growing = [name for name in HELD_BACK if shares.get(name, 0) > 0 and "train" in shares]
    grown = enlarged(held, growing, need=need, span=span)
    sizes = {**grown, "train": _train_steps(steps["train"], grown, shares, span)}
    sizes = {name: sizes[name] for name in PARTS}
    for name, size in sizes.items():
        _require_two_horizons(name, size, need.horizon, span)
    return PartSizes(sizes, _warnings(sizes, need), _notes(held, grown, need))


def enlarged(
    held: dict[str, int], growing: Sequence[str], *, need: Need, span: int
) -> dict[str, int]:
    """Enlarge the `growing` parts equally to the steps they need, within half of the span.

    What they need is 4 horizons or 2 main seasons, and train keeps the other half. If that is too
    little for two horizons each, there is no calibration; if it still is, dev and test may take
    two thirds of the span: seven years of months are enough to forecast one.

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


def _require_a_whole(shares: dict[str, float]) -> None:
    for name, share in shares.items():
        if not 0.0 <= share < 1.0:
            raise ConfigError(f"split.{name}: {share} is not a share between 0 and 1")
    whole = [shares[name] for name in ("train", "dev", "test") if name in shares]
    if len(whole) == 3 and sum(whole) > 1 + 1e-9:
        raise ConfigError(f"split: {shares} add up to more than the whole; make them 1 together")


def _train_steps(asked: int, held: dict[str, int], shares: dict[str, float], span: int) -> int:
    """Return the steps of train: what is asked for, or all that the held-back parts leave."""
    rest = span - held["dev"] - held["test"]
    if "train" not in shares and asked > rest:
        raise DataError(
            f"the readings span {span} steps, but split.train, dev and test ask for "
            f"{asked + span - rest}; make one of them smaller"
        )
    takes_the_rest = "train" in shares and not {"dev", "test"} <= shares.keys()
    train = rest if takes_the_rest else min(asked, rest)
    if train <= held["calibration"]:
        raise DataError(
            f"the readings span {span} steps: nothing is left for train beside calibration "
            f"{held['calibration']}, dev {held['dev']} and test {held['test']}; make "
            "split.calibration, split.dev or split.test smaller"
        )
    return train - held["calibration"]


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


def _warnings(sizes: dict[str, int], need: Need) -> tuple[str, ...]:
    found = [
        f"split.{name} holds {sizes[name]} steps, under {need.why} ({need.steps}): its figures are "
        "uncertain; the rolling backtest of `forecast evaluate` says more"
        for name in ("dev", "test")
        if sizes[name] < need.steps
    ]
    return tuple(found)
