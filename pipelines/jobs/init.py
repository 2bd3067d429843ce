"""`forecast init`: a commented starter config and the sample data. Existing files are kept."""

import gzip
import os
from importlib.resources import files
from pathlib import Path

from forecast.errors import ConfigError
from pipelines.process.console import say

CONFIG_NAME = "forecast.yaml"
SAMPLE_NAME = "nyc_weather.csv"


def run(folder: Path) -> None:
    """Write a starter config and its data into `folder`.

    Raises
    ------
    ConfigError
        If one of the files is already there, or the folder cannot be written.
    """
    contents = {
        CONFIG_NAME: files("pipelines").joinpath("templates/starter.yaml").read_bytes(),
        SAMPLE_NAME: gzip.decompress(
            files("forecast.data.samples").joinpath(f"{SAMPLE_NAME}.gz").read_bytes()
        ),
    }
    for name in contents:
        if (folder / name).exists():
            raise ConfigError(
                f"{folder / name}: already there and left as it is; "
                "move it away or name another folder: forecast init DIR"
            )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            _write_whole(folder / name, content)
    except OSError as error:
        raise ConfigError(
            f"{folder}: cannot be written: {error.strerror}; name another folder: forecast init DIR"
        ) from error
    say(f"wrote {folder / CONFIG_NAME} and {folder / SAMPLE_NAME}")
    move = "" if folder == Path() else f"cd {folder} && "
    say(f"next: {move}forecast check {CONFIG_NAME}")


def _write_whole(path: Path, content: bytes) -> None:
    """Write a file atomically."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_bytes(content)
    unfinished.replace(path)
