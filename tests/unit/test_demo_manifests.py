"""Which examples the demo applies, with which servers and images."""

import pytest

from demo.manifests import FIRST, Object, chosen, example, existing, server

OWN = "registry.example.com/team/taskgroup-worker:demo-1"


def images(objects: list[Object]) -> set[str]:
    """All values of `image`, wherever they stand."""
    found, left = set[str](), list[object](objects)
    while left:
        each = left.pop()
        if isinstance(each, dict):
            found |= {each["image"]} if isinstance(each.get("image"), str) else set()
            left += each.values()
        elif isinstance(each, list):
            left += each
    return found


def test_without_words_a_few_are_shown() -> None:
    assert chosen([]) == list(FIRST)
    assert set(FIRST) < set(existing())
    assert chosen(["all"]) == existing()
    assert chosen(["prices", "crawl"]) == ["prices", "crawl"]


def test_an_unknown_example_is_told_with_those_that_there_are() -> None:
    with pytest.raises(ValueError, match=r"there is no example pictures; name some of: all, contact-sheets, crawl, "):
        chosen(["sequence", "pictures"])


def test_every_server_that_an_example_needs_is_a_deployment_of_that_name() -> None:
    """A demo that leaves one out waits for ever: a pod needs its Secret, a task its server."""
    needed = {name: example(name).servers for name in existing()}

    assert needed["prices"] == ("database",)
    assert needed["sequence"] == ()
    for name in {each for servers in needed.values() for each in servers}:
        assert ("Deployment", name) in {(each["kind"], each["metadata"]["name"]) for each in server(name)}


def test_an_example_is_told_in_its_first_sentence() -> None:
    assert example("mail-campaign").about == (
        "A mail to each of two thousand readers, by a real SMTP server, which refuses some addresses"
    )


@pytest.mark.parametrize("name", existing())
def test_another_cluster_runs_the_worker_image_that_was_pushed(name: str) -> None:
    """In workers, in containers that run before them, and in servers."""
    found = example(name, OWN)
    servers = [each for one in found.servers for each in server(one, OWN)]

    assert found.objects[-1]["kind"] == "TaskGroup"
    assert OWN in images(found.objects)
    assert images(found.objects + servers) <= {OWN, "localhost/postgres:15"}
