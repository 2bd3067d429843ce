"""The base of every section of the config: frozen and strict, unknown keys are refused."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema


class Section(BaseModel):
    """A section of the config; the docstrings of its fields become the help text."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, validate_default=True
    )


def _refuse_disguised(value: Any) -> Any:
    """Refuse true, false and quoted text where a number is meant."""
    if isinstance(value, bool | str):
        raise ValueError("a number is needed")  # noqa: TRY004 - pydantic reads ValueError
    return value


Integer = Annotated[int, BeforeValidator(_refuse_disguised)]
Number = Annotated[float, BeforeValidator(_refuse_disguised), Field(allow_inf_nan=False)]


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Texts = Annotated[
    tuple[str, ...],
    BeforeValidator(_as_list),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
"""One text or a list of texts."""
