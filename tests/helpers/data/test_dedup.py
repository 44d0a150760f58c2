"""Duplicates: to the letter, and nearly."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers.data import dedup

calm = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@calm
@given(a=st.text(max_size=30), b=st.text(max_size=30), size=st.integers(1, 6))
def test_jaccard_is_a_share_and_symmetric(a, b, size):
    a, b = dedup.shingles(a, size), dedup.shingles(b, size)
    assert 0 <= dedup.jaccard(a, b) == dedup.jaccard(b, a) <= 1
    assert dedup.jaccard(a, a) == 1


def test_a_text_shorter_than_a_shingle_is_one_shingle():
    assert dedup.shingles("ab", 5) == {"ab"}
    assert dedup.jaccard(set(), set()) == 1


def test_exact_duplicates_point_at_the_first():
    assert dedup.exact_duplicates(["a", "b", "a", "a"]) == [None, None, 0, 0]


LONG = "On Monday at 14:24 a red car was parked in the bus lane and nobody was in it at all."


def test_near_duplicates_point_back_and_respect_the_limit():
    texts = [LONG, "something else entirely, with no word in common", LONG.replace("red", "blue")]
    assert dedup.near_duplicates(texts, [5] * 3) == [None, None, 0]
    assert dedup.near_duplicates(texts, [5] * 3, alike=0.95) == [None] * 3


def test_near_duplicates_of_known_texts():
    texts = [LONG + " Thanks.", LONG + " Thanks.", "x" * 50]
    assert dedup.near_duplicates(texts, [5] * 3, ["y" * 50, LONG], [5, 5]) == [1, 1, None]


def test_more_texts_than_one_batch_or_one_array():
    """Numbers in words of their own: nothing is alike but the copies at the end."""
    words = [" ".join(f"{n * k:x}" for k in range(3, 30)) for n in range(1, 2500)]
    found = dedup.near_duplicates([*words, *words[:5]], [5] * (len(words) + 5))
    assert found[-5:] == [0, 1, 2, 3, 4]
    assert sum(of is not None for of in found[:-5]) < 25
