import itertools

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from forecast.data.windows.part_sizes import PARTS
from forecast.data.windows.scaling import fit_scaler
from forecast.data.windows.splits import rolling_origins, split_windows
from forecast.errors import ConfigError, DataError
from tests.builders import panel_of, ramp_panel


def steps_of(panel, index, horizon):
    first = panel.start[index.series] + index.cutoff
    return {int(f) + h for f in first for h in range(horizon)}


def test_parts_follow_each_other_and_share_no_target_step():
    panel = ramp_panel(2000, series=2)
    split = split_windows(panel, context_length=24, horizon=6)
    seen = [steps_of(panel, part, 6) for part in split[:4]]
    for earlier, later in itertools.pairwise(seen):
        assert max(earlier) < min(later)
    assert max(seen[3]) == panel.start[0] + 1999
    assert split.train_end.tolist() == [1912, 1912]
    assert len(split.test.cutoff) == 2 * (24 - 5)


def test_sizes_in_steps_are_laid_from_the_start():
    panel = ramp_panel(500)
    split = split_windows(
        panel, context_length=10, horizon=5, train=200, dev=100, test="50h", calibration=0
    )
    assert split.train.cutoff.max() == 195
    assert (split.dev.cutoff.min(), split.dev.cutoff.max()) == (200, 295)
    assert (split.test.cutoff.min(), split.test.cutoff.max()) == (300, 345)


def test_a_part_without_two_horizons_is_refused():
    with pytest.raises(DataError, match=r"split.dev: 5 of 500 steps are too few for two horizons"):
        split_windows(ramp_panel(500), context_length=10, horizon=5, dev=5)
    with pytest.raises(
        DataError, match=r"split.dev: 1 of 60 .* to 22 steps .* to 7 steps or fewer"
    ):
        split_windows(ramp_panel(60), context_length=10, horizon=11)


@pytest.mark.parametrize(
    ("span", "horizon", "season", "held"),
    [
        (725, 30, 7, (120, 120, 120)),  # two years of days, a month ahead
        (17_420, 720, 24, (2880, 2880, 2880)),
        (4380, 24, 24, (96, 96, 96)),  # half a year of hours
        (52_000, 24, 24, (520, 520, 1040)),  # the shares are enough
        (17_420, 1080, 24, (2903, 2903, 2903)),  # no more than leaves train half
        (36, 3, 12, (6, 6, 6)),
        (36, 4, 12, (9, 9, 0)),  # too few to calibrate
    ],
)
def test_shares_grow_to_four_horizons_or_two_seasons(span, horizon, season, held):
    split = split_windows(ramp_panel(span), context_length=horizon, horizon=horizon, season=season)
    parts = ("train", "dev", "test", "calibration")
    sizes = [int(np.diff(split.spans[part]).sum()) for part in parts]
    assert tuple(sizes[1:]) == held
    assert sizes[0] == span - sum(held) >= span // 2
    need = max(4 * horizon, 2 * season)
    assert len(split.warnings) == 2 * (held[0] < need)
    assert len(split.notes) == (held[0] != round(0.01 * span))


@pytest.mark.parametrize(("span", "horizon", "train"), [(84, 12, 36), (212, 30, 92), (90, 15, 30)])
def test_two_horizons_each_may_leave_train_a_third(span, horizon, train):
    split = split_windows(ramp_panel(span), context_length=horizon, horizon=horizon, season=horizon)
    sizes = [int(np.diff(split.spans[part]).sum()) for part in PARTS]
    assert sizes == [train, 0, 2 * horizon, 2 * horizon]
    assert len(split.warnings) == 2  # far fewer steps than scores need to mean something


def test_only_shares_grow_and_the_line_says_so():
    panel = ramp_panel(2000)
    split = split_windows(panel, context_length=24, horizon=12, dev=24, calibration=0.1, season=24)
    assert [int(np.diff(split.spans[part]).sum()) for part in PARTS] == [1728, 200, 24, 48]
    assert split.notes == (
        "split: test 48 in place of 20 steps, for 4 horizons (48) or as many as train can spare",
    )


def test_parts_that_do_not_fit_are_refused():
    panel = ramp_panel(500)
    with pytest.raises(ConfigError, match="not a share"):
        split_windows(panel, context_length=10, horizon=5, test=1.5)
    with pytest.raises(ConfigError, match="add up to more"):
        split_windows(panel, context_length=10, horizon=5, test=0.5)
    with pytest.raises(DataError, match="ask for 600"):
        split_windows(panel, context_length=10, horizon=5, train=400, dev=100, test=100)
    with pytest.raises(DataError, match="nothing is left for train"):
        split_windows(panel, context_length=10, horizon=5, dev=250, test=250)


def test_dev_and_test_in_durations_leave_train_the_rest():
    panel = ramp_panel(1000)
    split = split_windows(panel, context_length=24, horizon=6, dev="5d", test="10d", calibration=24)
    start = int(panel.start[0])
    assert (split.spans["dev"] - start).tolist() == [[640, 760]]
    assert (split.spans["test"] - start).tolist() == [[760, 1000]]
    assert (split.spans["train"] - start).tolist() == [[0, 616]]
    assert split.train_end.tolist() == [616]


