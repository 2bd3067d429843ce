"""The champion for a job that must not wait: as the registry says, or the last known one here.

A forecast is due whether or not the registry answers. Where it is down, mute or damaged, the
champion whose bundle is on this disk is used, and the caller flags its forecasts.
"""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from forecast.errors import ForecastError, TrackingError
from forecast.redaction import redact
from forecast.whole_files import write_whole
from pipelines.tracking.registry import (
    CHAMPION,
    ChampionBundle,
    alias_version,
    bundle_faults,
    champion_bundle,
    is_cached,
)
from pipelines.tracking.store import reach, sqlite_path, tracking_uri

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from forecast.config import Config

ANSWER_S = 8.0  # the registry is asked which version is the champion for this long
FETCH_S = 300.0  # a new champion's bundle is fetched for this long
LAST = "champion.json"  # in the work folder: the champion that the registry named last

T = TypeVar("T")


class Found(NamedTuple):
    """A champion's bundle, and why the registry could not be asked; empty where it was."""

    bundle: ChampionBundle
    unasked: str


def champion_or_last(config: Config) -> Found:
    """Return the champion that the registry names, or else the one that it named last.

    Raises
    ------
    ModelError
        The registry answers that there is no champion.
    TrackingError
        It does not answer, and no champion's bundle is on this disk.
    """
    last = _last(config)
    try:
        if last is not None:
            _require_store(config)
        reach(tracking_uri(config))
        _within(ANSWER_S, lambda: alias_version(config, CHAMPION), tracking_uri(config))
        found = _within(FETCH_S, lambda: champion_bundle(config), tracking_uri(config))
    except TrackingError as cause:
        if last is None:
            raise
        return Found(last, str(cause))
    text = json.dumps({"version": found.version, "run_id": found.run_id})
    with suppress(OSError):  # a full disk must not cost the forecast
        write_whole(config.work_folder / LAST, text)
    return Found(found, "")


def _require_store(config: Config) -> None:
    path = sqlite_path(tracking_uri(config))
    if path is not None and not path.exists():
        raise TrackingError(f"{path}: the tracking store is gone")


def _last(config: Config) -> ChampionBundle | None:
    """Return the champion that was named last, else the newest version whose bundle is here."""
    folder = config.work_folder.absolute() / "bundles"
    with suppress(OSError, ValueError, KeyError, TypeError):
        named = json.loads((config.work_folder / LAST).read_text(encoding="utf-8"))
        bundle = ChampionBundle(folder / str(named["version"]), named["version"], named["run_id"])
        if is_cached(bundle.path, bundle.run_id):
            return bundle
    cached = [one for path in folder.glob("[0-9]*") if (one := _cached(path)) is not None]
    return max(cached, key=lambda found: found.version, default=None)


def _cached(path: Path) -> ChampionBundle | None:
    with suppress(OSError, ValueError, KeyError, TypeError):
        marker = json.loads((path / "source.json").read_text(encoding="utf-8"))
        if bundle_faults(path):
            return None
        return ChampionBundle(path, int(marker["version"]), str(marker["run_id"]))
    return None


def _within(limit_s: float, ask: Callable[[], T], uri: str) -> T:
    """Return an answer, or raise when none has come in time; the question is left to itself."""
    answers: list[T] = []
    faults: list[BaseException] = []

    def run() -> None:
        try:
            answers.append(ask())
        except BaseException as fault:  # noqa: BLE001 - raised again in the asking thread
            faults.append(fault)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(limit_s)
    if faults:
        fault = faults[0]
        if isinstance(fault, ForecastError):
            raise fault
        raise TrackingError(f"tracking store: {type(fault).__name__}: {fault}") from fault
    if not answers:
        raise TrackingError(f"tracking store {redact(uri)}: no answer within {limit_s:.0f} s")
    return answers[0]
