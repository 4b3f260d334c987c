"""Raw ASGI streaming: an app is a function, a response a value, a stream an async iterator, and all of them close.

from rawasgi import Router, respond

app = Router()

@app.get("/count/{to}", respond.sse)
async def count(request):
    for number in range(request.param("to", int)):
        yield number
        await asyncio.sleep(request.query("delay", float, default=0.5))
"""

from rawasgi import respond, streams
from rawasgi.background import after, tasks
from rawasgi.errors import Disconnected, HTTPError
from rawasgi.formats.sse import Event
from rawasgi.handling import handler
from rawasgi.lifespans import lifespan
from rawasgi.request import Request
from rawasgi.response import Response
from rawasgi.routing import Router
from rawasgi.websocket import WebSocket

__all__ = [
    "Disconnected",
    "Event",
    "HTTPError",
    "Request",
    "Response",
    "Router",
    "WebSocket",
    "after",
    "handler",
    "lifespan",
    "respond",
    "streams",
    "tasks",
]
