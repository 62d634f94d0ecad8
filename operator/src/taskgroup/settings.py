"""The operator's settings, read once from the environment that the chart writes."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from taskgroup.api.names import Environment
from taskgroup.core.servers import AllowedServers


class Settings(BaseModel):
    """The operator's settings; the defaults also work outside a cluster."""

    model_config = ConfigDict(frozen=True)

    namespace: str = "default"
    """Namespace of the operator and of its Lease."""
    pod_name: str = "taskgroup-operator"
    """Holder identity in the Lease."""
    watch_namespaces: tuple[str, ...] = ()
    """Namespaces to serve; empty means all."""
    redis_secret: str = ""
    """Name of the Secret (key `url`) of the default broker; empty when there is none."""
    redis_namespaces: tuple[str, ...] = ()
    """Namespaces that contain this Secret; only their TaskGroups may use the default broker."""
    reader_image: str = ""
    """Image of the pods that read items from outside of TaskGroups: the operator's own."""
    brokers_allowed: AllowedServers = AllowedServers()
    """Which servers the URLs of brokers and result backends may name."""
    log_level: Annotated[str, Field(pattern="^(DEBUG|INFO|WARNING|ERROR)$")] = "INFO"
    lease_name: str = "taskgroup-operator"
    lease_seconds: Annotated[int, Field(ge=5, le=300)] = 15
    """Lease time in seconds: how long another operator waits after the last renewal."""
    resync_seconds: Annotated[int, Field(ge=1, le=600)] = 30
    """Longest time, in seconds, between two reads of a group's workers and broker, and of a Secret in trouble."""
    writes_per_second: Annotated[int, Field(ge=1, le=10_000)] = 50
    """Most writes in a second, over all groups, that only tell of progress: statuses and ledgers."""
    max_message_bytes: Annotated[int, Field(ge=65_536, le=16_777_216)] = 1_048_576
    """Longest message of one item, in bytes: two of them are in memory at once for each group that dispatches."""
    health_address: str = ""
    """Address on which the probes are served; empty means all of the pod's, IPv4 and IPv6."""
    health_port: Annotated[int, Field(ge=1, le=65_535)] = 8080
    """Port of /healthz and /readyz."""
    metrics_address: str = ""
    """Address on which /metrics is served; empty means all of the pod's, IPv4 and IPv6."""
    metrics_port: Annotated[int, Field(ge=0, le=65_535)] = 8081
    """Port of /metrics; 0: it is not served."""
    metrics_keep_seconds: Annotated[int, Field(ge=0, le=86_400)] = 600
    """How long a TaskGroup's series stay after its end, in seconds."""
    metrics_max_groups: Annotated[int, Field(ge=0, le=100_000)] = 1_000
    """Most TaskGroups that have series of their own."""
    metrics_secure: bool = False
    """Only who may `get` the path /metrics on the API server may read the metrics."""
    metrics_certificates: str = ""
    """Folder with tls.crt and tls.key of /metrics; empty: it is served without TLS."""

    @field_validator("watch_namespaces", "redis_namespaces", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return _parts(value) if isinstance(value, str) else value

    @field_validator("brokers_allowed", mode="before")
    @classmethod
    def _servers(cls, value: object) -> object:
        return AllowedServers.parse(_parts(value)) if isinstance(value, str) else value


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Read the settings. Raises ValueError with a sentence that names the variable when a value is not valid."""
    values = {variable.name.lower(): environment[variable] for variable in Environment if environment.get(variable)}
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        variable = Environment[str(first["loc"][0]).upper()]
        raise ValueError(f"{variable} is {environment[variable]!r}: {first['msg']}.") from None
