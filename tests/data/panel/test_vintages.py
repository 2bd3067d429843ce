"""Several values for one timestamp: at every cutoff only what was known then is seen."""

import numpy as np
import pytest
import torch

from forecast.data.chunk import MISSING_TIME, Chunk, SeriesIds
from forecast.data.grid import Grid
from forecast.data.panel import PanelSpec, build_panel, open_panel, panel_as_of, write_panel
from forecast.data.windows.scaling import fit_scaler
from forecast.data.windows.windows import Windows
from tests.builders import Chunks

HOUR = 3_600_000_000_000
T0 = 473_352 * HOUR


def build(path, readings, names=("a",), **spec):
    """Readings: (series, hour, target, known covariate, hour of knowing or None)."""
    series, hours, target, known, when = zip(*readings, strict=True)
    chunk = Chunk(
        np.array(series, np.int32),
        T0 + (np.array(hours) * HOUR).astype(np.int64),
        np.array([target, known], dtype=float).T,
        np.array([MISSING_TIME if w is None else T0 + int(w * HOUR) for w in when]),
    )
    rules = PanelSpec(Grid("1h"), ("y",), known=("x",), **spec)
    return build_panel(Chunks([chunk], SeriesIds(list(names))), path, spec=rules)


def gather(panel, cutoff, *, context=3, horizon=2, series=0):
    windows = Windows(panel, context_length=context, horizon=horizon)
    return windows.gather(torch.tensor([series]), torch.tensor([cutoff]))


NAN = float("nan")
REVISED = [
    (0, 0, 10, 1, 0),
    (0, 1, 11, 2, 1),
    (0, 1, 99, NAN, 3),  # the target of hour 1 is revised at hour 3
    (0, 2, 12, 3, 4),  # hour 2 arrives two hours late
    (0, 3, 13, 4, 3),
    (0, 4, NAN, 50, 1),  # forecast of hour 4, issued at hour 1 ...
    (0, 4, NAN, 51, 3),  # ... and again at hour 3
    (0, 4, 14, NAN, 4),
    (0, 5, NAN, 60, 4),
]


def test_a_cutoff_sees_what_was_known_then(tmp_path):
    panel = build(tmp_path / "p", REVISED)
    at_2 = gather(panel, 3)  # the last step used is hour 2
    np.testing.assert_array_equal(at_2.past[0, :, 0], [10, 11, NAN])
    np.testing.assert_array_equal(at_2.known[0, :, 0], [1, 2, NAN, NAN, 50])
    np.testing.assert_array_equal(at_2.target[0, :, 0], [13, 14])
    at_3 = gather(panel, 4)
    np.testing.assert_array_equal(at_3.past[0, :, 0], [99, NAN, 13])
    np.testing.assert_array_equal(at_3.known[0, :, 0], [2, NAN, 4, 51, NAN])
    at_4 = gather(panel, 5)
    np.testing.assert_array_equal(at_4.past[0, :, 0], [12, 13, 14])
    np.testing.assert_array_equal(at_4.known[0, :, 0], [3, 4, 51, 60, NAN])


def test_the_panel_itself_holds_the_newest_values_and_counts_all(tmp_path):
    panel = build(tmp_path / "p", REVISED)
    np.testing.assert_array_equal(panel.values[:6, 0], [10, 99, 12, 13, 14, NAN])
    assert panel.account == {"read": 9, "kept": 9, "aggregated": 0, "rejected": 0}


def test_rows_without_a_time_of_knowing_were_always_known(tmp_path):
    panel = build(tmp_path / "p", [(0, 0, 1, 5, None), (0, 1, 2, 6, None), (0, 2, NAN, 7, None)])
    batch = gather(panel, 1, context=1)
    assert batch.known[0, :, 0].tolist() == [5, 6, 7]


def test_instants_of_one_step_are_reduced_as_known(tmp_path):
    readings = [
        (0, 0.0, 1, 0, 0),
        (0, 0.5, 3, 0, 1),
        (0, 0.0, 5, 0, 2),  # a revision of the first
        (0, 1.0, 7, 0, 1),
        (0, 2.0, 8, 0, 2),
    ]
    panel = build(tmp_path / "p", readings, aggregate={"y": "mean"})
    seen = [float(gather(panel, cutoff).past[0, -cutoff, 0]) for cutoff in (1, 2, 3)]
    assert seen == [1.0, 2.0, 4.0]


