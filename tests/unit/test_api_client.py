"""What the client of the Kubernetes API takes for granted."""

import pytest

from taskgroup.cluster.client import SILENT_SECONDS, WATCH_SECONDS
from taskgroup.cluster.wire import proxy_of


def test_the_api_server_ends_a_watch_before_silence_is_taken_for_a_fault() -> None:
    """Of a kind that nobody changes it says nothing until then: each 100 s the workers counted as unreadable."""
    assert SILENT_SECONDS >= WATCH_SECONDS + 10


def test_the_proxy_is_that_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    monkeypatch.setenv("no_proxy", "10.0.0.1,.cluster.local")

    assert proxy_of("https://api.example.com:6443") == "http://proxy:3128"
    assert proxy_of("https://10.0.0.1:443") is None
    assert proxy_of("https://kubernetes.cluster.local") is None

    monkeypatch.delenv("https_proxy")
    assert proxy_of("https://api.example.com:6443") is None
