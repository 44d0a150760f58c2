"""Resuming: the last whole checkpoint is found, and why newer ones were passed over is said."""

import shutil

import pytest

from helpers.model.checkpoint import last_whole_checkpoint

NEEDED = (
    "model.safetensors",
    "optimizer.pt",
    "scheduler.pt",
    "trainer_state.json",
    "rng_state.pth",
)


@pytest.fixture(scope="module")
def run(tmp_path_factory, toy_model):
    """Return a folder with two checkpoints that a real trainer wrote."""
    from trl import SFTConfig, SFTTrainer

    from helpers.model.dataset import to_dataset
    from helpers.model.load import load

    folder = tmp_path_factory.mktemp("run")
    model, tokenizer = load(toy_model)
    talk = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    args = SFTConfig(
        output_dir=str(folder), max_steps=4, save_steps=2, logging_steps=1, use_cpu=True,
        bf16=False, report_to="none", disable_tqdm=True, dataloader_pin_memory=False,
        per_device_train_batch_size=1, gradient_checkpointing=False,
    )  # fmt: skip
    SFTTrainer(model=model, args=args, train_dataset=to_dataset([{"messages": talk}] * 4),
               processing_class=tokenizer).train()  # fmt: skip
    return folder


@pytest.fixture
def copied(run, tmp_path):
    return shutil.copytree(run, tmp_path / "run")


def test_the_last_one_if_whole(run, capsys):
    assert last_whole_checkpoint(run) == run / "checkpoint-4"
    assert capsys.readouterr().out == ""
    assert last_whole_checkpoint(run / "nowhere") is None


@pytest.mark.parametrize("name", NEEDED)
@pytest.mark.parametrize("how", ["half", "empty", "missing"])
def test_a_broken_one_is_passed_over_and_named(copied, capsys, name, how):
    path = copied / "checkpoint-4" / name
    if how == "missing":
        path.unlink()
    else:
        raw = path.read_bytes()
        path.write_bytes(raw[: len(raw) // 2] if how == "half" else b"")
    missing_random_state = (name, how) == ("rng_state.pth", "missing")  # the trainer copes with it
    expected = copied / ("checkpoint-4" if missing_random_state else "checkpoint-2")
    assert last_whole_checkpoint(copied) == expected
    said = capsys.readouterr().out
    assert missing_random_state or ("checkpoint-4 is passed over" in said and "跳过" in said)
    words = {"missing": ("missing", "weights"), "half": ("breaks off",), "empty": ("breaks off",)}
    assert missing_random_state or any(word in said for word in words[how])


def test_no_whole_one_begins_anew(copied, capsys):
    for path in copied.glob("checkpoint-*"):
        (path / "trainer_state.json").unlink()
    assert last_whole_checkpoint(copied) is None
    assert capsys.readouterr().out.count("is passed over") == 2


def test_a_byte_changed_in_the_optimizer_is_noticed(copied):
    path = copied / "checkpoint-4" / "optimizer.pt"
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 255
    path.write_bytes(bytes(raw))
    assert last_whole_checkpoint(copied) == copied / "checkpoint-2"


def test_the_trainer_goes_on_from_it(copied, toy_model):
    from trl import SFTConfig, SFTTrainer

    from helpers.model.dataset import to_dataset
    from helpers.model.load import load

    (copied / "checkpoint-4" / "optimizer.pt").write_bytes(b"PK half")
    model, tokenizer = load(toy_model)
    talk = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    args = SFTConfig(
        output_dir=str(copied), max_steps=4, save_strategy="no", use_cpu=True, bf16=False,
        report_to="none", disable_tqdm=True, dataloader_pin_memory=False,
        per_device_train_batch_size=1, gradient_checkpointing=False, logging_steps=1,
    )  # fmt: skip
    trainer = SFTTrainer(model=model, args=args, train_dataset=to_dataset([{"messages": talk}] * 4),
                         processing_class=tokenizer)  # fmt: skip
    trainer.train(resume_from_checkpoint=last_whole_checkpoint(copied))
    assert trainer.state.global_step == 4
    assert [row["step"] for row in trainer.state.log_history if "loss" in row][-2:] == [3, 4]
