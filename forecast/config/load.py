"""Loads a validated Config from a YAML file, overrides and the environment."""

import difflib
import os
import re
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from forecast.config.root import Config
from forecast.config.yaml_lines import Lines, parse_value, parse_yaml
from forecast.errors import ConfigError

ENVIRONMENT_KEYS = (
    "data.source",
    "data.source.source",
    "data.panel",
    "data.static_table.source",
    "tracking.uri",
    "output.path",
    "alert.webhook",
    "alert.email.host",
    "alert.email.user",
    "alert.email.password",
)
"""Secrets and paths: the only texts in which `${NAME}` is replaced."""

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
_WORDS = {
    "missing": "required, but not there",
    "string_type": "text is needed",
    "bool_type": "true or false is needed",
    "bool_parsing": "true or false is needed",
    "int_type": "a whole number is needed",
    "int_from_float": "a whole number is needed",
    "float_type": "a number is needed",
    "finite_number": "a finite number is needed",
    "model_type": "a section with keys is needed",
    "model_attributes_type": "a section with keys is needed",
    "dict_type": "a section with keys is needed",
    "tuple_type": "a list is needed",
    "list_type": "a list is needed",
}


def load_config(
    path: str | Path,
    overrides: Sequence[str] = (),
    *,
    environment: Mapping[str, str] | None = None,
) -> Config:
    """Return the validated config of a file.

    Parameters
    ----------
    path
        The YAML file.
    overrides
        `section.key=value` texts, applied in order; the value is YAML.
    environment
        Where `${NAME}` is looked up; the process's own unless given.

    Raises
    ------
    ConfigError
        With every fault at once: file, line, key, value found, what is allowed.
    """
    name = str(path)
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{name}: not UTF-8 text (byte {error.start}); save it as UTF-8"
        ) from error
    except OSError as error:
        reason = error.strerror or error
        raise ConfigError(
            f"{name}: cannot be read: {reason}; `forecast init` writes a starter config"
        ) from error
    values, lines = parse_yaml(text, name)
    if not isinstance(values, dict):
        raise ConfigError(
            f"{name}: a config has sections (name, data, windows, ...); found "
            f"{'nothing' if values is None else type(values).__name__}"
        )
    origin = _apply(values, overrides)
    templates = _substitute(values, os.environ if environment is None else environment, name)
    return _validate(values, name, lines, origin, templates)


def config_of(values: dict[str, Any], *, where: str) -> Config:
    """Return the validated config of plain values; faults are named as in `where`.

    Raises
    ------
    ConfigError
        With every fault at once: key, value found, what is allowed.
    """
    return _validate(values, where, {}, {}, {})


def _apply(values: dict[str, Any], overrides: Sequence[str]) -> dict[str, str]:
    """Set each override in `values`; return which override set which dotted key."""
    origin: dict[str, str] = {}
    for override in overrides:
        dotted, sign, text = override.partition("=")
        keys = dotted.strip().split(".")
        if not sign or not all(keys):
            raise ConfigError(f"--set {override}: write section.key=value")
        place = values
        for key in keys[:-1]:
            inner = place.setdefault(key, {})
            if not isinstance(inner, dict):
                raise ConfigError(f"--set {override}: {key} is a value, not a section")
            place = inner
        try:
            place[keys[-1]] = parse_value(text)
        except yaml.YAMLError as error:
            raise ConfigError(f"--set {override}: the value is not readable as YAML") from error
        origin[".".join(keys)] = f"--set {override}"
    return origin


