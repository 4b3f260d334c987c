"""Formats, codings and files: what a stream can carry besides what the documents have."""

from pathlib import Path

from examples.raw import parameters
from examples.raw.routes import router
from examples.sources import frames, readings
from rawasgi import files, respond, streams
from rawasgi.asgi import App
from rawasgi.compression import compress
from rawasgi.decompression import decompress
from rawasgi.failures import told
from rawasgi.formats.endings import Done, Failure
from rawasgi.formats.multipart import Part
from rawasgi.handling import handler
from rawasgi.request import Request
from rawasgi.response import Response

EXAMPLES = Path(__file__).parent.parent
ROOMS = ("id", "celsius", "room")


def measured(request: Request) -> streams.Stream[readings.JSON | Done | Failure]:
    """The readings; with ``?fail=true`` they break off, and the client is told."""
    return told(readings.readings(parameters.items(request, 5), request.query("fail", bool, default=False)))


@router.get("/formats/array")
async def array(request: Request) -> Response:
    """Row 43: one JSON array for who knows no streams: it is JSON also if the source fails, the error its last."""
    return respond.json_array(measured(request))


@router.get("/formats/json-seq")
async def json_seq(request: Request) -> Response:
    """Row 44: a JSON text sequence: a record separator before each, so that one that is cut off loses no other."""
    return respond.json_seq(measured(request))


@router.get("/formats/csv")
async def csv(request: Request) -> Response:
    """Row 45: a spreadsheet, row by row; what is cut off has no last line that says how many there were."""
    return respond.csv(measured(request), header=ROOMS)


@router.get("/formats/parts")
async def parts(request: Request) -> Response:
    """Row 46: several bodies in one, each of its own type."""

    def part(picture: bytes) -> Part:
        return Part(picture, ((b"content-type", b"image/png"),))

    return respond.multipart(streams.map(frames.frames(parameters.items(request, 5)), part))


@router.get("/formats/frames")
async def replaced(request: Request) -> Response:
    """Row 47: a picture that moves, for an <img> and no script: each part takes the place of the one before."""

    def part(picture: bytes) -> Part:
        return Part(picture, ((b"content-type", b"image/png"),))

    return respond.multipart(streams.map(frames.frames(parameters.items(request, 20)), part), "x-mixed-replace")


@router.get("/formats/ui")
async def ui(request: Request) -> Response:
    """Row 48: what the useChat of the AI SDK reads."""
    return respond.ui_messages(readings.message(request.query("text", parameters.prompt, "你好，世界！")))


@router.get("/formats/negotiated")
async def negotiated(request: Request) -> App:
    """Row 49: one source as events, NDJSON or JSON, as the client's Accept says; 406 if it likes none of them."""
    return respond.negotiate(request, measured(request))


async def compressible(request: Request) -> Response:
    """Row 50: the same readings in the coding that the client likes best; each can be read when it comes."""
    return respond.ndjson(measured(request))


async def upload(request: Request) -> dict[str, int]:
    """Row 51: a compressed body, read as it comes; what grows past 16 MiB is 413."""
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
    return {"bytes": size}


router.route("GET", "/formats/compressed", compress(handler(compressible)))
router.route("POST", "/formats/upload", decompress(handler(upload)))
router.mount("/files", files.directory(EXAMPLES))  # row 52: a folder, with ranges, validators and no way out
