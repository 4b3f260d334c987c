"""FastAPI's endpoints that yield, sent by rawasgi."""

import json
import math
from collections.abc import AsyncIterable, Awaitable, Callable, Coroutine, Iterable
from dataclasses import replace
from functools import wraps
from inspect import isasyncgenfunction, isgeneratorfunction, unwrap
from typing import Any, ParamSpec, TypeAlias

import fastapi.routing
import fastapi.sse
import starlette.responses
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import ResponseValidationError
from starlette.requests import Request

from rawasgi import sending
from rawasgi.familiar import responses
from rawasgi.familiar.fastapi.responses import StreamingResponse

P = ParamSpec("P")
Encode: TypeAlias = Callable[[Any], bytes]


def _like(function: Callable[P, None]) -> Callable[[Callable[..., None]], Callable[P, None]]:
    """Give a function the signature of *function*, for ``help()`` and to a type checker."""
    return wraps(function)


class StreamRoute(fastapi.routing.APIRoute):
    """A route whose endpoint, if it yields, is sent by rawasgi: server-sent events, JSON Lines, or what it yields.

    The bytes, the headers and OpenAPI are FastAPI's, with two differences: text is UTF-8 and not ``\\uXXXX``, and items
    that are ready together are sent in one message. The endpoint is closed at once when the client disconnects, in the
    task of the request, before its dependencies are. ``ping_interval``: seconds of silence after which a comment is
    sent between events; None: as FastAPI, 15. Raises: ResponseValidationError for an item that is not what the
    annotation says.
    """

    ping_interval: float | None = None

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, starlette.responses.Response]]:
        """Return FastAPI's handler, for an endpoint that returns the response in place of one that yields."""
        route = _included(self)
        endpoint = unwrap(route.endpoint)
        if not (isasyncgenfunction(endpoint) or isgeneratorfunction(endpoint)):
            return super().get_route_handler()
        name = route.dependant.response_param_name or "_response"
        returning = _returning(route, self.ping_interval, name)
        # What FastAPI decides by, while it makes the handler; OpenAPI is made from the rest, later.
        swapped: dict[str, Any] = {
            "dependant": replace(route.dependant, call=returning, response_param_name=name),
            "response_class": starlette.responses.Response,
            "is_json_stream": False,
        }
        kept = {key: getattr(route, key) for key in swapped}
        try:
            vars(route).update(swapped)
            return super().get_route_handler()
        finally:
            vars(route).update(kept)


class FastAPI(fastapi.FastAPI):
    """FastAPI whose own routes are StreamRoutes; those of a router that it includes are what that router made them."""

    def setup(self) -> None:
        """Add the routes of OpenAPI and of the documentation, as FastAPI does."""
        self.router.route_class = StreamRoute
        super().setup()


class APIRouter(fastapi.APIRouter):
    """APIRouter whose ``route_class`` is StreamRoute by default."""

    @_like(fastapi.APIRouter.__init__)
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"route_class": StreamRoute, **options})


def _included(route: fastapi.routing.APIRoute) -> Any:
    """Return *route* as the router that includes it sees it: with its prefix, dependencies and response class."""
    variable = getattr(fastapi.routing, "_effective_route_context_var", None)  # since FastAPI 0.13x
    context = None if variable is None else variable.get()
    return context if context is not None and context.original_route is route else route


def _returning(
    route: Any, ping_interval: float | None, name: str
) -> Callable[..., Awaitable[starlette.responses.Response]]:
    """Return the endpoint of *route* as one that returns its response; *name* is its parameter for FastAPI's own."""
    call, status_code = route.dependant.call, route.status_code
    kind = getattr(route.response_class, "value", route.response_class)
    is_declared = route.dependant.response_param_name is not None
    to_json = _to_json(route)
    is_sse, is_json = route.is_sse_stream, route.is_json_stream

    async def endpoint(**values: Any) -> starlette.responses.Response:
        solved = values[name] if is_declared else values.pop(name)
        status = solved.status_code or status_code or 200
        content = call(**values)
        response: starlette.responses.StreamingResponse
        if is_sse:
            beat, every = fastapi.sse.KEEPALIVE_COMMENT, ping_interval
            if every is None:
                every = getattr(fastapi.routing, "_PING_INTERVAL", 15.0)  # which tests of apps set
            response = _Native(content, status, "text/event-stream", _to_event(to_json), beat, every)
            response.headers["cache-control"] = "no-cache"
            response.headers["x-accel-buffering"] = "no"
        elif is_json:
            response = _Native(content, status, "application/jsonl", lambda item: to_json(item) + b"\n")
        elif kind is starlette.responses.StreamingResponse:
            response = StreamingResponse(content, status)
        else:
            response = kind(content=content, status_code=status)
        response.raw_headers.extend(solved.raw_headers)
        return response

    return endpoint


class _Native(StreamingResponse):
    """The items of an endpoint that yields, each encoded as it is sent; *beat* after *every* seconds of silence."""

    def __init__(
        self,
        content: AsyncIterable[Any] | Iterable[Any],
        status_code: int,
        media_type: str,
        encode: Encode,
        beat: bytes | None = None,
        every: float = 15.0,
    ) -> None:
        super().__init__(content, status_code, media_type=media_type)
        self._sender = _Sender(self.body_iterator, encode, beat, every)


class _Sender(responses.StreamingResponse):
    def __init__(self, content: AsyncIterable[Any], encode: Encode, beat: bytes | None, every: float) -> None:
        super().__init__(content)
        self._encode_item, self._beat, self._every = encode, beat, every

    def _what(self) -> sending.Streaming:
        items = self._items()
        return sending.Streaming(items, self.join, encode=self._encode_item, beat=self._beat, every=self._every)


def _to_event(to_json: Encode) -> Encode:
    """Return what makes an event of an item: all data is JSON, as ``fastapi.sse`` has it."""

    def encode(item: Any) -> bytes:
        if not isinstance(item, fastapi.sse.ServerSentEvent):
            return fastapi.sse.format_sse_event(data_str=to_json(item).decode())
        data = item.raw_data
        if data is None and item.data is not None:
            as_json = getattr(item.data, "model_dump_json", None)
            data = _plain_json(item.data) if as_json is None else as_json()
        return fastapi.sse.format_sse_event(
            data_str=data, event=item.event, id=item.id, retry=item.retry, comment=item.comment
        )

    return encode


def _to_json(route: Any) -> Encode:
    """Return what makes JSON of an item: by the type in the annotation of the endpoint, or by what the item is."""
    field = route.stream_item_field
    if field is None:
        return lambda item: _plain_json(item).encode("utf-8", "backslashreplace")
    options = {
        "include": route.response_model_include,
        "exclude": route.response_model_exclude,
        "by_alias": route.response_model_by_alias,
        "exclude_unset": route.response_model_exclude_unset,
        "exclude_defaults": route.response_model_exclude_defaults,
        "exclude_none": route.response_model_exclude_none,
    }

    def encode(item: Any) -> bytes:
        value, errors = field.validate(item, {}, loc=("response",))
        if errors:
            raise ResponseValidationError(errors=errors, body=item)
        encoded: bytes = field.serialize_json(value, **options)
        return encoded

    return encode


def _plain_json(value: object) -> str:
    """Return *value* as FastAPI writes it: what is no JSON by ``jsonable_encoder``, and null for NaN and Infinity."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)  # most items are plain: a tenth of the time
    except (TypeError, ValueError):
        return json.dumps(_finite(jsonable_encoder(value)), ensure_ascii=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    return [_finite(each) for each in value] if isinstance(value, list) else value
