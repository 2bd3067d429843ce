import numpy as np
import pandas as pd
import pytest

from forecast.data.chunk import MISSING_TIME, Chunk, SeriesIds
from forecast.data.grid import Grid
from forecast.data.panel import open_panel
from forecast.data.panel.build import build_panel
from forecast.data.panel.rules import PanelSpec
from forecast.data.panel.spill_file import Spill
from forecast.errors import DataError
from tests.builders import Chunks

HOUR = 3_600_000_000_000
T0 = 473_352 * HOUR  # 2024-01-01T00:00Z


def chunk(series, hours, values, **more):
    values = np.asarray(values, dtype=float)
    return Chunk(
        np.asarray(series, np.int32),
        T0 + (np.asarray(hours, dtype=float) * HOUR).astype(np.int64),
        values.reshape(len(series), -1 if len(series) else 1),
        **more,
    )


def build(chunks, path, rules, names):
    return build_panel(Chunks(chunks, SeriesIds(list(names))), path, spec=rules)


def spec(**more):
    return PanelSpec(Grid("1h"), targets=("y",), **more)


def test_chunks_in_any_order_land_on_their_steps(tmp_path):
    chunks = [
        chunk([1, 0, 1], [5, 2, 3], [15, 2, 13]),
        chunk([0, 1], [0, 4], [0, np.nan], rejected=2),
    ]
    panel = build(chunks, tmp_path / "p", spec(), ["a", "b"])
    np.testing.assert_array_equal(panel.block(0)[:, 0], [0, np.nan, 2])
    np.testing.assert_array_equal(panel.block(1)[:, 0], [13, np.nan, 15])
    assert panel.account == {"read": 7, "kept": 5, "aggregated": 0, "rejected": 2}
    assert (panel.start - Grid("1h").index(np.array([T0]))).tolist() == [0, 3]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [("mean", 2.0), ("sum", 6.0), ("first", 3.0), ("last", 2.0), ("min", 1.0), ("max", 3.0)],
)
def test_readings_within_a_step_follow_the_rule(tmp_path, rule, expected):
    chunks = [chunk([0] * 5, [0, 1.75, 1.25, 1.5, 2], [7, 2, 3, 1, 9])]
    panel = build(chunks, tmp_path / "p", spec(aggregate={"y": rule}), ["a"])
    assert panel.values[:3, 0].tolist() == [7, expected, 9]
    assert panel.account == {"read": 5, "kept": 3, "aggregated": 2, "rejected": 0}


def test_degrees_are_averaged_on_the_circle(tmp_path):
    chunks = [chunk([0] * 5, [0, 0.5, 1, 1.5, 1.75], [350, 20, 0, 180, np.nan])]
    panel = build(chunks, tmp_path / "p", spec(aggregate={"*": "circular_mean"}), ["a"])
    assert panel.values[0, 0] == pytest.approx(5.0)
    assert np.isnan(panel.values[1, 0])


@pytest.mark.parametrize(("rule", "expected"), [("first", 1), ("last", 3), ("mean", 2)])
def test_duplicates_follow_their_own_rule_before_the_step_does(tmp_path, rule, expected):
    chunks = [chunk([0] * 3, [0, 0, 0.5], [1, 3, 10])]
    rules = spec(aggregate={"y": "sum"}, duplicates=rule)
    panel = build(chunks, tmp_path / "p", rules, ["a"])
    assert panel.values[0, 0] == expected + 10


def test_conflicting_duplicates_are_refused_by_name(tmp_path):
    rules = spec(duplicates="error")
    equal = [chunk([0] * 2, [1, 1], [4, 4])]
    assert build(equal, tmp_path / "p", rules, ["a"]).values[0, 0] == 4
    with pytest.raises(DataError, match=r"series 'a': readings of 2024-01-01 01:00.* differ"):
        build([chunk([0] * 2, [1, 1], [4, 5])], tmp_path / "q", rules, ["a"])
    with pytest.raises(DataError, match="no panel here"):
        open_panel(tmp_path / "q")


def test_values_outside_the_limits_are_missing_and_counted(tmp_path):
    chunks = [chunk([0] * 4, [0, 1, 2, 3], [1, -5, np.inf, 200])]
    panel = build(chunks, tmp_path / "p", spec(limits={"y": (0, 150)}), ["a"])
    np.testing.assert_array_equal(panel.block(0)[:, 0], [1, np.nan, np.nan, np.nan])
    assert panel.account["outside:y"] == 2
    assert panel.account["infinite:y"] == 1


def test_a_stray_timestamp_is_refused(tmp_path):
    chunks = [chunk([0] * 2, [0, 3e7 / 60], [1, 2])]
    with pytest.raises(DataError, match="stray timestamp"):
        build(chunks, tmp_path / "p", PanelSpec(Grid("1s"), ("y",)), ["a"])


