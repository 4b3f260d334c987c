"""Files, and whatever else can be read in slices, as RFC 9110 has them."""

import asyncio
import email
import email.policy
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from clock import run

from rawasgi import files, opening
from rawasgi.asgi import App
from rawasgi.dev.client import Result, connect, fetch, websocket
from rawasgi.errors import AppError
from rawasgi.handling import handler
from rawasgi.request import Request
from rawasgi.sendfile import File

DATA = b"".join(b"%015d\n" % place for place in range(0, 1600, 16))
MODIFIED = 1_700_000_000
DATE = "Tue, 14 Nov 2023 22:13:20 GMT"
TAG = '"17979cfe362a0000-640"'
LATER, EARLIER = "Wed, 15 Nov 2023 22:13:20 GMT", "Mon, 13 Nov 2023 22:13:20 GMT"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "numbers.txt"
    made.write_bytes(DATA)
    os.utime(made, (MODIFIED, MODIFIED))
    return made


def ask(app: App, method: str = "GET", **headers: str) -> Result:
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return run(fetch(app, method=method, headers=pairs))


# Whole


def test_a_file_comes_whole_with_its_validators(path: Path) -> None:
    answer = ask(files.file(path))
    assert (answer.status, answer.body) == (200, DATA)
    assert answer.headers == [
        (b"etag", TAG.encode()),
        (b"last-modified", DATE.encode()),
        (b"accept-ranges", b"bytes"),
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"1600"),
    ]


def test_head_is_get_without_the_body(path: Path) -> None:
    answer = ask(files.file(path), "HEAD")
    assert answer.body == b""
    assert answer.headers == ask(files.file(path)).headers


def test_an_empty_file_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.touch()
    answer = ask(files.file(path), range="bytes=-5")
    assert (answer.status, answer.body, answer.header("content-length")) == (200, b"", "0")
    unsatisfied = ask(files.file(path), range="bytes=0-")
    assert (unsatisfied.status, unsatisfied.header("content-range")) == (416, "bytes */0")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.html", "text/html; charset=utf-8"),
        ("a.png", "image/png"),
        ("a.tar.gz", "application/gzip"),  # not a tar, and not encoded either: it stays packed
        ("a.txt.bz2", "application/octet-stream"),
        ("a", "application/octet-stream"),
    ],
)
def test_the_name_says_the_type(name: str, kind: str) -> None:
    assert files.media_type_of(name) == kind


def test_headers_and_type_of_ones_own_go_first(path: Path) -> None:
    app = files.file(path, media_type="text/x-numbers", headers={"ETag": '"mine"', "Cache-Control": "no-cache"})
    answer = ask(app)
    assert (answer.header("content-type"), answer.header("etag")) == ("text/x-numbers", '"mine"')
    assert ask(app, if_none_match='"mine"').status == 304
    assert ask(app, if_none_match='"mine"').header("cache-control") == "no-cache"


def test_a_download_has_a_name(path: Path) -> None:
    answer = ask(files.file(path, filename="数据.txt"))
    assert answer.header("content-disposition") == (
        "attachment; filename=\"__.txt\"; filename*=UTF-8''%E6%95%B0%E6%8D%AE.txt"
    )
    shown = ask(files.file(path, filename="a.txt", inline=True)).header("content-disposition")
    assert shown is not None
    assert shown.startswith("inline; ")


