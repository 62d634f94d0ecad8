"""Items that do not stand in the spec: where they are found."""

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field

from taskgroup.api.base import DataKey, Model, ObjectName
from taskgroup.api.secret_keys import CertificateKeyRef
from taskgroup.api.volumes import RelativePath


class ItemsFormat(StrEnum):
    """How a list of items is written."""

    JSON = "JSON"
    JSON_LINES = "JSONLines"
    CSV = "CSV"
    LINES = "Lines"


class BeforeItems(Model):
    """The items are the result of spec.before, a list."""


class KeySource(Model):
    """One key of a ConfigMap or Secret in the TaskGroup's namespace."""

    name: ObjectName = Field(description="Its name.")
    key: DataKey = Field(description="The key.")


class ClaimSource(Model):
    """A file on a PersistentVolumeClaim of the TaskGroup's namespace."""

    claim_name: ObjectName = Field(description="Name of the claim.")
    path: RelativePath = Field(description="Relative path of the file, without .. as a step.")


Url = Annotated[str, Field(max_length=2048, pattern=r"^https?://\S+$")]


class CredentialsRef(Model):
    """A Secret of the TaskGroup's namespace."""

    name: ObjectName = Field(description="Has AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and maybe AWS_SESSION_TOKEN.")


class S3Source(Model):
    """An object of an S3 server."""

    endpoint: Url = Field(description="URL of the server.")
    bucket: DataKey = Field(description="The bucket.")
    key: Annotated[str, Field(min_length=1, max_length=1024)] = Field(description="The object.")
    region: DataKey = Field("us-east-1", description="Its region.")
    credentials_secret_ref: CredentialsRef | None = Field(None, description="Anonymous when absent.")


PLACES = ("before", "configMap", "secret", "url", "s3", "persistentVolumeClaim")


class ItemsFrom(Model):
    """One place where the items are."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": [place]} for place in PLACES]})

    before: BeforeItems | None = Field(
        None, description="The list that spec.before returns: JSON values, one item each. Write before: {}."
    )
    config_map: KeySource | None = Field(None, description="A key of a ConfigMap.")
    secret: KeySource | None = Field(None, description="A key of a Secret.")
    url: Url | None = Field(None, description="A list at this URL.")
    s3: S3Source | None = Field(None, description="An object in S3.")
    ca_secret_key_ref: CertificateKeyRef | None = Field(
        None, description="Who signs the certificate of an https server; the public authorities when absent."
    )
    persistent_volume_claim: ClaimSource | None = Field(None, description="A file on a volume.")
    format: ItemsFormat | None = Field(
        None, description="By the suffix when absent: .json, .jsonl, .ndjson, .csv or .txt, each also with .gz."
    )
    sha256: Annotated[str, Field(max_length=64, pattern="^[0-9a-f]{64}$")] | None = Field(
        None, description="What sha256sum must say of the file as it is stored, in hexadecimal."
    )

    @property
    def is_external(self) -> bool:
        """Whether a pod has to read them."""
        return self.before is None

    @property
    def places(self) -> list[str]:
        """Those that are there, one unless nobody has checked it."""
        return [place for place in PLACES if place in self.dump()]
