"""Containers beside the worker: what they may say, a part of what the worker itself may say.

What is only handed on has no schema of its own here: the definition would be too large with all of it twice, and the
API server checks it when the Deployment is applied. None of it reaches the host or another namespace.
"""

from typing import Annotated

from pydantic import ConfigDict, Field

from taskgroup.api.base import Model, Opaque, Quantity, keyed_by, rules
from taskgroup.api.names import WORKER_CONTAINER
from taskgroup.api.volumes import VolumeMount

Image = Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^\S+$")]
ContainerName = Annotated[str, Field(min_length=1, max_length=48, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
"""Short enough for a volume that is named after the container."""
Argument = Annotated[str, Field(max_length=32_768)]


class Resources(Model):
    """Requests and limits of one container."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "!has(self.requests) || !has(self.limits) || self.requests.all(name, !(name in self.limits)"
                " || quantity(string(self.requests[name])).compareTo(quantity(string(self.limits[name]))) <= 0)",
                "requests must not be larger than limits",
            )
        )
    )

    requests: Annotated[dict[str, Quantity], Field(max_length=16)] | None = Field(
        None, description='Guaranteed; a fraction as 500m or "0.5".'
    )
    limits: Annotated[dict[str, Quantity], Field(max_length=16)] | None = Field(
        None, description='Upper bounds; a fraction as 500m or "0.5".'
    )


class AsInPod(Opaque):
    """As in a Pod."""


class SideVariable(Model):
    """An environment variable."""

    name: Annotated[str, Field(min_length=1, max_length=253, pattern="^[^=]+$")] = Field(description="Its name.")
    value: Annotated[str, Field(max_length=32_768)] | None = Field(None, description="Literal value.")
    value_from: AsInPod | None = Field(None, description="As in a Pod.")


class SideContainer(Model):
    """An init container or a sidecar. Its security context is that of the worker."""

    model_config = ConfigDict(
        json_schema_extra=rules((f"self.name != '{WORKER_CONTAINER}'", f"{WORKER_CONTAINER} is the worker's own name"))
    )

    name: ContainerName = Field(description="Name of the container.")
    image: Image = Field(description="Its image.")
    command: Annotated[list[Argument], Field(max_length=64)] | None = Field(None, description="As in a Pod.")
    args: Annotated[list[Argument], Field(max_length=64)] | None = Field(None, description="As in a Pod.")
    env: Annotated[list[SideVariable], Field(max_length=128)] | None = Field(
        None, description="Environment variables.", json_schema_extra=keyed_by("name")
    )
    env_from: Annotated[list[AsInPod], Field(max_length=32)] | None = Field(None, description="As in a Pod.")
    resources: AsInPod | None = Field(None, description="Requests and limits, as in a Pod.")
    volume_mounts: Annotated[list[VolumeMount], Field(max_length=32)] | None = Field(
        None, description="Where the volumes appear.", json_schema_extra=keyed_by("mountPath")
    )


class TopologySpreadConstraint(Opaque):
    """As in a Pod."""
