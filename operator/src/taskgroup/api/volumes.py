"""Volumes of kinds that cannot reach the host or another namespace."""

from typing import Annotated, Literal

from pydantic import Field

from taskgroup.api.base import DataKey, Model, ObjectName, Quantity, exactly_one

VolumeName = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
_STEP = r"(\.?[^/.][^/]*|\.\.[^/]+|\.)"
RelativePath = Annotated[str, Field(min_length=1, max_length=1024, pattern=f"^{_STEP}(/{_STEP}?)*$")]
"""No step is `..`: Kubernetes refuses such pods, too, but only once they are made. A rule would cost too much here."""
FileMode = Annotated[int, Field(ge=0, le=0o777)]


class KeyToPath(Model):
    """A key and the file it becomes."""

    key: DataKey = Field(description="Key of the ConfigMap or Secret.")
    path: RelativePath = Field(description="Relative path of the file, without .. as a step.")
    mode: FileMode | None = Field(None, description="File mode, decimal.")


KeysToPaths = Annotated[list[KeyToPath], Field(max_length=64)]


class EmptyDir(Model):
    """A directory that lives as long as the pod."""

    medium: Literal["", "Memory"] | None = Field(None, description="Memory; the node's disk when absent.")
    size_limit: Quantity | None = Field(None, description="Largest size, as 1Gi.")


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
    sub_path: RelativePath | None = Field(
        None, description="Only this part of the volume: a relative path without .. as a step."
    )
    read_only: bool | None = Field(None, description="Mount read-only.")
