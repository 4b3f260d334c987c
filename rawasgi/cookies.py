"""Cookies of a request.

Spec: RFC 6265, 4.2.1 "Syntax", 5.4 "The Cookie Header"; RFC 9113, 8.2.3 for several header lines.
"""

import re

_ESCAPE = re.compile(r"\\(?:([0-3][0-7]{2})|(.))", re.DOTALL)


def parse(header: bytes) -> list[tuple[str, str]]:
    """Return the names and values of a Cookie *header* in its order, as UTF-8; what has no name or no = is left out.

    Never raises. A browser sends the cookie with the longer path first, so of two with one name the first is the closer
    one. A quoted value is unquoted, and unescaped: Python's http.cookies, and so Starlette, Django and Flask, quote
    what a cookie cannot hold.
    """
    pairs: list[tuple[str, str]] = []
    for pair in header.decode("utf-8", "replace").split(";"):
        name, equals, value = pair.partition("=")
        if equals and (name := name.strip(" \t")):
            pairs.append((name, _unquoted(value.strip(" \t"))))
    return pairs


def _unquoted(value: str) -> str:
    if len(value) < 2 or value[0] != '"' or value[-1] != '"':
        return value
    return _ESCAPE.sub(lambda found: chr(int(found[1], 8)) if found[1] else found[2], value[1:-1])
