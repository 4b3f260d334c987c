"""Messages of an assistant as they come: the UI message stream of Vercel's AI SDK, version 1.

Each part is a JSON object, the data of a server-sent event; the end mark is ``data: [DONE]``. The SDK's own server
writes a failure as a part of type error, and [DONE] after it, as after any end (create-ui-message-stream.ts,
json-to-sse-transform-stream.ts); its client tells the application of the error and keeps the parts before it.
Spec: ai-sdk.dev, "Stream Protocols"; vercel/ai, ui-message-chunks.ts, for what a part must hold, and
process-ui-message-stream.ts, for the order, which the client throws upon: so the Encoder checks both.
"""

from reprlib import repr as short
from typing import NamedTuple, TypeAlias

from rawasgi.formats import done_events, json_text
from rawasgi.formats.endings import Done, Failure

UIPart: TypeAlias = dict[str, object]

HEADERS = {"cache-control": "no-cache", "x-accel-buffering": "no", "x-vercel-ai-ui-message-stream": "v1"}


class Rule(NamedTuple):
    """What a part must hold, and what it does to the thing *of* which it is, the first of *keys* being its name."""

    keys: tuple[str, ...] = ()
    does: str = ""  # first, opens, goes on, closes, ends
    of: str = ""


PARTS = {
    "start": Rule(does="first"),
    "start-step": Rule(does="opens", of="step"),
    "finish-step": Rule(does="closes", of="step"),
    "text-start": Rule(("id",), "opens", "text"),
    "text-delta": Rule(("id", "delta"), "goes on", "text"),
    "text-end": Rule(("id",), "closes", "text"),
    "reasoning-start": Rule(("id",), "opens", "reasoning"),
    "reasoning-delta": Rule(("id", "delta"), "goes on", "reasoning"),
    "reasoning-end": Rule(("id",), "closes", "reasoning"),
    "tool-input-start": Rule(("toolCallId", "toolName"), "opens", "tool-input"),
    "tool-input-delta": Rule(("toolCallId", "inputTextDelta"), "goes on", "tool-input"),
    "tool-input-available": Rule(("toolCallId", "toolName", "input")),
    "tool-input-error": Rule(("toolCallId", "toolName", "input", "errorText")),
    "tool-approval-request": Rule(("toolCallId", "approvalId")),
    "tool-output-available": Rule(("toolCallId", "output")),
    "tool-output-error": Rule(("toolCallId", "errorText")),
    "tool-output-denied": Rule(("toolCallId",)),
    "source-url": Rule(("sourceId", "url")),
    "source-document": Rule(("sourceId", "mediaType", "title")),
    "file": Rule(("url", "mediaType")),
    "message-metadata": Rule(("messageMetadata",)),
    "finish": Rule(does="ends"),
    "abort": Rule(does="ends"),
    "error": Rule(("errorText",), "ends"),
}
_DATA = Rule(("data",))  # data-…, of the application's own
_ANY = {"input", "output", "data", "messageMetadata"}  # what need not be a str
_DONE = b"data: [DONE]\n\n"


# Encode


def encode(item: object) -> bytes:
    """Write *item* as an event: a part; error (message and id in errorText) and [DONE] for a Failure; finish and [DONE]
    for a Done.

    A part is a dict, a dataclass or a pydantic model. An Encoder checks the order. Raises: ValueError for a type that
    PARTS does not have, for a part without what PARTS says, and for what JSON cannot say; TypeError for what is no
    object, and for a type without a rule.
    """
    if isinstance(item, Failure):
        return _written(_part("error", errorText=item.text)) + _DONE
    if isinstance(item, Done):
        return _written(_part("finish")) + _DONE
    part = _part_of(item)
    _rule(part)
    return _written(part)


