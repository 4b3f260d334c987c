"""What is shipped: a wheel that needs nothing, made from a source archive that has all it takes."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the archive and the wheel built from it; made in a copy, since setuptools leaves traces."""
    source, made = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("made")
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in ("rawasgi", "examples", "tests"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(made), str(source)]
    process = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.returncode == 0, process.stdout
    return made


def test_the_wheel_is_the_package_and_needs_nothing(made: Path) -> None:
    with zipfile.ZipFile(next(made.glob("*.whl"))) as wheel:
        names = wheel.namelist()
        metadata = wheel.read(next(name for name in names if name.endswith("/METADATA"))).decode().splitlines()
    files = {str(path.relative_to(ROOT)) for path in (ROOT / "rawasgi").rglob("*.py")} | {"rawasgi/py.typed"}
    assert {name for name in names if ".dist-info/" not in name} == files
    assert "License-Expression: MIT" in metadata
    assert "Requires-Python: >=3.11" in metadata
    needs = [line for line in metadata if line.startswith("Requires-Dist")]
    assert [line for line in needs if "extra ==" not in line] == []


def test_the_source_archive_is_small_and_whole(made: Path) -> None:
    archive = next(made.glob("*.tar.gz"))
    with tarfile.open(archive) as tar:
        names = {name.partition("/")[2] for name in tar.getnames()}
    assert {"LICENSE", "README.md", "pyproject.toml", "rawasgi/py.typed", "setup.cfg"} <= names
    assert not [name for name in names if name.startswith("examples")]
    assert archive.stat().st_size < 400_000
