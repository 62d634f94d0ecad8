"""Reading URLs from Secrets of a real API server."""

from base64 import b64encode

import pytest

from support.api_server import connected
from taskgroup.api.secret_keys import SecretKeyRef
from taskgroup.cluster.client import Cluster
from taskgroup.cluster.errors import ForbiddenError, SecretMissingError
from taskgroup.cluster.resources import SECRETS
from taskgroup.cluster.secrets import KEPT_SECONDS, RecentSecrets, read_text

URL = "redis://:geheim@redis:6379/0"
REF = SecretKeyRef(name="redis", key="url")


async def store(cluster: Cluster, namespace: str, **data: bytes) -> None:
    encoded = {key: b64encode(value).decode() for key, value in data.items()}
    await cluster.create(SECRETS, namespace, {"metadata": {"name": "redis"}, "data": encoded})


@pytest.mark.parametrize("stored", [URL, f"{URL}\n", f" {URL} "])
async def test_the_url_is_read_without_white_space(cluster: Cluster, namespace: str, stored: str) -> None:
    await store(cluster, namespace, url=stored.encode())

    assert await read_text(cluster, namespace, REF) == URL


async def test_a_missing_secret(cluster: Cluster, namespace: str) -> None:
    with pytest.raises(SecretMissingError) as caught:
        await read_text(cluster, namespace, REF)

    label = f'Secret "redis" in namespace "{namespace}"'
    assert caught.value.message == f'{label} does not exist: create it with the URL under the key "url".'


async def test_a_missing_key(cluster: Cluster, namespace: str) -> None:
    await store(cluster, namespace, uri=URL.encode(), ca=b"x")

    with pytest.raises(SecretMissingError, match=r'has no key "url" \(keys: "ca", "uri"\): add the URL under that key'):
        await read_text(cluster, namespace, REF)


@pytest.mark.parametrize(("value", "expected"), [(b"", "is empty"), (b" \n", "is empty"), (b"\xff\xfe", "is not text")])
async def test_a_useless_value_is_reported_but_not_shown(
    cluster: Cluster, namespace: str, value: bytes, expected: str
) -> None:
    await store(cluster, namespace, url=value)

    with pytest.raises(SecretMissingError, match=f'The key "url" of Secret "redis" .* {expected}: store the URL there'):
        await read_text(cluster, namespace, REF)


async def test_a_secret_that_the_operator_may_not_read(namespace: str) -> None:
    async with connected(user="nobody") as powerless:
        with pytest.raises(ForbiddenError, match=r'may not read Secret "redis" .* grant it the verb get on secrets'):
            await read_text(powerless, namespace, REF)


async def test_a_thousand_groups_of_one_secret_read_it_once_and_a_new_one_is_seen_soon(
    cluster: Cluster, namespace: str
) -> None:
    now = 100.0
    secrets = RecentSecrets(cluster, lambda: now)
    with pytest.raises(SecretMissingError):
        await secrets.read_text(namespace, REF)

    await store(cluster, namespace, url=URL.encode())
    assert await secrets.read_text(namespace, REF) == URL, "what was missing is asked for again at once"
    await cluster.delete(SECRETS, namespace, "redis")
    await store(cluster, namespace, url=b"redis://other:6379/0")

    assert await secrets.read_text(namespace, REF) == URL, "no request was made"
    now += KEPT_SECONDS + 1
    assert await secrets.read_text(namespace, REF) == "redis://other:6379/0"
