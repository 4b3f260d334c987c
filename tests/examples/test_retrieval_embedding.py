"""Row 38 with an embedding and without one: what is found, in which order, and that it says by what."""

import asyncio
from collections.abc import Iterator

import pytest
from serving import need

from examples.sources import minilm, retrieval
from examples.sources.retrieval import Index

DOCUMENTS = {"the eaten": "A man is eating food at noon.", "the ridden": "A man is riding food.", "none": "Nothing."}


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAM_TIME_SCALE", "0")


@pytest.fixture
def embedding() -> Iterator[minilm.Embedding]:
    need("numpy")
    need(minilm.PACKAGE)
    yield minilm.embedding()
    minilm.embedding.cache_clear()


def found(question: str) -> tuple[list[str], object]:
    """The titles that row 38 finds, and by what."""

    async def main() -> list[retrieval.Event]:
        return [event async for event in retrieval.answer(question, Index(DOCUMENTS))]

    event = next(event for event in asyncio.run(main()) if "by" in event)
    documents = event["documents"]
    assert isinstance(documents, list)
    return [document["title"] for document in documents], event["by"]


class Scripted(minilm.Embedding):
    """Likes what speaks of riding."""

    def __init__(self) -> None:
        pass

    def likeness(self, one: str, other: str) -> float:
        return 0.9 if "riding" in other else 0.1


def test_without_an_embedding_bm25_alone_ranks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minilm, "is_installed", lambda: False)
    assert found("eating food") == (["the eaten", "the ridden"], "BM25")


def test_an_embedding_puts_in_order_what_bm25_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minilm, "is_installed", lambda: True)
    monkeypatch.setattr(minilm, "embedding", Scripted)
    assert found("eating food") == (["the ridden", "the eaten"], "BM25, all-MiniLM-L6-v2")
    assert found("什么是 food？")[1] == "BM25", "it knows English only"


def test_sentences_that_mean_the_like_are_near(embedding: minilm.Embedding) -> None:
    """By what Sentence Transformers 6.2 itself says of them, with these weights."""
    weather, sun, stadium = "The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."
    assert embedding.likeness(weather, sun) == pytest.approx(0.6660, abs=0.002)
    assert embedding.likeness(weather, stadium) == pytest.approx(0.1046, abs=0.002)
    assert embedding.likeness(sun, stadium) == pytest.approx(0.1411, abs=0.002)


def test_a_word_that_is_not_known_is_taken_in_pieces(embedding: minilm.Embedding) -> None:
    assert embedding.tokens("Hello, unaffable wörld ☃") == [7592, 1010, 14477, 20961, 3468, 2088, 100]


def test_the_row_is_ranked_by_the_real_one(embedding: minilm.Embedding) -> None:
    assert found("Who consumes food in the saddle, riding?")[0][0] == "the ridden"
    assert found("Which food is a lunch?") == (["the eaten", "the ridden"], "BM25, all-MiniLM-L6-v2")
