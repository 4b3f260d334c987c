"""Forms: their limits, how they are read or skipped, and any bytes."""

import asyncio
import tracemalloc
from collections.abc import Sequence

import clock
import pytest
from forms_posted import BOUNDARY, END, ONE, URLENCODED, form, part, parts, posted
from hypothesis import given
from hypothesis import strategies as st

from rawasgi import Disconnected, HTTPError, Request
from rawasgi.dev.client import HTTPClient, connect
from rawasgi.errors import AppError
from rawasgi.formats.multipart import Encoder, Part
from rawasgi.forms import Form
from rawasgi.handling import handler

# Limits


def test_the_whole_form_has_a_limit_before_it_is_kept() -> None:
    body = [ONE, part("form-data; name=b; filename=b", b"x" * 100) + END]
    size = len(b"".join(body))
    for limit_bytes, status in ((size, 204), (size - 1, 413)):
        seen, client = parts(body, limit_bytes=limit_bytes)
        assert (client.status, seen[0]) == (status, ("a", None, "text/plain", b"1"))
        refused = form(body, limit_bytes=limit_bytes)
        assert isinstance(refused, Form if status == 204 else HTTPClient)
    assert client.body == f"the body must not be longer than {size - 1} bytes".encode()


@pytest.mark.parametrize("count", [3, 4])
def test_a_form_has_a_limit_of_parts(count: int) -> None:
    for body, content_type in ((ONE * count + END, BOUNDARY), (b"&".join([b"a=1"] * count), URLENCODED)):
        found = form(body, content_type, max_fields=3)
        assert isinstance(found, Form if count == 3 else HTTPClient)
        if isinstance(found, HTTPClient):
            assert (found.status, found.body) == (400, b"the form must have at most 3 fields")
    seen, client = parts(ONE * count + END, max_parts=3)
    assert (len(seen), client.status) == (3, 204 if count == 3 else 400)


@pytest.mark.parametrize("size", [1, 10_000])
def test_the_headers_of_a_part_have_a_limit(size: int) -> None:
    body = ONE + b"--b\r\nX: " + b"x" * 200 + b"\r\n\r\n1\r\n--b--"
    seen, client = parts([body[start : start + size] for start in range(0, len(body), size)], max_header_bytes=100)
    assert (client.status, client.body) == (413, b"the headers of a part must fit in 100 bytes")
    assert seen == [("a", None, "text/plain", b"1")]
    many = b"--b\r\n" + b"X: 1\r\n" * 10_000
    assert parts([many])[1].status == 413
    refused = form(many)
    assert isinstance(refused, HTTPClient)
    assert refused.status == 413


def test_a_field_has_a_limit_of_its_own() -> None:
    async def function(request: Request) -> list[str]:
        return [await found.text(limit_bytes=3) async for found in request.parts()]

    assert posted(function, part("form-data; name=a", b"123") + END).body == b'["123"]'
    refused = posted(function, part("form-data; name=a", b"1234") + END)
    assert (refused.status, refused.body) == (413, b"the part 'a' must not be longer than 3 bytes")


def test_a_file_of_any_size_is_read_in_bounded_memory() -> None:
    chunk, count = bytes(64 * 1024), 1000
    sizes: list[int] = []

    async def function(request: Request) -> None:
        async for found in request.parts():
            if found.filename is None:
                assert await found.text() == "1"
            else:
                sizes.append(0)
                async for piece in found:
                    sizes[-1] += len(piece)

    async def script() -> int:
        headers = {"content-type": BOUNDARY}
        async with connect(handler(function), "POST", body=None, headers=headers) as client:
            await client.say(ONE.decode() + "--b\r\nContent-Disposition: form-data; name=f; filename=f\r\n\r\n")
            await asyncio.sleep(1)
            tracemalloc.start()
            for _ in range(count):
                await client.say(chunk)
                await asyncio.sleep(1)
                client.messages.clear()  # the client remembers all
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            await client.say(b"\r\n" + END, more_body=False)
            await client.finished()
        return peak

    assert clock.run(script()) < 10 * len(chunk)
    assert sizes == [count * len(chunk)]


# Reading, or not


def test_a_part_that_is_not_read_is_skipped() -> None:
    async def function(request: Request) -> list[str]:
        names = []
        async for found in request.parts():
            names.append(found.name)
            if found.name == "b":
                assert await anext(found) == b"x"
        return names

    body = [ONE, b"--b\r\nContent-Disposition: form-data; name=b\r\n\r\nx", b"y" * 100, b"\r\n", ONE + END]
    assert posted(function, body).body == b'["a","b","a"]'


def test_a_part_must_be_read_before_the_next() -> None:
    async def function(request: Request) -> None:
        found = request.parts()
        first, second = await anext(found), await anext(found)
        with pytest.raises(AppError, match=r"<FormPart 'a'> must be read before the next part is asked for"):
            await first.read()
        assert await second.read() == b"1"
        assert await second.read() == b""  # it was read
        with pytest.raises(StopAsyncIteration):
            await anext(found)
        with pytest.raises(StopAsyncIteration):
            await anext(found)

    assert posted(function, ONE + ONE + END).status == 204


