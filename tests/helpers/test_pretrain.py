"""Xiaoxi's making: a killed run goes on unchanged, and the report card marks what greedy gives."""

import multiprocessing
import random
import time

import pytest
import torch

from tools import pretrain, report_card, school


def short_course(folder, steps=24):
    """Train a tiny course on one thread; checkpoint after every step."""
    torch.set_num_threads(1)
    pretrain.TOKENS = 448
    pretrain.MODEL = pretrain.MODEL | {"hidden_size": 32, "intermediate_size": 64}
    return pretrain.train(pretrain.Course(steps), folder, save_every=0.0, compiled=False)


def killed_course(folder):
    """Be the process that is killed."""
    short_course(folder)


@pytest.fixture
def small(monkeypatch):
    """Give the settings back that a short course changes in this process."""
    monkeypatch.setattr(pretrain, "TOKENS", pretrain.TOKENS)
    monkeypatch.setattr(pretrain, "MODEL", pretrain.MODEL)


def test_a_killed_run_goes_on_with_the_same_losses(tmp_path, small):
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


def test_one_pass_marks_what_greedy_decoding_gives(toy_model):
    from helpers.models import generate, load

    model, tokenizer = load(toy_model)
    asked, prompts = [], ["one", "two words", "三"]
    chats = [[{"role": "user", "content": p}] for p in prompts]
    said = generate(model, tokenizer, chats, max_new_tokens=12)
    for prompt, text in zip(prompts, said, strict=True):
        asked.append(([(prompt, text)], "en"))
    marks = report_card.exact(model, tokenizer, asked)
    ended = [
        len(tokenizer.encode(text, add_special_tokens=False)) < 12 for text in said
    ]  # a cut answer has no end token, which an exact answer needs
    assert all(ok <= end for ok, end in zip(marks, ended, strict=True))
    wrong = [([(p, text + "x")], "en") for p, text in zip(prompts, said, strict=True)]
    assert report_card.exact(model, tokenizer, wrong) == [False] * 3


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
