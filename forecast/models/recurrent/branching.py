"""One recurrent step from each window's state to several inputs at once.

Shapes: B batch, T targets, m inputs per state, D hidden, E entry (D, or 4D for gates).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from forecast.models.recurrent.padded_stack import CellOptions, Recurrent, RecurrentState


def takes_one_product(cell: CellOptions) -> bool:
    """Whether the step costs one recurrent product per state: a single layer of a fused LSTM.

    What is added per window then enters the four gates, else the input.
    """
    return cell.cell == "lstm" and cell.is_fused and cell.layers == 1


def branched(
    recurrent: Recurrent,
    state: RecurrentState,
    entry: Tensor,
    moved: Tensor | None,
    *,
    one_product: bool,
) -> Tensor:
    """Step from each state (B · T) to its m inputs; returns hidden states (B, T, m, D).

    Parameters
    ----------
    entry : Tensor
        (T, m, D), inputs that all windows share.
    moved : Tensor, optional
        (B, T or 1, m, E), what is added per window: to the gates with `one_product`, else to the
        input.
    """
    if one_product and state.carry is not None:
        return _lstm_step(recurrent, entry, moved, state.hidden[0], state.carry[0])
    count, segments = entry.shape[:2]
    batch = state.hidden.shape[1] // count
    inputs = entry if moved is None else entry + moved
    flat = inputs.expand(batch, -1, -1, -1).reshape(batch * count * segments, 1, -1)
    many = RecurrentState(
        state.hidden.repeat_interleave(segments, dim=1),
        *(None if part is None else part.repeat_interleave(segments, dim=1) for part in state[1:]),
    )
    hidden: Tensor = recurrent(flat, many)[0]
    return hidden.view(batch, count, segments, -1)


def _lstm_step(
    recurrent: Recurrent, entry: Tensor, moved: Tensor | None, hidden: Tensor, carry: Tensor
) -> Tensor:
    """One LSTM step from the states (B · T, D) to all inputs, (B, T, m, D).

    The gates' input term depends only on (target, input) and the state term only on the window: the
    product with the state, the expensive one, is taken once for all m inputs.
    """
    kernel = recurrent.stack.kernel
    assert isinstance(kernel, nn.LSTM)
    input_weight, state_weight, input_bias, state_bias = kernel.all_weights[0]
    from_input = F.linear(entry, input_weight, input_bias)  # (T, m, 4D)
    from_state = F.linear(hidden, state_weight, state_bias)  # (B · T, 4D), the one product
    gates = from_input + from_state.view(-1, entry.shape[0], 1, from_state.shape[1])
    if moved is not None:
        gates = gates + moved
    i, f, g, o = gates.chunk(4, dim=-1)
    before = carry.view(-1, entry.shape[0], 1, carry.shape[1])
    after = torch.sigmoid(f) * before + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(after)
