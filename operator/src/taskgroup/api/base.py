"""Base classes and types of the resource models: frozen, camelCase in JSON.

Unknown fields of a stored object are ignored: a newer definition may have given it defaults that this version does not
know. What people write is checked by the API server, which refuses them; checks without one say `extra="forbid"`.
"""

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
            "minimum": 0,
            "maxLength": 64,
            "pattern": r"^([0-9]+\.?[0-9]*|\.[0-9]+)([numkMGTPE]|[KMGTPE]i|[eE][-+]?[0-9]+)?$",
        }
    ),
]
"""A Kubernetes quantity, such as 500m, 2 or 1.5Gi. Integers need no quotes; a schema cannot allow floats beside them.

Without a list of alternatives (anyOf) the API server refuses a float in one line and not in four.
"""


class Model(BaseModel):
    """A part of a resource. It is frozen, so it can be compared, hashed and shared."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)

    def dump(self) -> dict[str, Any]:
        """Return the JSON object that the API server stores: camelCase, without absent fields."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class Opaque(BaseModel):
    """A part of the Kubernetes API that is handed on as it came."""

    model_config = ConfigDict(frozen=True, extra="allow")

    def dump(self) -> dict[str, Any]:
        """Return the JSON object as the user wrote it."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


def rules(*pairs: tuple[str, str]) -> dict[str, Any]:
    """Return `json_schema_extra` of a model with CEL rules; each pair is a rule and its message."""
    return {"x-kubernetes-validations": [{"rule": rule, "message": message} for rule, message in pairs]}


def keyed_by(*keys: str) -> dict[str, Any]:
    """Return `json_schema_extra` of a list of type map with these keys, which several writers may share."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}


def exactly_one(subject: str, *fields: str) -> ConfigDict:
    """Return a model configuration with the rule that exactly one of the fields is present."""
    present = ", ".join(f"has(self.{field})" for field in fields)
    message = f"{subject} has exactly one of {', '.join(fields)}"
    return ConfigDict(json_schema_extra=rules((f"[{present}].filter(x, x).size() == 1", message)))
