"""LangChain and Anthropic's own client read the vendors' endpoints, from a model here and through a gateway."""

import httpx
import pytest
from serving import PATIENCE
from v1_clients import ANSWER, KEY, Endpoint, run, said

from rawasgi.formats import sse


def test_langchain_reads_it(any_app: Endpoint) -> None:
    from langchain_openai import ChatOpenAI

    async def main() -> None:
        model = ChatOpenAI(model="m", base_url=f"{any_app.url}/v1", api_key=lambda: KEY, stream_usage=True)
        chunks = [chunk async for chunk in model.astream("你好")]
        assert "".join(str(chunk.content) for chunk in chunks) == ANSWER
        assert sum(chunk.usage_metadata["output_tokens"] for chunk in chunks if chunk.usage_metadata) == 5
        assert (await model.ainvoke("你好")).content == ANSWER

    run(main())


def test_row_15_reads_it_by_langchain(any_app: Endpoint) -> None:
    """The app is its own client; a gateway's asks upstream."""

    async def main() -> None:
        async with httpx.AsyncClient(base_url=any_app.url, timeout=PATIENCE) as client:
            before = await any_app.counts()
            answer = await client.post("/chat-stream", params={"message": "你好"})
            assert "".join(event.data or "" for event in sse.Decoder().feed(answer.content)) == ANSWER
            assert (await any_app.counts())["opened"] == before["opened"] + 1

    run(main())


def test_anthropics_client_reads_its_messages(any_app: Endpoint) -> None:
    import anthropic

    async def main() -> None:
        async with anthropic.AsyncAnthropic(base_url=any_app.url, api_key=KEY, max_retries=0) as client:
            async with client.messages.stream(**said(max_tokens=99, system="短")) as stream:
                assert "".join([piece async for piece in stream.text_stream]) == ANSWER
                final = await stream.get_final_message()
            assert (final.stop_reason, final.usage.output_tokens) == ("end_turn", 5)
            whole = await client.messages.create(**said(max_tokens=1))
            assert (whole.content[0].text, whole.stop_reason) == ("这是对 ", "max_tokens")
            with pytest.raises(anthropic.BadRequestError):
                await client.messages.create(**said(max_tokens=0))
            with pytest.raises(anthropic.APIStatusError) as busy:
                await client.messages.create(**said("busy", max_tokens=9))
            assert busy.value.status_code == 503

    run(main())


def test_anthropics_client_is_told_which_text_ended_a_message(any_app: Endpoint) -> None:
    import anthropic

    async def main() -> None:
        async with anthropic.AsyncAnthropic(base_url=any_app.url, api_key=KEY, max_retries=0) as client:
            asked = said(max_tokens=99, stop_sequences=["nothing", "I/O 操作"])
            async with client.messages.stream(**asked) as stream:
                text = "".join([piece async for piece in stream.text_stream])
                final = await stream.get_final_message()
            whole = await client.messages.create(**asked)
            assert text == whole.content[0].text == ANSWER.partition("I/O")[0]
            for message in (final, whole):
                assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", "I/O 操作")
            other = await client.messages.create(**said(max_tokens=99, stop_sequences=["nothing"]))
            assert (other.stop_reason, other.stop_sequence) == ("end_turn", None)

    run(main())
