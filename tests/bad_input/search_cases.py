"""Faults of the search's own section; exit code 2, found by every verb that reads the config."""

from tests.bad_input.case import Case
from tests.site import CONFIG


def space(name: str, line: str, *says: str) -> Case:
    """Return the case of one wrong line in `tune.space`."""
    place = f"run.yaml:{len(CONFIG.splitlines()) + 3}: tune.space."
    text = f"{CONFIG.rstrip()}\ntune:\n  space:\n    {line}\n"
    return Case(name, 2, (place, *says), config={CONFIG: text})


SEARCH_CASES = [
    space(
        "search-unknown-key",
        "model.hiden_size: [4, 8]",
        "model.hiden_size: unknown key; did you mean hidden_size?",
    ),
    space("search-unknown-section", "modl.cell: [gru]", "unknown section; did you mean model?"),
    space("search-of-a-section", "model.linear: [true]", "a section; name one of its keys"),
    space("search-unknown-value", "model.cell: [gru, lstmm]", "model.cell.1: must be", "'lstmm'"),
    space("search-no-list", "model.cell: gru", "model.cell: a list is needed; found 'gru'"),
    space(
        "search-part-of-a-step",
        "training.epochs: {low: 2.5, high: 4}",
        "training.epochs.low: a whole number is needed; found 2.5",
    ),
    space(
        "search-range-falls",
        "model.dropout: {low: 0.3, high: 0.1}",
        "low 0.3 must be less than high 0.1",
    ),
    space(
        "search-log-of-nothing",
        "training.weight_decay: {low: 0, high: 1, log: true}",
        "low 0 must be above 0 on a log scale",
    ),
    space(
        "search-horizon",
        "windows.horizon: [12h, 24h]",
        "windows.horizon: not searched",
        "cannot be compared",
    ),
    Case(
        "search-unknown-cost",
        2,
        ("tune.constraints.latency: must be 'latency_ms', 'bundle_mb' or 'minutes'",),
        args=("check", "run.yaml", "--set", 'tune.constraints={latency: "< 3"}'),
    ),
    Case(
        "search-unreadable-cost",
        2,
        ("tune.constraints", 'minutes: write a comparison with a number, such as ">= 0.75"'),
        args=("check", "run.yaml", "--set", "tune.constraints={minutes: short}"),
    ),
    Case(
        "search-key-twice",
        2,
        ("hidden_size and space name the same key, model.hidden_size; keep one of them",),
        args=(
            *("check", "run.yaml", "--set", "tune.hidden_size=[4]"),
            *("--set", "tune.space.model.hidden_size=[4, 8]"),
        ),
    ),
]
