"""The worker pods of a group: those fields of a pod template that are safe, each by name."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from taskgroup.api.base import Model, ObjectName, Opaque, keyed_by, rules
from taskgroup.api.containers import Image, Resources, SideContainer, TopologySpreadConstraint
from taskgroup.api.environment import EnvironmentFrom, EnvironmentVariable
from taskgroup.api.names import ANNOTATION_DELETION_COST, GROUP, LABEL_MANAGED_BY
from taskgroup.api.volumes import Volume, VolumeMount

MAX_GRACE_SECONDS = 86_400
_LABEL_VALUE = r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$"
_OWN_LABELS = [LABEL_MANAGED_BY, "pod-template-hash"]
_APPARMOR = "container.apparmor.security.beta.kubernetes.io/"
_VOLUMES = "has(self.volumes) && self.volumes.exists(volume, volume.name == mount.name)"

Id = Annotated[int, Field(ge=1, le=2_147_483_647)]


class Pool(StrEnum):
    """Celery's execution pools."""

    PREFORK = "prefork"
    THREADS = "threads"
    SOLO = "solo"
    GEVENT = "gevent"
    EVENTLET = "eventlet"


POOLS_BY_LIMIT = {"timeLimitSeconds": (Pool.PREFORK, Pool.GEVENT), "softTimeLimitSeconds": (Pool.PREFORK,)}
"""The pools that keep each time limit of a task; the others ignore it."""


class ImagePullPolicy(StrEnum):
    """Kubernetes' image pull policies."""

    ALWAYS = "Always"
    IF_NOT_PRESENT = "IfNotPresent"
    NEVER = "Never"


class LocalReference(Model):
    """An object of this namespace, by name."""

    name: ObjectName = Field(description="Name of the object in the TaskGroup's namespace.")


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
                f"!has(self.volumeMounts) || self.volumeMounts.all(mount, {_VOLUMES})",
                "each of volumeMounts must name one of volumes",
            ),
            *(
                (
                    f"!has(self.{field}) || self.{field}.all(side, !has(side.volumeMounts)"
                    f" || side.volumeMounts.all(mount, {_VOLUMES}))",
                    f"each of volumeMounts in {field} must name one of workers.volumes",
                )
                for field in ("initContainers", "sidecars")
            ),
            (
                "!has(self.initContainers) || !has(self.sidecars)"
                " || self.initContainers.all(init, self.sidecars.all(side, side.name != init.name))",
                "initContainers and sidecars must have different names",
            ),
            (
                f"!has(self.podLabels) || self.podLabels.all(key, !key.startsWith('{GROUP}/')"
                f" && !(key in {_OWN_LABELS}))",
                f"podLabels must not hold {GROUP}/…, {' or '.join(_OWN_LABELS)}: these are set by the operator",
            ),
            (
                f"!has(self.podAnnotations) || self.podAnnotations.all(key, !key.startsWith('{GROUP}/')"
                f" && !key.startsWith('{_APPARMOR}') && key != '{ANNOTATION_DELETION_COST}')",
                f"podAnnotations must not hold {GROUP}/…, {ANNOTATION_DELETION_COST} or AppArmor profiles:"
                " these are set by the operator",
            ),
        )
    )

    image: Image = Field(description="Image that holds the Celery app.")
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
    priority_class_name: ObjectName | None = Field(None, description="Kubernetes' priority class of the pods.")
    runtime_class_name: ObjectName | None = Field(None, description="Kubernetes' runtime class of the pods.")
    topology_spread_constraints: Annotated[list[TopologySpreadConstraint], Field(max_length=16)] | None = Field(
        None, description="As in a Pod; without a labelSelector the group's own pods are counted."
    )
    pod_labels: (
        Annotated[dict[str, Annotated[str, Field(max_length=63, pattern=_LABEL_VALUE)]], Field(max_length=32)] | None
    ) = Field(None, description="Further labels of the pods.")
    pod_annotations: Annotated[dict[str, Annotated[str, Field(max_length=32_768)]], Field(max_length=32)] | None = (
        Field(None, description="Annotations of the pods.")
    )
    termination_grace_period_seconds: Annotated[int, Field(ge=1, le=MAX_GRACE_SECONDS)] | None = Field(
        None,
        description="How long a stopped worker may finish what it runs; from the time limits of the items when absent.",
    )
    init_containers: Annotated[list[SideContainer], Field(max_length=8)] | None = Field(
        None,
        description="Run to their end, one after the other, before the worker.",
        json_schema_extra=keyed_by("name"),
    )
    sidecars: Annotated[list[SideContainer], Field(max_length=8)] | None = Field(
        None, description="Run beside the worker, and stop after it.", json_schema_extra=keyed_by("name")
    )
