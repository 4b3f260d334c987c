"""Lint, format and types are tests, so that one command is all there is to run."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy", "rawasgi", "examples", "tests", "benchmarks", "dev.py"],
    ],
    ids=["lint", "format", "types"],
)
def test_nothing_to_mend(command: list[str]) -> None:
    process = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True)
    assert process.returncode == 0, process.stdout + process.stderr
