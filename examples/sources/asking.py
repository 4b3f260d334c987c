"""What the model vendors' endpoints take from a client, checked: the parts that all of them share."""

from examples.sources.tokens import Message

JSON = dict[str, object]


class BadRequest(ValueError):
    """The request is not what the endpoint takes; *param* is the part that is wrong."""

    def __init__(self, text: str, param: str | None = None) -> None:
        super().__init__(text)
        self.param = param


def fields(body: object) -> JSON:
    if not isinstance(body, dict):
        raise BadRequest("the body must be a JSON object")
    return body


def name(body: JSON) -> str:
    found = body.get("model")
    if not isinstance(found, str) or not found:
        raise BadRequest("'model' must be a string", "model")
    return found


def flag(body: JSON, key: str) -> bool:
    found = body.get(key) or False
    if not isinstance(found, bool):
        raise BadRequest(f"'{key}' must be true or false", key)
    return found


def integer(body: JSON, key: str, minimum: int | None = None) -> int | None:
    found = body.get(key)
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int) or (minimum is not None and found < minimum):
        raise BadRequest(f"'{key}' must be a whole number" + (f" from {minimum}" if minimum is not None else ""), key)
    return found


def number(body: JSON, key: str, maximum: float) -> float | None:
    found = body.get(key)
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 <= found <= maximum:
        raise BadRequest(f"'{key}' must be a number from 0 to {maximum:g}", key)
    return float(found)


def stops(body: JSON, key: str) -> tuple[str, ...]:
    """One text, or a few."""
    found = body.get(key)
    several = [] if found is None else found if isinstance(found, list) else [found]
    texts = tuple(text for text in several if isinstance(text, str) and text)
    if len(texts) != len(several) or len(texts) > 4:
        raise BadRequest(f"'{key}' must be a string or a list of at most 4, none empty", key)
    return texts


def turns(body: JSON, key: str) -> tuple[Message, ...]:
    messages = body.get(key)
    if not isinstance(messages, list) or not messages:
        raise BadRequest(f"'{key}' must be a list of at least one message", key)
    return tuple(_turn(f"{key}[{at}]", message) for at, message in enumerate(messages))


def _turn(where: str, message: object) -> Message:
    if not isinstance(message, dict) or not isinstance(message.get("role"), str):
        raise BadRequest(f"'{where}' must be an object with a role", where)
    return Message(message["role"], content(message.get("content"), f"{where}.content"))


def content(found: object, where: str) -> str:
    """A text, or the texts among parts; an assistant's turn that only called tools has none."""
    if found is None:
        return ""
    if isinstance(found, list):
        kinds = ("text", "input_text", "output_text")
        texts = [part.get("text") for part in found if isinstance(part, dict) and part.get("type") in kinds]
        found = "".join(text for text in texts if isinstance(text, str))
    if not isinstance(found, str):
        raise BadRequest(f"'{where}' must be a string or a list of parts", where)
    return found
