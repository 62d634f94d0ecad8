"""The patches that kopf makes of an object cost nothing for a large spec."""

from typing import Any

import kopf

from taskgroup.kopf_patches import compare_metadata_alone


class Untouchable(list[Any]):
    """A spec that nobody may copy, or compare."""

    def __deepcopy__(self, memo: object) -> Any:
        raise AssertionError("a large spec was copied")


def hold(body: Any) -> None:
    body["metadata"].setdefault("finalizers", []).append("a/b")


def test_the_finalizer_is_added_without_a_look_at_the_spec() -> None:
    """200,000 small lists kept every tenant waiting for two seconds."""
    compare_metadata_alone()
    compare_metadata_alone()
    body: Any = {"metadata": {"name": "a"}, "spec": {"items": Untouchable()}, "status": {"items": Untouchable()}}
    patch = kopf.Patch(body=body)
    patch.fns.append(hold)

    assert patch.as_json_patch(body) == [{"op": "add", "path": "/metadata/finalizers", "value": ["a/b"]}]
    assert patch.as_json_patch() == [{"op": "add", "path": "/metadata/finalizers", "value": ["a/b"]}]
    assert body == {"metadata": {"name": "a"}, "spec": body["spec"], "status": body["status"]}
