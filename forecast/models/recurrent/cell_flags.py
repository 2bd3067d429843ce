"""Every recurrent cell of the LSTM family as flags of one general step.

One step of a cell with all its parts, planes of pre-activations a and their gates:

    a_k = W_k x_t + U_k h_{t-1} + b_k                          k in {i, f, o, g}
    a_k += p_k ∘ c_{t-1} or P_k c_{t-1}                        k in {i, f}, peepholes
    a_o += V_o c_{t-1}                                         the `carry` cell
    a_k += sum over j of R_kj j_{t-1}                          j, k in {i, f, o}, gate recurrence
    i = sigmoid(a_i); f = sigmoid(a_f); g = tanh(a_g)
    c_t = f ∘ c_{t-1} + i ∘ g
    a_o += p_o ∘ c_t or P_o c_t                                peepholes
    o = sigmoid(a_o); h_t = o ∘ tanh(c_t)

and each cell omits some of them. Sources: Elman 1990; Hochreiter & Schmidhuber 1997; Gers,
Schmidhuber & Cummins 2000; Gers & Schmidhuber 2000 (peepholes); Greff et al. 2015, section 3
(the ablations); Chollet 2017, section 6.2.2 (`carry`).
"""

from dataclasses import dataclass
from typing import Literal

from forecast.vocabulary import CellName, Peepholes


@dataclass(frozen=True)
class CellFlags:
    """Which parts of the step a cell has; the defaults are the LSTM of 2000 without peepholes."""

    input_gate: Literal["own", "coupled", "open"] = "own"
    """own: sigmoid(a_i); coupled: 1 - f; open: 1."""
    forget_gate: Literal["own", "open", "closed"] = "own"
    """own: sigmoid(a_f); open: 1, the carry is kept; closed: 0, there is no carry."""
    output_gate: Literal["own", "open"] = "own"
    input_tanh: bool = True
    """Whether g = tanh(a_g); otherwise g = a_g."""
    output_tanh: bool = True
    """Whether h = o ∘ tanh(c); otherwise h = o ∘ c."""
    peepholes: Peepholes = "none"
    output_reads_carry: bool = False
    """V_o: the output gate reads c_{t-1} through a full matrix."""
    gate_recurrence: bool = False
    """R: every gate reads every gate of the step before."""

    @property
    def planes(self) -> str:
        """Pre-activations of a step in storage order: gates first, g last."""
        inner = ("i" if self.input_gate == "own" else "") + (
            "f" if self.forget_gate == "own" else ""
        )
        return inner + ("o" if self.output_gate == "own" else "") + "g"

    @property
    def inner(self) -> int:
        """Number of gates computed before the carry: i and f."""
        return sum(plane in self.planes for plane in "if")

    @property
    def gates(self) -> int:
        """Number of gates: i, f and o."""
        return len(self.planes) - 1

    @property
    def has_carry(self) -> bool:
        """Whether the cell passes a carry from step to step beside h."""
        return self.forget_gate != "closed"


def cell_flags(
    cell: CellName, peepholes: Peepholes | None = None, *, output_identity: bool = False
) -> CellFlags:
    """Return the flags of a cell.

    Parameters
    ----------
    cell : str
        `elman`: h_t = tanh(a_g) (Elman 1990). `lstm`: the full step without peepholes.
        `peephole`: with them (Gers & Schmidhuber 2000), the vanilla LSTM of Greff et al. 2015.
        `coupled`: i = 1 - f (CIFG), without peepholes; give "diagonal" for Greff's.
        `carry`: Chollet's, whose output gate reads c_{t-1} through V_o.
        `no_...`, `full_gate_recurrence`: Greff's ablations of `peephole`: i = 1, f = 1, o = 1,
        g = a_g, h = o ∘ c, no peepholes, and gates that read all gates of the step before.
    peepholes : {"none", "diagonal", "full"}, optional
        In place of the cell's own.
    output_identity : bool
        h = o ∘ c in place of o ∘ tanh(c), as Gers & Schmidhuber 2000 suggest for peepholes.

    Raises
    ------
    ValueError
        For `gru`, which is not of the LSTM family.
    """
    own: Peepholes = peepholes or "diagonal"
    tanh = not output_identity
    match cell:
        case "elman":
            return CellFlags("open", "closed", "open", output_tanh=False)
        case "lstm" | "no_peepholes":
            return CellFlags(output_tanh=tanh, peepholes=peepholes or "none")
        case "peephole":
            return CellFlags(output_tanh=tanh, peepholes=own)
        case "coupled":
            return CellFlags("coupled", output_tanh=tanh, peepholes=peepholes or "none")
        case "carry":
            none = peepholes or "none"
            return CellFlags(output_tanh=tanh, peepholes=none, output_reads_carry=True)
        case "no_input_gate":
            return CellFlags("open", output_tanh=tanh, peepholes=own)
        case "no_forget_gate":
            return CellFlags(forget_gate="open", output_tanh=tanh, peepholes=own)
        case "no_output_gate":
            return CellFlags(output_gate="open", output_tanh=tanh, peepholes=own)
        case "no_input_activation":
            return CellFlags(input_tanh=False, output_tanh=tanh, peepholes=own)
        case "no_output_activation":
            return CellFlags(output_tanh=False, peepholes=own)
        case "full_gate_recurrence":
            return CellFlags(output_tanh=tanh, peepholes=own, gate_recurrence=True)
        case "gru":
            raise ValueError("cell gru runs on torch's kernel and has no flags")
