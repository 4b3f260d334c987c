"""The chats of the documents: whom the model cannot answer is told so by a status, before anything else is said."""

from collections.abc import Callable

from examples.raw.waiting import soon, while_there
from examples.sources import tokens
from rawasgi import streams
from rawasgi.asgi import App
from rawasgi.errors import HTTPError
from rawasgi.handling import failure
from rawasgi.response import Response
from rawasgi.streams import Stream

BEGIN = 2.0  # seconds for which who waits for the model waits for the headers, too


def chat(prompt: str, say: Callable[[Stream[str]], Response]) -> App:
    """What *say* makes of the tokens that answer *prompt*; 503 if the model is full, 400 if it cannot answer."""

    async def made() -> App:
        try:
            said = await soon(tokens.reply(prompt), BEGIN)
        except tokens.Busy as error:
            return failure(busy(error))
        except tokens.Refused as error:
            return failure(HTTPError(400, str(error)))
        return say(streams.map(streams.filter(said, is_token), str))

    return while_there(made)


def is_token(item: str | tokens.End) -> bool:
    return isinstance(item, str) and item != ""


def busy(error: tokens.Busy) -> HTTPError:
    """The answer for whom there is no room, which says when to come again."""
    return HTTPError(503, str(error), headers=((b"retry-after", str(error.seconds).encode()),))
