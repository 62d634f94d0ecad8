"""The probes of the chart's Redis, run as the kubelet runs them, on a real Redis in the states that it can be in."""

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest
import redis

from support.helm import FULLNAME, one, render
from support.redis_server import RedisServer, redis_server
from support.wait import eventually

_ENDLESS = "while true do end"


@pytest.fixture(scope="module")
def probes() -> dict[str, list[str]]:
    """Command of each probe."""
    stateful_set = one(render({"crds": {"install": False}}), "StatefulSet", f"{FULLNAME}-redis")
    (container,) = stateful_set["spec"]["template"]["spec"]["containers"]
    return {kind: container[f"{kind}Probe"]["exec"]["command"] for kind in ("liveness", "readiness")}


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


def outcome(probes: dict[str, list[str]], server: RedisServer) -> tuple[bool, bool]:
    """Alive and ready, in the kubelet's eyes."""
    return _passes(probes["liveness"], server), _passes(probes["readiness"], server)


def _passes(command: list[str], server: RedisServer) -> bool:
    """The probe asks the port of the container; here the server has another one."""
    here = [word.replace("redis-cli", f"redis-cli -p {server.port}") for word in command]
    return subprocess.run(here, env=os.environ, capture_output=True, check=False).returncode == 0


def test_a_redis_that_answers_is_alive_and_ready(probes: dict[str, list[str]], server: RedisServer) -> None:
    assert outcome(probes, server) == (True, True)


def test_a_redis_that_is_gone_is_neither(probes: dict[str, list[str]], server: RedisServer) -> None:
    server.kill()
    assert outcome(probes, server) == (False, False)


def test_a_redis_that_runs_a_script_is_not_killed(probes: dict[str, list[str]], server: RedisServer) -> None:
    """BUSY: a kill would lose what is not on disk, for a script that an administrator can end."""
    with server.client() as client, server.client() as other:
        client.config_set("busy-reply-threshold", 1)
        thread = threading.Thread(target=_run_for_ever, args=(other,))
        thread.start()
        eventually(lambda: _refusal(client) == "BUSY", state=lambda: _refusal(client))
        assert outcome(probes, server) == (True, True)
        client.script_kill()
        thread.join()


def test_a_redis_that_cannot_write_to_its_disk_is_not_killed(probes: dict[str, list[str]]) -> None:
    """MISCONF: everything that it holds is in memory only, and a kill would lose it."""
    with redis_server() as server, server.client() as client:
        (server.folder / "dump.rdb").mkdir()
        client.config_set("save", "1 1")
        client.set("a", 1)
        client.bgsave()
        eventually(lambda: _refusal(client) == "MISCONF", state=lambda: client.info("persistence"))
        assert outcome(probes, server) == (True, True)
        # It would not end by SIGTERM without having written its file.
        server.kill()


def test_a_redis_that_reads_its_file_is_alive_and_not_ready(probes: dict[str, list[str]]) -> None:
    with redis_server() as server, server.client() as client:
        client.mset({f"key:{number}": number for number in range(10_000)})
        client.save()
        server.kill()
        slowly = ("--key-load-delay", "10000", "--loading-process-events-interval-bytes", "1024")
        server.arguments += slowly
        server.start(answering=False)
        eventually(lambda: _refusal(client) == "LOADING", state=lambda: _refusal(client))
        assert outcome(probes, server) == (True, False)
        server.kill()


def _run_for_ever(client: "redis.Redis") -> None:
    with suppress(redis.RedisError):
        client.eval(_ENDLESS, 0)


def _refusal(client: "redis.Redis") -> str:
    """The first word of the error that PING gets; empty when it gets none."""
    try:
        client.ping()
    except redis.BusyLoadingError:
        return "LOADING"
    except redis.RedisError as error:
        return str(error).split()[0]
    return ""