@pytest.mark.parametrize("name", ["none", "a\0b", "folder", "x" * 300])
def test_what_is_no_file_is_404(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    assert ask(files.file(f"{tmp_path}/{name}")).status == 404


def test_another_status_has_neither_ranges_nor_preconditions(path: Path) -> None:
    answer = ask(files.file(path, status=404), range="bytes=0-1", if_none_match=TAG)
    assert (answer.status, answer.body, answer.header("accept-ranges")) == (404, DATA, None)


def test_only_get_and_head_have_preconditions(path: Path) -> None:
    async def endpoint(_: Request) -> App:
        return files.file(path)

    assert ask(handler(endpoint), "POST", range="bytes=0-1", if_none_match=TAG).status == 200


def test_a_handler_returns_a_file(path: Path) -> None:
    async def endpoint(_: Request) -> App:
        return files.file(path)

    assert ask(handler(endpoint), range="bytes=0-3").body == b"0000"


# In part


@pytest.mark.parametrize(
    ("wanted", "got", "said"),
    [
        ("bytes=0-15", DATA[:16], "bytes 0-15/1600"),
        ("bytes=1590-", DATA[1590:], "bytes 1590-1599/1600"),
        ("bytes=-10", DATA[-10:], "bytes 1590-1599/1600"),
        ("bytes=1590-9999", DATA[1590:], "bytes 1590-1599/1600"),
        ("bytes=0-4,9000-", DATA[:5], "bytes 0-4/1600"),  # what can be satisfied is
        ("bytes=0-9,5-19", DATA[:20], "bytes 0-19/1600"),
        ("bytes=0-", DATA, "bytes 0-1599/1600"),
    ],
)
def test_a_range_is_206_RFC_9110_15_3_7(path: Path, wanted: str, got: bytes, said: str) -> None:
    answer = ask(files.file(path), range=wanted)
    assert (answer.status, answer.body, answer.header("content-range")) == (206, got, said)
    assert answer.header("content-length") == str(len(got))
    assert answer.header("etag") == TAG


def test_several_ranges_are_multipart_byteranges_14_6(path: Path) -> None:
    answer = ask(files.file(path), range="bytes=100-104,0-4,-5")
    kind = answer.header("content-type")
    assert answer.status == 206
    assert answer.header("content-range") is None
    assert answer.header("content-length") == str(len(answer.body))
    message = email.message_from_bytes(f"content-type: {kind}\r\n\r\n".encode() + answer.body, policy=email.policy.HTTP)
    parts = [(part["content-range"], part.get_payload(decode=True)) for part in message.iter_parts()]
    assert parts == [
        ("bytes 100-104/1600", DATA[100:105]),
        ("bytes 0-4/1600", DATA[:5]),
        ("bytes 1595-1599/1600", DATA[-5:]),
    ]
    assert {part["content-type"] for part in message.iter_parts()} == {'text/plain; charset="utf-8"'}


def test_a_range_past_the_end_is_416_15_5_17(path: Path) -> None:
    answer = ask(files.file(path), range="bytes=1600-")
    assert (answer.status, answer.body, answer.header("content-range")) == (
        416,
        b"Range Not Satisfiable",
        "bytes */1600",
    )


@pytest.mark.parametrize("wanted", ["items=0-1", "bytes=x", "bytes=5-1", "bytes=0-1,x"])
def test_a_range_of_another_unit_or_a_malformed_one_is_ignored_14_2(path: Path, wanted: str) -> None:
    answer = ask(files.file(path), range=wanted)
    assert (answer.status, answer.body) == (200, DATA)


def test_a_range_is_ignored_on_head_and_when_it_comes_twice_14_2(path: Path) -> None:
    assert ask(files.file(path), "HEAD", range="bytes=0-1").status == 200
    twice = [("range", "bytes=0-1"), ("range", "bytes=2-3")]
    assert run(fetch(files.file(path), headers=twice)).status == 200


@pytest.mark.parametrize(
    ("named", "status"), [(TAG, 206), (DATE, 206), (f"W/{TAG}", 200), ('"other"', 200), (LATER, 200), (EARLIER, 200)]
)
def test_if_range_gives_the_whole_to_who_has_another_13_1_5(path: Path, named: str, status: int) -> None:
    assert ask(files.file(path), range="bytes=0-1", if_range=named).status == status


# Not at all


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "headers",
    [{"if_none_match": TAG}, {"if_none_match": f"W/{TAG}"}, {"if_none_match": "*"}, {"if_modified_since": DATE}],
)
def test_who_has_it_already_gets_304_15_4_5(path: Path, headers: dict[str, str], method: str) -> None:
    answer = ask(files.file(path, filename="a"), method, range="bytes=9999-", **headers)
    assert (answer.status, answer.body) == (304, b"")
    assert [name for name, _ in answer.headers] == [b"etag", b"last-modified", b"accept-ranges"]


@pytest.mark.parametrize(
    "headers", [{"if_match": '"other"'}, {"if_match": f"W/{TAG}"}, {"if_unmodified_since": EARLIER}]
)
def test_who_thinks_it_is_another_gets_412_15_5_13(path: Path, headers: dict[str, str]) -> None:
    assert ask(files.file(path), **headers).status == 412


@pytest.mark.parametrize(
    "headers",
    [{"if_match": TAG}, {"if_unmodified_since": DATE}, {"if_none_match": '"x"'}, {"if_modified_since": EARLIER}],
)
def test_who_is_right_gets_it(path: Path, headers: dict[str, str]) -> None:
    assert ask(files.file(path), **headers).status == 200


# Whatever can be read


