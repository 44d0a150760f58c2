"""Find documents by their words: BM25 over English words and pairs of Chinese characters."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from helpers.base import CourseError

if TYPE_CHECKING:
    import numpy as np

RUNS = re.compile("[a-z0-9]+|[\u3400-\u9fff]+")  # words and numbers; stretches of Chinese
ENDINGS = ("ing", "ed", "es", "s", "e")


class Hit(NamedTuple):
    """A document that a search found; the higher the score, the better the match."""

    id: str
    score: float
    text: str


def stem(word: str) -> str:
    """Cut one English ending, so that "parking" and "parked" meet in "park"; rough on purpose."""
    for ending in ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word.removesuffix(ending)
            break
    double = len(word) > 3 and word[-1] == word[-2]
    return word[:-1] if double else word


def plain_words(text: str) -> list[str]:
    """Split a text into lower-case words, numbers and pairs of neighbouring Chinese characters.

    Chinese has no spaces, and a tokenizer for English takes a whole phrase for one word. Pairs
    overlap (公交专用道 → 公交, 交专, 专用, 用道): two texts meet in any word that they share.
    """
    tokens = []
    for run in RUNS.findall(text.lower()):
        if run.isascii() or len(run) == 1:
            tokens.append(run)
        else:
            tokens += [run[i : i + 2] for i in range(len(run) - 1)]
    return tokens


def words(text: str) -> list[str]:
    """Split a text as `plain_words` does, without English endings and Lucene's 33 stop words."""
    from bm25s.stopwords import STOPWORDS_EN

    return [stem(word) for word in plain_words(text) if word not in STOPWORDS_EN]


class Index:
    """Documents, each with an id and a text, that a query finds by the words they share.

    BM25 as Lucene has it, k1 = 1.5, b = 0.75 (Robertson and Zaragoza 2009, "The Probabilistic
    Relevance Framework"; Lù 2024, arXiv 2407.03618). `split` turns a text into words.
    Raises CourseError when no document has a word in it.
    """

    def __init__(
        self, documents: Mapping[str, str], split: Callable[[str], list[str]] = words
    ) -> None:
        self.documents, self.split = dict(documents), split
        self._build()

    def _build(self) -> None:
        """Count the words anew: a word's weight depends on how many documents hold it."""
        import bm25s

        split = [self.split(text) for text in self.documents.values()]
        if not any(split):
            raise CourseError(
                en="nothing to search in: give the index documents with words in them",
                zh="没有可检索的内容：请给索引传入含有文字的文档",
            )
        self._bm25 = bm25s.BM25()
        self._bm25.index(split, show_progress=False)

    def scores(self, query: str) -> "np.ndarray":
        """Return the score of each document, in their order: (documents,)."""
        import numpy as np

        known = [word for word in self.split(query) if word in self._bm25.vocab_dict]
        if not known:
            return np.zeros(len(self.documents), dtype="float32")
        return self._bm25.get_scores(known)

    def search(self, query: str, k: int = 3) -> list[Hit]:
        """Return the k documents that match best, the best first; equals stay in their order.

        Raises CourseError unless k is at least 1.
        """
        if k < 1:
            raise CourseError(
                en=f"k = {k}: ask for one document or more", zh=f"k = {k}：至少取 1 条"
            )
        scores, ids = self.scores(query), list(self.documents)
        best = (-scores).argsort(kind="stable")[:k]
        return [Hit(ids[i], float(scores[i]), self.documents[ids[i]]) for i in best]

    def replace(self, changes: Mapping[str, str]) -> None:
        """Put new texts (id -> text) in the place of old ones.

        Raises CourseError for an id that the index does not hold; then nothing is changed.
        """
        strangers = [id for id in changes if id not in self.documents]
        if strangers:
            raise CourseError(
                en=f"no document {strangers[0]!r} to replace: correct the id",
                zh=f"没有编号为 {strangers[0]!r} 的文档可替换：请改正编号",
            )
        self.documents |= changes
        self._build()


def hit_at_k(index: Index, queries: Iterable[str], ids: Iterable[str], k: int = 3) -> list[bool]:
    """Tell for each query whether its document is among the first k: their share is recall@k."""
    pairs = zip(queries, ids, strict=True)
    return [id in (hit.id for hit in index.search(query, k)) for query, id in pairs]
