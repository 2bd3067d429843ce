"""A bundle's network in numpy: raw readings in, raw forecasts out, as `models.network` does.

Letters: B batch, L context, H horizon, T targets, Q quantile levels.
"""

from collections.abc import Sequence

import numpy as np

from forecast.data.windows.scaling import Scaler
from forecast.data.windows.window_index import HostBatch
from forecast.models.architecture import Architecture, HeadSpec
from forecast.models.plain.direct import PlainDirect
from forecast.models.plain.heads import PlainHead
from forecast.models.plain.lstm import Array, Weights, mean_of, own
from forecast.models.plain.segment import PlainSegment


def can_be_plain(architecture: Architecture, head: HeadSpec, levels: Sequence[float]) -> bool:
    """Whether a network of this kind is written in numpy: direct and segment on torch's LSTM."""
    a = architecture
    is_lstm = a.cell == "lstm" and a.peepholes in (None, "none") and not a.output_identity
    is_kind = a.kind == "direct" or (a.kind == "segment" and a.layers == 1)
    is_head = head.name in ("point_quantile", "point") and PlainHead(head).covers(levels)
    return is_lstm and is_kind and is_head


class PlainNetwork:
    """A network of one member or several, from the weights of its bundle.

    Raises
    ------
    KeyError
        When a weight is missing.
    """

    def __init__(
        self,
        architecture: Architecture,
        head: HeadSpec,
        *,
        scaler: Scaler,
        weights: Weights,
    ) -> None:
        a, self.architecture, self.scaler = architecture, architecture, scaler
        self.head = PlainHead(head)
        self.location, self.scale = scaler.table()
        kind = PlainSegment if a.kind == "segment" else PlainDirect
        prefixes = [f"model.members.{n}." for n in range(a.ensemble)]
        self.members = [
            kind(a, own(weights, prefix), self.head.place, self.head.point)
            for prefix in (prefixes if a.ensemble > 1 else ["model."])
        ]

    def __call__(self, batch: HostBatch, levels: Sequence[float]) -> tuple[Array, Array]:
        """Return points (B, H, T) and quantiles (B, H, T, Q) in the targets' units."""
        row = batch.scale_row if len(self.location) > 1 else np.zeros(1, np.int64)
        location, scale = self.location[row][:, None], self.scale[row][:, None]
        seen = batch.past.shape[2]
        past = (batch.past - location[..., :seen]) / scale[..., :seen]
        known = (batch.known - location[..., seen:]) / scale[..., seen:]
        static = (batch.static - self.scaler.static_location) / self.scaler.static_scale
        params = mean_of([member(past, known, static) for member in self.members])
        count = self.architecture.target_count
        location, scale = location[..., :count], scale[..., :count]
        point = self.head.point(params) * scale + location
        quantiles = self.head.quantiles(params, levels)
        return point, quantiles * scale[..., None] + location[..., None]
