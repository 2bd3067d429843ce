"""A model as a folder: weights in safetensors, everything else in JSON; no pickle, no readings.

`bundle.json` says what the model is and carries the checksum of the weights; both are written
whole or not at all. This module knows files, not what a forecaster does with them.
"""

import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from forecast.errors import ModelError

SCHEMA_VERSION = 1
MANIFEST, WEIGHTS = "bundle.json", "model.safetensors"


def write_bundle(folder: Path, manifest: dict[str, Any], weights: dict[str, Tensor]) -> None:
    """Write `folder` whole or not at all; one that is there is replaced.

    Parameters
    ----------
    folder
        Where the bundle goes.
    manifest
        Plain JSON values; schema version and checksum are added.
    weights
        Named tensors.

    Raises
    ------
    ModelError
        When the folder cannot be written.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise ModelError(f"{folder}: the bundle cannot be written ({error.strerror})") from error
    try:
        payload = save({name: tensor.contiguous() for name, tensor in weights.items()})
        _write(staging / WEIGHTS, payload)
        manifest = {
            "schema_version": SCHEMA_VERSION,
            **manifest,
            "weights": {
                "file": WEIGHTS,
                "bytes": len(payload),
                "sha256": hashlib.sha256(payload).hexdigest(),
            },
        }
        _write(staging / MANIFEST, json.dumps(manifest, indent=1, allow_nan=False).encode())
        staging.chmod(0o755)
        _replace(staging, folder)
    except OSError as error:
        raise ModelError(f"{folder}: the bundle cannot be written ({error.strerror})") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _write(path: Path, payload: bytes) -> None:
    with path.open("wb") as file:
        file.write(payload)
        file.flush()
        os.fsync(file.fileno())


def _replace(staging: Path, folder: Path) -> None:
    """Move `staging` to `folder`; a crash in between leaves the old or the new one whole."""
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    staging.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def read_bundle(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return manifest and weights of a bundle, checked.

    Raises
    ------
    ModelError
        When a file is missing, truncated or altered, or the schema is newer than this program.
    """
    manifest = migrate(read_manifest(folder), folder / MANIFEST)
    path = folder / WEIGHTS
    payload = _bytes(path)
    expected = manifest["weights"]
    if len(payload) != expected["bytes"]:
        raise ModelError(
            f"{path}: {len(payload)} bytes where {MANIFEST} says {expected['bytes']}; "
            "the file is truncated: copy the bundle again or train anew"
        )
    if hashlib.sha256(payload).hexdigest() != expected["sha256"]:
        raise ModelError(
            f"{path}: its checksum is not the one in {MANIFEST}; "
            "the file was altered: copy the bundle again or train anew"
        )
    try:
        return manifest, load(payload)
    except SafetensorError as error:
        raise ModelError(f"{path}: not a safetensors file ({error}); train anew") from error


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return what `bundle.json` holds, without reading the weights.

    Raises
    ------
    ModelError
        When it is missing or no JSON.
    """
    path = folder / MANIFEST
    try:
        manifest = json.loads(_bytes(path))
    except ValueError as error:
        raise ModelError(
            f"{path}: not valid JSON ({error}); the file is truncated: "
            "copy the bundle again or train anew"
        ) from error
    if not isinstance(manifest, dict) or "schema_version" not in manifest:
        raise ModelError(f"{path}: no schema_version; this is not the JSON of a bundle")
    return manifest


def migrate(manifest: dict[str, Any], path: Path) -> dict[str, Any]:
    """Return the manifest in the present schema; older ones are brought up step by step here.

    Raises
    ------
    ModelError
        When the schema is newer than this program, or unknown.
    """
    version = manifest["schema_version"]
    if version == SCHEMA_VERSION:
        return manifest
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise ModelError(
            f"{path}: schema_version {version}, this program reads up to {SCHEMA_VERSION}; "
            "upgrade lstm-forecast, or train anew with this version"
        )
    raise ModelError(f"{path}: schema_version {version!r} is none this program knows; train anew")


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ModelError(f"{path}: no such file; is {path.parent} a bundle?") from error
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from error
