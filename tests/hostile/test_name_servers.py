"""Names that no name server answers for: they hold up nobody whose server has a name, too."""

from collections.abc import Iterator

import pytest

from support.hostile.honest import dispatched_in_time
from support.hostile.name_server import HONEST, NameServer, asked_by, name_server
from support.task_groups import Bench, running_bench
from support.wait import eventually
from taskgroup.api.names import Reason

SILENT = 16
"""More than there are threads for names in a process that asks the C library."""
TRIES = 4


@pytest.fixture(scope="module")
def names() -> Iterator[NameServer]:
    with name_server() as server:
        yield server


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, names: NameServer) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("bench")
    with running_bench(folder, wrapper=asked_by(names, folder)) as bench:
        eventually(lambda: "This operator leads." in bench.operator.log, state=lambda: bench.operator.log[-3000:])
        yield bench
        # In a namespace that goes nobody waits long for servers that nobody finds.
        bench.kubectl("delete", "namespace", bench.kubectl.namespace, "--wait=false")


def test_names_that_nobody_answers_for_hold_up_no_other(bench: Bench, names: NameServer) -> None:
    """Each attempt to resolve one lasts for seconds, and there is always one under way.

    Every honest group is dispatched in time, although its own server's name has to be resolved as well.
    """
    hosts = {f"silent-{number}": f"redis-{number}.silent.example" for number in range(SILENT)}
    urls = {name: f"redis://{host}:6379/0" for name, host in hosts.items()}
    urls |= {
        f"honest-{number}": bench.server.url.replace("127.0.0.1", f"redis-{number}.{HONEST}") for number in range(TRIES)
    }
    literals = [f"--from-literal={name}={url}" for name, url in urls.items()]
    made = bench.kubectl("create", "secret", "generic", "named", *literals)
    assert made.returncode == 0, made.stderr
    for name in hosts:
        bench.apply(name, items=[1], template={"task": "demo.noop"}, broker=_backend(name))
    eventually(lambda: names.unanswered >= set(hosts.values()), state=lambda: bench.operator.log[-3000:])

    for number in range(TRIES):
        dispatched_in_time(bench, f"honest-{number}", broker=_backend(f"honest-{number}"))
    for name in hosts:
        bench.until_reason(name, "BackendReachable", Reason.UNREACHABLE)


def _backend(key: str) -> dict[str, object]:
    return {"secretKeyRef": {"name": "named", "key": key}}
