"""Reads URLs and certificates of broker and result backend from the Secrets that TaskGroups name."""

import time
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable

from taskgroup.api.secret_keys import CertificateKeyRef, SecretKeyRef
from taskgroup.cluster.client import Cluster, Object
from taskgroup.cluster.errors import ForbiddenError, NotFoundError, SecretMissingError
from taskgroup.cluster.resources import SECRETS

KEPT_SECONDS = 5.0
"""A change of a Secret is seen this much later."""


class RecentSecrets:
    """Reads each Secret once in some seconds: a thousand groups that are created at once name the same one."""

    def __init__(self, cluster: Cluster, clock: Callable[[], float] = time.monotonic) -> None:
        self._cluster = cluster
        self._clock = clock
        self._recent: dict[tuple[str, str], tuple[float, Object]] = {}
        """Namespace and name to when it was read, and the Secret; the oldest first."""

    async def read_text(self, namespace: str, ref: SecretKeyRef) -> str:
        """As `read_text`. What could not be read is asked for again at once."""
        self._drop_old()
        key = (namespace, ref.name)
        if key not in self._recent:
            secret = await _read(self._cluster, namespace, ref)
            self._recent[key] = (self._clock(), secret)
        return _text(self._recent[key][1], namespace, ref)

    def _drop_old(self) -> None:
        while self._recent and next(iter(self._recent.values()))[0] < self._clock() - KEPT_SECONDS:
            del self._recent[next(iter(self._recent))]


async def read_text(cluster: Cluster, namespace: str, ref: SecretKeyRef) -> str:
    """Return the value of one key without surrounding white space, since files end with a newline.

    Raises SecretMissingError when the Secret or the key does not exist, or its value is empty or not text. The value is
    never part of a message.
    """
    return _text(await _read(cluster, namespace, ref), namespace, ref)


async def _read(cluster: Cluster, namespace: str, ref: SecretKeyRef) -> Object:
    label = _label(namespace, ref)
    try:
        return await cluster.get(SECRETS, namespace, ref.name)
    except NotFoundError:
        text = f'{label} does not exist: create it with the {_content(ref)} under the key "{ref.key}".'
        raise SecretMissingError(text) from None
    except ForbiddenError as error:
        text = f"The operator may not read {label}: grant it the verb get on secrets."
        raise ForbiddenError(text, verb=error.verb, resource=error.resource) from None


def _content(ref: SecretKeyRef) -> str:
    return "certificate" if isinstance(ref, CertificateKeyRef) else "URL"


def _label(namespace: str, ref: SecretKeyRef) -> str:
    return f'Secret "{ref.name}" in namespace "{namespace}"'


def _text(secret: Object, namespace: str, ref: SecretKeyRef) -> str:
    label, content = _label(namespace, ref), _content(ref)
    data = secret.get("data") or {}
    if ref.key not in data:
        keys = ", ".join(f'"{key}"' for key in sorted(data)[:10]) or "none"
        text = f'{label} has no key "{ref.key}" (keys: {keys}): add the {content} under that key, or name another.'
        raise SecretMissingError(text)
    try:
        text = b64decode(data[ref.key]).decode().strip()
    except (Base64Error, UnicodeDecodeError):
        raise SecretMissingError(f'The key "{ref.key}" of {label} is not text: store the {content} there.') from None
    if not text:
        raise SecretMissingError(f'The key "{ref.key}" of {label} is empty: store the {content} there.')
    return text
