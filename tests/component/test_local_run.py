"""`taskgroup run`: groups without a cluster, on a real redis-server and stock Celery workers."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml

from support.group_worker import notes
from support.wait import PATIENCE, eventually

TESTS = Path(__file__).parents[1]


class Run:
    """A run of the command, and everything that it started."""

    def __init__(self, folder: Path, spec: dict[str, Any], *options: str, path: str | None = None) -> None:
        workers = {"image": "any", "app": "support.celery_app", "concurrency": 1}
        body = {"apiVersion": "taskgroups.dev/v1alpha1", "kind": "TaskGroup", "metadata": {"name": "trial"}}
        manifest = folder / "group.yaml"
        manifest.write_text(yaml.safe_dump(body | {"spec": {"workers": workers | spec.pop("workers", {}), **spec}}))
        self._folder = folder
        self.results = folder / "results"
        self._errors = folder / "errors"
        command = [sys.executable, "-m", "taskgroup", "run", "-f", str(manifest), "--results", str(self.results)]
        environment = os.environ | {"TMPDIR": str(folder), "PYTHONPATH": str(TESTS)}
        environment |= {"PATH": path} if path is not None else {}
        with self._errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [*command, *options], cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=errors
            )

    @property
    def errors(self) -> str:
        """What it has said besides the status."""
        return self._errors.read_text()

    def ended(self) -> tuple[int, dict[str, Any]]:
        """Exit code and status, once it has ended."""
        output, _ = self.process.communicate(timeout=PATIENCE)
        found = yaml.safe_load(output) or {}
        return self.process.returncode, found.get("status", {})

    def lines(self) -> list[dict[str, Any]]:
        """What the items returned."""
        return [json.loads(line) for line in self.results.read_text().splitlines()]

    def processes(self) -> dict[int, str]:
        """All that it started, which work in its folder or below: process id to command line."""
        return {
            int(folder.name): _text(folder / "cmdline")
            for folder in Path("/proc").glob("[0-9]*")
            if self._is_of(folder)
        }

    def _is_of(self, folder: Path) -> bool:
        try:
            return str((folder / "cwd").readlink()).startswith(str(self._folder))
        except OSError:
            return False

    def worker(self) -> int:
        """The worker's first process."""
        return min(number for number, line in self.processes().items() if "\0worker\0" in line)


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


@contextmanager
def running(folder: Path, spec: dict[str, Any], *options: str, path: str | None = None) -> Iterator[Run]:
    """Afterwards nothing may be left of it, however it ended."""
    run = Run(folder, spec, *options, path=path)
    try:
        yield run
        assert run.process.poll() is not None, run.errors
        # What was killed is gone once the machine has had time for it.
        eventually(lambda: run.processes() == {}, state=run.processes)
    finally:
        for number in run.processes():
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        run.process.communicate()


def template(task: str, *args: Any) -> dict[str, Any]:
    return {"task": task, "args": list(args)}


def gates(*names: str) -> dict[str, Any]:
    return {"items": list(names), "template": template("demo.gate", "$(item)")}


def open_gate(url: str, name: str) -> None:
    with redis.Redis.from_url(url) as board:
        board.set(f"open:{name}", 1)


def until_noted(url: str, run: Run, expected: list[str]) -> None:
    eventually(lambda: notes(url) == expected, state=lambda: (notes(url), run.errors))


def test_a_group_completes_on_a_broker_of_its_own(tmp_path: Path) -> None:
    spec = {"items": [{"a": None}, 2], "template": template("demo.echo", "$(item)", "$(index)")}
    with running(tmp_path, spec) as run:
        code, status = run.ended()

    assert (code, status["state"], status["succeeded"]) == (0, "Complete", 2), run.errors
    assert [line["result"] for line in run.lines()] == [[[{"a": None}, 0], {}], [[2, 1], {}]]
    assert run.errors.splitlines()[-1] == "Complete: 2/2 succeeded"


