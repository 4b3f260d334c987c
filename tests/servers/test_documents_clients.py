"""What the documents tell their readers to type and to run, as it stands there, against the demo."""

import ast
import json
import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import documents
import pytest
from browsing import browsing
from labpage import demo_on
from serving import PATIENCE, Server, curl

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from demo_on("uvicorn", tmp_path_factory)


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    yield from browsing()


@pytest.fixture
def page(browser: "Browser", server: Server) -> "Iterator[Page]":
    opened = browser.new_page()
    opened.set_default_timeout(PATIENCE * 1000)
    opened.goto(f"http://127.0.0.1:{server.port}/infer/home")  # a page of the same origin, as the snippets expect
    yield opened
    opened.close()


def here(text: str, server: Server) -> str:
    """*text*, with our host and port."""
    for host in documents.HOSTS:
        text = text.replace(host, f"127.0.0.1:{server.port}")
    return text


# Typed


def typed(line: str, server: Server) -> str:
    """What a shell makes of *line*, with the python that runs this."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    command = here(line, server).replace("curl ", "curl -sS ", 1)
    return subprocess.run(
        ["sh", "-c", command], capture_output=True, check=True, timeout=PATIENCE, env={**os.environ, "PATH": path}
    ).stdout.decode()


def test_curl_prints_what_the_documents_show(server: Server) -> None:
    curl("--version")  # or there is none
    with ThreadPoolExecutor() as pool:
        printed = dict(zip(documents.CURL, pool.map(lambda line: typed(line, server), documents.CURL), strict=True))
    *others, chat = documents.CURL
    assert printed.pop(chat) != ""
    assert {line: timeless(text) for line, text in printed.items()} == {line: documents.CURL[line] for line in others}


def timeless(text: str) -> str:
    """Lines of JSON as the documents show them: no escapes, and no time of day."""
    if not text.startswith("{"):
        return text
    found = [json.loads(line) | {"timestamp": 0} for line in text.splitlines()]
    return "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in found)


def test_a_curl_that_is_interrupted_ends_the_source(server: Server) -> None:
    curl("--version")
    ours, theirs = pty.openpty()  # a terminal: there curl prints what comes when it comes
    command = here(documents.INTERRUPTED, server).split()
    with subprocess.Popen(command, stdout=theirs, stderr=subprocess.DEVNULL, start_new_session=True) as process:
        try:
            os.close(theirs)
            seen = b""
            while "数据 2".encode() not in seen:
                seen += os.read(ours, 65536)
            process.send_signal(signal.SIGINT)  # Ctrl+C
        finally:
            os.close(ours)
    until_said(server, "客户端断开连接，停止生成数据")
    until_said(server, "生成器结束，资源已清理")


def until_said(server: Server, words: str) -> None:
    waiting = threading.Event()
    for _ in range(int(PATIENCE / 0.01)):
        if words in server.log:
            return
        waiting.wait(0.01)
    raise AssertionError(server.log)


def test_httpx_prints_each_line(server: Server) -> None:
    with ThreadPoolExecutor() as pool:
        whole = pool.submit(typed, documents.HTTPX_LINE, server)
        assert run_python(here(documents.HTTPX, server)) == documents.SIMPLE
        assert whole.result() == documents.SIMPLE + "\n"


def run_python(snippet: str) -> str:
    """What *snippet* prints, which awaits where no function is, as the documents do: python -m asyncio takes that."""
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    code = f"import asyncio\nasyncio.run(eval(compile({snippet!r}, 'snippet', 'exec', {flags})))"
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, capture_output=True, check=True, timeout=PATIENCE).stdout.decode()


# In a page


def logged(page: "Page", snippet: str, count: int) -> list[Any]:
    """The first *count* values that *snippet* logs."""
    messages: list[Any] = []

    def keep(message: "ConsoleMessage") -> None:
        messages.append(message)  # no more: a handler that asks the browser may outlive the page

    page.on("console", keep)
    with page.expect_console_message(lambda _: len(messages) >= count):
        page.add_script_tag(content=snippet)
    page.remove_listener("console", keep)
    return [message.args[0].json_value() for message in messages[:count]]


def test_fetch_shows_each_line_when_it_comes(page: "Page", server: Server) -> None:
    page.add_script_tag(content=here(documents.FETCH, server))
    page.wait_for_function("document.body.innerText.includes('数据 9')")
    text = page.evaluate("document.body.innerText")
    assert [f"数据 {number}" in text for number in range(10)] == [True] * 10


def test_an_event_source_logs_each_event(page: "Page") -> None:
    events = logged(page, documents.EVENTS, 10)
    assert [event["id"] for event in events] == list(range(1, 11))
    assert events[0]["message"] == "事件 #1"


def test_an_event_source_logs_each_piece_of_the_chat(page: "Page") -> None:
    assert "Hello" in "".join(logged(page, documents.CHAT, 5))


def test_a_browser_that_visits_the_logs_shows_each_line(page: "Page", server: Server) -> None:
    page.goto(here(documents.VISITED, server))
    assert len(page.inner_text("body").splitlines()) == 20
