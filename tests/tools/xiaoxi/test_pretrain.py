"""Xiaoxi's making: a killed run goes on unchanged, and the report card marks what greedy gives."""

import json
import multiprocessing
import random
import shutil
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from helpers.base import CourseError
from helpers.lingxi.files import select, world
from helpers.lingxi.score import chance
from helpers.measure.stats import wilson
from tools.xiaoxi import pretrain, report_card, school

XIAOXI = Path(pretrain.OUT)


def short_course(folder, steps=24):
    """Train a tiny course on one thread; checkpoint after every step."""
    torch.set_num_threads(1)
    pretrain.TOKENS = 448
    pretrain.MODEL = pretrain.MODEL | {"hidden_size": 32, "intermediate_size": 64}
    return pretrain.train(pretrain.Course(steps), folder, save_every=0.0, compiled=False)


def shipped_tokenizer(text):
    """Return the committed tokenizer: to train one takes longer than the course here."""
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast.from_pretrained(XIAOXI)


def killed_course(folder):
    """Be the process that is killed."""
    pretrain.train_tokenizer, pretrain.tokenizer_text = shipped_tokenizer, list
    short_course(folder)


@pytest.fixture
def small(monkeypatch):
    """Give the settings back that a short course changes in this process."""
    monkeypatch.setattr(pretrain, "TOKENS", pretrain.TOKENS)
    monkeypatch.setattr(pretrain, "MODEL", pretrain.MODEL)


def test_a_killed_run_goes_on_with_the_same_losses(tmp_path, small, monkeypatch):
    monkeypatch.setattr(pretrain, "train_tokenizer", shipped_tokenizer)
    monkeypatch.setattr(pretrain, "tokenizer_text", list)
    unbroken = short_course(tmp_path / "unbroken")
    process = multiprocessing.get_context("spawn").Process(
        target=killed_course, args=(tmp_path / "killed",)
    )
    process.start()
    state, deadline = tmp_path / "killed" / "state.pt", time.time() + 120
    while not state.exists() and process.is_alive() and time.time() < deadline:
        time.sleep(0.01)
    process.kill()
    process.join()
    done = torch.load(state, weights_only=True)["step"]
    assert 0 < done < 24
    assert short_course(tmp_path / "killed") == unbroken
    assert len(unbroken) == 24


@pytest.fixture(scope="module")
def tokenizer():
    """Train the tokenizer on a small part of its text."""
    return pretrain.train_tokenizer(pretrain.tokenizer_text(lessons=150))


def test_no_token_joins_two_chinese_characters(tokenizer):
    for token, number in tokenizer.get_vocab().items():
        text = tokenizer.decode([number])
        if "�" not in text and token not in pretrain.SPECIAL:
            assert sum("一" <= c <= "鿿" for c in text) <= 1, text


def test_every_text_comes_back(tokenizer):
    rng = random.Random(1)
    for lang in ("en", "zh"):
        for ask, reply in school.reading(rng, lang, 3) + school.forms(rng, lang, 3):
            for text in (ask, reply):
                assert tokenizer.decode(tokenizer.encode(text)) == text


def test_digits_stand_alone(tokenizer):
    assert len(tokenizer.encode("4821")) == 4


def test_a_batch_depends_on_seed_and_step_alone(tokenizer):
    fast = tokenizer.backend_tokenizer
    for step in (0, 90):
        one, two = (pretrain.batch(pretrain.Course(100), step, fast) for _ in range(2))
        assert torch.equal(one[0], two[0])
        assert torch.equal(one[1], two[1])
    one, two = (pretrain.batch(pretrain.Course(100, seed), 0, fast) for seed in (0, 1))
    assert not torch.equal(one[0], two[0])


def test_weights_fall_on_the_answers(tokenizer):
    ids, weights = pretrain.row(random.Random(3), tokenizer.backend_tokenizer, 448, 1.0)
    text = tokenizer.decode([i for i, w in zip(ids, weights, strict=True) if w == 1.0])
    assert "<|im_start|>" not in text
    assert text.count("<|im_end|>") >= 2


