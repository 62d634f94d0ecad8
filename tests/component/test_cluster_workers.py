"""The workers' Deployment on a real API server: applied, restored after changes, and observed."""

import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest

from support.api_server import new_group
from support.crd.objects import WORKERS
from support.kubectl import Kubectl
from support.wait import eventually_async
from support.watched_workers import make_pod, manifest, pool, until_pods, until_seen, watched_workers
from taskgroup.api.names import LABEL_UID, Reason
from taskgroup.cluster.children import child_name
from taskgroup.cluster.client import Cluster, Object
from taskgroup.cluster.errors import ForeignError, RefusedError
from taskgroup.cluster.resources import DEPLOYMENTS, PODS
from taskgroup.cluster.workers.deployments import WorkerDeployments
from taskgroup.core.meta import Meta
from taskgroup.core.pools.observed import DeploymentFacts, WorkerFacts

AFFINITY: dict[str, Any] = {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}}
EVERY_FIELD = {**WORKERS, "affinity": AFFINITY, "volumes": WORKERS["volumes"][:-1]}
CLASSES: dict[str, dict[str, Any]] = {
    "PriorityClass": {
        "apiVersion": "scheduling.k8s.io/v1",
        "metadata": {"name": EVERY_FIELD["priorityClassName"]},
        "value": 1,
    },
    "RuntimeClass": {
        "apiVersion": "node.k8s.io/v1",
        "metadata": {"name": EVERY_FIELD["runtimeClassName"]},
        "handler": "none",
    },
}
"""What a pod with every field refers to in the whole cluster."""
COST = "controller.kubernetes.io/pod-deletion-cost"


@pytest.fixture
async def workers(cluster: Cluster, namespace: str) -> AsyncIterator[WorkerDeployments]:
    async with watched_workers(cluster, namespace) as watched:
        yield watched


async def live(cluster: Cluster, meta: Meta) -> Object:
    return await cluster.get(DEPLOYMENTS, meta.namespace, child_name(meta.name, meta.uid))


def is_settled(facts: WorkerFacts) -> bool:
    assert facts.deployment is not None
    return facts.deployment.settled


async def test_without_workers_there_is_nothing_to_see(workers: WorkerDeployments, group: Meta) -> None:
    assert await workers.observe(group, pool(group)) == WorkerFacts()


async def test_applying_again_changes_nothing(cluster: Cluster, workers: WorkerDeployments, group: Meta) -> None:
    await workers.apply(group, pool(group), 2)
    first = await live(cluster, group)
    await workers.apply(group, pool(group), 2)

    assert (await live(cluster, group))["metadata"]["generation"] == first["metadata"]["generation"]
    assert is_settled(await workers.observe(group, pool(group)))


async def test_every_field_of_the_spec_is_accepted_and_stays_settled(
    cluster: Cluster, workers: WorkerDeployments, group: Meta
) -> None:
    rich = pool(group, **EVERY_FIELD)

    await workers.apply(group, rich, 2)
    await workers.apply(group, rich, 2)

    assert is_settled(await workers.observe(group, rich))
    spec = (await live(cluster, group))["spec"]["template"]["spec"]
    assert spec["containers"][0]["image"] == EVERY_FIELD["image"]
    assert {volume["name"] for volume in EVERY_FIELD["volumes"]} <= {volume["name"] for volume in spec["volumes"]}
    assert [side["name"] for side in spec["initContainers"]] == ["fetch", "proxy"]
    assert spec["initContainers"][1]["restartPolicy"] == "Always"
    assert (spec["priorityClassName"], spec["runtimeClassName"]) == ("batch", "gvisor")
    assert spec["topologySpreadConstraints"][0]["labelSelector"] == {"matchLabels": {LABEL_UID: group.uid}}


async def test_a_field_that_kubernetes_does_not_know_is_refused(workers: WorkerDeployments, group: Meta) -> None:
    with pytest.raises(RefusedError, match=r"affinity\.anything: field not declared in schema"):
        await workers.apply(group, pool(group, affinity={"anything": 1}), 2)


async def test_the_number_of_pods_alone_does_not_unsettle(workers: WorkerDeployments, group: Meta) -> None:
    for replicas in (2, 5):
        await workers.apply(group, pool(group), replicas)
        facts = await workers.observe(group, pool(group))

        assert facts.deployment == DeploymentFacts(replicas=replicas, ready=0, settled=True)


async def test_another_template_is_not_settled_until_applied(workers: WorkerDeployments, group: Meta) -> None:
    await workers.apply(group, pool(group), 2)
    other = pool(group, concurrency=8)

    assert not is_settled(await workers.observe(group, other))
    await workers.apply(group, other, 2)
    assert is_settled(await workers.observe(group, other))


async def test_after_a_restart_of_the_operator_it_is_applied_once_more(
    cluster: Cluster, workers: WorkerDeployments, group: Meta
) -> None:
    await workers.apply(group, pool(group), 2)

    async with watched_workers(cluster, group.namespace) as fresh:
        assert not is_settled(await fresh.observe(group, pool(group)))
        await fresh.apply(group, pool(group), 2)
        assert is_settled(await fresh.observe(group, pool(group)))


CHANGES = {
    "replicas": {"replicas": 7},
    "image": {"template": {"spec": {"containers": [{"name": "worker", "image": "other:1"}]}}},
    "grace": {"template": {"spec": {"terminationGracePeriodSeconds": 1}}},
    "strategy": {"strategy": {"rollingUpdate": {"maxSurge": 1}}},
}


