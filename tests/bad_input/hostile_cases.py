"""Input made to harm: files that unfold, names that no store takes, secrets in addresses."""

import gzip
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

from tests.bad_input.case import Case

TRAIN = ("train", "run.yaml")


def text(path: str, content: str) -> Callable[[Path], None]:
    """Return the act of writing a file."""
    return lambda folder: (folder / path).write_text(content, encoding="utf-8") and None


def named(value: str) -> tuple[str, ...]:
    """Return the arguments of a training under another registered name."""
    return (*TRAIN, "--set", f"tracking.model_name={value}")


def reads(source: str) -> dict[str, str]:
    """Return the change that makes the config read another source."""
    return {"source: readings.csv": f"source: {source}"}


def empty_lines(folder: Path) -> None:
    """Write 100 MB of empty lines as a gzip file of 100 KB."""
    with gzip.open(folder / "zeros.csv.gz", "wb") as file:
        file.write(b"unique_id,ds,y,wind\n")
        for _ in range(100):
            file.write(b"\n" * (1 << 20))


def zipped_rows(folder: Path) -> None:
    """Write a zip archive whose one table says the same row two million times."""
    row = b"a,2024-01-01T00:00:00Z,1.0,1.0\n"
    path = folder / "rows.zip"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive,
        archive.open("rows.csv", "w") as file,
    ):
        file.write(b"unique_id,ds,y,wind\n")
        for _ in range(90):
            file.write(row * 30_000)


def workbook(folder: Path) -> None:
    """Write what has the parts of a workbook, and 100 MB of blanks for a sheet."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/worksheets/sheet1.xml", " " * (100 << 20))
    (folder / "book.xlsx").write_bytes(made.getvalue())


def anchors(merged: bool = False) -> str:  # noqa: FBT001, FBT002
    """Return nine lines of YAML that unfold to a thousand million values."""
    first = "a0: &a0 {x: 1}" if merged else "a0: &a0 [x, x, x, x, x, x, x, x, x, x]"
    lines = [first]
    for n in range(1, 9):
        many = ", ".join([f"*a{n - 1}"] * 10)
        lines.append(f"a{n}: &a{n} {{<<: [{many}]}}" if merged else f"a{n}: &a{n} [{many}]")
    return "\n".join(lines) + "\n"


def long_id(lines: list[str]) -> list[str]:
    """Give one row an id of 100,000 characters."""
    return [*lines[:5], "a" * 100_000 + lines[5][1:], *lines[6:]]


HOSTILE_CASES = [
    Case(
        "anchors-unfold",
        2,
        ("bomb.yaml", "expand to more than 20,000 values"),
        files=text("bomb.yaml", anchors()),
        args=("check", "bomb.yaml"),
    ),
    Case(
        "merges-unfold",
        2,
        ("bomb.yaml", "expand to more than 20,000 values"),
        files=text("bomb.yaml", anchors(merged=True)),
        args=("check", "bomb.yaml"),
    ),
    Case(
        "anchor-in-itself",
        2,
        ("self.yaml", "a section that holds itself"),
        files=text("self.yaml", "name: &a [*a]\n"),
        args=("check", "self.yaml"),
    ),
    Case(
        "sections-without-end",
        2,
        ("deep.yaml", "nested over"),
        files=text("deep.yaml", "[" * 60 + "]" * 60),
        args=("check", "deep.yaml"),
    ),
    Case(
        "sections-deeper-than-the-stack",
        2,
        ("deep.yaml", "nested over"),
        files=text("deep.yaml", "[" * 3000 + "]" * 3000),
        args=("check", "deep.yaml"),
    ),
    Case(
        "anchors-in-set",
        2,
        ("--set", "not readable as YAML"),
        args=("check", "run.yaml", "--set", "data.targets=" + "[" * 60 + "]" * 60),
    ),
    Case(
        "gzip-of-zeros",
        3,
        ("zeros.csv.gz", "expand to more than 400 times"),
        config=reads("zeros.csv.gz"),
        files=empty_lines,
    ),
    Case(
        "zip-of-one-row",
        3,
        ("rows.zip", "expand to more than 400 times"),
        config=reads("rows.zip"),
        files=zipped_rows,
    ),
    Case(
        "workbook-of-blanks",
        3,
        ("book.xlsx", "expand to more than 400 times"),
        config=reads("book.xlsx"),
        files=workbook,
    ),
    Case(
        "id-without-end", 3, ("readings.csv", "an id of 100,000 characters", "'aaaa"), table=long_id
    ),
    Case(
        "apostrophe-in-model-name",
        2,
        ("tracking.model_name", '"\'"', "O'Higgins load"),
        args=named('"O\'Higgins load"'),
    ),
    Case(
        "slash-in-model-name",
        2,
        ("tracking.model_name", "'/'", "plant/load"),
        args=named("plant/load"),
    ),
    Case("colon-in-model-name", 2, ("tracking.model_name", "':'"), args=named('"a:b"')),
    Case("blank-model-name", 2, ("tracking.model_name", "1 to 200 characters"), args=named('" "')),
    Case(
        "model-name-without-end",
        2,
        ("tracking.model_name", "1 to 200 characters"),
        args=named("m" * 300),
    ),
    Case(
        "line-break-in-experiment",
        2,
        ("tracking.experiment", r"'\n'"),
        args=(*TRAIN, "--set", 'tracking.experiment="a\\nb"'),
    ),
    Case(
        "password-of-a-server",
        5,
        ("tracking.uri", "http://127.0.0.1:9", "no MLflow server answers"),
        args=(*TRAIN, "--set", "tracking.uri=http://ann:hunter22@127.0.0.1:9"),
        keeps=r"^\.forecast(/|$)",
    ),
    Case(
        "token-of-a-source",
        3,
        ("http://127.0.0.1:9/t.csv?token=***",),
        config=reads("http://127.0.0.1:9/t.csv?token=abcdef123"),
    ),
    Case(
        "escape-in-a-column-name",
        3,
        (r"\x1b[2J",),
        args=(
            "check",
            "run.yaml",
            "--set",
            'data.targets=["\\x1b[2J"]',
            "--set",
            "model.bounds={}",
        ),
    ),
]
