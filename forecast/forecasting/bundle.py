"""A model as a folder: weights in safetensors, everything else in JSON; no pickle, no readings.

`bundle.json` says what the model is and carries the checksum of the weights; both are written
whole or not at all.
"""

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forecast.errors import ModelError
from forecast.whole_files import draft_of, publish_folder, retire_folder, write_whole

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

SCHEMA_VERSION = 1
MANIFEST, WEIGHTS = "bundle.json", "model.safetensors"
OWN = (MANIFEST, WEIGHTS, draft_of(Path(MANIFEST)).name, draft_of(Path(WEIGHTS)).name)


def write_bundle(folder: Path, manifest: dict[str, Any], weights: "dict[str, Tensor]") -> None:
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
    from safetensors.torch import save

    payload = save({name: tensor.contiguous() for name, tensor in weights.items()})
    manifest = {
        "schema_version": SCHEMA_VERSION,
        **manifest,
        "weights": {
            "file": WEIGHTS,
            "bytes": len(payload),
            "sha256": hashlib.sha256(payload).hexdigest(),
        },
    }
    text = json.dumps(manifest, indent=1, allow_nan=False)
    staging = folder.with_name(f".{folder.name}.part")
    try:
        _clear(staging)
        staging.mkdir(parents=True)
        write_whole(staging / WEIGHTS, payload)
        write_whole(staging / MANIFEST, text)
        publish_folder(staging, folder, ours=OWN if _is_bundle(folder) else ())
    except OSError as error:
        raise ModelError(
            f"{folder}: the bundle cannot be written ({error.strerror or error})"
        ) from error
    finally:
        with suppress(OSError):
            _clear(staging)


def _is_bundle(folder: Path) -> bool:
    """Whether a folder holds a bundle, a damaged one included."""
    if (folder / MANIFEST).is_file() and (folder / WEIGHTS).is_file():
        return True
    try:
        return bool(read_manifest(folder))
    except ModelError:
        return False


def _clear(staging: Path) -> None:
    """Remove what a killed run left of a bundle on its way; nothing that is not a bundle's."""
    if staging.is_dir():
        retire_folder(staging, staging, ours=OWN)


def read_bundle(folder: Path) -> "tuple[dict[str, Any], dict[str, Tensor]]":
    """Return manifest and weights of a bundle, checked; errors as of `read_whole`."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    manifest, payload = read_whole(folder)
    try:
        return manifest, load(payload)
    except SafetensorError as error:
        path = folder / WEIGHTS
        raise ModelError(f"{path}: not a safetensors file ({error}); train again") from error


def as_arrays(payload: bytes) -> "dict[str, NDArray[np.float32]]":
    """Return the weights as arrays.

    Raises
    ------
    ValueError
        They are no safetensors file, or not single precision.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        weights: dict[str, NDArray[np.float32]] = load(payload)
    except (SafetensorError, KeyError) as error:
        raise ValueError(str(error)) from error
    if any(part.dtype != "float32" for part in weights.values()):
        raise ValueError("weights of another precision")
    return weights


def read_whole(folder: Path) -> tuple[dict[str, Any], bytes]:
    """Return manifest and safetensors bytes of a bundle, checked.

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
            "the file is truncated: copy the bundle again or train again"
        )
    if hashlib.sha256(payload).hexdigest() != expected["sha256"]:
        raise ModelError(
            f"{path}: its checksum is not the one in {MANIFEST}; "
            "the file was altered: copy the bundle again or train again"
        )
    return manifest, payload


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
            "copy the bundle again or train again"
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
            "upgrade lstm-forecast, or train again with this version"
        )
    raise ModelError(f"{path}: schema_version {version!r} is unknown to this program; train again")


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ModelError(f"{path}: no such file; is {path.parent} a bundle?") from error
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from error
