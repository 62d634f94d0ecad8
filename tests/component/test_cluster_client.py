"""The client on a real API server: its requests have the documented effect, and every failure is a sentence."""

import socket
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.api_server import connected
from support.kubectl import kubeconfig
from taskgroup.cluster import client
from taskgroup.cluster.client import Cluster, connect
from taskgroup.cluster.errors import (
    ApiError,
    ConflictError,
    ForbiddenError,
    KindMissingError,
    NotFoundError,
    RefusedError,
)
from taskgroup.cluster.resources import DEPLOYMENTS, PODS, SECRETS, Resource

CONFIG_MAPS = Resource("v1", "ConfigMap", "configmaps")
"""A kind with which every API server can be tried."""


def config_map(namespace: str, name: str = "settings", **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": namespace}, "data": data}


async def test_applying_twice_changes_nothing(cluster: Cluster, namespace: str) -> None:
    first = await cluster.apply(CONFIG_MAPS, config_map(namespace, a="1"))
    second = await cluster.apply(CONFIG_MAPS, config_map(namespace, a="1"))

    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


async def test_applying_takes_back_what_somebody_changed_and_leaves_the_rest(cluster: Cluster, namespace: str) -> None:
    await cluster.apply(CONFIG_MAPS, config_map(namespace, ours="1"))
    await cluster.merge_patch(CONFIG_MAPS, namespace, "settings", {"data": {"ours": "2", "theirs": "3"}})

    healed = await cluster.apply(CONFIG_MAPS, config_map(namespace, ours="1"))

    assert healed["data"] == {"ours": "1", "theirs": "3"}


async def test_a_list_is_read_to_its_end(cluster: Cluster, namespace: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PAGE", 2)
    for number in range(5):
        body = config_map(namespace, f"page-{number}")
        body["metadata"]["labels"] = {"page": "yes"}
        await cluster.create(CONFIG_MAPS, namespace, body)

    config_maps = await cluster.list_all(CONFIG_MAPS, namespace, labels="page=yes")

    assert [item["metadata"]["name"] for item in config_maps] == [f"page-{number}" for number in range(5)]


@pytest.mark.parametrize("metadata_only", [False, True])
async def test_a_list_of_nothing_is_empty(cluster: Cluster, namespace: str, *, metadata_only: bool) -> None:
    listed = await cluster.list_all(CONFIG_MAPS, namespace, labels="nobody=has-it", metadata_only=metadata_only)

    assert listed == []


async def test_a_missing_object_is_named(cluster: Cluster, namespace: str) -> None:
    with pytest.raises(NotFoundError, match=rf'^ConfigMap "settings" in namespace "{namespace}" does not exist\.$'):
        await cluster.get(CONFIG_MAPS, namespace, "settings")


async def test_a_kind_without_a_definition_is_told_from_an_object_that_is_missing(
    cluster: Cluster, namespace: str
) -> None:
    unknown = Resource("taskgroups.dev/v1alpha1", "Surprise", "surprises")
    requests = (
        cluster.get(unknown, namespace, "a"),
        cluster.list_all(unknown, namespace),
        cluster.create(unknown, namespace, {"metadata": {"name": "a"}}),
        cluster.replace(unknown, {"metadata": {"name": "a", "namespace": namespace}}),
    )

    for request in requests:
        with pytest.raises(KindMissingError) as caught:
            await request
        assert caught.value.message == (
            "The cluster has no definition of surprises: upgrade the chart with crds.install=true, or apply the files"
            " in its folder files/crds."
        )


async def test_a_taken_name_is_a_conflict(cluster: Cluster, namespace: str) -> None:
    await cluster.create(CONFIG_MAPS, namespace, config_map(namespace))

    with pytest.raises(ConflictError, match="already exists"):
        await cluster.create(CONFIG_MAPS, namespace, config_map(namespace))


async def test_a_write_is_answered_by_the_metadata_alone_when_that_is_asked_for(
    cluster: Cluster, namespace: str
) -> None:
    created = await cluster.create(CONFIG_MAPS, namespace, config_map(namespace, a="1"), metadata_only=True)
    replaced = await cluster.replace(CONFIG_MAPS, config_map(namespace, a="2"), metadata_only=True)

    assert "data" not in created
    assert "data" not in replaced
    stored = await cluster.get(CONFIG_MAPS, namespace, "settings")
    assert stored["data"] == {"a": "2"}
    assert stored["metadata"]["resourceVersion"] == replaced["metadata"]["resourceVersion"]
    with pytest.raises(ConflictError, match="already exists"):
        await cluster.create(CONFIG_MAPS, namespace, config_map(namespace), metadata_only=True)


async def test_a_wrong_object_is_refused_with_the_server_s_message(cluster: Cluster, namespace: str) -> None:
    with pytest.raises(RefusedError, match="selector") as caught:
        await cluster.create(DEPLOYMENTS, namespace, {"metadata": {"name": "empty"}, "spec": {"template": {}}})

    assert "\n" not in caught.value.message


async def test_deleting_tells_whether_there_was_anything(cluster: Cluster, namespace: str) -> None:
    stored = await cluster.create(CONFIG_MAPS, namespace, config_map(namespace))

    with pytest.raises(ConflictError):
        await cluster.delete(CONFIG_MAPS, namespace, "settings", uid="another")
    assert await cluster.delete(CONFIG_MAPS, namespace, "settings", uid=stored["metadata"]["uid"])
    assert not await cluster.delete(CONFIG_MAPS, namespace, "settings")


async def test_a_missing_right_names_verb_and_resource(namespace: str) -> None:
    async with connected(user="nobody") as powerless:
        with pytest.raises(ForbiddenError) as caught:
            await powerless.list_all(PODS, namespace)
        with pytest.raises(ForbiddenError) as status:
            await powerless.json_patch(PODS, namespace, "a", [], subresource="status")

    assert (caught.value.verb, caught.value.resource) == ("list", "pods")
    assert caught.value.message == (
        f'The operator may not list pods (pods in namespace "{namespace}"): grant it that verb in its ClusterRole or'
        " Role."
    )
    assert (status.value.verb, status.value.resource) == ("patch", "pods/status")


async def test_the_message_of_pod_security_is_shown(cluster: Cluster, namespace: str) -> None:
    pod = {"metadata": {"name": "root"}, "spec": {"containers": [{"name": "a", "image": "a"}]}}

    with pytest.raises(ForbiddenError, match="allowPrivilegeEscalation != false"):
        await cluster.create(PODS, namespace, pod)


async def test_wrong_credentials(tmp_path: Path, namespace: str) -> None:
    async with await connect(changed_kubeconfig(tmp_path, token="wrong")) as unauthorized:
        with pytest.raises(ApiError, match="refuses the operator's credentials"):
            await unauthorized.get(SECRETS, namespace, "a")


async def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        async with await connect(changed_kubeconfig(tmp_path, port=port)) as unconnected:
            with pytest.raises(ApiError, match=r"cannot be reached \(get Secret"):
                await unconnected.get(SECRETS, "default", "a")


async def test_a_server_that_does_not_answer(tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        async with await connect(changed_kubeconfig(tmp_path, port=silent.getsockname()[1])) as waiting:
            waiting._timeout = 0.3  # noqa: SLF001
            with pytest.raises(ApiError, match=r"did not answer within 0\.3 s \(get Secret"):
                await waiting.get(SECRETS, "default", "a")


@pytest.mark.parametrize("text", ["", "hello", "a: ["], ids=["empty", "a word", "no YAML"])
async def test_a_file_that_is_no_kubeconfig(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)

    with pytest.raises(ApiError, match="name another file with --kubeconfig"):
        await connect(str(path))


async def test_a_kubeconfig_that_is_not_there() -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.raises(ApiError, match="cannot be read from the kubeconfig"):
        await connect(f"{folder}/none")


async def test_outside_a_cluster_nothing_is_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", kubeconfig())
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)

    with pytest.raises(ApiError, match="service account"):
        await connect()


def changed_kubeconfig(folder: Path, *, port: int | None = None, token: str | None = None) -> str:
    """The tests' kubeconfig with another port or token."""
    config = yaml.safe_load(Path(kubeconfig()).read_text())
    if port:
        config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{port}"
    if token:
        config["users"][0]["user"] = {"token": token}
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return str(path)
