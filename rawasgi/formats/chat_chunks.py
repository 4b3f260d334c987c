"""Chat completions as they come: OpenAI's ``chat.completion.chunk`` objects, each the data of a server-sent event.

The end mark is ``data: [DONE]``. OpenAI's own clients take a stream that only ends for a whole one, and read nothing
after an object with ``error``, which they raise. So a Failure is such an object, and no [DONE] follows it.
Spec: OpenAI API reference, "Chat completions", "Streaming"; openai-python, _streaming.py, for what clients do.
"""

from collections.abc import Iterable, Mapping, Sequence
from types import EllipsisType
from typing import TypeAlias

from rawasgi.formats import done_events, json_text
from rawasgi.formats.endings import Done, Failure

Chunk: TypeAlias = dict[str, object]

_ONCE = ("id", "type", "role", "index", "finish_reason")  # sent once, or each time anew: never in pieces


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


def encode(item: object) -> bytes:
    """Write *item* as an event: a chunk, ``{"error": {…}}`` for a Failure, [DONE] for a Done.

    A chunk is a dict, a dataclass or a pydantic model, as OpenAI's client reads it. Raises: ValueError for what JSON
    cannot say; TypeError for what is no object, and for a type without a rule.
    """
    if isinstance(item, Done):
        return b"data: [DONE]\n\n"
    if isinstance(item, Failure):
        item = {"error": _error(item)}
    return _encode(done_events.object_of(item, "chat_chunks.encode", "make it a chunk()"))


_encode = json_text.writer("chat_chunks.encode", "data: ", "\n\n")


def _error(failure: Failure) -> Chunk:
    error: Chunk = {"message": failure.message, "code": failure.code, "param": None}
    error["type"] = "server_error"
    if failure.id is not None:
        error["id"] = failure.id
    if failure.retry:
        error["retry"] = True
    return error


# Decode


class Decoder(done_events.Decoder):
    """An incremental parser of a stream of chunks; an error becomes a Failure, after which nothing is read."""

    what: str = "a chunk"
    rule: str = "a JSON object"
    _stops_at_error = True

    def _take(self, value: Chunk, event: str | None) -> Chunk | Failure:
        # Some servers send what stands in error as an event of that name.
        error = value.get("error") or (value if event == "error" else None)
        return _failure(error) if error else value


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
