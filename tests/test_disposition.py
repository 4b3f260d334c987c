"""Content-Disposition (RFC 6266): no name of anybody's breaks out of it."""

import email.policy
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rawasgi.formats.tokens import check_field
from rawasgi.headers import disposition


def parsed(value: bytes) -> EmailMessage:
    message = EmailMessage(policy=email.policy.HTTP)
    message["content-disposition"] = value.decode("ascii")
    return message


@pytest.mark.parametrize(
    ("name", "plain", "full"),
    [
        ("report.pdf", "report.pdf", "report.pdf"),
        ("数据.csv", "__.csv", "%E6%95%B0%E6%8D%AE.csv"),
        ("na\u00efve.txt", "na_ve.txt", "na%C3%AFve.txt"),
        ('a"b.txt', "a_b.txt", "a%22b.txt"),
        ("a\\b.txt", "a_b.txt", "a_b.txt"),
        ("../../etc/passwd", ".._.._etc_passwd", ".._.._etc_passwd"),
        ("a\r\nSet-Cookie: x=1", "a__Set-Cookie: x=1", "a__Set-Cookie%3A%20x%3D1"),
        ("a\0b", "a_b", "a_b"),
        ("100%.txt", "100_.txt", "100%25.txt"),
        ("a%22b", "a_22b", "a%2522b"),
        ("a;b=c.txt", "a;b=c.txt", "a%3Bb%3Dc.txt"),
        ("it's.txt", "it's.txt", "it%27s.txt"),
        ("\u202etxt.exe", "_txt.exe", "_txt.exe"),
        ("half \ud83d", "half ?", "half%20%3F"),
        ("", "", ""),
    ],
)
def test_both_names_are_given_RFC_6266_appendix_D(name: str, plain: str, full: str) -> None:
    assert disposition(name) == f"attachment; filename=\"{plain}\"; filename*=UTF-8''{full}".encode()


def test_a_file_may_be_shown_instead() -> None:
    assert disposition("a.pdf", "inline").startswith(b"inline; ")


@given(st.text())
def test_no_name_breaks_out(name: str) -> None:
    value = disposition(name)
    check_field(b"content-disposition", value)
    value.decode("ascii")
    assert value.count(b'"') == 2
    assert parsed(value).get_content_disposition() == "attachment"


@given(st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="/\\"), min_size=1))
def test_a_plain_name_is_read_back_by_another(name: str) -> None:
    assert parsed(disposition(name)).get_filename() in (name, disposition(name).split(b'"')[1].decode())
