"""Forms of real clients, and malformed ones. Their limits, and how they are read: test_forms_reading.py."""

from typing import Any

import httpx
import pytest
import requests
from forms_posted import END, ONE, URLENCODED, form, part, parts, posted

from rawasgi import Request
from rawasgi.dev.client import HTTPClient
from rawasgi.forms import Form, FormFile

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
        ('form-data; name="\\"; filename=";"', "\\", ";"),
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
