"""Registered versions of a config's model, their aliases, and the champion's bundle on disk.

Which version is better is decided by `retrain` and `promote`.
"""

from __future__ import annotations

import fcntl
import json
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from forecast.errors import ModelError
from forecast.ranks import is_first
from forecast.ranks.store import agree
from forecast.redaction import redact
from forecast.whole_files import checksum, faults_of, publish_folder, read_object, write_whole
from pipelines.process.console import say
from pipelines.tracking.local_registry import read_alias
from pipelines.tracking.store import Store, open_store, sqlite_path, tracking_faults, tracking_uri

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from forecast.config import Config

CHAMPION = "champion"  # the version `predict` uses
CHALLENGER = "challenger"  # the newest version that is not the champion
BEFORE = "champion_before"  # tag of a version: which one it replaced
MARKER = "source.json"  # written last into a cached bundle: whole, and of which run


class Version(NamedTuple):
    """One registered version of a model."""

    name: str
    number: int
    run_id: str


class ChampionBundle(NamedTuple):
    """A bundle on this disk, with the version and the run it came from."""

    path: Path
    version: int
    run_id: str


def registered_name(config: Config) -> str:
    """Return the name under which a config's models are registered."""
    return config.tracking.model_name or config.name


def alias_version(config: Config, alias: str) -> Version | None:
    """Return the version an alias points to, None where it points nowhere.

    Raises
    ------
    TrackingError
        The store cannot be reached or refuses.
    """
    name, uri = registered_name(config), tracking_uri(config)
    if (path := sqlite_path(uri)) is not None:
        with suppress(LookupError):
            known = read_alias(path, name, alias)
            return None if known is None else Version(name, *known)
    store = open_store(config)
    with tracking_faults(store.uri):
        for model in store.client.search_registered_models(f"name = '{name}'"):
            if alias in model.aliases:
                found = store.client.get_model_version(name, str(model.aliases[alias]))
                return Version(name, int(found.version), str(found.run_id))
    return None


def versions(config: Config) -> list[Version]:
    """Return all registered versions of a config's model, oldest first."""
    name, store = registered_name(config), open_store(config)
    with tracking_faults(store.uri):
        found = store.client.search_model_versions(f"name = '{name}'")
    return sorted((Version(name, int(v.version), str(v.run_id)) for v in found), key=_number)


def register(store: Store, name: str, model_uri: str, run_id: str) -> Version:
    """Register a logged model as the next version of `name`."""
    model_id = model_uri.removeprefix("models:/")
    with tracking_faults(store.uri):
        if not store.client.search_registered_models(f"name = '{name}'"):
            store.client.create_registered_model(name)
        made = store.client.create_model_version(name, model_uri, run_id, model_id=model_id)
    return Version(name, int(made.version), run_id)


def version_of_run(store: Store, name: str, run_id: str) -> Version | None:
    """Return the version that a run has registered; None if none."""
    with tracking_faults(store.uri):
        found = store.client.search_model_versions(f"name = '{name}' and run_id = '{run_id}'")
    return min((Version(name, int(v.version), run_id) for v in found), key=_number, default=None)


def set_alias(config: Config, alias: str, version: int | None) -> None:
    """Point an alias to a version, or remove it for None.

    Raises
    ------
    TrackingError
        The store cannot be reached, or has no such version.
    """
    name, store = registered_name(config), open_store(config)
    with tracking_faults(store.uri):
        if version is None:
            store.client.delete_registered_model_alias(name, alias)
        else:
            store.client.set_registered_model_alias(name, alias, str(version))


def crown(config: Config, version: int) -> Version | None:
    """Make a version the champion, remembering which it replaces; return that one.

    Its bundle is copied to this disk, so that the next `predict` need not import MLflow for it.

    Raises
    ------
    TrackingError
        The store cannot be reached, or has no such version.
    """
    before = alias_version(config, CHAMPION)
    if before is not None and before.number != version:
        tag_version(config, version, {BEFORE: before.number})  # first: a rollback reads it
    set_alias(config, CHAMPION, version)
    champion_bundle(config)
    return before


def champion_before(config: Config, version: int) -> int | None:
    """Return the version that a version replaced as champion; None where it replaced none."""
    name, store = registered_name(config), open_store(config)
    with tracking_faults(store.uri):
        tags = store.client.get_model_version(name, str(version)).tags
    return int(tags[BEFORE]) if BEFORE in tags else None


def tag_version(config: Config, version: int, tags: Mapping[str, object]) -> None:
    """Set tags on a registered version."""
    name, store = registered_name(config), open_store(config)
    with tracking_faults(store.uri):
        for key, value in tags.items():
            store.client.set_model_version_tag(name, str(version), key, redact(str(value)))


