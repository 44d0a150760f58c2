"""Find rows that say the same: to the letter, or nearly, by MinHash (Broder 1997) with bands."""

from collections.abc import Iterator, Sequence
from itertools import islice

SIZES = {"en": 5, "zh": 3}  # characters of a shingle: a Chinese character says more than a letter
HASHES, BANDS = 128, 16  # a pair that shares 8 hashes in some band is looked at
ALIKE = 0.7  # shared shingles from which a row counts as a near duplicate
BATCH = 1000


def shingles(text: str, size: int = 5) -> set[str]:
    """Return the pieces of a text, `size` characters long, one beginning at each character."""
    return {text[i : i + size] for i in range(max(1, len(text) - size + 1))}


def jaccard(a: set[str], b: set[str]) -> float:
    """Return the share of pieces that two sets have in common, 0 to 1; of two empty ones, 1."""
    return len(a & b) / len(a | b) if a or b else 1.0


def exact_duplicates(texts: Sequence[str]) -> list[int | None]:
    """Return for each text the index of the first one equal to it to the letter, else None."""
    first: dict[str, int] = {}
    found = [first.setdefault(text, n) for n, text in enumerate(texts)]
    return [of if of != n else None for n, of in enumerate(found)]


def near_duplicates(
    texts: Sequence[str],
    sizes: Sequence[int],
    known: Sequence[str] = (),
    known_sizes: Sequence[int] = (),
    alike: float = ALIKE,
) -> list[int | None]:
    """Return for each text the index of one before it that shares `alike` of its shingles, or None.

    `sizes` are the lengths of its shingles (see SIZES). With `known` texts, such as a test set, the
    index is into those, and texts are not compared among each other. Texts that are duplicates are
    not compared with later ones. Memory: about 1.5 KB a text that is kept.
    """
    from rensa import RMinHashLSH

    index, kept = RMinHashLSH(alike, HASHES, BANDS), Sketches()
    for n, sketch in enumerate(sketches(known, known_sizes)):
        kept.add(index, n, sketch)
    found: list[int | None] = []
    others, widths = (known, known_sizes) if known else (texts, sizes)
    for n, sketch in enumerate(sketches(texts, sizes)):
        mine = shingles(texts[n], sizes[n]) if (near := kept.like(index, sketch, alike)) else set()
        of = next((i for i in near if widths[i] == sizes[n]
                   and jaccard(mine, shingles(others[i], widths[i])) >= alike), None)  # fmt: skip
        found.append(of)
        if of is None and not known:
            kept.add(index, n, sketch)
    return found


def sketches(texts: Sequence[str], sizes: Sequence[int]) -> Iterator:
    """Yield each text's MinHash, made in batches: `HASHES` numbers that stand for its shingles."""
    from rensa import RMinHash

    pairs = zip(texts, sizes, strict=True)
    while batch := list(islice(pairs, BATCH)):
        yield from RMinHash.from_token_sets([list(shingles(*pair)) for pair in batch], HASHES, 1)


class Sketches:
    """The sketches that new ones are held against, as rows of one array."""

    def __init__(self) -> None:
        import numpy as np

        self.rows, self.place = np.empty((1024, HASHES), dtype=np.uint32), {}

    def add(self, index, n: int, sketch) -> None:
        """Keep a sketch under the number of its text, and put it into the index."""
        import numpy as np

        at = self.place[n] = len(self.place)
        if at == len(self.rows):
            self.rows = np.concatenate([self.rows, np.empty_like(self.rows)])
        self.rows[at] = sketch.digest()
        index.insert(n, sketch)

    def like(self, index, sketch, alike: float) -> list[int]:
        """Return the texts whose sketches agree with this one nearly as often as asked, best first.

        Agreement estimates the shared share with a standard error of about 0.04; 0.15 is allowed.
        """
        import numpy as np

        near = index.query(sketch)
        if not near:
            return []
        rows = self.rows[[self.place[n] for n in near]]
        agree = (rows == np.asarray(sketch.digest(), dtype=np.uint32)).mean(1)
        return [near[i] for i in np.argsort(-agree, kind="stable") if agree[i] >= alike - 0.15]