class Shelf:
    """Bytes somewhere else; each read is counted, and closed."""

    def __init__(self, data: bytes, gives: int | None = None) -> None:
        self.data, self.gives = data, gives
        self.size = len(data)
        self.reads: list[tuple[int, int]] = []
        self.closed = 0

    async def read(self, start: int, stop: int) -> AsyncIterator[bytes]:
        self.reads.append((start, stop))
        try:
            until = stop if self.gives is None else start + self.gives
            for place in range(start, until, 7):
                yield self.data[place : min(place + 7, until)]
        finally:
            self.closed += 1


def test_whatever_has_a_size_is_served_in_slices() -> None:
    shelf = Shelf(DATA)
    app = files.content(shelf, tag='"a"', modified=MODIFIED + 0.9, media_type="text/plain")
    assert ask(app).body == DATA
    assert ask(app, range="bytes=10-19").body == DATA[10:20]
    assert ask(app, range="bytes=0-4,100-104").body.count(b"Content-Range: bytes") == 2
    assert ask(app, if_none_match='"a"').status == 304
    assert ask(app, if_modified_since=DATE).status == 304
    assert ask(app, "HEAD").header("content-length") == "1600"
    assert shelf.reads == [(0, 1600), (10, 20), (0, 5), (100, 105)]
    assert shelf.closed == 4


def test_what_has_no_validator_is_always_sent() -> None:
    app = files.content(Shelf(DATA))
    answer = ask(app, if_modified_since=DATE, if_none_match='"a"')
    assert (answer.status, answer.header("etag"), answer.header("last-modified")) == (200, None, None)
    assert ask(app, range="bytes=0-1", if_range='"a"').status == 200


@pytest.mark.parametrize(("gives", "off"), [(100, "less"), (1500, "more")])
def test_a_read_that_gives_less_or_more_cuts_the_body(gives: int, off: str) -> None:
    shelf = Shelf(DATA, gives)

    async def script() -> int:
        async with connect(files.content(shelf), headers=[("range", "bytes=0-999")]) as client:
            await client.rest()
        return len(client.body)

    with pytest.raises((AppError, EOFError), match=off):
        run(script())
    assert shelf.closed == 1


@pytest.mark.parametrize("tag", ["abc", 'w/"a"', '"a', '"a b"'])
def test_a_tag_must_be_one(tag: str) -> None:
    with pytest.raises(ValueError, match=r"quoted.*8\.8\.3"):
        files.content(Shelf(DATA), tag=tag)


# Folders


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "static"
    (made / "docs").mkdir(parents=True)
    (made / "a.txt").write_text("a")
    (made / "a b&c.txt").write_text("abc")
    (made / "docs" / "index.html").write_text("docs")
    (made / "bare").mkdir()
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "static1.txt").write_text("secret")
    (made / "out").symlink_to(tmp_path / "secret.txt")
    (made / "up").symlink_to(tmp_path)
    (made / "in").symlink_to(made / "a.txt")
    (made / "loop").symlink_to(made / "loop")
    os.mkfifo(made / "fifo")
    return made


def below(root: Path, path: str, prefix: str = "", method: str = "GET") -> Result:
    return run(fetch(files.directory(root), method=method, scope={"path": prefix + path, "root_path": prefix}))


@pytest.mark.parametrize(
    ("path", "text"),
    [("/a.txt", "a"), ("/in", "a"), ("/a b&c.txt", "abc"), ("/docs/index.html", "docs"), ("/docs/", "docs")],
)
@pytest.mark.parametrize("prefix", ["", "/static"])
def test_a_folder_serves_its_files(root: Path, path: str, text: str, prefix: str) -> None:
    assert below(root, path, prefix).body.decode() == text


@pytest.mark.parametrize(
    "path",
    [
        *["/../secret.txt", "/docs/../../secret.txt", "/..", "/.", "/docs/./index.html", "/up/secret.txt", "/out"],
        *["//etc/passwd", "/../static1.txt", "/%2e%2e/secret.txt", "/..\\secret.txt", "/docs\\..\\..\\secret.txt"],
        *[
            "/a.txt\0",
            "/a.txt/",
            "/none",
            "/bare/",
            "/fifo",
            "/loop",
            "/" + "x" * 5000,
            "/\udc80",
            "//a.txt",
            "/docs//",
        ],
    ],
)
@pytest.mark.parametrize("prefix", ["", "/static"])
def test_CVE_2023_29159_CVE_2024_23334_CVE_2025_69226_nothing_else_is_there(root: Path, path: str, prefix: str) -> None:
    """Outside, behind a link, not there, not regular: one and the same answer, so that it tells nothing."""
    answer = below(root, path, prefix)
    assert (answer.status, answer.body) == (404, b"Not Found")


