"""What does an item cost that is no plain JSON? 20,000 models, dataclasses, dicts with a datetime, to one reader."""

from benchmarks import clients, measuring, peers
from benchmarks.peers import NAKED, RAW
from benchmarks.question import Figure, Question, Sample, Target, Turn

ITEMS, QUICK = 20_000, 5_000
KINDS, FORMATS = ("model", "dataclass", "dict"), ("events", "lines")


def measure(turn: Turn) -> Sample:
    """Read one response for each kind of item in each format."""
    count = QUICK if turn.quick else ITEMS
    return tuple(
        clients.drain(turn.served.port, f"/{form}/{kind}/{count}") / count * 1e6 for form in FORMATS for kind in KINDS
    )


QUESTION = Question(
    name="items",
    text="What does an item cost that is a pydantic model, a dataclass, or a dict with a datetime and a UUID?",
    figures=tuple(Figure(f"us a {kind}, {form}") for form in FORMATS for kind in KINDS),
    path="/events/dataclass/100",
    measure=measure,
    view=measuring.events,
    app="items",
    peers=(NAKED, RAW, "fastapi-yield"),
    targets={"uvicorn": (Target("fastapi-yield", faster=8), Target("fastapi-yield", faster=2.5, figure=3))},
    missing=lambda: None if peers.version("pydantic") else "pydantic is not installed",
    note="naked calls json.dumps(item, default=...), of a dataclass asdict(), and a model's model_dump_json().",
)
