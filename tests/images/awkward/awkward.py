"""An app that does everything that stands in an operator's way, as grown apps do.

It reads its configuration and binds tasks while it is imported, routes them through an exchange of its own, forbids
queues that it does not know, and starts further tasks from inside tasks.
"""

# Celery publishes no types.
# mypy: disallow-untyped-decorators=False, disallow-untyped-calls=False, disallow-subclassing-any=False

from celery import Celery, Task
from kombu.entity import Exchange, Queue

orders = Exchange("orders", type="topic")
app = Celery("awkward", broker="redis://127.0.0.1:1/0", backend="redis://127.0.0.1:1/1")
app.conf.update(
    task_queues=[Queue("orders", orders, routing_key="orders.#")],
    task_default_queue="orders",
    task_default_exchange="orders",
    task_default_routing_key="orders.default",
    task_create_missing_queues=False,
    task_routes={
        "awkward.*": {"exchange": "orders", "exchange_type": "topic", "routing_key": "orders.special"},
    },
    task_annotations={"awkward.child": {"rate_limit": "1000/s"}},
    broker_transport_options={"visibility_timeout": 7200, "health_check_interval": 30},
    worker_prefetch_multiplier=4,
)


@app.task(name="awkward.child")
def child(n: int) -> int:
    """Ten times n."""
    return n * 10


@app.task(name="awkward.parent")
def parent(n: int) -> str:
    """Starts another task and keeps what it got: the new task's id."""
    return str(child.delay(n).id)


@app.task(bind=True, name="awkward.flaky", max_retries=3)
def flaky(self: Task, n: int) -> dict[str, int]:
    """Asks to be run again twice, then succeeds; returns n and how often it was run again."""
    if self.request.retries < 2:
        raise self.retry(countdown=0.2)
    return {"n": n, "retries": self.request.retries}


@app.task(bind=True, name="awkward.replaced")
def replaced(self: Task, n: int) -> int:
    """Hands its place to another task, whose value becomes its own."""
    result: int = self.replace(child.s(n))
    return result


@app.task(name="awkward.silent", ignore_result=True)
def silent(n: int) -> int:
    """Declares that nobody wants its value."""
    return n


class Registered(Task):
    """A task as a class, which is bound where it is registered."""

    name = "awkward.registered"

    def run(self, n: int) -> int:
        """n plus one."""
        return n + 1


registered = app.register_task(Registered())
BOUND = [child.s(1), registered.s(1)]
"""Signatures made at import bind their tasks, which copy their settings then and keep them."""
app.finalize()
EAGER = app.conf.task_always_eager
"""Reading a setting at import fixes where the configuration comes from."""
