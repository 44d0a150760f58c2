"""A file of your own: sixty that failed once, the report."""

import errno
import json
import os
from pathlib import Path

import pytest

from helpers import base
from helpers.base import CourseError
from helpers.data.check import SHOWN, check_file
from helpers.data.jsonl import read_jsonl

CASES = Path(__file__).parent / "cases"
GOOD = {
    "messages": [{"role": "user", "content": "罚多少？"}, {"role": "assistant", "content": "200元"}]
}

# file: (rows kept, rows left out, words of its first problem, notice or error)
EXPECTED = {
    "kto_false.jsonl": (1, 1, '"label" is false'),
    "top_system_messages.jsonl": (1, 0, ""),
    "top_system_pc.jsonl": (1, 0, ""),
    "pref_system_question.jsonl": (1, 0, ""),
    "weights.jsonl": (1, 0, "not to be learned"),
    "loss_false.jsonl": (1, 0, "not to be learned"),
    "train_false.jsonl": (1, 0, "not to be learned"),
    "images_placeholder.jsonl": (0, 1, 'needs its "images"'),
    "sharegpt_extra_images.jsonl": (0, 1, 'needs its "image"'),
    "function_call_legacy.jsonl": (0, 1, "calls or answers a tool"),
    "reasoning_content.jsonl": (1, 0, "reasoning_content is kept, but not trained on"),
    "dup_keys.jsonl": (2, 1, 'the key "output" stands twice'),
    "special_tokens.jsonl": (0, 1, "<|im_end|>, a control token"),
    "zero_width_answer.jsonl": (1, 1, "message 2 is an empty answer"),
    "instr_empty_input.jsonl": (1, 0, ""),
    "pref_sharegpt.json": (1, 0, ""),
    "pref_sharegpt_text.jsonl": (1, 0, ""),
    "pref_alpaca.json": (1, 0, ""),
    "pref_prompt_and_full.jsonl": (1, 0, ""),
    "pref_messages_key.jsonl": (1, 0, ""),
    "pref_anthropic_dict.jsonl": (1, 0, ""),
    "js_escape.jsonl": (1, 0, ""),
    "null_pref_columns.jsonl": (1, 0, ""),
    "empty_messages_alpaca.jsonl": (1, 0, ""),
    "bom_midfile.jsonl": (3, 0, ""),
    "bom_each_line.jsonl": (3, 0, ""),
    "bom_twice.jsonl": (3, 0, ""),
    "bom_mid_array.json": (3, 0, ""),
    "zwsp_before_brace.jsonl": (3, 0, ""),
    "glued_join.jsonl": (4, 0, ""),
    "glued_objects.jsonl": (3, 0, ""),
    "space_sep.jsonl": (3, 0, ""),
    "commas_at_line_ends.jsonl": (3, 0, ""),
    "pretty_in_jsonl.jsonl": (3, 0, ""),
    "pretty_first_lost_brace.json": (2, 1, "line 2: this is no JSON object"),
    "jsonl_then_array.jsonl": (3, 0, ""),
    "jsonl_then_array_multi.jsonl": (3, 0, ""),
    "markdown_fence_array.json": (3, 1, "line 1: this is no JSON object: ```json"),
    "fence_rowline_array.json": (3, 1, "line 1: this is no JSON object: ```json"),
    "prose_then_array.json": (3, 1, "line 1: this is no JSON object: Here are your rows:"),
    "two_fences.md": (3, 2, "line 1: this is no JSON object: Part 1"),
    "var_prefix.json": (3, 1, "line 1: this is no JSON object: const data = ["),
    "cr_only.jsonl": (3, 0, ""),
    "messages_fromvalue.jsonl": (1, 0, ""),
    "text_parts.jsonl": (1, 0, ""),
    "list_of_message_lists.json": (3, 0, ""),
    "wrapped_data.json": (3, 0, "stand inside an object"),
    "utf16le_bom.jsonl": (3, 0, "read as UTF-16"),
    "utf16_array.json": (3, 0, "read as UTF-16"),
    "oneline_array_bad_rows.json": (3, 2, "line 1, row 2: message 2 is an empty answer"),
    "empty.jsonl": (0, 0, "the file is empty"),
    "empty_array.json": (0, 0, "an empty list"),
    "a.csv": (2, 0, ""),
    "a.xlsx": (0, 0, "damaged or breaks off (Excel)"),
    "a.jsonl.gz": (3, 0, ""),
    "a.zip": (3, 0, ""),
    "a.parquet": (3, 0, ""),
    "lfs_pointer.jsonl": (0, 0, "a Git LFS pointer"),
    "html.jsonl": (0, 0, "a web page"),
    "raw_tab.jsonl": (2, 1, "write the tab in a text as \\t"),
    "empty_conversations.jsonl": (1, 1, 'no list of messages under "conversations"'),
}


def test_every_case_has_its_row_in_the_table():
    assert {path.name for path in CASES.iterdir()} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_cases(tmp_path, name):
    report = check_file(CASES / name, tmp_path)
    words = "\n".join([*map(str, report.first), *report.noticed(), str(report.error or "")])
    assert (report.good, report.bad) == EXPECTED[name][:2]
    assert EXPECTED[name][2] in words and bool(EXPECTED[name][2]) == bool(words)
    assert (report.error is None) == bool(report.good)
    if report.good:
        for row in read_jsonl(report.rows):
            *_, asked, told = row["messages"]
            assert (asked["role"], told["role"]) == ("user", "assistant")