@pytest.mark.parametrize(
    ("path", "prefix", "there"), [("/docs", "", "docs/"), ("/bare", "", "bare/"), ("", "/static", "static/")]
)
def test_CVE_2021_28861_a_folder_is_redirected_to_its_slash_and_to_no_host(
    root: Path, path: str, prefix: str, there: str
) -> None:
    answer = below(root, path, prefix)
    assert (answer.status, answer.header("location")) == (307, there)
    assert below(root, "//evil.example/..").status == 404


def test_the_way_to_a_folder_holds_no_scheme(root: Path) -> None:
    (root / "javascript:x").mkdir()
    assert below(root, "/javascript:x").header("location") == "javascript%3Ax/"


def test_a_folder_may_have_no_index(root: Path) -> None:
    app = files.directory(root, index=None, headers={"Cache-Control": "max-age=60"})
    assert run(fetch(app, "/docs/")).status == 404
    assert run(fetch(app, "/a.txt")).header("cache-control") == "max-age=60"


def test_a_folder_is_read_and_no_more(root: Path) -> None:
    answer = below(root, "/a.txt", method="POST")
    assert (answer.status, answer.header("allow")) == (405, "GET, HEAD")
    assert below(root, "/a.txt", method="HEAD").header("content-length") == "1"


def test_what_is_no_folder_is_refused_at_once(root: Path) -> None:
    with pytest.raises(NotADirectoryError, match="must be a folder"):
        files.directory(root / "a.txt")


@pytest.mark.parametrize(
    "name", ["CON", "con.txt", "NUL.", "a/CON/b", "x:y", "COM1", "lpt9.log", "com\u00b9", "a ", "a.", "aux.tar.gz"]
)
def test_CVE_2025_66221_CVE_2026_21860_device_names_are_no_files_on_windows(name: str) -> None:
    assert opening.segments(f"/{name}", windows=True) is None
    assert opening.segments(f"/{name}", windows=False) == name.split("/")


@pytest.mark.parametrize("name", ["console", "nullable.txt", "com", "com10", "a.con"])
def test_what_only_looks_like_a_device_is_a_file(name: str) -> None:
    assert opening.segments(f"/{name}", windows=True) == [name]


# Opening


@pytest.mark.parametrize("app", [files.file("/none"), files.content(Shelf(b""))])
def test_a_file_answers_http_only(app: App) -> None:
    async def script() -> None:
        async with websocket(app, "/") as client:
            await client.accepted()

    with pytest.raises(AppError, match="a file answers http, not websocket"):
        run(script())


@pytest.mark.parametrize("there", [True, False])
def test_a_file_that_is_opened_too_late_is_closed(path: Path, there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Event(), threading.Event()
    opened: list[File] = []

    class Slow(File):
        def __init__(self, path: str) -> None:
            begun.set()
            go_on.wait(5)
            super().__init__(path)
            opened.append(self)

    monkeypatch.setattr(opening, "File", Slow)

    async def script() -> None:
        async with connect(files.file(path if there else "/none")) as client:
            await asyncio.to_thread(begun.wait)
            await client.cancel()
        go_on.set()
        await asyncio.get_running_loop().shutdown_default_executor()
        await asyncio.sleep(0)
        assert len(opened) == there
        for file in opened:
            with pytest.raises(OSError, match="Bad file"):
                os.fstat(file.fileno())

    asyncio.run(script())


@pytest.mark.parametrize("kind", ["whole", "part", "304", "HEAD", "leaves"])
def test_a_file_is_closed_whatever_happens(path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[File] = []

    class Seen(File):
        def __init__(self, path: str) -> None:
            super().__init__(path)
            opened.append(self)

    monkeypatch.setattr(opening, "File", Seen)
    path.write_bytes(b"x" * 4_000_000)

    async def script() -> None:
        headers = {"part": [("range", "bytes=0-1")], "304": [("if-none-match", "*")]}.get(kind, [])
        async with connect(files.file(path), "HEAD" if kind == "HEAD" else "GET", headers=headers) as client:
            await client.started()
            if kind != "leaves":
                await client.rest()
                await client.finished()

    run(script())
    for file in opened:
        with pytest.raises(OSError, match="Bad file"):
            os.fstat(file.fileno())
    assert len(opened) == 1
