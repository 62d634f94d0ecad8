"""The messages for workers that do not run."""

from typing import Any

import pytest

from support.pod_states import (
    DISRUPTED,
    JUST_NOW,
    LONG_AGO,
    NOW,
    OVER_LIMIT,
    READY,
    deployment,
    ended,
    pod,
    running,
    waiting,
)
from taskgroup.api.names import Reason
from taskgroup.cluster.workers.pods import pod_facts, worker_facts


def sentence(of: dict[str, Any], reason: Reason) -> str:
    trouble = pod_facts(of, NOW).trouble
    assert trouble is not None
    assert trouble.reason == reason
    assert trouble.message.endswith(".")
    assert "\n" not in trouble.message
    return trouble.message


@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"])
def test_an_image_that_cannot_be_pulled(reason: str) -> None:
    text = sentence(pod(waiting(reason, "not found")), Reason.IMAGE_CANNOT_BE_PULLED)

    assert text.startswith('The image "shop:1" cannot be pulled: not found. Check workers.image')


def test_a_long_cause_is_cut_at_its_front() -> None:
    text = sentence(pod(waiting("ErrImagePull", "rpc error " * 100 + "not found")), Reason.IMAGE_CANNOT_BE_PULLED)

    assert "not found" in text
    assert len(text) < 500


def test_a_missing_secret() -> None:
    state = waiting("CreateContainerConfigError", 'secret "keys" not found')

    assert 'secret "keys" not found' in sentence(pod(state), Reason.WORKER_CANNOT_START)


@pytest.mark.parametrize(
    "message",
    [
        "container has runAsNonRoot and image will run as root",
        "container has runAsNonRoot and image has non-numeric user (app), cannot verify user is non-root",
    ],
)
def test_an_image_that_runs_as_root(message: str) -> None:
    text = sentence(pod(waiting("CreateContainerConfigError", message)), Reason.WORKER_CANNOT_START)

    assert "workers.securityContext.runAsUser" in text


def test_an_image_without_python() -> None:
    message = 'exec: "python3": executable file not found in $PATH'

    for state in (waiting("RunContainerError", message), ended(128, message, "StartError")):
        assert "has no python3 on its PATH" in sentence(pod(state), Reason.WORKER_CANNOT_START)


IMPORT_FAILURES = [
    (
        "Error: \nUnable to load celery application.\nThe module nosuch was not found.\n",
        "The module nosuch was not fou",
    ),
    (
        "on>\n  File \"/app/shop.py\", line 3, in <module>\n    import wares\nImportError: No module named 'wares'\n\n",
        "war",
    ),
]


@pytest.mark.parametrize(("log", "cause"), IMPORT_FAILURES)
@pytest.mark.parametrize("state", ["terminated", "backoff", "running again"])
def test_an_app_that_cannot_be_imported(log: str, cause: str, state: str) -> None:
    end = ended(2, log)
    pods = {
        "terminated": pod(end),
        "backoff": pod(waiting("CrashLoopBackOff", "back-off 5m0s restarting failed container"), end),
        "running again": pod(running("2027-01-15T07:59:58Z"), end, restarts=3, **READY),
    }

    text = sentence(pods[state], Reason.WORKER_CRASHES)

    assert text.startswith('The app "shop.celery" cannot be imported in image "shop:1": ')
    assert cause in text


def test_a_worker_that_runs_for_a_while_after_a_crash_is_well() -> None:
    assert pod_facts(pod(running(), ended(2, "x"), restarts=3), NOW).trouble is None


def test_a_missing_pool_library() -> None:
    text = sentence(pod(ended(1, "ModuleNotFoundError: No module named 'gevent'")), Reason.WORKER_CRASHES)

    assert text == 'The image "shop:1" lacks gevent: install it there, or choose another workers.pool.'


def test_an_image_without_celery() -> None:
    text = sentence(pod(ended(1, "ModuleNotFoundError: No module named 'celery'")), Reason.WORKER_CRASHES)

    assert 'The image "shop:1" has no Celery' in text


def test_a_worker_out_of_memory() -> None:
    text = sentence(pod(waiting("CrashLoopBackOff"), ended(137, reason="OOMKilled")), Reason.WORKER_CRASHES)

    assert "workers.resources.limits.memory" in text


def test_any_other_crash_names_the_log() -> None:
    text = sentence(pod(ended(139, "")), Reason.WORKER_CRASHES)

    assert text == "The worker w-1 ended (killed by signal 11). See kubectl logs -n shop w-1 --previous."


def test_a_good_end_is_no_trouble() -> None:
    assert pod_facts(pod(waiting("CrashLoopBackOff"), ended(0, reason="Completed")), NOW).trouble is None


def test_a_pod_that_no_node_takes() -> None:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes: cpu."}
    lonely = pod(phase="Pending", node=None, conditions=[condition])

    text = sentence(lonely, Reason.UNSCHEDULABLE)

    assert text.startswith("No node can run a worker pod: 0/1 nodes: cpu. Lower workers.resources.requests")


def test_a_pod_that_stays_in_creation_is_reported_after_a_minute() -> None:
    slow = pod(waiting("ContainerCreating"), phase="Pending")
    fresh = pod(waiting("ContainerCreating"), phase="Pending", startTime="2027-01-15T07:59:30Z")

    assert "kubectl describe pod -n shop w-1" in sentence(slow, Reason.WORKER_CANNOT_START)
    assert pod_facts(fresh, NOW).trouble is None


