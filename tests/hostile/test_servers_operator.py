"""Tenants' servers that drip, flood, never answer, redirect or lie: an honest tenant is served all the while."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from support.hostile.honest import dispatched_in_time
from support.hostile.memory import peak_bytes
from support.hostile.servers import answering, deaf, dripping, flooding, silent
from support.stream_server import Serve, stream_server
from support.task_groups import Bench, running_bench
from support.wait import PATIENCE, eventually

LIMIT_BYTES = 512 * 1024 * 1024
TRIES = 8
ATTACKS: dict[str, Serve] = {
    "huge": answering(b"*1000000000\r\n"),
    "arrays": flooding(b"*120000\r\n", b"*0\r\n" * 10_000),
    "bytes": flooding(b"$15000000\r\n", b"x" * 1_000_000),
    "drip": dripping(b"$15000000\r\n" + b"x" * 4_000_000),
    "slow": dripping(b"$1000\r\n"),
    "silent": silent,
    "deaf": deaf,
    "one": answering(b":1\r\n" * 30),
    "moved": answering(b"-MOVED 1234 169.254.169.254:80\r\n" * 30),
    "empty": answering(b"*0\r\n" * 30),
}
URLS = {
    "pipe": "rediss://127.0.0.1:6379/0?ssl_ca_certs=/dev/stdout",
    "host": f"redis://{'a' * 500_000}:6379/0",
    "database": "redis://127.0.0.1:6379/" + "9" * 5_000,
    "metadata": "redis://169.254.169.254:80/0",
    "nowhere": "redis://nobody.invalid:6379/0",
}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with running_bench(tmp_path_factory.mktemp("bench")) as bench:
        yield bench


def _attack(bench: Bench, name: str, url: str) -> None:
    bench.folder.joinpath(name).write_text(url)
    made = bench.kubectl("create", "secret", "generic", name, f"--from-file=url={bench.folder / name}")
    assert made.returncode == 0, made.stderr
    bench.apply(name, items=[1, 2], template={"task": "demo.noop"}, broker={"secretKeyRef": {"name": name}})


def _until_it_leads(bench: Bench) -> None:
    eventually(lambda: "This operator leads." in bench.operator.log, state=lambda: bench.operator.log[-3000:])


def _say_what_is_wrong(bench: Bench) -> bool:
    states = [bench.status(name).get("conditions", []) for name in (*ATTACKS, *URLS)]
    return all(
        any(entry["status"] == "False" and entry["type"] in _SAYING for entry in conditions) for conditions in states
    )


_SAYING = ("BackendReachable", "ConfigurationValid")


def _withstood(bench: Bench, copies: int) -> None:
    pid = bench.operator.pid
    _until_it_leads(bench)
    with ExitStack() as servers:
        for name, behaviour in ATTACKS.items():
            port = servers.enter_context(stream_server(behaviour))
            for copy in range(copies):
                _attack(bench, name if copy == 0 else f"{name}-{copy}", f"redis://127.0.0.1:{port}/{copy}")
        for name, url in URLS.items():
            _attack(bench, name, url)
        for number in range(TRIES):
            dispatched_in_time(bench, f"during-{number}")
        eventually(lambda: _say_what_is_wrong(bench), PATIENCE, lambda: bench.operator.log[-3000:], step=2)
        dispatched_in_time(bench, "after")
        conditions = [bench.condition(name, kind) for name in URLS for kind in _SAYING]

    assert bench.operator.pid == pid
    assert bench.operator.is_running
    assert peak_bytes(pid) < LIMIT_BYTES
    assert "Traceback" not in bench.operator.log, _around_traceback(bench)
    assert all(len(condition.get("message", "")) < 500 for condition in conditions)


def test_an_honest_group_is_served_while_servers_attack(bench: Bench) -> None:
    """Each of several groups, created one after the other, is dispatched in time: some waited for 28 to 54 s."""
    _withstood(bench, 1)


@pytest.mark.long
def test_an_honest_group_is_served_while_many_servers_attack(bench: Bench) -> None:
    bench.clear()
    for name in (*ATTACKS, *URLS):
        bench.kubectl("delete", "secret", name, "--ignore-not-found")
    _withstood(bench, 8)


def _around_traceback(bench: Bench) -> str:
    _, mark, rest = bench.operator.log.partition("Traceback")
    return mark + rest[:4000]
