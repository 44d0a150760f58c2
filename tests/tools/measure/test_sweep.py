"""Recorded runs: reading them; the tool that makes, resumes and merges them; those that ship."""

import json
import mmap

import pytest

from helpers.base import CourseError
from helpers.data.jsonl import read_jsonl, write_jsonl
from helpers.lingxi.files import select
from helpers.measure import sweeps
from helpers.show.plots import panels
from tools.measure import sweep

BASE = "0123abcd"


def made(settings, **measured):
    """Make up a run's line, for the tests of the machinery alone."""
    return settings | dict.fromkeys(sweeps.MEASURES, 0.5) | measured | {"n": 80, "cores": 2}


@pytest.fixture
def tool(monkeypatch, tmp_path):
    """Let the tool write to a folder of its own and count instead of train."""
    runs: list[dict] = []

    def apart(function, *args, fork):
        if function == sweep.school:
            return 0.9
        runs.append(args[0])
        if args[0]["lr"] == 666:
            raise CourseError(en="this run failed", zh="失败")
        return made(args[0], loss=len(runs))

    monkeypatch.setattr(sweep, "apart", apart)
    monkeypatch.setattr(sweeps, "fingerprint", lambda: BASE)
    monkeypatch.setattr(sweep, "FOLDER", tmp_path)
    grids = {"rate": [sweep.config("lora", lr) for lr in (1e-3, 1e-2)]}
    grids["zoo"] = [sweep.config("full"), sweep.config("lora", 1e-2)]
    monkeypatch.setattr(sweep, "GRIDS", grids)
    monkeypatch.setattr(sweep, "SEEDS", dict.fromkeys(grids, (0, 1, 2)))

    def call(*options):
        runs.clear()
        assert sweep.main([*options, "--out", str(tmp_path)]) == 0
        return list(runs)

    call.folder = tmp_path
    return call


# --- reading


def test_by_gives_the_mean_and_the_worst_and_best_seed():
    rows = [{"lr": lr, "all": v} for lr, v in ((0.1, 0.5), (0.01, 0.2), (0.1, 0.7), (0.1, 0.9))]
    found = sweeps.by(rows, "lr", "all")
    assert list(found) == [0.01, 0.1]
    assert found[0.1][:4] == pytest.approx((0.7, 0.5, 0.9, 3)) and found[0.1].unit == "share"
    assert str(found[0.01]) == "20 % [20, 20], n = 1"


def test_best_is_the_lowest_mean_and_not_the_luckiest_seed():
    rows = [{"lr": lr, "loss": v} for lr, v in ((1, 0.1), (1, 0.9), (2, 0.4), (2, 0.4))]
    assert sweeps.best(rows) == 2


def test_methods_keep_the_order_of_the_file():
    rows = [{"method": m, "loss": 1.0} for m in ("prompt", "full", "lora")]
    assert list(sweeps.by(rows, "method", "loss")) == ["prompt", "full", "lora"]


def test_a_grid_that_is_not_recorded_names_the_command():
    with pytest.raises(CourseError, match=r"sweep\.py --grid nothing ｜ 还没有记录|还没有记录"):
        sweeps.read("nothing")


def test_one_seed_can_be_read_alone(monkeypatch, tmp_path):
    monkeypatch.setattr(sweeps, "root", lambda: tmp_path)
    rows = [{"seed": 0, "loss": 1.0}, {"seed": 1, "loss": 2.0}, {"seed": 1, "loss": 3.0}]
    write_jsonl(tmp_path / "data" / "sweeps" / "rate.jsonl", rows)
    monkeypatch.setenv(sweeps.ONE_SEED, "1")
    assert [row["loss"] for row in sweeps.read("rate")] == [2.0, 3.0]
    monkeypatch.setenv(sweeps.ONE_SEED, "2")
    with pytest.raises(CourseError, match="no recorded runs"):
        sweeps.read("rate")
    monkeypatch.delenv(sweeps.ONE_SEED)
    assert len(sweeps.read("rate")) == 3


def test_fingerprint_depends_on_weights_and_on_the_rows_that_runs_use(monkeypatch, tmp_path):
    monkeypatch.setattr(sweeps, "root", lambda: tmp_path)
    model = [tmp_path / sweeps.XIAOXI / name for name in ("model.safetensors", "tokenizer.json")]
    for path in model:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("a")
    data, seen = tmp_path / "data" / "lingxi", set()
    rows = {n: [{field: value, "n": 1}, {field: "other", "n": 2}]
            for n, (field, value) in sweeps.USED.items()}  # fmt: skip
    for name in rows:
        write_jsonl(data / f"{name}.jsonl", rows[name])
    seen.add(sweeps.fingerprint())
    for name in rows:  # a row that no run uses, and the order of a row's fields, count for nothing
        swapped = dict(reversed(rows[name][0].items()))
        write_jsonl(data / f"{name}.jsonl", [swapped, rows[name][1] | {"n": 3}])
        assert {sweeps.fingerprint()} == seen
    for path in model:
        path.write_text("b")
        seen.add(sweeps.fingerprint())
    for name in rows:
        write_jsonl(data / f"{name}.jsonl", [rows[name][0] | {"n": 3}])
        seen.add(sweeps.fingerprint())
    assert len(seen) == 6


# --- the tool


