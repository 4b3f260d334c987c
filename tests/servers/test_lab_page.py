"""The page of the demo in a real browser: every stream is run in it, and what differs between the apps can be found."""

import importlib
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from browsing import browsing
from labpage import Lab, Lane, demo_on
from serving import PATIENCE, Server
from settling import settled

from examples.catalogue import MORE, ROWS, Row

if TYPE_CHECKING:
    from playwright.sync_api import Browser

RUNS = [row for row in ROWS + MORE if not row.endless or "=" in row.example]
LONG = (21, 13, 11)  # they begin first
PAGES = 4  # that run streams at once, each in a profile of its own: a browser opens six connections to a server
# At a tenth of the documents' pace these take so long that not all of it can come at once.
PACED = {2, 3, 9, 11, 13, 14, 16, 18, 19, 21, 23, 27, 40}

# A mark stays until the next message, which may come before anybody has looked: this keeps each line that had one.
MARKED = """() => {
  window.marked = { rawasgi: new Set(), FastAPI: new Set(), naked: new Set() };
  const keep = line => marked[line.closest(".code").classList[1]].add(line.textContent + "\\n");
  new MutationObserver(changes => changes.forEach(change => change.target.matches(".code li") && keep(change.target)))
    .observe(document.querySelector("#source"), { subtree: true, attributeFilter: ["class"] });
}"""


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    yield from browsing()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from demo_on("uvicorn", tmp_path_factory)


@pytest.fixture
def lab(browser: "Browser", demo: Server) -> Iterator[Lab]:
    opened = Lab(browser, demo)
    yield opened
    opened.context.close()
    assert opened.wrong == []


# Every row


@pytest.fixture(scope="module")
def answers(browser: "Browser", demo: Server) -> Iterator[dict[int, dict[str, Lane]]]:
    """What each row came to in the page, several rows at once."""
    labs = [Lab(browser, demo) for _ in range(PAGES)]
    found: dict[int, dict[str, Lane]] = {}
    waiting = sorted(RUNS, key=lambda row: row.number in LONG)
    running: dict[Lab, Row] = {}
    limit = time.monotonic() + 4 * PATIENCE
    while len(found) < len(RUNS):
        assert time.monotonic() < limit, running
        for lab in labs:
            if lab in running and lab.has_ended:
                found[running.pop(lab).number] = lab.seen()
            if lab not in running and waiting:
                running[lab] = waiting.pop()
                lab.begin(running[lab].number)
        labs[0].page.wait_for_timeout(20)
    yield found
    for lab in labs:
        lab.context.close()
    assert [wrong for lab in labs for wrong in lab.wrong] == []


def reading(row: Row) -> Callable[[bytes], object]:
    """How the table of differences reads a body of *row*; it says what differs on purpose, and why."""
    replay = importlib.import_module("tests.examples.test_replay")
    of_row = (each for each in replay.DIFFERENCES if each.app == "twin" and str(row.number) in each.cases)
    return next((each.reading for each in of_row if "body" in each.what.split()), None) or bytes


def freely(row: Row, text: str) -> bytes:
    """Without what depends on who else is there: the log has one writer, two sources each their pace."""
    text = re.sub(r"#\d+", "#", text) if row.number == 17 else text
    lines = text.splitlines(keepends=True)
    return settled("".join(sorted(lines) if row.number == 36 else lines).encode())


@pytest.mark.parametrize("row", RUNS, ids=lambda row: f"{row.number} {row.path}")
def test_a_row_ends_in_each_lane_and_the_bodies_agree(row: Row, answers: dict[int, dict[str, Lane]]) -> None:
    lanes = answers[row.number]
    assert list(lanes) == ["rawasgi", "FastAPI", *["naked"] * row.naked]
    ends = {(lane["how"], lane["end"]) for lane in lanes.values()}
    assert ends == {("closed with 1000", "complete") if row.method == "WS" else ("complete", "complete")}
    ours, theirs = lanes["rawasgi"], lanes["FastAPI"]
    read = reading(row)
    assert read(freely(row, ours["text"])) == read(freely(row, theirs["text"]))
    if row.kind == "file":
        assert (ours["text"], ours["received"]) == ("", theirs["received"])
    assert all(lane["rows"] <= 200 for lane in lanes.values())


