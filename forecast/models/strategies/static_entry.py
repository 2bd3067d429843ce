"""How static covariates enter a recurrent network: through its first state, or at every step.

Shapes: B batch, L steps.
"""

import torch
from torch import Tensor, nn

from forecast.vocabulary import StaticInto


class StaticEntry(nn.Module):
    """Static covariates (B, n_static), missing ones read as 0, the mean of the training series.

    "state": a linear map of them is added to the initial state of every layer, so that a sensor
    installed today starts from its own properties. "steps": they are an input of every step.
    """

    def __init__(self, static_count: int, into: StaticInto) -> None:
        super().__init__()
        self.into = into
        self.static_count = static_count
        self.width = static_count if into == "steps" else 0
        self.to_state: nn.Linear | None = None

    def feed(self, state_size: int) -> None:
        """Set the size of the state that they are added to."""
        if self.into == "state" and self.static_count:
            self.to_state = nn.Linear(self.static_count, state_size)

    def state(self, static: Tensor) -> Tensor | None:
        """Give what is added to the initial state, (B, state_size); None if nothing is."""
        if self.to_state is None:
            return None
        added: Tensor = self.to_state(torch.nan_to_num(static))
        return added

    def beside(self, static: Tensor, length: int) -> Tensor:
        """Give the extra inputs of each of `length` steps, (B, L, width)."""
        if not self.width:
            return static.new_zeros(len(static), length, 0)
        return torch.nan_to_num(static).unsqueeze(1).expand(-1, length, -1)
