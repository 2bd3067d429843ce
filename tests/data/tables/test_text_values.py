"""The rules for duplicates and steps against plain loops over readings."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecast.data.panel.aggregate import Readings, by_row_and_time, first_conflict, to_cells
from forecast.data.panel.versions import to_versions

NAN = float("nan")


def reduce_by_loop(values, rule):
    seen = [value for value in values if not math.isnan(value)]
    if not seen:
        return NAN
    if rule == "circular_mean":
        sine = sum(math.sin(math.radians(value)) for value in seen)
        cosine = sum(math.cos(math.radians(value)) for value in seen)
        if math.hypot(sine, cosine) <= 1e-9 * len(seen):
            return NAN
        return math.degrees(math.atan2(sine, cosine)) % 360
    rules = {
        "mean": lambda v: sum(v) / len(v),
        "sum": sum,
        "first": lambda v: v[0],
        "last": lambda v: v[-1],
        "min": min,
        "max": max,
    }
    return rules[rule](seen)


def cells_by_loop(rows, rule, duplicates):
    """Rows: (row, time, value); returns row -> value."""
    instants = {}
    for row, time, value in rows:
        instants.setdefault((row, time), []).append(value)
    steps = {}
    for (row, _), values in sorted(instants.items()):
        steps.setdefault(row, []).append(reduce_by_loop(values, duplicates))
    return {row: reduce_by_loop(values, rule) for row, values in steps.items()}


def readings(rows, known=None):
    row, time, value = (np.array(column) for column in zip(*rows, strict=True))
    when = None if known is None else np.array(known)
    values = value.astype(np.float32)[:, None]
    return Readings(row.astype(np.int64), time.astype(np.int64), values, when)


ROWS = st.lists(
    st.tuples(
        st.integers(0, 6),
        st.integers(0, 3),
        st.one_of(st.just(NAN), st.integers(-20, 400).map(float)),
    ),
    min_size=1,
    max_size=40,
)
RULES = ["mean", "sum", "first", "last", "min", "max", "circular_mean"]


@given(
    rows=ROWS, rule=st.sampled_from(RULES), duplicates=st.sampled_from(["first", "last", "mean"])
)
def test_cells_equal_a_plain_loop(rows, rule, duplicates):
    expected = cells_by_loop(rows, rule, duplicates)
    cells = to_cells(by_row_and_time(readings(rows)), [rule], duplicates)
    assert cells.row.tolist() == sorted(expected)
    wanted = np.array([expected[row] for row in sorted(expected)])
    if rule == "circular_mean":  # 0 and 360 are one direction
        turn = np.abs((cells.values[:, 0] - wanted + 180) % 360 - 180)
        single = np.array([sum(r == row for r, _, _ in rows) == 1 for row in sorted(expected)])
        same = np.isclose(turn, 0, atol=1e-2) | (np.isnan(wanted) & np.isnan(cells.values[:, 0]))
        assert (same | single).all()
    else:
        np.testing.assert_allclose(cells.values[:, 0], wanted, rtol=1e-6)


@given(rows=ROWS, rule=st.sampled_from(["mean", "sum", "last", "max"]), data=st.data())
def test_versions_equal_cells_of_what_was_known(rows, rule, data):
    known = data.draw(
        st.lists(st.integers(0, 5), min_size=len(rows), max_size=len(rows)), label="known"
    )
    versions = to_versions(readings(rows, known), [rule])
    order = sorted(range(len(rows)), key=lambda i: known[i])  # what is known later comes last
    for row, when, value in zip(
        versions.row, versions.available_at, versions.values[:, 0], strict=True
    ):
        seen = [rows[i] for i in order if known[i] <= when and rows[i][0] == row]
        expected = cells_by_loop(seen, rule, "last")[row]
        np.testing.assert_allclose(value, expected, rtol=1e-6)
    pairs = {(row, when) for (row, _, _), when in zip(rows, known, strict=True)}
    assert sorted(pairs) == list(
        zip(versions.row.tolist(), versions.available_at.tolist(), strict=True)
    )


def test_conflicts_are_counted_and_placed():
    rows = [(0, 0, 1.0), (0, 0, 1.0), (0, 0, NAN), (2, 5, 3.0), (2, 5, NAN), (2, 5, 4.0)]
    found = first_conflict(by_row_and_time(readings(rows)))
    assert (found.cases, found.row, found.time) == (1, 2, 5)
    assert first_conflict(by_row_and_time(readings(rows[:3]))) is None


@pytest.mark.parametrize("rule", RULES)
def test_a_step_without_values_stays_missing(rule):
    rows = [(0, 0, NAN), (0, 1, NAN), (1, 0, 2.0), (1, 1, NAN)]
    cells = to_cells(readings(rows), [rule], "last")
    np.testing.assert_allclose(cells.values[:, 0], [NAN, 2.0], rtol=1e-6)
