"""A TaskGroup is deleted while a look at it waits for the API server: nothing of it is made after its cleanup."""

from collections.abc import Iterator

import pytest

from support.held_deployments import Gate, held_deployments
from support.task_groups import Bench, running_bench
from support.wait import eventually

ITEMS = {"template": {"task": "demo.noop"}, "items": [1, 2]}
STILL_LOOKS = "Its last look has not ended yet."


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with running_bench(tmp_path_factory.mktemp("bench")) as bench:
        yield bench


@pytest.fixture
def gate(bench: Bench) -> Iterator[Gate]:
    """Where new Deployments wait."""
    with held_deployments(bench.kubectl, bench.folder) as gate:
        yield gate
    bench.clear()


def delete(bench: Bench, *names: str) -> None:
    assert bench.kubectl("delete", "tg", *names, "--wait=false").returncode == 0


def is_cleaned(bench: Bench, name: str) -> bool:
    """The operator is through with its cleanup; kopf keeps the object for as long as a look runs."""
    return f"{bench.kubectl.namespace}/{name}: deleted;" in bench.operator.log


def assert_not_overtaken(bench: Bench, gate: Gate, name: str) -> None:
    """On a slow machine the look may have been given up meanwhile, and no request waits any more."""
    cleaned = is_cleaned(bench, name)
    assert not (cleaned and gate.holds), "it was cleaned while its Deployment was being made"


def assert_nothing_stays(bench: Bench, name: str) -> None:
    eventually(lambda: bench.is_gone(name), state=lambda: bench.operator.log[-3000:])
    assert bench.kubectl("get", "deployments", "--output", "name").stdout == ""


def test_a_deployment_that_comes_during_the_deletion_goes_with_it(bench: Bench, gate: Gate) -> None:
    bench.apply("other", suspend=True, **ITEMS)
    bench.until("other", lambda status: status.get("state") == "Suspended")
    bench.apply("late", **ITEMS)
    eventually(lambda: gate.holds, state=lambda: bench.operator.log[-3000:])
    delete(bench, "late", "other")
    eventually(lambda: bench.is_gone("other"), state=lambda: bench.operator.log[-3000:])

    assert_not_overtaken(bench, gate, "late")
    gate.open()
    assert_nothing_stays(bench, "late")

    uid = bench.apply("late", **ITEMS)
    with bench.worker(uid):
        assert bench.finished("late")["succeeded"] == 2


@pytest.mark.long
def test_a_look_that_does_not_end_is_given_up_before_the_cleanup(bench: Bench, gate: Gate) -> None:
    bench.apply("stuck", **ITEMS)
    eventually(lambda: gate.holds, state=lambda: bench.operator.log[-3000:])
    before = bench.operator.log.count(STILL_LOOKS)
    delete(bench, "stuck")
    eventually(
        lambda: bench.operator.log.count(STILL_LOOKS) > before or is_cleaned(bench, "stuck"),
        state=lambda: bench.operator.log[-3000:],
    )

    assert_not_overtaken(bench, gate, "stuck")
    gate.open()
    assert_nothing_stays(bench, "stuck")