def test_phrases_weigh_only_what_the_tokens_before_give_away():
    for n in range(200):
        ids, weights = pretrain.phrases(random.Random(n), 64, 3000)
        assert len(ids) == len(weights) == 64 and not any(weights[:32]) and any(weights)
        for at in range(32, 64):
            if weights[at]:  # these two tokens were followed by this one before
                pairs = zip(ids[:32], ids[1:32], ids[2:32], strict=False)
                assert (ids[at - 2], ids[at - 1], ids[at]) in set(pairs)


def test_a_batch_drills_first_and_reads_then(tokenizer):
    fast = tokenizer.backend_tokenizer
    assert pretrain.batch(pretrain.Course(1000), 0, fast)[0].shape == (64, 64)
    assert {
        pretrain.batch(pretrain.Course(1000), s, fast)[0].shape[1] for s in range(200, 240)
    } <= {*pretrain.LENGTHS}


@pytest.mark.parametrize("kind", report_card.KINDS)
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_report_items_are_the_same_each_time(kind, lang):
    assert report_card.items(kind, lang, 3) == report_card.items(kind, lang, 3)


END = "<|im_end|>"
LETTERS = [END, *sorted({*"0123456789+=? one二。\n", *"<|im_start|>userassistant"})]
SAYS = {"1+1?": "2", "10+10?": "20", "二?": "二。", "?": "one one"}  # question -> what it answers


class Speller:
    """A tokenizer of single characters, and the end token."""

    def encode(self, text: str, add_special_tokens: bool = False) -> list[int]:
        pieces = text.replace(END, "\0")
        return [0 if piece == "\0" else LETTERS.index(piece) for piece in pieces]


class Scripted:
    """A model that answers the last question as SAYS has it and ends; else it says "?" for ever."""

    def eval(self) -> None:
        """Be as ready as ever."""

    def next(self, ids: list[int]) -> int:
        """Return the most probable token after these."""
        text = "".join(LETTERS[i] for i in ids)
        ask, _, said = text.split("user\n")[-1].partition(f"{END}\n<|im_start|>assistant\n")
        whole = [*SAYS.get(ask, ""), END]
        right = SAYS.get(ask, "").startswith(said) and len(said) < len(whole)
        return LETTERS.index(whole[len(said)] if right else "?")

    def __call__(self, input_ids: torch.Tensor) -> SimpleNamespace:
        logits = torch.zeros(*input_ids.shape, len(LETTERS))
        for i, row in enumerate(input_ids.tolist()):
            for j in range(len(row)):
                logits[i, j, self.next(row[: j + 1])] = 1.0
        return SimpleNamespace(logits=logits)


def greedy(turns: list[school.Turn]) -> str:
    """Return what the scripted model writes, token after token, up to its end token."""
    ids, start = report_card.encode(Speller(), turns)
    said = ids[:start]
    while (token := Scripted().next(said)) and len(said) < start + 20:
        said.append(token)
    return "".join(LETTERS[i] for i in said[start:])


WRONG = {
    "another last character": ("10+10?", "21"),
    "another first character": ("10+10?", "10"),
    "cut short": ("10+10?", "2"),
    "more than it says": ("10+10?", "200"),
    "the end alone": ("1+1?", ""),
    "a question that it does not know": ("2+2?", "4"),
}


@pytest.mark.parametrize(("ask", "reply"), SAYS.items())
def test_an_answer_that_greedy_decoding_gives_and_ends_is_exact(ask, reply):
    assert greedy([(ask, "")]) == reply
    assert report_card.exact(Scripted(), Speller(), [([(ask, reply)], "en")]) == [True]


@pytest.mark.parametrize(("ask", "reply"), WRONG.values(), ids=WRONG)
def test_any_other_answer_is_not_exact(ask, reply):
    assert greedy([(ask, "")]) != reply
    assert report_card.exact(Scripted(), Speller(), [([(ask, reply)], "en")]) == [False]


