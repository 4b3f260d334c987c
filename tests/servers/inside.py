"""Our app inside Django, and Django inside ours: an app is a function, and so is what chooses between two."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any, cast

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

from rawasgi import Request, Response, Router, lifespan, respond
from rawasgi.asgi import App, Receive, Scope, Send
from rawasgi.paths import route_path

settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="for a test", DEBUG=False)
django.setup()
released = 0


async def view(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"Django at {request.path}, released: {released}")


urlpatterns = [path("", view), path("place", view)]
their_app = cast(App, get_asgi_application())
ours = Router()


@ours.get("/events/{count:int}")
async def events(request: Request) -> Response:
    async def numbers() -> AsyncIterator[int]:
        global released
        try:
            for number in range(request.param("count", int)):
                yield number
            await asyncio.Event().wait()
        finally:
            released += 1

    return respond.sse(numbers())


ours.mount("/theirs", their_app)
inside = Router()
inside.mount("/ours", ours)


@asynccontextmanager
async def living() -> AsyncIterator[dict[str, Any]]:
    yield {"word": "of our lifespan"}


@ours.get("/state")
async def state(request: Request) -> str:
    return cast(str, request.scope.get("state", {}).get("word", "none"))


def dispatch(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
    """Ours is what is below /ours, Django's all else."""
    is_ours = scope["type"] != "lifespan" and route_path(scope).startswith("/ours/")
    return (inside if is_ours else their_app)(scope, receive, send)


app = lifespan(dispatch, living)  # Django takes no lifespan: it would raise
