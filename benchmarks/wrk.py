"""The same question to a loader that is not ours: wrk, where it is on the path."""

import re
import shutil
import subprocess

from benchmarks.clients import HOST, PATIENCE, Unexpected
from benchmarks.question import Figure

FIGURE = Figure("responses a second, by wrk", more=True, needs="it takes wrk on the path, and a run that is not quick")
NOTE = "our own reader counted; a second figure is wrk's, where it was asked"


def rate(port: int, path: str, connections: int, seconds: float) -> float | None:
    """Return how many answers to GET *path* come a second, over so many *connections*; None if there is no wrk.

    Raises: Unexpected if there is an answer that is not 200.
    """
    found = shutil.which("wrk")
    if found is None:
        return None
    whole = max(1, round(seconds))  # wrk takes no parts of a second
    command = [found, "-t1", f"-c{connections}", f"-d{whole}s", f"http://{HOST}:{port}{path}"]
    process = subprocess.run(command, capture_output=True, text=True, timeout=whole + PATIENCE, check=False)
    return said(process.stdout, path)


def said(text: str, path: str) -> float:
    """Return the figure in what wrk wrote. Raises: Unexpected."""
    each = re.search(r"^Requests/sec: +([\d.]+)$", text, re.MULTILINE)
    if each is None or "Non-2xx" in text or not float(each[1]):
        raise Unexpected(f"GET {path}: wrk must find nothing but 200, and said: {text}")
    return float(each[1])
