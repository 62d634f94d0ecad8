"""What the app says about sending: it holds for what its tasks send, as far as the worker's own connection lets it.

Real Redis and Celery, the operator's own loops.
"""

from pathlib import Path

import pytest

from support.celery_versions import ONE_OF_ALL
from support.live_group import live_group
from support.redis_server import redis_server
from taskgroup.api.spec import TaskGroupSpec

WORKERS = {"image": "any", "app": "support.sending_app", "concurrency": 2, "maxReplicas": 1}
GIVEN = {"task": "sending.item", "options": {"headers": {"stamp": "given"}}}
BY_KOMBU, BY_THE_APP = "mail\x06\x169", "mail:9"
"""Where urgent messages go: the app is not imported here, where its signal would be heard by other tests."""


@pytest.mark.parametrize("version", ONE_OF_ALL)
async def test_signals_and_options_of_sending_hold_as_the_documents_say(version: str, tmp_path: Path) -> None:
    """The group's workers stay for the subtasks, which have a countdown, and go when these have run."""
    tasks = [{"task": "sending.item"}, GIVEN, {"task": "sending.elsewhere"}]
    wanted = TaskGroupSpec.model_validate({"tasks": tasks, "workers": WORKERS})
    with redis_server() as redis, redis.client() as client:
        async with live_group(wanted, redis, tmp_path, version) as group:
            await group.finished()
            await group.until(lambda: len(group.runs) == 4)
            await group.until(lambda: not group.workers.live)
            status, runs = group.status, sorted((tmp_path / "runs").read_text().splitlines())
        lists = {name.decode() for name in client.scan_iter("mail*", _type="list")}

    assert status.state == "Complete"
    items, subtasks = runs[:2], runs[2:]
    assert items == ['sending.item "given"', "sending.item null"], "no signal runs where the operator sends"
    assert subtasks == ['sending.subtask "by the signal"'] * 2
    assert lists == {BY_KOMBU, BY_THE_APP}, "the app's own steps hold on a connection of its own"
