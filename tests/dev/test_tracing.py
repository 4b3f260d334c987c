"""What is seen of an exchange, and what the commands make of it."""

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import cast

import pytest
from clock import now, run

from rawasgi import respond
from rawasgi.asgi import App, Receive, Scope, Send, Sent
from rawasgi.dev import cli, looking
from rawasgi.dev.client import connect
from rawasgi.dev.personalities import PERSONALITIES
from rawasgi.dev.tracing import Traced, trace
from rawasgi.dev.validation import rules

ROOT = Path(__file__).parents[2]


async def ticks() -> AsyncIterator[str]:
    for number in range(3):
        yield f"{number}\n"
        await asyncio.sleep(1)


async def sloppy(scope: Scope, receive: Receive, send: Send) -> None:
    """Capitals in a header's name, and no end."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"X-Tag", b"1")]})
    await send({"type": "http.response.body", "body": b"x", "more_body": True})


async def failing(scope: Scope, receive: Receive, send: Send) -> None:
    raise LookupError("nothing here")


def seen(app: App, leave: bool = False, cancel: bool = False) -> list[Traced]:
    found: list[Traced] = []

    async def script() -> None:
        async with connect(trace(app, found.append, now), validated=False) as client:
            await client.started()
            if leave:
                await client.leave()
            elif cancel:
                await client.cancel()
            else:
                with suppress(EOFError):
                    await client.rest()

    run(script())
    return found


def test_each_message_is_told_with_its_time_and_the_state_after_it() -> None:
    found = seen(respond.stream(ticks()))
    told = [each for each in found if each.arrow != "<"]
    assert [(each.at, each.arrow, each.what, each.state) for each in told] == [
        (0, ">", "http.response.start", "started"),
        (0, ">", "http.response.body", "streaming"),
        (1, ">", "http.response.body", "streaming"),
        (2, ">", "http.response.body", "streaming"),
        (3, ">", "http.response.body", "complete"),
        (3, "=", "complete", "complete"),
    ]
    assert (told[1].size, told[1].first) == (2, b"0\n")
    assert all(each.problem is None for each in found)


def test_how_it_ended_is_told() -> None:
    assert seen(respond.stream(ticks()), leave=True)[-1].what == "client left"
    assert seen(respond.stream(ticks()), cancel=True)[-1].what == "cancelled"


def test_a_rule_that_is_broken_is_told_and_changes_nothing() -> None:
    start, body, end = (each for each in seen(sloppy) if each.arrow != "<")
    assert "lowercase" in str(start.problem)
    assert (body.size, end.what) == (1, "incomplete")
    assert "must not return" in str(end.problem)


@pytest.fixture
def app_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "traced_app.py").write_text(
        "import asyncio\n"
        "from rawasgi import Router, respond\n"
        "app, other = Router(), Router()\n"
        "async def ticks(n):\n"
        "    for i in range(n):\n"
        "        yield f'{i}\\n'\n"
        "        await asyncio.sleep(0)\n"
        "@app.get('/')\n"
        "async def a(request): return respond.stream(ticks(3))\n"
        "@other.get('/')\n"
        "async def b(request): return respond.stream(ticks(2))\n"
        "@app.get('/ever')\n"
        "async def ever(request): return respond.stream(ticks(10**9))\n"
        "@app.get('/asked')\n"
        "async def asked(request): return request.scope['query_string']\n"
        "@app.get('/fails')\n"
        "async def fails(request): raise LookupError('a secret')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    return "traced_app"


def test_a_trace_is_readable(app_file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["trace", f"{app_file}:app"]) == 0
    said = capsys.readouterr().out
    assert "http.response.start" in said
    assert "'0\\n'" in said
    assert "     sent " in said
    assert " = complete" in said


def test_a_trace_is_lines_of_json(app_file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["trace", f"{app_file}:app", "/ever", "--json", "--leave-after", "3"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[-1]["what"] == "client left"
    assert sum(line["size"] > 0 for line in lines) >= 3


@pytest.mark.parametrize("server", PERSONALITIES)
def test_a_client_that_does_not_read_is_left_after_a_while(
    app_file: str, server: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["trace", f"{app_file}:app", "/ever", "--stall", "--seconds", "0.05", "--server", server]
    assert cli.main(arguments) == 0
    assert "client left" in capsys.readouterr().out


def test_what_fails_is_an_exit_status(app_file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["trace", f"{app_file}:app", "/fails"]) == 1
    assert "LookupError" in capsys.readouterr().out
    assert cli.main(["trace", "no_such_module:app"]) == 2
    assert "cannot load" in capsys.readouterr().err


def test_two_apps_are_compared(app_file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["diff", f"{app_file}:app", f"{app_file}:app"]) == 0
    assert cli.main(["diff", f"{app_file}:app", f"{app_file}:other"]) == 1
    said = capsys.readouterr().out
    assert "messages with a body" in said
    assert " ! " in said
    assert "the first difference is in message" in said
    assert cli.main(["diff", f"{app_file}:app", f"{app_file}:other", "--json"]) == 1
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert last["figures"][f"{app_file}:app"]["bytes"] == 6
    assert last["first_difference"] == 3  # after the start and two lines
    assert cli.main(["diff", f"{app_file}:app", "no_such_module:app"]) == 2


@pytest.mark.parametrize("page", ["README.md", "README.zh.md", "rawasgi/dev/RULES.md"])
def test_what_the_pages_say_of_the_rules_is_what_the_command_prints(
    page: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["rules", "--diagram" if page.startswith("README") else "--markdown"]) == 0
    assert capsys.readouterr().out in (ROOT / page).read_text()


@pytest.mark.parametrize("options", [[], ["--markdown"]])
def test_every_rule_is_listed(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["rules", *options]) == 0
    said = capsys.readouterr().out
    assert all(rule.id in said and rule.spec in said for rule in rules())


def test_a_broken_rule_stands_below_its_message_in_red_where_there_is_colour() -> None:
    broken = Traced(0.0, ">", "http.response.start", problem="no")
    assert looking.line(broken).endswith("broken: no")
    assert looking.line(broken, colour=True).endswith("\x1b[31mbroken: no\x1b[0m")


def test_many_messages_in_one_column_are_counted_to_nine() -> None:
    found = [Traced(0.0, ">", "x")] * 12 + [Traced(1.0, "=", "complete")]
    assert looking.timeline(found).startswith("     sent +")
    assert looking.timeline([]).count("\n") == 2


def test_a_call_of_an_unknown_kind_is_told_once() -> None:
    found: list[Traced] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(cast(Sent, {"type": "x.y"}))

    async def send(message: Sent) -> None: ...

    scope = cast(Scope, {"type": "x", "asgi": {"version": "3.0"}})
    run(trace(app, found.append, now)(scope, cast(Receive, None), send))  # type: ignore[arg-type]  # a coroutine
    assert [each.what for each in found] == ["x.y", "incomplete"]


def test_the_query_is_given_as_pairs(capsys: pytest.CaptureFixture[str], app_file: str) -> None:
    assert cli.main(["trace", f"{app_file}:app", "/asked", "--query", "text=a b", "--query", "more=&", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-2])["first"] == "text=a+b&more=%26"


def test_a_header_without_a_colon_is_refused(app_file: str) -> None:
    with pytest.raises(SystemExit):
        cli.main(["trace", f"{app_file}:app", "--header", "x"])


@pytest.fixture
def address() -> Iterator[str]:
    """A server that answers by hand: two chunks and the end; /cut breaks off; the rest is silent after its head."""
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    with connection:
                        asked = connection.recv(4096)
                        connection.sendall(head + b"3\r\none\r\n")
                        if b"/silent" in asked:
                            connection.recv(1)
                        elif b"/cut" not in asked:
                            connection.sendall(b"3\r\ntwo\r\n0\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.parametrize(
    ("path", "options", "pieces", "end"),
    [
        ("/", [], ["one", "two"], "complete"),
        ("", ["--leave-after", "1"], ["one"], "client left"),
        ("/silent", ["--seconds", "0.1"], ["one"], "client left"),
        ("/silent", ["--stall", "--seconds", "0.1"], [], "client left"),
    ],
)
def test_a_server_that_runs_is_traced_piece_by_piece(
    address: str, path: str, options: list[str], pieces: list[str], end: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["trace", address + path, "--json", *options]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["first"] for each in found if each["what"] == "piece of the body"] == pieces
    assert found[-1]["what"] == end


def test_a_body_that_breaks_off_and_a_server_that_is_not_there_are_told(
    address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["trace", f"{address}/cut?a=1"]) == 1
    assert "= IncompleteRead: " in capsys.readouterr().out
    assert cli.main(["trace", "https://127.0.0.1:1/"]) == 1
    assert "refused" in capsys.readouterr().out
