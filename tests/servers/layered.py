"""The stacks of tests/middleware on a real server, each at a path of its own: /<place>/<middleware>/..."""

import stacks
import twins

from rawasgi import Request, Router

twins.PAUSE = 0.02
NAMES = ["none", "scopes", "starlette base", "fastapi middleware", "fastapi telemetry", "starlette gzip"]
NAMES += ["opentelemetry", "sentry", "brotli-asgi"]
LAYERS = [(place, name) for place, name in stacks.STACKS if name in NAMES]

app = Router()


def prefix(place: str, name: str) -> str:
    return f"/{place}/{name}".replace(" ", "-")


for place, name in LAYERS:
    layer = stacks.stack(place, name)
    app.mount(prefix(place, name), layer.ours)


@app.get("/log")
async def log(request: Request) -> dict[str, list[str]]:
    return {"log": twins.log}


@app.get("/ping")
async def ping(request: Request) -> str:
    return "pong"
