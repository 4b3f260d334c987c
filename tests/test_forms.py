"""Forms: fields and files, as they come and whole, from real clients and from bad ones."""

import asyncio
import tracemalloc
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import clock
import httpx
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from rawasgi import Disconnected, HTTPError, Request
from rawasgi.dev.client import HTTPClient, connect
from rawasgi.errors import AppError
from rawasgi.formats.multipart import Encoder, Part
from rawasgi.forms import Form, FormFile
from rawasgi.handling import handler

BOUNDARY = "multipart/form-data; boundary=b"
URLENCODED = "application/x-www-form-urlencoded"


def posted(
    function: Callable[[Request], Awaitable[object]], body: bytes | Iterable[bytes], content_type: str | None = BOUNDARY
) -> HTTPClient:
    """The client after POST of *body* to *function*."""

    async def script() -> HTTPClient:
        headers = {} if content_type is None else {"content-type": content_type}
        chunks = [body] if isinstance(body, bytes) else list(body) or [b""]
        async with connect(handler(function), "POST", body=chunks, headers=headers) as client:
            await client.finished()
        return client

    return clock.run(script())


Seen = list[tuple[str, str | None, str, bytes]]


def parts(body: bytes | Iterable[bytes], content_type: str = BOUNDARY, **limits: Any) -> tuple[Seen, HTTPClient]:
    """The parts of *body*, each read whole, and the client."""
    seen: Seen = []

    async def function(request: Request) -> None:
        async for part in request.parts(**limits):
            seen.append((part.name, part.filename, part.media_type, b""))
            async for piece in part:
                assert piece
                seen[-1] = (*seen[-1][:3], seen[-1][3] + piece)

    return seen, posted(function, body, content_type)


def form(body: bytes | Iterable[bytes], content_type: str | None = BOUNDARY, **limits: Any) -> Form | HTTPClient:
    """The form of *body*, or the client if it was refused."""
    found: list[Form] = []

    async def function(request: Request) -> None:
        found.append(await request.form(**limits))
        assert (await request.form(**limits)).fields == found[0].fields  # again each time

    client = posted(function, body, content_type)
    return found[0] if found else client


def part(disposition: str, body: bytes = b"", *more: bytes) -> bytes:
    head = b"".join(line + b"\r\n" for line in (f"Content-Disposition: {disposition}".encode(), *more))
    return b"--b\r\n" + head + b"\r\n" + body + b"\r\n"


END = b"--b--\r\n"


# Real clients


FILES: list[tuple[str, Any]] = [
    ("text", ("a b.txt", b"one\r\n--b\r\ntwo", "text/plain; charset=utf-8")),
    ("bytes", ("数据.bin", bytes(range(256)) * 10, "application/octet-stream")),
    ("quoted", ('say "hi"\\n.txt', b"", "text/plain")),
]
FIELDS: dict[str, Any] = {"word": "你好", "tags": ["a", "b"], "empty": "", 'na"me': "x"}
WANTED = [
    *(("word", None, "你好".encode()), ("tags", None, b"a"), ("tags", None, b"b"), ("empty", None, b"")),
    ('na"me', None, b"x"),
    ("text", "a b.txt", b"one\r\n--b\r\ntwo"),
    ("bytes", "数据.bin", bytes(range(256)) * 10),
    ("quoted", 'say "hi"\\n.txt', b""),
]


def lists(fields: dict[str, Any]) -> dict[str, list[str]]:
    return {name: value if isinstance(value, list) else [value] for name, value in fields.items()}


def prepared(client: str) -> tuple[bytes, str]:
    if client == "httpx":
        request = httpx.Request("POST", "http://a.example", data=FIELDS, files=FILES)
        return request.read(), request.headers["content-type"]
    prepared = requests.Request("POST", "http://a.example", data=FIELDS, files=FILES).prepare()
    assert isinstance(prepared.body, bytes)
    return prepared.body, str(prepared.headers["content-type"])


