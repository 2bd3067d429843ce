"""Forecasts windows of a panel by what a bundle holds, whatever computes its network.

Letters: N windows, H horizon, T targets, Q quantile levels.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from forecast.data.panel import Panel
from forecast.data.windows.predictor import Forecast
from forecast.data.windows.scaling import Scaler
from forecast.data.windows.window_index import WindowIndex
from forecast.forecasting import bundle
from forecast.forecasting.calibration import Calibration
from forecast.forecasting.even_forward import Engine
from forecast.forecasting.fallback import join_flags
from forecast.forecasting.in_parts import in_parts
from forecast.forecasting.label_codes import in_codes_of, unseen
from forecast.forecasting.plain_engine import PlainEngine
from forecast.forecasting.rolling_intervals import corrected
from forecast.forecasting.spec import Spec
from forecast.forecasting.spread_factors import recentred
from forecast.forecasting.window_answers import WindowAnswers
from forecast.models.architecture import Architecture, HeadSpec
from forecast.models.plain.network import PlainNetwork, can_be_plain


@dataclass(frozen=True)
class BundlePredictor:
    """An engine with what it takes to forecast; the attributes are those of `Forecaster`."""

    engine: Engine
    spec: Spec
    scaler: Scaler
    calibration: Calibration | None = None

    def predict(self, panel: Panel, index: WindowIndex, *, batch_size: int = 128) -> Forecast:
        """Forecast windows as `Forecaster.predict` does.

        Raises
        ------
        ModelError
            When the panel is not of the kind the model was trained on.
        """
        spec = self.spec
        spec.check(panel)
        panel_in_codes = in_codes_of(panel, spec.categories)
        answers = WindowAnswers(
            self.engine, spec, self.scaler, self.calibration, panel=panel_in_codes
        )

        def some(part: WindowIndex) -> Forecast:
            answer = self._corrected(answers, part, batch_size=batch_size)
            return replace(answer, flag=self._flag(answer.flag, panel, part))

        values = spec.horizon * len(spec.targets) * len(spec.levels)
        return in_parts(some, index, values=values)

    def _corrected(
        self, answers: WindowAnswers, index: WindowIndex, *, batch_size: int
    ) -> Forecast:
        """Forecast windows, calibrated and corrected by each series' own past, within bounds."""
        spec = self.spec

        def calibrated(_: Panel, part: WindowIndex, *, batch_size: int = 128) -> Forecast:
            return answers.calibrated(part, batch_size=batch_size)

        answer = answers.calibrated(index, batch_size=batch_size)
        quantiles = answer.quantiles
        if self.calibration is not None and len(spec.levels):
            moved = corrected(
                calibrated, self.calibration, spec, panel=answers.panel, answer=answer
            )
            moved = recentred(np.sort(moved, axis=-1), answer.point, spec.levels)
            is_fallback = np.char.find(answer.flag, "fallback:") >= 0  # (N, T)
            kept = is_fallback[:, None] | (quantiles[..., 0] == quantiles[..., -1])  # (N, H, T)
            kept = kept if answer.never is None else kept | answer.never
            quantiles = np.where(kept[..., None], quantiles, moved)
        return replace(
            answer,
            point=spec.clip(answer.point, axis=2),
            quantiles=spec.clip(quantiles.astype(np.float32), axis=2),
        )

    def _flag(self, flag: NDArray[np.str_], panel: Panel, index: WindowIndex) -> NDArray[np.str_]:
        """Add to the flags (N, T) the columns whose labels in a window were not in training."""
        spec = self.spec
        found = unseen(
            panel,
            dict(spec.categories),
            index,
            context_length=spec.context_length,
            horizon=spec.horizon,
        )
        for name, hits in found.items():
            flag = np.where(hits[:, None], join_flags(flag, f"unseen:{name}"), flag)
        return flag


def load_predictor(folder: Path) -> BundlePredictor:
    """Read a bundle for forecasting: by numpy where its network is written in numpy, else by torch.

    Raises
    ------
    ModelError
        When it is damaged, or newer than this program.
    """
    plain = _plain(folder)
    if plain is not None:
        return plain
    from forecast.forecasting.forecaster import Forecaster

    return Forecaster.load(folder).predictor


def _plain(folder: Path) -> BundlePredictor | None:
    manifest, payload = bundle.read_whole(folder)
    try:
        spec = Spec.from_json(manifest["spec"])
        architecture = Architecture.from_json(manifest["model"])
        head = HeadSpec.from_json(manifest["head"])
        if not can_be_plain(architecture, head, spec.levels):
            return None
        scaler = Scaler.from_json(manifest["scaler"])
        found = manifest["calibration"]
        calibration = None if found is None else Calibration.from_json(found)
        weights = bundle.as_arrays(payload)
        network = PlainNetwork(architecture, head, scaler=scaler, weights=weights)
    except (KeyError, TypeError, ValueError):  # torch's loading tells what is wrong
        return None
    return BundlePredictor(PlainEngine(network), spec, scaler, calibration)
