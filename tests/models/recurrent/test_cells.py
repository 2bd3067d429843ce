"""Each cell against a plain float64 loop of its equations, values and gradients."""

import itertools
from typing import get_args

import pytest
import torch
from torch import nn

from forecast.models.recurrent.cell_flags import cell_flags
from forecast.models.recurrent.padded_stack import Recurrent
from forecast.models.recurrent.stacks import CellLayer, CellOptions, CellStack
from forecast.vocabulary import CellName

B, L, F, D = 3, 6, 2, 4
CELLS = [name for name in get_args(CellName) if name != "gru"]
CHOICES = [
    *[(cell, None, False) for cell in CELLS],
    ("peephole", "full", False),
    ("peephole", None, True),
    ("coupled", "diagonal", False),
    ("coupled", "full", True),
    ("no_input_gate", "full", False),
    ("no_output_gate", "full", False),
    ("full_gate_recurrence", "none", False),
    ("full_gate_recurrence", "full", True),
    ("carry", "diagonal", False),
]
NAMES = ["-".join(map(str, choice)) for choice in CHOICES]


def plain_loop(cell, layer, steps, hidden, carry, *, identity):
    """The equations as the literature writes them, one window row at a time (B, D)."""
    flags = cell_flags(cell)
    planes = flags.planes
    W = dict(zip(planes, layer.input.split(D), strict=True))
    U = dict(zip(planes, layer.hidden.split(D), strict=True))
    b = dict(zip(planes, layer.bias.split(D), strict=True))
    reading = {}
    for name, weight in (
        ("if", layer.inner_peephole),
        ("o", layer.output_peephole),
    ):
        gates = [gate for gate in name if gate in planes]
        if weight is not None:
            blocks = weight.view(len(gates), D, -1)
            reading |= dict(zip(gates, blocks, strict=True))

    def peep(gate, source):
        if gate not in reading:
            return 0.0
        block = reading[gate]
        return source * block[:, 0] if block.shape[1] == 1 else source @ block.T

    def squash(value):
        if identity or cell == "no_output_activation":
            return value
        return torch.tanh(value)

    outputs = []
    one = torch.ones_like(hidden)
    gates_before = torch.zeros(B, flags.gates * D, dtype=torch.float64)
    for x in steps.unbind(1):
        a = {k: x @ W[k].T + hidden @ U[k].T + b[k] for k in planes}
        if cell == "elman":
            hidden = torch.tanh(a["g"])
            outputs.append(hidden)
            continue
        if cell == "full_gate_recurrence":
            extra = (gates_before @ layer.gate_recurrence.T).split(D, dim=1)
            for gate, term in zip("ifo", extra, strict=True):
                a[gate] = a[gate] + term
        if cell == "carry":
            a["o"] = a["o"] + carry @ layer.output_carry.T
        f = one if cell == "no_forget_gate" else torch.sigmoid(a["f"] + peep("f", carry))
        if cell == "coupled":
            i = 1 - f
        elif cell == "no_input_gate":
            i = one
        else:
            i = torch.sigmoid(a["i"] + peep("i", carry))
        g = a["g"] if cell == "no_input_activation" else torch.tanh(a["g"])
        carry = f * carry + i * g
        o = one if cell == "no_output_gate" else torch.sigmoid(a["o"] + peep("o", carry))
        hidden = o * squash(carry)
        gates_before = torch.cat([i, f, o], dim=1)
        outputs.append(hidden)
    return torch.stack(outputs, dim=1), hidden, carry


def stack(cell, peepholes=None, *, identity=False, layers=1):
    torch.manual_seed(3)
    options = CellOptions(
        cell, D, layers, peepholes=peepholes, output_identity=identity, forget_bias=0.5
    )
    made = CellStack(F, options).double()
    for weight in made.parameters():
        nn.init.normal_(weight, std=0.7)
    return made


@pytest.mark.parametrize(("cell", "peepholes", "identity"), CHOICES, ids=NAMES)
def test_values_and_gradients_equal_a_plain_loop(cell, peepholes, identity):
    network = stack(cell, peepholes, identity=identity)
    whole = Recurrent(F, CellOptions(cell, D)).double()
    whole.stack = network
    steps = torch.randn(B, L, F, dtype=torch.float64, requires_grad=True)
    start = whole.start(steps)
    hidden = torch.randn(B, D, dtype=torch.float64, requires_grad=True)
    carry = torch.randn(B, D, dtype=torch.float64, requires_grad=True)
    start = start._replace(
        hidden=hidden.unsqueeze(0), carry=None if start.carry is None else carry.unsqueeze(0)
    )
    leaves = [steps, hidden, *network.parameters()] + ([] if start.carry is None else [carry])

    outputs, end = network(steps, start, None)
    ends = [outputs, end.hidden[0]] + ([] if end.carry is None else [end.carry[0]])
    expected = plain_loop(cell, network.layers[0], steps, hidden, carry, identity=identity)
    expected = expected[: len(ends)]
    weights = [torch.randn_like(x) for x in ends]
    for found, wanted in zip(ends, expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-13)
    mine = torch.autograd.grad(ends, leaves, weights)
    theirs = torch.autograd.grad(expected, leaves, weights)
    for found, wanted in zip(mine, theirs, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("cell", "peepholes", "identity"), CHOICES, ids=NAMES)
