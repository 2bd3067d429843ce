"""One optimiser step that asks nothing of the host, and so can be captured as one CUDA graph.

The step is a plain function of tensors that stay where they are: it gathers its own batch, and
reads its learning rate from a table. On a CPU it runs as it is; on a GPU `captured` records its
kernels once and replays them, so that a step costs its arithmetic and no launches.

Letters: N windows in the order of training, S steps.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from forecast.data.windows.windows import Batch
from forecast.models.ensemble import members_of
from forecast.models.network import Network

WARM_UP = 3
"""Steps before the capture: kernels are chosen and buffers made in them."""


class TrainStep:
    """Forward, backward, clipping, AdamW and the moving average over the next batch in order.

    Parameters
    ----------
    network
        What is trained, on its device, in training mode.
    gather
        Gives the windows of (series, cutoff) on that device, without asking the host.
    order
        (2, N) int64: series and cutoff of the windows in the order of training.
    batch_size
        Windows of a step.
    rates
        (S,) learning rate of each step.
    average
        Holds the moving average of the weights, with the share (S,) of the new ones in each step.
    """

    def __init__(
        self,
        network: Network,
        gather: Callable[[Tensor, Tensor], Batch],
        order: Tensor,
        *,
        batch_size: int,
        rates: Tensor,
        weight_decay: float = 0.0,
        gradient_clip: float = 1.0,
        average: tuple[Network, Tensor] | None = None,
    ) -> None:
        device = order.device
        self.network, self.gather, self.order = network, gather, order
        self.batch = torch.arange(batch_size, device=device)
        self.rates, self.gradient_clip, self.average = rates, gradient_clip, average
        self.done = torch.zeros(1, dtype=torch.int64, device=device)
        self.rate = torch.zeros((), device=device)
        self.loss_sum = torch.zeros((), device=device)
        weights = [weight for weight in network.parameters() if weight.requires_grad]
        self.optimizer = torch.optim.AdamW(
            weights,
            lr=self.rate,
            weight_decay=weight_decay,
            fused=True,
            capturable=device.type == "cuda",
        )

    def __call__(self) -> None:
        """Take a step."""
        at = self.done * len(self.batch) + self.batch
        batch = self.gather(self.order[0].index_select(0, at), self.order[1].index_select(0, at))
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.network.loss(batch)
        loss.backward()  # type: ignore[no-untyped-call]
        members = members_of(self.network.model)
        for member in members:
            clip_grad_norm_(member.parameters(), self.gradient_clip / len(members))
        self.rate.copy_(self.rates.index_select(0, self.done).squeeze())
        self.optimizer.step()
        self._move_average()
        self.loss_sum += loss.detach()
        self.done += 1

    @torch.no_grad()
    def _move_average(self) -> None:
        if self.average is None:
            return
        slow, shares = self.average
        share = shares.index_select(0, self.done).squeeze()
        for kept, fresh in zip(slow.parameters(), self.network.parameters(), strict=True):
            kept.lerp_(fresh, share)

    def state(self) -> list[Tensor]:
        """Every tensor that a step changes."""
        of_optimizer = [
            value
            for state in self.optimizer.state.values()
            for value in state.values()
            if isinstance(value, Tensor)
        ]
        slow = [] if self.average is None else list(self.average[0].parameters())
        own = [self.done, self.loss_sum, self.rate]
        return [*self.network.parameters(), *self.network.buffers(), *slow, *of_optimizer, *own]


def captured(step: TrainStep) -> Callable[[], None]:
    """Record a step as one CUDA graph; what is returned replays it, from where the step stands.

    Raises
    ------
    RuntimeError
        When something in the step asks the host: it has to run as it is then.
    """
    random = torch.cuda.get_rng_state()
    before = [tensor.detach().clone() for tensor in step.state()]
    side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(WARM_UP):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    step.optimizer.zero_grad(set_to_none=True)
    with torch.cuda.graph(graph):
        step()
    _restore(step, before)
    torch.cuda.set_rng_state(random)
    replay: Callable[[], None] = graph.replay
    return replay


@torch.no_grad()
def _restore(step: TrainStep, before: list[Tensor]) -> None:
    """Put everything back; moments that the warm-up made first are 0."""
    now = step.state()
    made = len(now) - len(before)
    own, first = now[-3:], now[: len(before) - 3]
    for tensor, old in zip([*first, *own], before, strict=True):
        tensor.copy_(old)
    for tensor in now[len(before) - 3 : len(before) - 3 + made]:
        tensor.zero_()
