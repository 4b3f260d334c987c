"""Content-Length: what it declares, and the body that must keep to it."""

import pytest

from rawasgi.content_length import BodyLength
from rawasgi.errors import AppError


@pytest.mark.parametrize(
    ("headers", "expected"),
    [([], None), ([(b"Content-Length", b"12")], 12), ([(b"content-length", b"twelve")], None), ([(b"a", b"1")], None)],
)
def test_the_length_is_the_one_of_the_header(headers: list[tuple[bytes, bytes]], expected: int | None) -> None:
    assert BodyLength.from_headers(headers).remaining_bytes == expected


def test_without_a_length_a_body_may_have_any() -> None:
    length = BodyLength()
    length.count(10, more_body=True)
    length.count(0, more_body=False)
    assert length.remaining_bytes is None


def test_a_body_of_the_right_length_is_counted_down() -> None:
    length = BodyLength(3)
    length.count(1, more_body=True)
    assert length.remaining_bytes == 2
    length.count(2, more_body=True)
    length.count(0, more_body=False)


@pytest.mark.parametrize(
    ("size", "more_body", "difference"),
    [(4, True, "1 bytes longer"), (4, False, "1 bytes longer"), (1, False, "2 bytes shorter")],
)
def test_a_body_of_another_length_is_an_error_of_the_app(size: int, more_body: bool, difference: str) -> None:
    with pytest.raises(AppError, match=f"^the body is {difference} than its content-length says: leave that header"):
        BodyLength(3).count(size, more_body)