def test_gradcheck_through_two_layers_and_unequal_lengths(cell, peepholes, identity):
    network = stack(cell, peepholes, identity=identity, layers=2)
    whole = Recurrent(F, CellOptions(cell, D, 2)).double()
    whole.stack = network
    steps = torch.randn(B, 3, F, dtype=torch.float64, requires_grad=True)
    added = torch.randn(B, whole.state_size, dtype=torch.float64, requires_grad=True)
    length = torch.tensor([3, 1, 0])

    def run(steps, added):
        outputs, end = whole(steps, whole.start(steps, added), length)
        return (outputs, *[part for part in end if part is not None])

    assert torch.autograd.gradcheck(run, (steps, added))


def copy_into(kernel, layers):
    """Copy cell weights into torch's kernel: its LSTM orders gates i, f, g, o."""
    with torch.no_grad():
        for n, layer in enumerate(layers):
            order = [0, 1, 3, 2] if len(layer.flags.planes) == 4 else [0]
            for mine, theirs in (
                ("input", "weight_ih"),
                ("hidden", "weight_hh"),
                ("bias", "bias_ih"),
            ):
                blocks = getattr(layer, mine).split(D)
                getattr(kernel, f"{theirs}_l{n}").copy_(torch.cat([blocks[k] for k in order]))
            getattr(kernel, f"bias_hh_l{n}").zero_()


