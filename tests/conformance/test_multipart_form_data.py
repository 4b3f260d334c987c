"""The cases of multipart-form-data-conformance, which nobody here wrote, and where we differ from them."""

import base64
import hashlib
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import clock
import pytest
from serving import need

from rawasgi import Request
from rawasgi.dev.client import connect
from rawasgi.handling import handler

# What is refused with 400 though the case takes it, and why. Each of these cases is optional there.
REFUSED = {
    "046-whitespace-around-boundary": "RFC 9110, 5.6.6, has no white space around the = of a parameter",
    "061-lf-only-lenient": "lines end in CRLF (RFC 2046, 5.1.1); a strict parser should refuse, says the case",
    "062-mixed-endings": "as that",
    "210-control-chars-in-name": "NUL is in no header (RFC 9110, 5.5)",
}
# What is read otherwise, and why.
OTHERWISE = {"208-duplicate-headers": "of two headers of a name the first is taken, as everywhere here"}


def cases() -> list[Any]:
    found = find_spec("multipart_form_data_conformance")
    if found is None or found.origin is None:
        return []
    paths = sorted(Path(found.origin).parent.glob("tests/*/*/test.json"))
    return [pytest.param(path.parent, id=path.parent.name) for path in paths]


def test_the_cases_are_there() -> None:
    need("multipart_form_data_conformance")
    assert len(cases()) >= 58


@pytest.mark.parametrize("size", [1, 1 << 20])
@pytest.mark.parametrize("folder", cases())
def test_a_form_is_read_as_the_case_has_it(folder: Path, size: int) -> None:
    expected = json.loads((folder / "test.json").read_text())["expected"]
    body = (folder / "input.raw").read_bytes()
    seen: list[tuple[str, str | None, bytes]] = []

    async def function(request: Request) -> None:
        async for part in request.parts():
            seen.append((part.name, part.filename, await part.read()))

    async def script() -> int:
        chunks = [body[start : start + size] for start in range(0, len(body), size)]
        headers = json.loads((folder / "headers.json").read_text())
        async with connect(handler(function), "POST", body=chunks, headers=headers) as client:
            await client.finished()
        return client.status

    valid = expected["valid"] and folder.name not in REFUSED
    assert clock.run(script()) == (204 if valid else 400)
    if valid:
        same = [
            (name, filename) == (part["name"], filename_of(part)) and is_body(content, part)
            for (name, filename, content), part in zip(seen, expected["parts"], strict=True)
        ]
        assert all(same) is (folder.name not in OTHERWISE)


def filename_of(part: dict[str, str | None]) -> str | None:
    return part.get("filename_star") if part["filename"] is None else part["filename"]


def is_body(body: bytes, part: dict[str, str]) -> bool:
    if "body_sha256" in part:
        return hashlib.sha256(body).hexdigest() == part["body_sha256"]
    return body == (part["body_text"].encode() if "body_text" in part else base64.b64decode(part["body_base64"]))
