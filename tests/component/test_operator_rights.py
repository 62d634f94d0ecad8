"""The operator lives with the rights that the chart gives it: it lacks none, and each of them is used."""

import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.audit import UNUSED, asked, granted
from support.helm import FULLNAME
from support.operator_account import account, remove, roles
from support.task_groups import Bench, running_bench
from support.wait import PATIENCE, eventually


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """An operator with an account of its own, in a namespace that it watches."""
    with running_bench(tmp_path, account=account, settings={"TASKGROUP_METRICS_SECURE": "true"}) as bench:
        yield bench
        remove(bench.kubectl)


def test_the_operator_uses_each_of_its_rights_and_lacks_none(bench: Bench) -> None:
    """A group that shrinks its workers, outlives an operator, ends and expires; and a scrape."""
    _live(bench)
    assert _scraped_with_a_token_of_no_right(bench) == 403

    namespace = bench.kubectl.namespace
    allowed, refused = asked(bench.kubectl.kubeconfig, f"system:serviceaccount:{namespace}:{FULLNAME}")
    assert refused == set(), "it asks for what it has no right to"
    given = granted([role for role in roles(namespace) if role["kind"].endswith("Role")])
    assert given - allowed - UNUSED.keys() == set(), "rights that nothing uses"
    assert UNUSED.keys() & allowed == set(), "these are used after all"


def _live(bench: Bench) -> None:
    template = {"task": "demo.gate", "args": ["$(index)"]}
    uid = bench.apply("life", sequence={"count": 3}, template=template, workers=_workers(), ttlSecondsAfterFinished=1)
    with bench.worker(uid), bench.redis() as client:
        eventually(lambda: _replicas(bench) == 3, state=lambda: bench.operator.log[-3000:])
        client.mset({f"open:{index}": 1 for index in range(2)})
        bench.until("life", lambda status: status.get("succeeded") == 2)
        eventually(lambda: _replicas(bench) == 1, state=lambda: bench.operator.log[-3000:])
        bench.operator.kill()
        bench.operator.start()
        client.set("open:2", 1)
        eventually(lambda: bench.is_gone("life") or bench.is_leaving("life"), state=lambda: bench.operator.log[-3000:])
    eventually(lambda: bench.is_gone("life"), PATIENCE, state=lambda: bench.operator.log[-3000:])


def _scraped_with_a_token_of_no_right(bench: Bench) -> int:
    """The status; the operator's own token is one that the API server knows."""
    token = bench.kubectl("create", "token", FULLNAME).stdout.strip()
    headers = {"Authorization": f"Bearer {token}"}
    request = urllib.request.Request(f"http://127.0.0.1:{bench.operator.metrics_port}/metrics", headers=headers)
    with pytest.raises(urllib.error.HTTPError) as refusal:
        urllib.request.urlopen(request, timeout=PATIENCE)
    with refusal.value as answer:
        return answer.code


def _workers() -> dict[str, object]:
    return {"image": "localhost/none:1", "app": "support.celery_app", "maxReplicas": 3, "concurrency": 1}


def _replicas(bench: Bench) -> int:
    process = bench.kubectl("get", "deployments", "--output", "jsonpath={.items[*].spec.replicas}")
    return int(process.stdout or 0)
