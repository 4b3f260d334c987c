"""Content codings: gzip, deflate, br and zstd, as encoders and as decoders that write no more than they are asked to.

br and zstd are there if their module is. Spec: RFC 9110, 8.4.1 "Content Codings" (deflate is the zlib format of RFC
1950), RFC 1952, RFC 7932, RFC 8878, RFC 9659.
"""

import zlib
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from importlib import import_module
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias

# The most that one call encodes or gives. While 50 MB are compressed, another task waits for a turn 2.8 ms (gzip), 0.7
# (br) or 0.01 (zstd), and 4.1 at most: no thread is needed, and none would have to be waited for when a client leaves.
PIECE_BYTES = 64 * 1024

_SLICE_BYTES = 16 * 1024  # zlib copies what it has not read yet at each step
_BROTLI_BYTES = 32_000

Body: TypeAlias = Literal["whole", "stream", "events"]


class Malformed(ValueError):
    """What came is not what its Content-Encoding says."""


class Encoder(NamedTuple):
    """One stream in one coding: *encode* bytes; *flush* so that all can be read; *finish*, which ends it.

    Each returns what is to be sent; *encode* mostly nothing.
    """

    encode: Callable[[bytes | memoryview], bytes]
    flush: Callable[[], bytes]
    finish: Callable[[], bytes]


@lru_cache(8)
def module(*names: str) -> Any:
    """Return the first of the modules *names* that there is, or None."""
    for name in names:
        try:
            return import_module(name)
        except ImportError:
            pass
    return None


def brotli() -> Any:
    """Return the module brotli, None before 1.2: its decoders have no limit."""
    found = module("brotli")
    return found if hasattr(getattr(found, "Decompressor", None), "can_accept_more_data") else None


def zstd() -> Any:
    """Return the module for zstd: that of Python 3.14, or its backport."""
    return module("compression.zstd", "backports.zstd")


@lru_cache(3)
def available(body: Body = "whole") -> tuple[str, ...]:
    """Return the codings there are, the best first, for a *body* of known length, a stream, or one of events.

    Each event is flushed, and of such small pieces gzip makes less than zstd (see ``encoder``): 798 bytes, not 883, of
    50 chunks of a chat. Of 64 KiB of rows, zstd makes its share in a tenth of the time.
    """
    first = ["zstd"] if zstd() else []
    other = ["br"] if brotli() else []
    if body == "whole":
        return (*first, *other, "gzip", "deflate")
    return ("gzip", *first, "deflate", *other) if body == "events" else (*first, "gzip", "deflate", *other)


def encoder(coding: str, length: int | None) -> Encoder:
    """Return an encoder for *length* bytes, or for a stream, None, that may be idle for hours among 10,000 others.

    So a stream has a window as small as it can be. Of 400 events of 170 bytes, each flushed, measured in KiB of memory,
    share of the bytes that is left, and µs an event (zlib 1.3, brotli 1.2.1, libzstd 1.5.7):

    gzip with its defaults 188, 13 %, 2.9; as here 30, 14 %, 2.4
    zstd with its defaults 854, 16 %, 3.4; as here 34, 17 %, 1.4
    br of quality 4 619, 16 %, 6.9; of quality 2, 319, 27 %, 1.6; as here 17, 103 %, 3.2

    br keeps no window below quality 2, so nothing is saved but in messages of many items (64 KiB of rows: 50 %, gzip
    43 %, zstd 56 %). It is the last choice for a stream.
    """
    window = max(10, min(length, 1 << 18).bit_length()) if length is not None else 0
    if coding == "br":
        quality, lgwin = (4, window) if window else (1, 12)
        br = brotli().Compressor(quality=quality, lgwin=lgwin)
        return Encoder(br.process, br.flush, br.finish)
    if coding == "zstd":
        made = zstd()
        key = made.CompressionParameter
        # Tables as large as a short body needs: their making is half of what it costs.
        tables = {key.hash_log: min(window + 1, 17), key.chain_log: min(window, 16)}
        sizes = {key.compression_level: 3, key.window_log: window, **tables}
        if not window:
            sizes = {key.compression_level: 1, key.window_log: 10, key.hash_log: 8, key.chain_log: 6, key.strategy: 1}
        z = made.ZstdCompressor(options=sizes)
        return Encoder(z.compress, partial(z.flush, z.FLUSH_BLOCK), z.flush)
    bits, memory = (min(window, 15), 8) if window else (12, 4)
    deflate = zlib.compressobj(6, zlib.DEFLATED, bits + 16 if coding == "gzip" else bits, memory)
    return Encoder(deflate.compress, partial(deflate.flush, zlib.Z_SYNC_FLUSH), deflate.flush)


