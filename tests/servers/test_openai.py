"""OpenAI's own client reads chat completions and responses, from a model here and through a gateway."""

from typing import Any

import pytest
from v1_clients import ANSWER, KEY, Endpoint, clients, collected, run, said


def test_a_completion_comes_in_pieces_and_whole(any_app: Endpoint) -> None:
    async def main() -> None:
        async with clients(any_app) as client:
            assert [model.id async for model in client.models.list()] == ["embedded"]
            asked = said(stream=True, stream_options={"include_usage": True})
            chunks = [chunk async for chunk in await client.chat.completions.create(**asked)]
            assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1]) == ANSWER
            assert (chunks[0].choices[0].delta.role, chunks[-2].choices[0].finish_reason) == ("assistant", "stop")
            assert (chunks[-1].choices, chunks[-1].usage.completion_tokens) == ([], 5)
            whole = await client.chat.completions.create(**said())
            assert (whole.choices[0].message.content, whole.usage.total_tokens) == (ANSWER, 6)

    run(main())


ENDS: list[tuple[dict[str, Any], str, str]] = [
    ({"max_tokens": 2}, "这是对 '你好' ", "length"),
    ({"max_completion_tokens": 5}, ANSWER, "stop"),
    ({"stop": "I/O 操作"}, ANSWER.partition("I/O")[0], "stop"),
    ({"stop": ["nothing", "' 的"]}, "这是对 '你好", "stop"),
]


def test_an_answer_ends_where_it_was_asked_to(any_app: Endpoint) -> None:
    async def main() -> None:
        async with clients(any_app) as client:
            for options, ended, reason in ENDS:
                chunks = [chunk async for chunk in await client.chat.completions.create(**said(stream=True, **options))]
                assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == ended
                assert chunks[-1].choices[0].finish_reason == reason
                whole = (await client.chat.completions.create(**said(**options))).choices[0]
                assert (whole.message.content, whole.finish_reason) == (ended, reason)

    run(main())


def test_a_failure_before_the_stream_is_a_status(any_app: Endpoint) -> None:
    import openai

    async def main() -> None:
        async with clients(any_app) as client:
            for stream in (True, False):
                with pytest.raises(openai.BadRequestError) as bad:
                    await client.chat.completions.create(**said(stream=stream, n=2))
                assert bad.value.type == "invalid_request_error"
                with pytest.raises(openai.BadRequestError) as long:
                    await client.chat.completions.create(**said("long", stream=stream))
                assert long.value.code == "context_length_exceeded"
                with pytest.raises(openai.InternalServerError) as busy:
                    await client.chat.completions.create(**said("busy", stream=stream))
                assert (busy.value.status_code, busy.value.code) == (503, "busy")
                assert busy.value.response.headers["retry-after"] == "7"

    run(main())


def test_a_failure_in_the_stream_is_raised(any_app: Endpoint) -> None:
    import anthropic
    import openai

    async def main() -> None:
        async with clients(any_app) as client:
            chunks = await client.chat.completions.create(**said("fail", stream=True))
            heard: list[object] = []
            with pytest.raises(openai.APIError) as failed:
                await collected(chunks, heard)
            assert heard == ["", "a "]
            assert "secret" not in str(failed.value.body)
            with pytest.raises(openai.APIError):
                async for _ in await client.responses.create(model="m", input="fail", stream=True):
                    pass
        async with anthropic.AsyncAnthropic(base_url=any_app.url, api_key=KEY, max_retries=0) as claude:
            with pytest.raises(anthropic.APIStatusError):
                async for _ in await claude.messages.create(**said("fail", max_tokens=9, stream=True)):
                    pass

    run(main())


def test_a_response_comes_as_events_and_whole(any_app: Endpoint) -> None:
    async def main() -> None:
        async with clients(any_app) as client:
            events = [event async for event in await client.responses.create(model="m", input="你好", stream=True)]
            kinds = list(dict.fromkeys(event.type.removeprefix("response.") for event in events))
            assert kinds == [
                "created", "in_progress", "output_item.added", "content_part.added", "output_text.delta",
                "output_text.done", "content_part.done", "output_item.done", "completed",
            ]  # fmt: skip
            assert [event.sequence_number for event in events] == list(range(len(events)))
            assert events[-1].response.output_text == ANSWER
            async with client.responses.stream(model="m", input=said()["messages"]) as stream:
                assert "".join([e.delta async for e in stream if e.type == "response.output_text.delta"]) == ANSWER
                assert (await stream.get_final_response()).usage.output_tokens == 5
            short = await client.responses.create(model="m", input="你好", instructions="短", max_output_tokens=1)
            assert (short.status, short.output_text) == ("incomplete", "这是对 ")

    run(main())
