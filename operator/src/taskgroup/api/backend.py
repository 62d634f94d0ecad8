"""How a broker or a result backend is reached: where its URL is, and the options of the connection."""

from typing import Annotated

from pydantic import Field

from taskgroup.api.base import Model, ObjectName
from taskgroup.api.secret_keys import CertificateKeyRef, SecretKeyRef


class ClientCertificateRef(Model):
    """A Secret of type kubernetes.io/tls in the TaskGroup's namespace."""

    name: ObjectName = Field(description="Name of the Secret; its keys are tls.crt and tls.key.")


class TransportOptions(Model):
    """Options of the connection; they drive the operator and the workers alike."""

    global_key_prefix: Annotated[str, Field(max_length=128)] | None = Field(
        None, description="Put before every key, for Redis users that may only touch some keys."
    )
    socket_timeout_seconds: Annotated[int, Field(ge=1, le=600)] | None = Field(
        None, description="How long to wait for an answer."
    )
    socket_connect_timeout_seconds: Annotated[int, Field(ge=1, le=600)] | None = Field(
        None, description="How long to wait for a connection; 5 when absent."
    )
    socket_keepalive: bool | None = Field(None, description="TCP keep-alive.")
    health_check_interval_seconds: Annotated[int, Field(ge=1, le=3600)] | None = Field(
        None, description="Ping a connection that was idle this long before it is used."
    )


class Backend(Model):
    """A broker or result backend, by the Secret that holds its URL."""

    secret_key_ref: SecretKeyRef = Field(description="Secret and key that hold the URL.")
    ca_secret_key_ref: CertificateKeyRef | None = Field(
        None, description="Who signs the server's certificate, for a rediss URL; the public authorities when absent."
    )
    client_certificate_secret_ref: ClientCertificateRef | None = Field(
        None, description="Certificate that operator and workers present to the server, for a rediss URL."
    )
    transport_options: TransportOptions = Field(
        default_factory=TransportOptions, description="Options of the connection."
    )
