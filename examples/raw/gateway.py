"""With OPENAI_BASE_URL set, the vendors' endpoints ask there instead of the model of this process.

Nothing is read ahead: what our client does not take, we do not take from upstream. A client that leaves ends the
request upstream, too. OPENAI_API_KEY, if set, is the key for upstream; else the client's own is passed on.
"""

import importlib
import json
import os
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any

from examples.raw.dialects import Asked, Dialect
from rawasgi import respond
from rawasgi.formats import sse
from rawasgi.formats.sse import Event
from rawasgi.request import Request
from rawasgi.response import Response

SILENT = 600.0  # seconds after which an upstream that says nothing is given up, as OpenAI's own client does
EVENT_BYTES = 16 * 1024 * 1024
FROM_CLIENT = ("authorization", "x-api-key", "anthropic-version", "anthropic-beta", "openai-organization")
FROM_UPSTREAM = ("retry-after", "x-request-id", "request-id")
ME = f"rawasgi-{secrets.token_hex(4)}"


class Refused(Exception):
    """Upstream did not answer, or with an error."""

    def __init__(self, status: int, text: str, code: str | None = None, headers: Mapping[str, str] = {}) -> None:
        super().__init__(status, text)
        self.status = status
        self.text = text
        self.code = code
        self.headers = headers


_client: Any = None


@asynccontextmanager
async def living() -> AsyncIterator[None]:
    """What lives as long as the app: the connections to upstream."""
    global _client
    try:
        yield
    finally:
        if _client is not None:
            await _client.aclose()
            _client = None


def _http() -> Any:
    global _client
    if _client is None:
        try:
            httpx = importlib.import_module("httpx")
        except ImportError:
            text = "OPENAI_BASE_URL is set, and asking there needs httpx: pip install httpx"
            raise Refused(501, text, "not_installed") from None
        limits = httpx.Limits(max_connections=1000, max_keepalive_connections=20)
        timeout = httpx.Timeout(10.0, read=SILENT, pool=10.0)
        _client = httpx.AsyncClient(timeout=timeout, limits=limits, trust_env=False, follow_redirects=False)
    return _client


def upstream(request: Request) -> "Upstream | None":
    """Where to ask for *request*; None for here. Raises: Refused for a request that comes from ourselves."""
    base_url = os.environ.get("OPENAI_BASE_URL")
    if not base_url:
        return None
    via = request.header("via") or ""
    if ME in via:
        raise Refused(508, "OPENAI_BASE_URL is this server's own address: it asks itself", "loop_detected")
    headers = {name: value for name in FROM_CLIENT if (value := request.header(name)) is not None}
    if key := os.environ.get("OPENAI_API_KEY"):
        headers |= {"authorization": f"Bearer {key}"}
        headers.pop("x-api-key", None)
    headers |= {"via": f"{via}, 1.1 {ME}".lstrip(", "), "accept-encoding": "identity"}
    return Upstream(base_url.rstrip("/"), headers)


class Upstream:
    """Another server's endpoints, asked for one client."""

    def __init__(self, base_url: str, headers: dict[str, str]) -> None:
        self._base_url = base_url
        self._headers = headers

    async def models(self) -> Response:
        """What it says of its models."""
        return await self._whole("GET", "/models")

    def asked(self, dialect: Dialect, body: object) -> Asked:
        """*body* as it is: upstream says what is wrong with it."""
        return Asked(
            isinstance(body, dict) and body.get("stream") is True,
            lambda: self._events(dialect.path, body),
            lambda: self._whole("POST", dialect.path, body),
        )

    async def _whole(self, method: str, path: str, body: object = None) -> Response:
        async with self._sent(method, path, body) as answer:
            text = await answer.aread()
            headers = _kept(answer.headers)
            return respond.whole(text, answer.headers.get("content-type"), answer.status_code, headers)

    async def _events(self, path: str, body: object) -> AsyncGenerator[Event, None]:
        """Its events as they come; comments are its own heartbeats, and stay behind."""
        decoder = sse.Decoder(EVENT_BYTES)
        async with self._sent("POST", path, body) as answer, aclosing(answer.aiter_bytes()) as pieces:
            async for piece in pieces:
                for event in decoder.feed(piece):
                    yield Event(event.data, event.event)

    @asynccontextmanager
    async def _sent(self, method: str, path: str, body: object) -> AsyncIterator[Any]:
        client = _http()
        httpx = importlib.import_module("httpx")
        content = None if body is None else json.dumps(body, ensure_ascii=False).encode("utf-8", "backslashreplace")
        headers = self._headers | ({"content-type": "application/json"} if content else {})
        try:
            async with client.stream(method, self._base_url + path, content=content, headers=headers) as answer:
                if answer.status_code >= 300:
                    raise _refused(answer.status_code, await answer.aread(), _kept(answer.headers))
                yield answer
        except httpx.TimeoutException:
            raise Refused(504, "upstream took too long", "upstream_timeout") from None
        except httpx.TransportError as error:
            if isinstance(error, httpx.RemoteProtocolError | httpx.ReadError):
                raise Refused(502, "upstream broke off", "upstream_incomplete") from None
            raise Refused(502, "upstream cannot be reached", "upstream_unreachable") from None


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: headers[name] for name in FROM_UPSTREAM if name in headers}


def _refused(status: int, body: bytes, headers: Mapping[str, str]) -> Refused:
    """What upstream said of its error, if it can be read; a status that is no error of HTTP is a bad gateway."""
    code: object = None
    text: object = None
    try:
        said = json.loads(body)
        error = said["error"]
        text = error["message"] if isinstance(error, dict) else error
        code = error.get("code") if isinstance(error, dict) else None
    except (ValueError, LookupError, TypeError):
        pass
    if not isinstance(text, str):
        text = f"upstream answered {status}"
    return Refused(status if status >= 400 else 502, text, str(code) if code is not None else None, headers)
