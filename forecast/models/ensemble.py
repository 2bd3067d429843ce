"""An ensemble: members that differ only in their random start.

Members share no weights. Each is trained on the loss of its own forecast (`Network.loss`), and a
recursive member is fed its own outputs. What differs between members is mostly noise, which
averaging reduces (Lakshminarayanan et al. 2017).
"""

from collections.abc import Sequence

from torch import Tensor, nn

from forecast.models.heads.point_heads import Head
from forecast.models.strategies.segment import Segment


class Ensemble(nn.Module):
    """Several forecasters whose forecasts `Head.average` combines into one."""

    def __init__(self, head: Head, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.head = head
        self.members = nn.ModuleList(members)

    def forward(
        self, past: Tensor, known: Tensor, static: Tensor, target: Tensor | None = None
    ) -> Tensor:
        """Average the members' forecasts.

        Parameters
        ----------
        past, known, static, target : Tensor
            Passed to every member.

        Returns
        -------
        Head parameters (B, H, T, O) in scaled units; (B, H, T, members · O) of a mixture.
        """
        return self.head.average([member(past, known, static, target) for member in self.members])


def members_of(model: nn.Module) -> list[nn.Module]:
    """Return the members of an ensemble; any other forecaster is its own only member."""
    return list(model.members) if isinstance(model, Ensemble) else [model]


def segments_of(model: nn.Module) -> list[Segment]:
    """Return the members if they are segment forecasters, else an empty list."""
    return [member for member in members_of(model) if isinstance(member, Segment)]
