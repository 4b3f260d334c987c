"""The page of the demo, opened in a real browser: what a reader does with it, and what he sees."""

import re
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from serving import PATIENCE, Server

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Lane = dict[str, Any]
SEEN = """() => lab.lanes.map(lane => ({
  side: lane.side, text: lane.text, chunks: lane.chunks, received: lane.received, how: lane.how, end: lane.server,
  sent: lane.sent.total?.messages, wire: lane.sent.total?.bytes, status: lane.status.textContent,
  headers: Object.fromEntries([...lane.headers.querySelectorAll("dt")].map(dt =>
    [dt.textContent, dt.nextSibling.textContent])),
  source: lane.figures.source.textContent, rows: lane.output.childElementCount,
}))"""
# What Chromium says of an answer that is an error: the page asked for it.
MEANT = re.compile(r"Failed to load resource: the server responded with a status of (405|416)")


def demo_on(name: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAWASGI_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("RAWASGI_SAMPLE_BYTES", "4000000")
        patch.setenv("CHAT_BACKEND", "embedded")
        patch.delenv("RAWASGI_LOG_FILE", raising=False)
        server = Server(name, "examples.demo:app", tmp_path_factory.mktemp("lab") / "log")
    try:
        yield server
    finally:
        server.stop()


class Lab:
    """The page, and what a reader does with it; what went wrong in it, *wrong* has."""

    def __init__(self, browser: "Browser", server: Server, width: int = 1280) -> None:
        self.context = browser.new_context(viewport={"width": width, "height": 800}, reduced_motion="reduce")
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE * 1000)
        self.origin = f"http://127.0.0.1:{server.port}/"
        self.wrong: list[str] = []
        self.page.on("console", lambda said: self._hear(said.type, said.text))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("request", lambda asked: self._ask(asked.url))
        self.page.goto(self.origin)
        self.page.wait_for_selector("body.ready")

    def _hear(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not MEANT.match(text):
            self.wrong.append(text)

    def _ask(self, url: str) -> None:
        if not url.startswith((self.origin, self.origin.replace("http", "ws", 1))):
            self.wrong.append(f"asked for {url}")

    def choose(self, number: int) -> None:
        self.page.evaluate("number => { location.hash = `row-${number}` }", number)
        self.page.locator(f'#list a[href="#row-{number}"][aria-current]').wait_for(state="attached")

    def begin(self, number: int) -> None:
        """As start, in one step: clicks wait for the page to stand still."""
        self.page.evaluate("number => { lab.go(lab.rows.find(row => row.number === number)); lab.run() }", number)

    def start(self, number: int) -> None:
        self.choose(number)
        self.page.locator("#run").click()

    def seen(self) -> dict[str, Lane]:
        return {lane["side"]: lane for lane in self.page.evaluate(SEEN)}

    def until(self, happened: Callable[[dict[str, Lane]], bool]) -> dict[str, Lane]:
        """Wait until *happened*, of what is seen."""
        limit = time.monotonic() + PATIENCE
        while not happened(lanes := self.seen()):
            assert time.monotonic() < limit, lanes
            self.page.wait_for_timeout(20)
        return lanes

    def ended(self) -> dict[str, Lane]:
        return self.until(lambda lanes: all(lane["how"] and lane["end"] for lane in lanes.values()))

    @property
    def has_ended(self) -> bool:
        return bool(self.page.evaluate("() => lab.lanes.every(lane => lane.how && lane.server)"))

    def run(self, number: int) -> dict[str, Lane]:
        self.start(number)
        return self.ended()

    def left(self, number: int, chunks: int = 2) -> dict[str, Lane]:
        """Leave after so many chunks; again, if the machine was so busy that it was over before."""
        for _ in range(5):
            self.start(number)
            self.until(lambda lanes: all(lane["chunks"] >= chunks for lane in lanes.values()))
            if self.page.evaluate("() => { const running = lab.running; lab.leave(); return running }"):
                lanes = self.ended()
                if all(lane["end"] == "client left" for lane in lanes.values()):
                    break
        return self.until(lambda lanes: all(lane["source"] != "…" for lane in lanes.values()))
