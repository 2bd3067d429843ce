import numpy as np
import pytest
import torch

from forecast.data.windows.windows import Windows
from tests.builders import panel_of, ramp_panel


def gather(windows, series, cutoff):
    return windows.gather(torch.tensor(series), torch.tensor(cutoff))


def test_every_index_of_a_ramp_is_exact():
    panel = ramp_panel(40, series=2, past=1, known=1)
    batch = gather(Windows(panel, context_length=6, horizon=3), [0, 1, 1], [6, 6, 37])
    for row, cutoff in enumerate([6, 6, 37]):
        steps = torch.arange(cutoff - 6, cutoff + 3, dtype=torch.float32)
        assert torch.equal(batch.past[row, :, 0], steps[:6])
        assert torch.equal(batch.past[row, :, 1], steps[:6] + 0.25)
        assert torch.equal(batch.known[row, :, 0], steps + 0.5)
        assert torch.equal(batch.target[row, :, 0], steps[6:])


def test_steps_outside_the_series_are_missing():
    batch = gather(Windows(ramp_panel(10), context_length=4, horizon=3), [0, 0, 0], [0, 2, 9])
    assert torch.isnan(batch.past[0]).all()
    assert batch.past[1, 2:, 0].tolist() == [0.0, 1.0]
    assert torch.isnan(batch.past[1, :2]).all()
    assert batch.target[2, 0, 0] == 9.0
    assert torch.isnan(batch.target[2, 1:]).all()


def test_a_neighbouring_series_never_leaks_in():
    panel = panel_of([np.full((5, 1), 1.0), np.full((5, 1), 2.0)])
    batch = gather(Windows(panel, context_length=4, horizon=4), [0, 1], [5, 1])
    assert torch.isnan(batch.target[0]).all()
    assert torch.isnan(batch.past[1, :3]).all()
    assert batch.past[1, 3, 0] == 2.0


def test_calendar_follows_each_series_own_start():
    panel = panel_of([np.zeros((30, 1)), np.zeros((30, 1))], starts=[0, 7])
    windows = Windows(panel, context_length=5, horizon=24, calendar=["hour_of_day"])
    assert windows.known_names == ("hour_of_day_sin", "hour_of_day_cos")
    batch = gather(windows, [0, 1], [30, 30])
    for row, start in enumerate([0, 7]):
        hours = (start + np.arange(25, 54)) % 24
        np.testing.assert_allclose(
            batch.known[row, :, 0], np.sin(2 * np.pi * hours / 24), atol=1e-6
        )


def test_a_window_without_steps_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        Windows(ramp_panel(5), context_length=0, horizon=1)


def test_poison_after_the_cutoff_changes_no_input():
    panel = ramp_panel(60, series=2, past=1)
    windows = Windows(panel, context_length=12, horizon=6, calendar=["hour_of_day"])
    before = gather(windows, [0, 1], [30, 40])
    for series, cutoff in enumerate([30, 40]):
        panel.block(series)[cutoff:] = 1e30
    after = gather(windows, [0, 1], [30, 40])
    assert torch.equal(before.past, after.past)
    assert torch.equal(before.known, after.known)
    assert (after.target == 1e30).all()


def test_known_covariates_reach_into_the_future_and_targets_do_not():
    panel = ramp_panel(20, known=2)
    panel.values[15:, 0] = np.nan
    assert panel.observed_end().tolist() == [15]
    batch = gather(Windows(panel, context_length=4, horizon=5), [0], [15])
    assert torch.isnan(batch.target).all()
    assert batch.known[0, 4:, 0].tolist() == [15.5, 16.5, 17.5, 18.5, 19.5]


def test_a_series_without_steps_gives_missing_values():
    panel = panel_of([np.ones((5, 1)), np.ones((5, 1))])
    panel.length[0] = 0
    batch = gather(Windows(panel, context_length=3, horizon=2), [0, 1], [0, 5])
    assert torch.isnan(batch.past[0]).all()
    assert batch.past[1].tolist() == [[1.0]] * 3


def test_statics_follow_their_series():
    panel = panel_of([np.ones((5, 1)), np.ones((5, 1))], static=[[1.0, 2.0], [3.0, np.nan]])
    batch = gather(Windows(panel, context_length=3, horizon=2), [1, 0], [4, 4])
    np.testing.assert_array_equal(batch.static, [[3, np.nan], [1, 2]])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_batches_on_a_gpu_equal_those_on_the_cpu(monkeypatch):
    panel = ramp_panel(60, series=2, past=1, known=1)
    sizes = {"context_length": 12, "horizon": 6, "calendar": ["hour_of_day"]}
    here = gather(Windows(panel, **sizes), [0, 1], [30, 40])
    for home in ("cuda", "cpu"):
        monkeypatch.setattr(
            "forecast.data.windows.windows._fits", lambda *_, home=home: home == "cuda"
        )
        windows = Windows(panel, device="cuda", **sizes)
        assert windows.home.type == home
        for one, other in zip(here, gather(windows, [0, 1], [30, 40]), strict=True):
            assert other.device.type == "cuda"
            np.testing.assert_array_equal(one, other.cpu())
