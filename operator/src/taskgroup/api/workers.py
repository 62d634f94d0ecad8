"""The worker pods of a group: the safe part of a pod template, by name."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from taskgroup.api.base import DataKey, Model, ObjectName, Opaque, Quantity, keyed_by, rules

VolumeName = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
RelativePath = Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^[^/]")]
FileMode = Annotated[int, Field(ge=0, le=0o777)]
Id = Annotated[int, Field(ge=1, le=2_147_483_647)]


def exactly_one(subject: str, *fields: str) -> ConfigDict:
    """The rule that exactly one of the fields is present."""
    present = ", ".join(f"has(self.{field})" for field in fields)
    message = f"{subject} has exactly one of {', '.join(fields)}"
    return ConfigDict(json_schema_extra=rules((f"[{present}].filter(x, x).size() == 1", message)))


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


class KeySelector(Model):
    """One key of a ConfigMap or Secret."""

    name: ObjectName = Field(description="Name of the ConfigMap or Secret.")
    key: DataKey = Field(description="Key inside it.")
    optional: bool | None = Field(None, description="The pod starts even when the key is missing.")


class FieldSelector(Model):
    """A field of the pod itself."""

    field_path: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^(metadata|spec|status)\.")] = Field(
        description="For example metadata.name."
    )


class EnvironmentSource(Model):
    """Where a variable's value comes from."""

    model_config = exactly_one("valueFrom", "configMapKeyRef", "secretKeyRef", "fieldRef")

    config_map_key_ref: KeySelector | None = Field(None, description="From a ConfigMap.")
    secret_key_ref: KeySelector | None = Field(None, description="From a Secret.")
    field_ref: FieldSelector | None = Field(None, description="From the pod.")


class EnvironmentVariable(Model):
    """One environment variable of the worker container."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            ("!has(self.value) || !has(self.valueFrom)", "a variable has either value or valueFrom, not both")
        )
    )

    name: Annotated[str, Field(min_length=1, max_length=253, pattern="^[^=]+$")] = Field(
        description="Name of the variable."
    )
    value: Annotated[str, Field(max_length=32_768)] | None = Field(None, description="Literal value.")
    value_from: EnvironmentSource | None = Field(None, description="Source of the value.")


class EnvironmentReference(Model):
    """A ConfigMap or Secret whose keys become variables."""

    name: ObjectName = Field(description="Name of the ConfigMap or Secret.")
    optional: bool | None = Field(None, description="The pod starts even when it is missing.")


class EnvironmentFrom(Model):
    """All keys of one ConfigMap or Secret as variables."""

    model_config = exactly_one("an entry of envFrom", "configMapRef", "secretRef")

    prefix: Annotated[str, Field(max_length=253)] | None = Field(None, description="Put before each name.")
    config_map_ref: EnvironmentReference | None = Field(None, description="From a ConfigMap.")
    secret_ref: EnvironmentReference | None = Field(None, description="From a Secret.")


class KeyToPath(Model):
    """A key and the file it becomes."""

    key: DataKey = Field(description="Key of the ConfigMap or Secret.")
    path: RelativePath = Field(description="Relative path of the file.")
    mode: FileMode | None = Field(None, description="File mode, decimal.")


KeysToPaths = Annotated[list[KeyToPath], Field(max_length=64)]


class EmptyDir(Model):
    """A directory that lives as long as the pod."""

    medium: Literal["", "Memory"] | None = Field(None, description="Memory; the node's disk when absent.")
    size_limit: Quantity | None = Field(None, description="Largest size.")


class ConfigMapVolume(Model):
    """The keys of a ConfigMap as files."""

    name: ObjectName = Field(description="Name of the ConfigMap.")
    items: KeysToPaths | None = Field(None, description="Only these keys.")
    default_mode: FileMode | None = Field(None, description="File mode, decimal.")
    optional: bool | None = Field(None, description="The pod starts even when it is missing.")


class SecretVolume(Model):
    """The keys of a Secret as files."""

    secret_name: ObjectName = Field(description="Name of the Secret.")
    items: KeysToPaths | None = Field(None, description="Only these keys.")
    default_mode: FileMode | None = Field(None, description="File mode, decimal.")
    optional: bool | None = Field(None, description="The pod starts even when it is missing.")


class ClaimVolume(Model):
    """A PersistentVolumeClaim of this namespace."""

    claim_name: ObjectName = Field(description="Name of the claim.")
    read_only: bool | None = Field(None, description="Mount read-only.")


class ProjectedConfigMap(Model):
    """A ConfigMap inside a projected volume."""

    name: ObjectName = Field(description="Name of the ConfigMap.")
    items: KeysToPaths | None = Field(None, description="Only these keys.")
    optional: bool | None = Field(None, description="The pod starts even when it is missing.")


class Projection(Model):
    """One source of a projected volume; service account tokens are left out on purpose."""

    model_config = exactly_one("a projected source", "configMap", "secret")

    config_map: ProjectedConfigMap | None = Field(None, description="Keys of a ConfigMap.")
    secret: ProjectedConfigMap | None = Field(None, description="Keys of a Secret.")


class ProjectedVolume(Model):
    """Several ConfigMaps and Secrets in one directory."""

    sources: Annotated[list[Projection], Field(max_length=32)] = Field(description="What to put together.")
    default_mode: FileMode | None = Field(None, description="File mode, decimal.")


class Volume(Model):
    """A volume of a kind that cannot reach the host or another namespace."""

    model_config = exactly_one("a volume", "emptyDir", "configMap", "secret", "persistentVolumeClaim", "projected")

    name: VolumeName = Field(description="Name that volumeMounts refer to.")
    empty_dir: EmptyDir | None = Field(None, description="Scratch space.")
    config_map: ConfigMapVolume | None = Field(None, description="Files from a ConfigMap.")
    secret: SecretVolume | None = Field(None, description="Files from a Secret.")
    persistent_volume_claim: ClaimVolume | None = Field(None, description="A claim.")
    projected: ProjectedVolume | None = Field(None, description="Several sources in one directory.")


class VolumeMount(Model):
    """Where a volume appears in the worker container."""

    name: VolumeName = Field(description="Name of the volume.")
    mount_path: Annotated[str, Field(min_length=1, max_length=1024, pattern="^/[^:]*$")] = Field(
        description="Absolute directory in the container."
    )
    sub_path: RelativePath | None = Field(None, description="Only this part of the volume.")
    read_only: bool | None = Field(None, description="Mount read-only.")


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