@pytest.mark.parametrize("row", [row for row in RUNS if row.number in PACED], ids=lambda row: row.path)
def test_a_row_comes_piece_by_piece(row: Row, answers: dict[int, dict[str, Lane]], lab: Lab) -> None:
    """Once is enough: a browser that was held up reads all that came meanwhile at once."""
    pieces = {side: lane["chunks"] for side, lane in answers[row.number].items()}
    for _ in range(5):
        if min(pieces.values()) >= 2:
            break
        pieces = {side: max(lane["chunks"], pieces[side]) for side, lane in lab.run(row.number).items()}
    assert min(pieces.values()) >= 2


# What differs, and can be found


def test_row_2_has_no_head_with_fastapi(lab: Lab) -> None:
    lab.choose(2)
    lab.page.keyboard.press("h")
    lanes = lab.until(lambda lanes: all(lane["end"] for lane in lanes.values()))
    assert {side: lane["status"] for side, lane in lanes.items()} == {
        "rawasgi": "200",
        "FastAPI": "405",
        "naked": "405",
    }
    assert lanes["rawasgi"]["source"] == "closed"


def test_row_9_ends_well_after_its_error_in_both(lab: Lab) -> None:
    lanes = lab.run(9)
    assert all("GENERATION_ERROR" in lane["text"] and lane["end"] == "complete" for lane in lanes.values())
    lab.page.locator("#agreement[data-found=meaning]").wait_for()


def test_row_13_needs_a_heartbeat_by_hand_with_fastapi(lab: Lab) -> None:
    lab.choose(13)
    lab.page.locator("#tab-source").click()
    assert "streams.heartbeat(" in lab.page.locator(".code.rawasgi").inner_text()
    assert "async def heartbeat(" in lab.page.locator(".code.FastAPI").inner_text()
    counts = [int(lab.page.locator(f".code.{side} h4").inner_text().split()[1]) for side in ("rawasgi", "FastAPI")]
    assert counts[1] > 3 * counts[0]


def test_row_14_is_one_stream_in_a_coding_and_a_middleware_leaves_events_alone(lab: Lab) -> None:
    lab.choose(14)
    lab.page.locator("#gzip").click()
    lanes = lab.run(14)
    for lane in lanes.values():
        assert lane["headers"]["content-encoding"] == "gzip"
        assert lane["wire"] < 1000 < lane["received"]
        assert lane["chunks"] >= 2
    codings = {side: lane["headers"].get("content-encoding") for side, lane in lab.run(3).items()}
    assert codings == {"rawasgi": "gzip", "FastAPI": None, "naked": None}


def test_row_20_in_part_not_at_all_and_by_its_head(lab: Lab) -> None:
    whole = lab.run(20)
    assert len({lane["received"] for lane in whole.values()}) == 1
    assert whole["rawasgi"]["headers"]["etag"] != whole["FastAPI"]["headers"]["etag"]
    assert whole["rawasgi"]["sent"] < whole["FastAPI"]["sent"]
    statuses = {}
    for button in ("again", "range", "head"):
        lab.page.locator(f"#{button}").click()
        statuses[button] = {side: lane["status"] for side, lane in lab.ended().items()}
    assert statuses == {
        "again": {"rawasgi": "304", "FastAPI": "304", "naked": "200"},
        "range": {"rawasgi": "206", "FastAPI": "206", "naked": "200"},
        "head": {"rawasgi": "200", "FastAPI": "200", "naked": "405"},
    }


@pytest.mark.parametrize("number", [21, 27])
def test_leaving_closes_the_source_in_each_lane(lab: Lab, number: int) -> None:
    for lane in lab.left(number).values():
        assert (lane["how"], lane["end"]) == ("you left", "client left")
        assert re.fullmatch(r"closed .* after leaving", lane["source"])


