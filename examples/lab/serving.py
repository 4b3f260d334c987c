"""All that the page asks for: itself, the streams, their code, what is seen of a run, what the checker finds."""

from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path

from examples.catalogue import MORE, ROWS, Row
from examples.lab.checks import APPS, Checks
from examples.lab.excerpts import excerpts
from examples.lab.lessons import LESSONS
from examples.lab.topics import ID
from examples.lab.watching import Watching
from rawasgi import files, respond
from rawasgi.asgi import App
from rawasgi.errors import HTTPError
from rawasgi.request import Request
from rawasgi.response import Response
from rawasgi.routing import Router
from rawasgi.streams import owned

PAGE = Path(__file__).parent / "page"
SIDES = {"rawasgi": "", "FastAPI": "/fastapi", "naked": "/naked"}
# Scripts, styles, streams: nothing from elsewhere, nothing inline, and no other page may hold this one in a frame.
POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
HEADERS = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}  # asked again each time: 304, by its ETag


def page() -> App:
    """The page itself."""
    headers = {**HEADERS, "Content-Security-Policy": POLICY, "Referrer-Policy": "no-referrer", "Vary": "Accept"}
    return files.file(PAGE / "index.html", headers=headers)


def lab(watching: Watching, checks: Checks) -> Router:
    """What is below /lab."""
    router = Router()
    router.mount("/lab/page", files.directory(PAGE, index=None, headers=HEADERS))

    @router.get("/lab/streams")
    async def streams(_: Request) -> list[dict[str, object]]:
        return [described(row) for row in ROWS + MORE]

    @router.get("/lab/source/{side}/{number}")
    async def source(request: Request) -> list[dict[str, object]]:
        """The code of a row, in pieces: file, first line, text."""
        side = request.param("side", str)
        if side not in SIDES:
            raise HTTPError(404, f"the sides are {', '.join(SIDES)}")
        return [asdict(piece) for piece in excerpts(side, wanted(request))]

    @router.get("/lab/messages/{id}")
    async def messages(request: Request) -> Response:
        """What is seen of the calls of a run, as it happens; a reader that comes back goes on where it was."""
        name = request.param("id", str)
        if not ID.fullmatch(name):
            raise HTTPError(422, "an id has 8 to 40 letters, digits and dashes")
        calls = request.query("calls", int, 1, minimum=1, maximum=10)
        return respond.sse(watching.topics.follow(name, request.last_event_id, calls))

    @router.get("/lab/check/{side}/{number}", kind=respond.sse)
    async def check(request: Request) -> AsyncIterator[object]:
        """What the checker finds in a row."""
        side, row = request.param("side", str), wanted(request)
        if request.header("sec-fetch-site") not in (None, "same-origin"):
            raise HTTPError(403, "another page must not start processes here")
        if side not in APPS:
            raise HTTPError(404, f"what can be checked is {' and '.join(APPS)}")
        async with owned(checks.check(side, row)) as findings:
            async for finding in findings:
                yield finding

    return router


def wanted(request: Request) -> Row:
    number = request.param("number", int, minimum=1, maximum=len(ROWS + MORE))
    return (ROWS + MORE)[number - 1]


def described(row: Row) -> dict[str, object]:
    sides = {side: prefix + row.example for side, prefix in SIDES.items() if side != "naked" or row.naked}
    return {
        "number": row.number,
        "document": row.document,
        "method": row.method,
        "path": row.path,
        "example": row.example,
        "kind": row.kind,
        "summary": row.summary,
        "endless": row.endless,
        "body": None if row.body is None else row.body.decode(),
        "paths": sides,
        "lesson": LESSONS.get(row.number, ""),
    }
