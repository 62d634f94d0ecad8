"""A real Redis goes away while a real worker runs an item: what fails for that reason alone runs again, and is told."""

import json
from pathlib import Path

from support.task_groups import WORKERS, running_bench
from support.wait import eventually
from support.worker_container import worker_container, worker_pool

POD = "pod-a"


def test_an_item_that_fails_for_want_of_redis_runs_again_and_an_event_says_so(tmp_path: Path) -> None:
    """It failed for good; the task has done nothing wrong."""
    runs = tmp_path / "runs"
    with running_bench(tmp_path, persistent=True) as bench:
        app = WORKERS | {"app": "support.outage_app"}
        uid = bench.apply("cut", items=[1], template={"task": "outage.parent"}, workers=app)
        pool = worker_pool(uid, app="support.outage_app", pool="prefork")
        variables = {"RUNS_FILE": str(runs)}
        with (
            bench.pod(uid, POD),
            worker_container(bench.server.url, tmp_path, pool, pod=POD, variables=variables) as worker,
        ):
            eventually(runs.exists, state=lambda: worker.log)
            bench.server.kill()
            (tmp_path / "go").touch()
            eventually(lambda: "unsent" in runs.read_text(), state=lambda: worker.log)
            bench.server.start()
            status = bench.finished("cut")
        selector = "--field-selector=involvedObject.name=cut,reason=Interrupted"
        events = json.loads(bench.kubectl("get", "events", selector, "--output", "json").stdout)["items"]

    assert (status["state"], status["succeeded"], status["failed"]) == ("Complete", 1, 0)
    parents = [line.split()[1] for line in runs.read_text().splitlines() if line.startswith("parent")]
    assert parents == [f"{uid}.0", f"{uid}.0~1"]
    [event] = events
    assert (event["type"], event["involvedObject"]["uid"]) == ("Warning", uid)
    assert event["message"] == "1 items ended because their worker could not reach Redis; they are dispatched again."
