"""An S3 server on a free loopback port, that keeps its objects in a folder."""

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import obstore
from obstore.store import S3Store

from support.ports import free_port
from support.wait import eventually

ROOT = Path(__file__).parents[2]
REGION = "us-east-1"
_USER, _PASSWORD = "reader", "a-long-secret"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": _USER, "AWS_SECRET_ACCESS_KEY": _PASSWORD}
BUCKET = "lists"
_POLICY_ATTRIBUTE = "user.policy"
"""Where the server keeps a bucket's policy."""


@dataclass(frozen=True, slots=True)
class S3Server:
    """It has one bucket."""

    folder: Path
    endpoint: str

    def put(self, key: str, content: bytes) -> None:
        """An object of the bucket."""
        store = S3Store(
            BUCKET,
            endpoint=self.endpoint,
            region=REGION,
            access_key_id=_USER,
            secret_access_key=_PASSWORD,
            client_options={"allow_http": True, "allow_invalid_certificates": True},
        )
        obstore.put(store, key, content)

    def open_to_all(self) -> None:
        """Everybody may read the bucket's objects."""
        allow = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
        os.setxattr(self.folder / BUCKET, _POLICY_ATTRIBUTE, policy.encode())


@cache
def _program() -> str:
    """Built when it is not there."""
    return subprocess.run([ROOT / "tests/s3/server.sh"], check=True, capture_output=True, text=True).stdout.strip()


@contextmanager
def s3_server(folder: Path, certificate: tuple[Path, Path] | None = None) -> Iterator[S3Server]:
    """A running one; with a certificate and its key it speaks TLS."""
    (folder / BUCKET).mkdir(parents=True)
    port = free_port()
    scheme = "https" if certificate else "http"
    tls = ["--cert", str(certificate[0]), "--key", str(certificate[1])] if certificate else []
    user = {"ROOT_ACCESS_KEY": _USER, "ROOT_SECRET_KEY": _PASSWORD}
    command = [_program(), "--quiet", "--port", f"127.0.0.1:{port}", "--region", REGION, *tls, "posix", str(folder)]
    log = (folder.parent / f"{folder.name}.log").open("wb")
    with log, subprocess.Popen(command, env={**os.environ, **user}, stdout=log, stderr=log) as process:
        try:
            eventually(lambda: _listens(port))
            yield S3Server(folder, f"{scheme}://127.0.0.1:{port}")
        finally:
            process.terminate()


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False