def test_first_seed_of_every_grid_comes_first_and_nothing_runs_twice(tool):
    runs = tool("--grid", "rate", "zoo")
    assert [(r["seed"], r["method"], r["lr"]) for r in runs[:3]] == [
        (0, "lora", 1e-3), (0, "lora", 1e-2), (0, "full", sweep.BEST["full"]),
    ]  # fmt: skip
    assert len(runs) == 9  # of 12: LoRA at 1e-2 stands in both grids
    assert len(read_jsonl(tool.folder / "zoo.jsonl")) == 6
    assert tool("--grid", "rate", "zoo") == []


def test_a_killed_sweep_goes_on_and_a_cut_line_is_left_out(tool, capsys):
    tool("--grid", "rate")
    path = tool.folder / "rate.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[:-40])
    runs = tool("--grid", "rate")
    assert len(runs) == 1 and "left out" in capsys.readouterr().out
    assert {sweeps.key(r) for r in read_jsonl(path)} == {
        sweeps.key(json.loads(line)) for line in whole.splitlines()
    }


def test_runs_of_another_model_or_outside_the_grid_are_dropped(tool, capsys):
    tool("--grid", "rate")
    path = tool.folder / "rate.jsonl"
    rows = read_jsonl(path)
    strangers = [rows[0] | {"base": "ffffffff"}, rows[0] | {"lr": 5.0}, rows[0]]
    partial = {name: value for name, value in rows[0].items() if name != "loss"} | {"seed": 9}
    write_jsonl(path, [*rows, *strangers, partial])
    assert tool("--grid", "rate") == []
    assert read_jsonl(path) == rows and "4 runs dropped" in capsys.readouterr().out


def test_parts_share_a_grid_and_merge_into_the_whole(tool, tmp_path):
    first = tool("--grid", "rate", "--part", "1/2")
    (tmp_path / "rate.jsonl").rename(tmp_path / "a.jsonl")
    second = tool("--grid", "rate", "--part", "2/2")
    assert len(first) == len(second) == 3
    assert not {sweeps.key(r) for r in first} & {sweeps.key(r) for r in second}
    tool("--grid", "rate", "--merge", str(tmp_path / "a.jsonl"))
    assert len(read_jsonl(tmp_path / "rate.jsonl")) == 6
    assert tool("--grid", "rate") == []


@pytest.mark.parametrize("text", ["0/2", "3/2", "x", "1/0", "1", "1/2/3", "", "1/x", "1.0/2"])
def test_a_part_that_is_none_is_refused(tool, capsys, text):
    with pytest.raises(SystemExit) as stopped:
        tool("--grid", "rate", "--part", text)
    said = capsys.readouterr().err
    assert stopped.value.code == 2 and not [*tool.folder.iterdir()]
    assert f"{text!r} is no part: write i/n" in said and "请写 i/n" in said


def test_more_seeds_add_to_what_there_is(tool):
    tool("--grid", "rate")
    assert {r["seed"] for r in tool("--grid", "rate", "--seeds", "0", "3", "4")} == {3, 4}


def test_a_failed_run_is_told_and_the_others_are_made(tool, monkeypatch, capsys):
    monkeypatch.setitem(sweep.GRIDS, "rate", [sweep.config("lora", lr) for lr in (666, 1e-2)])
    assert sweep.main(["--grid", "rate", "--seeds", "0", "--out", str(tool.folder)]) == 1
    assert "❌" in capsys.readouterr().out
    assert [r["lr"] for r in read_jsonl(tool.folder / "rate.jsonl")] == [1e-2]


def test_time_is_up_stops_between_runs(tool, capsys):
    assert tool("--grid", "rate", "--minutes", "-1") == []
    assert "call again" in capsys.readouterr().out


def test_memory_sees_what_is_taken():
    with sweep.Memory() as memory:
        taken = mmap.mmap(-1, 80_000_000)  # fresh pages, whatever this process has freed before
        taken.write(b"1" * len(taken))
        memory.done.wait(0.5)
    taken.close()
    assert 60 < memory.rise < 400


def test_a_loss_that_is_no_number_can_be_written():
    assert (sweep.finite(float("nan")), sweep.finite(1.23456)) == (99.0, 1.2346)


def test_panels_draw_one_bar_for_each_method_that_ran():
    rows = [made(sweep.config(m)) for m in ("full", "lora", "lora")]
    names = {"full": "all ｜ 全", "lora": "LoRA ｜ 低秩", "ia3": "IA3 ｜ 缩放"}
    fig = panels(rows, "method", names, {"all": "all ｜ 全对", "seconds": "s ｜ 秒"}, "t ｜ 题")
    assert [len(ax.patches) for ax in fig.axes] == [2, 2]
    assert fig.axes[0].patches[0].get_width() == 50  # per cent


# --- the runs that ship


@pytest.mark.parametrize("grid", [*sweep.GRIDS])
def test_recorded_runs_are_whole_and_of_this_model_and_data(grid):
    rows, base = sweeps.read(grid), sweeps.fingerprint()
    mend = f"python -m tools.measure.sweep --grid {grid}"
    assert all(sweep.belongs(row, grid, base) for row in rows), f"made with other data: {mend}"
    wanted = {sweeps.key(s) for _, s in sweep.wanted([grid], None, base)}
    assert wanted <= {sweeps.key(row) for row in rows}, f"runs are missing: {mend}"
    assert len({sweeps.key(row) for row in rows}) == len(rows)


def test_every_method_runs_at_the_best_rate_that_was_tried():
    found = {}
    for method in sweep.BEST:
        losses = {r["lr"]: r["loss"] for r in select(sweeps.read("zoo_rates"), method=method)}
        found[method] = min(lr for lr, loss in losses.items() if loss < min(losses.values()) + 0.01)
    assert found == sweep.BEST, "set BEST in tools/measure/sweep.py, then make the other grids"
