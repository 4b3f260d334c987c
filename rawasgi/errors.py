"""What can go wrong, by whose fault.

``Disconnected``: nobody's. ``ProtocolError``: ASGI was broken, by the app (``AppError``, and ``OutOfOrder`` for a legal
message at the wrong moment) or by the server (``ServerError``). ``FileChanged``: whoever writes that file.
``HTTPError``: the answer to a request is this status.
"""


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


class HTTPError(Exception):
    """The answer is *status*, with *text* for the client; raise it before a stream's first item or first wait.

    A wait for the request's body does not count.
    *headers* are added to the answer. *detail* replaces the text by a JSON body.
    """

    def __init__(
        self, status: int, text: str = "", *, headers: tuple[tuple[bytes, bytes], ...] = (), detail: object = None
    ) -> None:
        if not 400 <= status <= 599:
            raise ValueError(f"HTTPError.status must be 400 to 599, not {status!r}: return a Response instead")
        super().__init__(status, text)
        self.status = status
        self.text = text
        self.headers = headers
        self.detail = detail
