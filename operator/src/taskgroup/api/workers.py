"""The worker pods of a group: those fields of a pod template that are safe, each by name."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from taskgroup.api.base import Model, ObjectName, Opaque, Quantity, keyed_by, rules
from taskgroup.api.environment import EnvironmentFrom, EnvironmentVariable
from taskgroup.api.volumes import Volume, VolumeMount

Id = Annotated[int, Field(ge=1, le=2_147_483_647)]


class Pool(StrEnum):
    """Celery's execution pools."""

    PREFORK = "prefork"
    THREADS = "threads"
    SOLO = "solo"
    GEVENT = "gevent"
    EVENTLET = "eventlet"


class ImagePullPolicy(StrEnum):
    """Kubernetes' image pull policies."""

    ALWAYS = "Always"
    IF_NOT_PRESENT = "IfNotPresent"
    NEVER = "Never"


class LocalReference(Model):
    """An object of this namespace, by name."""

    name: ObjectName = Field(description="Name of the object in the TaskGroup's namespace.")


class Resources(Model):
    """Requests and limits of one worker pod."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "!has(self.requests) || !has(self.limits) || self.requests.all(name, !(name in self.limits)"
                " || quantity(string(self.requests[name])).compareTo(quantity(string(self.limits[name]))) <= 0)",
                "requests must not be larger than limits",
            )
        )
    )

    requests: Annotated[dict[str, Quantity], Field(max_length=16)] | None = Field(None, description="Guaranteed.")
    limits: Annotated[dict[str, Quantity], Field(max_length=16)] | None = Field(None, description="Upper bounds.")


class Toleration(Model):
    """Kubernetes' toleration."""

    key: Annotated[str, Field(max_length=316)] | None = Field(None, description="Taint key.")
    operator: Literal["Exists", "Equal"] | None = Field(
        None, description="How key and value are compared; Equal when absent."
    )
    value: Annotated[str, Field(max_length=63)] | None = Field(None, description="Taint value.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        None, description="Taint effect; every effect when absent."
    )
    toleration_seconds: int | None = Field(None, description="How long a NoExecute taint is tolerated.")


class Affinity(Opaque):
    """Kubernetes' affinity, handed on as it is."""


class SecurityContext(Model):
    """What may be chosen within the restricted Pod Security Standard."""

    run_as_user: Id | None = Field(
        None, description="Numeric user; needed when the image's own user is root or a name."
    )
    run_as_group: Id | None = Field(None, description="Numeric group.")
    fs_group: Id | None = Field(None, description="Group of the volumes.")
    supplemental_groups: Annotated[list[Id], Field(max_length=16)] | None = Field(None, description="Further groups.")
    read_only_root_filesystem: bool = Field(True, description="Only /tmp and mounted volumes can be written.")


class Workers(Model):
    """The group's own Deployment of stock Celery workers."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "self.pool != 'solo' || self.concurrency == 1",
                "pool solo runs one item at a time: set concurrency to 1, or use another pool",
            ),
            (
                "!has(self.volumeMounts) || self.volumeMounts.all(mount,"
                " has(self.volumes) && self.volumes.exists(volume, volume.name == mount.name))",
                "each of volumeMounts must name one of volumes",
            ),
        )
    )

    image: Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^\S+$")] = Field(
        description="Image that holds the Celery app."
    )
    image_pull_policy: ImagePullPolicy | None = Field(None, description="Kubernetes' default when absent.")
    image_pull_secrets: Annotated[list[LocalReference], Field(max_length=16)] | None = Field(
        None, description="Secrets for the image's registry.", json_schema_extra=keyed_by("name")
    )
    app: Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[A-Za-z_][\w.]*(:[A-Za-z_]\w*)?$")] = Field(
        description="The Celery app as in `celery -A`, for example shop.celery."
    )
    max_replicas: Annotated[int, Field(ge=1, le=1000)] = Field(
        1, description="Most pods at once; fewer run when fewer items are left."
    )
    concurrency: Annotated[int, Field(ge=1, le=1000)] = Field(4, description="Items at once in each pod.")
    pool: Pool = Field(
        Pool.PREFORK,
        description="Celery's pool: prefork enforces both time limits, gevent the hard one, the others none.",
    )
    resources: Resources | None = Field(None, description="Requests and limits of each pod.")
    env: Annotated[list[EnvironmentVariable], Field(max_length=128)] | None = Field(
        None,
        description="Environment variables; those that the operator sets itself win.",
        json_schema_extra=keyed_by("name"),
    )
    env_from: Annotated[list[EnvironmentFrom], Field(max_length=32)] | None = Field(
        None, description="ConfigMaps and Secrets whose keys become variables."
    )
    volumes: Annotated[list[Volume], Field(max_length=32)] | None = Field(
        None, description="Volumes that volumeMounts may use.", json_schema_extra=keyed_by("name")
    )
    volume_mounts: Annotated[list[VolumeMount], Field(max_length=32)] | None = Field(
        None, description="Where the volumes appear.", json_schema_extra=keyed_by("mountPath")
    )
    node_selector: Annotated[dict[str, Annotated[str, Field(max_length=63)]], Field(max_length=32)] | None = Field(
        None, description="Labels that a node must have."
    )
    tolerations: Annotated[list[Toleration], Field(max_length=32)] | None = Field(
        None, description="Taints that are accepted."
    )
    affinity: Affinity | None = Field(None, description="Kubernetes' affinity, handed on as it is.")
    service_account_name: ObjectName | None = Field(
        None, description="Service account of the pods; no token is mounted. Default: the namespace's default."
    )
    security_context: SecurityContext = Field(
        default_factory=SecurityContext, description="Choices within the restricted Pod Security Standard."
    )
