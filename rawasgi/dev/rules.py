"""The registry of what validate() holds an app and its server to.

A check is a function of the call as it stands and of a message or the scope ({} where there is none); its name is the
rule's id, its docstring the rule's text, and it gives back what is wrong (subject, rule, value, way out) or None. The
rules of one moment are checked in the order in which they stand. The app's are in app_rules.py, the server's in
server_rules.py.
"""

import inspect
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, cast

from rawasgi.errors import AppError, ProtocolError
from rawasgi.states import TABLES, Order

Message = Mapping[str, object]
Moment = Literal["scope", "receive", "received", "send", "sent", "returned"]


@dataclass(slots=True)
class Call:
    """One call of an app, as far as it went."""

    scope: Message
    ignore: Collection[str] = ()  # ids of rules
    sending: int = 0  # send() that have begun and not returned
    promises: list[Coroutine[object, object, None]] = field(default_factory=list)  # send() that were called
    receiving: int = 0
    lost: bool = False  # send() raised OSError or was given up: nobody reads
    returned: bool = False
    result: object = None
    violation: ProtocolError | None = None
    status: int = 0
    length_bytes: int | None = None  # what the body must have, if that is known
    body_bytes: int = 0
    order: Order = field(init=False)

    def __post_init__(self) -> None:
        self.order = Order(TABLES[self.kind if self.known else "http"])

    @property
    def kind(self) -> str:
        return str(self.scope.get("type"))

    @property
    def known(self) -> bool:
        return self.kind in TABLES

    def forgotten(self) -> list[Coroutine[object, object, None]]:
        """What send() gave and nobody awaited."""
        self.promises = [each for each in self.promises if inspect.getcoroutinestate(each) == inspect.CORO_CREATED]
        return self.promises

    def check(self, moment: Moment, message: Message) -> None:
        """Raise the first violation, and remember it."""
        kind = message.get("type") if isinstance(message, dict) else None
        for rule in RULES:
            if moment in rule.moments and (not rule.types or kind in rule.types) and rule.id not in self.ignore:
                problem = rule.check(self, message)
                if problem is not None:
                    self.violation = rule.fault(f"{problem} ({rule.id}; {rule.spec})")
                    raise self.violation


Check = Callable[[Call, Message], str | None]


@dataclass(frozen=True, slots=True)
class Rule:
    """*id* names it, *text* says it, *spec* where it is written, *fault* who breaks it. No *types*: every message's."""

    id: str
    text: str
    spec: str
    fault: type[ProtocolError]
    moments: tuple[Moment, ...]
    types: tuple[str, ...]
    check: Check = field(repr=False)


RULES: list[Rule] = []


def rule(
    spec: str, *moments: Moment, types: tuple[str, ...] = (), fault: type[ProtocolError] = AppError
) -> Callable[[Check], Check]:
    """Register a check."""

    def register(check: Check) -> Check:
        text = " ".join((check.__doc__ or "").split())
        RULES.append(Rule(check.__name__.replace("_", "-"), text, spec, fault, moments, types, check))
        return check

    return register


def headers(message: Message) -> Iterable[tuple[bytes, bytes]]:
    """The headers of a message whose shape is right."""
    return cast(Iterable[tuple[bytes, bytes]], message.get("headers", ()))
