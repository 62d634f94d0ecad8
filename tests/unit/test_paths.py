"""Which paths inside a volume are accepted."""

import pytest
from pydantic import ValidationError

from taskgroup.api.volumes import KeyToPath, VolumeMount


@pytest.mark.parametrize("path", ["a", "a/b", "a/", "a//b", ".a", "..a", "...", "a..b/..c", ".", "./a", "a."])
def test_a_path_that_stays_inside_is_accepted(path: str) -> None:
    assert KeyToPath(key="k", path=path).path == path


@pytest.mark.parametrize("path", ["", "/a", "..", "../..", "a/..", "a/../b", "./../b", "a/b/../../..", "../a"])
def test_a_path_that_leads_out_is_refused(path: str) -> None:
    with pytest.raises(ValidationError):
        KeyToPath(key="k", path=path)
    with pytest.raises(ValidationError):
        VolumeMount(name="a", mount_path="/a", sub_path=path)
