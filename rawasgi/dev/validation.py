"""``validate(app)``: the same app, held against the spec, and its server too.

What breaks a rule raises where it happens: AppError and OutOfOrder out of ``send`` and ``receive``, or when the app
returns; ServerError out of ``receive``, or before the app is called. What the app raises goes through unchanged.
``rules()`` lists all; they stand in server_rules.py and app_rules.py.
"""

import asyncio
from collections.abc import Awaitable, Collection, Coroutine, Iterator
from typing import TypeVar, cast

from rawasgi.asgi import App, Receive, Received, Scope, Send, Sent
from rawasgi.dev import rules as registry
from rawasgi.dev import server_rules as server_rules  # for its rules, which come first
from rawasgi.dev.app_rules import BODIES, FILES, STARTS
from rawasgi.dev.rules import Call, Message, Rule

T = TypeVar("T")


def rules() -> tuple[Rule, ...]:
    """All rules, in the order in which they are checked."""
    return tuple(registry.RULES)


def validate(app: App, *, ignore: Collection[str] = ()) -> App:
    """Call *app* with a receive and a send that check every message. *ignore* names rules that are not held.

    Raises: AppError, OutOfOrder, ServerError, each with the rule's id; what *app* raises, unchanged.
    """
    unknown = set(ignore) - {rule.id for rule in rules()}
    if unknown:
        raise ValueError(f"ignore must name rules, not {sorted(unknown)}: rules() lists them")

    async def validated(scope: Scope, receive: Receive, send: Send) -> None:
        scope = settled(scope)
        call = Call(cast(Message, scope), ignore)
        call.check("scope", call.scope)
        try:
            call.result = await cast(Awaitable[object], app(scope, receiving(call, receive), sending(call, send)))
        finally:
            call.returned = True
        call.check("returned", {})

    return validated


def receiving(call: Call, receive: Receive) -> Receive:
    """Receive for *call*, checked."""

    async def checked() -> Received:
        call.check("receive", {})
        call.receiving += 1
        try:
            message = await receive()
        finally:
            call.receiving -= 1
        if call.known:
            call.check("received", cast(Message, message))
        return message

    return checked


def sending(call: Call, send: Send) -> Send:
    """Send for *call*, checked: when it is called, not when it is awaited, which may be never."""

    async def pass_on(message: Sent) -> None:
        call.sending += 1
        try:
            await send(message)
        except (OSError, asyncio.CancelledError):
            call.lost = True
            raise
        finally:
            call.sending -= 1

    def checked(message: Sent) -> Coroutine[object, object, None]:
        call.check("send", {})
        message = settled(message)
        if call.known:
            call.check("sent", cast(Message, message))
            note(call, cast(Message, message))
        promise = pass_on(message)
        call.promises.append(promise)
        return promise

    return checked


def settled(message: T) -> T:
    """*message*, with lists in the place of iterators, which could be read only once."""
    if not isinstance(message, dict) or not any(isinstance(value, Iterator) for value in message.values()):
        return message
    return cast(T, {key: list(value) if isinstance(value, Iterator) else value for key, value in message.items()})


def note(call: Call, message: Message) -> None:
    """Keep of a legal *message* what later rules need."""
    if message["type"] in STARTS:
        call.status = cast(int, message["status"])
        lengths = [int(value) for name, value in registry.headers(message) if name == b"content-length"]
        countable = lengths and call.status != 304 and call.scope.get("method") != "HEAD"
        call.length_bytes = lengths[0] if countable else None
    elif message["type"] in BODIES:
        call.body_bytes += len(cast(bytes, message.get("body", b"")))
    elif message["type"] in FILES:
        call.length_bytes = None
