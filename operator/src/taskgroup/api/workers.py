"""The worker pods of a group: the safe part of a pod template, by name."""

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field

from taskgroup.api.base import Model, Opaque, rules

Name = Annotated[str, Field(min_length=1, max_length=253)]
Quantity = Annotated[str, Field(min_length=1, max_length=64)]
Path = Annotated[str, Field(min_length=1, max_length=1024)]


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

    name: Name = Field(description="Name of the object in the TaskGroup's namespace.")


class Resources(Model):
    """Requests and limits of one worker pod."""

    requests: Annotated[dict[str, Quantity], Field(max_length=16)] | None = Field(None, description="Guaranteed.")
    limits: Annotated[dict[str, Quantity], Field(max_length=16)] | None = Field(None, description="Upper bounds.")


class KeySelector(Model):
    """One key of a ConfigMap or Secret."""

    name: Name = Field(description="Name of the ConfigMap or Secret.")
    key: Annotated[str, Field(min_length=1, max_length=253)] = Field(description="Key inside it.")
    optional: bool | None = Field(None, description="The pod starts even when the key is missing.")


class FieldSelector(Model):
    """A field of the pod itself."""

    field_path: Annotated[str, Field(min_length=1, max_length=253)] = Field(description="For example metadata.name.")


class EnvironmentSource(Model):
    """Where a variable's value comes from."""

    config_map_key_ref: KeySelector | None = Field(None, description="From a ConfigMap.")
    secret_key_ref: KeySelector | None = Field(None, description="From a Secret.")
    field_ref: FieldSelector | None = Field(None, description="From the pod.")


class EnvironmentVariable(Model):
    """One environment variable of the worker container."""

    name: Annotated[str, Field(min_length=1, max_length=253)] = Field(description="Name of the variable.")
    value: Annotated[str, Field(max_length=32_768)] | None = Field(None, description="Literal value.")
    value_from: EnvironmentSource | None = Field(None, description="Source of the value.")


class EnvironmentReference(Model):
    """A ConfigMap or Secret whose keys become variables."""

    name: Name = Field(description="Name of the ConfigMap or Secret.")
    optional: bool | None = Field(None, description="The pod starts even when it is missing.")


class EnvironmentFrom(Model):
    """All keys of one ConfigMap or Secret as variables."""

    prefix: Annotated[str, Field(max_length=253)] | None = Field(None, description="Put before each name.")
    config_map_ref: EnvironmentReference | None = Field(None, description="From a ConfigMap.")
    secret_ref: EnvironmentReference | None = Field(None, description="From a Secret.")


class KeyToPath(Model):
    """A key and the file it becomes."""

    key: Annotated[str, Field(min_length=1, max_length=253)] = Field(description="Key of the ConfigMap or Secret.")
    path: Path = Field(description="Relative path of the file.")
    mode: Annotated[int, Field(ge=0, le=511)] | None = Field(None, description="File mode, decimal.")


KeysToPaths = Annotated[list[KeyToPath], Field(max_length=64)]


class EmptyDir(Model):
    """A directory that lives as long as the pod."""

    medium: Annotated[str, Field(max_length=16)] | None = Field(None, description="Memory, or the node's disk.")
    size_limit: Quantity | None = Field(None, description="Largest size.")


class ConfigMapVolume(Model):
    """The keys of a ConfigMap as files."""

    name: Name = Field(description="Name of the ConfigMap.")
    items: KeysToPaths | None = Field(None, description="Only these keys.")
    default_mode: Annotated[int, Field(ge=0, le=511)] | None = Field(None, description="File mode, decimal.")
    optional: bool | None = Field(None, description="The pod starts even when it is missing.")


class SecretVolume(Model):
    """The keys of a Secret as files."""

    secret_name: Name = Field(description="Name of the Secret.")
    items: KeysToPaths | None = Field(None, description="Only these keys.")
    default_mode: Annotated[int, Field(ge=0, le=511)] | None = Field(None, description="File mode, decimal.")
    optional: bool | None = Field(None, description="The pod starts even when it is missing.")


class ClaimVolume(Model):
    """A PersistentVolumeClaim of this namespace."""

    claim_name: Name = Field(description="Name of the claim.")
    read_only: bool | None = Field(None, description="Mount read-only.")


class ProjectedConfigMap(Model):
    """A ConfigMap inside a projected volume."""

    name: Name = Field(description="Name of the ConfigMap.")
    items: KeysToPaths | None = Field(None, description="Only these keys.")
    optional: bool | None = Field(None, description="The pod starts even when it is missing.")


class Projection(Model):
    """One source of a projected volume; service account tokens are left out on purpose."""

    config_map: ProjectedConfigMap | None = Field(None, description="Keys of a ConfigMap.")
    secret: ProjectedConfigMap | None = Field(None, description="Keys of a Secret.")


class ProjectedVolume(Model):
    """Several ConfigMaps and Secrets in one directory."""

    sources: Annotated[list[Projection], Field(max_length=32)] = Field(description="What to put together.")
    default_mode: Annotated[int, Field(ge=0, le=511)] | None = Field(None, description="File mode, decimal.")


