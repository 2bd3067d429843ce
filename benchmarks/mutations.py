"""Damages tables at random and checks that each is read or refused in words, never by an accident.

    python benchmarks/mutations.py [--runs 2000] [--seed 0]

The tables are the first lines of the public sets below FORECAST_DATA that configs/ describes, and a
made one. Each run changes bytes or cells, moves, doubles or cuts rows, and looks at the table as
`forecast check` does. Prints every accident with its seed, and the counts; exit code 1 where there
was one.
"""

import argparse
import collections
import os
import random
import re
import sys
import tempfile
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from forecast.config import load_config
from forecast.data.tables.sources import SourceFile, source_files
from forecast.data.tables.streams import Headed
from forecast.errors import ForecastError
from pipelines.jobs.check import find

ROOT = Path(__file__).parents[1]
LINES = 400
CELLS = (
    "", "NA", "nan", "-999", "1,378", "1.2.3", "1e999", "-inf", "0x1F", "é", "\u202f", "\x00", '"',
    "2024-02-30", "9999-12-31", "0001-01-01T00:00Z", "2024-01-01T24:00", "now", "1" * 40, "true",
    "=SUM(A1)", "\r", "-", "+", "1_000", "\u0661", "T", "2024-01-01 00:00:00+25:00", "3000-01-01",
)  # fmt: skip
BYTES = (b"\x00", b"\xff", b"\xc3\x28", b'"', b"\n", b",", b"\r", b";", b"\xef\xbb\xbf", b"-")


def mutated(content: bytes, chance: random.Random) -> bytes:
    """Return a table with one to four things changed."""
    for _ in range(chance.randint(1, 4)):
        content = chance.choice((_bytes, _cells, _cells, _rows, _rows))(content, chance)
    return content


def _bytes(content, chance):
    """Change, drop or add a few bytes, or cut the end off."""
    places = sorted(chance.randrange(len(content) + 1) for _ in range(chance.randint(1, 5)))
    if chance.random() < 0.2:
        return content[: places[0]]
    for place in reversed(places):
        content = content[:place] + chance.choice(BYTES) + content[place + chance.randint(0, 2) :]
    return content


def _cells(content, chance):
    """Replace cells of some rows, or of a whole column, by another text."""
    lines = content.split(b"\n")
    mark = chance.choice((b",", b";", b"\t"))
    text = chance.choice(CELLS).encode()
    column = chance.randrange(1 + max(line.count(mark) for line in lines))
    rows = range(len(lines)) if chance.random() < 0.1 else chance.sample(range(len(lines)), 1)
    for row in rows:
        cells = lines[row].split(mark)
        if column < len(cells):
            cells[column] = text
        lines[row] = mark.join(cells)
    return b"\n".join(lines)


def _rows(content, chance):
    """Move, double, drop, join or reverse rows."""
    lines = content.split(b"\n")
    first = chance.randrange(len(lines))
    some = lines[first : first + chance.randint(1, 40)]
    rest = lines[:first] + lines[first + len(some) :]
    into = chance.randrange(len(rest) + 1)
    match chance.randrange(5):
        case 0:
            lines = rest[:into] + some + rest[into:]
        case 1:
            lines = lines[:into] + some + lines[into:]
        case 2:
            lines = rest
        case 3:
            lines = [*rest[:into], b"".join(some), *rest[into:]]
        case _:
            lines = [lines[0], *lines[:0:-1]]
    return b"\n".join(lines)


def accident(config: Path, content: bytes, suffix: str = ".csv") -> str:
    """Look at a table as a config describes it; return the traceback of an accident, or nothing.

    What a thread of a library drops and only prints ("Exception ignored in ...") is one as well.
    """
    dropped: list[str] = []
    sys.unraisablehook = lambda event: dropped.append(
        f"ignored in {event.object}: {event.exc_value}"
    )
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / f"table{suffix}"
        table.write_bytes(content)
        try:
            settings = load_config(
                config, [f"data.source={table}"], environment={"FORECAST_DATA": folder}
            )
            find(settings, f"{folder}/panel")
        except ForecastError:
            pass
        except Exception:  # noqa: BLE001 - the point is that there is none
            return traceback.format_exc()
        finally:
            sys.unraisablehook = sys.__unraisablehook__
    return "\n".join(dropped)


def cut_outs(data: Path) -> dict[Path, bytes]:
    """Return the first lines of each described set that is there."""
    found = {}
    for config in sorted((ROOT / "configs").glob("*.yaml")):
        try:
            settings = load_config(config, environment={"FORECAST_DATA": str(data)})
            file = source_files(settings.data.source)[0]
        except ForecastError:
            continue
        found[config] = _top(file)
    return found


def _top(file: SourceFile) -> bytes:
    """Return the first lines of a file, uncompressed."""
    stream = Headed(file)
    try:
        return b"\n".join(stream.head.split(b"\n")[:LINES]) + b"\n"
    finally:
        stream.close()


def main() -> int:
    """Damage tables until the runs are used up."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    data = Path(os.environ.get("FORECAST_DATA", ROOT.parent / "shared" / "data"))
    tables = list(cut_outs(data).items())
    accidents: collections.Counter[str] = collections.Counter()
    for run in range(options.runs):
        config, content = tables[run % len(tables)]
        chance = random.Random(f"{options.seed}:{run}")
        if found := accident(config, mutated(content, chance)):
            last = re.sub(r"\d+", "N", found.strip().splitlines()[-1])
            if not accidents[last]:
                print(f"run {run}, {config.name}:\n{found}", flush=True)
            accidents[last] += 1
    print(f"{options.runs} runs over {len(tables)} tables: {sum(accidents.values())} accidents")
    for text, count in accidents.most_common():
        print(f"{count:6} {text[:150]}")
    return int(bool(accidents))


if __name__ == "__main__":
    sys.exit(main())
