"""Rows 23 to 30: lines of text."""

from examples.raw import parameters
from examples.raw.routes import router
from examples.sources import text
from rawasgi import respond, streams
from rawasgi.request import Request
from rawasgi.response import Response


@router.get("/simple")
async def simple(_: Request) -> Response:
    """Row 23: each line leaves when it is there."""
    return respond.stream(text.simple())


@router.get("/parameterized/{count}")
async def parameterized(request: Request) -> Response:
    """Row 24: parameters are typed where they are read; before the first item a bad one still is a clean 422."""
    return respond.stream(text.parameterized(parameters.count(request), parameters.delay(request, 0.5)))


@router.get("/json/{count}")
async def objects(request: Request) -> Response:
    """Row 25: one JSON value a line."""
    return respond.ndjson(text.objects(parameters.count(request)))


@router.get("/cleanup")
async def cleanup(_: Request) -> Response:
    """Row 26: the source's ``finally`` runs in any case, and before the request is over."""
    return respond.stream(text.with_cleanup())


@router.get("/disconnect")
async def disconnect(_: Request) -> Response:
    """Row 27: leave, and see the source stop at once, where it stands."""
    return respond.stream(text.disconnectable())


@router.get("/sync")
async def sync(_: Request) -> Response:
    """Row 28: a blocking generator has a thread, and it is seen here that it costs one."""
    return respond.stream(streams.from_thread(text.blocking()))


@router.get("/async")
async def asynchronous(_: Request) -> Response:
    """Row 29: the same five lines for no thread at all."""
    return respond.stream(text.asynchronous())


@router.get("/headers")
async def headers(_: Request) -> Response:
    """Row 30: headers of one's own. Their values are checked: no CR, no LF, nothing to smuggle."""
    fields = {"X-Custom-Header": "CustomValue", "Cache-Control": "no-cache", "Connection": "keep-alive"}
    return respond.stream(text.brief(), headers=fields)