@pytest.mark.parametrize("size", [1, 2, 32])
def test_marks_keep_the_order_of_the_items_whatever_the_batch(size):
    before = [("1+1?", "0")]  # an earlier turn is given, not marked
    right, wrong = SAYS.items(), WRONG.values()
    asked = [([*turns, item], "en") for item in [*right, *wrong] for turns in ([], before)]
    random.Random(0).shuffle(asked)
    expected = [turns[-1] in right for turns, _ in asked]
    assert report_card.exact(Scripted(), Speller(), asked, size) == expected
    assert expected.count(True) == 2 * len(SAYS)


def test_held_out_sums_are_never_taught():
    rng = random.Random(0)
    taught = [turn for _ in range(200) for turn in school.sums(rng, "en")]
    plus = [reply.split(" = ")[0].split(" + ") for _, reply in taught if "+" in reply]
    assert plus
    assert not any(school.sum_held_out(int(a), int(b)) for a, b in plus)


def test_held_out_labels_are_never_taught():
    rng, last = random.Random(0), school.LABELS["en"]["plate"][-school.HELD_OUT :]
    forms = [school.make_form(rng, "en") for _ in range(500)]
    assert not any(f.labels["plate"] in last for f in forms)
    assert all(school.make_form(rng, "en", held_out=True).labels["plate"] in last for _ in range(9))


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_form_tells_the_conduct_before_the_term(lang):
    for n in range(200):
        form = school.make_form(random.Random(n), lang, held_out=n % 2 == 0)
        assert form.fields.index("conduct") < form.fields.index("term")
        assert len(set(form.labels.values())) == len(form.labels)


def test_a_run_goes_on_from_a_model(tmp_path, small):
    short_course(tmp_path / "first", steps=4)
    pretrain.export(tmp_path / "first", tmp_path / "model")
    course = pretrain.Course(3, seed=1, since=0.5)
    folder = tmp_path / "second"
    losses = pretrain.train(course, folder, compiled=False, start=tmp_path / "model")
    state = torch.load(folder / "state.pt", weights_only=True)
    assert len(losses) == state["step"] == 3
    assert state["tokens"] > torch.load(tmp_path / "first" / "state.pt")["tokens"]
    before, _, _ = pretrain.begin(tmp_path / "look", course, tmp_path / "model")
    moved = before.model.embed_tokens.weight - state["model"]["model.embed_tokens.weight"]
    assert 0 < moved.abs().max() < 1e-3  # three small steps; other random weights differ by 0.05


def test_going_on_skips_the_drill(tokenizer):
    fast = tokenizer.backend_tokenizer
    course = pretrain.Course(100, since=0.5)
    assert pretrain.batch(course, 0, fast)[0].shape[1] in pretrain.LENGTHS


def test_a_start_that_is_no_xiaoxi_is_refused(tmp_path, small):
    from safetensors.torch import save_file

    short_course(tmp_path / "first", steps=1)
    pretrain.export(tmp_path / "first", tmp_path / "model")
    save_file({"other": torch.zeros(1)}, tmp_path / "model" / "model.safetensors")
    with pytest.raises(SystemExit, match="not a Xiaoxi"):
        pretrain.begin(tmp_path / "second", pretrain.Course(1), tmp_path / "model")


# --- one folder, one run


@pytest.fixture
def quick(small, monkeypatch, tokenizer):
    """Make a course of a few steps cheap: the small tokenizer, and a small model."""
    monkeypatch.setattr(pretrain, "train_tokenizer", lambda text: tokenizer)


@pytest.fixture
def model(quick, tmp_path):
    """Return a folder with a small Xiaoxi of one step."""
    short_course(tmp_path / "first", steps=1)
    pretrain.export(tmp_path / "first", tmp_path / "model")
    return tmp_path / "model"


