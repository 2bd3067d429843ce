"""Where the error comes from: bias, variance, data mismatch, and the worst windows.

Errors on train, train-dev (here: calibration), dev and test are compared with the naive forecast's
on the same windows (Ng 2018, Machine Learning Yearning, ch. 20-24, 40-43). Some seasons are harder
to forecast than others, so the ratio to the naive error is what is compared.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from forecast.data.distance import kolmogorov_smirnov
from forecast.evaluation import metrics as m
from forecast.evaluation.backtest import Backtest
from forecast.evaluation.drift import mean_shift, psi, separability

PARTS = ("train", "calibration", "dev", "test")
NOTABLE = 0.05  # of the naive error; smaller gaps are noise when a part lasts only weeks


@dataclass(frozen=True)
class PartError:
    """Error of model and naive forecast on one part, in the target's units."""

    part: str
    windows: int
    model: float
    naive: float

    @property
    def ratio(self) -> float:
        """The model's error as a share of the naive one."""
        return float(m.ratio(self.model, self.naive))


def part_errors(parts: Mapping[str, Backtest], *, model: str, naive: str) -> tuple[PartError, ...]:
    """Return the MAE of each given part, in the order train, calibration, dev, test."""
    return tuple(
        PartError(
            part,
            len(backtest.index.series),
            float(m.mae(backtest.actual, backtest.forecasts[model].point)),
            float(m.mae(backtest.actual, backtest.forecasts[naive].point)),
        )
        for part, backtest in ((part, parts[part]) for part in PARTS if part in parts)
    )


def read_errors(errors: Sequence[PartError]) -> tuple[str, ...]:
    """Return what the errors mean, as sentences, the largest gap first: it is what to work on next.

    Gaps: train itself (bias), train to calibration (variance: same time span, unseen windows),
    calibration to dev (data mismatch: another time), dev to test (choices fitted to dev).
    """
    ratio = {error.part: error.ratio for error in errors}
    said: list[tuple[float, str]] = []
    if "train" in ratio:
        share = ratio["train"]
        advice = "a larger model, longer training or better inputs come first"
        said.append(
            (share - 0.8, f"Bias: on train the error is {share:.0%} of the naive one; {advice}.")
        )
    steps = (
        ("train", "calibration", "Variance", "more data, dropout, weight decay, a smaller model"),
        (
            "calibration",
            "dev",
            "Data mismatch",
            "the dev part differs from train: look at its dates",
        ),
        ("dev", "test", "Fitted to dev", "too many choices on too few dev windows"),
    )
    for before, after, name, advice in steps:
        if before in ratio and after in ratio:
            gap = ratio[after] - ratio[before]
            text = f"{name}: from {before} to {after} the ratio to naive goes "
            text += f"{ratio[before]:.2f} to {ratio[after]:.2f}; {advice}."
            said.append((gap, text))
    notable = sorted(
        (remark for remark in said if remark[0] > NOTABLE), key=lambda remark: -remark[0]
    )
    if not notable:
        return ("No gap stands out: train, calibration, dev and test agree.",)
    return tuple(text for _, text in notable)


def distance_in_words(dev: Backtest, test: Backtest) -> tuple[str, ...]:
    """Return how much the actuals of dev and test differ, in sentences."""
    said = []
    for k, target in enumerate(dev.targets):
        a, b = dev.actual[..., k], test.actual[..., k]
        said.append(
            f"{target}: the mean of test lies {mean_shift(a, b):+.2f} standard deviations from "
            f"dev; largest gap of the distributions {kolmogorov_smirnov(a, b):.2f}; "
            f"PSI {psi(a, b):.2f}."
        )
    area = separability(_summary(dev.actual), _summary(test.actual))
    verdict = "alike" if area < 0.6 else "tellable" if area < 0.8 else "of two distributions"
    said.append(f"A classifier tells dev from test windows with an area of {area:.2f}: {verdict}.")
    return tuple(said)


def _summary(actual: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the mean, deviation and slope of each window's targets, (N, 3T)."""
    mean = m.masked_mean(actual, axis=1)
    spread = np.sqrt(m.masked_mean((actual - mean[:, None]) ** 2, axis=1))
    half = actual.shape[1] // 2 or 1
    slope = m.masked_mean(actual[:, half:], axis=1) - m.masked_mean(actual[:, :half], axis=1)
    return np.concatenate([mean, spread, slope], axis=1)


@dataclass(frozen=True)
class WorstWindow:
    """A window that the model forecast badly, and its error."""

    row: int
    target: int
    unique_id: str
    target_name: str
    cutoff: str
    mae: float
    naive_mae: float
    bias: float
    flag: str


def worst_windows(
    backtest: Backtest, *, model: str, naive: str, count: int = 100
) -> tuple[WorstWindow, ...]:
    """Return the windows with the largest MAE (each target in units of its mean), one per episode.

    A window that shares target steps with a worse window of the same series and target is left
    out: with hourly cutoffs, a single storm would fill the list.
    """
    forecast, reference = backtest.forecasts[model], backtest.forecasts[naive]
    error = m.mae(backtest.actual, forecast.point, axis=1)  # (N, T)
    unit = np.nan_to_num(error / m.masked_mean(error, axis=0), nan=-1.0)
    naive_error = m.mae(backtest.actual, reference.point, axis=1)
    tilt = m.bias(backtest.actual, forecast.point, axis=1)
    horizon, (series, cutoff) = backtest.actual.shape[1], backtest.index
    taken: dict[tuple[int, int], list[int]] = {}
    found: list[WorstWindow] = []
    for row, target in zip(
        *np.unravel_index(np.argsort(-unit, axis=None), unit.shape), strict=True
    ):
        if len(found) == count or unit[row, target] < 0:
            break
        near = taken.setdefault((int(series[row]), int(target)), [])
        if any(abs(int(cutoff[row]) - other) < horizon for other in near):
            continue
        near.append(int(cutoff[row]))
        found.append(
            WorstWindow(
                row=int(row),
                target=int(target),
                unique_id=backtest.series_ids[series[row]],
                target_name=backtest.targets[target],
                cutoff=str(np.datetime64(int(backtest.cutoff_ns[row]), "ns").astype("M8[s]")) + "Z",
                mae=float(error[row, target]),
                naive_mae=float(naive_error[row, target]),
                bias=float(tilt[row, target]),
                flag=str(forecast.flag[row, target]),
            )
        )
    return tuple(found)


COLUMNS = ("rank", "unique_id", "target", "cutoff", "mae", "naive_mae", "bias", "flag", "label")


def write_worst(path: Path, windows: Sequence[WorstWindow]) -> None:
    """Write the worst windows as CSV with a `label` column to fill in by hand.

    When the file is written again, windows keep their labels.
    """
    labels: dict[tuple[str, str, str], str] = {}
    if path.exists():
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                labels[row["unique_id"], row["target"], row["cutoff"]] = row["label"]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for rank, window in enumerate(windows, 1):
            key = (window.unique_id, window.target_name, window.cutoff)
            numbers = (f"{value:.6g}" for value in (window.mae, window.naive_mae, window.bias))
            writer.writerow((rank, *key, *numbers, window.flag, labels.get(key, "")))
