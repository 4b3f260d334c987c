"""An LLM proxy: what a provider streams is passed on, as it is or as text."""

import json
import os
import ssl
from collections.abc import AsyncIterator
from typing import Annotated, Literal

import httpx
from fastapi import APIRouter, Depends, HTTPException
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from assistant.session import CurrentSession

router = APIRouter(prefix="/v1")
CERTIFICATES = ssl.create_default_context()  # loaded once: it takes longer than a request


class Message(BaseModel):
    role: Literal["system", "user", "assistant"] = "user"
    content: str


class Prompt(BaseModel):
    model: str = "small"
    messages: Annotated[list[Message], Field(min_length=1)]


async def get_client() -> AsyncIterator[httpx.AsyncClient]:
    url = os.environ.get("LLM_URL", "http://localhost:11434/v1")
    async with httpx.AsyncClient(base_url=url, timeout=60, verify=CERTIFICATES) as client:
        yield client


async def get_answer(
    prompt: Prompt, client: Annotated[httpx.AsyncClient, Depends(get_client)]
) -> AsyncIterator[httpx.Response]:
    body = {**prompt.model_dump(), "stream": True}
    async with client.stream("POST", "/chat/completions", json=body) as answer:
        if answer.is_error:
            raise HTTPException(502, f"The provider responded with status {answer.status_code}.")
        yield answer


Answer = Annotated[httpx.Response, Depends(get_answer)]


@router.post("/chat/completions")
async def chat_completions(prompt: Prompt, answer: Answer, session: CurrentSession) -> StreamingResponse:
    async def events() -> AsyncIterator[bytes]:
        async for chunk in answer.aiter_raw():
            yield chunk

    headers = {"x-model": prompt.model, "x-user": session.user}
    return StreamingResponse(events(), media_type="text/event-stream", headers=headers)


@router.post("/text", response_class=StreamingResponse)
async def text(answer: Answer, session: CurrentSession) -> AsyncIterator[str]:
    async for line in answer.aiter_lines():
        if line.startswith("data: {"):
            yield json.loads(line.removeprefix("data: "))["choices"][0]["delta"].get("content", "")
