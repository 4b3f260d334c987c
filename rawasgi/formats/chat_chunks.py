"""Chat completions as they come: OpenAI's ``chat.completion.chunk`` objects, each the data of a server-sent event.

The end mark is ``data: [DONE]``. OpenAI's own clients take a stream that only ends for a whole one, and read nothing
after an object with ``error``, which they raise. So a Failure is such an object, and no [DONE] follows it.
Spec: OpenAI API reference, "Chat completions", "Streaming"; openai-python, _streaming.py, for what clients do.
"""

from collections.abc import Iterable, Mapping, Sequence
from reprlib import repr as short
from types import EllipsisType
from typing import TypeAlias

from rawasgi.formats import json_text, sse
from rawasgi.formats.endings import Done, Failure
from rawasgi.formats.limits import TooLarge

Chunk: TypeAlias = dict[str, object]

_ONCE = ("id", "type", "role", "index", "finish_reason")  # sent once, or each time anew: never in pieces


class NotChunk(ValueError):
    """The *data* of an event is no JSON object; *items* were complete before it, in the same feed."""

    def __init__(self, message: str, chunks: Sequence[object]) -> None:
        super().__init__(message)
        self.items = chunks


class CutOff(NotChunk):
    """The stream ended with neither [DONE] nor an error: what came is not all."""


# Encode


def chunk(
    id: str,
    model: str,
    created: int,
    *,
    index: int = 0,
    role: str | None = None,
    content: str | None = None,
    tool_calls: Sequence[Mapping[str, object]] | None = None,
    finish_reason: str | None = None,
    usage: Mapping[str, object] | EllipsisType | None = ...,
) -> Chunk:
    """Return one chunk of the choice *index*; what is None is left out.

    *id* and *created*, in seconds since 1970, are the same in all chunks of a completion. *role* belongs into the first
    chunk of a choice, *finish_reason* into its last. *usage*, for a client that asked for it (``include_usage``): None
    in each chunk, and the counts in the last one, which has no choice.
    """
    delta: Chunk = {}
    if role is not None:
        delta["role"] = role
    if content is not None:
        delta["content"] = content
    if tool_calls is not None:
        delta["tool_calls"] = list(tool_calls)
    choices: list[Chunk] = [{"index": index, "delta": delta, "finish_reason": finish_reason}]
    whole: Chunk = {"id": id, "object": "chat.completion.chunk", "created": created, "model": model}
    if isinstance(usage, Mapping) and not delta and finish_reason is None:
        choices = []
    whole["choices"] = choices
    if not isinstance(usage, EllipsisType):
        whole["usage"] = usage
    return whole


def encode(item: Chunk | Failure | Done) -> bytes:
    """Write *item* as an event: a chunk, ``{"error": {…}}`` for a Failure, [DONE] for a Done.

    Raises: ValueError for what JSON cannot say; TypeError for what is no dict, and for what is no JSON value.
    """
    if isinstance(item, Done):
        return b"data: [DONE]\n\n"
    if isinstance(item, Failure):
        item = {"error": _error(item)}
    if not isinstance(item, dict):
        raise TypeError(f"chat_chunks.encode takes a dict, a Failure or a Done, not {short(item)}: make it a chunk()")
    return b"data: " + json_text.encode(item, json_text.dumps, "chat_chunks.encode") + b"\n\n"


def _error(failure: Failure) -> Chunk:
    error: Chunk = {"message": failure.message, "code": failure.code, "param": None}
    error["type"] = "server_error"
    if failure.id is not None:
        error["id"] = failure.id
    if failure.retry:
        error["retry"] = True
    return error


# Decode


