"""Loading, adapters, generation, counting: on a random Qwen2 made on the spot."""

import errno
import json
import shutil

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from peft import LoraConfig, PeftModel, get_peft_model

from helpers.base import CourseError, root
from helpers.env import resolve
from helpers.model import generate as generation
from helpers.model import load as models
from helpers.model.adapters import load_adapter, save_adapter
from helpers.model.generate import chat_prompt, generate
from helpers.model.load import load, parameter_counts
from tests.toys import TEXT, random_qwen2

LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
QUESTION = [{"role": "user", "content": "请写处理通知书。"}]


@pytest.fixture(scope="module")
def toy(toy_model):
    return load(toy_model)


@pytest.fixture
def copy(toy_model, tmp_path):
    """Copy the toy model's folder, to be damaged."""
    return shutil.copytree(toy_model, tmp_path / "copy")


def lora(model, seed=0):
    """Put a random adapter, B included, on a model."""
    torch.manual_seed(seed)
    peft = get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM"))
    for name, weight in peft.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight)
    return peft


def logits(model, tokenizer):
    with torch.no_grad():
        return model(**tokenizer(TEXT[0], return_tensors="pt")).logits


# --- loading


def test_a_folder_loads_in_float32_with_sdpa_on_the_cpu(toy):
    model, tokenizer = toy
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert {p.device.type for p in model.parameters()} == {"cpu"}
    assert model.config._attn_implementation == "sdpa"
    assert not model.training
    assert (tokenizer.pad_token, tokenizer.eos_token) == ("<|endoftext|>", "<|im_end|>")


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_the_dtype_is_the_setups_unless_another_is_asked_for(toy_model, name):
    setup = resolve("tiny", str(toy_model))._replace(dtype=name)
    assert load(setup)[0].dtype == getattr(torch, name)
    assert load(setup, dtype="float32")[0].dtype == torch.float32


def test_loading_prints_nothing(toy_model, capfd):
    load(toy_model)
    shown = capfd.readouterr()
    assert shown.out + shown.err == ""


def test_four_bit_weights_are_nf4_and_count_in_full(toy_model, toy):
    quantized, _ = load(toy_model, four_bit=True)
    layer = quantized.model.layers[0].mlp.up_proj
    assert layer.weight.quant_state.quant_type == "nf4"
    assert layer.weight.quant_state.nested  # double quantisation
    assert layer.compute_dtype == torch.float32
    assert parameter_counts(quantized)[1] == parameter_counts(toy[0])[1]


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_four_bit_computes_in_the_setups_dtype(name):
    config = models.nf4(getattr(torch, name))
    assert config.bnb_4bit_compute_dtype == getattr(torch, name)
    assert (config.load_in_4bit, config.bnb_4bit_quant_type) == (True, "nf4")


def test_a_folder_without_tokenizer_is_refused(copy):
    (copy / "tokenizer.json").unlink()
    with pytest.raises(CourseError, match=r"no tokenizer: copy tokenizer\.json.*没有分词器") as bad:
        load(copy)
    assert bad.value.where == str(copy)


def test_broken_weights_are_refused(copy):
    (copy / "model.safetensors").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(CourseError, match=r"weights cannot be read.*无法读取权重"):
        load(copy)


def test_missing_weights_are_refused(copy):
    (copy / "model.safetensors").unlink()
    with pytest.raises(CourseError, match="weights cannot be read"):
        load(copy)


def test_another_models_tokenizer_is_refused(copy, toy):
    random_qwen2(toy[1], vocab_size=100).save_pretrained(copy)
    with pytest.raises(CourseError, match="more tokens than the model has rows"):
        load(copy)


