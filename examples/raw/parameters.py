"""What the rows take from a client. A bad one is answered with 422, which says where it stands and what it must be."""

from collections.abc import Callable

from rawasgi.request import Request


def count(request: Request) -> int:
    return request.param("count", int, minimum=0, maximum=10_000)


def delay(request: Request, default: float) -> float:
    return request.query("delay", float, default, minimum=0.0, maximum=60.0)


def prompt(text: str) -> str:
    """A type of our own for a parameter: whatever raises ValueError will do."""
    if len(text) > 10_000:
        raise ValueError("a prompt must have at most 10,000 characters")
    return text


def one_of(*names: str) -> Callable[[str], str]:
    """A type that has so many values."""

    def name(text: str) -> str:
        if text not in names:
            raise ValueError(f"must be {' or '.join(names)}")
        return text

    return name


def own_url(request: Request) -> str | None:
    """This app's own /v1: by the server's address, not by the Host header, which is the client's to choose."""
    host, port = request.scope.get("server") or (None, None)
    if port is None:  # a Unix socket
        return None
    return f"{request.scope.get('scheme', 'http')}://{f'[{host}]' if ':' in str(host) else host}:{port}/v1"


def items(request: Request, default: int) -> int:
    return request.query("count", int, default, minimum=0, maximum=10_000)
