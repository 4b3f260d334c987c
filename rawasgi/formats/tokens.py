"""Names and values of header fields, as HTTP and MIME both have them.

Spec: RFC 9110, 5.1 "Field Names", 5.5 "Field Values", 5.6.2 "Tokens".
"""

import re
from reprlib import repr as short

TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


def check_field(name: bytes, value: bytes) -> None:
    """Raise ValueError if *name* is no token, or if *value* holds CR, LF or NUL."""
    if not TOKEN.fullmatch(name):
        raise ValueError(f"a header name must be letters, digits and !#$%&'*+-.^_`|~, not {short(name)}")
    if b"\n" in value or b"\r" in value or b"\0" in value:
        raise ValueError(
            f"header {name.decode()} must be one line without NUL, not {short(value)}: percent-encode the text"
        )
