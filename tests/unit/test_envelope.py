"""Our messages against kombu's own: the same fields, and the same values after kombu's decoder."""

# Kombu is typed in parts only.
# mypy: disable-error-code="no-untyped-call"

import json
import math
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from celery import Celery
from hypothesis import given
from hypothesis import strategies as st
from kombu.connection import Connection
from kombu.transport.virtual import Channel, Message

from taskgroup.api.signature import Leaf, Options
from taskgroup.broker.envelope import MessageTemplate
from taskgroup.broker.stock import RESERVED_HEADERS
from taskgroup.core.errors import InvalidSpecError

UID = "6f1c2e52-9c1e-4d1e-8a3b-0c5d5f5f5f5f"
QUEUE = "taskgroup-shop"

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=12
)


def rendered(leaf: Leaf, *, index: int = 3, attempt: int = 0, args: Any = (), kwargs: Any = None) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(MessageTemplate(leaf, UID, QUEUE).render(index, attempt, args, kwargs or {}))
    return message


def decoded(message: dict[str, Any]) -> Any:
    """The body as a worker sees it."""
    with Connection("memory://") as connection, connection.channel() as channel:
        return Message(payload=message, channel=channel).decode()


def published_by_celery() -> dict[str, Any]:
    app = Celery(broker="memory://", set_as_current=False)
    app.conf.result_backend = None
    app.send_task("demo.echo", args=[1], kwargs={"a": 2}, queue=QUEUE, task_id="x.1", group_id="x", group_index=1)
    with app.connection_for_read() as connection:
        channel: Channel = connection.default_channel
        message: dict[str, Any] = channel._get(QUEUE)  # noqa: SLF001
    return message


def test_has_exactly_the_fields_of_a_message_that_celery_publishes() -> None:
    theirs, ours = published_by_celery(), rendered(Leaf(task="demo.echo"))

    assert ours.keys() == theirs.keys()
    assert ours["headers"].keys() == theirs["headers"].keys()
    assert ours["properties"].keys() == theirs["properties"].keys()
    assert ours["properties"]["delivery_info"] == theirs["properties"]["delivery_info"]
    # Celery names the sender by a UUID; apps read it as one.
    assert uuid.UUID(ours["properties"]["reply_to"])
    for field in ("content-encoding", "content-type"):
        assert ours[field] == theirs[field]


def test_every_header_of_celery_is_reserved() -> None:
    assert published_by_celery()["headers"].keys() <= RESERVED_HEADERS


@given(args=st.lists(values, max_size=4), kwargs=st.dictionaries(st.text(), values, max_size=4))
def test_any_json_arguments_reach_the_worker_unchanged(args: list[Any], kwargs: dict[str, Any]) -> None:
    assert decoded(rendered(Leaf(task="t"), args=args, kwargs=kwargs))[:2] == [args, kwargs]


@pytest.mark.parametrize(
    "value", [2**70, -(2**64), "\ud800", "%d %b %%", "\x00", "é" * 100, "a" * 63 + "é", [None, float("inf")]]
)
def test_values_that_fast_encoders_refuse_or_change(value: object) -> None:
    assert decoded(rendered(Leaf(task="t"), args=[value], kwargs={"k": value}))[:2] == [[value], {"k": value}]


def test_nan_that_a_task_returned_stays_nan() -> None:
    """It became None, which is another value."""
    [value], _, _ = decoded(rendered(Leaf(task="t"), args=[float("nan")]))

    assert math.isnan(value)


def test_every_option_has_its_place() -> None:
    options = Options(
        time_limit_seconds=30, soft_time_limit_seconds=25, priority=7, headers={"tenant": "50%"}, shadow="a b %s"
    )
    message = rendered(Leaf(task="images.resize", options=options), index=12, attempt=2)
    headers, properties = message["headers"], message["properties"]

    assert headers["id"] == properties["correlation_id"] == f"{UID}.12~2"
    assert headers["task"] == "images.resize"
    assert headers["group"] == UID
    assert headers["root_id"] == headers["id"]
    assert headers["group_index"] == 12
    assert headers["timelimit"] == [30, 25]
    assert headers["shadow"] == "a b %s"
    assert headers["tenant"] == "50%"
    assert headers["ignore_result"] is False
    assert properties["priority"] == 2
    assert properties["delivery_info"]["routing_key"] == QUEUE


def test_expiry_counts_from_the_moment_of_dispatch() -> None:
    leaf = Leaf(task="t", options=Options(expires_seconds=60))
    template = MessageTemplate(leaf, UID, QUEUE, clock=lambda: 1_000_000.0)
    message = json.loads(template.render(0, 0, [], {}))
    headers = message["headers"]

    assert message["properties"]["expiration"] == "60000"
    assert datetime.fromisoformat(headers["expires"]) == datetime.fromtimestamp(1_000_060, UTC)
    assert rendered(Leaf(task="t"))["headers"]["expires"] is None


def test_no_two_messages_share_a_delivery_tag() -> None:
    templates = [MessageTemplate(Leaf(task="t"), UID, QUEUE) for _ in range(2)]
    tags = {json.loads(t.render(1, 0, [], {}))["properties"]["delivery_tag"] for t in templates for _ in range(3)}

    assert len(tags) == 6


def test_arguments_in_logs_are_short() -> None:
    headers = rendered(Leaf(task="t"), args=["x" * 10_000], kwargs={"k": 1})["headers"]

    assert len(headers["argsrepr"]) < 100
    assert headers["kwargsrepr"] == "{'k': 1}"


@pytest.mark.parametrize("args", [[], [1], ["a", 2.5, None, True], ["é"]])
def test_short_arguments_look_in_logs_as_those_that_celery_sends(args: list[Any]) -> None:
    app = Celery(broker="memory://", set_as_current=False)
    theirs = app.amqp.as_task_v2("x", "t", args=tuple(args), kwargs={"k": args}).headers
    headers = rendered(Leaf(task="t"), args=args, kwargs={"k": args})["headers"]

    assert headers["argsrepr"] == theirs["argsrepr"]
    assert headers["kwargsrepr"] == theirs["kwargsrepr"]


@pytest.mark.parametrize("name", ["id", "task", "retries", "chord", "compression", "is_eager"])
def test_headers_that_celery_uses_are_refused(name: str) -> None:
    with pytest.raises(InvalidSpecError, match=f"must not set '{name}'"):
        MessageTemplate(Leaf(task="t", options=Options(headers={name: "x"})), UID, QUEUE)