def test_row_28_stays_open_with_fastapi(lab: Lab) -> None:
    lanes = lab.left(28, 1)
    assert re.fullmatch(r"closed .* after leaving", lanes["rawasgi"]["source"])
    assert re.match(r"still open|closed .* late", lanes["FastAPI"]["source"])
    assert lab.page.locator(".track.FastAPI rect.open").count() == 1
    assert lab.page.locator(".track.rawasgi rect.open").count() == 0


# What the buttons do


def test_who_comes_back_says_the_last_id_and_misses_nothing(lab: Lab) -> None:
    lab.left(19)
    lab.page.locator("#reconnect").click()
    lanes = lab.ended()
    for lane in lanes.values():
        ids = re.findall(r"^id: ?(?:[0-9a-f]{8}-[0-9a-f]{8}-)?(\d+)$", lane["text"], re.MULTILINE)
        assert ids[:10] == [str(number) for number in range(1, 11)]
        assert ids[10:] in ([], ["11"]), "the journal has its last word, too"
    assert lab.page.locator("text.note").first.text_content() == "you left"
    asked = lab.page.locator(".scroll.rawasgi tr.received").count()
    assert asked >= 2, "two requests on one time line"


def test_a_reader_that_stalls_takes_nothing_and_then_goes_on(lab: Lab) -> None:
    lab.start(21)
    lab.until(lambda lanes: all(lane["chunks"] for lane in lanes.values()))
    lab.page.keyboard.press("s")
    before = {side: lane["chunks"] for side, lane in lab.seen().items()}
    sent = before
    while any(sent[side] < before[side] + 10 for side in before):  # what is sent meanwhile, the browser buffers
        sent = lab.page.evaluate("() => Object.fromEntries(lab.lanes.map(lane => [lane.side, lane.sent.messages]))")
    assert all(lane["chunks"] <= before[side] + 1 for side, lane in lab.seen().items()), "the one it waited for"
    lab.page.keyboard.press("s")
    lab.until(lambda lanes: all(lane["chunks"] > before[side] + 1 for side, lane in lanes.items()))
    notes = [note.text_content() for note in lab.page.locator(".track.rawasgi text.note").all()]
    assert notes == ["you read no further", "you read on"]


def test_an_event_source_reads_events(lab: Lab) -> None:
    lab.choose(9)
    lab.page.locator("#eventsource").click()
    for lane in lab.run(9).values():
        assert lane["text"].startswith("data: 0\n\ndata: 1\n\n")
        assert "event: error\ndata: " in lane["text"]


def test_the_line_that_makes_the_message_is_marked(lab: Lab) -> None:
    lab.choose(23)
    lab.page.locator("#tab-source").click()
    sides = ("rawasgi", "FastAPI", "naked")
    for side in sides:
        lab.page.locator(f".code.{side} li").first.wait_for()
    lab.page.evaluate(MARKED)
    lab.page.locator("#run").click()
    lab.ended()
    marked = {side: "".join(lab.page.evaluate("side => [...marked[side]]", side)) for side in sides}
    assert all(re.search("yield|pause", lines) for lines in marked.values())
    assert "await send(" in marked["naked"]
    assert lab.page.locator(".code li").count() > sum(lines.count("\n") for lines in marked.values()) > 0, "only some"


def test_a_message_is_shown_as_it_was_sent(lab: Lab) -> None:
    lab.run(3)
    lab.page.locator(".scroll.rawasgi tr.sent").first.click()
    assert "{'type': 'http.response.start',\n 'status': 200," in lab.page.locator(".detail pre").inner_text()
    box = lab.page.locator(".track.FastAPI .mark.sent").nth(3).bounding_box()
    assert box is not None
    lab.page.mouse.move(box["x"] + 1, box["y"] + 3)
    assert "'more_body': True}" in lab.page.locator("#tip pre").inner_text()


# Without a mouse, and on a phone


