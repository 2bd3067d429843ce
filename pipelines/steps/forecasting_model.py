"""What forecasts now: the champion, the last known one, or a stand-in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from forecast.errors import ForecastError, ModelError, TrackingError
from forecast.ranks.store import agree
from pipelines.steps.stand_in import FLAG, VERSION, StandIn
from pipelines.tracking import champion_bundle
from pipelines.tracking.last_champion import champion_or_last
from pipelines.tracking.registry import is_cached

if TYPE_CHECKING:
    from forecast.config import Config
    from forecast.data.panel import Panel
    from forecast.data.windows.predictor import Predictor

STALE_REGISTRY = "stale_registry"


class Model(NamedTuple):
    """What forecasts, and what holds of all its rows."""

    predictor: Predictor
    horizon: int
    version: str
    run_id: str
    flags: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    fault: ForecastError | None = None  # why the champion does not forecast


def model_now(config: Config, panel: Panel, oldest: int) -> Model:
    """Return the champion, the last known one where the registry is away, or the stand-in."""
    answer = agree("champion", lambda: _asked(config))
    if "fault" in answer:
        fault = (ModelError if answer["kind"] == ModelError.exit_code else TrackingError)(
            f"{answer['fault']}; a seasonal naive forecast is written in its place, flagged {FLAG}"
        )
        stand_in = StandIn.fit(config, panel, oldest)
        if stand_in is None:
            raise type(fault)(answer["fault"])
        told = (str(fault),) if config.monitor.allow_no_champion else ()
        return Model(stand_in, config.horizon, VERSION, "", (), told, fault)
    from forecast.forecasting.bundle_predictor import load_predictor

    version, run_id = answer["version"], answer["run_id"]
    folder = config.work_folder.absolute() / "bundles" / str(version)
    if not is_cached(folder, run_id):  # a machine of its own
        folder = champion_bundle(config, version).path
    predictor = load_predictor(folder)
    model = Model(predictor, predictor.spec.horizon, str(version), run_id)
    if not answer["unasked"]:
        return model
    line = (
        f"{answer['unasked']}; version {version}, the last known champion, forecasts in the "
        f"meantime, flagged {STALE_REGISTRY}"
    )
    return model._replace(flags=(STALE_REGISTRY,), lines=(line,))


def _asked(config: Config) -> dict[str, Any]:
    """Return which version is the champion, or why there is none, as plain values."""
    try:
        found = champion_or_last(config)
    except (ModelError, TrackingError) as fault:
        return {"fault": str(fault), "kind": fault.exit_code}
    bundle = found.bundle
    return {"version": bundle.version, "run_id": bundle.run_id, "unasked": found.unasked}
