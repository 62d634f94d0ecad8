"""Two operators on a real API server: one leads, the other is ready to; each ends at once when it is told to."""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from support.beat import measured_beat
from support.crd.server import shared_task_groups
from support.first_process import FirstProcess
from support.kube import TASK_GROUPS, Kube, kube_of
from support.kubectl import Kubectl, new_namespace
from support.operator_process import OperatorProcess
from support.scrape import scrape, value
from support.wait import PATIENCE, eventually
from taskgroup.cluster.resources import LEASES

LEASE = "taskgroup-operator"
LEASE_SECONDS = 20
"""A leader to which the machine gives no time for two thirds of it does not lead any more."""
END_SECONDS = 5.0
HANDOVER_SECONDS = 1.5
"""From the end of a leader to the next: the standby looks every second."""
STEPS = 12
TRIES = 3
"""The release of the Lease has a second: now and then the API server takes longer."""


@dataclass(slots=True)
class Pair:
    """Operators of one release, by the names of their pods."""

    kubectl: Kubectl
    folder: Path
    operators: dict[str, OperatorProcess] = field(default_factory=dict)

    def operator(self, name: str, **settings: str) -> OperatorProcess:
        """Not started yet."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        variables = {"TASKGROUP_POD_NAME": name, "TASKGROUP_LEASE_SECONDS": str(LEASE_SECONDS), **settings}
        made = OperatorProcess(self.kubectl.namespace, self.kubectl.kubeconfig, folder, variables)
        self.operators[name] = made
        return made

    def lease(self) -> dict[str, Any]:
        """Its spec; empty when there is none."""
        found = self.kube.find(LEASES, LEASE)
        spec: dict[str, Any] = found["spec"] if found else {}
        return spec

    @property
    def kube(self) -> Kube:
        """Their namespace, for reads."""
        return kube_of(self.kubectl.kubeconfig, self.kubectl.namespace)

    def until_leader(self, name: str) -> dict[str, Any]:
        """The Lease once that operator holds it, and handles TaskGroups."""
        operator = self.operators[name]
        eventually(lambda: _probe(operator, "readyz") == (200, "leader"), state=lambda: self.logs())
        spec = self.lease()
        assert spec["holderIdentity"] == name
        return spec

    def until_standby(self, name: str) -> None:
        """Alive, and ready to lead."""
        operator = self.operators[name]
        eventually(lambda: _probe(operator, "readyz") == (200, "standby"), state=lambda: self.logs())

    def logs(self) -> str:
        """Of all."""
        return "\n".join(f"{name}:\n{operator.log[-2000:]}" for name, operator in self.operators.items())


@contextmanager
def _pair(folder: Path) -> Iterator[Pair]:
    shared_task_groups()
    with new_namespace() as kubectl:
        pair = Pair(kubectl, folder)
        try:
            yield pair
        finally:
            for operator in pair.operators.values():
                operator.kill()


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """Nothing runs yet."""
    with _pair(tmp_path) as pair:
        yield pair


def _probe(operator: OperatorProcess, path: str) -> tuple[int, str]:
    """Status and role; 0 when nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{operator.port}/{path}", timeout=10) as answer:
            return answer.status, str(json.load(answer)["role"])
    except urllib.error.HTTPError as error:
        return error.code, str(json.load(error)["role"])
    except OSError:
        return 0, ""


def _seconds(text: str) -> float:
    """Of a time in a Lease, since the epoch."""
    return datetime.fromisoformat(text).timestamp()


def test_a_standby_is_live_and_ready_for_as_long_as_it_waits(pair: Pair) -> None:
    """Without an answer to its probes the kubelet would restart it again and again, and a rollout would never end."""
    pair.operator("a").start()
    pair.until_leader("a")
    standby = pair.operator("b")
    standby.start()
    pair.until_standby("b")

    renewed = pair.lease()["renewTime"]
    eventually(lambda: pair.lease()["renewTime"] > renewed)
    assert _probe(standby, "healthz") == (200, "standby")
    assert _probe(pair.operators["a"], "healthz") == (200, "leader")
    assert pair.lease()["holderIdentity"] == "a"
    assert [value(scrape(pair.operators[name]), "leader") for name in ("a", "b")] == [1, 0]


def test_an_operator_that_cannot_lead_is_alive_and_not_ready(pair: Pair) -> None:
    """A Lease in a namespace that does not exist cannot be had: a rollout must not take the old operator away."""
    operator = pair.operator("a", TASKGROUP_NAMESPACE="no-such-namespace")
    operator.start()
    eventually(lambda: "Waiting for the Lease" in operator.log, state=lambda: operator.log)

    assert _probe(operator, "healthz") == (200, "standby")
    assert _probe(operator, "readyz") == (503, "standby")


