"""The table of servers: each is asked what it offers, and README.md says what was found."""

import ast
import asyncio
from pathlib import Path

from known import CANNOT, SERVERS, on_all
from over_h2 import H2
from serving import HERE, Server
from table import LACKS, MARK, SUBJECTS, table

UPGRADE = (
    "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
    "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


async def offered(server: Server) -> set[str]:
    """What *server* offers of what only some do."""
    said = await server.get("/offers")
    found = {word for word in ("state", "pathsend", "hints", "trailers") if f'"{word}"'.encode() in said}
    client = await server.open("/nowhere", extra=UPGRADE)
    if b" 404 " in await client.until(b"\r\n"):
        found.add("denial")
    client.leave()
    return found | ({"HTTP/2"} if server.gateway is None and await speaks_2(server) else set())


async def speaks_2(server: Server) -> bool:
    try:
        async with H2(server.port, "/offers", te=False) as client:
            await client.ended()
    except AssertionError:  # it was closed
        return False
    return True


@on_all()
def test_a_server_offers_what_the_table_says(server: Server) -> None:
    asked = {"state", "denial", "pathsend", "hints", "trailers", *(["HTTP/2"] if server.gateway is None else [])}
    said = {subject for subject in asked if (server.name, subject) not in LACKS}
    assert asyncio.run(offered(server)) == said | ({"trailers"} if server.name == "hypercorn-h3" else set())


def test_the_table_has_what_the_tests_ask_for_and_tried() -> None:
    asked: list[set[str]] = []  # by each test
    for path in HERE.glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "on_all":
                asked.append({ast.literal_eval(argument) for argument in node.args})
    named = set[str]().union(*asked)
    assert named == {subject for _, subject in CANNOT} <= SUBJECTS.keys()
    tried = {(name, subject) for name in SERVERS for each in asked if is_run(name, each) for subject in each}
    assert {(name, subject) for name in SERVERS for subject in named} - tried == CANNOT.keys()


def is_run(name: str, subjects: set[str]) -> bool:
    return not any((name, subject) in CANNOT for subject in subjects)


def test_the_readme_has_the_table() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    assert f"{MARK}\n{table()}\n" in readme
