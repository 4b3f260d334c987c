"""What must stay an error to ``mypy --strict`` and to pyright, each with the rule that finds it. Nothing here is run.

An ignore that nothing needs is itself an error, to both.
"""

from collections.abc import AsyncIterator

from fastapi import FastAPI
from mangum import Mangum
from starlette.routing import Mount

import rawasgi
from rawasgi.app_types import App, as_app
from rawasgi.asgi import Receive, Scope, Send
from rawasgi.compression import compress
from rawasgi.dev.client import fetch
from rawasgi.shutdown import Drain

router = rawasgi.Router()
api = FastAPI()


# What is no app


def blocking(scope: Scope, receive: Receive, send: Send) -> None: ...


async def wsgi(environ: dict[str, object], start_response: object) -> None: ...


async def generator(scope: Scope, receive: Receive, send: Send) -> AsyncIterator[bytes]:
    yield b""


async def endpoint(request: rawasgi.Request) -> str:
    return ""


async def sends_twice(scope: Scope, receive: Send, send: Send) -> None: ...


async def swapped(scope: Scope, send: Send, receive: Receive) -> None: ...


class Greeting:
    def __init__(self, name: str) -> None: ...

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...


router.mount("/a", blocking)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
router.mount("/a", wsgi)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
router.mount("/a", generator)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
router.mount("/a", endpoint)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
router.mount("/a", sends_twice)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
router.mount("/a", swapped)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
router.mount("/a", Greeting)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
router.mount("/a", "module:app")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
compress(endpoint)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Drain()(blocking)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
as_app(wsgi)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


# What other libraries do not take


async def precise(scope: Scope, receive: Receive, send: Send) -> None: ...


api.mount("/a", precise)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
api.mount("/a", Greeting("a"))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
api.mount("/a", endpoint)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Mangum(compress(router))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Mount("/a", app=compress)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
api.add_middleware(compress, minimum_bytes="5")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
api.add_middleware(compress, minimum=5)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
api.add_middleware(Drain)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


# What an app must not do


async def careless(app: App, scope: Scope, receive: Receive, send: Send) -> None:
    await app(scope, send, receive)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await app(scope, receive)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    scope["pth"]  # type: ignore[typeddict-item]  # pyright: ignore[reportGeneralTypeIssues]
    await send({"type": "http.response.start"})  # type: ignore[arg-type, misc]  # pyright: ignore[reportArgumentType]
    await send({"type": "http.response.start", "stauts": 200})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await send({"type": "http.response.start", "status": "200"})  # type: ignore[arg-type, misc]  # pyright: ignore[reportArgumentType]
    await send({"type": "http.response.body", "body": "text"})  # type: ignore[arg-type, misc]  # pyright: ignore[reportArgumentType]
    await send({"type": "http.response.end"})  # type: ignore[arg-type, misc]  # pyright: ignore[reportArgumentType]
    await send({"type": "http.disconnect"})  # type: ignore[arg-type, misc]  # pyright: ignore[reportArgumentType]
    message = await receive()
    message["body"]  # type: ignore[typeddict-item]  # pyright: ignore[reportGeneralTypeIssues, reportTypedDictNotRequiredAccess]
    await fetch(app, method=200)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


# What a Router does not take


@router.get("/a")  # type: ignore[type-var]  # pyright: ignore[reportArgumentType, reportUntypedFunctionDecorator]
def returns(request: rawasgi.Request) -> str:
    return ""


@router.get("/a")  # type: ignore[type-var]  # pyright: ignore[reportArgumentType, reportUntypedFunctionDecorator]
async def takes_two(request: rawasgi.Request, name: str) -> str:
    return name


@router.websocket("/a")  # type: ignore[type-var]  # pyright: ignore[reportArgumentType, reportUntypedFunctionDecorator]
async def takes_a_request(request: rawasgi.Request) -> None: ...
