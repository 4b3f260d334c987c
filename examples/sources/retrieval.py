"""Document 004: a question answered from documents: BM25 over the notes, the READMEs and this project's docstrings.

Where all-MiniLM-L6-v2 is installed (minilm.py), what BM25 finds for an English question is put in order by its meaning.
"""

import asyncio
import functools
import inspect
import math
import re
import threading
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from pathlib import Path

from examples.sources import minilm, tokens
from examples.sources.knowledge import NOTES
from examples.sources.pace import pause
from rawasgi import states

Event = dict[str, object]
# fmt: off
_COMMON = frozenset((
    "a", "an", "and", "are", "as", "at", "be", "by", "can", "do", "does", "for", "from", "how", "i", "if", "in", "is",
    "it", "its", "not", "of", "on", "or", "that", "the", "this", "to", "what", "when", "who", "why", "with",
))
# fmt: on
CANDIDATES = 8  # of BM25, which the embedding puts in order
FACT_CHARACTERS = 500  # of a document: a small model reads slowly
_RUNS = re.compile(r"[a-z0-9_]+|[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+")
_SENTENCE = re.compile(r"(?<=[。！？])|(?<=[.!?])\s+|\n\n+")


def terms(text: str) -> list[str]:
    """The words of *text*, lower case, without the commonest; Chinese, which has no spaces, as pairs of neighbours."""
    found = []
    for run in _RUNS.findall(text.lower()):
        if run in _COMMON:
            continue
        if run.isascii() or len(run) == 1:
            found.append(run)
        else:
            found.extend(run[at : at + 2] for at in range(len(run) - 1))
    return found


class Index:
    """Documents ranked by BM25 (Robertson and Zaragoza 2009, equation 3.15), k1 = 1.5, b = 0.75."""

    def __init__(self, documents: Mapping[str, str], k1: float = 1.5, b: float = 0.75) -> None:
        self._k1, self._b = k1, b
        self.documents = dict(documents)
        self._counts = {title: Counter(terms(f"{title} {text}")) for title, text in documents.items()}
        self._lengths = {title: counts.total() for title, counts in self._counts.items()}
        self._mean_length = sum(self._lengths.values()) / len(documents) if documents else 0.0
        self._document_frequency = Counter(term for counts in self._counts.values() for term in counts)

    def _weight(self, term: str) -> float:
        containing = self._document_frequency[term]
        return math.log(1 + (len(self.documents) - containing + 0.5) / (containing + 0.5))

    def _score(self, title: str, question: list[str]) -> float:
        counts = self._counts[title]
        norm = self._k1 * (1 - self._b + self._b * self._lengths[title] / self._mean_length)
        return sum(
            self._weight(term) * counts[term] * (self._k1 + 1) / (counts[term] + norm)
            for term in question
            if term in counts
        )

    def search(self, question: str, max_items: int = 3) -> list[tuple[str, float]]:
        """The titles that answer *question* best, with their scores, best first; none that share no term with it."""
        asked = list(dict.fromkeys(terms(question)))
        scored = ((title, self._score(title, asked)) for title in self.documents)
        return sorted(((title, score) for title, score in scored if score > 0), key=lambda pair: -pair[1])[:max_items]


def collect(root: Path) -> dict[str, str]:
    """The documents below *root*: every README, and the docstring of every module."""
    documents = dict(NOTES)
    for path in sorted([root / "README.md", *root.glob("examples/**/*.md"), *root.glob("docs/**/*.md")]):
        if path.is_file():
            documents[str(path.relative_to(root))] = path.read_text(encoding="utf-8")
    for path in sorted([*root.glob("rawasgi/**/*.py"), *root.glob("examples/**/*.py")]):
        # No ast.parse(), which fails if another thread is in one, too, before Python 3.11.5 (SystemError).
        code = compile(path.read_text(encoding="utf-8"), path, "exec", dont_inherit=True)
        if code.co_names[:1] == ("__doc__",):
            documents[str(path.relative_to(root))] = inspect.cleandoc(code.co_consts[0])
    return documents


def project_index() -> Index:
    """The index of this project's own documents, made once. Blocks."""
    with _INDEXING:
        return _project_index()


@functools.cache
def _project_index() -> Index:
    return Index(collect(Path(__file__).resolve().parents[2]) | orders())


def orders() -> dict[str, str]:
    """The tables of ASGI's legal order, a sentence a row."""
    kinds = {"http": states.HTTP, "websocket": states.WEBSOCKET, "lifespan": states.LIFESPAN}
    does = {">": "the app may send", "<": "the app may receive"}
    return {
        f"ASGI {kind} order": "\n\n".join(
            f"In the state {row.state}, {does[row.event[0]]} {row.event[1:].replace('+', ' with ')};"
            f" then the state is {row.then} ({row.spec})."
            for row in table.rows
        )
        for kind, table in kinds.items()
    }


_INDEXING = threading.Lock()


def best_sentence(text: str, question: str) -> str:
    """The sentence of *text* that shares most with *question*; of equals the first."""
    asked = set(terms(question))
    sentences = [sentence.strip() for sentence in _SENTENCE.split(text) if sentence and sentence.strip()]
    return max(sentences, key=lambda sentence: len(asked & set(terms(sentence))), default=text)


def ranked(question: str, index: Index) -> tuple[list[tuple[str, float]], str]:
    """The titles that answer *question* best, with their scores, best first, and what has found them. Blocks."""
    if not (question.isascii() and minilm.is_installed()):
        return index.search(question), "BM25"
    embedding = minilm.embedding()
    found = [title for title, _ in index.search(question, CANDIDATES)]
    near = {title: embedding.likeness(question, best_sentence(index.documents[title], question)) for title in found}
    return sorted(near.items(), key=lambda pair: -pair[1])[:3], "BM25, all-MiniLM-L6-v2"


async def answer(question: str, index: Index | None = None) -> AsyncGenerator[Event, None]:
    """retrieval (twice), generation, content*, done: the documents' events, each with its type."""
    yield {"type": "retrieval", "message": "正在检索相关文档..."}
    await pause(0.5)
    if index is None:
        index = await asyncio.to_thread(project_index)
    found, by = await asyncio.to_thread(ranked, question, index)
    sources = [{"title": title, "score": round(score, 3)} for title, score in found]
    yield {"type": "retrieval", "message": f"找到 {len(found)} 个相关文档", "by": by, "documents": sources}
    await pause(0.3)
    yield {"type": "generation", "message": "正在生成回答..."}
    await pause(0.3)
    titles = [title for title, _ in found]
    said = generated(question, index, titles) if tokens.is_real() else quoted(question, index, titles)
    async with aclosing(said):
        async for text in said:
            yield {"type": "content", "content": text}
    yield {"type": "done", "message": "回答完成"}


async def quoted(question: str, index: Index, titles: list[str]) -> AsyncGenerator[str, None]:
    """The best sentence of the best document, word by word."""
    if titles:
        text = "根据检索到的文档，" + best_sentence(index.documents[titles[0]], question)
    else:
        text = "没有找到与问题相关的文档。"
    for word in text.split():
        await pause(0.1)
        yield word + " "


def generated(question: str, index: Index, titles: list[str]) -> AsyncGenerator[str, None]:
    """What the model makes of the best sentence of each document."""
    facts = "\n".join(f"- {best_sentence(index.documents[title], question)[:FACT_CHARACTERS]}" for title in titles)
    return tokens.answer(f"Answer the question from these notes alone.\n{facts}\nQuestion: {question}")
