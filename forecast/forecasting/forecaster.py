"""A trained forecaster: a panel or a history frame in, forecasts out; saved as a bundle.

It needs neither Lightning nor pandas until a frame is asked for. Training is in `fitting.py`.

Letters: N windows, H horizon, T targets, Q quantile levels.
"""

import platform
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from forecast.data.panel import Panel
from forecast.data.panel.panel import newest_cutoff
from forecast.data.windows.predictor import Forecast
from forecast.data.windows.scaling import Scaler
from forecast.data.windows.windows import Batch, WindowIndex
from forecast.errors import ModelError
from forecast.forecasting import bundle
from forecast.forecasting.calibration import Calibration
from forecast.forecasting.even_forward import Raw, forward, forward_points
from forecast.forecasting.fallback import (
    join_flags,
)
from forecast.forecasting.in_parts import in_parts
from forecast.forecasting.label_codes import in_codes_of, unseen
from forecast.forecasting.rolling_intervals import corrected
from forecast.forecasting.spec import Spec, index_at
from forecast.forecasting.spread_factors import recentred
from forecast.forecasting.window_answers import WindowAnswers
from forecast.models.architecture import Architecture, HeadSpec
from forecast.models.build import build_head, build_model
from forecast.models.network import Network

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Forecaster:
    """A network with what it takes to forecast: expectations, scaler, calibration.

    Attributes
    ----------
    network
        In evaluation mode.
    spec
        Inputs expected, outputs promised.
    scaler
        Train statistics.
    architecture, head
        What the network is built from.
    calibration
        How raw quantiles are corrected; none before calibration, and for classes.
    origin
        What else travels with the bundle: config, data fingerprint, metrics.
    """

    network: Network
    spec: Spec
    scaler: Scaler
    architecture: Architecture
    head: HeadSpec
    calibration: Calibration | None = None
    origin: dict[str, Any] = field(default_factory=dict)

    def predict(self, panel: Panel, index: WindowIndex, *, batch_size: int = 128) -> Forecast:
        """Forecast windows of a panel, in the order of the index, as forecast files hold them.

        Quantiles are calibrated, and corrected by what earlier forecasts of the same series
        missed as far as the panel reaches back (`rolling_intervals`). A window whose readings are
        late, partly missing or absent is forecast all the same, from the widest fallback that
        works, and says so in `flag`. Each point lies within its own 50 % band.

        Raises
        ------
        ModelError
            When the panel is not of the kind the model was trained on.
        """
        spec = self.spec
        spec.check(panel)
        panel_in_codes = in_codes_of(panel, spec.categories)
        answers = WindowAnswers(
            self.network, spec, self.scaler, self.calibration, panel=panel_in_codes
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

    def raw(self, batch: Batch) -> Raw:
        """Forecast one batch by the network alone, in the targets' units."""
        return forward(self.network, batch, self.spec.levels)

    def point(self, batch: Batch) -> Tensor:
        """Forecast the points (N, H, T) of one batch by the network, on its device."""
        return forward_points(self.network, batch, self.spec.levels)

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

    def forecast(self, history: "pd.DataFrame") -> "pd.DataFrame":
        """Forecast what follows a history frame, all series from one cutoff.

        Parameters
        ----------
        history
            One row per reading: `unique_id` (may be absent: one series), `ds`, the targets and
            covariates. Rows behind the newest reading may hold known covariates alone.

        Returns
        -------
        The columns of the forecast files, one row for every series, target and step.

        Raises
        ------
        DataError, ModelError
            When the frame lacks what the model needs.
        """
        from forecast.data.panel import panel_from_frame
        from forecast.data.panel.any_frame import static_rows

        spec = self.spec
        panel = panel_from_frame(
            history,
            frequency=spec.frequency,
            timezone=spec.timezone,
            targets=spec.targets,
            past=spec.past,
            known=spec.known,
            static=static_rows(history, spec.static),
        )
        return self.forecast_newest(panel)

    def forecast_newest(self, panel: Panel) -> "pd.DataFrame":
        """Forecast what follows the newest reading of a panel, as `forecast` does of a frame."""
        from forecast.forecasting.forecast_table import Provenance, forecast_table

        panel = replace(panel, categories=dict(self.spec.categories))
        answer = self.predict(panel, index_at(panel, newest_cutoff(panel)))
        provenance = Provenance(
            model_version=str(self.origin.get("model_version", "")),
            run_id=str(self.origin.get("run_id", "")),
        )
        frame: pd.DataFrame = forecast_table(answer, panel, provenance).to_pandas()
        return frame

    def to(self, device: str | torch.device) -> "Forecaster":
        """Return the same forecaster with its network on a device."""
        return replace(self, network=self.network.to(device))

    def save(self, folder: str | Path) -> None:
        """Write the bundle.

        Raises
        ------
        ModelError
            When the folder cannot be written.
        """
        calibration = None if self.calibration is None else self.calibration.to_json()
        manifest = {
            "versions": _versions(),
            "spec": self.spec.to_json(),
            "model": self.architecture.to_json(),
            "head": self.head.to_json(),
            "scaler": self.scaler.to_json(),
            "calibration": calibration,
            "origin": self.origin,
        }
        weights = {name: tensor.cpu() for name, tensor in self.network.state_dict().items()}
        bundle.write_bundle(Path(folder), manifest, weights)

    @classmethod
    def load(cls, folder: str | Path) -> "Forecaster":
        """Read a bundle.

        Raises
        ------
        ModelError
            When it is damaged, or newer than this program.
        """
        manifest, weights = bundle.read_bundle(Path(folder))
        try:
            spec = Spec.from_json(manifest["spec"])
            scaler = Scaler.from_json(manifest["scaler"])
            architecture = Architecture.from_json(manifest["model"])
            head = HeadSpec.from_json(manifest["head"])
            network = assemble(architecture, head, spec=spec, scaler=scaler)
            network.load_state_dict(weights)
            found = manifest["calibration"]
            calibration = None if found is None else Calibration.from_json(found)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ModelError(
                f"{folder}: the bundle's parts do not fit together ({error}); train again"
            ) from error
        return cls(
            network=network.eval().requires_grad_(requires_grad=False),
            spec=spec,
            scaler=scaler,
            architecture=architecture,
            head=head,
            calibration=calibration,
            origin=manifest["origin"],
        )


def assemble(architecture: Architecture, head: HeadSpec, *, spec: Spec, scaler: Scaler) -> Network:
    """Build a network with untrained weights."""
    chosen = build_head(head)
    return Network(
        build_model(architecture, chosen),
        chosen,
        scaler=scaler,
        target_count=len(spec.targets),
        past_count=len(spec.past),
    )


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version(), "torch": str(torch.__version__)}
    try:
        versions["lstm-forecast"] = version("lstm-forecast")
    except PackageNotFoundError:  # run from a checkout
        versions["lstm-forecast"] = "checkout"
    return versions
