"""What takes too long is ended, and each deadline looks different to the client: on real servers, over sockets."""

import asyncio
import time
from pathlib import Path

import pytest
from clients import Client
from known import on_all
from serving import PATIENCE, Server, silent

MIB = 1024 * 1024
LIMIT = 0.3  # seconds, of each deadline in house.py
SOONER = 0.01  # a timer may be that early, by its own clock
KINDS = pytest.mark.parametrize("kind", ["async", "thread"])


async def answer(server: Server, path: str) -> tuple[bytes, bytes, float]:
    """Return the head of the answer, what else came until the server closed the connection, and after how long."""
    start = time.monotonic()
    whole = await server.get(path)
    head, _, body = whole.partition(b"\r\n\r\n")
    return head, body, time.monotonic() - start


async def ended(server: Server, path: str) -> tuple[bytes, bytes]:
    """As ``answer``; print how long it took to the end, and to the release of the source; nothing is left open."""
    source = path.removeprefix("/")
    before = (await server.counts()).opened.get(source, 0)
    start = time.monotonic()
    head, body, seconds = await answer(server, path)
    released = await server.released(source, before + 1, start)
    print(f"{server.name} {path}: over after {seconds * 1000:.0f} ms, its source after {released * 1000:.0f} ms")
    assert LIMIT - SOONER < seconds < PATIENCE
    return head, body


async def logged(server: Server, said: str, text: str) -> None:
    """Wait until *text* is in what was logged after *said*; it is there once."""
    async with asyncio.timeout(PATIENCE):
        while text not in server.log.removeprefix(said):
            await asyncio.sleep(0.01)
    await server.get("/ping")
    assert server.log.removeprefix(said).count(text) == 1


@KINDS
@on_all()
def test_a_first_item_that_comes_too_late_is_504_and_one_line_in_the_log(server: Server, kind: str) -> None:
    async def script() -> None:
        said = server.log
        head, body = await ended(server, f"/late/first/{kind}")
        assert head.split(b" ")[1] == b"504"
        assert body.endswith(b"Gateway Timeout")
        await logged(server, said, "no first item came for 0.3 s")
        assert "Traceback" not in server.log.removeprefix(said)

    asyncio.run(script())


@KINDS
@pytest.mark.parametrize(("which", "item"), [("idle", b"item\n"), ("total", b"tick\n")])
@on_all("truncation")
def test_a_source_that_is_silent_or_lasts_too_long_is_cut(server: Server, which: str, item: bytes, kind: str) -> None:
    async def script() -> None:
        said = server.log
        head, body = await ended(server, f"/late/{which}/{kind}")
        assert head.split(b" ")[1] == b"200"
        assert item in body
        assert not body.endswith(b"0\r\n\r\n")
        text = {"idle": "no item came for 0.3 s", "total": "the stream was not over in 0.3 s"}[which]
        await logged(server, said, f"DeadlineExceeded: {text}")

    asyncio.run(script())


@pytest.mark.parametrize(
    ("which", "message"),
    [
        ("first", b"the first item took too long"),
        ("idle", b"the next item took too long"),
        ("total", b"the stream took too long in total"),
    ],
)
@on_all()
def test_or_the_client_is_told_which_deadline_it_was(server: Server, which: str, message: bytes) -> None:
    async def script() -> None:
        head, body = await ended(server, f"/told-late/{which}")
        assert head.split(b" ")[1] == b"200"
        assert b"event: error" in body
        assert b'"code": "timeout"' in body
        assert message in body
        assert body.endswith(b"0\r\n\r\n")

    asyncio.run(script())


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the system does not tell how much memory is used")
@KINDS
@on_all("backpressure")
def test_a_client_that_does_not_read_is_given_up_at_bounded_memory(server: Server, kind: str) -> None:
    source = f"late/send/{kind}"

    async def stuck() -> tuple[list[Client], float]:
        count = (await server.counts()).opened.get(source, 0) + 10
        start = time.monotonic()
        clients = [await server.open(f"/{source}") for _ in range(10)]
        return clients, await server.released(source, count, start)

    async def script() -> None:
        before = (await server.counts()).memory_bytes
        clients, seconds = await stuck()
        grown = (await server.counts()).memory_bytes - before
        print(
            f"{server.name} /{source}: the last of 10 handlers was free {(seconds - LIMIT) * 1000:.0f} ms after its"
            f" limit, {grown / MIB:.1f} MiB more"
        )
        assert LIMIT - SOONER < seconds < PATIENCE
        assert grown < 32 * MIB
        for client in clients:
            client.reset()

    said = server.log
    asyncio.run(script())
    assert silent(server, said)


@pytest.mark.parametrize("how", ["ends", "late"])
@on_all()
def test_a_clean_up_that_hangs_is_cut_off_and_logged_once(server: Server, how: str) -> None:
    cut_off(server, how)


@on_all("leaving")
def test_so_it_is_when_the_client_leaves(server: Server) -> None:
    cut_off(server, "leaves")


def cut_off(server: Server, how: str) -> None:
    source = f"unwilling/{how}"

    async def script() -> None:
        said = server.log
        before = (await server.counts()).opened.get(source, 0)
        start = time.monotonic()
        client = await server.open(f"/{source}")
        await client.until(b"0\r\n\r\n" if how == "ends" else b"item\n")  # a body that ends by itself is whole
        if how == "leaves":
            client.leave()  # else it stays, and waits
        seconds = await server.released(source, before + 1, start)
        print(f"{server.name} /{source}: its source was cut off after {seconds * 1000:.0f} ms")
        assert LIMIT - SOONER < seconds < PATIENCE
        told = "Error: the source was not closed within 0.3 s: it was cut off"
        if how == "late":
            told = "DeadlineExceeded: no item came for 0.3 s"
        if how != "leaves" or server.name != "daphne":  # which has forgotten the app of a client that left
            await logged(server, said, told)  # granian leaves out an error's notes
        client.leave()

    asyncio.run(script())
