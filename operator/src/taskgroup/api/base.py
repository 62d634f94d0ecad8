"""The base of every resource model: frozen values, camelCase on the wire, unknown fields refused."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic.alias_generators import to_camel

ObjectName = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
"""Name of an object in the TaskGroup's namespace."""
DataKey = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")]
"""Key inside a ConfigMap or Secret."""
Quantity = Annotated[
    str,
    BeforeValidator(lambda value: str(value) if type(value) is int else value),
    WithJsonSchema(
        {
            "x-kubernetes-int-or-string": True,
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "minimum": 0,
            "maxLength": 64,
            "pattern": r"^([0-9]+\.?[0-9]*|\.[0-9]+)([numkMGTPE]|[KMGTPE]i|[eE][-+]?[0-9]+)?$",
        }
    ),
]
"""Kubernetes' quantity, such as 500m, 2 or 1.5Gi; whole numbers need no quotes."""


class Model(BaseModel):
    """A part of a resource; compare, hash and share it freely."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)

    def dump(self) -> dict[str, Any]:
        """As the API server stores it: camelCase, absent fields left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class Opaque(BaseModel):
    """A part of the Kubernetes API that is handed on as it came."""

    model_config = ConfigDict(frozen=True, extra="allow")

    def dump(self) -> dict[str, Any]:
        """The part exactly as the user wrote it."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


def rules(*pairs: tuple[str, str]) -> dict[str, Any]:
    """CEL rules with their messages, as `json_schema_extra` of a model."""
    return {"x-kubernetes-validations": [{"rule": rule, "message": message} for rule, message in pairs]}


def keyed_by(*keys: str) -> dict[str, Any]:
    """A list whose entries are told apart by these fields, as `json_schema_extra`: several writers may share it."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}


def exactly_one(subject: str, *fields: str) -> ConfigDict:
    """The rule that exactly one of the fields is present."""
    present = ", ".join(f"has(self.{field})" for field in fields)
    message = f"{subject} has exactly one of {', '.join(fields)}"
    return ConfigDict(json_schema_extra=rules((f"[{present}].filter(x, x).size() == 1", message)))