def other_weights(model, folder):
    """Write a copy of a model with one weight changed."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(model, folder)
    weights = load_file(folder / "model.safetensors")
    weights["model.norm.weight"] += 1
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    return folder


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"steps": 3}, "steps was 2, is 3"),
        ({"seed": 1}, "seed was 0, is 1"),
        ({"since": 0.5}, "since was 0.0, is 0.5"),
        ({"peak": 1e-3}, "peak was 0.003, is 0.001"),
        ({"decay": 0.9}, "decay was 0.5, is 0.9"),
    ],
)
def test_the_checkpoint_of_a_run_with_other_settings_is_refused(quick, tmp_path, other, told):
    short_course(tmp_path, steps=2)
    before = (tmp_path / "state.pt").read_bytes()
    course = pretrain.Course(2)._replace(**other)
    with pytest.raises(CourseError, match=told) as caught:
        pretrain.train(course, tmp_path, compiled=False)
    assert "--checkpoint" in caught.value.en and "请用 --checkpoint" in caught.value.zh
    assert "state.pt" in caught.value.where
    assert (tmp_path / "state.pt").read_bytes() == before


def test_a_start_in_the_folder_of_another_run_is_refused(model, tmp_path):
    folder = tmp_path / "first"  # a finished run from nothing
    with pytest.raises(CourseError, match=r"start was none, is [0-9a-f]{16}-"):
        pretrain.train(pretrain.Course(1), folder, compiled=False, start=model)
    folder, course = tmp_path / "second", pretrain.Course(1, since=0.5)
    pretrain.train(course, folder, compiled=False, start=model)
    other = other_weights(model, tmp_path / "other")
    with pytest.raises(CourseError, match=r"start was [0-9a-f]{16}-.*, is [0-9a-f]{16}-"):
        pretrain.train(course, folder, compiled=False, start=other)
    with pytest.raises(CourseError, match=r"start was .*, is none"):
        pretrain.train(course, folder, compiled=False)


def test_a_checkpoint_that_names_no_settings_is_refused(quick, tmp_path):
    short_course(tmp_path, steps=1)
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    del state["settings"]
    pretrain.save_checkpoint(tmp_path, state)
    with pytest.raises(CourseError, match=r"steps was \?, is 1"):
        short_course(tmp_path, steps=1)


def test_the_same_run_again_trains_nothing_and_exports_the_same(model, tmp_path):
    weights = (model / "model.safetensors").read_bytes()
    assert len(short_course(tmp_path / "first", steps=1)) == 1
    pretrain.export(tmp_path / "first", model)
    assert (model / "model.safetensors").read_bytes() == weights


def test_a_start_brings_its_own_tokenizer(model, tmp_path):
    folder = tmp_path / "second"
    folder.mkdir()
    (folder / "tokenizer.json").write_text("another run's")
    pretrain.begin(folder, pretrain.Course(1), model)
    for name in pretrain.TOKENIZER_FILES:
        assert (folder / name).read_bytes() == (model / name).read_bytes()
    pretrain.begin(folder, pretrain.Course(1), None)  # from nothing: a tokenizer made anew
    assert (folder / "tokenizer.json").read_bytes() == (model / "tokenizer.json").read_bytes()


def test_a_stray_tokenizer_is_not_kept_for_a_run_from_nothing(quick, tmp_path):
    (tmp_path / "tokenizer.json").write_text("another run's")
    pretrain.begin(tmp_path, pretrain.Course(1), None)
    assert "another run's" not in (tmp_path / "tokenizer.json").read_text(encoding="utf-8")


def test_the_command_says_so_and_exports_nothing(quick, tmp_path, monkeypatch):
    short_course(tmp_path / "run", steps=1)
    words = ["--steps", "2", "--checkpoint", tmp_path / "run", "--out", tmp_path / "out"]
    monkeypatch.setattr("sys.argv", ["pretrain.py", *map(str, words)])
    for name in ("keep_memory", "threads"):
        monkeypatch.setattr(pretrain, name, lambda: None)
    with pytest.raises(SystemExit, match=r"❌ .*steps was 1, is 2.* ｜ .*steps 原为 1，现为 2"):
        pretrain.main()
    assert not (tmp_path / "out").exists()


def test_an_export_that_fails_leaves_the_old_model_and_its_card(model, tmp_path, monkeypatch):
    (model / "report.json").write_text("of these weights")
    before = {p.name: p.read_bytes() for p in model.iterdir()}

    def stop(*_, **__):
        raise OSError("killed")

    with monkeypatch.context() as broken:
        broken.setattr(type(pretrain.build(10, 0)), "save_pretrained", stop)
        with pytest.raises(OSError, match="killed"):
            pretrain.export(tmp_path / "first", model)
    assert {p.name: p.read_bytes() for p in model.iterdir()} == before
    pretrain.export(tmp_path / "first", model)
    assert set(before) - {p.name for p in model.iterdir()} == {"report.json"}


def test_an_export_never_replaces_a_folder_of_something_else(model, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    pretrain.export(tmp_path / "first", folder)  # an empty one may be taken
    (folder / "run.json").unlink()
    with pytest.raises(CourseError, match="choose another --out"):
        pretrain.export(tmp_path / "first", folder)
    assert (folder / "model.safetensors").exists()


# --- the report that ships


@pytest.fixture(scope="module")
def report():
    """Return Xiaoxi's committed report."""
    return json.loads((XIAOXI / "report.json").read_text(encoding="utf-8"))


