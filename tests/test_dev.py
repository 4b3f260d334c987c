"""The commands of dev.py, as a newcomer calls them."""

import contextlib
import importlib.util
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest
from serving import need

ROOT = Path(__file__).parents[1]


def dev(*arguments: str, code: int = 0) -> str:
    process = subprocess.run([sys.executable, "dev.py", *arguments], cwd=ROOT, capture_output=True, text=True)
    assert process.returncode == code, process.stdout + process.stderr
    assert "Traceback" not in process.stderr
    return process.stdout + process.stderr


@pytest.fixture(scope="module")
def module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("dev_under_test", ROOT / "dev.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_it_helps(arguments: list[str]) -> None:
    said = dev(*arguments)
    for command in ("demo", "test", "bench"):
        assert f"dev.py {command}" in said


def test_an_unknown_command_is_an_error() -> None:
    assert "dance" in dev("dance", code=2)


def test_a_python_that_is_too_old_gets_one_sentence(module: ModuleType) -> None:
    assert module.too_old((3, 11)) is None
    assert module.too_old((3, 10)) == (
        "rawasgi needs Python 3.11 or newer, and this is 3.10: run dev.py with a newer one."
    )


def test_a_port_in_use_is_one_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        said = dev("demo", "--port", str(taken.getsockname()[1]), code=1)
    assert len(said.strip().splitlines()) == 1
    assert "--port" in said


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
@pytest.mark.parametrize("server", ["uvicorn", "hypercorn"])
def test_the_demo_ends_when_told_also_with_open_streams(server: str, stop: signal.Signals) -> None:
    need(server)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "dev.py", "demo", "--server", server, "--port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert process.stdout is not None
        said = ""
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                assert process.poll() is None, process.stdout.read()
                time.sleep(0.05)
        with contextlib.ExitStack() as streams:
            for path in ("/monitor", "/fastapi/monitor", "/disconnect", "/sync"):
                stream = streams.enter_context(socket.create_connection(("127.0.0.1", port)))
                stream.sendall(f"GET {path} HTTP/1.1\r\nhost: demo\r\n\r\n".encode())
                assert b"200" in stream.recv(65536)
            process.send_signal(stop)
            said = process.communicate(timeout=30)[0]
        assert process.returncode == 0, said
        assert "Traceback" not in said
        assert "dev.py demo --model" in said
        assert "/monitor" in said
        assert "/fastapi" in said
        assert "curl" in said
    finally:
        process.kill()
        process.wait()