def champion_bundle(config: Config, version: int | None = None) -> ChampionBundle:
    """Return the champion's bundle on this disk, or that of a given version.

    The bundle is copied once to `.forecast/<name>/bundles/<version>/`; later calls only ask
    which version the alias names.

    Raises
    ------
    ModelError
        There is no champion, or no such version.
    TrackingError
        The store cannot be reached or refuses.
    """
    found = _find(config, version)
    folder = config.work_folder.absolute() / "bundles" / str(found.number)
    if not is_cached(folder, found.run_id):
        with _fetching(folder.parent):
            if not is_cached(folder, found.run_id):  # nor has another process fetched it
                _say_damage(folder)
                _fetch(config, found, folder)
    elif (scratch := _scratch(folder)).exists():  # of a fetch that was killed once all was there
        with _fetching(folder.parent):
            shutil.rmtree(scratch, ignore_errors=True)
    return ChampionBundle(folder, found.number, found.run_id)


def agreed_champion(config: Config) -> ChampionBundle:
    """Return the bundle of the champion that the first of all processes found.

    Raises
    ------
    ModelError, TrackingError
        As `champion_bundle`.
    """
    found = champion_bundle(config) if is_first() else None
    version = agree("champion", lambda: found and found.version)
    return found or champion_bundle(config, version)


def _find(config: Config, version: int | None) -> Version:
    if version is None:
        champion = alias_version(config, CHAMPION)
        if champion is None:
            raise ModelError(
                f"{registered_name(config)}: no version is the champion in "
                f"{tracking_uri(config)}; make one with `forecast train`, or name one with "
                "`forecast promote CONFIG VERSION`"
            )
        return champion
    known = versions(config)
    for candidate in known:
        if candidate.number == version:
            return candidate
    numbers = ", ".join(str(v.number) for v in known) or "none"
    raise ModelError(
        f"{registered_name(config)}: version {version} is not registered; versions: {numbers}"
    )


def is_cached(folder: Path, run_id: str) -> bool:
    """Whether a bundle is there, of this run, and as it was when it was fetched."""
    try:
        marker = read_object(folder / MARKER)
    except (OSError, ValueError):
        return False
    return bool(marker.get("run_id") == run_id) and not bundle_faults(folder)


def _say_damage(folder: Path) -> None:
    if folder.is_dir() and (faults := bundle_faults(folder)):
        say(f"{folder}: {'; '.join(faults)}; fetched from the registry again", error=True)


def bundle_faults(folder: Path) -> list[str]:
    """Return what is wrong with a bundle on this disk, in words; nothing when it is whole."""
    try:
        return faults_of(folder, read_object(folder / MARKER).get("sha256", {})) or _own(folder)
    except (OSError, ValueError) as error:
        return [f"{MARKER} is damaged ({error})"]


def _own(folder: Path) -> list[str]:
    """Return what is wrong by the bundle's own account: one fetched by an older version."""
    try:
        weights = read_object(folder / "bundle.json").get("weights", {})
        sums = {str(weights["file"]): str(weights["sha256"])} if weights else {}
        return faults_of(folder, sums)
    except (OSError, ValueError, KeyError, TypeError) as error:
        return [f"bundle.json is damaged ({error})"]


def _fetch(config: Config, found: Version, folder: Path) -> None:
    """Download a version's bundle beside its place, then rename it into place."""
    store = open_store(config)
    scratch = _scratch(folder)
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        with tracking_faults(store.uri):
            model = Path(
                store.mlflow.artifacts.download_artifacts(
                    artifact_uri=f"models:/{found.name}/{found.number}", dst_path=str(scratch)
                )
            )
        # MLflow may give the store's own folder where that is local: copy, never move.
        bundle = Path(shutil.copytree(_bundle_of(model, found), scratch / "bundle"))
        sums = {path.name: checksum(path) for path in bundle.iterdir() if path.is_file()}
        marker = {"run_id": found.run_id, "version": found.number, "sha256": sums}
        write_whole(bundle / MARKER, json.dumps(marker))
        if faults := _own(bundle):
            raise ModelError(
                f"{found.name} version {found.number}: its model in {tracking_uri(config)} is "
                f"damaged ({'; '.join(faults)}); name another with `forecast promote`, or train"
            )
        publish_folder(bundle, folder, ours=[path.name for path in folder.glob("*")])
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _scratch(folder: Path) -> Path:
    """Return where a bundle lies while it is fetched."""
    return folder.with_name(f".{folder.name}.fetching")


@contextmanager
def _fetching(parent: Path) -> Iterator[None]:
    """Let one process at a time fetch bundles to a disk: ranks of one job too."""
    parent.mkdir(parents=True, exist_ok=True)
    with (parent / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _bundle_of(model: Path, found: Version) -> Path:
    inside = sorted(path.parent for path in model.rglob("bundle.json"))
    if not inside:
        raise ModelError(
            f"{found.name} version {found.number}: the logged model holds no bundle.json; it was "
            "not made by `forecast train`. Promote another version"
        )
    return inside[0]


def _number(version: Version) -> int:
    return version.number