@pytest.mark.parametrize("client", ["httpx", "requests"])
@pytest.mark.parametrize("size", [1, 7, 64, 1 << 20])
def test_a_form_of_a_real_client_is_read_however_it_is_cut(client: str, size: int) -> None:
    body, content_type = prepared(client)
    chunks = [body[start : start + size] for start in range(0, len(body), size)]
    seen, _ = parts(chunks, content_type)
    assert [(name, filename, content) for name, filename, _, content in seen] == WANTED
    assert [kind for _, _, kind, _ in seen[-3:]] == ["text/plain", "application/octet-stream", "text/plain"]
    found = form(chunks, content_type)
    assert isinstance(found, Form)
    assert found.fields == lists(FIELDS)
    assert found.file("bytes") == FormFile("数据.bin", "application/octet-stream", bytes(range(256)) * 10)
    assert [file.filename for name in found.files for file in found.files[name]] == [name for _, name, _ in WANTED[5:]]


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"", {}),
        (b"a=1&b=x+y%20z&a=2&c&=d", {"a": ["1", "2"], "b": ["x y z"], "c": [""], "": ["d"]}),
        (
            httpx.Request("POST", "http://a", data=FIELDS).read(),
            {**{k: [v] for k, v in FIELDS.items()}, "tags": ["a", "b"]},
        ),
        (b"q=%zz%&r=%ff", {"q": ["%zz%"], "r": ["\ufffd"]}),
    ],
)
def test_an_urlencoded_form_is_read(body: bytes, fields: dict[str, list[str]]) -> None:
    for content_type in (URLENCODED, f"{URLENCODED.upper()}; charset=utf-8"):
        found = form(body, content_type)
        assert isinstance(found, Form)
        assert (found.fields, found.files) == (fields, {})


def test_a_field_comes_typed_and_a_bad_one_is_422() -> None:
    async def function(request: Request) -> list[object]:
        found = await request.form()
        default: str | None = found.field("none", default=None)
        age: int = found.field("age", int, minimum=1)
        assert repr(found) == "<Form ['age', 'ratio']>"
        return [age, found.field("ratio", float), found.field("age"), default, found.file("none") is None]

    assert posted(function, b"age=7&ratio=0.5", URLENCODED).body == b'[7,0.5,"7",null,true]'
    for body, message in (
        (b"ratio=1", "must be given"),
        (b"age=x", "must be an integer"),
        (b"age=0", "must be 1 or more"),
    ):
        client = posted(function, body, URLENCODED)
        assert client.status == 422
        assert f"form parameter 'age' {message}".encode() in client.body


# What is in a head


@pytest.mark.parametrize(
    ("disposition", "name", "filename"),
    [
        ("form-data; name=a", "a", None),
        ('Form-Data ; NAME="a" ;filename=b', "a", "b"),
        ('form-data; name=""; filename=""', "", ""),
        ('form-data; name="a; filename=b"', "a; filename=b", None),
        ('form-data; name="a%22b%0D%0Ac%20"', 'a"b\r\nc%20', None),  # a browser
        (r'form-data; name="a\"b\\c\d"', 'a"b\\c\\d', None),  # older curl
        (r'form-data; name="a"; filename="C:\dir\a.txt"', "a", r"C:\dir\a.txt"),
        ('form-data; name="a"; filename="a\\"', "a", "a\\"),  # a browser escapes no backslash
        ("form-data; name=\"a\"; filename*=utf-8''%E4%BD%A0", "a", "你"),
        ('form-data; name="a"; filename="b"; filename*=utf-8\'\'%E4%BD%A0', "a", "b"),
        ('form-data; name="a"; name="b"', "a", None),
        ('form-data; name="你"; filename="é"', "你", "é"),
        ('form-data; name="../../etc/passwd"; filename="../x"', "../../etc/passwd", "../x"),
    ],
)
def test_names_are_read_as_clients_write_them(disposition: str, name: str, filename: str | None) -> None:
    seen, client = parts(part(disposition, b"1") + END)
    assert (client.status, seen) == (204, [(name, filename, "text/plain", b"1")])


def test_a_name_that_is_not_utf_8_is_replaced() -> None:
    seen, _ = parts(b'--b\r\ncontent-disposition: form-data; name="\xff"\r\n\r\n\r\n--b--')
    assert seen == [("\ufffd", None, "text/plain", b"")]


