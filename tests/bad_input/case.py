"""One case of bad input: a folder that works, what is broken in it, what must be said."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from tests.site import CONFIG, readings

# What a failed run may leave: its lock, its log, the local tracking store. Never a part of a file.
LEFTOVER = re.compile(
    r"^\.forecast(/[^/]+(/panel)?)?$|^\.forecast/(.*/)?([^/]*lock|[^/]*\.log|mlflow\.db.*)$"
)

Edit = Callable[[list[str]], list[str]]


@dataclass(frozen=True)
class Case:
    """One thing gone wrong: what is changed, what is run, what must be said."""

    name: str
    code: int
    says: tuple[str, ...]  # each stands in what is printed
    config: dict[str, str] = field(default_factory=dict)  # text to replace in the config
    table: Edit | None = None  # lines of readings.csv to other lines
    files: Callable[[Path], None] | None = None  # anything else done to the folder
    args: tuple[str, ...] = ("check", "run.yaml")
    trained: bool = False  # the folder already has a champion
    during: Callable[[Path], AbstractContextManager[None]] = lambda _: nullcontext()
    keeps: str = "^$"  # what the verb rightly leaves: a panel that is whole


def build(case: Case, folder: Path) -> None:
    """Write the case's folder: a config and a table that work, and what is broken in them."""
    config = CONFIG
    for old, new in case.config.items():
        assert old in config, old
        config = config.replace(old, new, 1)
    (folder / "run.yaml").write_text(config, encoding="utf-8")
    if case.table or not case.trained:
        lines = case.table(readings()) if case.table else readings()
        text = "".join(f"{one}\n" for one in lines)
        (folder / "readings.csv").write_text(text, encoding="utf-8")
    if case.files:
        case.files(folder)


def tree(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder with its content, and every folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b""
        for path in sorted(folder.rglob("*"))
    }


def leftovers(case: Case, before: dict[str, bytes], after: dict[str, bytes]) -> list[str]:
    """Return the paths that the verb changed, removed or left although it failed."""
    touched = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return [name for name in touched if not LEFTOVER.match(name) and not re.match(case.keeps, name)]


def line(number: int, new: str) -> Edit:
    """Return the edit that replaces one line of the table (1 is the header)."""
    return lambda lines: [*lines[: number - 1], new, *lines[number:]]


def column(name: str, value: Callable[[str], str]) -> Edit:
    """Return the edit that changes every value of a column."""

    def edit(lines: list[str]) -> list[str]:
        rows = [one.split(",") for one in lines]
        place = rows[0].index(name)
        for row in rows[1:]:
            row[place] = value(row[place])
        return [",".join(row) for row in rows]

    return edit


def rename(old: str, new: str) -> Edit:
    """Return the edit that renames a column."""
    return lambda lines: [lines[0].replace(old, new), *lines[1:]]


def write(name: str, content: bytes) -> Callable[[Path], None]:
    """Return the act of putting a file with this content into the folder."""

    def act(folder: Path) -> None:
        (folder / name).write_bytes(content)

    return act