def test_an_error_is_raised_again_at_each_further_part() -> None:
    async def function(request: Request) -> None:
        found = request.parts()
        await anext(found)
        for _ in range(2):
            with pytest.raises(HTTPError, match=r"must have a Content-Disposition"):
                await anext(found)

    assert posted(function, ONE + part("x", b"1") + ONE + END).status == 204


def test_parts_begin_at_the_beginning_also_after_body() -> None:
    async def function(request: Request) -> list[str]:
        await request.body()
        return [await found.text() async for found in request.parts()]

    assert posted(function, [ONE, ONE + END]).body == b'["1","1"]'


def test_a_form_cannot_be_read_after_its_parts() -> None:
    async def function(request: Request) -> None:
        async for _ in request.parts():
            pass
        with pytest.raises(AppError, match="after stream"):
            await request.form()

    assert posted(function, ONE + END).status == 204


def test_a_wait_that_is_cancelled_loses_nothing() -> None:
    async def function(request: Request) -> bytes:
        found = request.parts()
        first = await anext(found)
        pieces = []
        while True:
            try:
                async with asyncio.timeout(1):
                    pieces.append(await anext(first))
            except TimeoutError:
                pass
            except StopAsyncIteration:
                return b"".join(pieces)

    async def script() -> bytes:
        async with connect(handler(function), "POST", body=None, headers={"content-type": BOUNDARY}) as client:
            for byte in part("form-data; name=a", b"12345") + END:
                await client.say(bytes([byte]))
                await asyncio.sleep(2.5)
            await client.say(b"", more_body=False)
            await client.finished()
        return client.body

    assert clock.run(script()) == b"12345"


def test_a_client_that_leaves_in_a_part_is_no_error() -> None:
    seen: list[str] = []

    async def function(request: Request) -> None:
        async for found in request.parts():
            try:
                await found.read()
            except Disconnected:
                seen.append(found.name)
                raise

    async def script() -> None:
        async with connect(handler(function), "POST", body=None, headers={"content-type": BOUNDARY}) as client:
            await client.say(ONE.decode() + "--b\r\nContent-Disposition: form-data; name=f\r\n\r\nhalf")
            await asyncio.sleep(1)
            await client.leave()
            await client.finished()

    clock.run(script())
    assert seen == ["f"]


# Any


TEXT = st.text(st.sampled_from("aé\"\\%2;= '.\r\n你"), max_size=8)


@given(st.lists(st.tuples(TEXT, TEXT | st.none(), st.binary(max_size=30)), max_size=4), st.lists(st.integers(1, 40)))
def test_what_a_browser_writes_is_read_back_however_it_is_cut(
    items: Sequence[tuple[str, str | None, bytes]], sizes: list[int]
) -> None:
    def escaped(name: str) -> bytes:  # HTML, 4.10.21.8
        return name.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22").encode()

    encoder = Encoder()
    body = b"".join(
        encoder.encode(
            Part(
                content,
                (
                    (
                        b"content-disposition",
                        b'form-data; name="%b"' % escaped(name)
                        + (b"" if filename is None else b'; filename="%b"' % escaped(filename)),
                    ),
                ),
            )
        )
        for name, filename, content in items
    )
    body += encoder.end()
    chunks, start = [], 0
    for size in sizes:
        chunks.append(body[start : start + size])
        start += size
    seen, client = parts([*chunks, body[start:]], encoder.media_type("form-data"))
    assert client.status == 204
    # A backslash before another one or a quote is lost, as httpx and curl escape both.
    wanted = [(read(name), None if filename is None else read(filename), content) for name, filename, content in items]
    assert [(name, filename, content) for name, filename, _, content in seen] == wanted


def read(name: str) -> str:
    for escape, text in (("\\\\", "\0"), ("%22", '"'), ("\0", "\\")):
        name = name.replace(escape, text)
    return name


@given(st.lists(st.sampled_from([ONE, END, b"--b", b"\r\n", b"-", b"\r", b"x", b"A: 1", b"\xff", b";"]), max_size=12))
def test_nothing_but_400_and_413_comes_of_any_bytes_and_the_same_however_they_are_cut(pieces: list[bytes]) -> None:
    body = b"".join(pieces)
    whole, client = parts(body)
    assert client.status in (204, 400, 413)
    seen, cut = parts([bytes([byte]) for byte in body])
    said, cut_said = (each.body.partition(b", not ")[0] for each in (client, cut))  # then comes what has come so far
    assert (seen, cut.status, cut_said) == (whole, client.status, said)
    found = form(body)
    assert (204 if isinstance(found, Form) else found.status) in (client.status, 400)
