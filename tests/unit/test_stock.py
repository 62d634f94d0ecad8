"""What the operator knows of Celery by heart is what Celery says of itself."""

import subprocess
import sys

import pytest
from celery.app.task import Context
from celery.utils.time import rate as celery_rate

from taskgroup.broker.stock import RESERVED_HEADERS, rate


def test_every_name_of_a_request_is_reserved() -> None:
    assert {name for name in vars(Context) if not name.startswith("__")} <= RESERVED_HEADERS


@pytest.mark.parametrize("text", ["10/m", "2/h", "0.5/s", "7", "1.5e3/h"])
def test_a_rate_limit_is_read_as_celery_reads_it(text: str) -> None:
    assert rate(text) == pytest.approx(celery_rate(text), rel=1e-15)


@pytest.mark.parametrize("text", ["", "x", "10/d", "/s"])
def test_what_is_no_rate_limit_is_refused(text: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        rate(text)


def test_the_operator_starts_without_the_code_of_celery() -> None:
    """It took 5 MB of each operator."""
    loaded = "import sys, taskgroup.command_line; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)

    assert "taskgroup" in done.stdout.split()
    assert {"celery", "kombu", "billiard"}.isdisjoint(done.stdout.split())