def _substitute(
    values: dict[str, Any], environment: Mapping[str, str], name: str
) -> dict[str, Any]:
    """Replace `${NAME}` where that is allowed; return the texts as they were, by dotted key."""
    templates: dict[str, Any] = {}
    faults: list[str] = []

    def replaced(text: str, dotted: str) -> str:
        def value(match: re.Match[str]) -> str:
            found = environment.get(match[1], match[2])
            if found is None:
                faults.append(f"{name}: {dotted}: the environment has no variable {match[1]}")
                return ""
            return found

        return _VARIABLE.sub(value, text)

    def visit(place: Any, dotted: str) -> Any:
        if isinstance(place, dict):
            return {
                key: visit(value, f"{dotted}.{key}" if dotted else str(key))
                for key, value in place.items()
            }
        if isinstance(place, list):
            items = [visit(value, dotted) for value in place]
            inner = [key for key in templates if f"{key}.".startswith(f"{dotted}.")]
            for key in inner:
                del templates[key]
            if inner:
                templates[dotted] = place
            return items
        if not isinstance(place, str) or _VARIABLE.search(place) is None:
            return place
        if dotted not in ENVIRONMENT_KEYS:
            allowed = ", ".join(ENVIRONMENT_KEYS)
            faults.append(f"{name}: {dotted}: ${{...}} is for secrets and paths only: {allowed}")
            return place
        templates[dotted] = place
        return replaced(place, dotted)

    section = values.get("data")
    if isinstance(section, dict) and isinstance(section.get("source"), dict):
        section["source"] = [section["source"]]  # one table stands for a list of it
    changed = visit(values, "")
    if faults:
        raise ConfigError("\n".join(faults))
    values.update(changed)
    return templates


def _validate(
    values: dict[str, Any],
    name: str,
    lines: Lines,
    origin: dict[str, str],
    templates: dict[str, Any],
) -> Config:
    try:
        config = Config.model_validate(values)
    except ValidationError as error:
        faults = {
            _describe(fault, values, name, lines, origin)
            for fault in error.errors(include_url=False)
        }
        raise ConfigError("\n".join(text for _, text in sorted(faults))) from error
    config._path = name  # noqa: SLF001 - set once, here
    config._templates = templates  # noqa: SLF001
    return config


def _describe(
    fault: Any, values: dict[str, Any], name: str, lines: Lines, origin: dict[str, str]
) -> tuple[int, str]:
    """Return the line of a fault and `file:line: key: what is wrong; found VALUE`."""
    place = _real_place(fault["loc"], values, missing=fault["type"] == "missing")
    dotted = ".".join(map(str, place))
    where = next((text for key, text in origin.items() if (dotted + ".").startswith(key + ".")), "")
    line = next((lines[place[:n]] for n in range(len(place), 0, -1) if place[:n] in lines), 1)
    where = where or (f"{name}:{line}" if lines else name)
    if fault["type"] == "extra_forbidden":
        return line, f"{where}: {dotted}: unknown key{_nearest(place)}"
    message = _WORDS.get(fault["type"], "")
    if not message:
        message = fault["msg"].removeprefix("Value error, ")
        message = message.replace("Input should be", "must be").replace("String should", "must")
    if fault["type"] == "missing" or isinstance(fault["input"], dict):
        return line, f"{where}: {dotted + ': ' if dotted else ''}{message}"
    return line, f"{where}: {dotted}: {message}; found {fault['input']!r}"


def _real_place(
    location: tuple[str | int, ...], values: Any, *, missing: bool
) -> tuple[str | int, ...]:
    """Return the part of a pydantic location that stands in the file: without tags of unions."""
    place: list[str | int] = []
    here = values
    for position, part in enumerate(location):
        last = position == len(location) - 1
        if isinstance(here, dict) and (part in here or (missing and last)):
            place.append(part)
            here = here.get(part)
        elif isinstance(here, list) and isinstance(part, int) and part < len(here):
            place.append(part)
            here = here[part]
    return tuple(place)


def _nearest(place: tuple[str | int, ...]) -> str:
    """Return `; did you mean ...?` for an unknown key, or the keys that are allowed there."""
    model: type[BaseModel] | None = Config
    for part in place[:-1]:
        if isinstance(part, int):
            continue  # a place in a list: its section is the list's
        field = model.model_fields.get(part) if model else None
        model = _section(field.annotation) if field else None
    names = list(model.model_fields) if model else []
    close = difflib.get_close_matches(str(place[-1]), names, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {close[0]}?"
    return f"; allowed are {', '.join(names)}" if names else ""


def _section(annotation: Any) -> type[BaseModel] | None:
    """Return the section class inside an annotation, such as `Csv` in `Csv | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = (_section(argument) for argument in typing.get_args(annotation))
    return next((section for section in inner if section is not None), None)
