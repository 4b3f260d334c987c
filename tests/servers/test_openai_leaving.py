"""The vendors' endpoints when clients leave, stop reading, wait, and come back."""

import asyncio
import json

import httpx
import pytest
from serving import PATIENCE
from v1_clients import ANSWER, Endpoint, clients, run, said

from rawasgi.formats import sse


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_leaves_stops_the_model(each: Endpoint, stream: bool) -> None:
    async def main() -> None:
        before = await each.counts()
        async with clients(each) as client:
            asking = asyncio.ensure_future(client.chat.completions.create(**said("wait", stream=stream)))
            await each.seen("opened", before["opened"] + 1)
            if stream:
                async for chunk in await asking:
                    if chunk.choices[0].delta.content:
                        break
            else:
                asking.cancel()
        await each.seen("released", before["released"] + 1)

    run(main())


def test_the_twin_makes_for_nobody_what_is_not_streamed(alone: Endpoint) -> None:
    """As its lesson says: a handler of FastAPI is not told that its client left."""

    async def main() -> None:
        before = await alone.counts()
        body = json.dumps(said("think")).encode()
        path, extra = "/v1/chat/completions", "content-type: application/json\r\n"
        for prefix in ("", "/fastapi"):
            client = await alone.asked.open(prefix + path, "POST", extra, body)
            await alone.seen("opened", before["opened"] + (2 if prefix else 1))
            client.leave()
            if not prefix:
                await alone.seen("released", before["released"] + 1)
                assert (await alone.counts())["said"] == before["said"]
        (await alone.asked.open("/go", "POST", "content-length: 0\r\n")).leave()
        await alone.seen("released", before["released"] + 2)
        assert (await alone.counts())["said"] > before["said"] + 5

    run(main())


def test_a_client_hears_beats_while_the_model_thinks(each: Endpoint) -> None:
    async def main() -> None:
        body = json.dumps(said("think", stream=True)).encode()
        client = await each.asked.open("/v1/chat/completions", "POST", "content-type: application/json\r\n", body)
        await client.until(b"\n\n")
        assert b"data:" not in await client.until(b"\n\n")
        (await each.answering.open("/go", "POST", "content-length: 0\r\n")).leave()
        await client.until(b"[DONE]")
        client.leave()

    asyncio.run(main())


def test_nothing_is_taken_that_nobody_reads(each: Endpoint) -> None:
    async def main() -> None:
        body = json.dumps(said("hot", stream=True)).encode()
        client = await each.asked.open("/v1/chat/completions", "POST", "content-type: application/json\r\n", body)
        await client.until(b"xxx")
        async with asyncio.timeout(PATIENCE):
            last = -1
            while last != (last := (await each.counts())["said"]):
                await asyncio.sleep(0.2)
        assert last < 60_000, "60 MB"
        client.reset()
        await each.seen("released", (await each.counts())["opened"])

    asyncio.run(main())


# Coming back


def test_a_stream_is_gone_on_with_where_its_client_left(endpoint: Endpoint) -> None:
    async def main() -> None:
        headers = {"x-resumable": "true", "authorization": "Bearer mine"}
        async with httpx.AsyncClient(base_url=endpoint.url, timeout=PATIENCE) as client:
            before = await endpoint.counts()
            decoder, events = sse.Decoder(), list[sse.Event]()
            async with client.stream("POST", "/v1/chat/completions", json=said(stream=True), headers=headers) as answer:
                run = answer.headers["x-run-id"]
                async for piece in answer.aiter_raw():
                    events += decoder.feed(piece)
                    if len(events) >= 2:
                        break
            await endpoint.seen("released", before["released"] + 1)
            path = f"/v1/runs/{run}"
            rest = await client.get(path, headers={**headers, "last-event-id": events[-1].id or ""})
            events += sse.Decoder().feed(rest.content)
            chunks = [json.loads(event.data or "") for event in events if event.data != "[DONE]"]
            assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == ANSWER
            assert (events[-1].data, len({event.id for event in events})) == ("[DONE]", len(events))
            assert (await client.get(path, headers={"authorization": "Bearer theirs"})).status_code == 404

    run(main())


def test_a_run_can_be_stopped(endpoint: Endpoint) -> None:
    async def main() -> None:
        async with httpx.AsyncClient(base_url=endpoint.url, timeout=PATIENCE) as client:
            before = await endpoint.counts()
            body, headers = said("wait", stream=True), {"x-resumable": "true"}
            async with client.stream("POST", "/v1/chat/completions", json=body, headers=headers) as answer:
                run = answer.headers["x-run-id"]
            assert (await endpoint.counts())["released"] == before["released"]
            assert (await client.delete(f"/v1/runs/{run}")).status_code == 204
            await endpoint.seen("released", before["released"] + 1)

    run(main())