class Volume(Model):
    """A volume of a kind that cannot reach the host or another namespace."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "[has(self.emptyDir), has(self.configMap), has(self.secret), has(self.persistentVolumeClaim),"
                " has(self.projected)].filter(x, x).size() == 1",
                "a volume has exactly one of emptyDir, configMap, secret, persistentVolumeClaim, projected",
            ),
        )
    )

    name: Annotated[str, Field(min_length=1, max_length=63)] = Field(description="Name that volumeMounts refer to.")
    empty_dir: EmptyDir | None = Field(None, description="Scratch space.")
    config_map: ConfigMapVolume | None = Field(None, description="Files from a ConfigMap.")
    secret: SecretVolume | None = Field(None, description="Files from a Secret.")
    persistent_volume_claim: ClaimVolume | None = Field(None, description="A claim.")
    projected: ProjectedVolume | None = Field(None, description="Several sources in one directory.")


class VolumeMount(Model):
    """Where a volume appears in the worker container."""

    name: Annotated[str, Field(min_length=1, max_length=63)] = Field(description="Name of the volume.")
    mount_path: Path = Field(description="Directory in the container.")
    sub_path: Path | None = Field(None, description="Only this part of the volume.")
    read_only: bool | None = Field(None, description="Mount read-only.")


class Toleration(Model):
    """Kubernetes' toleration."""

    key: Annotated[str, Field(max_length=316)] | None = Field(None, description="Taint key.")
    operator: Annotated[str, Field(max_length=16)] | None = Field(None, description="Exists or Equal.")
    value: Annotated[str, Field(max_length=63)] | None = Field(None, description="Taint value.")
    effect: Annotated[str, Field(max_length=32)] | None = Field(None, description="Taint effect.")
    toleration_seconds: int | None = Field(None, description="How long a NoExecute taint is tolerated.")


class Affinity(Opaque):
    """Kubernetes' affinity, handed on as it is."""


class SecurityContext(Model):
    """What may be chosen within the restricted Pod Security Standard."""

    run_as_user: Annotated[int, Field(ge=1, le=2_147_483_647)] | None = Field(
        None, description="Numeric user; needed when the image's own user is root or a name."
    )
    run_as_group: Annotated[int, Field(ge=1, le=2_147_483_647)] | None = Field(None, description="Numeric group.")
    fs_group: Annotated[int, Field(ge=1, le=2_147_483_647)] | None = Field(None, description="Group of the volumes.")
    supplemental_groups: Annotated[list[Annotated[int, Field(ge=1)]], Field(max_length=16)] | None = Field(
        None, description="Further groups."
    )
    read_only_root_filesystem: bool = Field(True, description="Only /tmp and mounted volumes can be written.")


class Workers(Model):
    """The group's own Deployment of stock Celery workers."""

    image: Annotated[str, Field(min_length=1, max_length=1024)] = Field(description="Image that holds the Celery app.")
    image_pull_policy: ImagePullPolicy | None = Field(None, description="Kubernetes' default when absent.")
    image_pull_secrets: Annotated[list[LocalReference], Field(max_length=16)] | None = Field(
        None, description="Secrets for the image's registry."
    )
    app: Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[A-Za-z_][\w.]*(:[A-Za-z_]\w*)?$")] = Field(
        description="The Celery app as in `celery -A`, for example shop.celery."
    )
    max_replicas: Annotated[int, Field(ge=1, le=1000)] = Field(
        1, description="Most pods at once; fewer run when fewer items are left."
    )
    concurrency: Annotated[int, Field(ge=1, le=1000)] = Field(4, description="Items at once in each pod.")
    pool: Pool = Field(Pool.PREFORK, description="Celery's pool; only prefork enforces both time limits.")
    resources: Resources | None = Field(None, description="Requests and limits of each pod.")
    env: Annotated[list[EnvironmentVariable], Field(max_length=128)] | None = Field(
        None, description="Environment variables; those that the operator sets itself win."
    )
    env_from: Annotated[list[EnvironmentFrom], Field(max_length=32)] | None = Field(
        None, description="ConfigMaps and Secrets whose keys become variables."
    )
    volumes: Annotated[list[Volume], Field(max_length=32)] | None = Field(None, description="Volumes.")
    volume_mounts: Annotated[list[VolumeMount], Field(max_length=32)] | None = Field(
        None, description="Where the volumes appear."
    )
    node_selector: Annotated[dict[str, Annotated[str, Field(max_length=63)]], Field(max_length=32)] | None = Field(
        None, description="Labels that a node must have."
    )
    tolerations: Annotated[list[Toleration], Field(max_length=32)] | None = Field(
        None, description="Taints that are accepted."
    )
    affinity: Affinity | None = Field(None, description="Kubernetes' affinity, handed on as it is.")
    service_account_name: Name | None = Field(
        None, description="Service account of the pods; no token is mounted. Default: the namespace's default."
    )
    security_context: SecurityContext = Field(
        default_factory=SecurityContext, description="Choices within the restricted Pod Security Standard."
    )
