"""Committed forecasts of every kind, cell and head, which a refactor must reproduce.

Weights follow from the parameters' order and shapes alone, not from the random generator.
`python -m tests.models.test_golden` writes the file again, after a change that is meant.
"""

import json
from pathlib import Path
from typing import get_args

import pytest
import torch

from forecast.vocabulary import CellName, HeadName, Kind
from tests.tiny import build_head, build_model

GOLDEN = Path(__file__).with_name("golden.json")
B, L, H = 2, 12, 4
CASES = {
    **{f"kind {kind}": {"kind": kind} for kind in get_args(Kind)},
    **{f"cell {cell}": {"kind": "direct", "cell": cell} for cell in get_args(CellName)},
    **{f"head {head}": {"kind": "direct", "head": head} for head in get_args(HeadName)},
}


def forecast(kind, head="point_quantile", cell="lstm"):
    """The forecast's parameters, from weights and inputs that are sines of their number."""
    chosen = build_head(head, (0.1, 0.5, 0.9), categories=3)
    network = build_model(
        kind,
        head=chosen,
        context_length=L,
        horizon=H,
        past_count=1,
        known_count=2,
        static_count=1,
        hidden_size=4,
        cell=cell,
    ).eval()
    with torch.no_grad():
        for k, weight in enumerate(network.parameters()):
            weight.copy_(0.5 * wave(weight.shape, k))
        past = 1.0 + wave((B, L, 2), 0.3)
        past[0, :3], past[1, 5, 0] = torch.nan, torch.nan
        return network(past, wave((B, L + H, 2), 0.7), wave((B, 1), 0.9))


def wave(shape, phase):
    count = torch.Size(shape).numel()
    return torch.sin(1.7 * torch.arange(count, dtype=torch.float64) + phase).float().view(shape)


@pytest.mark.parametrize("case", CASES)
def test_forecasts_are_what_they_were(case):
    wanted = torch.tensor(json.loads(GOLDEN.read_text())[case])
    torch.testing.assert_close(forecast(**CASES[case]).flatten(), wanted, rtol=1e-4, atol=1e-5)


if __name__ == "__main__":
    made = {case: forecast(**options) for case, options in CASES.items()}
    lines = {
        case: [round(x, 6) for x in params.flatten().tolist()] for case, params in made.items()
    }
    text = ",\n".join(f"{json.dumps(case)}: {json.dumps(row)}" for case, row in lines.items())
    GOLDEN.write_text("{\n" + text + "\n}\n")