def test_the_keys_are_enough(lab: Lab) -> None:
    keys = lab.page.keyboard
    keys.press("/")
    keys.type("disconnect finally")
    keys.press("Escape")
    keys.type("28")
    keys.press("Enter")
    lab.page.locator('#list a[href="#row-28"][aria-current]:focus').wait_for()
    keys.press("/")
    keys.press("Escape")
    keys.press("Enter")
    lab.page.locator("#list a:focus").wait_for()
    keys.press("ArrowDown")
    keys.press("k")
    keys.press("j")
    assert lab.page.locator("#number").inner_text() == "2"
    for _ in range(3):
        keys.press("ArrowUp")
    keys.press("j")
    keys.press("j")
    keys.press("Enter")
    assert lab.page.locator("#number").inner_text() == "3"
    lab.until(lambda lanes: all(lane["chunks"] for lane in lanes.values()))
    keys.press("l")
    assert {lane["how"] for lane in lab.ended().values()} <= {"you left", "complete"}
    keys.press("?")
    lab.page.locator("dialog[open]").wait_for()
    keys.press("Escape")
    keys.press("2")
    lab.page.locator("#source").wait_for()
    lab.page.locator("#source .code").first.wait_for()
    keys.press("1")
    lab.page.locator(".track svg").first.focus()
    keys.press("ArrowRight")
    lab.page.locator("#tip pre").wait_for()


def test_a_message_can_be_looked_at_without_a_mouse(lab: Lab) -> None:
    lab.run(5)
    lab.page.locator(".skip").focus()
    lab.page.keyboard.press("Enter")
    lab.page.locator("#chosen:focus").wait_for()
    assert lab.page.locator("#number").inner_text() == "5"
    lab.page.locator(".scroll.rawasgi").focus()
    for _ in range(3):
        lab.page.keyboard.press("ArrowDown")
    assert """'body': b'{"data":[0,1,2,3,4]}'""" in lab.page.locator(".detail pre").inner_text()
    assert lab.page.locator(".scroll.rawasgi tr[aria-current]").count() == 1


def test_a_phone_has_no_need_to_scroll_sideways(browser: "Browser", demo: Server) -> None:
    lab = Lab(browser, demo, width=390)
    for number in (3, 20, 34):
        lab.run(number)
        for tab in ("source", "checks", "messages"):
            lab.page.locator(f"#tab-{tab}").click()
            assert lab.page.evaluate("document.documentElement.scrollWidth") <= 390, (number, tab)
    lab.page.locator("#menu").click()
    lab.page.locator('#list a[href="#row-5"]').click()
    assert lab.page.locator("#number").inner_text() == "5"
    assert not lab.page.locator("#streams").is_visible()
    lab.context.close()
    assert lab.wrong == []


def test_a_row_has_an_address_of_its_own(lab: Lab) -> None:
    lab.page.goto(f"{lab.origin}#row-31")
    lab.page.locator('#list a[href="#row-31"][aria-current]').wait_for()
    lab.page.reload()
    lab.page.wait_for_selector("body.ready")
    assert lab.page.locator("#number").inner_text() == "31"


# The checker


def test_what_the_checker_finds_is_shown_as_it_comes(lab: Lab) -> None:
    known = subprocess.run([sys.executable, "-m", "rawasgi.dev.cli", "check", "--help"], capture_output=True)
    if known.returncode != 0:
        pytest.skip("there is no `rawasgi check` here")
    lab.choose(25)
    lab.page.locator("#tab-checks").click()
    lab.page.locator("#checks .ask button").click()
    lab.page.locator(".findings.rawasgi .state.good").wait_for(timeout=8 * PATIENCE * 1000)
    assert lab.page.locator(".findings.FastAPI .finding").count() > 0


# Another server


def test_on_hypercorn_too(browser: "Browser", tmp_path_factory: pytest.TempPathFactory) -> None:
    running = demo_on("hypercorn", tmp_path_factory)
    lab = Lab(browser, next(running))
    for number in (3, 25, 41):
        assert {lane["end"] for lane in lab.run(number).values()} == {"complete"}
    assert {lane["end"] for lane in lab.left(27).values()} == {"client left"}
    lab.context.close()
    assert lab.wrong == []
    for _ in running:
        pass
