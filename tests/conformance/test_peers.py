"""The peers' own tests, run against our classes: run.py says how."""

import os
import subprocess

import pytest


@pytest.mark.skipif(not os.environ.get("REQUIRE_PARTS"), reason="fetches the peers' tests: set REQUIRE_PARTS=1 to run")
def test_what_passes_and_differs_is_what_is_listed(request: pytest.FixtureRequest) -> None:
    peers: subprocess.Popen[str] = request.getfixturevalue("peers")
    said, _ = peers.communicate(timeout=600)
    assert peers.returncode == 0, said
