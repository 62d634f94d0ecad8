"""A certificate authority of a test's own, by the openssl command."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Authority:
    """Signs certificates; every file is in `folder`."""

    folder: Path
    name: str = "ca"

    @classmethod
    def new(cls, folder: Path, name: str = "ca") -> "Authority":
        """A fresh one."""
        authority = cls(folder, name)
        _openssl(folder, "req", "-x509", *_KEY, "-keyout", f"{name}.key", "-out", f"{name}.crt", "-subj", f"/CN={name}")
        return authority

    @property
    def certificate(self) -> Path:
        """Its own certificate."""
        return self.folder / f"{self.name}.crt"

    def sign(self, name: str, *, host: str = "IP:127.0.0.1") -> tuple[Path, Path]:
        """A certificate for `name` at `host`, and its private key."""
        key, request, certificate = (self.folder / f"{name}.{kind}" for kind in ("key", "csr", "crt"))
        extra = self.folder / f"{name}.ext"
        extra.write_text(f"subjectAltName={host}\n")
        _openssl(self.folder, "req", *_KEY, "-keyout", str(key), "-out", str(request), "-subj", f"/CN={name}")
        signing = ["-CA", str(self.certificate), "-CAkey", str(self.folder / f"{self.name}.key"), "-CAcreateserial"]
        command = ["x509", "-req", "-in", str(request), *signing, "-extfile", str(extra), "-out", str(certificate)]
        _openssl(self.folder, *command, "-days", "2")
        return certificate, key


_KEY = ("-newkey", "rsa:2048", "-nodes")


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
