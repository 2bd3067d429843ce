import numpy as np
import pytest
import torch

from forecast.data.windows.window_index import WindowIndex
from forecast.data.windows.windows import Windows
from forecast.errors import ConfigError
from forecast.training.loader import WindowLoader
from tests.builders import ramp_panel


def loader(**changes):
    panel = ramp_panel(200)
    windows = Windows(panel, context_length=8, horizon=4)
    cutoff = np.arange(10, 110, dtype=np.int64)
    index = WindowIndex(np.zeros(100, np.int64), cutoff)
    return WindowLoader(windows, index, **({"batch_size": 16} | changes))


def cutoffs(one):
    return [batch.cutoff.tolist() for batch in one]


def flat(one):
    return [cutoff for batch in cutoffs(one) for cutoff in batch]


def test_order_is_a_function_of_seed_and_epoch():
    first, again, other = loader(seed=1), loader(seed=1), loader(seed=2)
    assert cutoffs(first) == cutoffs(again)
    assert cutoffs(first) != cutoffs(other)
    again.set_epoch(1)
    assert cutoffs(first) != cutoffs(again)


def test_every_window_comes_at_most_once_an_epoch():
    seen = flat(loader())
    assert len(seen) == len(set(seen)) == 96
    assert loader().windows_per_epoch == 96


@pytest.mark.parametrize("world", [2, 3])
def test_ranks_share_every_global_batch(world):
    whole = cutoffs(loader())
    parts = [cutoffs(loader(rank=rank, world=world)) for rank in range(world)]
    for position, batch in enumerate(whole):
        shared = [cutoff for part in parts for cutoff in part[position]]
        assert sorted(shared) == sorted(batch)


def test_continues_where_the_state_was_taken():
    one = loader()
    batches = iter(one)
    head = [next(batches).cutoff.tolist() for _ in range(3)]
    other = loader()
    other.load_state_dict(one.state_dict())
    assert head + cutoffs(other) == cutoffs(loader())
    assert len(cutoffs(other)) == 6  # the next epoch is whole again


def test_a_new_epoch_starts_at_its_beginning():
    one = loader()
    one.load_state_dict({"epoch": 0, "position": 6})
    one.set_epoch(1)
    assert len(cutoffs(one)) == 6


def test_windows_per_epoch_are_drawn_anew_each_epoch():
    one = loader(epoch_windows=32)
    first = set(flat(one))
    one.set_epoch(1)
    assert len(one) == 2
    assert set(flat(one)) != first


def test_fewer_windows_than_a_batch_make_one_batch():
    assert [len(batch) for batch in cutoffs(loader(batch_size=512))] == [100]


def test_too_few_windows_for_the_processes():
    with pytest.raises(ConfigError, match="each needs at least one window"):
        loader(batch_size=2, world=3)


def test_batches_are_gathered_on_demand():
    batch = next(iter(loader()))
    assert torch.equal(batch.past[:, -1, 0].long(), batch.cutoff - 1)
    assert torch.equal(batch.target[:, 0, 0].long(), batch.cutoff)
