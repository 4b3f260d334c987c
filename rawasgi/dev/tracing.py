"""``trace(app, tell)``: the same app; of each message it is told when it came, how long it took, and what it broke."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Literal, cast

from rawasgi.asgi import App, Receive, Received, Scope, Send, Sent
from rawasgi.dev.rules import Call, Message, Moment
from rawasgi.dev.validation import note, settled
from rawasgi.errors import ProtocolError

FIRST_BYTES = 60


@dataclass(frozen=True, slots=True)
class Traced:
    """One message, or, as the last, how it ended.

    *at*: seconds after the app was called. *arrow*: ``>`` sent, ``<`` received, ``=`` the end. *what*: the message's
    type; at the end complete, incomplete, client left, cancelled, or the error. *took*: seconds that the app waited for
    ``send`` or ``receive``. *state*: where the order of what is sent stands now. *size* and *first* bytes: of a body.
    *problem*: the rule that it broke.
    """

    at: float
    arrow: Literal[">", "<", "="]
    what: str
    took: float = 0.0
    state: str = ""
    size: int = 0
    first: bytes = b""
    detail: str = ""
    problem: str | None = None


def trace(app: App, tell: Callable[[Traced], None], clock: Callable[[], float] = perf_counter) -> App:
    """Return *app*, which calls *tell* after each message and at the end. Nothing else is changed: what breaks a rule
    is told and goes on. Raises: what *app* raises."""

    async def traced(scope: Scope, receive: Receive, send: Send) -> None:
        begun = clock()
        call = Call(cast(Message, scope))
        left = False

        async def receiving() -> Received:
            nonlocal left
            problem = _broken(call, "receive", {})
            since = clock()
            message = await receive()
            now = clock()
            problem = problem or _broken(call, "received", cast(Message, message))
            left = left or message["type"].endswith(".disconnect")
            tell(_traced(now - begun, "<", cast(Message, message), now - since, call, problem))
            return message

        async def sending(message: Sent) -> None:
            message = settled(message)
            problem = _broken(call, "send", {}) or _broken(call, "sent", cast(Message, message))
            if problem is None and call.known:
                note(call, cast(Message, message))
            since = clock()
            try:
                call.sending += 1
                await send(message)
            finally:
                call.sending -= 1
                tell(_traced(since - begun, ">", cast(Message, message), clock() - since, call, problem))

        end, problem = "complete", _broken(call, "scope", call.scope)
        try:
            call.result = await cast(Awaitable[object], app(scope, receiving, sending))
            call.returned = True
            if not call.order.complete:
                end = "client left" if left else "incomplete"
            problem = problem or (None if left else _broken(call, "returned", {}))
        except asyncio.CancelledError:
            end = "cancelled"
            raise
        except Exception as error:
            end = f"{type(error).__name__}: {error}"
            raise
        finally:
            tell(Traced(clock() - begun, "=", end, state=call.order.state, problem=problem))

    return traced


def _broken(call: Call, moment: Moment, message: Message) -> str | None:
    try:
        if call.known or moment == "scope":
            call.check(moment, message)
    except ProtocolError as error:
        call.violation = None  # it is told here, and not to be told again as swallowed
        return str(error)
    return None


def _traced(
    at: float, arrow: Literal[">", "<"], message: Message, took: float, call: Call, problem: str | None
) -> Traced:
    body = message.get("body") or message.get("bytes") or message.get("text") or b""
    data = body.encode() if isinstance(body, str) else bytes(cast(bytes, body))
    details = []
    if "status" in message:
        details.append(str(message["status"]))
    if "headers" in message:
        details.append(f"{len(list(cast(list[object], message['headers'])))} headers")
    details += [f"{name}={message[name]}" for name in ("more_body", "path", "code", "reason") if name in message]
    return Traced(
        at,
        arrow,
        str(message["type"]),
        took,
        call.order.state,
        len(data),
        data[:FIRST_BYTES],
        " ".join(details),
        problem,
    )
