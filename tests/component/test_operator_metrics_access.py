"""Who may read the metrics where they are secured: real tokens, rights and certificates; the operator only asks."""

import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from shutil import copyfile

import pytest

from support.authority import Authority
from support.crd.server import shared_task_groups
from support.kubectl import Kubectl, new_namespace
from support.operator_process import OperatorProcess
from support.wait import eventually

READER = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRole",
    "rules": [{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}],
}


@pytest.fixture(scope="module")
def kubectl() -> Iterator[Kubectl]:
    with new_namespace() as kubectl:
        shared_task_groups()
        yield kubectl


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.new(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def operator(
    kubectl: Kubectl, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OperatorProcess]:
    folder = tmp_path_factory.mktemp("operator")
    for source, name in zip(authority.sign("operator"), ("tls.crt", "tls.key"), strict=True):
        copyfile(source, folder / name)
    settings = {"TASKGROUP_METRICS_SECURE": "true", "TASKGROUP_METRICS_CERTIFICATES": str(folder)}
    operator = OperatorProcess(kubectl.namespace, kubectl.kubeconfig, folder, settings)
    operator.start()
    try:
        eventually(lambda: answer(operator, authority, "") == 401, state=lambda: operator.log)
        yield operator
    finally:
        operator.stop()


def answer(operator: OperatorProcess, authority: Authority, token: str) -> int | None:
    """Status of a scrape; None while nobody answers."""
    context = ssl.create_default_context(cafile=str(authority.certificate))
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(f"https://127.0.0.1:{operator.metrics_port}/metrics", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30, context=context) as response:
            assert b"taskgroup_build_info" in response.read()
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code
    except urllib.error.URLError:
        return None


def token_of(kubectl: Kubectl, name: str) -> str:
    assert kubectl("create", "serviceaccount", name).returncode == 0
    return kubectl("create", "token", name).stdout.strip()


def may_read(kubectl: Kubectl, name: str) -> None:
    role = f"{kubectl.namespace}-{name}"
    assert "error" not in kubectl.create({**READER, "metadata": {"name": role}}).lower()
    account = f"--serviceaccount={kubectl.namespace}:{name}"
    assert kubectl("create", "clusterrolebinding", role, f"--clusterrole={role}", account).returncode == 0


def test_only_a_token_with_the_right_reads_them(
    kubectl: Kubectl, operator: OperatorProcess, authority: Authority
) -> None:
    allowed, other = token_of(kubectl, "prometheus"), token_of(kubectl, "stranger")
    may_read(kubectl, "prometheus")

    eventually(lambda: answer(operator, authority, allowed) == 200)
    assert answer(operator, authority, other) == 403
    assert answer(operator, authority, "garbage") == 401
    assert answer(operator, authority, "") == 401


def test_a_right_that_is_given_later_counts_within_seconds(
    kubectl: Kubectl, operator: OperatorProcess, authority: Authority
) -> None:
    token = token_of(kubectl, "later")
    assert answer(operator, authority, token) == 403

    may_read(kubectl, "later")

    eventually(lambda: answer(operator, authority, token) == 200)


def test_files_that_are_no_certificate_are_said_at_the_start(kubectl: Kubectl, tmp_path: Path) -> None:
    (tmp_path / "tls.crt").write_text("no certificate")
    (tmp_path / "tls.key").write_text("no key")
    settings = {"TASKGROUP_METRICS_CERTIFICATES": str(tmp_path), "TASKGROUP_POD_NAME": "broken"}
    operator = OperatorProcess(kubectl.namespace, kubectl.kubeconfig, tmp_path, settings)
    operator.start()

    eventually(lambda: not operator.is_running, state=lambda: operator.log)

    assert "TASKGROUP_METRICS_CERTIFICATES" in operator.log
    assert "Traceback" not in operator.log
