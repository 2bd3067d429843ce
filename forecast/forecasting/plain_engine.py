"""Forecasts by numpy, from a bundle whose network is written in numpy too."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

from forecast.data.windows.window_index import HostBatch
from forecast.forecasting.even_forward import Raw
from forecast.models.plain.network import PlainNetwork


class PlainEngine:
    """A network in numpy; its products are taken on one thread."""

    def __init__(self, network: PlainNetwork) -> None:
        self.network = network
        self._pools = ThreadpoolController()
        self._threads = max((pool["num_threads"] for pool in self._pools.info()), default=1)

    @contextmanager
    def one_thread(self) -> Iterator[int]:
        """Compute on one thread while the block runs; yields how many there were."""
        with self._pools.limit(limits=1, user_api="blas"):
            yield self._threads

    def begin_thread(self) -> None:
        """Need nothing: the limit of `one_thread` holds for the whole process."""

    def run(self, batch: HostBatch, levels: Sequence[float]) -> Raw:
        """Forecast one batch."""
        return Raw(*(np.asarray(part, np.float32) for part in self.network(batch, levels)))
