"""Forecasters that differ in their random start alone, asked together; trains nothing.

The members share no weights and do not see each other: each is trained on the loss of its own
forecast (`Network.loss`), and a member that feeds back its forecasts feeds back its own. What
differs between them is mostly noise, which their mean reduces (Lakshminarayanan et al. 2017).
"""

from collections.abc import Sequence

from torch import Tensor, nn

from forecast.models.heads.point_heads import Head
from forecast.models.strategies.segment import Segment


class Ensemble(nn.Module):
    """Several forecasters; its forecast is theirs, averaged as the head says (`Head.average`)."""

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
            As every member reads them.

        Returns
        -------
        Head parameters (B, H, T, O) in scaled units; (B, H, T, members · O) of a mixture.
        """
        return self.head.average([member(past, known, static, target) for member in self.members])


def members_of(model: nn.Module) -> list[nn.Module]:
    """Give the members of an ensemble; any other forecaster is its own only member."""
    return list(model.members) if isinstance(model, Ensemble) else [model]


def segments_of(model: nn.Module) -> list[Segment]:
    """Give the members that are segment forecasters: all of them or none."""
    return [member for member in members_of(model) if isinstance(member, Segment)]
