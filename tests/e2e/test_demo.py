"""The demo runs to its end: the first command that a newcomer types."""

import os
import subprocess
import sys

import pytest

from demo.manifests import FIRST
from support.kube import Kube
from support.space import REPOSITORY
from support.wait import PATIENCE

# It deletes and creates groups that other tests apply, too.
pytestmark = [pytest.mark.alone, pytest.mark.timeout(600)]


def test_the_demo_shows_each_of_its_examples_and_ends_well(system: Kube) -> None:
    environment = os.environ | {"KUBECONFIG": system.kubeconfig, "PYTHONPATH": str(REPOSITORY / "tests")}
    command = [sys.executable, "-m", "demo.demo"]

    demo = subprocess.run(command, env=environment, text=True, capture_output=True, check=False, timeout=10 * PATIENCE)

    assert demo.returncode == 0, demo.stdout + demo.stderr
    for name in FIRST:
        assert f"\n{name}: " in demo.stdout
    assert "partial-failure: Failed after " in demo.stdout
    assert '"sent": "1980/2000"' in demo.stdout
    assert "NAME " in demo.stdout.rpartition("get taskgroups\n")[2]
