"""Typed, frozen configuration: one class beside the behaviour it configures, one line of help per field.

    class Lora(AdapterMethod):
        rank: int = knob(8, "inner width of the update", ge=1)
        lr: float = knob(1e-3, "peak learning rate", gt=0, search=(1e-4, 1e-2))

`search` is the range that trials are drawn from (log-uniform for a pair of floats, one of a tuple of
values otherwise); a field without it is never searched. An unknown key, or a value that does not fit,
is a ConfigError that names the key, the nearest allowed name and the place.
"""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from tuneoff.core.errors import ConfigError, nearest

__all__ = ["Knobs", "knob"]


def knob(default: Any, help: str, *, search: tuple | None = None, **limits: Any) -> Any:
    """A field with its default, one line of help, its limits (pydantic's ge, gt, le, lt) and its search range."""
    extra = {"search": list(search)} if search else None
    if isinstance(default, list | dict):
        return Field(default_factory=lambda: type(default)(default), description=help, **limits)
    return Field(default, description=help, json_schema_extra=extra, **limits)


class Knobs(BaseModel):
    """A frozen table of settings that names what it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    @classmethod
    def build(cls, table: Mapping[str, Any], where: str) -> Self:
        """Check a table read from TOML or given by keyword.

        where: what to call the table in an error, such as `study.toml [methods.lora]`.
        Raises ConfigError for an unknown key or a value out of range.
        """
        try:
            return cls.model_validate(dict(table))
        except ValidationError as error:
            raise _as_config_error(cls, error, where) from None

    @classmethod
    def searched(cls) -> dict[str, list]:
        """The fields that trials are drawn over, with their ranges."""
        return {
            name: field.json_schema_extra["search"]
            for name, field in cls.model_fields.items()
            if isinstance(field.json_schema_extra, dict) and "search" in field.json_schema_extra
        }


def _as_config_error(cls: type[Knobs], error: ValidationError, where: str) -> ConfigError:
    first = error.errors()[0]
    path = [str(part) for part in first["loc"]]
    key = ".".join(path)
    if first["type"] == "extra_forbidden":
        names = _names_at(cls, path[:-1])
        fix = nearest(path[-1], names) or "remove it, or see the allowed names"
        return ConfigError(f"unknown key {key!r}", where=where, allowed=sorted(names), fix=fix)
    field = cls.model_fields.get(path[0]) if path else None
    help_line = field.description if isinstance(field, FieldInfo) else None
    return ConfigError(
        f"{key or 'the table'}: {first['msg'].lower()}",
        where=where,
        found=repr(first.get("input")),
        allowed=help_line,
        fix=f"change {key} in {where}" if key else None,
    )


def _names_at(cls: type[BaseModel], path: list[str]) -> list[str]:
    for part in path:
        field = cls.model_fields.get(part)
        if field is None or not isinstance(field.annotation, type) or not issubclass(field.annotation, BaseModel):
            return []
        cls = field.annotation
    return [field.alias or name for name, field in cls.model_fields.items()]
