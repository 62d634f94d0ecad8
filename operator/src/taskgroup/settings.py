"""The operator's settings, read once from the environment that the chart writes."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from taskgroup.api.names import Environment


class Settings(BaseModel):
    """What the operator is told at its start; every field has a default that serves outside a cluster too."""

    model_config = ConfigDict(frozen=True)

    namespace: str = "default"
    """Namespace of the operator itself: its Lease is there."""
    pod_name: str = "taskgroup-operator"
    """Identity of this process in the Lease."""
    watch_namespaces: tuple[str, ...] = ()
    """Namespaces to serve; empty means all."""
    redis_secret: str = ""
    """Name of the Secret (key `url`) of the default broker; empty when there is none."""
    redis_namespaces: tuple[str, ...] = ()
    """Namespaces that hold this Secret, so that their TaskGroups may use the default broker."""
    log_level: Annotated[str, Field(pattern="^(DEBUG|INFO|WARNING|ERROR)$")] = "INFO"
    lease_name: str = "taskgroup-operator"
    lease_seconds: Annotated[int, Field(ge=5, le=300)] = 15
    """How long a dead operator keeps others out."""
    resync_seconds: Annotated[int, Field(ge=1, le=600)] = 30
    """Longest time between two looks at a group's workers, Secret and broker."""
    liveness_port: Annotated[int, Field(ge=1, le=65_535)] = 8080
    """Where /healthz answers."""

    @field_validator("watch_namespaces", "redis_namespaces", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def read_settings(environment: Mapping[str, str]) -> Settings:
    """ValueError with a sentence that names the variable when one cannot be used."""
    given = {name.name.lower(): environment[name] for name in Environment if environment.get(name)}
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        variable = Environment[str(first["loc"][0]).upper()]
        raise ValueError(f"{variable} is {environment[variable]!r}: {first['msg']}.") from None