TEXTS = {  # of some cases, what the first row must say, turn by turn
    "top_system_messages.jsonl": [
        "Answer in metres.", "How tall is tower 1?", "Tower 1 is 10 metres tall."],
    "top_system_pc.jsonl": ["Answer in metres.", "How tall?", "Ten"],
    "pref_system_question.jsonl": ["Be brief.", "How tall?", "Ten"],
    "instr_empty_input.jsonl": ["How tall?", "Ten"],
    "pref_sharegpt.json": ["How tall?", "Ten"],
    "pref_sharegpt_text.jsonl": ["How tall?", "Ten"],
    "pref_alpaca.json": ["How tall?", "Ten"],
    "pref_prompt_and_full.jsonl": ["How tall is tower 1?", "Tower 1 is 10 metres tall."],
    "pref_messages_key.jsonl": ["How tall is tower 1?", "Tower 1 is 10 metres tall."],
    "pref_anthropic_dict.jsonl": ["How tall is tower 1?", "Tower 1 is 10 metres tall."],
    "null_pref_columns.jsonl": ["How tall?", "Ten"],
    "empty_messages_alpaca.jsonl": ["How tall?", "Ten"],
    "messages_fromvalue.jsonl": ["a", "b"],
    "text_parts.jsonl": ["How tall?", "Tower 1 is 10 metres tall."],
    "a.csv": ["How tall is tower 1?", "Ten metres"],
    "utf16_array.json": ["塔1有多高？", "塔1高10米。"],
}  # fmt: skip


@pytest.mark.parametrize("name", TEXTS)
def test_what_is_learned_of_a_case(tmp_path, name):
    row = read_jsonl(check_file(CASES / name, tmp_path).rows)[0]
    assert [message["content"] for message in row["messages"]] == TEXTS[name]


def write(path, *rows):
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("\n".join(lines), "utf-8")
    return path


def test_the_report_and_its_files(tmp_path):
    bad = [{"text": n} for n in range(30)]
    report = check_file(write(tmp_path / "a.jsonl", GOOD, *bad, GOOD), tmp_path / "out")
    assert (report.good, report.bad, len(report.first)) == (2, 30, SHOWN)
    assert report.formats == {"messages": 2}
    assert read_jsonl(report.rows) == [GOOD, GOOD]
    told = report.problems.read_text("utf-8").splitlines()
    assert len(told) == 30 and told[0].startswith("line 2: the keys tell no known format: text")
    shown = str(report)
    assert "✅ 2 rows" in shown and "❌ 30 rows" in shown and "problems.txt" in shown
    assert check_file(tmp_path / "a.jsonl", tmp_path / "out", shown=100).first[29].line == 31


def test_a_file_without_a_good_row_leaves_the_rows_of_an_earlier_one(tmp_path):
    done = check_file(write(tmp_path / "a.jsonl", GOOD), tmp_path / "out")
    report = check_file(write(tmp_path / "a.jsonl", {"text": "a"}), tmp_path / "out")
    assert "no row of this file" in report.error.en and "❌" in str(report)
    assert read_jsonl(done.rows) == [GOOD]
    assert "no known format" in done.problems.read_text("utf-8")


@pytest.mark.parametrize("text", ["instruction,output\n", "instruction,output\n,\n"])
def test_a_table_without_rows(tmp_path, text):
    report = check_file(write(tmp_path / "a.csv", text), tmp_path / "out")
    assert "there is no row in it" in report.error.en and not report.first


def test_a_missing_file_leaves_no_folder_behind(tmp_path):
    report = check_file(tmp_path / "no.jsonl", tmp_path / "new" / "out")
    assert "no such file" in report.error.en
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("folder", ["a.jsonl", "a.jsonl/out"])
def test_a_folder_that_cannot_be_made_is_named(tmp_path, folder):
    with pytest.raises(CourseError, match=r"not saved .* ｜ 没有保存"):
        check_file(write(tmp_path / "a.jsonl", GOOD), tmp_path / folder)
    assert os.listdir(tmp_path) == ["a.jsonl"]


@pytest.mark.parametrize("name", ["rows.jsonl", "problems.txt"])
def test_a_folder_that_may_not_be_written_to_is_named(tmp_path, monkeypatch, name):
    path = write(tmp_path / "a.jsonl", GOOD)
    done, replace = check_file(path, tmp_path / "out"), os.replace

    def refuse(old, new):
        if new.name == name:
            raise PermissionError(errno.EACCES, "Permission denied")
        replace(old, new)

    monkeypatch.setattr(base.os, "replace", refuse)
    with pytest.raises(CourseError, match=r"not saved \(Permission denied\)"):
        check_file(write(path, GOOD, GOOD), tmp_path / "out")
    assert read_jsonl(done.rows) == [GOOD]


def test_notices_are_counted(tmp_path):
    report = check_file(
        write(tmp_path / "a.jsonl", *[{"prompt": 1, "completion": 2}] * 3), tmp_path
    )
    assert report.noticed() == ["a number is read as text (3 rows) ｜ 数字按文本读取（3 行）"]