class Encoder:
    """The writer of one message, which checks the order of its parts as the SDK's client does.

    A start is the first part if there is one. Texts, reasonings and steps are opened, go on and are closed under their
    ids; no text and no reasoning is open when its step or the message finishes, as the client forgets them there.
    Nothing follows finish, abort and error.
    """

    def __init__(self) -> None:
        self._open: dict[tuple[str, object], None] = {}  # in their order
        self._begun = False
        self._last = ""  # after what there may be no more
        self._done = False  # [DONE] is written

    def encode(self, item: object) -> bytes:
        """Write *item*: a part, or all to the end for a Failure or a Done.

        Raises: as the function, and ValueError for a wrong order. Nothing is written then.
        """
        if self._last and not (isinstance(item, Done) and self._last in PARTS):  # who sent finish itself is done, too
            raise ValueError(f"Encoder.encode: nothing may follow {self._last}, not {short(item)}: write it before")
        if isinstance(item, Failure):
            self._last, self._done = "a Failure", True
            return encode(item)
        if isinstance(item, Done):
            text, self._last = self.end(), "a Done"
            return text
        part = _part_of(item)
        rule = _rule(part)
        kind = str(part["type"])
        text = _written(part)
        self._follow(kind, rule, part)
        self._begun = True
        return text

    def end(self) -> bytes:
        """Write what is missing: the ends of what is open, finish, [DONE]; nothing after a Failure or a Done."""
        missing = b""
        if not self._last:
            texts = [_part(f"{of}-end", id=id) for of, id in self._open if of in ("text", "reasoning")]
            steps = [_part("finish-step")] if ("step", None) in self._open else []
            missing = b"".join(map(_written, [*texts, *steps, _part("finish")]))
        self._last = self._last or "end()"
        if not self._done:
            self._done, missing = True, missing + _DONE
        return missing

    def _follow(self, kind: str, rule: Rule, part: UIPart) -> None:
        name = part[rule.keys[0]] if rule.keys else None
        this = rule.of, name
        said = f"Encoder.encode: {_called(kind, name)}"
        if rule.does == "first" and self._begun:
            raise ValueError(f"{said} must be the first part, and others came before it: send it first, or not at all")
        if rule.does == "opens" and this in self._open:
            raise ValueError(f"{said} opens what is open: close that before, or take another id")
        if rule.does in ("goes on", "closes") and this not in self._open:
            raise ValueError(f"{said} must have its {rule.of} open, and it is not: send its start before")
        if kind in ("finish", "finish-step"):
            for of, id in self._open:
                if of in ("text", "reasoning") or (of, kind) == ("step", "finish"):
                    raise ValueError(f"{said} must find nothing open, not {_called(of, id)}: close that before")
        if rule.does == "opens":
            self._open[this] = None
        elif rule.does == "closes":
            del self._open[this]
        elif rule.does == "ends":
            self._last = kind


def _called(what: str, name: object) -> str:
    return what if name is None else f"{what} {short(name)}"


def _part(kind: str, **fields: object) -> UIPart:
    return {"type": kind, **fields}


def _part_of(item: object) -> UIPart:
    return done_events.object_of(item, "ui_messages.encode", "make it a dict with a type")


def _rule(part: UIPart) -> Rule:
    kind = part.get("type")
    rule = _DATA if isinstance(kind, str) and kind.startswith("data-") else PARTS.get(str(kind))
    if rule is None:
        raise ValueError(f"ui_messages.encode: a part's type must be in PARTS, or begin with data-, not {short(kind)}")
    for key in rule.keys:
        if key not in part or not (key in _ANY or isinstance(part[key], str)):
            what = "anything" if key in _ANY else "a str"
            raise ValueError(f"ui_messages.encode: {kind} must have {key}, {what}, not {short(part.get(key))}: add it")
    return rule


_written = json_text.writer("ui_messages.encode", "data: ", "\n\n")


# Decode


class Decoder(done_events.Decoder):
    """An incremental parser of a stream of parts.

    An error becomes a Failure, with its text as message; parts may follow it. The order, and what a part holds but its
    type, are not looked at: newer servers may know more.
    """

    what: str = "a part"
    rule: str = "a JSON object with a type"
    _stops_at_error = False

    def _take(self, value: UIPart, event: str | None) -> UIPart | Failure | None:
        if value.get("type") == "error":
            return Failure(message=str(value.get("errorText") or "the stream failed"))
        return value if isinstance(value.get("type"), str) else None
