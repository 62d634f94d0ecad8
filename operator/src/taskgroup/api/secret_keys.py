"""Keys of Secrets: what connects is named, and never written into a TaskGroup."""

from pydantic import Field

from taskgroup.api.base import DataKey, Model, ObjectName


class SecretKeyRef(Model):
    """A key of a Secret in the TaskGroup's namespace."""

    name: ObjectName = Field(description="Name of the Secret.")
    key: DataKey = Field("url", description="Key whose value is the URL, for example redis://:password@host:6379/0.")


class CertificateKeyRef(SecretKeyRef):
    """A key of a Secret in the TaskGroup's namespace that holds certificates."""

    key: DataKey = Field("ca.crt", description="Key whose value is one or more certificates in PEM form.")
