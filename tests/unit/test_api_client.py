"""What the client of the Kubernetes API takes for granted."""

import pytest

from taskgroup.cluster.client import SILENT_SECONDS, WATCH_SECONDS
from taskgroup.cluster.resources import NAMESPACES, PODS, TOKEN_REVIEWS, Resource
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


@pytest.mark.parametrize(
    ("resource", "namespace", "name", "words"),
    [
        (PODS, "shop", "a", 'Pod "a" in namespace "shop"'),
        (PODS, "shop", None, 'pods in namespace "shop"'),
        (PODS, "", None, "pods in all namespaces"),
        (NAMESPACES, "", "shop", 'Namespace "shop"'),
        (TOKEN_REVIEWS, "", None, "tokenreviews"),
    ],
)
def test_an_error_says_what_was_asked_for(resource: Resource, namespace: str, name: str | None, words: str) -> None:
    """Some said: in namespace ""."""
    assert resource.label(namespace, name) == words
