"""Redis with TLS by an authority of its own, for the operator and for a stock worker with the settings of a pod."""

import asyncio
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis

from support.authority import Authority
from support.celery_worker import celery_worker
from support.ports import free_port
from support.wait import eventually
from taskgroup.api.backend import Backend, ClientCertificateRef
from taskgroup.api.secret_keys import CertificateKeyRef, SecretKeyRef
from taskgroup.api.signature import Leaf
from taskgroup.api.workers import Workers
from taskgroup.broker.port import Opening, Route
from taskgroup.broker.redis_broker import RedisBroker
from taskgroup.cluster.workers.certificates import tls_settings
from taskgroup.cluster.workers.command import arguments
from taskgroup.core.groups.observed import Fence
from taskgroup.core.pools.pool_spec import PoolSpec
from taskgroup.core.task_id import task_id
from taskgroup.results.redis_results import RedisResults
from taskgroup.transport.errors import BrokerError
from taskgroup.transport.network import Network
from taskgroup.transport.tls import PLAIN, Certificates

UID = "5a1c2c1e-2e0f-4a52-8f53-6f1a7c0d9b11"


@dataclass(frozen=True, slots=True)
class SecureRedis:
    """A running server, and what a client needs of its authority."""

    port: int
    authority: Authority
    client: tuple[Path, Path]

    @property
    def url(self) -> str:
        return f"rediss://127.0.0.1:{self.port}/0"

    def certificates(self, *, client: bool = False) -> Certificates:
        texts = [path.read_text() for path in self.client] if client else []
        return Certificates(self.authority.certificate.read_text(), *texts)


@contextmanager
def secure_redis(folder: Path, *, asks_clients: bool, host: str = "IP:127.0.0.1") -> Iterator[SecureRedis]:
    authority = Authority.new(folder)
    certificate, key = authority.sign("server", host=host)
    server = SecureRedis(free_port(), authority, authority.sign("client"))
    command = ["redis-server", "--port", "0", "--tls-port", str(server.port), "--bind", "127.0.0.1", "--save", ""]
    command += ["--tls-cert-file", str(certificate), "--tls-key-file", str(key)]
    command += ["--tls-ca-cert-file", str(authority.certificate), "--tls-auth-clients", "yes" if asks_clients else "no"]
    with (folder / "redis.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log)
    try:
        eventually(lambda: _answers(server))
        yield server
    finally:
        process.kill()
        process.wait()


def _answers(server: SecureRedis) -> bool:
    certificate, key = server.client
    files = {"ssl_certfile": str(certificate), "ssl_keyfile": str(key)}
    try:
        with redis.Redis.from_url(server.url, ssl_ca_certs=str(server.authority.certificate), **files) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureRedis]:
    with secure_redis(tmp_path_factory.mktemp("private"), asks_clients=False) as server:
        yield server


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureRedis]:
    with secure_redis(tmp_path_factory.mktemp("strict"), asks_clients=True) as server:
        yield server


async def ping(url: str, certificates: Certificates, network: Network | None = None) -> str:
    """What is wrong; empty when nothing is."""
    broker = RedisBroker(url, network=network, certificates=certificates)
    try:
        await broker.ping()
    except BrokerError as error:
        return error.message
    finally:
        await broker.close()
    return ""


async def test_an_authority_of_ones_own_is_trusted_where_its_secret_is_named(private: SecureRedis) -> None:
    assert "caSecretKeyRef" in await ping(private.url, PLAIN)
    assert await ping(private.url, private.certificates()) == ""


async def test_another_authority_is_not_trusted(private: SecureRedis, tmp_path: Path) -> None:
    other = Authority.new(tmp_path, "other")

    assert "not trusted" in await ping(private.url, Certificates(other.certificate.read_text()))


async def test_a_certificate_for_another_host_is_refused(private: SecureRedis) -> None:
    assert "another name" in await ping(private.url.replace("127.0.0.1", "localhost"), private.certificates())


