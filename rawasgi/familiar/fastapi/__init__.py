"""Starlette's, FastAPI's and sse-starlette's streaming responses, sent by rawasgi: an app changes an import.

    from rawasgi.familiar.fastapi import EventSourceResponse, FileResponse, ServerSentEvent, StreamingResponse

The classes are subclasses of those that they replace, with the same signatures. So FastAPI and Starlette treat them as
their own: routes, ``response_class=``, OpenAPI, ``Depends`` with ``yield``, background tasks, cookies, headers,
exception handlers, middleware, TestClient. Each holds the response of ``rawasgi.familiar`` that sends it.

An endpoint that yields is encoded and sent by FastAPI itself, whatever it imports, unless its route is a
``StreamRoute``. ``FastAPI`` and ``APIRouter`` make such routes::

    from rawasgi.familiar.fastapi import APIRouter, FastAPI

So does ``APIRouter(route_class=StreamRoute)``, and ``app.router.route_class = StreamRoute`` before the first route.

``EventSourceResponse`` and ``ServerSentEvent`` replace two pairs of classes, which contradict each other. What an item
means depends on where it is produced, as it did before: in an endpoint that yields, all data is JSON, as with
``fastapi.sse``; in a generator that is passed to ``EventSourceResponse(...)``, a str is sent as it is, as with
sse-starlette.

This package alone imports starlette and fastapi. It needs FastAPI 0.135 or newer.
"""

from rawasgi.familiar.fastapi.responses import EventSourceResponse, FileResponse, ServerSentEvent, StreamingResponse
from rawasgi.familiar.fastapi.routes import APIRouter, FastAPI, StreamRoute

__all__ = [
    "APIRouter",
    "EventSourceResponse",
    "FastAPI",
    "FileResponse",
    "ServerSentEvent",
    "StreamRoute",
    "StreamingResponse",
]
