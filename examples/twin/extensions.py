"""What a server may offer, with FastAPI: hints are a method of the request; of the rest only the fallback."""

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from examples.sources import text

router = APIRouter()


@router.get("/extensions/hints")
async def hints(request: Request) -> StreamingResponse:
    link = "</style.css>; rel=preload; as=style"
    await request.send_early_hints(link)  # nothing at all where the server has none
    return StreamingResponse(text.brief(), media_type="text/plain", headers={"Link": link})


@router.get("/extensions/push")
async def push() -> StreamingResponse:
    # A handler runs before the start, where request.send_push_promise() comes too early: a push goes after it.
    return StreamingResponse(
        text.brief(), media_type="text/plain", headers={"Link": "</infer/home>; rel=preload; as=fetch"}
    )


@router.get("/extensions/trailers")
async def trailers() -> StreamingResponse:
    return StreamingResponse(text.brief(), media_type="text/plain")


@router.get("/extensions/tls")
async def connection(request: Request) -> dict[str, object]:
    return {"tls": None, "scheme": request.url.scheme}
