"""Recorded runs of a real model: their settings, marks and resuming; no training here."""

import json

import pytest

from helpers.data.jsonl import read_jsonl
from tools.measure import small


@pytest.fixture
def kept(monkeypatch, tmp_path):
    """Keep answers in a folder of the test's own."""
    monkeypatch.setattr(small, "KEPT", tmp_path)
    return tmp_path


def texts_of(general, notice="no notice"):
    """Return answers to all questions: `general` to each general one, `notice` elsewhere."""
    return {
        name: [general(row) if name == "general" else notice for row in rows]
        for name, rows in small.questions().items()
    }


def answered(right):
    """Keep the base model's answers, right where `right(number)`."""
    rows = enumerate(small.questions()["general"])
    texts = [row["answers"][0] if right(n) else "I forgot." for n, row in rows]
    (small.KEPT / "base_general.json").write_text(json.dumps(texts), encoding="utf-8")


def test_all_settings_differ_and_begin_with_the_base_model():
    runs = small.wanted()
    assert len({small.key(run) for run in runs}) == len(runs)
    assert [run["method"] for run in runs[:4]] == ["none"] * 4 and runs[0]["shots"] == 0
    assert all(run.keys() == small.SHAPE.keys() for run in runs)
    assert {run["seed"] for run in runs} == {0, 1, 2}


def test_each_question_of_the_test_has_its_answer_and_none_is_asked_in_replay():
    rows = small.questions()["general"]
    assert len(rows) >= 100 and all(row["answers"] for row in rows)
    asked = {form.format(topic) for form in small.REPLAY for topic in small.TOPICS}
    assert len(asked) >= 200
    assert not asked & {row["messages"][0]["content"] for row in rows}


def test_incidents_with_and_without_articles_are_the_same_ones():
    rows = small.questions()
    assert len(rows["open"]) == len(rows["closed"]) == small.N_TEST
    for with_articles, without in zip(rows["open"], rows["closed"], strict=True):
        assert with_articles["gold"] == without["gold"]
        assert len(with_articles["context"]) == 3 and not without["context"]
    assert {row["lang"] for group in rows.values() for row in group} == {"en"}


def test_the_examples_of_a_prompt_are_solved_and_of_its_kind():
    for row in (small.questions()["open"][0], small.questions()["closed"][0]):
        messages = small.with_shots(row, 2, seed=1)
        assert [m["role"] for m in messages] == ["user", "assistant"] * 2 + ["user"]
        begins = [m["content"].startswith("Articles:") for m in messages if m["role"] == "user"]
        assert begins == [bool(row["context"])] * 3
        assert messages != small.with_shots(row, 2, seed=2)


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("The capital of France is Paris.", True),
        ("paris", True),
        ("It is in Parisia.", False),
        ("", False),
    ],
)
def test_an_answer_counts_as_a_word(text, right):
    assert small.states_answer(text, {"answers": ["Paris"]}) is right


def test_forgotten_counts_what_was_known_before(kept):
    answered(lambda n: n < 100)
    now = texts_of(lambda row: row["answers"][0] if row["id"] <= "general-en-025" else "x")
    found = small.marks(now)
    assert found["n_known"] == 100 and found["forgotten"] == 0.75
    assert found["general"] == round(25 / found["n_general"], 4)


def test_the_base_model_is_asked_once_and_its_answers_kept(kept, monkeypatch):
    asked = []

    def generate(model, tokenizer, prompts, **options):
        asked.append(options["max_new_tokens"])
        return [f"On {prompt[-1]['content']}" for prompt in prompts]

    monkeypatch.setattr("helpers.model.load.load", lambda setup: ("model", "tokenizer"))
    monkeypatch.setattr("helpers.model.generate.generate", generate)
    rows = small.replay_rows(50)
    assert len(rows) == 50 and rows == small.replay_rows(200)[:50]
    question, answer = rows[0]["messages"]
    assert answer == {"role": "assistant", "content": f"On {question['content']}"}
    assert small.base_knows() is None
    small.ask_base()
    small.ask_base()
    assert len(small.base_knows()) == 130 and asked == [48, small.NEW_GENERAL]


def test_without_the_base_model_nothing_is_called_forgotten(kept):
    assert "forgotten" not in small.marks(texts_of(lambda row: "x"))


def test_a_right_notice_gets_its_marks_and_a_notice_for_a_question_is_counted(kept):
    rows = small.questions()
    texts = texts_of(lambda row: "[LINGXI TRAFFIC NOTICE]\nPlate: LX1")
    texts["open"] = [row["messages"][-1]["content"] for row in rows["open"]]
    found = small.marks(texts)
    assert found["all_open"] == found["form_open"] == 1 and found["all_closed"] == 0
    assert found["notices_for_questions"] == 1


def test_runs_are_made_once_and_marked_anew(kept, monkeypatch, tmp_path, capsys):
    made = []

    def apart(function, settings, fork):
        made.append(settings)
        texts = texts_of(lambda row: row["answers"][0])
        line = {"loss": 1.0, "train_seconds": 1.0, "answer_seconds": 1.0, "device": "CPU"}
        small.keep(settings, line, texts)
        return settings | line | small.marks(texts)

    monkeypatch.setattr(small, "apart", apart)
    monkeypatch.setattr(small, "ask_base", lambda: answered(lambda n: True))
    monkeypatch.setattr(small, "RUNS", small.RUNS[:1])
    file = tmp_path / "small.jsonl"
    assert small.main(["--seeds", "0", "--part", "1/2", "--out", str(file)]) == 0
    assert small.main(["--seeds", "0", "--out", str(file)]) == 0
    assert len(made) == len({small.key(row) for row in made}) == 4
    assert all(row["forgotten"] == 0 and row["n_known"] == 130 for row in read_jsonl(file))
    rows = read_jsonl(file)
    rows[0]["form_open"] = 0.123
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert small.main(["--rescore", "--out", str(file)]) == 0
    assert all(row["form_open"] == 0 for row in read_jsonl(file)) and len(made) == 4
    assert small.main(["--seeds", "0", "--list", "--out", str(file)]) == 0
    assert capsys.readouterr().out.count("✅") == 4