def test_thin_parts_are_warned_about():
    panel = ramp_panel(3000)
    split = split_windows(panel, context_length=24, horizon=8, season=24, dev=30, test=30)
    assert [text.split(":")[0] for text in split.warnings] == [
        "split.dev holds 30 steps, under 2 main seasons (48)",
        "split.test holds 30 steps, under 2 main seasons (48)",
    ]
    assert all("rolling backtest" in text for text in split.warnings)
    assert not split_windows(panel, context_length=24, horizon=7, season=15).warnings


def test_windows_need_observed_context_and_one_observed_target():
    panel = ramp_panel(400)
    panel.values[100:150] = np.nan
    split = split_windows(
        panel, context_length=10, horizon=5, dev=50, test=50, calibration=0, min_observed=0.5
    )
    cutoffs = set(split.train.cutoff.tolist())
    assert {5, 99, 104 - 5, 105, 155}.issubset(cutoffs | {105})
    assert 4 not in cutoffs
    assert 100 not in cutoffs  # nothing to forecast
    assert {145, 150, 154}.isdisjoint(cutoffs)  # too little of the context
    panel.values[:] = np.nan
    with pytest.raises(DataError, match="no value of the target y is observed"):
        split_windows(panel, context_length=10, horizon=5)


def test_a_test_part_in_a_gap_is_refused():
    panel = ramp_panel(400)
    panel.values[340:399] = np.nan
    with pytest.raises(DataError, match=r"split.test: no window in its 50 steps"):
        split_windows(panel, context_length=10, horizon=5, dev=50, test=50, calibration=20)


def test_stride_thins_train_only():
    panel = ramp_panel(400)
    split = split_windows(
        panel, context_length=10, horizon=5, dev=50, test=50, calibration=20, stride=7
    )
    assert set(np.diff(split.train.cutoff).tolist()) == {7}
    assert set(np.diff(split.dev.cutoff).tolist()) == {1}


def test_blocks_lie_all_over_the_span_and_are_hidden_from_the_scaler():
    panel = ramp_panel(5000)
    sizes = {"train": 0.8, "dev": 0.1, "test": 0.1}
    split = split_windows(panel, context_length=24, horizon=6, scheme="blocked", **sizes)
    again = split_windows(panel, context_length=24, horizon=6, scheme="blocked", **sizes)
    other = split_windows(panel, context_length=24, horizon=6, scheme="blocked", seed=1, **sizes)
    np.testing.assert_array_equal(split.test.cutoff, again.test.cutoff)
    assert split.test.cutoff.tolist() != other.test.cutoff.tolist()
    for part in ("dev", "test"):
        first = split.spans[part][:, 0] - panel.start[0]
        assert first.min() < 1000
        assert first.max() > 4000
    held = np.concatenate([np.arange(*span) for span in split.held_out]) - panel.start[0]
    scaler = fit_scaler(panel, split.train_end, held_out=split.held_out)
    rows = np.delete(np.arange(5000), held)
    np.testing.assert_allclose(scaler.location, rows.mean(), rtol=1e-6)
    panel.values[held] = 1e30
    poisoned = fit_scaler(panel, split.train_end, held_out=split.held_out)
    assert (poisoned.location, poisoned.scale) == (scaler.location, scaler.scale)


@given(
    lengths=st.lists(st.integers(150, 400), min_size=1, max_size=3),
    horizon=st.integers(1, 6),
    scheme=st.sampled_from(["chronological", "blocked"]),
    shares=st.tuples(*[st.sampled_from([0.0, 0.1, 0.15, 0.2])] * 3),
    seed=st.integers(0, 5),
)
def test_no_target_step_is_in_two_parts(lengths, horizon, scheme, shares, seed):
    panel = panel_of(
        [np.arange(n, dtype=float)[:, None] for n in lengths],
        starts=[17 * i for i in range(len(lengths))],
    )
    dev, test, calibration = shares
    try:
        split = split_windows(
            panel,
            context_length=12,
            horizon=horizon,
            train=1 - dev - test,
            dev=dev,
            test=test,
            calibration=calibration,
            scheme=scheme,
            seed=seed,
        )
    except (ConfigError, DataError):
        assume(False)
    parts = [steps_of(panel, part, horizon) for part in split[:4]]
    for one, other in itertools.combinations(parts, 2):
        assert not one & other
    everything = set().union(*parts)
    assert min(everything) >= panel.start.min()
    assert max(everything) < (panel.start + panel.length).max()
    seen = [
        set(range(int(start), int(start + end)))
        for start, end in zip(panel.start, split.train_end, strict=True)
    ]
    hidden = {step for first, stop in split.held_out.tolist() for step in range(first, stop)}
    for steps in seen:
        assert not (steps - hidden) & (parts[1] | parts[2] | parts[3])


def test_rolling_origins_are_grid_indices_of_the_last_step():
    panel = ramp_panel(100)
    index = rolling_origins(
        panel, horizon=4, first=int(panel.start[0]) + 49, last=int(panel.start[0]) + 200, stride=10
    )
    assert index.cutoff.tolist() == [50, 60, 70, 80, 90]
    assert np.all(index.series == 0)
