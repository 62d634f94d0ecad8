"""Which broker and result backend a group uses, and its connection to them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from taskgroup.api.backend import Backend, TransportOptions
from taskgroup.api.names import Reason
from taskgroup.api.secret_keys import CertificateKeyRef, SecretKeyRef
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.cluster.errors import ForbiddenError, SecretMissingError
from taskgroup.connections.shared import Address, Connection, Connections
from taskgroup.core.meta import Meta
from taskgroup.core.trouble import Trouble
from taskgroup.results.subscription import Subscription
from taskgroup.settings import Settings
from taskgroup.transport.tls import Certificates
from taskgroup.transport.url import in_namespace

ReadText = Callable[[str, SecretKeyRef], Awaitable[str]]
"""Namespace and key to the text in a Secret; SecretMissingError or ForbiddenError when it cannot be read."""


@dataclass(frozen=True, slots=True)
class Link:
    """The group's connection, and its place in the sweep."""

    address: Address
    connection: Connection
    subscription: Subscription


class LinkError(Exception):
    """The group has no usable broker; `trouble` says why and what to do."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.message)
        self.trouble = trouble


class Linker:
    """Turns the Secrets that a spec names into open connections."""

    def __init__(self, read_text: ReadText, settings: Settings, connections: Connections) -> None:
        self._read_text = read_text
        self._settings = settings
        self._connections = connections
        self._addresses: dict[str, Address] = {}
        """Last known address of each group."""

    async def link(self, meta: Meta, spec: TaskGroupSpec, wake: Callable[[], None], old: Link | None) -> Link:
        """The group's connection: the old one while nothing changed, else a new one with a fresh subscription."""
        address = await self._address(meta, spec)
        if old is not None and old.address == address:
            return old
        connection = self._use(address, meta.uid)
        if old is not None:
            await self.unlink(meta.uid, old)
        self._addresses[meta.uid] = address
        return Link(address, connection, connection.sweeper.subscribe(meta.uid, wake))

    async def default_address(self) -> Address | None:
        """The chart's broker, when there is one whose Secret can be read."""
        if not self._settings.redis_secret:
            return None
        url = await self._url(self._settings.namespace, SecretKeyRef(name=self._settings.redis_secret))
        return Address(url, url, TransportOptions(), TransportOptions())

    async def link_for_cleanup(self, meta: Meta, spec: TaskGroupSpec) -> Link:
        """As `link`; in a terminating namespace the Secret may be gone, then the last known address serves."""
        try:
            address = await self._address(meta, spec)
        except LinkError:
            if meta.uid not in self._addresses:
                raise
            address = self._addresses[meta.uid]
        connection = self._use(address, meta.uid)
        return Link(address, connection, connection.sweeper.subscribe(meta.uid, _nobody))

    def _use(self, address: Address, uid: str) -> Connection:
        try:
            return self._connections.use(address, uid)
        except ValueError as error:
            raise LinkError(Trouble(Reason.INVALID_URL, str(error))) from None

    def forget(self, uid: str) -> None:
        """The object is gone."""
        self._addresses.pop(uid, None)

    async def unlink(self, uid: str, link: Link) -> None:
        """The group is done with its connection."""
        await self._connections.release(link.address, uid)

    async def _address(self, meta: Meta, spec: TaskGroupSpec) -> Address:
        broker = self.broker_of(meta, spec)
        results = spec.result_backend or broker
        broker_url, certificates = await self._endpoint(meta.namespace, broker)
        same = results == broker
        results_url, others = (broker_url, certificates) if same else await self._endpoint(meta.namespace, results)
        return Address(
            broker_url, results_url, broker.transport_options, results.transport_options, certificates, others
        )

    async def _endpoint(self, namespace: str, backend: Backend) -> tuple[str, Certificates]:
        """What the Secrets of one backend hold."""
        url = await self._url(namespace, backend.secret_key_ref)
        return url, await read_certificates(self._read, namespace, backend)

    async def _url(self, namespace: str, reference: SecretKeyRef) -> str:
        try:
            return in_namespace(await self._read(namespace, reference), namespace)
        except ValueError as error:
            raise LinkError(Trouble(Reason.INVALID_URL, str(error))) from None

    async def _read(self, namespace: str, reference: SecretKeyRef) -> str:
        try:
            return await self._read_text(namespace, reference)
        except SecretMissingError as error:
            raise LinkError(Trouble(Reason.SECRET_NOT_FOUND, error.message)) from None
        except ForbiddenError as error:
            raise LinkError(Trouble(Reason.FORBIDDEN, error.message)) from None

    def broker_of(self, meta: Meta, spec: TaskGroupSpec) -> Backend:
        """The broker that the spec names, or the chart's where it is allowed."""
        if spec.broker is not None:
            return spec.broker
        if self._settings.redis_secret and meta.namespace in self._settings.redis_namespaces:
            return Backend(secret_key_ref=SecretKeyRef(name=self._settings.redis_secret))
        raise LinkError(Trouble(Reason.NO_BROKER, _no_broker(meta.namespace)))


async def read_certificates(read_text: ReadText, namespace: str, backend: Backend) -> Certificates:
    """What the Secrets hold that a backend names."""
    authority, client = backend.ca_secret_key_ref, backend.client_certificate_secret_ref
    names = [CertificateKeyRef(name=client.name, key=key) for key in ("tls.crt", "tls.key")] if client else []
    texts = [await read_text(namespace, name) for name in names] or ["", ""]
    return Certificates(await read_text(namespace, authority) if authority else "", *texts)


def _nobody() -> None:
    """Nobody waits for what arrives."""


def _no_broker(namespace: str) -> str:
    return (
        f"The namespace {namespace} has no default broker: name a Secret in spec.broker.secretKeyRef,"
        " or add the namespace to redis.namespaces in the chart's values."
    )
