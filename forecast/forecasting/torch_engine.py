"""Forecasts by torch, on the network's device."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

from forecast.data.windows.window_index import HostBatch
from forecast.data.windows.windows import Batch
from forecast.forecasting.even_forward import Raw
from forecast.models.network import Network


class TorchEngine:
    """The network as it was trained."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.device = network.past_scale.device

    @contextmanager
    def one_thread(self) -> Iterator[int]:
        """Compute on one thread while the block runs; yields how many there were, on a CPU."""
        before = torch.get_num_threads()
        if before != 1:
            torch.set_num_threads(1)
        try:
            yield before if self.device.type == "cpu" else 1
        finally:
            if before != 1:
                torch.set_num_threads(before)

    def begin_thread(self) -> None:
        """Let the arithmetic of a new thread be on that thread alone."""
        torch.set_num_threads(1)

    def run(self, batch: HostBatch, levels: Sequence[float]) -> Raw:
        """Forecast one batch."""
        tensors = Batch(*(torch.from_numpy(part).to(self.device) for part in batch))
        with torch.inference_mode():
            params = self.network(tensors)
            found = (
                self.network.point(params, tensors),
                self.network.quantiles(params, levels, tensors),
            )
        return Raw(*(part.float().cpu().numpy() for part in found))
