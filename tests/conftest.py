"""What holds for the tests of every folder."""

import gc
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

# Else a failed assertion of a shared helper would not show its values.
pytest.register_assert_rewrite("support")

_FOLDER = Path(__file__).parent
FIRST = (
    "hostile/test_tenants_manifests.py",
    "component/test_outages.py",
    "component/test_operator_idle.py",
    "hostile/test_servers_operator.py",
    "component/test_worker_odd_app.py",
    "component/test_local_run.py",
    "component/test_operator_abuse.py",
    "component/test_write_budget.py",
    "component/test_paced.py",
    "component/test_operator_life.py",
    "component/test_operator_standby.py",
    "component/test_chords_beside_celery.py",
)
"""Files that take a minute and more, each on one of pytest's workers: begun last, they were what all others waited for.

Those that mostly wait (outages, idle) go beside two that take all of the processor.
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """In that order; all others as they are."""
    places = {_FOLDER / name: place for place, name in enumerate(FIRST)}
    assert all(path.exists() for path in places), "FIRST in tests/conftest.py names a file that is gone."
    items.sort(key=lambda item: places.get(item.path, len(FIRST)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Generator[None, object, object]:
    """What is alive after a test stays, as what was imported does: looking through it each time takes too long."""
    result = yield
    gc.collect()
    gc.freeze()
    return result


@pytest.fixture(autouse=True)
def own_garbage() -> Iterator[None]:
    """What a test leaves open is told in that test; else Python finds it in a later one."""
    yield
    gc.collect()
