"""Names and values of header fields, as HTTP and MIME both have them.

Spec: RFC 9110, 5.1 "Field Names", 5.5 "Field Values", 5.6.2 "Tokens", 5.6.6 "Parameters".
"""

import re
from reprlib import repr as short

_MAIN = re.compile(r"[ \t]*([^;\s]+)[ \t]*")
# A quoted value that does not end at an unescaped quote ends at any: browsers do not escape a backslash before it.
_PARAMETER = re.compile(r';[ \t]*(?:([^\s;="]+)=("(?:[^"\\]|\\.)*"(?=[ \t]*(?:;|\Z))|"[^"]*"|[^\s;"]*))?[ \t]*')
QUOTED_PAIR: re.Pattern[str] = re.compile(r"\\(.)")
TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


def check_field(name: bytes, value: bytes) -> None:
    """Raise ValueError if *name* is no token, or if *value* holds CR, LF or NUL."""
    if not TOKEN.fullmatch(name):
        raise ValueError(f"a header name must be letters, digits and !#$%&'*+-.^_`|~, not {short(name)}")
    if b"\n" in value or b"\r" in value or b"\0" in value:
        raise ValueError(
            f"header {name.decode()} must be one line without NUL, not {short(value)}: percent-encode the text"
        )


def parse_parameters(text: str, quoted_pair: re.Pattern[str] = QUOTED_PAIR) -> tuple[str, list[tuple[str, str]]] | None:
    """Split ``text/plain; charset="utf-8"`` into what is before the parameters, and those, the names in lowercase.

    None if *text* is no such value. Quoted values are unquoted; *quoted_pair*: what is unescaped in them.
    """
    found = _MAIN.match(text)
    main = "" if found is None else found[1]
    parameters: list[tuple[str, str]] = []
    while found is not None and found.end() < len(text):
        found = _PARAMETER.match(text, found.end())
        if found is not None and found[1] is not None:
            value = found[2]
            parameters.append((found[1].lower(), quoted_pair.sub(r"\1", value[1:-1]) if value[:1] == '"' else value))
    return None if found is None else (main, parameters)
