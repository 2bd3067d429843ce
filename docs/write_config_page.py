"""Writes docs/config.md from the config's own types, defaults and docstrings; checks nothing.

python docs/write_config_page.py
"""

import inspect
import sys
import typing
from pathlib import Path

from pydantic.fields import PydanticUndefined

sys.path.insert(0, str(Path(__file__).parents[1]))

from forecast.config import Config
from forecast.config.base import Section
from forecast.config.table import Table, TableForm

FORM = TableForm.model_fields

HEAD = """\
# The config, key by key

Written by `python docs/write_config_page.py` from the code; change the docstrings there.

A duration is a number and a unit of s, min, h, d or w (`7d`), or a count of steps. `${NAME}` takes
a value from the environment, in secrets and paths only: `data.source`, `data.panel`,
`data.static_table.source`, `tracking.uri`, `output.path`, and in `alert` the webhook and
the mail server's `host`, `user` and `password`. `forecast schema` prints the JSON Schema
for your editor.
"""


def page() -> str:
    """Return the text of the page."""
    schema = Config.model_json_schema()
    lines = [HEAD]
    top = [key for key, field in Config.model_fields.items() if not _sections(field.annotation)]
    lines += ["## At the top", "", *_table(Config, schema, top)]
    told: set[type[Section]] = set()
    for key, field in Config.model_fields.items():
        for section in _sections(field.annotation):
            lines += _section(key, section, schema, told)
    return "\n".join(lines).rstrip() + "\n"


def _section(place: str, section: type[Section], schema: dict, told: set) -> list[str]:
    """Return a heading, what the section is for, its keys, and the sections below it.

    A section that was told of at another place is not told again; nor are the keys of a table that
    are those of `data`.
    """
    below = {
        key: found
        for key, field in section.model_fields.items()
        if (found := _sections(field.annotation))
    }
    heading = "#" * (2 + place.count("."))
    lines = [f"{heading} `{place}`", "", inspect.cleandoc(section.__doc__ or ""), ""]
    keys = [key for key in section.model_fields if section is not Table or key not in FORM]
    keys.sort(key=lambda key: key != "source")
    lines += _table(section, schema["$defs"][section.__name__], keys)
    new = [(key, one) for key, found in below.items() for one in found if one not in told]
    told.update(one for _, one in new)
    for key, one in new:
        lines += _section(f"{place}.{key}", one, schema, told)
    return lines


def _table(section: type[Section], schema: dict, keys: list[str]) -> list[str]:
    """Return the rows of a section's keys."""
    rows = ["| key | value | unless set | meaning |", "|---|---|---|---|"]
    for key in keys:
        field = section.model_fields[key]
        default = field.default
        shown = "required" if default is PydanticUndefined else _plain(default)
        text = " ".join((field.description or "").split()).replace("|", "\\|")
        rows.append(f"| `{key}` | {_values(schema['properties'][key])} | {shown} | {text} |")
    return [*rows, ""]


def _plain(default: object) -> str:
    """Return a default as YAML would have it."""
    if default is None:
        return ""
    if isinstance(default, Section):
        return "see below"
    if isinstance(default, tuple):
        return "`[" + ", ".join(_scalar(one) for one in default) + "]`"
    if isinstance(default, dict):
        inner = ", ".join(f"{key}: {_scalar(one)}" for key, one in default.items())
        return "`{" + inner + "}`"
    return f"`{_scalar(default)}`"


def _scalar(value: object) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_scalar(one) for one in value) + "]"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, str):
        return value if value and value.strip(",;.'* ") else f"'{value}'"
    return str(value)


def _values(schema: dict) -> str:
    """Return in words what a key accepts."""
    if "$ref" in schema:
        return "section"
    if "const" in schema or "enum" in schema:
        words = [f"`{_scalar(one)}`" for one in schema.get("enum", [schema.get("const")])]
        return " ".join(dict.fromkeys(words))
    if options := schema.get("anyOf") or schema.get("oneOf"):
        words = [_values(one) for one in options if one.get("type") != "null"]
        return " or ".join(dict.fromkeys(words))
    if schema.get("type") == "array":
        items = schema.get("items") or (schema.get("prefixItems") or [{}])[0]
        return f"list of {_values(items)}"
    if schema.get("type") == "string" and "min" in schema.get("pattern", ""):
        return "duration"
    if isinstance(schema.get("type"), list):
        return " or ".join(_values({"type": one}) for one in schema["type"])
    names = {"string": "text", "integer": "count", "boolean": "`true` `false`", "object": "mapping"}
    return names.get(schema.get("type", ""), schema.get("type", "any"))


def _sections(annotation: object) -> list[type[Section]]:
    """Return the section classes inside an annotation."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [annotation]
    inner = [found for one in typing.get_args(annotation) for found in _sections(one)]
    return list(dict.fromkeys(inner))


if __name__ == "__main__":
    Path(__file__).with_name("config.md").write_text(page(), encoding="utf-8")