def edit_json(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_padding_never_uses_the_end_token(copy):
    edit_json(copy / "tokenizer_config.json", pad_token="<|im_end|>")
    assert models.load_tokenizer(copy).pad_token == "<|endoftext|>"
    edit_json(copy / "tokenizer_config.json", pad_token=None)
    assert models.load_tokenizer(copy).pad_token == "<|endoftext|>"
    edit_json(copy / "tokenizer_config.json", eos_token="<|endoftext|>")
    with pytest.raises(CourseError, match=r"no token to pad with.*填充符"):
        models.load_tokenizer(copy)


# --- adapters


def test_an_adapter_comes_back_the_same(toy_model, toy, tmp_path):
    trained = lora(load(toy_model)[0]).eval()
    wanted = logits(trained, toy[1])
    assert save_adapter(trained, tmp_path / "a" / "04_notice") == tmp_path / "a" / "04_notice"
    again = load_adapter(load(toy_model)[0], tmp_path / "a" / "04_notice")
    assert torch.equal(logits(again, toy[1]), wanted)
    assert not torch.allclose(logits(toy[0], toy[1]), wanted, atol=1e-3)
    names = sorted(path.name for path in (tmp_path / "a" / "04_notice").iterdir())
    assert names == ["adapter_config.json", "adapter_model.safetensors"]


def test_a_second_adapter_takes_the_firsts_place(toy_model, toy, tmp_path):
    for seed in (1, 2):
        save_adapter(lora(load(toy_model)[0], seed), tmp_path / str(seed))
    alone = logits(load_adapter(load(toy_model)[0], tmp_path / "2"), toy[1])
    model = load_adapter(load(toy_model)[0], tmp_path / "1")
    model = load_adapter(model, tmp_path / "2")  # peft would warn of a second one on top
    assert torch.equal(logits(model, toy[1]), alone)
    assert not isinstance(model.base_model.model, PeftModel)


def test_a_saved_adapter_holds_no_path_of_this_machine(toy_model, tmp_path):
    model = lora(load(toy_model)[0])
    for path, name in [
        (str(root() / "data" / "models" / "xiaoxi"), "data/models/xiaoxi"),
        ("/" + "home/li/hub/models--Qwen--Qwen2.5-0.5B/snapshots/1a2b", "Qwen/Qwen2.5-0.5B"),
        ("Qwen/Qwen2.5-0.5B", "Qwen/Qwen2.5-0.5B"),
        ("/elsewhere/model", "/elsewhere/model"),
    ]:
        model.peft_config["default"].base_model_name_or_path = path
        folder = save_adapter(model, tmp_path / "adapter")
        config = json.loads((folder / "adapter_config.json").read_text())
        assert config["base_model_name_or_path"] == name
        assert str(root()) not in (folder / "adapter_config.json").read_text()


def test_an_adapter_of_another_model_is_refused(toy_model, toy, tmp_path):
    torch.manual_seed(0)
    config = toy[0].config.__class__(**toy[0].config.to_dict() | {"hidden_size": 32})
    other = toy[0].__class__(config)
    save_adapter(lora(other), tmp_path / "other")
    with pytest.raises(CourseError, match=r"does not fit the model.*不匹配"):
        load_adapter(load(toy_model)[0], tmp_path / "other")


def test_a_missing_adapter_is_named(toy, tmp_path):
    with pytest.raises(CourseError, match="there is no adapter here") as caught:
        load_adapter(toy[0], tmp_path / "none")
    assert caught.value.where == str(tmp_path / "none")


@pytest.mark.parametrize("moment", ["weights", "config"])
def test_a_full_disk_while_saving_leaves_the_old_adapter_whole(
    toy_model, toy, tmp_path, monkeypatch, moment
):
    path = save_adapter(lora(load(toy_model)[0], seed=1), tmp_path / "adapter")
    before = {file.name: file.read_bytes() for file in path.iterdir()}

    def full(*arguments, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    if moment == "weights":
        monkeypatch.setattr("peft.peft_model.safe_save_file", full)
    else:
        monkeypatch.setattr(LoraConfig, "save_pretrained", full)
    with pytest.raises(CourseError, match=r"disk is full.*磁盘已满") as caught:
        save_adapter(lora(load(toy_model)[0], seed=2), path)
    assert caught.value.where == str(path)
    assert {file.name: file.read_bytes() for file in path.iterdir()} == before
    assert [file.name for file in tmp_path.iterdir()] == ["adapter"]
    load_adapter(load(toy_model)[0], path)


def test_a_truly_full_disk_is_recognised(toy_model, tmp_path):
    """Let the kernel refuse to write: a limit on the size of files stands for a full disk."""
    resource = pytest.importorskip("resource")
    path = save_adapter(lora(load(toy_model)[0], seed=1), tmp_path / "adapter")
    model, limits = lora(load(toy_model)[0], seed=2), resource.getrlimit(resource.RLIMIT_FSIZE)
    before = (path / "adapter_model.safetensors").read_bytes()
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (512, limits[1]))
        with pytest.raises(CourseError, match="disk is full"):
            save_adapter(model, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (path / "adapter_model.safetensors").read_bytes() == before


# --- prompts and answers


def test_a_prompt_ends_where_the_assistant_is_to_speak(toy):
    text = chat_prompt(toy[1], QUESTION)
    assert text == "<|im_start|>user\n请写处理通知书。<|im_end|>\n<|im_start|>assistant\n"


def test_a_prompt_without_question_is_refused(toy):
    for messages in ([], [*QUESTION, {"role": "assistant", "content": "x"}]):
        with pytest.raises(CourseError, match="must end with the user's message"):
            chat_prompt(toy[1], messages)


def test_a_tokenizer_without_template_is_refused(copy):
    (copy / "chat_template.jinja").unlink()
    with pytest.raises(CourseError, match=r"no chat template.*对话模板") as caught:
        chat_prompt(models.load_tokenizer(copy), QUESTION)
    assert caught.value.where == str(copy)


def reference(model, tokenizer, text, tokens):
    """Answer one prompt by the plainest loop there is, without cache or batch."""
    ids = tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids
    start = ids.shape[1]
    for _ in range(tokens):
        with torch.no_grad():
            best = model(input_ids=ids).logits[0, -1].argmax()
        if best == tokenizer.eos_token_id:
            break
        ids = torch.cat([ids, best.view(1, 1)], dim=1)
    return tokenizer.decode(ids[0, start:], skip_special_tokens=True)


PROMPTS = ["a", "Plate: LX4821\nBasis: Article 12", TEXT[2], "b c d", TEXT[0], "LX"]


@pytest.mark.parametrize("batch_size", [1, 2, 32])
def test_batched_answers_equal_those_of_a_plain_loop_in_input_order(toy, batch_size):
    wanted = [reference(*toy, text, 12) for text in PROMPTS]
    assert len(set(wanted)) == len(wanted)
    assert generate(*toy, PROMPTS, max_new_tokens=12, batch_size=batch_size) == wanted


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.sampled_from(PROMPTS), max_size=7), st.integers(1, 4))
def test_order_and_company_do_not_change_an_answer(toy, prompts, batch_size):
    alone = {text: reference(*toy, text, 4) for text in set(prompts)}
    answers = generate(*toy, prompts, max_new_tokens=4, batch_size=batch_size)
    assert answers == [alone[text] for text in prompts]


