"""What a decoder refuses to keep."""

from collections.abc import Sequence


class TooLarge(ValueError):
    """One *what* has more than *limit_bytes*; *items* were complete before it, in the same feed."""

    def __init__(self, what: str, limit_bytes: int, items: Sequence[object]) -> None:
        super().__init__(
            f"{what} must fit in {limit_bytes} bytes, this one does not: close the stream, or decode with a larger "
            "limit_bytes"
        )
        self.limit_bytes = limit_bytes
        self.items = items