@pytest.mark.parametrize(("cell", "kernel"), [("lstm", nn.LSTM), ("elman", nn.RNN)])
def test_stacks_equal_torch_under_copied_weights(cell, kernel):
    network = stack(cell, layers=2)
    peer = kernel(F, D, 2, batch_first=True).double()
    copy_into(peer, network.layers)
    steps = torch.randn(B, L, F, dtype=torch.float64, requires_grad=True)
    start = Recurrent(F, CellOptions(cell, D, 2)).start(steps)._replace(gates=None)
    if cell == "elman":
        start = start._replace(carry=None)
    found, _ = network(steps, start, None)
    wanted, _ = peer(steps)
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-13)
    weights = torch.randn_like(wanted)
    mine = torch.autograd.grad(found, [steps, network.layers[1].hidden], weights)
    theirs = torch.autograd.grad(wanted, [steps, peer.weight_hh_l1], weights)
    torch.testing.assert_close(mine[0], theirs[0], rtol=1e-10, atol=1e-12)
    order = [0, 1, 3, 2] if cell == "lstm" else [0]
    sorted_blocks = torch.cat([mine[1].split(D)[k] for k in order])
    torch.testing.assert_close(sorted_blocks, theirs[1], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_fused_cells_are_torch_kernels(cell):
    network = Recurrent(F, CellOptions(cell, D, 2))
    kernel = network.stack.kernel
    assert isinstance(kernel, nn.LSTM if cell == "lstm" else nn.GRU)
    steps = torch.randn(B, L, F)
    torch.testing.assert_close(network(steps)[0], kernel(steps)[0])


def test_gru_is_the_documented_form():
    kernel = Recurrent(F, CellOptions("gru", D)).double().stack.kernel
    for weight in kernel.parameters():
        nn.init.normal_(weight, std=0.7)
    steps = torch.randn(B, L, F, dtype=torch.float64)
    h = torch.zeros(B, D, dtype=torch.float64)
    for x in steps.unbind(1):
        wr, wz, wn = (x @ kernel.weight_ih_l0.T + kernel.bias_ih_l0).split(D, 1)
        ur, uz, un = (h @ kernel.weight_hh_l0.T + kernel.bias_hh_l0).split(D, 1)
        r, z = torch.sigmoid(wr + ur), torch.sigmoid(wz + uz)
        n = torch.tanh(wn + r * un)
        h = (1 - z) * n + z * h
    torch.testing.assert_close(kernel(steps)[0][:, -1], h, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("cell", get_args(CellName))
def test_left_padding_changes_nothing(cell):
    torch.manual_seed(0)
    network = Recurrent(F, CellOptions(cell, D, 2, initial_state="learned")).double()
    if network.initial is not None:
        nn.init.normal_(network.initial)
    steps = torch.randn(2, L, F, dtype=torch.float64)
    outputs, end = network(steps, None, torch.tensor([4, 0]))
    short, short_end = network(steps[:1, -4:])
    torch.testing.assert_close(outputs[:1, -4:], short, rtol=1e-12, atol=1e-13)
    assert not bool(outputs[:1, :-4].any())
    for padded, plain, start in zip(end, short_end, network.start(steps), strict=True):
        if padded is not None:
            torch.testing.assert_close(padded[:, :1], plain, rtol=1e-12, atol=1e-13)
            torch.testing.assert_close(padded[:, 1:], start[:, 1:], rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("cell", get_args(CellName))
def test_two_halves_equal_the_whole(cell):
    network = Recurrent(F, CellOptions(cell, D, 2)).double()
    steps = torch.randn(B, L, F, dtype=torch.float64)
    whole, end = network(steps)
    first, state = network(steps[:, :2])
    second, state = network(steps[:, 2:], state)
    torch.testing.assert_close(torch.cat([first, second], 1), whole, rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(state.hidden, end.hidden, rtol=1e-12, atol=1e-13)


def test_forget_bias_starts_where_it_is_set():
    layer = CellLayer(F, CellOptions("peephole", D, forget_bias=2.0), cell_flags("peephole"))
    assert layer.bias.split(D)[1].tolist() == [2.0] * D
    assert not bool(layer.bias.split(D)[0].any())
    fused = Recurrent(F, CellOptions("lstm", D, forget_bias=2.0)).stack.kernel
    assert (fused.bias_ih_l0 + fused.bias_hh_l0).split(D)[1].tolist() == [2.0] * D


def test_recurrent_weights_start_orthogonal():
    for options in (CellOptions("lstm", D), CellOptions("peephole", D)):
        weights = dict(Recurrent(F, options).named_parameters())
        name = next(key for key in weights if key.endswith(("weight_hh_l0", ".hidden")))
        for block in weights[name].detach().split(D):
            torch.testing.assert_close(block @ block.T, torch.eye(D))


@pytest.mark.parametrize("cell", ["lstm", "peephole"])
def test_dropout_between_layers_acts_in_training_only(cell):
    network = Recurrent(F, CellOptions(cell, D, 2, dropout=0.5))
    steps = torch.randn(B, L, F)
    assert not torch.equal(network(steps)[0], network(steps)[0])
    network.eval()
    assert torch.equal(network(steps)[0], network(steps)[0])


def test_learned_initial_state_gets_a_gradient():
    for cell, layers in itertools.product(("lstm", "gru", "elman", "full_gate_recurrence"), (1, 2)):
        network = Recurrent(F, CellOptions(cell, D, layers, initial_state="learned"))
        network(torch.randn(B, L, F))[0].sum().backward()
        assert bool((network.initial.grad != 0).all())


def test_choices_without_meaning_are_refused():
    for cell in ("elman", "gru"):
        with pytest.raises(ValueError, match=f"{cell} has neither peepholes"):
            CellOptions(cell, peepholes="diagonal")
        with pytest.raises(ValueError, match=f"{cell} has neither peepholes"):
            CellOptions(cell, output_identity=True)
    with pytest.raises(ValueError, match="gru runs on torch's kernel"):
        cell_flags("gru")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("cell", get_args(CellName))
def test_a_gpu_gives_what_the_cpu_gives(cell):
    network = Recurrent(F, CellOptions(cell, D, 2)).double()
    steps = torch.randn(B, L, F, dtype=torch.float64)
    length = torch.tensor([L, 2, 0])
    wanted, _ = network(steps, None, length)
    found, _ = network.to("cuda")(steps.to("cuda"), None, length.to("cuda"))
    torch.testing.assert_close(found.cpu(), wanted, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("layers", [1, 2])
def test_features_that_never_vary_act_as_a_bias(layers):
    """The kernel gets fewer columns where some are constant: forecasts and gradients stay."""
    torch.manual_seed(0)
    stack = Recurrent(4, CellOptions(hidden_size=5, layers=layers))
    steps = torch.randn(3, 7, 4)
    steps[..., 1], steps[..., 3] = 1.0, -0.5
    outputs, after = stack(steps)
    outputs[:, -1].sum().backward()
    found = [weight.grad.clone() for weight in stack.parameters()]
    stack.zero_grad()
    wanted, (hidden, carry) = stack.stack.kernel(steps)
    wanted[:, -1].sum().backward()
    assert torch.allclose(outputs, wanted, atol=1e-6)
    assert torch.allclose(after.hidden, hidden, atol=1e-6)
    assert torch.allclose(after.carry, carry, atol=1e-6)
    for grad, weight in zip(found, stack.parameters(), strict=True):
        assert torch.allclose(grad, weight.grad, atol=1e-5)


def test_an_input_that_never_varies_at_all_is_still_read():
    stack, steps = Recurrent(2, CellOptions(hidden_size=5)), torch.ones(3, 7, 2)
    assert torch.equal(stack(steps)[0], stack.stack.kernel(steps)[0])
