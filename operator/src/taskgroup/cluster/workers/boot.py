"""Starts `celery` so that a group can rely on the worker, whatever its app says. Pods run this text by `python3 -c`.

It does eight things, in this order, and then hands over to Celery's own main:

1. SIGTERM ends the process. The first process of a container ignores a signal without a handler, and Celery sets its
   handlers only after the app is imported.
2. The working directory becomes the last place where modules are looked for. `-c` makes it the first, where a project's
   own queue.py would hide the one of the standard library. While Celery imports the app it is the first, as always.
3. The settings of the command line win over the app's under every name that the app may have used for them. Celery does
   so itself since 5.7; before, a setting under a prefix (CELERY_..., as Django projects have) beat the command line.
4. TLS follows the URLs. An app whose own settings demand TLS could not talk to a Redis without it.
5. What a task says of itself about its delivery and its result is replaced, and what the command line says takes effect
   on tasks that are bound while the app is imported. docs/workers.md lists the attributes.
6. A worker that has lost the broker remembers what it runs. Up to Celery 5.6 it forgets these tasks: it never notices
   their ends, lists them as active for ever, and takes less than it could.
7. A worker goes on listening when a connection closes that it does not listen on. Before kombu 5.7 it stops to, and is
   idle for ever while its queue is full: so it was after an outage.
8. A result says how long its attempt ran, as `run_seconds`. Celery stores only the time of the end.

It must run on every supported version of Celery and Python, and uses nothing but them.
"""

import sys

if __name__ == "__main__" and sys.path[:1] == [""]:
    sys.path.append(sys.path.pop(0))

import os
import signal
import time
from typing import Any

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))

# The imports from here on take about a second, so the handler is set before them.
import celery

if __name__ == "__main__":
    # For gevent and eventlet, which replace modules of the standard library: before anything else imports these.
    celery.maybe_patch_concurrency()

import kombu
from celery import Celery, Task
from celery.backends.base import Backend
from celery.bin.celery import main
from celery.concurrency.asynpool import AsynPool
from celery.signals import celeryd_after_setup, task_prerun
from kombu.transport.redis import Channel

TASK_ATTRIBUTES = {
    # A task of a killed worker is not lost: what is not acknowledged is given back.
    "acks_late": True,
    # A killed child process is a failure with a name, not an endless loop.
    "reject_on_worker_lost": False,
    # The end of an item is read from its result.
    "ignore_result": False,
    # The worker accepts nothing else, and so its retries.
    "serializer": "json",
    # Retries and subtasks stay with the group.
    "queue": None,
    "exchange": None,
    "routing_key": None,
}
TLS_SETTINGS = {"CELERY_BROKER_URL": "broker_use_ssl", "CELERY_RESULT_BACKEND": "redis_backend_use_ssl"}
CACHED = ("queues", "router", "default_queue", "default_exchange", "create_task_message", "send_task_message")
stock_bind = Task.bind.__func__
stock_flush = AsynPool.flush
stock_meta: Any = Backend._get_result_meta  # noqa: SLF001
stock_disconnect: Any = Channel._on_connection_disconnect  # noqa: SLF001


def apply_settings(app: Any, argv: list[str], namespace: str = "celery") -> None:
    """Replaces `Celery.config_from_cmdline`: without a prefix, and under the prefix of the app."""
    without_tls = {name: None for variable, name in TLS_SETTINGS.items() if not is_tls(os.environ.get(variable, ""))}
    for name, value in {**without_tls, **app.loader.cmdline_config_parser(argv, namespace)}.items():
        app.conf[name] = value
        app.conf[app.conf._to_keys(name)[0]] = value  # noqa: SLF001
    forget_cached(app)


def forget_cached(app: Any) -> None:
    """Drop what Celery made of the app's own settings because something asked for it while the app was imported."""
    vars(app).pop("control", None)
    for name in CACHED:
        vars(app.amqp).pop(name, None)
    app.amqp.flush_routes()


def is_tls(url: str) -> bool:
    """Whether the connection is encrypted."""
    return url.startswith("rediss://")


def bind(task_class: Any, app: Any) -> Any:
    """Replaces `Task.bind`, which every task goes through, also one that is registered while the worker runs."""
    bound = stock_bind(task_class, app)
    apply_attributes(task_class)
    return bound


def apply_to_known_tasks(instance: Any, **_: Any) -> None:
    """Again before the worker begins: an app may have changed its tasks after they were bound."""
    for task in instance.app.tasks.values():
        apply_attributes(task)


def apply_attributes(task: Any) -> None:
    """`task` is a task or its class. Celery's own, as `celery.chord_unlock`, keep what they say of their results."""
    for name, value in TASK_ATTRIBUTES.items():
        if name == "acks_late" or not str(task.name).startswith("celery."):
            setattr(task, name, value)
    # Celery's copy of the attributes that matter when a task is sent.
    task._exec_options = None  # noqa: SLF001


def keep_running(pool: Any) -> None:
    """Replaces `AsynPool.flush`, which the worker calls when it has lost the broker."""
    running = {number: job for number, job in pool._cache.items() if job._accepted}  # noqa: SLF001
    stock_flush(pool)
    pool._cache.update(running)  # noqa: SLF001


def keep_listening(channel: Any, connection: Any) -> None:
    """Replaces `Channel._on_connection_disconnect`, which takes any connection for the one that the loop waits on."""
    if connection in (channel._in_poll, channel._in_listen):  # noqa: SLF001
        stock_disconnect(channel, connection)


def note_start(task: Any = None, **_: Any) -> None:
    """Before a task runs, in the process or thread that runs it."""
    task.request.began = time.monotonic()


def result_meta(backend: Any, result: Any, state: str, traceback: Any, request: Any, *rest: Any, **named: Any) -> Any:
    """Replaces `Backend._get_result_meta`. The state stays the first field, where the operator looks for it."""
    meta = stock_meta(backend, result, state, traceback, request, *rest, **named)
    began = getattr(request, "began", None)
    if began is None or state not in backend.READY_STATES:
        return meta
    return {"status": meta.pop("status"), "run_seconds": round(time.monotonic() - began, 4), **meta}


if __name__ == "__main__":
    Celery.config_from_cmdline = apply_settings
    Task.bind = classmethod(bind)
    AsynPool.flush = keep_running
    Backend._get_result_meta = result_meta  # noqa: SLF001
    task_prerun.connect(note_start, weak=False)
    if kombu.VERSION < (5, 7):
        Channel._on_connection_disconnect = keep_listening  # type: ignore[method-assign]  # noqa: SLF001
    celeryd_after_setup.connect(apply_to_known_tasks, weak=False)
    sys.argv[0] = "celery"
    sys.exit(main())
