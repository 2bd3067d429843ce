"""A forecaster small enough to train in a second, for the tests of the rooms around training."""

from dataclasses import replace
from pathlib import Path

from forecast.config.modelling import Model
from forecast.config.training import Training
from forecast.data.windows.splits import split_windows
from forecast.forecasting.spec import Spec
from forecast.models.architecture import Architecture, HeadSpec
from forecast.models.build import build_head as head_from
from forecast.models.build import build_model as model_from
from forecast.training.fitting import fit_forecaster
from forecast.training.untrained import untrained
from forecast.vocabulary import DECILES
from tests.builders import sine_panel


def build_head(name="point_quantile", levels=DECILES, **options):
    """A head by name."""
    return head_from(HeadSpec(name, tuple(levels), **options))


def build_model(kind, *, head, **options):
    """An untrained network by kind, with the defaults of `Architecture`."""
    frozen = {key: tuple(v) if isinstance(v, list) else v for key, v in options.items()}
    return model_from(Architecture(kind, **frozen), head)


SPEC = Spec(
    24, 6, "1h", "UTC", ("y",), calendar=("hour_of_day",), season=12, levels=(0.1, 0.5, 0.9)
)
MODEL = Model(kind="direct", hidden_size=8, dropout=0.0, quantile_levels=(0.1, 0.5, 0.9))
TRAINING = Training(
    epochs=2, batch_size=32, learning_rate=0.01, windows_per_epoch=160, accelerator="cpu", threads=1
)


def tiny_panel(n=600, series=2):
    """Noisy sines with a period of half a day."""
    return sine_panel(n, 12, series=series, noise=0.1)


def tiny_split(panel, spec=SPEC):
    """Ten per cent each for dev and test, and as much for calibration."""
    return split_windows(
        panel,
        context_length=spec.context_length,
        horizon=spec.horizon,
        train=0.8,
        dev=0.1,
        test=0.1,
        calibration=0.1,
    )


def tiny_untrained(panel, *, spec=SPEC, model=MODEL, seed=0):
    """A forecaster with random weights and a fitted scaler."""
    return untrained(panel, tiny_split(panel, spec), spec, model=model, seed=seed)


def tiny_fit(
    panel, folder: Path, *, spec=SPEC, model=MODEL, metric="mae", on_epoch=None, **training
):
    """Train for a moment; keyword arguments replace fields of the training section."""
    return fit_forecaster(
        panel,
        tiny_split(panel, spec),
        replace(spec, levels=model.quantile_levels),
        model=model,
        training=TRAINING.model_copy(update=training),
        metric=metric,
        folder=folder,
        **({} if on_epoch is None else {"on_epoch": on_epoch}),
    )
