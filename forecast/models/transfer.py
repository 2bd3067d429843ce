"""Transfer learning: copy the weights of another run that fit, freeze chosen parts of the network.

`parts` of a forecaster lists the submodules of each part: "embedding" (what reads static
covariates and segments), "recurrent", and "head" (what turns states into outputs).
"""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Literal, NamedTuple

from torch import Tensor, nn

from forecast.errors import ModelError

Part = Literal["embedding", "recurrent", "head"]
PARTS: tuple[Part, ...] = ("embedding", "recurrent", "head")


class Transferred(NamedTuple):
    """Names of the weights that were copied, and of those that kept their own values."""

    taken: tuple[str, ...]
    left: tuple[str, ...]


def part_names(model: nn.Module, part: str) -> tuple[str, ...]:
    """Return the names of a part's weights.

    Raises
    ------
    ModelError
        For a part that this kind does not have.
    """
    parts: Mapping[str, tuple[str, ...]] = getattr(model, "parts", {})
    if part not in parts:
        near = get_close_matches(part, parts, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ModelError(f"no part {part!r}; there are {', '.join(parts)}{hint}")
    prefixes = parts[part]
    return tuple(
        name
        for name in model.state_dict()
        if any(name == prefix or name.startswith(prefix + ".") for prefix in prefixes)
    )


def take_weights(
    model: nn.Module, weights: Mapping[str, Tensor], *, parts: Sequence[str] = PARTS
) -> Transferred:
    """Copy the weights that agree in name and shape into the chosen parts.

    Parameters
    ----------
    model : Module
        A forecaster of this package.
    weights : mapping
        The state dict of another one.
    parts : sequence of str
        Which parts to copy.

    Raises
    ------
    ModelError
        When the forecaster lacks a part, or none of the part's weights fits.
    """
    own = model.state_dict()
    taken: list[str] = []
    left: list[str] = []
    for part in parts:
        names = part_names(model, part)
        fitting = [n for n in names if n in weights and weights[n].shape == own[n].shape]
        if names and not fitting:
            raise ModelError(
                f"part {part!r}: none of its {len(names)} weights fits; {_why(names, own, weights)}"
                "; take the same kind, cell, hidden_size and layers, or leave the part out"
            )
        taken += fitting
        left += [n for n in names if n not in fitting]
    for name in taken:
        own[name].copy_(weights[name])
    return Transferred(tuple(taken), tuple(left))


def freeze(model: nn.Module, parts: Sequence[str]) -> tuple[str, ...]:
    """Freeze the weights of the chosen parts; return their names.

    Raises
    ------
    ModelError
        When the forecaster lacks a part, or no weight would be left to train.
    """
    frozen = {name for part in parts for name in part_names(model, part)}
    weights = dict(model.named_parameters())
    if frozen.issuperset(weights):
        raise ModelError(
            f"freezing {', '.join(parts)} leaves nothing to train; leave one part out of freeze"
        )
    for name in frozen & weights.keys():
        weights[name].requires_grad = False
    return tuple(name for name in weights if name in frozen)


def _why(names: Sequence[str], own: Mapping[str, Tensor], there: Mapping[str, Tensor]) -> str:
    """Return how the first weight of `names` differs, in words."""
    name = names[0]
    if name not in there:
        return f"{name} is not among the other run's weights"
    return f"{name} is {tuple(there[name].shape)} there and {tuple(own[name].shape)} here"
