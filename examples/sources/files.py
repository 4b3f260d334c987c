"""Document 002: a large file, made on first use, and its chunks."""

import os
import tempfile
from collections.abc import Callable, Generator
from pathlib import Path

CHUNK_BYTES = 1024 * 1024
LINE_BYTES = 16


def cache_folder() -> Path:
    """Where the demo keeps what it makes: RAWASGI_CACHE, or the user's cache folder. Nobody else may read it."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(os.environ.get("RAWASGI_CACHE") or Path(home) / "rawasgi")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def made_once(path: Path, make: Callable[[Path], None]) -> Path:
    """*path*, made by *make* under another name and renamed, so that nobody ever sees half of it. Blocks."""
    if not path.exists():
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
        os.close(handle)
        try:
            make(Path(name))
            os.replace(name, path)
        finally:
            Path(name).unlink(missing_ok=True)
    return path


def sample() -> Path:
    """The file to download: RAWASGI_SAMPLE_BYTES bytes, 8 MiB by default. Blocks.

    Each 16 bytes are their own offset, so that any range can be checked by eye.
    """
    size_bytes = int(os.environ.get("RAWASGI_SAMPLE_BYTES") or 8 * 1024 * 1024)

    def make(path: Path) -> None:
        with path.open("wb") as file:
            for start in range(0, size_bytes, CHUNK_BYTES):
                stop = min(start + CHUNK_BYTES, size_bytes)
                file.write(b"".join(b"%015d\n" % offset for offset in range(start, stop, LINE_BYTES))[: stop - start])
        path.chmod(0o600)
        os.utime(path, (1_700_000_000, 1_700_000_000))  # the same content has the same Last-Modified and ETag

    return made_once(cache_folder() / f"sample-{size_bytes}.dat", make)


def chunks(path: Path, chunk_bytes: int = CHUNK_BYTES) -> Generator[bytes, None, None]:
    """The bytes of *path*, *chunk_bytes* at a time. Blocks."""
    with path.open("rb") as file:
        while chunk := file.read(chunk_bytes):
            yield chunk
