"""A FastAPI app changes its imports, and passes its own tests."""

import os
import subprocess
import sys
from pathlib import Path

from adopting import PROJECT, adopt, changed_imports, copy

ROOT = Path(__file__).parents[2]
STREAMING = 12


def run_tests(folder: Path) -> str:
    """Run the tests of the project in *folder* as its own; return what pytest says. They must all pass."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "."]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])}
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout.splitlines()[-1]


def test_a_fastapi_app_with_12_streaming_routes_changes_two_imports_and_passes_its_own_tests(tmp_path: Path) -> None:
    copy(PROJECT, tmp_path / "theirs")
    copy(PROJECT, tmp_path / "ours", adopt)
    assert changes(PROJECT) <= {0, 1, 2}
    passed = [run_tests(tmp_path / name).split()[0] for name in ("theirs", "ours")]
    assert passed[0] == passed[1]


def changes(project: Path) -> set[int]:
    """Return how many imports a module of *project* changes."""
    return {changed_imports(path.read_text()) for path in project.rglob("*.py")}
