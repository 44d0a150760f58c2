"""The check on a GPU, with a pretended card and pretended runs: settings, table, exit status."""

import json
import os

import pytest

from helpers import env
from helpers.base import CourseError
from helpers.lessons.sizes import SIZES
from tools import gpu_check
from tools.gpu_check import Card
from tools.nbkit.run import Run

H200 = Card("NVIDIA H200", 139.8)


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Return a function that sets the card and each lesson's error, and the runs that it got."""
    runs = []

    def set_up(card: Card | None, errors: dict[tuple[str, str], str] | None = None) -> list:
        def run(path, out, *, profile, model):
            asked = {name: os.environ.get(name) for name in (env.AS_T4, SIZES)}
            runs.append((path.stem[:2], profile, model, asked))
            error = (errors or {}).get((path.stem[:2], profile), "")
            return Run(path.stem, profile, False, not error, 1.5, 1.0, 9, [], error, [], path, 2.5)

        def apart(function, *arguments):
            if function is gpu_check.find_card:
                return card
            assert function in (env.resolve, gpu_check.dequantised)
            return function(*arguments) if function is env.resolve else None

        monkeypatch.setattr(gpu_check, "run_one", run)
        monkeypatch.setattr(gpu_check, "apart", apart)
        capability = card and (lambda: env.T4 if env.as_t4() else (9, 0))
        monkeypatch.setattr(env, "gpu_capability", capability or (lambda: None))
        return runs

    sources = gpu_check.src.sources(gpu_check.root())[:2]
    monkeypatch.setattr(gpu_check.src, "sources", lambda root, names: sources)
    monkeypatch.setattr(gpu_check, "small_model", lambda: tmp_path)
    monkeypatch.setattr(gpu_check, "root", lambda: tmp_path)
    monkeypatch.delenv(env.AS_T4, raising=False)
    monkeypatch.delenv(SIZES, raising=False)
    return set_up


def kept(tmp_path) -> dict:
    """Return what the check kept."""
    return json.loads((tmp_path / gpu_check.KEPT).read_text(encoding="utf-8"))


def test_on_a_card_each_lesson_runs_as_on_a_t4_and_as_it_is(machine, capsys, tmp_path):
    runs = machine(H200)
    assert gpu_check.main([]) == 0
    as_t4, as_it_is = {env.AS_T4: "1", SIZES: None}, {env.AS_T4: None, SIZES: None}
    model = env.SMOLLM2
    assert runs == [
        ("00", "t4", model, as_t4), ("01", "t4", model, as_t4),
        ("00", "gpu", model, as_it_is), ("01", "gpu", model, as_it_is),
    ]  # fmt: skip
    assert env.AS_T4 not in os.environ
    rows = kept(tmp_path)["rows"]
    assert [row["dtype"] for row in rows] == ["float16", "float16", "bfloat16", "bfloat16"]
    assert rows[0]["t4_minutes"] == pytest.approx(1.5 * 990 / 65)
    assert rows[2]["t4_minutes"] is None, "the estimate is for the run as a T4"
    assert rows[0]["gpu_gb"] == 2.5 and rows[0]["ok"]
    assert kept(tmp_path)["card"]["name"] == "NVIDIA H200"
    out = capsys.readouterr().out
    assert "an estimate" in out and "估计值" in out and "990 / 65" in out and "4800 / 320" in out
    assert out.count("passed ｜ 通过") == 8  # as it ends, and in the table


def test_one_lesson_that_fails_is_told_by_its_last_line_and_by_the_exit_status(
    machine, capsys, tmp_path
):
    error = "cell 9 (fit(x)): OutOfMemoryError: CUDA out of memory.\nTried to allocate 2 GiB"
    machine(H200, {("01", "t4"): error})
    assert gpu_check.main([]) == 1
    table = capsys.readouterr().out.split("lesson ｜ 课")[1].splitlines()
    bad = [line for line in table if line.startswith("❌")]
    assert len(bad) == 1 and "01_decision_tree" in bad[0] and bad[0].endswith("allocate 2 GiB")
    assert [row["ok"] for row in kept(tmp_path)["rows"]] == [True, False, True, True]
    machine(H200, {("01", "t4"): error})
    assert gpu_check.main(["--only", "gpu"]) == 0


def test_without_a_card_it_says_so_and_tries_the_code_in_a_few_steps(machine, capsys, tmp_path):
    runs = machine(None)
    assert gpu_check.main([]) == 0
    few = {env.AS_T4: None, SIZES: "smoke"}
    assert runs == [("00", "t4", env.SMOLLM2, few), ("01", "t4", env.SMOLLM2, few)]
    assert SIZES not in os.environ
    out = capsys.readouterr().out
    assert "no GPU" in out and "没有可用的 GPU" in out
    assert {row["dtype"] for row in kept(tmp_path)["rows"]} == {"float32"}
    assert kept(tmp_path)["card"] is None


def test_the_model_is_asked_for_before_anything_runs(machine, monkeypatch, capsys):
    def missing():
        raise CourseError("run `make small`", "请运行 `make small`")

    runs = machine(H200)
    monkeypatch.setattr(gpu_check, "small_model", missing)
    assert gpu_check.main([]) == 1
    assert "make small" in capsys.readouterr().err and not runs


@pytest.mark.parametrize(
    ("name", "times"),
    [
        ("Tesla T4", 1),
        ("NVIDIA A100-SXM4-80GB", 2039 / 320),
        ("NVIDIA A100-SXM4-40GB", 1555 / 320),
        ("NVIDIA H100 80GB HBM3", 990 / 65),
        ("NVIDIA L4", 121 / 65),
        ("NVIDIA L40S", 362 / 65),
    ],
)
def test_a_t4_takes_longer_by_the_larger_of_two_ratios(name, times):
    assert gpu_check.times_a_t4(gpu_check.speed_of(name)) == pytest.approx(times)


@pytest.mark.parametrize("name", ["NVIDIA T400 4GB", "NVIDIA A10G", "NVIDIA B200"])
def test_an_unknown_card_gets_no_estimate(name, machine, capsys, tmp_path):
    machine(Card(name, 4.0))
    assert gpu_check.main(["--only", "t4"]) == 0
    assert kept(tmp_path)["rows"][0]["t4_minutes"] is None
    assert f"the speed of {name} stands in no table" in capsys.readouterr().out


def test_the_card_is_looked_for_where_torch_sees_one(monkeypatch):
    import torch

    card = type("Card", (), {"name": "Tesla T4", "total_memory": 16 * 2**30})
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: card)
    for capability, found in (((7, 5), Card("Tesla T4", 16.0)), ((6, 0), None), (None, None)):
        monkeypatch.setattr(torch.cuda, "is_available", lambda has=capability: has is not None)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_, has=capability: has)
        assert gpu_check.find_card() == found
