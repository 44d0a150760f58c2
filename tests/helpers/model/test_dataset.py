"""What trainers are given: rows of messages, and answers that are not to be learned masked."""

import json

import pytest

from helpers.base import CourseError
from helpers.data.check import MASKED
from helpers.model.dataset import to_dataset, training_set

GOOD = {
    "messages": [{"role": "user", "content": "罚多少？"}, {"role": "assistant", "content": "200元"}]
}


def write(path, *rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


def turns(*answers):
    made = []
    for n, (text, rest) in enumerate(answers):
        made += [
            {"role": "user", "content": f"{n}?"},
            {"role": "assistant", "content": text} | rest,
        ]
    return {"messages": made}


PARTLY = [
    turns(("first", {"weight": 0}), ("second", {"weight": 1})),
    turns(("third", {}), ("fourth", {"train": False})),
    {"instruction": "a", "output": "fifth"},
]


def test_without_a_tokenizer_rows_are_messages_alone(tmp_path):
    rows, report = training_set(
        write(tmp_path / "a.jsonl", GOOD | {"gold": {"n": 1}}), folder=tmp_path
    )
    assert rows.column_names == ["messages"] and rows[0] == GOOD and report.good == 1
    with pytest.raises(CourseError, match="give training_set the tokenizer"):
        training_set(write(tmp_path / "a.jsonl", *PARTLY), folder=tmp_path)
    with pytest.raises(CourseError, match="no row of this file"):
        training_set(write(tmp_path / "a.jsonl", {"text": "a"}), folder=tmp_path)


def test_dataset_has_messages_alone():
    rows = to_dataset([{**GOOD, "gold": {"fine": 200}}, {**GOOD, "gold": {"fine": None}}])
    assert rows.column_names == ["messages"] and rows[0] == GOOD


@pytest.fixture(scope="module")
def xiaoxi():
    from helpers.model.load import load

    return load("data/models/xiaoxi")


def test_the_trainer_learns_the_answers_that_are_to_be_learned(tmp_path, xiaoxi):
    """A real SFTTrainer: labels are -100 on all but these answers and their end tokens."""
    from trl import SFTConfig, SFTTrainer

    model, tokenizer = xiaoxi
    rows, report = training_set(write(tmp_path / "a.jsonl", *PARTLY), tokenizer, tmp_path / "own")
    assert report.notices[MASKED] == 2 and rows[0]["messages"][1]["content"] == "first"
    args = SFTConfig(
        output_dir=str(tmp_path / "run"), use_cpu=True, bf16=False, assistant_only_loss=True,
        per_device_train_batch_size=3, disable_tqdm=True, report_to="none",
        dataloader_pin_memory=False, gradient_checkpointing=False,
    )  # fmt: skip
    trainer = SFTTrainer(model=model, args=args, train_dataset=rows, processing_class=tokenizer)
    batch = next(iter(trainer.get_train_dataloader()))
    learned = set()
    for ids, labels in zip(batch["input_ids"].tolist(), batch["labels"].tolist(), strict=True):
        assert all(label in (-100, i) for i, label in zip(ids, labels, strict=True))
        learned.add(tokenizer.decode([label for label in labels if label != -100]))
    assert learned == {"second<|im_end|>", "third<|im_end|>", "fifth<|im_end|>"}