async def test_a_forwarded_port_is_checked_for_the_name_of_the_server(tmp_path: Path) -> None:
    """`taskgroup results` from outside of the cluster found a certificate for another name than 127.0.0.1."""
    with secure_redis(tmp_path, asks_clients=False, host="DNS:redis.shop,IP:127.0.0.1") as server:
        network = Network(forwards={("redis.shop", 6379): server.port, ("redis.other", 6379): server.port})

        assert await ping("rediss://redis.shop:6379/0", server.certificates(), network) == ""
        assert "another name" in await ping("rediss://redis.other:6379/0", server.certificates(), network)


async def test_a_server_that_asks_for_a_client_certificate(strict: SecureRedis) -> None:
    assert "clientCertificateSecretRef" in await ping(strict.url, strict.certificates())
    assert await ping(strict.url, strict.certificates(client=True)) == ""


def test_certificates_that_cannot_be_used_are_said_in_a_sentence(private: SecureRedis, tmp_path: Path) -> None:
    authority = private.authority.certificate.read_text()
    certificate, key = (path.read_text() for path in private.client)
    locked = tmp_path / "locked.key"
    lock = ["openssl", "rsa", "-aes256", "-passout", "pass:x", "-in", str(private.client[1]), "-out", str(locked)]
    subprocess.run(lock, check=True, capture_output=True)
    for certificates, words in (
        (Certificates("nonsense"), "caSecretKeyRef cannot be read"),
        (Certificates("x" * 600_000), "longer than"),
        (Certificates(authority, certificate, "nonsense"), "clientCertificateSecretRef cannot be used"),
        (Certificates(authority, certificate, locked.read_text()), "unencrypted"),
        (Certificates(authority, certificate[:300], key), "clientCertificateSecretRef cannot be used"),
    ):
        with pytest.raises(ValueError, match=words):
            RedisBroker(private.url, certificates=certificates)
    for url in (private.url + "?ssl_cert_reqs=none", private.url.replace("rediss", "redis")):
        with pytest.raises(ValueError, match="certificates are given"):
            RedisBroker(url, certificates=Certificates(authority))


def _settings(server: SecureRedis) -> tuple[str, ...]:
    """The operator's settings about TLS, with this machine's files in place of the pod's."""
    backend = Backend(
        secret_key_ref=SecretKeyRef(name="redis"),
        ca_secret_key_ref=CertificateKeyRef(name="authority"),
        client_certificate_secret_ref=ClientCertificateRef(name="client"),
    )
    spec = PoolSpec(
        workers=Workers(image="i", app="a"),
        broker=backend,
        results=backend,
        queue="q",
        unacked_options={},
        grace_seconds=1,
        backend_hash="h",
    )
    names = [name for name, _ in tls_settings(spec)]
    certificate, key = server.client
    paths = {"ca.crt": server.authority.certificate, "tls.crt": certificate, "tls.key": key}
    given = [argument for argument in arguments(spec) if argument.partition("=")[0] in names]
    for role in ("broker", "results"):
        for file, path in paths.items():
            given = [one.replace(f"/etc/taskgroup/certificates/{role}/{file}", str(path)) for one in given]
    assert len(given) == 2
    return tuple(given)


async def test_a_stock_worker_runs_an_item_over_the_same_connection(strict: SecureRedis, tmp_path: Path) -> None:
    certificates, route = strict.certificates(client=True), Route(UID, UID)
    broker = RedisBroker(strict.url, certificates=certificates)
    results = RedisResults(strict.url, certificates=certificates)
    await broker.groups.open(route, Opening(nonce="n"))
    message = broker.groups.template(Leaf(task="demo.echo"), route).render(0, 0, ["hello"], {})
    await broker.groups.dispatch(route, Fence("n", 1), 0, 0, [message])
    queue = broker.pools.queue(UID)
    with celery_worker(strict.url, queue, tmp_path, settings=_settings(strict)) as worker:
        for _ in range(2_000):
            if await results.ended([task_id(UID, 0)]):
                break
            await asyncio.sleep(0.1)
        else:
            raise AssertionError(worker.log)
    stored = (await results.values([task_id(UID, 0)]))[0]
    await broker.close()
    await results.close()

    assert stored is not None
    assert stored.value == [["hello"], {}]
