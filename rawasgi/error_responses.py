"""Error responses: one shape for each status, as text or as problem details, and how an app replaces it.

Spec: RFC 9110, 15.5 and 15.6; RFC 9457 "Problem Details for HTTP APIs".
"""

import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, cast

from rawasgi import headers as fields
from rawasgi.asgi import App, HTTPScope, Receive, Scope, Send, Sent
from rawasgi.errors import AppError, HTTPError, phrase
from rawasgi.formats import json_text
from rawasgi.inbox import Inbox
from rawasgi.request import Request
from rawasgi.response import Response

logger: logging.Logger = logging.getLogger("rawasgi")

# The response to a request that failed with that error.
ErrorFunction: TypeAlias = Callable[[Request, HTTPError], App | Awaitable[App]]

_KEY = "rawasgi.error"  # in a scope: the ErrorFunction of the innermost Router that has one
_write: Callable[[object], bytes] = json_text.writer("HTTPError.detail")
_TEXT, _PROBLEM = "text/plain", "application/problem+json"
# JSON stands for problem details: RFC 9457 has no other type for them, and ASP.NET Core does the same.
_PROBLEM_FIRST, _TEXT_FIRST = (_PROBLEM, "application/json", _TEXT), (_TEXT, _PROBLEM, "application/json")


def error_response(error: HTTPError) -> App:
    """Return the app that responds to any request with *error*.

    Sends what the app's own function returns (``Router(error=...)``), else its text as text/plain, or problem details
    as application/problem+json: ``title``, the phrase of the status; ``status``; ``detail``, the text; ``errors``, the
    detail of *error*, if it has one. A client gets the type that its Accept prefers. If it prefers neither, it gets
    problem details if Accept names a JSON type, or if *error* has a detail.

    The app's own function may return this app for what it does not change. If it fails, that is logged, and the
    response is the one without it. Raises: ValueError and TypeError for an error that cannot be sent, as for a header
    of two lines.
    """

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise AppError(f"an HTTPError is the response to http, not to {scope['type']}: see WebSocket.deny()")
        function = cast(dict[str, Any], scope).get(_KEY)
        if function is None or not await _own_response(function, error, scope, receive, send):
            await _response(error, scope)(scope, receive, send)

    return app


def set_error_function(scope: Scope, function: ErrorFunction) -> None:
    """Have each error response to the request of *scope* made by *function*."""
    cast(dict[str, object], scope)[_KEY] = function


async def _own_response(
    function: ErrorFunction, error: HTTPError, scope: HTTPScope, receive: Receive, send: Send
) -> bool:
    """Send what *function* makes of *error*. Return whether a response was started."""
    inbox = Inbox.of(receive)
    scope = scope.copy()
    del cast(dict[str, object], scope)[_KEY]  # error_response() within the function is the default
    started = False

    def sending(message: Sent) -> Awaitable[None]:
        nonlocal started
        started = True
        return send(message)

    try:
        response = function(Request(scope, inbox), error)
        if inspect.isawaitable(response):
            response = await response
        await response(scope, inbox, sending)
    except Exception:
        if started:
            raise
        logger.exception("the error function failed, so the client got the error without it: %s", error)
    return started


def _response(error: HTTPError, scope: HTTPScope) -> Response:
    pairs = fields.encode(error.headers)
    if _wants_problem(error, scope):
        body, media_type = _write(_problem(error)), _PROBLEM.encode()
    else:
        body, media_type = error.text.encode("utf-8", "replace"), b"text/plain; charset=utf-8"
    fields.setdefault(pairs, b"content-type", media_type)
    fields.setdefault(pairs, b"content-length", b"%d" % len(body))
    pairs.append((b"vary", b"Accept"))
    return Response(body, error.status, tuple(pairs))


def _wants_problem(error: HTTPError, scope: HTTPScope) -> bool:
    accept = fields.joined(scope["headers"], b"accept") or b""
    # Axios sends "application/json, text/plain, */*", and a browser "text/html, ..., */*;q=0.8".
    offered = _PROBLEM_FIRST if error.detail is not None or b"json" in accept.lower() else _TEXT_FIRST
    return (fields.accepts(accept, offered) or offered[0]) != _TEXT


def _problem(error: HTTPError) -> dict[str, object]:
    # Without "type", which is then about:blank, for which the title is the phrase of the status (RFC 9457, 4.2.1).
    problem: dict[str, object] = {"title": phrase(error.status), "status": error.status, "detail": error.text}
    if error.detail is not None:
        problem["errors"] = error.detail
    return problem
