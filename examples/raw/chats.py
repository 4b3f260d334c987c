"""Chats: whom the model cannot answer is told so by a status, before anything else is said.

Rows 32 and 33 of the documents, and what the useChat of the AI SDK asks, row 60.
"""

from collections.abc import AsyncIterable, Callable
from typing import TypeVar

from examples.raw.routes import router
from examples.sources import tokens, ui
from examples.sources.asking import BadRequest
from rawasgi import respond, streams
from rawasgi.errors import HTTPError
from rawasgi.request import Request
from rawasgi.response import Response
from rawasgi.streams import Stream

T = TypeVar("T")
BODY_BYTES = 16 * 1024 * 1024

BEGIN = 2.0  # seconds for which who waits for the model waits for the headers, too


async def chat(prompt: str, say: Callable[[Stream[str]], Response]) -> Response:
    """What *say* makes of the tokens that answer *prompt*."""
    return await begun(tokens.reply(prompt), lambda said: say(streams.map(streams.filter(said, is_token), str)))


async def begun(source: AsyncIterable[T], say: Callable[[Stream[T]], Response]) -> Response:
    """What *say* makes of *source*; raises 503 if the model is full, 400 if it cannot answer. Closes: source."""
    try:
        return say(await streams.begun(source, BEGIN))
    except tokens.Busy as error:
        raise busy(error) from None
    except tokens.Refused as error:
        raise HTTPError(400, str(error)) from None


def is_token(item: str | tokens.End) -> bool:
    return isinstance(item, str) and item != ""


def busy(error: tokens.Busy) -> HTTPError:
    """The answer for whom there is no room, which says when to come again."""
    return HTTPError(503, str(error), headers=((b"retry-after", str(error.seconds).encode()),))


@router.post("/api/chat")
async def ui_chat(request: Request) -> Response:
    """Row 60: what ``useChat()`` asks if nothing else is said, and reads; its stop button ends the model's work."""
    try:
        messages = ui.parse(await request.json(BODY_BYTES))
    except BadRequest as error:
        raise HTTPError(400, str(error)) from None
    return await begun(ui.parts(messages, tokens.model()), respond.ui_messages)
