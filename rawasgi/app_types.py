"""An ASGI app as a type: what functions here take and return, and what their objects are.

Theory: types where libraries meet. A scope or message is a TypedDict in ``rawasgi.asgi``, another TypedDict in asgiref
and in hypercorn, and any MutableMapping in Starlette. A type checker converts none of them to another, so a function of
one library's types is no app of another's, though it runs there. Therefore there are two sets of types:

- ``Scope``, ``Receive``, ``Send`` and the messages of ``rawasgi.asgi`` are precise. They are for the parameters of a
  function: there a misspelled key or a value of the wrong type is an error.
- ``App`` has scopes and messages of any type, as in Starlette's own ``Middleware``. Every app of every library is an
  ``App``, and an ``App`` is an app of every library. What stays an error: a function that is not async, that does not
  take three arguments, or that has receive and send in the wrong order.

A function of precise types is an ``App``, so it can be passed to everything here. Only where another library takes it
itself, ``as_app`` is needed. A class whose objects are apps has AnyScope, AnyReceive and AnySend in its ``__call__``.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeAlias, cast

AnyScope: TypeAlias = Any
AnyReceive: TypeAlias = Callable[[], Awaitable[Any]]
AnySend: TypeAlias = Callable[[Any], Awaitable[None]]


class App(Protocol):
    """An ASGI 3.0 application of any library: called with a scope, a receive and a send, it returns an awaitable."""

    def __call__(self, scope: AnyScope, receive: AnyReceive, send: AnySend, /) -> Awaitable[None]: ...


class CoroutineApp(App, Protocol):
    """An App that is a coroutine function, with ASGI's names for its parameters: Mangum takes nothing less."""

    async def __call__(self, scope: AnyScope, receive: AnyReceive, send: AnySend) -> None: ...


def as_app(app: App) -> CoroutineApp:
    """Return *app* itself, as a type that every library takes.

    It is for a function of precise types that is passed to another library, such as to ``FastAPI.mount``, and for any
    app that is passed to Mangum. All of them call it with three arguments, and await what it returns.
    """
    return cast(CoroutineApp, app)


async def discard(message: object) -> None:
    """A ``send`` that sends nothing: for the messages of a response that does not go out."""
