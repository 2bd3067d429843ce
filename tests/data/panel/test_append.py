"""A panel that is appended to equals one that is built at once."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecast.data.chunk import Chunk, SeriesIds
from forecast.data.grid import Grid
from forecast.data.panel import PanelSpec, build_panel, open_panel
from forecast.data.panel.append import CannotAppendError, append_panel
from tests.builders import Chunks

HOUR = 3_600_000_000_000
T0 = 473_352 * HOUR


def readings(rows, **more):
    """Rows: (series, hour, value)."""
    series, hours, values = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    time = T0 + (hours * HOUR).astype(np.int64)
    return Chunk(series.astype(np.int32), time, values[:, None], **more)


def spec(**more):
    return PanelSpec(Grid("1h"), ("y",), **more)


def build(path, rows, names="ab", **more):
    return build_panel(Chunks([readings(rows)], SeriesIds(list(names))), path, spec=spec(**more))


def append(path, rows, names="ab", **more):
    source = Chunks([readings(rows)], SeriesIds(list(names)))
    return append_panel(source, path, spec=spec(**more), fingerprint="new", states=[1])


def assert_equal(one, other):
    assert one.series_ids == other.series_ids
    np.testing.assert_array_equal(one.start, other.start)
    for series in range(len(one.series_ids)):
        np.testing.assert_array_equal(one.block(series), other.block(series))
    assert one.account == other.account


OLD = [(0, hour, hour) for hour in range(40)] + [(1, hour, -hour) for hour in range(5, 30)]
NEW = [(0, 40, 1), (0, 41, 2), (0, 44, 3), (1, 33, 4)]


def test_new_rows_are_written_behind_the_old(tmp_path):
    before = build(tmp_path / "p", OLD)
    inode = next((tmp_path / "p").glob("values-*")).stat().st_ino
    after = append(tmp_path / "p", NEW)
    assert_equal(after, build(tmp_path / "q", OLD + NEW))
    assert next((tmp_path / "p").glob("values-*")).stat().st_ino == inode
    assert len(before.block(0)) == 40  # a reader of the older panel goes on undisturbed
    assert after.fingerprint == "new"
    assert np.isnan(after.block(0)[42:44]).all()


def test_the_last_step_goes_on_filling(tmp_path):
    rule = {"aggregate": {"y": "mean"}}
    build(tmp_path / "p", [*OLD, (0, 40, 1), (0, 40.25, 3)], **rule)
    append(tmp_path / "p", [(0, 40.5, 8), (0, 40.75, 4)], **rule)
    after = append(tmp_path / "p", [(0, 40.9, 14), (0, 41.5, 5)], **rule)
    assert after.block(0)[40:, 0].tolist() == [6, 5]
    assert after.account == {"read": 71, "kept": 67, "aggregated": 4, "rejected": 0}


def test_a_new_series_stands_behind_the_others(tmp_path):
    build(tmp_path / "p", OLD)
    rows = [(2, 7, 1), (2, 9, 2), (0, 40, 5)]
    assert_equal(append(tmp_path / "p", rows, "abc"), build(tmp_path / "q", OLD + rows, "abc"))
    again = append(tmp_path / "p", [(2, 10, 3), (3, 1, 1)], "abcd")
    assert again.length.tolist() == [41, 25, 4, 1]


def test_missing_steps_may_be_filled(tmp_path):
    holes = [row for row in OLD if row[1] not in {10, 11}]
    build(tmp_path / "p", holes)
    filled = append(tmp_path / "p", [(0, 10, 10), (0, 11, 11), (1, 10, -10), (1, 11, -11)])
    assert_equal(filled, build(tmp_path / "q", OLD))


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([(0, 10, 5)], "change steps already in the panel"),
        ([(1, 2, 5)], "before the first step"),
        ([(0, 40 + 5 + 32, 1)], "spare rows"),
    ],
)
def test_what_would_change_old_rows_is_refused_and_nothing_written(tmp_path, rows, reason):
    build(tmp_path / "p", OLD)
    before = {path.name: path.read_bytes() for path in (tmp_path / "p").iterdir()}
    with pytest.raises(CannotAppendError, match=reason):
        append(tmp_path / "p", [(1, 30, 1), *rows])
    assert {path.name: path.read_bytes() for path in (tmp_path / "p").iterdir()} == before


def test_readings_at_another_place_of_the_step_are_refused(tmp_path):
    build(tmp_path / "p", [(0, hour + 0.5, 1) for hour in range(9)])
    with pytest.raises(CannotAppendError, match="one place of the step"):
        append(tmp_path / "p", [(0, 9.75, 1)])


@settings(max_examples=40)
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 240), st.integers(-9, 9)),
        min_size=2,
        max_size=60,
    ),
    cut=st.floats(0.1, 0.9),
    rule=st.sampled_from(["mean", "sum", "last", "min"]),
    duplicates=st.sampled_from(["first", "last", "mean"]),
)
def test_appending_equals_building_or_is_refused(tmp_path_factory, rows, cut, rule, duplicates):
    folder = tmp_path_factory.mktemp("append")
    rows = sorted(((s, hour / 4, value) for s, hour, value in rows), key=lambda row: row[1])
    split = max(1, int(len(rows) * cut))
    rules = {"aggregate": {"y": rule}, "duplicates": duplicates}
    order = list(dict.fromkeys(int(row[0]) for row in rows))
    code = {series: position for position, series in enumerate(order)}
    rows = [(code[int(series)], hour, value) for series, hour, value in rows]
    names = [f"s{series}" for series in order]
    built = build(folder / "p", rows[:split], names, **rules)
    assert len(built.series_ids) <= len(names)
    try:
        after = append(folder / "p", rows[split:], names, **rules)
    except CannotAppendError:
        assert_equal(open_panel(folder / "p"), build(folder / "q", rows[:split], names, **rules))
        return
    whole = build(folder / "q", rows, names, **rules)
    if after.grid == whole.grid:
        assert_equal(after, whole)


def test_readings_fill_the_future_that_plans_had_made(tmp_path):
    """Known covariates stand ahead of the targets, which come later."""

    def source(rows):
        series, hours, y, x = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
        time = T0 + (hours * HOUR).astype(np.int64)
        values = np.stack([y, x], axis=1)
        return Chunks([Chunk(series.astype(np.int32), time, values)], SeriesIds(["a"]))

    rules = PanelSpec(Grid("1h"), ("y",), known=("x",))
    nan = float("nan")
    planned = [(0, hour, hour if hour < 5 else nan, 10 + hour) for hour in range(9)]
    came = [(0, 5, 5, nan), (0, 6, 6, nan), (0, 9, nan, 19)]
    before = build_panel(source(planned), tmp_path / "p", spec=rules)
    assert before.observed_end().tolist() == [5]
    after = append_panel(source(came), tmp_path / "p", spec=rules)
    assert after.observed_end().tolist() == [7]
    whole = build_panel(source(planned + came), tmp_path / "q", spec=rules)
    np.testing.assert_array_equal(after.block(0), whole.block(0))
    assert after.account == whole.account
