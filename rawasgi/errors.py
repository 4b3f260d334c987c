"""What can go wrong, by whose fault.

``Disconnected``: none. ``ProtocolError``: ASGI was broken, by the app (``AppError``, and ``OutOfOrder`` for a legal
message at the wrong moment) or by the server (``ServerError``). ``FileChanged``: that of the file's writer.
``HTTPError``: the response to a request is this status. ``InvalidMessage``: a websocket's client.
"""

from collections.abc import Iterable, Mapping
from http import HTTPStatus

# The reason phrases of RFC 9110, 15.5, where Python before 3.13 has those of RFC 7231.
_PHRASES = {
    413: "Content Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
}


class Disconnected(ConnectionError):
    """The client left, or has not read for as long as a send may take."""


class ProtocolError(Exception):
    """A message or a scope is not as ASGI has it."""


class AppError(ProtocolError):
    """The application broke ASGI."""


class OutOfOrder(AppError):
    """The application sent a message that is not legal at this moment."""


class ServerError(ProtocolError):
    """The server broke ASGI."""


class FileChanged(Exception):
    """A file was changed while it was sent: what has been sent is not what was promised."""


class InvalidMessage(ValueError):
    """A client has sent a websocket message that is not JSON; the text says what is wrong and where, for the client."""


class HTTPError(Exception):
    """The response is *status*, with *text* for the client; raise it before the response starts.

    A stream of a handler starts with its first item, or when its source has waited for ``max_start_delay`` (0.5 s). A
    wait for the request's body does not count. *text*: the phrase of the status if it is empty, as "Not Found".
    *headers* are added to the response. *detail*: anything JSON can say; a program finds it as ``errors`` in the
    problem details. How it is sent: ``error_responses``.
    """

    def __init__(
        self,
        status: int,
        text: str = "",
        *,
        headers: Mapping[str, str] | Iterable[tuple[str | bytes, str | bytes]] = (),
        detail: object = None,
    ) -> None:
        if not 400 <= status <= 599:
            raise ValueError(f"HTTPError.status must be 400 to 599, not {status!r}: return a Response instead")
        self.status = status
        self.text: str = text or phrase(status)
        self.headers = headers
        self.detail = detail
        super().__init__(status, self.text)


def phrase(status: int) -> str:
    """Return the reason phrase of an error *status*, the same in each version of Python."""
    if status in _PHRASES:
        return _PHRASES[status]
    if status in HTTPStatus._value2member_map_:
        return HTTPStatus(status).phrase
    return "Client Error" if status < 500 else "Server Error"  # its class: RFC 9110, 15
