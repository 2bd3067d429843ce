import pytest

from forecast.config import Config
from forecast.config.training import Training
from forecast.errors import DataError
from forecast.training.recipe import Sizes, sizes_of
from pipelines.steps.experiment import split_of, with_context
from tests.builders import ramp_panel


@pytest.mark.parametrize(
    ("set_values", "windows", "targets", "horizon", "sizes"),
    [
        ({}, 60_000, 1, 48, Sizes(128, 12_800)),
        ({}, 60_000, 7, 48, Sizes(18, 1800)),
        ({}, 300, 7, 48, Sizes(18, 300)),  # a short table is seen whole
        ({}, 60_000, 1000, 48, Sizes(1, 100)),
        ({}, 60_000, 7, 480, Sizes(13, 1300)),
        ({}, 60_000, 1, 1080, Sizes(64, 6400)),
        ({"batch_size": 64}, 60_000, 7, 48, Sizes(64, 6400)),
        ({"windows_per_epoch": 5000}, 60_000, 7, 48, Sizes(18, 5000)),
    ],
)
def test_sizes_follow_the_data_where_nothing_is_set(set_values, windows, targets, horizon, sizes):
    found = sizes_of(Training(**set_values), windows=windows, targets=targets, horizon=horizon)
    assert found == sizes


def config(frequency, horizon, **windows):
    source = {"source": "a.csv", "frequency": frequency, "targets": ["y"]}
    return Config(name="a", data=source, windows={"horizon": horizon, **windows})


@pytest.mark.parametrize(
    ("frequency", "horizon", "context"),
    [
        ("1h", 24, 168),
        ("1h", 96, 288),
        ("1h", 720, 672),
        ("15min", 48, 672),
        ("15min", 480, 672),
        ("10min", 48, 576),  # whole days
        ("1min", 60, 2880),  # two days are the least
        ("1d", 30, 90),
        ("7d", 4, 104),
    ],
)
def test_context_is_a_week_or_three_horizons_within_reason(frequency, horizon, context):
    assert config(frequency, horizon).context_length == context


def test_a_context_that_the_readings_cannot_fill_is_cut(capsys):
    asked, panel = config("7d", 3), ramp_panel(36, frequency="7d")
    found = with_context(asked, panel)
    assert found.context_length == 9
    assert "windows.context: 9 steps" in capsys.readouterr().out
    assert len(split_of(found, panel).train.cutoff) > 4
    stated = config("7d", 3, context=40)
    assert with_context(stated, panel) is stated
    with pytest.raises(DataError, match="no window"):
        split_of(stated, panel)
    assert with_context(asked, ramp_panel(800, frequency="7d")) is asked
