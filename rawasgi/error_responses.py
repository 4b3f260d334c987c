"""The body of an error response."""

from rawasgi import respond
from rawasgi.errors import HTTPError
from rawasgi.response import Response


def error_response(error: HTTPError) -> Response:
    """Return the response that *error* stands for: its detail as JSON, or its text."""
    if error.detail is not None:
        return respond.json({"detail": error.detail}, error.status, error.headers)
    return respond.text(error.text, error.status, error.headers)
