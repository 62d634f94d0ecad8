"""The base of every resource model: frozen values, camelCase on the wire, unknown fields refused."""

from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


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
