"""A chat: rooms with a history that can be followed, and a bot whose answers are streamed, then kept."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Depends, Header, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel

from assistant.session import CurrentSession, Session

router = APIRouter(prefix="/rooms")


class Post(BaseModel):
    text: str
    user: str = ""


@dataclass
class Room:
    posts: list[Post] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def add(self, post: Post) -> None:
        async with self.changed:
            self.posts.append(post)
            self.changed.notify_all()


rooms: dict[str, Room] = defaultdict(Room)


def remember_room(name: str, response: Response) -> None:
    response.set_cookie("room", name)


@router.get("/{name}/events", response_class=EventSourceResponse, dependencies=[Depends(remember_room)])
async def follow(
    name: str,
    session: CurrentSession,
    last_event_id: Annotated[int, Header()] = 0,
    limit: int | None = None,
) -> AsyncIterator[ServerSentEvent]:
    room = rooms[name]
    number = last_event_id
    yield ServerSentEvent(comment=f"welcome, {session.user}", retry=2000)
    while limit is None or number < limit:
        async with room.changed:
            while len(room.posts) <= number:
                await room.changed.wait()
        number += 1
        yield ServerSentEvent(data=room.posts[number - 1], event="post", id=str(number))


async def answer(post: Post, session: Session, spoken: list[str]) -> AsyncIterator[ServerSentEvent]:
    for number, word in enumerate(post.text.split(), 1):
        await asyncio.sleep(0.01)
        spoken.append(word.upper())
        yield ServerSentEvent(data={"word": word.upper()}, event="word", id=str(number))
    yield ServerSentEvent(data={"user": session.user}, event="done")


async def keep(name: str, post: Post, spoken: list[str]) -> None:
    """Keep what was asked, and as much of the answer as was given."""
    await rooms[name].add(post)
    await rooms[name].add(Post(text=" ".join(spoken), user="bot"))


@router.post("/{name}/posts", response_class=EventSourceResponse)
async def ask(name: str, post: Post, session: CurrentSession, tasks: BackgroundTasks) -> AsyncIterator[ServerSentEvent]:
    spoken: list[str] = []
    tasks.add_task(keep, name, Post(text=post.text, user=session.user), spoken)
    async for event in answer(post, session, spoken):
        yield event
