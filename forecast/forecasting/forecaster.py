"""A trained forecaster: a panel or a history frame in, forecasts out; saved as a bundle.

It needs neither Lightning nor pandas until a frame is asked for. Training is in `fitting.py`.

Letters: N windows, H horizon, T targets, Q quantile levels.
"""

import platform
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from forecast.data.panel import Panel
from forecast.data.panel.panel import newest_cutoff
from forecast.data.windows.predictor import Forecast
from forecast.data.windows.scaling import Scaler
from forecast.data.windows.window_index import HostBatch, WindowIndex
from forecast.errors import ModelError
from forecast.forecasting import bundle
from forecast.forecasting.bundle_predictor import BundlePredictor
from forecast.forecasting.calibration import Calibration
from forecast.forecasting.even_forward import Raw, forward
from forecast.forecasting.spec import Spec, index_at
from forecast.forecasting.torch_engine import TorchEngine
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
        return self.predictor.predict(panel, index, batch_size=batch_size)

    @property
    def predictor(self) -> BundlePredictor:
        """What forecasts by torch."""
        engine = TorchEngine(self.network)
        return BundlePredictor(engine, self.spec, self.scaler, self.calibration)

    def raw(self, batch: HostBatch) -> Raw:
        """Forecast one batch by the network alone, in the targets' units."""
        return forward(TorchEngine(self.network), batch, self.spec.levels)

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