class Decoder:
    """An incremental parser of a stream of chunks.

    An error becomes a Failure, after which, as after [DONE], nothing is read. *limit_bytes* bounds one chunk. What is
    no JSON object ends the decoder.
    """

    def __init__(self, limit_bytes: int = 1024 * 1024) -> None:
        self.done = False  # [DONE] came: the stream is whole
        self._failed = False
        self._events = sse.Decoder(limit_bytes)
        self._error: TooLarge | NotChunk | None = None

    def feed(self, chunk: bytes) -> list[Chunk | Failure]:
        """Return what *chunk* completes.

        Raises: TooLarge and NotChunk, whose items came before, and again at each further call.
        """
        if self._error is not None:
            raise self._error
        items: list[Chunk | Failure] = []
        if self.done or self._failed:
            return items
        try:
            events: Sequence[object] = self._events.feed(chunk)
        except TooLarge as error:
            self._read(error.items, items)
            if not self.done and not self._failed:
                self._error = TooLarge("a chunk", error.limit_bytes, [])
                raise TooLarge("a chunk", error.limit_bytes, items) from None
        else:
            self._read(events, items)
        return items

    def end(self) -> None:
        """Hear that the stream ended. Raises: CutOff without [DONE] and error; TooLarge and NotChunk, as ``feed``."""
        if self._error is not None:
            raise self._error
        if not self.done and not self._failed:
            self._error = CutOff(
                "a stream of chunks must end with [DONE], and this one did not: what came is not all", []
            )
            raise self._error

    def _read(self, events: Iterable[object], items: list[Chunk | Failure]) -> None:
        for event in events:
            assert isinstance(event, sse.Event)
            assert event.data is not None
            if event.data == "[DONE]":
                self.done = True
                return
            try:
                value = json_text.decode(event.data.encode())
            except ValueError:
                value = None
            if not isinstance(value, dict):
                message = f"a chunk must be a JSON object, not {short(event.data)}: the sender has to mend it"
                self._error = NotChunk(message, [])
                raise NotChunk(message, items)
            # Some servers send what stands in error as an event of that name.
            error = value.get("error") or (value if event.event == "error" else None)
            if error:
                self._failed = True
                items.append(_failure(error))
                return
            items.append(value)


def _failure(error: object) -> Failure:
    fields = error if isinstance(error, dict) else {"message": error}
    id = fields.get("id")
    return Failure(
        str(fields.get("code") or fields.get("type") or "internal"),
        str(fields.get("message") or "the stream failed"),
        None if id is None else str(id),
        fields.get("retry") is True,
    )


# Collect


def collect(chunks: Iterable[Chunk | Failure]) -> Chunk:
    """Return the ``chat.completion`` that *chunks* are the pieces of, as if it had not been streamed.

    Texts are joined for each choice, tool calls and their arguments by their index; usage is the last that came; what
    the chunks say of themselves, as id and model, is the first. Raises: ValueError for no chunk, and for a Failure.
    """
    whole: Chunk = {}
    choices: list[Chunk] = []
    for chunk in chunks:
        if isinstance(chunk, Failure):
            raise ValueError(
                "chat_chunks.collect takes a whole completion, and this one failed"
                f" ({chunk.code}: {chunk.message}): ask again"
            )
        for key, value in chunk.items():
            if key == "choices":
                choices += _dicts(value)
            elif value and (key == "usage" or key not in whole):
                whole[key] = value
    if not whole:
        raise ValueError("chat_chunks.collect takes the chunks of one completion, and there is none: ask again")
    whole["object"] = "chat.completion"
    whole["choices"] = [_choice(merged) for merged in _by_index(choices)]
    return whole


def _choice(merged: Chunk) -> Chunk:
    delta = merged.pop("delta", None)
    message = {"role": "assistant", "content": None, **(delta if isinstance(delta, dict) else {})}
    for call in _dicts(message.get("tool_calls")):
        call.pop("index", None)
    return {**merged, "message": message}


def _by_index(pieces: Iterable[Chunk]) -> list[Chunk]:
    groups: dict[int, list[Chunk]] = {}
    for piece in pieces:
        index = piece.get("index")
        groups.setdefault(index if isinstance(index, int) else 0, []).append(piece)
    return [_merge(groups[index]) for index in sorted(groups)]


def _merge(pieces: Iterable[Chunk]) -> Chunk:
    values: dict[str, list[object]] = {}
    for piece in pieces:
        for key, value in piece.items():
            values.setdefault(key, []).extend([] if value is None else [value])
    return {key: _join(key, several) for key, several in values.items()}


def _join(key: str, values: list[object]) -> object:
    """Join what came of one *key*: all at once, as text joined piece by piece costs the square of its length."""
    texts = [value for value in values if isinstance(value, str)]
    dicts = _dicts(values)
    lists = [value for value in values if isinstance(value, list)]
    if not values:
        return None
    if len(texts) == len(values) and key not in _ONCE:
        return "".join(texts)
    if len(dicts) == len(values):
        return _merge(dicts)
    if len(lists) == len(values):
        items = [item for some in lists for item in some]
        return _by_index(items) if key == "tool_calls" and len(_dicts(items)) == len(items) else items
    return values[-1]


def _dicts(values: object) -> list[Chunk]:
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []
