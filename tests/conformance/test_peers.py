"""The peers' own tests, run against our classes: run.py says how."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(not os.environ.get("REQUIRE_PARTS"), reason="fetches the peers' tests: set REQUIRE_PARTS=1 to run")
def test_what_passes_and_differs_is_what_is_listed() -> None:
    command = [sys.executable, str(Path(__file__).with_name("run.py"))]
    result = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stdout + result.stderr
