"""Reads URLs and certificates of broker and result backend from the Secrets that TaskGroups name."""

from base64 import b64decode
from binascii import Error as Base64Error

from taskgroup.api.spec import CertificateKeyRef, SecretKeyRef
from taskgroup.cluster.client import Cluster
from taskgroup.cluster.errors import ForbiddenError, NotFoundError, SecretMissingError
from taskgroup.cluster.resources import SECRETS


async def read_text(cluster: Cluster, namespace: str, ref: SecretKeyRef) -> str:
    """Return the value of one key without surrounding white space, since files end with a newline.

    Raises SecretMissingError when the Secret or the key does not exist, or its value is empty or not text. The value is
    never part of a message.
    """
    content = "certificate" if isinstance(ref, CertificateKeyRef) else "URL"
    label = f'Secret "{ref.name}" in namespace "{namespace}"'
    try:
        secret = await cluster.get(SECRETS, namespace, ref.name)
    except NotFoundError:
        raise SecretMissingError(
            f'{label} does not exist: create it with the {content} under the key "{ref.key}".'
        ) from None
    except ForbiddenError as error:
        text = f"The operator may not read {label}: grant it the verb get on secrets."
        raise ForbiddenError(text, verb=error.verb, resource=error.resource) from None
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
