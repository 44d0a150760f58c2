"""Rows as trainers take them: a `datasets.Dataset`, of the world's rows or of a file of yours."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers.base import CourseError
from helpers.data.check import MASKED, Report, check_file
from helpers.data.jsonl import Row, stream_jsonl
from helpers.model.loss import encode

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase


def training_set(
    path: Path | str,
    tokenizer: "PreTrainedTokenizerBase | None" = None,
    folder: Path | str | None = None,
) -> tuple["Dataset", Report]:
    """Check a file of your own; return its good rows, as TRL takes them, and the report.

    With a tokenizer each row also has `input_ids` and `labels` (-100 where nothing is learned), and
    answers with "train": False are not learned: SFTTrainer takes such rows as they are. Rows are
    read from the disk as they are needed. Raises CourseError if no row is good, or if some answer
    is not to be learned and there is no tokenizer.
    """
    from datasets import Dataset

    report = check_file(path, folder)
    if report.error:
        print(report)
        raise report.error
    if MASKED in report.notices and tokenizer is None:
        raise CourseError(
            en="some answers are marked as not to be learned. Mend: give training_set the "
            "tokenizer, so that it masks them.",
            zh="有的回答标明了不参与训练。改法：把 tokenizer 传给 training_set，由它来掩码。",
            where=str(path),
        )
    made = {"path": str(report.rows), "when": report.rows.stat().st_mtime_ns}  # made anew: no cache
    return Dataset.from_generator(_examples, gen_kwargs=made | {"tokenizer": tokenizer}), report


def to_dataset(rows: Iterable[Row]) -> "Dataset":
    """Return a `datasets.Dataset` with the one column `messages`, as TRL takes it."""
    from datasets import Dataset

    # the other fields are of mixed types, which Arrow refuses
    return Dataset.from_list([{"messages": row["messages"]} for row in rows])


def _examples(path: str, when: int, tokenizer: Any) -> Iterator[Row]:
    """Yield the messages of each row of a file, and what a tokenizer makes of them."""
    for row in stream_jsonl(path):
        said = [{key: m[key] for key in ("role", "content")} for m in row["messages"]]
        if tokenizer is None:
            yield {"messages": said}
            continue
        ids, mask = encode(tokenizer, row["messages"])
        labels = [i if counts else -100 for i, counts in zip(ids, mask, strict=True)]
        yield {"messages": said, "input_ids": ids, "labels": labels}