def test_a_written_panel_keeps_its_vintages(tmp_path):
    panel = build(tmp_path / "p", REVISED)
    write_panel(panel, tmp_path / "q")
    again = open_panel(tmp_path / "q")
    for cutoff in range(1, 6):
        np.testing.assert_array_equal(gather(panel, cutoff).past, gather(again, cutoff).past)


def random_readings(seed):
    random = np.random.default_rng(seed)
    rows = []
    for series in range(3):
        for hour in range(30):
            for _ in range(random.integers(1, 4)):
                when = hour + random.integers(-6, 6)
                values = [NAN if random.random() < 0.2 else random.standard_normal() for _ in "yx"]
                rows.append((series, hour, *values, when))
    return [rows[i] for i in random.permutation(len(rows))]


def as_of_by_loop(readings, series, cutoff, channel):
    """Plain loop: the newest value of each hour known at the cutoff's hour."""
    result = []
    for hour in range(cutoff - 3, cutoff + 2):
        known = [
            (row[4], place)
            for place, row in enumerate(readings)
            if row[0] == series and row[1] == hour and row[4] <= cutoff - 1
            if not np.isnan(row[2 + channel])
        ]
        result.append(readings[max(known)[1]][2 + channel] if known else NAN)
    return np.array(result, dtype=np.float32)


@pytest.mark.parametrize("seed", range(3))
def test_the_gather_equals_a_plain_loop(tmp_path, seed):
    readings = random_readings(seed)
    panel = build(tmp_path / "p", readings, names="abc")
    for series in range(3):
        for cutoff in range(3, 29):
            batch = gather(panel, cutoff, series=series)
            known = as_of_by_loop(readings, series, cutoff, 1)
            np.testing.assert_array_equal(batch.known[0, :, 0], known)
            past = as_of_by_loop(readings, series, cutoff, 0)[:3]
            np.testing.assert_array_equal(batch.past[0, :, 0], past)


@pytest.mark.parametrize("hour", [4, 11, 20])
def test_poison_known_later_changes_nothing_at_the_cutoff(tmp_path, hour):
    readings = random_readings(7)
    poisoned = [
        (s, h, 1e30, -1e30, when) if when > hour else (s, h, y, x, when)
        for s, h, y, x, when in readings
    ]
    clean = build(tmp_path / "clean", readings, names="abc")
    dirty = build(tmp_path / "dirty", poisoned, names="abc")
    windows = [Windows(panel, context_length=5, horizon=4) for panel in (clean, dirty)]
    series, cutoff = torch.arange(3), torch.full((3,), hour + 1)
    one, other = (w.gather(series, cutoff) for w in windows)
    np.testing.assert_array_equal(one.past, other.past)
    np.testing.assert_array_equal(one.known, other.known)
    end = np.full(3, hour + 1)
    first, second = fit_scaler(clean, end), fit_scaler(dirty, end)
    np.testing.assert_array_equal(first.location, second.location)
    np.testing.assert_array_equal(first.scale, second.scale)


def test_a_replay_holds_what_was_known_at_its_instant(tmp_path):
    panel = panel_as_of(build(tmp_path / "p", REVISED), T0 + 2 * HOUR)
    np.testing.assert_array_equal(panel.block(0)[:3, 0], [10, 11, NAN])
    np.testing.assert_array_equal(panel.values[:5, 1], [1, 2, NAN, NAN, 50])
    assert panel.observed_end().tolist() == [2]


def test_a_part_of_a_panel_keeps_its_own_vintages(tmp_path):
    panel = build(tmp_path, random_readings(3), names="abc")
    part = panel.part(1, 2)
    for hours in range(0, 60, 7):
        known_at = panel.cutoff_time(1, 1) + hours * 3_600_000_000_000
        stop = int(panel.length[1])
        np.testing.assert_array_equal(
            part.as_of(0, 0, stop, known_at), panel.as_of(1, 0, stop, known_at)
        )
