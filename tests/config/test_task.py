"""`model.task` holds a config to the mapping of sequences that is meant."""

import pytest

from forecast.config.modelling import Model
from forecast.config.root import Config

FITS = [
    ("one_to_one", "direct", 1, 1),
    ("one_to_many", "aligned", 1, 24),
    ("many_to_one", "segment", 48, 1),
    ("many_to_many", "recursive", 48, 24),
    ("encoder_decoder", "encoder_decoder", 48, 24),
    ("aligned", "aligned", 48, 24),
]


@pytest.mark.parametrize(("task", "kind", "context", "horizon"), FITS)
def test_a_mapping_that_is_made_is_accepted(task, kind, context, horizon):
    assert Model(task=task, kind=kind).task_fault(context, horizon) is None


@pytest.mark.parametrize(("task", "kind"), [(task, kind) for task, kind, _, _ in FITS])
def test_a_mapping_that_is_not_made_is_refused(task, kind):
    other = {"aligned": "direct", "many_to_many": "aligned", "encoder_decoder": "direct"}
    fault = Model(task=task, kind=other.get(task, kind)).task_fault(24, 24)
    assert fault.startswith(f"model.task: {task} needs")


def test_the_config_says_what_it_found():
    with pytest.raises(ValueError, match="horizon of one step; found kind segment, context 48"):
        Config(
            name="a",
            data={"source": "a.csv", "frequency": "1h"},
            windows={"context": "2d", "horizon": "6h"},
            model={"task": "many_to_one"},
        )
