"""A request's body, and whether the client is still there."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing
from typing import Unpack

import clock
import pytest

from rawasgi import respond
from rawasgi.dev.client import HTTPClient, connect
from rawasgi.dev.scopes import Options
from rawasgi.errors import AppError, Disconnected, HTTPError
from rawasgi.handling import Function, handler
from rawasgi.request import Request
from rawasgi.response import Response


def posted(answer: Function, body: Iterable[bytes], **options: Unpack[Options]) -> HTTPClient:
    """The client after POST of *body*, in its pieces, to *answer*."""

    async def script() -> HTTPClient:
        async with connect(handler(answer), "POST", body=body, **options) as client:
            await client.finished()
        return client

    return clock.run(script())


async def echo(request: Request) -> bytes:
    return await request.body()


async def echo_json(request: Request) -> Response:
    return respond.json(await request.json())


# The whole body


def test_the_body_is_whole_and_the_same_each_time() -> None:
    async def twice(request: Request) -> bytes:
        assert await request.body() == b"abc"
        assert [chunk async for chunk in request.stream()] == [b"a", b"bc"]
        return await request.body()

    assert posted(twice, [b"a", b"", b"bc"]).body == b"abc"


def test_an_empty_body_is_there_at_once() -> None:
    assert posted(echo, [b""]).body == b""


def test_two_that_want_the_body_both_get_all_of_it() -> None:
    async def both(request: Request) -> bytes:
        first, second = await asyncio.gather(request.body(), request.body())
        assert first == second
        return first

    async def script() -> None:
        async with connect(handler(both), "POST", body=None) as client:
            for number in (1, 2, 3):
                await asyncio.sleep(1)
                await client.say(str(number), more_body=number < 3)
            assert await client.rest() == b"123"

    clock.run(script())


def test_a_body_whose_reading_was_cut_off_is_read_on() -> None:
    async def patient(request: Request) -> bytes:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await request.body()
        return await request.body()

    async def script() -> None:
        async with connect(handler(patient), "POST", body=None) as client:
            await client.say("early ")
            await asyncio.sleep(10)
            await client.say("late", more_body=False)
            assert await client.rest() == b"early late"

    clock.run(script())


# Its limit


@pytest.mark.parametrize("length", ["1048577", "9" * 5000, "0001048577"])
def test_a_body_that_says_it_is_too_long_is_413_unread_cve_2024_47874(length: str) -> None:
    client = posted(echo, [b"x"], headers={"content-length": length})
    assert client.status == 413
    assert client.body == b"the body must not be longer than 1048576 bytes"
    assert not any(message.direction == "receive" for message in client.messages)


@pytest.mark.parametrize("length", ["1048576", "0" * 5000 + "1", "-1", "x", "", "+5", "1_0"])
def test_what_is_no_length_too_long_is_read(length: str) -> None:
    assert posted(echo, [b"x"], headers={"content-length": length}).body == b"x"


def test_a_body_that_grows_too_long_is_413_early_cve_2023_30798() -> None:
    client = posted(echo, [bytes(600 * 1024)] * 10)
    assert client.status == 413
    assert sum(message.direction == "receive" for message in client.messages) == 2


def test_a_body_of_just_the_limit_is_read() -> None:
    async def small(request: Request) -> bytes:
        return await request.body(limit_bytes=3)

    assert posted(small, [b"ab", b"c"]).body == b"abc"
    assert posted(small, [b"ab", b"cd"]).status == 413


def test_a_second_look_may_have_another_limit() -> None:
    async def looks(request: Request) -> bytes:
        for _ in range(2):
            with pytest.raises(HTTPError):
                await request.body(limit_bytes=3)
        assert await request.body(limit_bytes=4) == b"abcd"
        with pytest.raises(HTTPError):
            await request.body(limit_bytes=3)
        return await request.body()

    assert posted(looks, [b"ab", b"cd"]).body == b"abcd"


def test_many_small_chunks_cost_no_more_than_their_bytes_cve_2025_69229() -> None:
    assert len(posted(echo, [b"x"] * 5_000).body) == 5_000


# As a stream


def test_a_stream_may_have_a_limit_and_gives_no_byte_past_it() -> None:
    came: list[bytes] = []

    async def reads(request: Request) -> None:
        async for chunk in request.stream(limit_bytes=3):
            came.append(chunk)

    assert posted(reads, [b"ab", b"c"]).status == 204
    client = posted(reads, [b"ab", b"cd", b"ef"])
    assert (client.status, client.body) == (413, b"the body must not be longer than 3 bytes")
    assert came == [b"ab", b"c", b"ab"]
    assert sum(message.direction == "receive" for message in client.messages) == 2


def test_a_stream_that_says_it_is_too_long_is_413_before_it_is_read() -> None:
    async def reads(request: Request) -> None:
        async for _ in request.stream(limit_bytes=3):
            pass

    client = posted(reads, [b"ab", b"cd"], headers={"content-length": "4"})
    assert client.status == 413
    assert not any(message.direction == "receive" for message in client.messages)


def test_the_limit_of_a_stream_counts_what_body_has_read() -> None:
    async def reads(request: Request) -> list[str]:
        assert await request.body() == b"abcd"
        with pytest.raises(HTTPError):
            await anext(request.stream(limit_bytes=1))
        return [chunk.decode() async for chunk in request.stream(limit_bytes=4)]

    assert posted(reads, [b"ab", b"cd"]).body == b'["ab","cd"]'


def test_the_body_comes_as_a_stream_while_the_response_streams() -> None:
    async def upper(request: Request) -> AsyncIterator[bytes]:
        async for chunk in request.stream():
            yield chunk.upper()

    async def script() -> None:
        async with connect(handler(upper), "POST", body=None) as client:
            for word in (b"one", b"two", b"three"):
                await client.say(word.decode())
                assert await client.chunk() == word.upper()
                await asyncio.sleep(10)
            await client.say("", more_body=False)
            assert await client.chunk() == b""
            await client.finished()

    clock.run(script())


def test_the_body_is_not_whole_once_stream_has_taken_of_it() -> None:
    async def both(request: Request) -> bytes:
        async with aclosing(request.stream()) as chunks:
            assert await anext(chunks) == b"a"
        with pytest.raises(AppError, match="after stream"):
            await request.body()
        return b"".join([chunk async for chunk in request.stream()])

    assert posted(both, [b"a", b"b"]).body == b"b"


@pytest.mark.parametrize("spec_version", [None, "2.0", "2.1", "2.2", "2.3", "2.4", "2.5"])
def test_a_client_that_leaves_while_its_body_is_read_is_no_error(spec_version: str | None) -> None:
    seen: list[type[BaseException]] = []

    async def reads(request: Request) -> bytes:
        try:
            return await request.body()
        except Disconnected as error:
            seen.append(type(error))
            raise

    async def script() -> None:
        async with connect(handler(reads), "POST", body=None, spec_version=spec_version) as client:
            await client.say("half")
            await asyncio.sleep(1)
            await client.leave()
            await client.finished()
        sent = [each.message for each in client.messages if each.direction == "send"]
        assert sent[0]["status"] == 499  # for a middleware that expects a response
        assert client.body == b""

    clock.run(script())
    assert seen == [Disconnected]


def test_a_stream_begins_at_the_beginning_also_after_a_body_that_was_too_long() -> None:
    async def passes_on(request: Request) -> AsyncIterator[bytes]:
        with pytest.raises(HTTPError):
            await request.body(limit_bytes=1)
        async for chunk in request.stream():
            yield chunk

    assert posted(passes_on, [b"a", b"b", b"c"]).body == b"abc"


def test_a_client_that_leaves_while_a_stream_reads_its_body_is_no_error() -> None:
    async def reads(request: Request) -> AsyncIterator[bytes]:
        yield b"begun"
        async for chunk in request.stream():
            yield chunk

    async def script() -> None:
        async with connect(handler(reads), "POST", body=None) as client:
            assert await client.chunk() == b"begun"
            await client.leave()
            await client.finished()

    clock.run(script())


# As JSON


@pytest.mark.parametrize(
    "body",
    [b"1", b'{"a":[true,null,1.5,"x"]}', '"你"'.encode(), b'"\\ud83d"', b" 1 ", b"123456789012345678901234567890"],
)
def test_json_comes_back_as_it_went(body: bytes) -> None:
    client = posted(echo_json, [body])
    assert client.status == 200
    assert client.body == body.strip()


def test_json_may_begin_with_a_byte_order_mark() -> None:
    assert posted(echo_json, [b"\xef\xbb\xbf1"]).body == b"1"


DEEP = 100_000


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "it is empty"),
        (b" \r\n", "it is empty"),
        (b"\xef\xbb\xbf", "it is empty"),
        (b"{", "Expecting property name enclosed in double quotes: line 1 column 2"),
        (b"{'a':1}", "Expecting property name enclosed in double quotes: line 1 column 2"),
        (b'{"a": 1,\n "b" 2}', "Expecting ':' delimiter: line 2 column 6"),
        (b"1 2", "Extra data: line 1 column 3"),
        (b"NaN", "JSON has no NaN"),
        (b"[-Infinity]", "JSON has no -Infinity"),
        (b"1" * 5000, "a number has too many digits"),
        (b"\xff", "byte 1 is not UTF-8"),
        (b'{"\xe4\xbd\xa0":"\xed\xa0\x80"}', "byte 9 is not UTF-8"),
        ("1".encode("utf-16"), "byte 1 is not UTF-8"),
        *((body, "nested too deep") for body in (b"[" * DEEP, b"[" * DEEP + b"]" * DEEP, b'{"a":' * DEEP)),
    ],
    ids=lambda part: repr(part[:12]),
)
def test_what_is_not_json_is_400_that_names_the_place_and_no_bomb(body: bytes, reason: str) -> None:
    client = posted(echo_json, [body])
    assert client.status == 400
    assert client.body.decode() == f"the body must be JSON (RFC 8259): {reason}"


def test_a_comma_too_many_is_named_as_this_python_names_it() -> None:
    assert posted(echo_json, [b"[1,]"]).body.endswith(
        b": line 1 column 4" if sys.version_info < (3, 13) else b"column 3"
    )


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        *((kind, 200) for kind in ("application/json", "application/json; charset=utf-8", 'a/b; charset="UTF-8"; c=d')),
        *((kind, 200) for kind in ("", "text/plain;charset=us-ascii", "application/json; charset", ";;;=")),
        *((f"application/json;charset={name}", 415) for name in ("utf-16", "gbk", "", "iso-8859-1")),
    ],
)
def test_json_is_utf_8_whatever_its_type(content_type: str, status: int) -> None:
    client = posted(echo_json, [b"1"], headers={"content-type": content_type})
    assert client.status == status
    assert status == 200 or client.body.startswith(b"the body must be JSON in UTF-8 (RFC 8259, 8.1), not in '")


def test_json_has_the_limit_of_the_body() -> None:
    async def small(request: Request) -> Response:
        return respond.json(await request.json(limit_bytes=3))

    assert posted(small, [b"1234"]).status == 413


# Whether the client has left


def test_is_disconnected_says_whether_the_client_has_left() -> None:
    answers: list[bool] = []

    async def asks(request: Request) -> None:
        answers.append(await request.is_disconnected())
        await asyncio.sleep(2)
        answers.append(await request.is_disconnected())

    async def script() -> None:
        async with connect(handler(asks, cancel_on_disconnect=False), "POST", body=[b"a", b"b"]) as client:
            await asyncio.sleep(1)
            await client.leave()
            await client.finished()

    clock.run(script())
    assert answers == [False, True]


def test_asking_again_and_again_lets_others_run() -> None:
    async def asks(request: Request) -> None:
        while not await request.is_disconnected():
            pass

    async def script() -> None:
        async with connect(handler(asks, cancel_on_disconnect=False)) as client:
            for _ in range(3):
                await asyncio.sleep(0)
            await client.leave()
            await client.finished()

    clock.run(script())


def test_a_body_is_there_after_is_disconnected_has_looked() -> None:
    async def looks(request: Request) -> bytes:
        assert not await request.is_disconnected()
        return await request.body()

    assert posted(looks, [b"a", b"b"]).body == b"ab"
