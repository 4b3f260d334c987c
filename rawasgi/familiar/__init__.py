"""The names that are known from Starlette, FastAPI and sse-starlette, each a few lines over the core.

    from rawasgi.familiar import BackgroundTask, EventSourceResponse, StreamingResponse

They are apps: return one from a handler, mount it, or ``await response(scope, receive, send)``. Signatures and defaults
are those of Starlette 1.10 and sse-starlette 3.7; ``tests/conformance`` runs their tests against these classes and
tells each difference with its reason. The weightiest: items that are ready together leave in one message, a client that
left is no error (its background task runs), and what could forge a header or an event is refused, never mended.

sse-starlette and fastapi.sse contradict each other; here

====================  ========================  ============================  ==================================
                      sse-starlette             fastapi.sse                   here
====================  ========================  ============================  ==================================
data="text"           as it is                  as JSON, quoted               as it is; raw_data means the same
data={...}, [...], 1  as str() of it            as JSON                       as JSON
an item {...}         the fields of an event    data, as JSON                 the fields of an event
an item "text"        data                      data, as JSON                 data
id, event with CR LF  CR and LF are taken out   ValueError                    ValueError
line ends             CR LF                     LF                            CR LF, or ``sep``
Cache-Control         no-store                  no-cache                      no-store
====================  ========================  ============================  ==================================
"""

from rawasgi.familiar.background import BackgroundTask, BackgroundTasks
from rawasgi.familiar.eventsource import EventSourceResponse, ServerSentEvent
from rawasgi.familiar.files import FileResponse
from rawasgi.familiar.responses import (
    HTMLResponse,
    JSONResponse,
    MutableHeaders,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)

__all__ = [
    "BackgroundTask",
    "BackgroundTasks",
    "EventSourceResponse",
    "FileResponse",
    "HTMLResponse",
    "JSONResponse",
    "MutableHeaders",
    "PlainTextResponse",
    "RedirectResponse",
    "Response",
    "ServerSentEvent",
    "StreamingResponse",
]
