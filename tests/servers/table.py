"""What works on which server, as README.md has it: ``python tests/servers/table.py`` prints the table.

Nothing in it is only said: serving.CANNOT and LACKS are what the tests of real servers hold each server to.
"""

from known import CANNOT, GATEWAYS, OTHERWISE, SERVERS

MARK = "<!-- servers -->"
TITLES = {"hypercorn-h2": "hypercorn, HTTP/2", "hypercorn-h3": "hypercorn, HTTP/3"}
SUBJECTS = {
    "chunks": "each chunk arrives when it is sent",
    "leaving": "a client that leaves ends its source",
    "backpressure": "a client that stops reading stops its source",
    "fairness": "a client that takes all it can holds up nobody",
    "truncation": "a stream that fails is cut off, and its client can tell",
    "early answer": "an answer may come before all of its request's body",
    "order": "who asks for more before the answer is there, gets the answers one after the other",
    "pipelining": "who asks for more before the answer is there, and leaves, ends its source",
    "HTTP/1.0": "a client of HTTP/1.0 gets a stream without chunks",
    "state": "what a lifespan gives is in each request's state",
    "denial": "a WebSocket is refused with an answer of its own",
    "pathsend": "a file is sent by its path alone",
    "hints": "hints and pushes",
    "trailers": "trailers",
    "HTTP/2": "HTTP/2",
    "HTTP/3": "HTTP/3",
}
HTTP_1 = [name for name in SERVERS if name not in GATEWAYS]
OTHER = ("HTTP/2", "HTTP/3")  # asked of HTTP_1 alone: the rest are of one kind
# What a server does not offer; test_table.py asks each.
LACKS = CANNOT | {
    ("daphne", "state"): "it has no lifespan",
    ("daphne", "denial"): "it answers 403",
    **{(name, "pathsend"): "rawasgi reads the file and sends it" for name in SERVERS if name != "granian"},
    **{(name, "hints"): "rawasgi sends links" for name in HTTP_1},
    **{(name, "trailers"): "rawasgi leaves them out" for name in HTTP_1},
    ("hypercorn-h3", "trailers"): "its own end of the stream is refused after them: rawasgi leaves them out",
    **{(name, "HTTP/2"): "it does not speak it" for name in HTTP_1 if name not in ("hypercorn", "granian")},
    **{(name, "HTTP/3"): "it does not speak it" for name in HTTP_1 if name != "hypercorn"},
}


def table() -> str:
    """The table in Markdown, and below it why something does not work."""
    notes: dict[str, int] = {}

    def cell(name: str, subject: str) -> str:
        reason = LACKS.get((name, subject))
        if reason == OTHERWISE or (name in GATEWAYS and subject in OTHER):
            return "-"
        return "yes" if reason is None else f"no ({notes.setdefault(reason, len(notes) + 1)})"

    lines = [f"| | {' | '.join(TITLES.get(name, name) for name in SERVERS)} |", f"|---|{'---|' * len(SERVERS)}"]
    for subject, words in SUBJECTS.items():
        lines.append(f"| {words} | {' | '.join(cell(name, subject) for name in SERVERS)} |")
    return "\n".join([*lines, "", *(f"{number}. {reason}" for reason, number in notes.items())])


if __name__ == "__main__":
    print(table())
