"""JSON that a client has sent: read strictly, and refused with the place of the fault.

Spec: RFC 8259.
"""

import json
from typing import Any

from rawasgi.formats import json_text

_BOM = b"\xef\xbb\xbf"


def decode(text: bytes) -> Any:
    """Return the value of one JSON *text* in UTF-8, with a byte order mark or without.

    Raises: ValueError if it is none, as for NaN, which says what is wrong and where, and shows nothing of *text*.
    """
    text = text.removeprefix(_BOM)
    if not text.strip():
        raise ValueError("it is empty")
    try:
        return json_text.decode(text)
    except json.JSONDecodeError as error:
        reason = f"{error.msg}: line {error.lineno} column {error.colno}"
    except UnicodeDecodeError as error:
        reason = f"byte {error.start + 1} is not UTF-8"
    except ValueError as error:
        # int() speaks of sys.set_int_max_str_digits(), which is not for a client.
        reason = "a number has too many digits" if "int_max_str_digits" in str(error) else str(error)
    raise ValueError(reason)