def test_the_report_is_of_the_weights_beside_it(report):
    assert report["sha256"] == report_card.sha256(XIAOXI / "model.safetensors"), (
        "measure again: python -m tools.xiaoxi.pretrain --report"
    )
    run = json.loads((XIAOXI / "run.json").read_text(encoding="utf-8"))
    assert run == {name: report[name] for name in run}


def test_the_card_is_what_the_report_says(report):
    mend = "python -m tools.xiaoxi.pretrain --report"
    assert (XIAOXI / "report.json").read_text(encoding="utf-8") == report_card.written(report)
    assert (XIAOXI / "README.md").read_text(encoding="utf-8") == report_card.card(report), mend


@pytest.mark.parametrize("lang", report_card.LANGUAGES)
def test_every_mark_is_there_with_its_interval_and_enough_items(report, lang):
    names = [*report_card.GOALS]
    assert sorted(report[lang]) == sorted(report["interval95"][lang]) == sorted(names)
    for name in names:
        n = report["n"][name]
        right = round(report[lang][name] * n)
        mark = wilson(right, n)
        assert report[lang][name] == round(right / n, 4)
        assert report["interval95"][lang][name] == [round(mark.low, 4), round(mark.high, 4)]
    few = {name for name, n in report["n"].items() if n < 300}
    assert min(report["n"].values()) >= 250
    # the world has no more notices without an article: 250 in each language
    assert few == {"facts", "lingxi_terms", "form"}


@pytest.mark.parametrize("lang", report_card.LANGUAGES)
def test_xiaoxi_knows_nothing_of_lingxi(report, lang):
    rows = world("train") + world("eval")
    rows = select(rows, task="notice", lang=lang, context=False)
    assert len(rows) == report["n"]["facts"]
    low, _ = report["interval95"][lang]["facts"]
    assert low <= chance(rows, world("code"))["facts"] < 0.05
    assert report[lang]["form"] == report[lang]["lingxi_terms"] == 0


def test_a_report_that_is_written_names_its_weights_and_fits_its_card(tmp_path, monkeypatch):
    from helpers.model import load

    (tmp_path / "model.safetensors").write_bytes(b"weights")
    (tmp_path / "run.json").write_text('{"tokens": 10, "minutes": 1}')
    monkeypatch.setattr(load, "load", lambda folder: (torch.nn.Linear(1, 2), None))
    half = [True, False, True, False]
    monkeypatch.setattr(report_card, "exact", lambda model, tokenizer, asked: half)
    ignorant = dict.fromkeys(("facts", "lingxi_terms", "form"), half)
    monkeypatch.setattr(report_card, "ignorance", lambda *_: ignorant)
    report_card.write(tmp_path, n=4)
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert report["sha256"] == report_card.sha256(tmp_path / "model.safetensors")
    assert report["sha256"].startswith("9a129038")
    assert report["en"]["sums"] == 0.5 and report["n"]["facts"] == 4
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == report_card.card(report)
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]
