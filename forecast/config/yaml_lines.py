"""Parses YAML into plain values, with the line of every key."""

import re
from typing import Any

import yaml

from forecast.errors import ConfigError

Lines = dict[tuple[str | int, ...], int]
MOST_VALUES = 20_000
"""Values of a file with its anchors written out: a few lines of them can unfold to gigabytes."""
DEEPEST = 50
"""Sections within sections; a config has five."""


class _Loader(yaml.SafeLoader):
    """YAML 1.2 scalars: `1e-3` is a number, `no` and dates are text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if tag.endswith((":null", ":merge"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|false|False)$"), list("tTfF")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"^[-+]?[0-9]+$"), list("-+0123456789")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$|^[-+]?\.inf$|^\.nan$"),
    list("-+.0123456789"),
)


def _integer(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    """Read `010` as ten: octal numbers are a trap of YAML 1.1."""
    return int(loader.construct_scalar(node))


_Loader.add_constructor("tag:yaml.org,2002:int", _integer)


def parse_value(text: str) -> Any:
    """Return the value of one piece of YAML, such as the right side of `--set a.b=value`.

    Raises
    ------
    yaml.YAMLError
        If it is no YAML.
    """
    loader = _Loader(text)
    node = _bounded(loader)
    return None if node is None else loader.construct_document(node)


def parse_yaml(text: str, name: str) -> tuple[Any, Lines]:
    """Return the values of a YAML text, and the line of every key and item.

    Parameters
    ----------
    text
        The YAML.
    name
        Name of the file, for messages.

    Returns
    -------
    values, lines
        `lines[("model", "cell")]` is the line (from 1) of that key.

    Raises
    ------
    ConfigError
        If it is no YAML, or keys occur twice: all of them, with both lines.
    """
    try:
        loader = _Loader(text)
        node = _bounded(loader)
        lines: Lines = {}
        duplicates: list[str] = []
        if node is not None:
            _walk(node, (), lines, duplicates)
        if duplicates:
            raise ConfigError("\n".join(f"{name}:{duplicate}" for duplicate in duplicates))
        return (None if node is None else loader.construct_document(node)), lines
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        problem = error.problem or error.context
        raise ConfigError(f"{name}:{line}: not readable as YAML: {problem}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{name}: not readable as YAML: {error}") from error


def _bounded(loader: _Loader) -> yaml.Node | None:
    """Return the tree of a text, once it is known to be of the size of a config.

    Raises
    ------
    yaml.YAMLError
        It is not, or an anchor holds itself.
    """
    try:
        node = loader.get_single_node()
    except RecursionError as error:
        raise yaml.YAMLError(f"nested over {DEEPEST} sections deep") from error
    if node is not None:
        _unfolded(node, {}, 0)
    return node


def _unfolded(node: yaml.Node, known: dict[int, int], depth: int) -> int:
    """Return how many values a node has with its anchors written out, each counted once."""
    if depth > DEEPEST:
        raise yaml.YAMLError(f"nested over {DEEPEST} sections deep, or a section that holds itself")
    if id(node) not in known:
        inner: list[yaml.Node] = []
        if isinstance(node, yaml.MappingNode):
            inner = [part for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            inner = node.value
        known[id(node)] = 1 + sum(_unfolded(child, known, depth + 1) for child in inner)
    if known[id(node)] > MOST_VALUES:
        raise yaml.YAMLError(f"its anchors expand to more than {MOST_VALUES:,} values")
    return known[id(node)]


def _walk(
    node: yaml.Node, path: tuple[str | int, ...], lines: Lines, duplicates: list[str]
) -> None:
    """Record the line of each key below `node`, and what is wrong with the keys."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*path, key.value)
            line = key.start_mark.line + 1
            if here in lines:
                dotted = ".".join(map(str, here))
                duplicates.append(
                    f"{line}: {dotted}: this key is already in line {lines[here]}; keep one"
                )
            lines[here] = line
            _walk(value, here, lines, duplicates)
    elif isinstance(node, yaml.SequenceNode):
        for position, item in enumerate(node.value):
            lines[(*path, position)] = item.start_mark.line + 1
            _walk(item, (*path, position), lines, duplicates)
