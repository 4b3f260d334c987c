"""FileResponse, as its users know it."""

import inspect
import os
from pathlib import Path

import pytest
import starlette.responses
from clock import run

from rawasgi.dev.client import Result, fetch
from rawasgi.familiar import BackgroundTask, FileResponse


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "a.txt"
    made.write_bytes(b"0123456789")
    return made


def got(app: FileResponse, **headers: str) -> Result:
    return run(fetch(app, headers=[(name.replace("_", "-"), value) for name, value in headers.items()]))


def test_it_takes_what_starlettes_takes() -> None:
    ours = inspect.signature(FileResponse.__init__).parameters
    theirs = inspect.signature(starlette.responses.FileResponse.__init__).parameters
    assert [(each.name, each.default) for each in ours.values()] == [
        (each.name, each.default) for each in theirs.values()
    ]


def test_a_file_comes_whole_or_in_part(path: Path) -> None:
    assert got(FileResponse(path)).body == b"0123456789"
    part = got(FileResponse(str(path)), range="bytes=2-4")
    assert (part.status, part.body, part.header("content-length")) == (206, b"234", "3")
    assert got(FileResponse(path), if_none_match=str(part.header("etag"))).status == 304


def test_the_name_of_the_download_says_its_type(path: Path) -> None:
    answer = got(FileResponse(path, filename="a.png", content_disposition_type="inline"))
    assert answer.header("content-type") == "image/png"
    assert str(answer.header("content-disposition")).startswith("inline; ")
    assert got(FileResponse(path, media_type="a/b")).header("content-type") == "a/b"


def test_headers_can_be_set_before_and_after(path: Path) -> None:
    response = FileResponse(path, headers={"cache-control": "no-cache"})
    response.headers["x-a"] = "1"
    answer = got(response)
    assert (answer.header("cache-control"), answer.header("x-a")) == ("no-cache", "1")


def test_with_a_stat_result_its_headers_are_there_at_once(path: Path) -> None:
    response = FileResponse(path, stat_result=os.stat(path))
    answer = got(FileResponse(path))
    for name in ("content-length", "etag", "last-modified"):
        assert response.headers[name] == answer.header(name)


def test_a_stat_result_of_long_ago_promises_no_wrong_length(path: Path) -> None:
    response = FileResponse(path, stat_result=os.stat(path))
    path.write_bytes(b"longer than before")
    assert got(response).body == b"longer than before"


def test_a_file_that_changed_since_its_stat_result_has_new_validators(path: Path) -> None:
    response = FileResponse(path, stat_result=os.stat(path))
    old = {name: response.headers[name] for name in ("etag", "last-modified")}
    path.write_bytes(b"9876543210")
    os.utime(path, (1_700_000_000, 1_700_000_000))
    answer, fresh = got(response), got(FileResponse(path))
    assert (answer.status, answer.body) == (200, b"9876543210")
    for name in old:
        assert answer.header(name) == fresh.header(name) != old[name]
    assert got(response, if_none_match=old["etag"]).status == 200
    assert got(response, if_none_match=str(fresh.header("etag"))).status == 304
    assert got(response, range="bytes=0-1", if_range=old["etag"]).status == 200


def test_an_etag_of_ones_own_stays_beside_a_stat_result(path: Path) -> None:
    response = FileResponse(path, headers={"etag": '"mine"'}, stat_result=os.stat(path))
    assert got(response).header("etag") == '"mine"'


def test_what_is_not_there_is_404_and_the_work_after_it_is_done(tmp_path: Path) -> None:
    done: list[str] = []
    response = FileResponse(tmp_path / "none", background=BackgroundTask(done.append, "x"))
    assert got(response).status == 404
    assert done == ["x"]
