"""Content codings: what an encoder writes can be read, and a decoder gives no more than it is asked for."""

import bz2
import gzip
import random
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from rawasgi import codings
from rawasgi.codings import PIECE_BYTES, Decoder, Malformed, encoder

brotli: Any = import_module("brotli")  # without types
CODINGS = ["gzip", "deflate", "br", "zstd"]
WRITE: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": partial(brotli.compress, quality=5),
    "zstd": zstd.compress,
}
READ: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
    "br": brotli.decompress,
    "zstd": zstd.decompress,
}
NOISE = random.Random(1).randbytes(200_000)


def read(coding: str, *data: bytes) -> bytes:
    decoder = Decoder(coding)
    decoded = b"".join(piece for part in data for piece in decoder.decode(part))
    decoder.end()
    return decoded


def cut(data: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


@pytest.fixture
def forgetful() -> Iterator[None]:
    """What is there is looked up again."""

    def forget() -> None:
        codings.module.cache_clear()
        codings.available.cache_clear()

    forget()
    yield
    forget()


# What there is


def test_all_four_are_available_and_each_body_has_its_best_first() -> None:
    assert codings.available() == ("zstd", "br", "gzip", "deflate")
    assert codings.available("stream") == ("zstd", "gzip", "deflate", "br")
    assert codings.available("events") == ("gzip", "zstd", "deflate", "br")


@pytest.mark.usefixtures("forgetful")
def test_without_their_modules_gzip_and_deflate_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def missing(name: str) -> object:
        asked.append(name)
        raise ImportError(name)

    monkeypatch.setattr(codings, "import_module", missing)
    assert codings.available() == codings.available("stream") == codings.available("events") == ("gzip", "deflate")
    assert asked == ["compression.zstd", "backports.zstd", "brotli"]


@pytest.mark.usefixtures("forgetful")
def test_a_brotli_that_cannot_decode_with_a_limit_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    old = SimpleNamespace(Decompressor=object)
    monkeypatch.setattr(codings, "import_module", lambda name: old if name == "brotli" else import_module("zlib"))
    assert "br" not in codings.available()


# Encoders


@pytest.mark.parametrize("length", [None, 1, 600, 70_000])
@pytest.mark.parametrize("coding", CODINGS)
def test_what_was_flushed_can_be_read_and_what_was_finished_is_whole(coding: str, length: int | None) -> None:
    made, decoder = encoder(coding, length), Decoder(coding)
    for part in (b"one", b"two" * 1000, NOISE[:70_000]):
        assert b"".join(decoder.decode(made.encode(part) + made.flush())) == part
        with pytest.raises(Malformed, match=f"must be whole {coding}, but it ended before its end"):
            decoder.end()
    assert b"".join(decoder.decode(made.finish())) == b""
    decoder.end()


@pytest.mark.parametrize("coding", CODINGS)
def test_foreign_decoders_read_it(coding: str) -> None:
    made = encoder(coding, None)
    assert READ[coding](made.encode(NOISE) + made.flush() + made.encode(b"x") + made.finish()) == NOISE + b"x"


def test_an_event_of_a_stream_is_a_seventh_of_its_size_in_what_has_a_window() -> None:
    event = b'data: {"id":"chatcmpl-123","model":"m-1","choices":[{"delta":{"content":"%d"}}]}\n\n'
    for coding in ("gzip", "deflate", "zstd"):
        made = encoder(coding, None)
        sizes = [len(made.encode(event % number) + made.flush()) for number in range(100)]
        assert sum(sizes[10:]) / 90 < len(event) / 4


@pytest.mark.parametrize("length", [10, 5_000, 10**12])
def test_the_window_of_zstd_is_what_browsers_accept(length: int) -> None:
    made = encoder("zstd", length)
    frame = made.encode(NOISE) + made.finish()
    assert zstd.get_frame_info(frame).decompressed_size is None
    descriptor = frame[5]
    assert 10 + (descriptor >> 3) <= 23  # RFC 9659, 3


def test_a_stream_has_a_small_window_and_a_whole_body_one_as_large_as_it_needs() -> None:
    def opened(coding: str, length: int | None) -> bytes:
        made = encoder(coding, length)
        return made.encode(b"x") + made.flush()

    for length, bits in ((None, 12), (600, 10), (70_000, 15)):
        assert 8 + (opened("deflate", length)[0] >> 4) == bits  # RFC 1950, 2.2
    for length, bits in ((None, 10), (600, 10), (70_000, 17), (10**9, 19)):
        assert 10 + (opened("zstd", length)[5] >> 3) == bits  # RFC 8878, 3.1.1.1.2
    # RFC 7932, 9.1; below quality 2 it says 18 bits whatever it is told, and keeps none
    for length, first in ((None, 0b0011), (600, 0b0100001), (70_000, 0b0000001), (10**9, 0b0101)):
        assert opened("br", length)[0] == first


# Decoders


@given(st.sampled_from(CODINGS), st.binary() | st.integers(1, 300_000).map(bytes), st.integers(1, 200_000))
def test_a_decoder_reads_what_others_write_however_it_is_cut(coding: str, data: bytes, size: int) -> None:
    written = WRITE[coding](data)
    assert read(coding, *cut(written, size)) == data


@pytest.mark.parametrize("size", [1, 7, 16 * 1024, 16 * 1024 + 1, 10**6])
@pytest.mark.parametrize("coding", CODINGS)
def test_noise_is_read_however_it_is_cut(coding: str, size: int) -> None:
    written = WRITE[coding](NOISE)
    assert read(coding, *cut(written, size)) == NOISE


@pytest.mark.parametrize("coding", CODINGS)
def test_no_piece_is_larger_than_64_kib(coding: str) -> None:
    pieces = list(Decoder(coding).decode(WRITE[coding](bytes(5_000_000) + NOISE)))
    assert sum(map(len, pieces)) == 5_200_000
    assert max(map(len, pieces)) <= PIECE_BYTES


@pytest.mark.parametrize("coding", CODINGS)
def test_what_is_not_asked_for_is_not_decoded(coding: str) -> None:
    steps = 0

    class Counting:
        def __init__(self, member: Any) -> None:
            self.member = member

        def decode(self, data: bytes) -> bytes:
            nonlocal steps
            steps += 1
            return bytes(self.member.decode(data))

        def __getattr__(self, name: str) -> object:
            return getattr(self.member, name)

    class Counted(Decoder):
        def _next(self) -> Any:
            return Counting(super()._next())

    pieces = Counted(coding).decode(WRITE[coding](bytes(50_000_000)))
    assert len(next(pieces)) > 1000
    assert steps == 1


def all_of_brotli(data: bytes) -> bytes:
    decoder = brotli.Decompressor()
    decoded = b""
    while piece := decoder.process(data):  # without a limit, too, it gives less than it could
        decoded, data = decoded + piece, b""
    return decoded


@pytest.mark.parametrize("coding", CODINGS)
def test_nothing_that_can_be_given_is_kept_for_later(coding: str) -> None:
    unlimited: Callable[[bytes], bytes] = {
        "gzip": lambda data: zlib.decompressobj(31).decompress(data),
        "deflate": lambda data: zlib.decompressobj(15).decompress(data),
        "br": all_of_brotli,
        "zstd": lambda data: zstd.ZstdDecompressor().decompress(data),
    }[coding]
    written = WRITE[coding](bytes(70_000) + NOISE[:1000] + bytes(70_000))
    for end in range(1, len(written)):
        assert b"".join(Decoder(coding).decode(written[:end])) == unlimited(written[:end])


@pytest.mark.parametrize("size", [1, 10**6])
@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_members_follow_each_other(coding: str, size: int) -> None:
    """RFC 1952, 2.2; RFC 8878, 3.1."""
    write = WRITE[coding]
    written = write(b"one") + write(b"") + write(b"two" * 50_000) + write(b"")
    assert read(coding, *cut(written, size)) == b"one" + b"two" * 50_000


def test_an_empty_member_is_told_of() -> None:
    assert list(Decoder("gzip").decode(gzip.compress(b"") * 3)) == [b"", b"", b""]
    skippable = b"\x50\x2a\x4d\x18\x04\0\0\0skip"  # RFC 8878, 3.1.2
    assert list(Decoder("zstd").decode(skippable + zstd.compress(b"a"))) == [b"", b"a"]


@pytest.mark.parametrize("coding", ["deflate", "br"])
def test_these_have_one_member(coding: str) -> None:
    written = WRITE[coding](b"one")
    with pytest.raises(Malformed, match=f"the body must be {coding}"):
        read(coding, written + written)
    with pytest.raises(Malformed, match=f"must be {coding} and nothing else, but goes on after its end"):
        read(coding, written, written)


@pytest.mark.parametrize("coding", CODINGS)
def test_what_is_cut_off_changed_or_goes_on_is_malformed(coding: str) -> None:
    written = WRITE[coding](b"some text of which there is enough" * 9)
    for end in range(1, len(written)):
        with pytest.raises(Malformed, match=f"must be whole {coding}"):
            read(coding, written[:end])
    for wrong in (written + b"\0garbage", b"\0garbage", b"\xff" * 100, bz2.compress(b"a")):
        with pytest.raises(Malformed, match=f"the body must be {coding}"):
            read(coding, wrong)


def test_a_wrong_checksum_is_malformed() -> None:
    """RFC 1952, 2.3.1; RFC 1950, 2.2."""
    for coding in ("gzip", "deflate"):
        written = bytearray(WRITE[coding](b"some text"))
        written[-5 if coding == "gzip" else -1] ^= 1
        with pytest.raises(Malformed, match="cannot be decoded"):
            read(coding, bytes(written))


def test_raw_deflate_is_not_deflate() -> None:
    """RFC 9110, 8.4.1.2."""
    with pytest.raises(Malformed):
        read("deflate", zlib.compress(b"text", wbits=-15))


@pytest.mark.parametrize("coding", CODINGS)
def test_nothing_at_all_is_whole(coding: str) -> None:
    assert read(coding) == read(coding, b"", b"") == b""


def test_a_window_above_what_http_needs_is_refused() -> None:
    large = zstd.compress(bytes(30_000_000), options={zstd.CompressionParameter.window_log: 24})
    with pytest.raises(Malformed, match="cannot be decoded"):
        read("zstd", large)
    for bits in range(10, 25):
        written = brotli.compress(NOISE[:9], lgwin=bits)
        if bits <= 22:
            assert read("br", *cut(written, 1)) == NOISE[:9]
        else:
            with pytest.raises(Malformed, match="window of 4 MiB at most: compress it with lgwin 22"):
                read("br", written)
