"""Who asks: a session for each request, closed after the response."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import Cookie, Depends


@dataclass
class Session:
    user: str
    is_open: bool = True


async def get_session(user: Annotated[str, Cookie()] = "anonymous") -> AsyncIterator[Session]:
    session = Session(user)
    try:
        yield session
    finally:
        await asyncio.sleep(0)  # as giving a connection back does
        session.is_open = False


CurrentSession = Annotated[Session, Depends(get_session)]
