"""Labels keep the codes of training in any order; one never seen there is missing, and flagged."""

import dataclasses

import numpy as np
import pytest

from forecast.data.windows.window_index import WindowIndex
from forecast.errors import ModelError
from forecast.forecasting.label_codes import in_codes_of, unseen
from tests.builders import panel_of
from tests.tiny import SPEC, tiny_untrained

TRAINED = (("past0", ("dry", "rain", "snow")),)


def panel_with(labels, codes):
    """Return a panel of one series whose past covariate holds these codes."""
    block = np.stack([np.arange(len(codes)), codes], axis=1).astype(np.float32)
    panel = panel_of([block], past=1)
    return dataclasses.replace(panel, categories={"past0": labels})


def test_the_same_labels_are_left_as_they_are():
    panel = panel_with(("dry", "rain", "snow"), [0, 1, 2])
    assert in_codes_of(panel, TRAINED) is panel


@pytest.mark.parametrize(
    ("labels", "codes", "expected"),
    [
        (("snow", "dry", "rain"), [0, 1, 2, np.nan], [2, 0, 1, np.nan]),
        (("dry", "rain", "snow", "hail"), [3, 0, 3, 2], [np.nan, 0, np.nan, 2]),
        (("DRY", "RAIN"), [0, 1], [np.nan, np.nan]),
        (("rain",), [0, 0], [1, 1]),
    ],
)
def test_codes_are_those_of_training(labels, codes, expected):
    panel = panel_with(labels, codes)
    found = in_codes_of(panel, TRAINED)
    np.testing.assert_array_equal(found.block(0)[:, 1], expected)
    np.testing.assert_array_equal(found.block(0)[:, 0], np.arange(len(codes)))
    np.testing.assert_array_equal(panel.block(0)[:, 1], codes)
    assert found.categories == {"past0": ("dry", "rain", "snow")}
    assert in_codes_of(found, TRAINED) is found


def test_windows_with_an_unseen_label_are_found():
    codes = [0, 0, 0, 3, 0, 0, 0, 0]
    panel = panel_with(("dry", "rain", "snow", "hail"), codes)
    index = WindowIndex(np.zeros(5, np.int64), np.array([3, 4, 5, 6, 7]))
    found = unseen(panel, dict(TRAINED), index, context_length=2, horizon=3)
    assert found["past0"].tolist() == [False, True, True, False, False]
    ahead = dataclasses.replace(panel, past=(), known=("past0",))
    found = unseen(ahead, dict(TRAINED), index, context_length=2, horizon=1)
    assert found["past0"].tolist() == [True, True, True, False, False]
    assert (
        unseen(panel_with(("dry",), [0] * 8), dict(TRAINED), index, context_length=2, horizon=3)
        == {}
    )


def table_of(order, *, hail=False):
    """Return a panel of 600 hours whose covariate turns through labels, coded in this order."""
    names = np.array(["dry", "rain", "snow"])[(np.arange(600) // 31) % 3].astype("<U4")
    wave = 10 + np.sin(np.arange(600) * np.pi / 6) + (names == "rain")
    if hail:
        names[-10:] = "hail"
    codes = np.array([order.index(name) for name in names], float)
    panel = panel_of([np.stack([wave, codes], axis=1)], past=1)
    return dataclasses.replace(panel, categories={"past0": tuple(order)})


def test_a_forecast_does_not_depend_on_the_order_of_labels_and_says_what_it_never_saw():
    trained_on = table_of(["dry", "rain", "snow"])
    spec = dataclasses.replace(
        SPEC, past=("past0",), categories=tuple(trained_on.categories.items())
    )
    forecaster = tiny_untrained(trained_on, spec=spec)
    index = WindowIndex(np.zeros(2, np.int64), np.array([500, 600]))
    expected = forecaster.predict(trained_on, index)
    other = forecaster.predict(table_of(["snow", "dry", "rain"]), index)
    np.testing.assert_array_equal(other.point, expected.point)
    assert set(other.flag.ravel()) == {""}
    hail = forecaster.predict(table_of(["dry", "rain", "snow", "hail"], hail=True), index)
    np.testing.assert_array_equal(hail.point[0], expected.point[0])
    assert hail.flag.ravel().tolist() == ["", "late:past0:10;unseen:past0"]
    blank = trained_on.values.copy()
    blank[-10:, 1] = np.nan
    without = forecaster.predict(dataclasses.replace(trained_on, values=blank), index)
    np.testing.assert_array_equal(hail.point, without.point)
    numbers = dataclasses.replace(trained_on, categories={})
    with pytest.raises(ModelError, match="past0 is a column of numbers in the data"):
        forecaster.predict(numbers, index)