def test_a_part_shows_its_headers_and_its_type() -> None:
    async def function(request: Request) -> None:
        async for found in request.parts():
            assert repr(found) == "<FormPart 'a' 'b'>"
            assert found.media_type == "text/html"
            assert found.headers[1:] == ((b"content-type", b"Text/HTML; charset=x"), (b"x-more", b"1"))

    body = part("form-data; name=a; filename=b", b"", b"Content-Type: Text/HTML; charset=x", b"X-More: 1") + END
    assert posted(function, body).status == 204


def test_a_file_input_without_a_file_is_left_out_of_a_form() -> None:
    body = part('form-data; name="a"; filename=""', b"", b"Content-Type: application/octet-stream")
    body += part('form-data; name="b"; filename=""', b"x") + part("form-data; name=c", b"1") + END
    found = form(body)
    assert isinstance(found, Form)
    assert (found.fields, found.files) == ({"c": ["1"]}, {"b": [FormFile("", "text/plain", b"x")]})
    assert [name for name, *_ in parts(body)[0]] == ["a", "b", "c"]


# Malformed


NAMELESS = "each part of multipart/form-data must have a Content-Disposition: form-data with a name"
RULE = "the body must be multipart/form-data"
CUT_OFF = f"{RULE}, and ended before its last boundary"
ONE = part("form-data; name=a", b"1")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        *((body, CUT_OFF) for body in (b"", b"--b", b"x", ONE, ONE + b"--b", ONE[:-3], ONE + b"--b\r\nContent-")),
        *(
            (ONE + part(kind) + END, NAMELESS)
            for kind in ("form-data", "form-data; x=1", "attachment; name=a", "", "; name=a")
        ),
        (ONE + part('form-data; name="a') + END, NAMELESS),
        (ONE + b"--b\r\n\r\n1\r\n--b--", NAMELESS),
        (
            ONE + b"--bx",
            "the body must be multipart/form-data: after a boundary there must be -- or the end of the line",
        ),
        (ONE + b"--b\nA: 1\n\n1\n--b--", "the body must be multipart/form-data: after a boundary there must be"),
        (
            ONE + b"--b\r\nA\r\n\r\n1\r\n--b--",
            "the body must be multipart/form-data: a header of a part must be a name",
        ),
    ],
)
def test_a_malformed_form_is_400_that_says_why_and_what_came_before_is_given_out(body: bytes, text: str) -> None:
    for size in (1, 1000):
        seen, client = parts([body[start : start + size] for start in range(0, len(body), size)])
        assert (client.status, client.body.decode()[: len(text)]) == (400, text)
        if body.startswith(ONE):
            assert seen[0] == ("a", None, "text/plain", b"1")
    refused = form(body)
    assert isinstance(refused, HTTPClient)
    assert (refused.status, refused.body.decode()[: len(text)]) == (400, text)


@pytest.mark.parametrize(
    ("content_type", "status", "text"),
    [
        (None, 415, "not ''"),
        ("application/json", 415, "not 'application/json'"),
        ("multipart/mixed; boundary=b", 415, "not 'multipart/mixed'"),
        ("multipart/form-data", 400, "with one boundary"),
        ("multipart/form-data; boundary=", 400, "a boundary must be 1 to 70 letters"),
        ("multipart/form-data; boundary=b; boundary=c", 400, "with one boundary"),
    ],
)
def test_what_is_no_form_is_refused(content_type: str | None, status: int, text: str) -> None:
    async def reads(request: Request) -> None:
        request.parts()

    for client in (form(END, content_type), posted(reads, END, content_type)):
        assert isinstance(client, HTTPClient)
        assert client.status == status
        assert text in client.body.decode()
    urlencoded = posted(reads, b"a=1", URLENCODED)
    assert (urlencoded.status, b"must be multipart/form-data, not" in urlencoded.body) == (415, True)


def test_a_field_that_is_not_utf_8_is_400_and_names_the_byte() -> None:
    refused = form(part("form-data; name=a", b"a\xff") + END)
    assert isinstance(refused, HTTPClient)
    assert (refused.status, refused.body) == (400, b"the field 'a' must be UTF-8, and byte 2 is not")

    async def function(request: Request) -> str:
        return "".join([await found.text() async for found in request.parts()])

    assert posted(function, part("form-data; name=a", b"a\xff") + END).body == refused.body
    assert posted(function, part("form-data; name=a", "é".encode()) + END).body == "é".encode()


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
