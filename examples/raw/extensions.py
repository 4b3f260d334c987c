"""What a server may offer: each row is the same stream, with something around it that hypercorn has over HTTP/2."""

from collections.abc import AsyncIterator
from contextlib import aclosing

from examples.raw.routes import router
from examples.sources import text
from rawasgi.extensions import early_hints, push, tls
from rawasgi.handling import handler
from rawasgi.request import Request
from rawasgi.trailers import content_digest, server_timing, trailers


async def lines(_: Request) -> AsyncIterator[str]:
    async with aclosing(text.brief()) as found:
        async for line in found:
            yield line


@router.get("/extensions/tls")
async def connection(request: Request) -> dict[str, object]:
    """Row 56: what the server says of the connection's TLS; hardly any does."""
    facts = tls(request.scope)
    return {"tls": facts and facts.version, "scheme": request.scope.get("scheme", "http")}


# Row 53: the client loads the style sheet while the answer is still being made
router.route("GET", "/extensions/hints", early_hints(handler(lines), ["</style.css>; rel=preload; as=style"]))
# Row 54: the client gets another row before it has asked for it
router.route("GET", "/extensions/push", push(handler(lines), "/infer/home", destination="fetch"))
# Row 55: what nobody knows before the end comes after it
router.route("GET", "/extensions/trailers", trailers(handler(lines), content_digest, server_timing))