def test_a_leader_that_is_told_to_end_hands_over_at_once(pair: Pair) -> None:
    pair.operator("a").start()
    pair.until_leader("a")
    pair.operator("b").start()
    pair.until_standby("b")
    manifest = {"apiVersion": "taskgroups.dev/v1alpha1", "kind": "TaskGroup", "metadata": {"name": "waiting"}}

    with measured_beat() as beat:
        told = time.time()
        pair.operators["a"].stop()
        spec = pair.until_leader("b")
    took = _seconds(spec["acquireTime"]) - told
    assert took <= HANDOVER_SECONDS + 3 * beat.longest, f"{took:.1f} s, {beat}, {pair.logs()}"
    assert value(scrape(pair.operators["b"]), "lease_transitions_total") == 1

    workers = {"image": "localhost/none:1", "app": "none"}
    group = {**manifest, "spec": {"sequence": {"count": 1}, "template": {"task": "x"}, "workers": workers}}
    assert pair.kubectl.create(group) == ""
    eventually(lambda: pair.kube.read(TASK_GROUPS, "waiting").get("status"), state=lambda: pair.logs())
    pair.kubectl("delete", "taskgroup", "waiting", "--timeout=60s")


def test_a_killed_leader_is_replaced_after_the_lease_time(pair: Pair) -> None:
    pair.operator("a").start()
    pair.until_leader("a")
    pair.operator("b").start()
    pair.until_standby("b")
    # It counts from the first renewal that it sees.
    renewed = pair.lease()["renewTime"]
    eventually(lambda: pair.lease()["renewTime"] > renewed)

    with measured_beat() as beat:
        pair.operators["a"].kill()
        last = pair.lease()
        assert last["holderIdentity"] == "a"
        spec = pair.until_leader("b")
    took = _seconds(spec["acquireTime"]) - _seconds(last["renewTime"])
    assert LEASE_SECONDS <= took <= LEASE_SECONDS + 2 + 3 * beat.longest, f"{took:.1f} s, {beat}, {pair.logs()}"


def test_a_signal_at_any_moment_ends_the_process_in_time_with_the_lease_free(pair: Pair) -> None:
    """The moments reach from the first line of Python to a little after the begin of the work."""
    operator = pair.operator("a", TASKGROUP_LEASE_SECONDS="300")
    whole = _start_seconds(operator, pair)
    for step in range(STEPS):
        outcomes = [_ended(operator, pair, 1.3 * whole * step / (STEPS - 1))]
        while outcomes[-1] and len(outcomes) < TRIES:
            outcomes.append(_ended(operator, pair, 1.3 * whole * step / (STEPS - 1)))
        assert outcomes[-1] == "", f"step {step}: {outcomes}\n{operator.log[-3000:]}"


def test_a_standby_that_is_told_to_end_leaves_the_lease_to_its_holder(pair: Pair) -> None:
    pair.operator("a").start()
    pair.until_leader("a")
    process = FirstProcess(pair.operator("b"))
    pair.until_standby("b")

    with measured_beat() as beat:
        code, took = process.end()
    assert code == 0
    assert took <= END_SECONDS + 3 * beat.longest
    assert pair.lease()["holderIdentity"] == "a"


HELD = """
import asyncio, sys, time
from taskgroup.cluster.lease import Lease
from taskgroup.cluster.lease_thread import LeaseThread
from taskgroup.ending import run_to_the_end, stop_at_signals
from taskgroup.leadership import Leadership

async def main(kubeconfig, namespace):
    leadership = Leadership(LeaseThread(kubeconfig, lambda c: Lease(c, namespace, "taskgroup-operator", "a", 300), 300))
    stop_at_signals(leadership.stop, leadership.release_now)
    await leadership.run(hold)

async def hold(leadership):
    print("held", flush=True)
    time.sleep(600)

run_to_the_end(main(*sys.argv[1:]))
"""


def test_an_operator_whose_event_loop_is_held_ends_in_time_as_well(pair: Pair) -> None:
    """Something computes, and nothing else in the process gets its turn: the Lease was left to run out."""
    command = [sys.executable, "-c", HELD, pair.kubectl.kubeconfig, pair.kubectl.namespace]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process, measured_beat() as beat:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        assert pair.lease()["holderIdentity"] == "a"
        told = time.monotonic()
        process.terminate()
        code = process.wait(PATIENCE)
        took = time.monotonic() - told
    assert code == 0
    assert took <= END_SECONDS + 3 * beat.longest
    assert pair.lease()["holderIdentity"] == ""


def _start_seconds(operator: OperatorProcess, pair: Pair) -> float:
    """From the first line of Python to the begin of the work, on this machine and now."""
    process = FirstProcess(operator)
    pair.until_leader("a")
    seconds = time.monotonic() - process.started
    assert process.end()[0] == 0
    return seconds


def _ended(operator: OperatorProcess, pair: Pair, seconds: float) -> str:
    """What is wrong with the end of a process that is told to end so long after its first line; empty when nothing."""
    with measured_beat() as beat:
        process = FirstProcess(operator)
        time.sleep(max(0.0, process.started + seconds - time.monotonic()))
        code, took = process.end()
    holder = pair.lease().get("holderIdentity", "")
    is_good = (code, holder) == (0, "") and took <= END_SECONDS + 3 * beat.longest
    return "" if is_good else f"exit code {code} after {took:.1f} s, {holder!r} holds the Lease, {beat}"
