"""The two closed-form fits around a training, on windows of a panel.

Before it, the linear path; after it, how much of the network's correction is kept.
"""

from collections.abc import Iterator
from functools import partial

from forecast.config.duration import count_steps
from forecast.config.modelling import Linear
from forecast.data.panel import Panel
from forecast.data.windows.splits import Split
from forecast.data.windows.train_folds import MOST_FOLDS, TrainFolds
from forecast.data.windows.window_index import WindowIndex, thin
from forecast.data.windows.windows import Windows, batches
from forecast.forecasting.forecaster import Forecaster
from forecast.models.ensemble import segments_of
from forecast.models.linear.choice import PARTS
from forecast.models.linear.features import WindowTensors
from forecast.models.linear.output_groups import groups_of
from forecast.models.network import Network
from forecast.models.strategies.segment_fit import fit_correction_share, fit_linear_path

LINEAR_MEMORY = 2 << 30
"""Bytes for the sums that the linear path is chosen by: two spans per fold, fewer folds where many
targets or a long context would take more."""

MOST_LINEAR_ROWS = 1_000_000
"""Rows summed for the linear path, one per window and target, over all groups of outputs. At most a
fifth are of one group, evenly spaced: more no longer change it."""

NOTHING_LINEAR = (
    "linear path: no horizon of train holds a reading of a target: nothing was fitted, and the "
    "network starts from each window's newest level"
)


class ScaledWindows:
    """The windows of an index in train z-scores, batch by batch, as often as asked."""

    def __init__(self, network: Network, windows: Windows, index: WindowIndex) -> None:
        self.network, self.windows, self.index = network, windows, index

    def __iter__(self) -> Iterator[WindowTensors]:
        """Gather again."""
        for batch in batches(self.windows, self.index, batch_size=1024):
            yield self.network.scaled(batch)


def fit_linear(
    forecaster: Forecaster, panel: Panel, split: Split, linear: Linear
) -> tuple[str, ...]:
    """Fit the closed-form linear path, where the model has one, to train windows.

    Returns
    -------
    Lines that say what could not be fitted.
    """
    network = forecaster.network
    segments = segments_of(network.model)
    path = segments[0].linear if segments else None
    if path is None:
        return ()
    spec = forecaster.spec
    windows = spec.windows(panel)
    scaled = partial(ScaledWindows, network, windows)

    room = LINEAR_MEMORY // (2 * path.sums_size)
    groups = groups_of(windows, split.train, features=len(path.age), most=room // PARTS)
    rows = max(1, MOST_LINEAR_ROWS // len(spec.targets))
    train = thin(split.train, most=max(1, rows // max(5, len(groups))))
    most = max(1, min(MOST_FOLDS, room // len(groups)))
    folds = TrainFolds.of(panel, train, horizon=spec.horizon, most=most)
    fit = fit_linear_path(
        segments,
        {span: scaled(index) for span, index in folds.split(train).items()},
        scaled(thin(split.dev, most=max(1, rows // 5))),
        context_length=count_steps(linear.context, spec.frequency) if linear.context else None,
        groups=groups,
    )
    network.folds = folds
    return () if fit else (NOTHING_LINEAR,)


def fit_trust(forecaster: Forecaster, panel: Panel, dev: WindowIndex) -> None:
    """Set how much of the network's correction to the linear path is kept, by dev."""
    network = forecaster.network
    segments = segments_of(network.model)
    if not segments or network.head.raw_target:
        return
    windows = forecaster.spec.windows(panel)
    index = thin(dev, most=MOST_LINEAR_ROWS // 5)
    scaled = (network.scaled(batch) for batch in batches(windows, index, batch_size=256))
    fit_correction_share(segments, scaled)
