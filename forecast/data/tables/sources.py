"""Resolves `data.source` to the list of files it means."""

import glob
import os
import re
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forecast.errors import DataError

SAMPLES = {"nyc-weather": "nyc_weather.csv.gz"}
TABLE_ENDINGS = (".csv", ".tsv", ".txt", ".parquet", ".pq")
WORKBOOK_ENDINGS = (".xlsx", ".xlsm", ".xls", ".ods")
COMPRESSED_ENDINGS = (".gz", ".bz2", ".xz", ".zip", ".zst")
_URL = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]+://")
_DIGITS = re.compile(r"(\d+)")
_PARTITION = re.compile(r"^([^=/]+)=([^/]*)$")


@dataclass(frozen=True)
class SourceFile:
    """One file of readings: where it is, and what tells whether it has changed.

    `partitions` are the `column=value` folders above it.
    """

    path: str
    size: int
    modified_ns: int
    partitions: tuple[tuple[str, str], ...] = ()

    @property
    def is_remote(self) -> bool:
        """Whether the path is a URL."""
        return bool(_URL.match(self.path))

    @property
    def name(self) -> str:
        """The file's name without its folders."""
        return self.path.rsplit("/", 1)[-1]


def source_files(source: str | Sequence[str]) -> list[SourceFile]:
    """Return the files that a source means, each once, folders and globs in natural order of name.

    Parameters
    ----------
    source
        A file, folder, glob, URL or `sample:NAME`, or several of them.

    Raises
    ------
    DataError
        If one of them means no file.
    """
    found: dict[str, SourceFile] = {}
    for entry in [source] if isinstance(source, str) else source:
        for file in _resolve(entry):
            found.setdefault(file.path, file)
    return list(found.values())


def _resolve(source: str) -> Iterable[SourceFile]:
    """Return the files of one entry of the source."""
    if source.startswith("sample:"):
        return [_sample(source.removeprefix("sample:"))]
    if _URL.match(source):
        return _remote(source)
    path = Path(source).expanduser()
    if path.is_file():
        return [_local(path)]
    if path.is_dir():
        return _folder(path)
    if glob.has_magic(source):
        hits = sorted(map(Path, glob.glob(str(path), recursive=True)), key=natural)  # noqa: PTH207
        files = [file for hit in hits for file in (_folder(hit) if hit.is_dir() else [_local(hit)])]
        if files:
            return files
        raise DataError(f"{source}: no file matches this pattern (data.source)")
    raise DataError(
        f"{source}: no such file or folder (data.source, seen from {Path.cwd()}){_near(path)}"
    )


def _sample(name: str) -> SourceFile:
    """Return a bundled table."""
    if name not in SAMPLES:
        raise DataError(f"sample:{name}: no such sample; there is {', '.join(SAMPLES)}")
    return _local(Path(__file__).parent.parent / "samples" / SAMPLES[name])


def _local(path: Path) -> SourceFile:
    """Return the entry of one local file."""
    state = path.stat()
    if not os.access(path, os.R_OK):
        raise DataError(f"{path}: not readable for this user; check its permissions")
    return SourceFile(str(path), state.st_size, state.st_mtime_ns, _partitions(str(path)))


def natural(path: Path | str) -> tuple[tuple[str | int, ...], ...]:
    """Return the key that puts `export_10` behind `export_9`; later exports hold corrections.

    Examples
    --------
    >>> sorted(["b/1.csv", "a/10.csv", "a/9.csv"], key=natural)
    ['a/9.csv', 'a/10.csv', 'b/1.csv']
    """
    return tuple(
        tuple(int(text) if text.isdecimal() else text for text in _DIGITS.split(part))
        for part in str(path).split("/")
    )


def left_out(source: str | Sequence[str]) -> list[str]:
    """Return the files below the folders of a source that are read by none of its readers."""
    folders = [
        Path(entry).expanduser() for entry in ([source] if isinstance(source, str) else source)
    ]
    visible = [path for folder in folders if folder.is_dir() for path in _visible(folder)]
    chosen = {file.path for file in source_files(source)} if visible else set()
    return [str(path) for path in visible if str(path) not in chosen]


def _visible(folder: Path) -> list[Path]:
    """Return the files below a folder, hidden ones and those that start with `_` left out."""
    return [
        path
        for path in sorted(folder.rglob("*"), key=natural)
        if path.is_file()
        and not any(part.startswith((".", "_")) for part in path.relative_to(folder).parts)
    ]


def _folder(folder: Path) -> list[SourceFile]:
    """Return the tables below a folder: text and Parquet, or where there is none, workbooks."""
    visible = _visible(folder)
    tables = [path for path in visible if _looks_like_table(path.name)]
    tables = tables or [path for path in visible if path.name.lower().endswith(WORKBOOK_ENDINGS)]
    if not tables:
        endings = sorted({path.suffix or path.name for path in visible})
        found = f"; it holds {', '.join(endings[:8])}: name a file itself" if endings else ""
        raise DataError(
            f"{folder}: no table in this folder; looked for {', '.join(TABLE_ENDINGS)} "
            f"(also with {', '.join(COMPRESSED_ENDINGS)}), {', '.join(WORKBOOK_ENDINGS)}{found}"
        )
    return [_local(path) for path in tables]


def _looks_like_table(name: str) -> bool:
    """Return whether a name ends as a table does, compressed or not."""
    lower = name.lower()
    for ending in COMPRESSED_ENDINGS:
        lower = lower.removesuffix(ending)
    return lower.endswith(TABLE_ENDINGS) or name.lower().endswith(".zip")


def _partitions(path: str) -> tuple[tuple[str, str], ...]:
    """Return the `column=value` folders of a path."""
    matches = (_PARTITION.match(part) for part in path.split("/")[:-1])
    return tuple((match[1], match[2]) for match in matches if match)


def _remote(url: str) -> list[SourceFile]:
    """Return the files behind a URL: one file, a folder or a glob of a file store."""
    import fsspec

    try:
        system, root = fsspec.core.url_to_fs(url)
        paths = system.glob(root) if glob.has_magic(root) else [root]
        if paths == [root] and not url.startswith("http") and system.isdir(root):
            paths = [path for path in system.find(root) if _looks_like_table(path)]
        files = [_remote_file(system, path) for path in sorted(paths, key=natural)]
    except DataError:
        raise
    except Exception as error:  # each file system raises its own kinds
        raise DataError(f"{url}: cannot be reached: {type(error).__name__}: {error}") from error
    if not files:
        raise DataError(f"{url}: no table there (data.source)")
    return files


def _remote_file(system: Any, path: str) -> SourceFile:
    """Return the entry of one file of a file store."""
    info = system.info(path)
    when = info.get("mtime") or info.get("LastModified") or info.get("ETag") or 0
    stamp = int(when * 1e9) if isinstance(when, int | float) else zlib.crc32(str(when).encode())
    return SourceFile(
        system.unstrip_protocol(path), int(info.get("size") or 0), stamp, _partitions(path)
    )


def _near(path: Path) -> str:
    """Return a hint at a similar name in the same folder."""
    import difflib

    if not path.parent.is_dir():
        return f"; the folder {path.parent} does not exist either"
    close = difflib.get_close_matches(
        path.name, [sibling.name for sibling in path.parent.iterdir()], n=1
    )
    return f"; did you mean {path.parent / close[0]}?" if close else ""
