"""The settings of the linear path act through the whole training."""

import torch

from forecast.training import closed_form
from tests.tiny import MODEL, SPEC, tiny_fit, tiny_panel, tiny_split, tiny_untrained

SEGMENT = MODEL.model_copy(update={"kind": "segment"})


def trained(folder, **linear):
    settings = SEGMENT.linear.model_copy(update=linear)
    model = SEGMENT.model_copy(update={"linear": settings})
    return tiny_fit(tiny_panel(), folder, model=model, epochs=1).forecaster.network.model


def test_trust_is_fitted_only_when_asked_for(tmp_path):
    assert bool((trained(tmp_path / "plain").trust == 1).all())
    kept = trained(tmp_path / "trust", trust=True).trust
    assert bool(((kept >= 0) & (kept < 1)).all())


def test_a_stated_context_bounds_the_linear_path(tmp_path):
    network = trained(tmp_path, context="6h")
    assert not bool(network.linear.weight[:, :18].any())
    assert bool(network.linear.weight[:, 18:24].any())


def test_without_it_there_is_no_linear_path(tmp_path):
    network = trained(tmp_path, enabled=False)
    assert network.linear is None
    assert bool(torch.isfinite(network.output.weight).all())


def test_where_memory_is_short_fewer_folds_are_told_apart(monkeypatch):
    """Sums grow with targets and the square of the context: never beyond what is set aside."""
    panel = tiny_panel()
    split = tiny_split(panel)
    found = []
    for cells in (100, 6, 1):
        forecaster = tiny_untrained(panel, model=SEGMENT)
        size = forecaster.network.model.linear.sums_size
        monkeypatch.setattr(closed_form, "LINEAR_MEMORY", cells * size)
        closed_form.fit_linear(forecaster, panel, split, SEGMENT.linear)
        found.append(forecaster.network.folds.total)
        path = forecaster.network.model.linear
        assert bool(path.weight.any())
        assert len(path.rest_weight) == (found[-1] if found[-1] > 1 else 0)
    assert found == [8, 3, 1]


def test_windows_of_train_are_judged_by_the_fit_without_their_fold_later_ones_by_the_whole():
    panel = tiny_panel(1200)
    split = tiny_split(panel)
    model = SEGMENT.model_copy(update={"ensemble": 2})
    forecaster = tiny_untrained(panel, model=model)
    closed_form.fit_linear(forecaster, panel, split, model.linear)
    network = forecaster.network.eval()
    windows = SPEC.windows(panel)
    early, late = (
        windows.gather(*(torch.as_tensor(part[-3:]) for part in index))
        for index in (split.train, split.dev)
    )
    with torch.inference_mode():
        assert torch.equal(network.judged(late), network(late))
        known = network.judged(early)
        assert not torch.equal(known, network(early))
        last = torch.full((3,), network.folds.total - 1)
        inputs = network.scaled(early)
        members = [member(*inputs, last) for member in network.model.members]
        assert torch.equal(known, network.head.average(members))
        network.forget_folds()
        assert torch.equal(network.judged(early), network(early))