class _Member(Protocol):
    """One stream that is decoded. *rest*: what of the data is to be given again; *more*: also without any."""

    rest: bytes
    more: bool
    ended: bool

    def decode(self, data: bytes) -> bytes: ...


class _Inflate:
    def __init__(self, bits: int) -> None:
        self._inner = zlib.decompressobj(bits)

    def decode(self, data: bytes) -> bytes:
        inner = self._inner
        piece = inner.decompress(data, PIECE_BYTES)
        self.ended = inner.eof
        self.rest = inner.unused_data if inner.eof else inner.unconsumed_tail
        self.more = len(piece) == PIECE_BYTES  # a match of 258 bytes may have been begun
        return piece


class _Brotli:
    rest = b""

    def __init__(self) -> None:
        self._inner = brotli().Decompressor()
        self._begun = False

    def decode(self, data: bytes) -> bytes:
        if not self._begun:
            _check_window(data[0])
            self._begun = True
        # Its buffer is of 32 KiB, then of 96: it ends with the first that has so much. With all data read it accepts
        # more of it, whatever is left to give (brotli 1.2.1).
        piece: bytes = self._inner.process(data, output_buffer_limit=_BROTLI_BYTES)
        self.ended = self._inner.is_finished()
        self.more = len(piece) >= _BROTLI_BYTES or not self._inner.can_accept_more_data()
        return piece


def _check_window(first: int) -> None:
    """Raise Malformed for a window of 8 or 16 MiB (RFC 7932, 9.1): so much is decoded before the first byte is given.

    632 bytes did cost 28 ms and 16 MiB, and they do 8 ms and 4 MiB.
    """
    if first & 0b1111 in (0b1101, 0b1111):
        raise Malformed("the body must be br of a window of 4 MiB at most: compress it with lgwin 22")


class _Zstd:
    def __init__(self) -> None:
        found = zstd()
        # Who decodes for HTTP needs no window beyond 8 MiB (RFC 9659, 3); a frame may ask for 2 GiB.
        self._inner = found.ZstdDecompressor(options={found.DecompressionParameter.window_log_max: 23})

    def decode(self, data: bytes) -> bytes:
        piece: bytes = self._inner.decompress(data, PIECE_BYTES)
        self.ended = self._inner.eof
        self.rest = self._inner.unused_data
        self.more = not self._inner.needs_input
        return piece


class Decoder:
    """Decodes what came in *coding*, one of ``available()``, piece by piece."""

    def __init__(self, coding: str) -> None:
        self._coding = coding
        self._member: _Member | None = None
        self._errors: tuple[type[Exception], ...] = (zlib.error,)
        self._begun = False

    def decode(self, data: bytes) -> Iterator[bytes]:
        """Yield what *data* says, in pieces of at most 64 KiB; an empty one at the end of a member that gave none.

        Raises: Malformed, after what could be decoded.
        """
        for start in range(0, len(data), _SLICE_BYTES):
            yield from self._decode(data[start : start + _SLICE_BYTES])

    def end(self) -> None:
        """Raise Malformed if more was to come. A body without a single byte has no coding, and is whole."""
        if self._member is not None:
            raise Malformed(f"the body must be whole {self._coding}, but it ended before its end")

    def _decode(self, data: bytes) -> Iterator[bytes]:
        more = False
        while data or more:
            member = self._member
            if member is None:
                member = self._member = self._next()
            try:
                piece = member.decode(data)
            except self._errors as error:
                raise Malformed(f"the body must be {self._coding}, but cannot be decoded: {error}") from None
            data, more = member.rest, member.more
            if member.ended:
                self._member = None
                more = False
            if piece or member.ended:
                yield piece

    def _next(self) -> _Member:
        # gzip and zstd go on with another member, or frame (RFC 1952, 2.2; RFC 8878, 3.1).
        if self._begun and self._coding in ("deflate", "br"):
            raise Malformed(f"the body must be {self._coding} and nothing else, but goes on after its end")
        self._begun = True
        if self._coding == "br":
            self._errors = (brotli().error,)
            return _Brotli()
        if self._coding == "zstd":
            self._errors = (zstd().ZstdError,)
            return _Zstd()
        return _Inflate(31 if self._coding == "gzip" else 15)
