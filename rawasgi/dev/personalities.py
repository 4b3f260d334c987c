"""How each server behaves where the spec leaves it open, as measured: what an app must be right under."""

from rawasgi.dev.exchange import UVICORN, Personality

# uvicorn 0.54, hypercorn 0.18, granian 2.8, daphne 4.2, over HTTP/1.1
PERSONALITIES = {
    "uvicorn": UVICORN,
    "hypercorn": Personality(repeats_disconnect=False),
    "granian": Personality(gives_way=True, holds_start=True),
    "daphne": Personality(repeats_disconnect=False, holds_start=True, window_bytes=1 << 30),
}
