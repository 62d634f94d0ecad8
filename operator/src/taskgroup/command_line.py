"""The commands: `python -m taskgroup operator` in the operator's pod, the other commands for people and hooks."""

import asyncio
import logging
import os
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from taskgroup.cli.results import print_results
from taskgroup.cli.selftest import Selftest, run_selftest
from taskgroup.cli.uninstall import uninstall as run_uninstall
from taskgroup.cluster.errors import ApiError
from taskgroup.ending import run_to_the_end
from taskgroup.local.errors import LocalError
from taskgroup.local.manifests import ManifestError
from taskgroup.local.plan import Output, print_plan
from taskgroup.local.progress import Progress
from taskgroup.local.run import INTERRUPTED, UNUSABLE, RunOptions, run_group
from taskgroup.main import run_operator
from taskgroup.settings import read_settings
from taskgroup.transport.errors import BrokerError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)

_RECURSION_LIMIT = 25_000
"""The API server lets objects be nested 10,000 levels; Python's JSON reader needs a level for each, and a stack of 8 MB
is enough for this many."""

Kubeconfig = Annotated[str | None, typer.Option(help="Kubeconfig file. Default: $KUBECONFIG, or the pod's own.")]
Context = Annotated[str | None, typer.Option(help="Context in the kubeconfig.")]
File = Annotated[str, typer.Option("--file", "-f", help="File with TaskGroups in YAML or JSON; - is standard input.")]
Items = Annotated[Path | None, typer.Option(help="File with what spec.itemsFrom names.")]
Namespace = Annotated[str, typer.Option("--namespace", "-n", help="Namespace of the TaskGroup.")]


@app.command()
def operator(
    kubeconfig: Annotated[str | None, typer.Option(help="Only outside a cluster, for development.")] = None,
) -> None:
    """Run the operator; its settings are TASKGROUP_* variables."""
    settings = _or_exit(lambda: read_settings(os.environ))
    sys.setrecursionlimit(_RECURSION_LIMIT)
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # They report every watch event and every probe; their warnings and errors are worth reading.
    for chatty in ("kopf", "aiohttp.access"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLevelName(settings.log_level)))
    run_to_the_end(run_operator(settings, kubeconfig))


@app.command()
def results(
    name: Annotated[str, typer.Argument(help="Name of the TaskGroup.")],
    namespace: Namespace = "default",
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Print what each item returned, in index order, one JSON object a line."""
    _run(print_results(name, namespace, kubeconfig, context, sys.stdout))


@app.command()
def selftest(
    image: Annotated[str, typer.Option(help="Worker image.")],
    celery_app: Annotated[str, typer.Option("--app", help="Celery app in the image.")],
    task: Annotated[str, typer.Option(help="Task that takes one number.")],
    namespace: Namespace = "default",
    seconds: Annotated[float, typer.Option(help="How long it may take.")] = 180.0,
) -> None:
    """Run a tiny TaskGroup to its end and delete it; exit code 1 when it does not complete."""
    _run(run_selftest(Selftest(image, celery_app, task, namespace, seconds), sys.stdout))


@app.command()
def uninstall(
    deployment: Annotated[str, typer.Option(help="The operator's Deployment.")],
    namespace: Annotated[str, typer.Option("--namespace", "-n", envvar="TASKGROUP_NAMESPACE", help="Its namespace.")],
    watch: Annotated[
        str, typer.Option(envvar="TASKGROUP_WATCH_NAMESPACES", help="Namespaces served; all if empty.")
    ] = "",
) -> None:
    """Stop the operator and all workers and free the TaskGroups; a hook of `helm uninstall`."""
    watched = [part for part in watch.split(",") if part]
    _run(run_uninstall(deployment, namespace, watched, sys.stdout))


@app.command()
def plan(
    file: File,
    messages: Annotated[int, typer.Option(min=0, help="How many of the first messages to show.")] = 3,
    output: Annotated[Output, typer.Option("--output", "-o", help="For people, or for programs.")] = Output.TEXT,
    items: Items = None,
) -> None:
    """Print what TaskGroups would dispatch, without a cluster; exit code 1 when one cannot be run."""
    _or_exit(lambda: print_plan(file, messages, output, sys.stdout, items))


@app.command()
def run(
    file: File,
    celery_app: Annotated[str | None, typer.Option("--app", "-A", help="Celery app, instead of workers.app.")] = None,
    name: Annotated[str | None, typer.Option(help="Which TaskGroup, when the file holds several.")] = None,
    redis: Annotated[str | None, typer.Option(help="URL of a Redis. Default: a redis-server is started.")] = None,
    python: Annotated[str, typer.Option(help="Python that has Celery and the app.")] = sys.executable,
    results: Annotated[Path | None, typer.Option(help="File for what each item returned, as JSON lines.")] = None,
    worker_log: Annotated[Path | None, typer.Option(help="File for what the worker says.")] = None,
    output: Annotated[Output, typer.Option("--output", "-o", help="Status as YAML (text), or as JSON.")] = Output.TEXT,
    items: Items = None,
) -> None:
    """Run a TaskGroup on this machine, without a cluster.

    Exit code 0: Complete, 1: Failed, 2: it cannot be run, 130: interrupted. Ctrl-C lets running items finish.
    """
    logging.basicConfig(level=logging.ERROR, format="%(levelname)s %(name)s: %(message)s")
    options = RunOptions(
        file=file,
        app=celery_app,
        name=name,
        redis_url=redis,
        python=python,
        results=results,
        worker_log=worker_log,
        output=output,
        items=items,
    )
    try:
        code = run_group(options, sys.stdout, Progress(sys.stderr))
    except (ManifestError, LocalError, ValueError) as error:
        sys.stderr.write(f"taskgroup: {error}\n")
        code = UNUSABLE
    except KeyboardInterrupt:
        code = INTERRUPTED
    sys.exit(code)


def _run(work: Coroutine[Any, Any, None]) -> None:
    _or_exit(lambda: asyncio.run(work))


def _or_exit(act: Any) -> Any:
    """Errors that a person can act on are one line, not a stack trace."""
    try:
        return act()
    except (ApiError, BrokerError, ManifestError, ValueError, RuntimeError) as error:
        sys.exit(f"taskgroup: {error}")
