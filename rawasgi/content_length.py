"""How long a body is, and which responses have none. Spec: RFC 9110, 8.6 "Content-Length", 15.

Most servers check a body against its Content-Length late, and some do not at all: the client then waits for bytes that
do not come, or takes those that are too many for the next response.
"""

from typing import Self

from rawasgi import headers as fields
from rawasgi.asgi import Headers
from rawasgi.errors import AppError

STATUSES_WITHOUT_BODY = frozenset({204, 205, 304})  # RFC 9110, 15.3.5, 15.3.6, 15.4.5
# The Content-Length of a 304 is that of the 200, which is not known here; that of a 205 is 0.
STATUSES_WITHOUT_LENGTH = frozenset({204, 304})


class BodyLength:
    """The bytes that a body must still have, by its Content-Length; None without one."""

    __slots__ = ("remaining_bytes",)

    def __init__(self, remaining_bytes: int | None = None) -> None:
        self.remaining_bytes = remaining_bytes

    @classmethod
    def from_headers(cls, headers: Headers) -> Self:
        """Return the length that *headers* declare; a value that is not a number is as none."""
        value = fields.get(headers, b"content-length")
        return cls(int(value) if value is not None and value.isdigit() else None)

    def count(self, size: int, more_body: bool) -> None:
        """Count *size* more bytes of the body. Raises: AppError for too many, and for too few without *more_body*."""
        if self.remaining_bytes is None:
            return
        self.remaining_bytes -= size
        remaining = self.remaining_bytes
        if remaining < 0 or (remaining and not more_body):
            difference = f"{-remaining} bytes longer" if remaining < 0 else f"{remaining} bytes shorter"
            raise AppError(
                f"the body is {difference} than its content-length says: leave that header out, or make it right"
            )