@pytest.mark.parametrize("change", CHANGES)
async def test_a_change_by_others_is_seen_and_reverted(
    cluster: Cluster, workers: WorkerDeployments, group: Meta, restricted: Kubectl, change: str
) -> None:
    await workers.apply(group, pool(group), 2)
    before = (await live(cluster, group))["spec"]
    patch = json.dumps({"spec": CHANGES[change]})
    assert restricted("patch", "deployment", child_name(group.name, group.uid), "--patch", patch).returncode == 0
    assert (await live(cluster, group))["spec"] != before

    await until_seen(workers, group, replicas=7 if change == "replicas" else 2, settled=False)
    await workers.apply(group, pool(group), 2)

    assert (await live(cluster, group))["spec"] == before
    assert is_settled(await workers.observe(group, pool(group)))


async def test_what_others_add_stays_and_does_not_unsettle(
    cluster: Cluster, workers: WorkerDeployments, group: Meta
) -> None:
    await workers.apply(group, pool(group), 2)
    name = child_name(group.name, group.uid)
    await cluster.merge_patch(DEPLOYMENTS, group.namespace, name, {"metadata": {"annotations": {"team": "a"}}})

    assert is_settled(await workers.observe(group, pool(group)))
    await workers.apply(group, pool(group), 2)
    assert (await live(cluster, group))["metadata"]["annotations"]["team"] == "a"


async def test_a_field_that_is_wanted_no_more_goes(cluster: Cluster, workers: WorkerDeployments, group: Meta) -> None:
    variables = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    await workers.apply(group, pool(group, env=variables, nodeSelector={"disk": "fast"}), 2)
    await workers.apply(group, pool(group, env=variables[1:]), 2)

    spec = (await live(cluster, group))["spec"]["template"]["spec"]
    assert "A" not in [variable["name"] for variable in spec["containers"][0]["env"]]
    assert "nodeSelector" not in spec


async def test_pods_are_facts_and_those_of_others_are_not(
    cluster: Cluster, workers: WorkerDeployments, group: Meta
) -> None:
    other = await new_group(cluster, group.namespace, "other")
    await make_pod(cluster, group, "mine")
    await make_pod(cluster, other, "theirs")

    facts = await until_pods(workers, group, "mine")
    await until_pods(workers, other, "theirs")

    assert not facts.pods[0].ready
    assert not facts.pods[0].ended


async def test_idle_pods_are_marked_to_go_first(cluster: Cluster, workers: WorkerDeployments, group: Meta) -> None:
    await make_pod(cluster, group, "idle")
    await make_pod(cluster, group, "busy")
    await until_pods(workers, group, "busy", "idle")

    await workers.mark(group, idle=["idle", "gone"], busy=["busy"])

    pods = {pod["metadata"]["name"]: pod["metadata"] for pod in await cluster.list_all(PODS, group.namespace)}
    assert int(pods["idle"]["annotations"][COST]) < int(pods["busy"]["annotations"][COST])
    assert set(pods) == {"idle", "busy"}


async def test_a_deployment_of_somebody_else_is_never_adopted(
    cluster: Cluster, workers: WorkerDeployments, group: Meta
) -> None:
    foreign = manifest(group)
    foreign["metadata"]["ownerReferences"] = []
    await cluster.create(DEPLOYMENTS, group.namespace, foreign)

    async def is_refused() -> bool:
        with suppress(ForeignError):
            await workers.observe(group, pool(group))
            return False
        return True

    await eventually_async(is_refused)
    with pytest.raises(ForeignError, match="does not belong to this TaskGroup"):
        await workers.observe(group, pool(group))


async def test_one_without_our_labels_is_not_adopted_either(
    cluster: Cluster, workers: WorkerDeployments, group: Meta
) -> None:
    """No watch of ours tells of it."""
    foreign = manifest(group)
    foreign["metadata"] = {"name": foreign["metadata"]["name"], "namespace": group.namespace}
    await cluster.create(DEPLOYMENTS, group.namespace, foreign)

    with pytest.raises(ForeignError, match="does not belong to this TaskGroup"):
        await workers.apply(group, pool(group), 2)


@pytest.mark.parametrize("workers_spec", [{}, EVERY_FIELD], ids=["least", "every field"])
async def test_pod_security_restricted_admits_the_workers(
    group: Meta, restricted: Kubectl, workers_spec: dict[str, Any]
) -> None:
    template = manifest(group, **workers_spec)["spec"]["template"]
    for kind, content in CLASSES.items():
        assert restricted("apply", "--filename=-", given={"kind": kind, **content}).returncode == 0
    if account := template["spec"].get("serviceAccountName"):
        assert restricted("create", "serviceaccount", account).returncode == 0
    metadata = {**template["metadata"], "name": "worker"}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}

    admitted = restricted("create", "--filename=-", "--dry-run=server", "--output=json", given=pod)

    assert admitted.stderr == ""
    mounts = json.loads(admitted.stdout)["spec"]["containers"][0]["volumeMounts"]
    assert not [mount for mount in mounts if "serviceaccount" in mount["mountPath"]]


async def test_a_quota_that_admits_no_pod_is_reported(
    workers: WorkerDeployments, group: Meta, restricted: Kubectl
) -> None:
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "none"},
        "spec": {"hard": {"pods": "0"}},
    }
    assert restricted.create(quota) == ""
    await workers.apply(group, pool(group), 2)

    async def is_reported() -> bool:
        current = (await workers.observe(group, None)).trouble
        return current is not None and "exceeded quota: none" in current.message and current.reason == Reason.FORBIDDEN

    await eventually_async(is_reported)


async def test_a_service_account_that_does_not_exist_is_reported(workers: WorkerDeployments, group: Meta) -> None:
    await workers.apply(group, pool(group, serviceAccountName="nobody"), 2)

    async def is_reported() -> bool:
        current = (await workers.observe(group, None)).trouble
        return current is not None and current.message.startswith('The service account "nobody" does not exist')

    await eventually_async(is_reported)
