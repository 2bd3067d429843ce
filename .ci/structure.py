"""The proportions of the house: lengths of functions and files, and places that share lines.

Prints the figures; exits with 1 where a function or a file is longer than the longest allowed, so
that neither grows unseen. Lines are compared with names, texts and numbers set aside.
"""

import ast
import io
import re
import sys
import token
import tokenize
from collections import defaultdict
from itertools import combinations
from pathlib import Path
from statistics import median

ROOMS = ("forecast", "pipelines")
SHARED = 6  # lines in a row that make two places a pair
MOST_PLACES = 8  # a run that stands in more is a habit of the language
LONGEST_FUNCTION, LONGEST_FILE = 60, 300
ASIDE = {token.NAME: "n", token.STRING: "s", token.NUMBER: "0"}
DECLARED = re.compile(r"n:[^()]*(=[^()]*)?,?|\*,|\)->.*:|@.*|n=n(\.n)*,|n=0")
"""Lines of parameters, fields, keywords and constants: alike everywhere."""
KEPT = {"if", "for", "in", "return", "def", "class", "with", "while", "not", "and", "or", "yield"}


def functions(tree: ast.AST) -> list[tuple[str, int]]:
    """Return name and lines of every function."""
    return [
        (node.name, (node.end_lineno or node.lineno) - node.lineno + 1)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def shapes(text: str) -> list[tuple[int, str]]:
    """Return line number and shape of every line of code; no imports, texts or lone marks."""
    lines: dict[int, list[str]] = defaultdict(list)
    for item in tokenize.generate_tokens(io.StringIO(text).readline):
        if item.type in (token.NEWLINE, token.NL, token.COMMENT, token.INDENT, token.DEDENT):
            continue
        kept = item.type == token.NAME and item.string in KEPT
        lines[item.start[0]].append(item.string if kept else ASIDE.get(item.type, item.string))
    source = text.splitlines()
    return [
        (number, "".join(parts))
        for number, parts in sorted(lines.items())
        if number <= len(source)
        and not source[number - 1].lstrip().startswith(("import ", "from "))
        and parts != ["s"]
        and sum(part.isalnum() for part in parts) > 1
        and not DECLARED.fullmatch("".join(parts))
    ]


def pairs(files: dict[Path, str]) -> list[tuple[Path, int, Path, int]]:
    """Return the places of two files, or of one, that share a run of lines; the first of each."""
    runs: dict[tuple[str, ...], list[tuple[Path, int]]] = defaultdict(list)
    for path, text in files.items():
        found = shapes(text)
        for begin in range(len(found) - SHARED + 1):
            part = found[begin : begin + SHARED]
            runs[tuple(shape for _, shape in part)].append((path, part[0][0]))
    seen: dict[tuple[Path, Path], list[tuple[int, int]]] = defaultdict(list)
    for places in runs.values():
        if len(places) <= MOST_PLACES:
            for (path, at), (other, there) in combinations(places, 2):
                if (path, at // SHARED) != (other, there // SHARED):
                    seen[path, other].append((at, there))
    firsts = {files: min(where) for files, where in seen.items()}
    return [(path, at, other, there) for (path, other), (at, there) in firsts.items()]


def main() -> int:
    """Print the figures; 1 where something has grown too long."""
    paths = sorted(path for room in ROOMS for path in Path(room).rglob("*.py"))
    files = {path: path.read_text(encoding="utf-8") for path in paths}
    lengths = [
        (lines, f"{path}: {name}")
        for path, text in files.items()
        for name, lines in functions(ast.parse(text))
    ]
    ordered = sorted(lines for lines, _ in lengths)
    sizes = [(text.count("\n") + 1, str(path)) for path, text in files.items()]
    print(
        f"functions: {len(ordered)}, lines {median(ordered):.0f} / "
        f"{ordered[9 * len(ordered) // 10]} / {ordered[-1]} (median / 90th percentile / longest), "
        f"{sum(lines > LONGEST_FUNCTION for lines in ordered)} over {LONGEST_FUNCTION}"
    )
    print(
        f"files: {len(sizes)}, longest {max(sizes)[0]}, "
        f"{sum(size > LONGEST_FILE for size, _ in sizes)} over {LONGEST_FILE} lines"
    )
    shared = pairs(files)
    print(f"places that share {SHARED} lines or more, names aside: {len(shared)}")
    if "--places" in sys.argv:
        for path, at, other, there in shared:
            print(f"  {path}:{at} ~ {other}:{there}")
    grown = [f"{what}: {lines} lines" for lines, what in lengths if lines > LONGEST_FUNCTION]
    grown += [f"{what}: {size} lines" for size, what in sizes if size > LONGEST_FILE]
    print("\n".join(grown), end="\n" if grown else "")
    return 1 if grown else 0


if __name__ == "__main__":
    sys.exit(main())
