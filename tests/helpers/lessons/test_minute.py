"""The rows of the minute's fine-tuning: held out, the same twice, in the languages asked for."""

import pytest

from helpers.lessons.minute import examples, held_out


@pytest.mark.parametrize("langs", [("en", "zh"), ("en",)])
def test_the_incidents_are_held_out_and_the_same_with_and_without_articles(langs):
    opened, closed = held_out(12, langs).values()
    assert len(opened) == len(closed) == 12 * len(langs)
    assert [r["gold"] for r in opened] == [r["gold"] for r in closed]
    assert all(len(r["context"]) == 3 for r in opened) and not any(r["context"] for r in closed)
    rows, tested = examples(200, langs), {row["article"] for row in opened}
    shown = {article for row in rows for article in (row["article"], *row["context"])}
    assert not shown & tested
    assert {len(row["context"]) for row in rows} == {0, 3}
    for made in (rows, opened):
        counts = [sum(row["lang"] == lang for row in made) for lang in langs]
        assert counts == [len(made) // len(langs)] * len(langs)
