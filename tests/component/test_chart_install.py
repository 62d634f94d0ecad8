"""The chart installed on a real API server: what should last lasts."""

import base64
from collections.abc import Iterator
from typing import Any

import pytest

from support.helm import CHART, FULLNAME, RELEASE, helm
from support.kubectl import Kubectl, kubeconfig, new_namespace

SECRET = f"{FULLNAME}-redis"
VALUES: dict[str, Any] = {"crds": {"install": False}}
"""The definitions are the whole cluster's; other tests on the same API server have their own."""


@pytest.fixture
def namespace() -> Iterator[Kubectl]:
    with new_namespace() as kubectl:
        yield kubectl


@pytest.fixture
def other_namespace() -> Iterator[Kubectl]:
    with new_namespace() as kubectl:
        yield kubectl


def password(kubectl: Kubectl) -> str | None:
    """Password in the Redis Secret; None without a Secret."""
    data = kubectl("get", "secret", SECRET, "--output", "jsonpath={.data.password}", "--ignore-not-found").stdout
    return base64.b64decode(data).decode() or None


def test_the_password_outlives_an_upgrade_and_a_reinstall(namespace: Kubectl, other_namespace: Kubectl) -> None:
    home, other = namespace, other_namespace
    values = {**VALUES, "redis": {"namespaces": [other.namespace]}}
    place = ("--namespace", home.namespace)
    install = ("upgrade", "--install", RELEASE, str(CHART), *place)

    helm(*install, values=values, kubeconfig=kubeconfig())
    first = password(home)
    assert first
    assert password(other) == first

    helm(*install, values={**values, "logLevel": "DEBUG"}, kubeconfig=kubeconfig())
    assert password(home) == first

    # The Job of the hook needs a kubelet; the end-to-end tests run it.
    helm("uninstall", RELEASE, "--no-hooks", *place, kubeconfig=kubeconfig())
    assert (password(home), password(other)) == (first, first)
    names = home("get", "deployments,statefulsets,services,configmaps", "--output", "name").stdout.split()
    assert [name for name in names if RELEASE in name] == []

    helm(*install, values=values, kubeconfig=kubeconfig())
    assert (password(home), password(other)) == (first, first)
    helm("uninstall", RELEASE, "--no-hooks", *place, kubeconfig=kubeconfig())


def test_without_keep_an_uninstall_leaves_no_secret(namespace: Kubectl) -> None:
    place = ("--namespace", namespace.namespace)
    values = {"crds": {"install": False, "keep": False}}
    helm("install", RELEASE, str(CHART), *place, values=values, kubeconfig=kubeconfig())
    assert password(namespace)
    helm("uninstall", RELEASE, "--no-hooks", *place, kubeconfig=kubeconfig())
    assert password(namespace) is None