def test_failures_are_reported_and_end_with_1(tmp_path: Path) -> None:
    tasks = [template("demo.fail", "broken"), template("demo.noop"), template("demo.fail", "broken")]
    with running(tmp_path, {"tasks": tasks}, "--output", "json") as run:
        code, status = run.ended()

    assert (code, status["state"], status["failedIndexes"]) == (1, "Failed", "0,2")
    assert [(failure["reason"], failure["message"]) for failure in status["failures"]] == [("ValueError", "broken")]
    assert [line["status"] for line in run.lines()] == ["FAILURE", "SUCCESS", "FAILURE"]
    assert "ItemFailed: " in run.errors


def test_a_chain_hands_its_results_on(tmp_path: Path) -> None:
    chain = [template("demo.note", "$(item)"), template("demo.echo", "second"), template("demo.echo", "third")]
    with running(tmp_path, {"items": ["a", "b"], "template": {"chain": chain}}) as run:
        code, _ = run.ended()

    assert code == 0, run.errors
    assert [line["result"] for line in run.lines()] == [[[[[name, "second"], {}], "third"], {}] for name in "ab"]


def test_a_broken_chain_says_why(tmp_path: Path) -> None:
    chain = [template("demo.note", "$(item)"), template("demo.fail"), template("demo.echo", "never")]
    with running(tmp_path, {"items": ["a"], "template": {"chain": chain}}) as run:
        code, _ = run.ended()

    line = run.lines()[0]
    assert (code, line["status"]) == (1, "FAILURE"), run.errors
    assert line["error"].startswith("ValueError: ")
    assert "demo.fail" in line["error"]


def test_a_callback_gets_the_results(tmp_path: Path) -> None:
    spec = {"items": [1, 2], "template": template("demo.note", "$(item)"), "callback": template("demo.echo", "all")}
    with running(tmp_path, spec) as run:
        code, status = run.ended()

    assert (code, status["callback"]["state"]) == (0, "Succeeded"), run.errors
    assert json.loads(status["callback"]["result"]) == [[[1, 2], "all"], {}]


def test_everything_around_the_items_is_run_too(tmp_path: Path, redis_url: str) -> None:
    """What comes before, chunks, hooks and a pace, as in a cluster."""
    immutable = {"options": {"immutable": True}}
    spec = {
        "items": [1, 2, 3],
        "chunkSize": 2,
        "chunkResult": "Whole",
        "rateLimit": "1/s",
        "before": template("demo.note", "before"),
        "template": template("demo.echo", "$(items)", "$(before.result)"),
        "onItemSuccess": {**template("demo.note", "after $(index)"), **immutable},
        "callback": {**template("demo.note", "all"), "input": "None"},
    }
    with running(tmp_path, spec, "--redis", redis_url) as run:
        code, status = run.ended()

    assert (code, status["state"], status["succeeded"], status["messages"]) == (0, "Complete", 3, "2/2"), run.errors
    assert (status["before"]["state"], status["onItemSuccess"]["succeeded"]) == ("Succeeded", 2)
    assert [line["result"][0] for line in run.lines()] == [[[1, 2], "before"], [[3], "before"]]
    noted = notes(redis_url)
    assert (noted[0], sorted(noted[1:])) == ("before", ["after 0", "after 2", "all"])


def test_a_task_may_retry_itself(tmp_path: Path) -> None:
    with running(tmp_path, {"items": [1], "template": template("demo.again")}) as run:
        code, _ = run.ended()

    assert (code, run.lines()[0]["result"]) == (0, 2), run.errors


def test_items_of_a_file_are_run(tmp_path: Path) -> None:
    (tmp_path / "numbers.jsonl").write_text("".join(f"{number}\n" for number in range(30)))
    source = {"configMap": {"name": "numbers", "key": "numbers.jsonl"}}
    spec = {"itemsFrom": source, "template": {"task": "demo.echo", "args": ["$(item)"]}}
    with running(tmp_path, spec, "--items", str(tmp_path / "numbers.jsonl")) as run:
        code, status = run.ended()

    assert (code, status["total"], status["items"]["count"]) == (0, 30, 30)
    assert [line["result"] for line in run.lines()] == [[[number], {}] for number in range(30)]


