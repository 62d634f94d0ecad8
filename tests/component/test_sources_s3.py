"""Items in an S3 server, read by the program of the pod that reads them; and servers with an authority of their own."""

import hashlib
import json
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import redis

from support.authority import Authority
from support.cutting_proxy import cutting_proxy
from support.s3_server import BUCKET, CREDENTIALS, REGION, S3Server, s3_server
from support.wait import PATIENCE
from taskgroup.core.items.handover import HEAD, LONGEST_ITEM, Head, unpacked
from taskgroup.sources.read import REQUEST

KEY = "taskgroup:u1:items"
LONG = b"".join(b'{"number": %d}\n' % number for number in range(400_000))


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Known to nobody."""
    return Authority.new(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """With an object."""
    with s3_server(tmp_path_factory.mktemp("s3") / "data") as server:
        server.put("in/numbers.jsonl", b"1\n2\n3\n")
        yield server


class Reader:
    """The pod's program, with the pod's environment."""

    def __init__(self, client: redis.Redis, url: str) -> None:
        self._client = client
        self._url = url

    def read(self, request: dict[str, Any], credentials: dict[str, str] | None = None) -> tuple[list[Any], str]:
        """The items, or the sentence why there are none."""
        request = {"name": "a.jsonl", "source": "s", "key": KEY, "place": ""} | request
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        environment |= {REQUEST: json.dumps(request), "CELERY_BROKER_URL": self._url} | (credentials or {})
        command = [sys.executable, "-m", "taskgroup.sources.read"]
        subprocess.run(command, env=environment, check=True, timeout=PATIENCE, capture_output=True)
        head = Head.decode(self._field(HEAD))
        pieces = [self._field(str(number)) for number in range(len(head.starts))]
        return [item for piece in pieces for item in unpacked(piece, 4 * LONGEST_ITEM)], head.error

    def _field(self, name: str) -> bytes:
        found = self._client.hget(KEY, name)
        assert isinstance(found, bytes)
        return found


@pytest.fixture
def reader(client: redis.Redis, redis_url: str) -> Reader:
    """Its Redis is empty."""
    return Reader(client, redis_url)


def place(server: S3Server, **fields: str) -> dict[str, Any]:
    whole = {"endpoint": server.endpoint, "bucket": BUCKET, "key": "in/numbers.jsonl", "region": REGION}
    return {"s3": whole | fields}


def test_an_object_is_read(server: S3Server, reader: Reader) -> None:
    assert reader.read(place(server), CREDENTIALS) == ([1, 2, 3], "")


def test_a_public_object_needs_no_credentials(tmp_path: Path, reader: Reader) -> None:
    with s3_server(tmp_path / "data") as server:
        server.put("a b.jsonl", b"1\n")
        server.open_to_all()

        assert reader.read(place(server, key="a b.jsonl")) == ([1], "")


@pytest.mark.parametrize(
    ("fields", "credentials", "sentence"),
    [
        ({"bucket": "other"}, CREDENTIALS, "There is no bucket 'other'."),
        ({"key": "in/a.csv"}, CREDENTIALS, "There is no object 'in/a.csv' in the bucket 'lists'."),
        (
            {},
            CREDENTIALS | {"AWS_SECRET_ACCESS_KEY": "x"},
            "AWS_SECRET_ACCESS_KEY does not belong to AWS_ACCESS_KEY_ID, as the S3 server says.",
        ),
        (
            {},
            CREDENTIALS | {"AWS_ACCESS_KEY_ID": "x"},
            "The S3 server answers XAdminUserNotFound: No user exists with the provided access key ID.",
        ),
        ({}, None, "The S3 server denies access to 'in/numbers.jsonl' in the bucket 'lists' without credentials."),
        (
            {"region": "eu-1"},
            CREDENTIALS,
            "The S3 server answers AuthorizationHeaderMalformed: The authorization header",
        ),
        ({"key": "a//b"}, CREDENTIALS, "The key 'a//b' cannot be asked for: "),
        (
            {"endpoint": "http://127.0.0.1:1"},
            CREDENTIALS,
            "The S3 server http://127.0.0.1:1 cannot be reached: Connection refused.",
        ),
    ],
)
def test_what_is_wrong_is_said(
    server: S3Server, reader: Reader, fields: dict[str, str], credentials: dict[str, str] | None, sentence: str
) -> None:
    items, error = reader.read(place(server, **fields), credentials)

    assert items == []
    assert error.startswith(sentence), error


def test_the_digest_is_compared(server: S3Server, reader: Reader) -> None:
    found = hashlib.sha256(b"1\n2\n3\n").hexdigest()

    assert reader.read(place(server) | {"sha256": found}, CREDENTIALS)[1] == ""
    assert f"Its sha256 is {found}, " in reader.read(place(server) | {"sha256": "0" * 64}, CREDENTIALS)[1]


@pytest.mark.parametrize(
    ("later", "count", "sentence"),
    [
        (LONG, 400_000, ""),
        (LONG[:-20], 0, "The object 'long.jsonl' has changed while it was read."),
    ],
)
def test_a_cut_connection_is_resumed_only_in_the_same_object(
    server: S3Server, reader: Reader, later: bytes, count: int, sentence: str
) -> None:
    server.put("long.jsonl", LONG)
    port = int(server.endpoint.rpartition(":")[2])
    with cutting_proxy(port, len(LONG) // 2, partial(server.put, "long.jsonl", later)) as way:
        cut = replace(server, endpoint=f"http://127.0.0.1:{way}")
        items, error = reader.read(place(cut, key="long.jsonl"), CREDENTIALS)

    assert (len(items), error) == (count, sentence)


def test_an_s3_server_of_an_own_authority_is_read_when_it_is_named(
    tmp_path: Path, authority: Authority, reader: Reader
) -> None:
    with s3_server(tmp_path / "data", authority.sign("s3")) as server:
        server.put("in/numbers.jsonl", b"1\n")

        named = place(server) | {"authority": str(authority.certificate)}
        assert reader.read(named, CREDENTIALS) == ([1], "")
        assert reader.read(place(server), CREDENTIALS)[1] == (
            "The S3 server's certificate is signed by no known authority: name it in spec.itemsFrom.caSecretKeyRef."
        )


@pytest.fixture
def site(tmp_path: Path, authority: Authority) -> Iterator[str]:
    """The URL of a file at a web server of that authority."""
    (tmp_path / "a.jsonl").write_bytes(b"1\n2\n")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(tmp_path)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.sign("site"))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"https://127.0.0.1:{server.server_port}/a.jsonl"
    server.shutdown()
    server.server_close()


def test_a_url_of_an_own_authority_is_read_when_it_is_named(
    site: str, authority: Authority, reader: Reader, tmp_path: Path
) -> None:
    (tmp_path / "none.crt").write_text("none")

    assert reader.read({"place": site, "authority": str(authority.certificate)}) == ([1, 2], "")
    error = reader.read({"place": site})[1]
    assert error.startswith("The URL cannot be reached: its certificate is not trusted (")
    assert error.endswith("): spec.itemsFrom.caSecretKeyRef can name who signs it.")
    error = reader.read({"place": site, "authority": str(tmp_path / "none.crt")})[1]
    assert error == "spec.itemsFrom.caSecretKeyRef names no certificates in PEM form."
