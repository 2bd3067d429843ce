"""YAML text to plain values with the line of every key; knows nothing of the config's meaning."""

import re
from typing import Any

import yaml

from forecast.errors import ConfigError

Lines = dict[tuple[str | int, ...], int]


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
    return yaml.load(text, _Loader)  # noqa: S506 - derived from SafeLoader


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
        node = loader.get_single_node()
        lines: Lines = {}
        duplicates: list[str] = []
        if node is not None:
            _walk(node, (), lines, duplicates)
        if duplicates:
            raise ConfigError("\n".join(f"{name}:{one}" for one in duplicates))
        return (None if node is None else loader.construct_document(node)), lines
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        problem = error.problem or error.context
        raise ConfigError(f"{name}:{line}: not readable as YAML: {problem}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{name}: not readable as YAML: {error}") from error


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
                    f"{line}: {dotted}: this key stands already in line {lines[here]}; keep one"
                )
            lines[here] = line
            _walk(value, here, lines, duplicates)
    elif isinstance(node, yaml.SequenceNode):
        for position, item in enumerate(node.value):
            lines[(*path, position)] = item.start_mark.line + 1
            _walk(item, (*path, position), lines, duplicates)