def test_a_killed_worker_is_replaced_and_loses_no_item(tmp_path: Path, redis_url: str) -> None:
    with running(tmp_path, gates("a", "b"), "--redis", redis_url) as run:
        until_noted(redis_url, run, ["a"])
        os.kill(run.worker(), signal.SIGKILL)
        until_noted(redis_url, run, ["a", "a"])
        open_gate(redis_url, "a")
        open_gate(redis_url, "b")
        code, status = run.ended()

    assert (code, status["succeeded"]) == (0, 2), run.errors
    assert notes(redis_url) == ["a", "a", "b"]
    with redis.Redis.from_url(redis_url) as board:
        left = {key.decode() for key in board.scan_iter("*taskgroup*")} | {
            key.decode() for key in board.scan_iter("celery-task-meta-*")
        }
    assert len(left) == 1, "a tombstone, and no message, no book, no result"


def test_ctrl_c_lets_running_items_finish(tmp_path: Path, redis_url: str) -> None:
    with running(tmp_path, gates("a", "b"), "--redis", redis_url) as run:
        until_noted(redis_url, run, ["a"])
        run.process.send_signal(signal.SIGINT)
        eventually(lambda: "Suspended: 0/2" in run.errors, state=lambda: run.errors)
        open_gate(redis_url, "a")
        code, status = run.ended()

    assert (code, status["state"], status["succeeded"], status["pending"]) == (130, "Suspended", 1, 1), run.errors
    assert notes(redis_url) == ["a"]


@pytest.mark.parametrize("signals", [(signal.SIGINT, signal.SIGINT), (signal.SIGTERM,)])
def test_a_second_ctrl_c_and_sigterm_end_everything(
    tmp_path: Path, redis_url: str, signals: tuple[signal.Signals, ...]
) -> None:
    with running(tmp_path, gates("a"), "--redis", redis_url) as run:
        until_noted(redis_url, run, ["a"])
        for number in signals:
            run.process.send_signal(number)
            eventually(lambda: "Interrupted" in run.errors or run.process.poll() is not None, state=lambda: run.errors)
        code, status = run.ended()

    assert (code, status["succeeded"]) == (130, 0), run.errors


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--app", "nowhere.to.be.found"), "ended 3 times before it was ready"),
        (("--redis", "http://localhost"), "The URL must begin with redis:// or rediss://"),
        (("--python", "/nowhere/python"), "/nowhere/python cannot be started (No such file or directory)"),
        (("--results", "/nowhere/results"), "/nowhere/results: the file cannot be written"),
        (("--name", "other"), "The file holds no TaskGroup other, but trial: correct --name."),
    ],
)
def test_what_cannot_be_run_ends_with_2_and_a_sentence(tmp_path: Path, options: tuple[str, ...], sentence: str) -> None:
    with running(tmp_path, {"items": [1], "template": template("demo.noop")}, *options) as run:
        code, _ = run.ended()

    assert code == 2
    assert run.errors.splitlines()[-1].startswith("taskgroup: ")
    assert sentence in run.errors.splitlines()[-1]


def test_the_end_of_its_broker_ends_a_run(tmp_path: Path) -> None:
    with running(tmp_path, {"items": [1], "template": template("demo.busy")}) as run:
        eventually(lambda: "Running: 0/1" in run.errors, state=lambda: run.errors)
        broker = next(number for number, line in run.processes().items() if line.startswith("redis-server"))
        os.kill(broker, signal.SIGKILL)
        code, _ = run.ended()

    assert code == 2
    assert "taskgroup: The redis-server of this run has ended (signal 9): run it again" in run.errors


def test_without_a_redis_server_the_remedy_is_said(tmp_path: Path) -> None:
    with running(tmp_path, {"items": [1], "template": template("demo.noop")}, path="") as run:
        code, _ = run.ended()

    assert (code, run.errors.splitlines()) == (
        2,
        [
            "taskgroup: There is no redis-server on the PATH: install Redis, or name a server with"
            " --redis redis://host:6379/0."
        ],
    )