REFUSALS = [
    ('pods "w-" is forbidden: exceeded quota: small, requested: pods=1, used: pods=2, limited: pods=2', "quota"),
    ('pods "w-" is forbidden: violates PodSecurity "restricted:latest": unrestricted', "pod security"),
    ('pods "w-" is forbidden: error looking up service account a/b: serviceaccount "b" not found', 'account "b" does'),
    ("admission webhook said no", "The cluster refuses worker pods: admission webhook said no."),
]


@pytest.mark.parametrize(("message", "expected"), REFUSALS)
def test_pods_that_may_not_be_created(message: str, expected: str) -> None:
    trouble = worker_facts(deployment(message), [], NOW).trouble

    assert trouble is not None
    assert trouble.reason == Reason.FORBIDDEN
    assert expected in trouble.message
    assert 'pods "w-"' not in trouble.message


def test_fewer_workers_than_wanted_are_no_trouble_while_one_works() -> None:
    full = deployment('pods "w-" is forbidden: exceeded quota: small')

    assert worker_facts(full, [pod(running(), **READY)], NOW).trouble is None
    assert worker_facts(full, [pod(running())], NOW).trouble is not None


def test_a_broken_rollout_is_reported_while_old_workers_work() -> None:
    broken = pod(waiting("ImagePullBackOff", "not found"))

    trouble = worker_facts(deployment(), [pod(running(), **READY), broken], NOW).trouble

    assert trouble is not None
    assert trouble.reason == Reason.IMAGE_CANNOT_BE_PULLED


def test_an_evicted_pod_says_why_it_was_evicted_and_not_that_it_crashed() -> None:
    assert sentence(DISRUPTED["node pressure"], Reason.EVICTED) == (
        "The worker w-1 was evicted: The node was low on resource: memory. Threshold quantity: 100Mi, available: 80Mi."
        " What it ran starts again elsewhere; set workers.resources.requests to what the tasks need."
    )
    assert "imminent node shutdown. What it ran starts again" in sentence(DISRUPTED["node shutdown"], Reason.EVICTED)


def test_a_pod_evicted_for_its_own_storage_says_so() -> None:
    text = sentence(OVER_LIMIT, Reason.EVICTED)

    assert 'volume "scratch" exceeds the limit "1Gi". Raise the limit' in text


def test_an_evicted_pod_of_long_ago_hides_nothing_that_is_wrong_now() -> None:
    old, new = DISRUPTED["node pressure"], pod(waiting("ErrImagePull", "not found"))
    new["metadata"]["name"] = "w-2"
    works = pod(running(), **READY)
    works["metadata"]["name"] = "w-2"

    trouble = worker_facts(deployment(), [old, new], NOW).trouble
    assert trouble is not None
    assert trouble.reason == Reason.IMAGE_CANNOT_BE_PULLED
    assert worker_facts(deployment(), [old, works], NOW).trouble is None


def beside(state: dict[str, Any], last: dict[str, Any] | None = None, *, sidecar: bool = False) -> dict[str, Any]:
    """A pod whose worker waits for, or runs beside, a container in this state."""
    of = pod(running() if sidecar else waiting("PodInitializing"), **READY)
    side = {"name": "fetch", "image": "fetch:1"} | ({"restartPolicy": "Always"} if sidecar else {})
    of["spec"]["initContainers"] = [{"name": "done", "image": "done:1"}, side]
    of["status"]["initContainerStatuses"] = [
        {"name": "done", "restartCount": 0, "state": ended(0, reason="Completed"), "lastState": {}},
        {"name": "fetch", "restartCount": 1, "state": state, "lastState": last or {}},
    ]
    return of


def test_an_init_container_whose_image_cannot_be_pulled() -> None:
    text = sentence(beside(waiting("ErrImagePull", "not found")), Reason.IMAGE_CANNOT_BE_PULLED)

    assert text == (
        'The image "fetch:1" of the init container fetch cannot be pulled: not found.'
        " Check workers.initContainers and imagePullSecrets."
    )


@pytest.mark.parametrize("state", [ended(3, "cp: no space left"), waiting("CrashLoopBackOff", "back-off 10s")])
def test_an_init_container_that_fails_again_and_again(state: dict[str, Any]) -> None:
    text = sentence(beside(state, ended(3, "cp: no space left")), Reason.WORKER_CANNOT_START)

    assert text == (
        "The init container fetch of the worker w-1 ended (exit code 3): cp: no space left."
        " See kubectl logs -n shop w-1 -c fetch --previous."
    )


def test_an_init_container_that_lacks_memory_or_a_secret() -> None:
    no_memory = sentence(beside(ended(137, reason="OOMKilled")), Reason.WORKER_CANNOT_START)
    no_secret = sentence(
        beside(waiting("CreateContainerConfigError", 'secret "x" not found')), Reason.WORKER_CANNOT_START
    )

    assert "ran out of memory: raise resources.limits.memory in workers.initContainers." in no_memory
    assert 'cannot start: secret "x" not found. Check workers.initContainers.' in no_secret


def test_an_init_container_that_runs_for_long_is_named() -> None:
    text = sentence(beside(running(LONG_AGO)), Reason.WORKER_CANNOT_START)

    assert "waits for its init container fetch, which still runs" in text
    assert pod_facts(beside(running(JUST_NOW)), NOW).trouble is None


def test_a_sidecar_that_crashes_is_named_also_beside_a_worker_that_runs() -> None:
    text = sentence(beside(waiting("CrashLoopBackOff"), ended(1, "bind: in use"), sidecar=True), Reason.WORKER_CRASHES)

    assert text.startswith("The sidecar fetch of the worker w-1 ended (exit code 1): bind: in use.")
    assert pod_facts(beside(running(), sidecar=True), NOW).trouble is None