def test_no_usable_reading_is_refused(tmp_path):
    with pytest.raises(DataError, match="no usable readings: 3 rows read, 3 rejected"):
        build([chunk([], [], [], rejected=3)], tmp_path / "p", spec(), [])


def test_stamps_at_one_place_of_the_step_stay_as_they_are(tmp_path):
    chunks = [chunk([0] * 3, [0.5, 1.5, 2.5], [1, 2, 3])]
    panel = build(chunks, tmp_path / "p", spec(), ["a"])
    assert panel.grid.time(panel.start)[0] == T0 + HOUR // 2
    assert panel.length.tolist() == [3]


def test_many_stretches_give_what_one_gives(tmp_path, monkeypatch):
    random = np.random.default_rng(0)
    series = random.integers(0, 7, 5000)
    hours = random.integers(0, 2400, 5000) / 2
    values = random.standard_normal(5000)
    parts = [
        chunk(series[i : i + 700], hours[i : i + 700], values[i : i + 700])
        for i in range(0, 5000, 700)
    ]
    names = [f"s{i}" for i in range(7)]
    whole = build(parts, tmp_path / "whole", spec(), names)
    monkeypatch.setattr("forecast.data.panel.build.STRETCH", 76 * 1024)
    monkeypatch.setattr("forecast.data.panel.build.MEMORY", 5000)
    monkeypatch.setattr("forecast.data.panel.spill_file.SLAB", 300)
    monkeypatch.setattr(Spill.__init__, "__kwdefaults__", {"memory": 5000})
    cut = build(parts, tmp_path / "cut", spec(), names)
    for i in range(7):
        np.testing.assert_array_equal(whole.block(i), cut.block(i))
    assert whole.account == cut.account


@pytest.mark.parametrize(
    "damage",
    [
        lambda p: (p / "meta.json").write_text("{"),
        lambda p: (p / "meta.json").write_text('{"schema": 99}'),
        lambda p: (p / "meta.json").write_text('{"schema": 1}'),
        lambda p: next(p.glob("values-*")).write_bytes(b"x"),
        lambda p: next(p.glob("values-*")).unlink(),
    ],
)
def test_a_damaged_panel_says_what_to_do(tmp_path, damage):
    build([chunk([0], [0], [1])], tmp_path / "p", spec(), ["a"])
    damage(tmp_path / "p")
    with pytest.raises(DataError, match="delete the folder and run"):
        open_panel(tmp_path / "p")


def test_a_failed_build_leaves_the_old_panel(tmp_path):
    build([chunk([0], [0], [1])], tmp_path / "p", spec(), ["a"])

    def broken():
        yield chunk([0], [0], [2])
        raise DataError("the source broke")

    with pytest.raises(DataError, match="source broke"):
        build(broken(), tmp_path / "p", spec(), ["a"])
    assert open_panel(tmp_path / "p").values[0, 0] == 1
    assert not list((tmp_path / "p").glob(".building*"))


@pytest.mark.parametrize("memory", [0, 300, 10_000])
def test_a_spill_gives_back_what_it_took(tmp_path, memory):
    random = np.random.default_rng(0)
    spill = Spill(tmp_path / "readings", 2, memory=memory)
    series, hours = random.integers(0, 5, 60), random.integers(0, 50, 60)
    values, known = random.standard_normal((60, 2)), random.integers(0, 9, 60)
    for first in range(0, 60, 10):  # some chunks know when, some do not
        part = slice(first, first + 10)
        more = {"available_at": known[part]} if first % 20 else {}
        spill.add(chunk(series[part], hours[part], values[part], **more))
    expected = np.where(np.arange(60) // 10 % 2, known, MISSING_TIME)
    whole = spill.load()
    np.testing.assert_array_equal(whole.series, series)
    np.testing.assert_array_equal(whole.values, values.astype(np.float32))
    np.testing.assert_array_equal(whole.available_at, expected)
    assert sum(len(slab.series) for slab in spill.slabs()) == spill.rows == 60
    spill.delete()
    assert not list(tmp_path.iterdir())


def test_a_local_day_sums_the_hours_it_has(tmp_path):
    hours = np.arange(5, 5 + 3 * 24 + 1) + (pd.Timestamp("2024-11-02", tz="UTC").value - T0) // HOUR
    parts = [chunk([0] * len(hours), hours - 1, np.ones(len(hours)))]
    rules = PanelSpec(Grid("1d", "America/New_York"), ("y",), aggregate={"y": "sum"})
    panel = build(parts, tmp_path / "p", rules, ["a"])
    assert panel.values[:3, 0].tolist() == [24, 25, 24]
    assert panel.account["aggregated"] == 70