def test_messages_and_texts_give_the_same_answers(toy):
    text = chat_prompt(toy[1], QUESTION)
    by_text = generate(*toy, [text, text], max_new_tokens=6)
    assert generate(*toy, [QUESTION, QUESTION], max_new_tokens=6) == by_text
    assert generate(*toy, [QUESTION, text], max_new_tokens=6) == by_text


def test_no_prompts_no_answers(toy):
    assert generate(*toy, []) == []


def test_an_empty_prompt_is_refused_by_its_number(toy):
    with pytest.raises(CourseError, match=r"prompt 1 is empty.*第 1 条提示"):
        generate(*toy, ["a", ""])


def scripted(toy_model, tokens):
    """Load a model that answers with given tokens, one after the other."""
    model, _ = load(toy_model)
    spoken = []

    def say_next(_module, _inputs, output):
        output.logits[:] = 0
        output.logits[:, -1, tokens[min(len(spoken), len(tokens) - 1)]] = 1
        spoken.append(1)
        return output

    model.register_forward_hook(say_next)
    return model


def test_an_answer_stops_at_the_end_token_which_is_not_shown(toy_model, toy):
    word = toy[1]("notice").input_ids
    end = toy[1].eos_token_id
    model = scripted(toy_model, [*word, end, *word])
    assert generate(model, toy[1], ["a", "b c"], max_new_tokens=20) == ["notice", "notice"]


def test_an_answer_stops_at_the_models_own_end_tokens_too(toy_model, toy):
    word = toy[1]("notice").input_ids
    model = scripted(toy_model, [*word, toy[1].convert_tokens_to_ids("<|endoftext|>"), *word])
    model.generation_config.eos_token_id = [toy[1].pad_token_id]
    assert generate(model, toy[1], ["a"], max_new_tokens=20) == ["notice"]


def test_sampling_settings_of_the_model_are_overruled_without_a_warning(toy_model, toy, capfd):
    model, tokenizer = load(toy_model)
    wanted = generate(model, tokenizer, PROMPTS, max_new_tokens=12)
    # what Qwen2.5-Instruct ships with, and stronger
    for name, value in [
        ("do_sample", True), ("temperature", 0.7), ("top_p", 0.8), ("top_k", 20),
        ("repetition_penalty", 5.0),
    ]:  # fmt: skip
        setattr(model.generation_config, name, value)
    capfd.readouterr()
    assert generate(model, tokenizer, PROMPTS, max_new_tokens=12) == wanted
    shown = capfd.readouterr()
    assert shown.out + shown.err == ""


@pytest.mark.parametrize("training", [True, False])
def test_the_models_mode_is_as_before_even_after_an_error(toy_model, toy, monkeypatch, training):
    model, tokenizer = load(toy_model)
    model.train(training)
    generate(model, tokenizer, ["a"], max_new_tokens=1)
    assert model.training == training
    monkeypatch.setattr(generation, "answer_batch", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        generate(model, tokenizer, ["a"])
    assert model.training == training


def test_an_adapter_answers_too(toy_model, toy):
    model = lora(load(toy_model)[0]).eval()
    wanted = [reference(model, toy[1], text, 6) for text in PROMPTS]
    assert generate(model, toy[1], PROMPTS, max_new_tokens=6) == wanted


def test_tied_weights_count_once_and_only_trained_ones_are_trained(toy_model):
    model, _ = load(toy_model)
    hidden, rows, wide, layers = 64, model.config.vocab_size, 128, 2
    block = 4 * hidden**2 + 3 * hidden + 3 * hidden * wide + 2 * hidden
    total = rows * hidden + layers * block + hidden
    assert parameter_counts(model) == (total, total)
    trained = layers * 2 * (hidden + hidden)  # r = 2, on q_proj
    assert parameter_counts(lora(model)) == (trained, total + trained)
