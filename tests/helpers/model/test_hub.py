"""Where a model comes from: folder, cache, hub or mirror, ModelScope, and Xiaoxi at last."""

import errno
import shutil
import sys
from types import SimpleNamespace

import httpx
import huggingface_hub
import pytest
from huggingface_hub import constants, errors

from helpers import env
from helpers.base import CourseError
from helpers.model import hub

ID = "Qwen/Qwen2.5-0.5B-Instruct"


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """Have an empty cache, no site in reach, no ModelScope, and Xiaoxi in a folder."""
    xiaoxi = make_model(tmp_path / "course" / env.XIAOXI)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(hub, "root", lambda: tmp_path / "course")
    monkeypatch.setattr(hub, "reachable", lambda *_: False)
    monkeypatch.setitem(sys.modules, "modelscope", None)
    monkeypatch.chdir(tmp_path)
    return xiaoxi


def make_model(folder):
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"")
    return folder


def offer(monkeypatch, site, answer):
    """Let a site be in reach and answer a download with a folder or an error; count its calls."""
    calls = []

    def download(model, **options):
        calls.append((model, options))
        if options.get("local_files_only"):
            raise errors.LocalEntryNotFoundError("none")
        if isinstance(answer, BaseException):
            raise answer
        return str(answer)

    monkeypatch.setattr(hub, "reachable", lambda url, *_: site in url)
    if site == "modelscope":
        monkeypatch.setitem(sys.modules, "modelscope", SimpleNamespace(
            snapshot_download=download, __spec__=SimpleNamespace(name="modelscope")
        ))  # fmt: skip
    else:
        monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    return calls


def test_a_folder_needs_no_hub(nowhere, tmp_path):
    mine = make_model(tmp_path / "mine")
    assert hub.find_model(mine) == mine
    assert hub.find_model("mine") == hub.find_model("./mine")
    assert hub.find_model(env.XIAOXI) == nowhere  # from the repository's root, wherever we are


def test_a_folder_may_look_like_a_hub_id(nowhere, tmp_path, monkeypatch):
    make_model(tmp_path / ID)
    monkeypatch.setattr(hub, "cached", lambda _: pytest.fail("asked the hub"))
    assert hub.find_model(ID).resolve() == tmp_path / ID


@pytest.mark.parametrize("path", ["missing", "./a/b", "/a/b", "../a", "~/nothing/here", "a/b/c"])
def test_a_missing_folder_is_named(nowhere, path):
    with pytest.raises(CourseError, match=r"no such folder.*没有这个文件夹") as caught:
        hub.find_model(path)
    assert caught.value.where == path


def test_a_folder_without_model_is_named(nowhere, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(CourseError, match=r"no config\.json") as caught:
        hub.find_model(tmp_path / "empty")
    assert caught.value.where == str(tmp_path / "empty")


def test_out_of_reach_xiaoxi_stands_in_with_a_notice(nowhere, capsys):
    assert hub.find_model(ID) == nowhere
    shown = capsys.readouterr().out
    assert shown.startswith(f"⚠️ {ID} cannot be fetched")
    assert " ｜ ⚠️ 无法下载" in shown
    assert 'PROFILE = "tiny"' in shown
    assert "HF_ENDPOINT" in shown


def cache_model(cache, files):
    """Write what the hub's cache holds after a download."""
    repo = cache / f"models--{ID.replace('/', '--')}"
    snapshot = repo / "snapshots" / "1a2b"
    snapshot.mkdir(parents=True)
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text("1a2b")
    for name, text in files.items():
        (snapshot / name).write_text(text)
    return snapshot


def test_a_cached_model_needs_no_hub(nowhere, tmp_path):
    snapshot = cache_model(tmp_path / "cache", {"config.json": "{}", "model.safetensors": ""})
    assert hub.find_model(ID) == snapshot


def test_a_cached_model_that_broke_off_is_not_used(nowhere, tmp_path):
    index = '{"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}'
    files = {"config.json": "{}", "model.safetensors.index.json": index, "model-1.safetensors": ""}
    snapshot = cache_model(tmp_path / "cache", files)
    assert hub.find_model(ID) == nowhere
    (snapshot / "model-2.safetensors").write_text("")
    assert hub.find_model(ID) == snapshot


def test_the_hub_is_asked_before_modelscope(nowhere, tmp_path, monkeypatch):
    calls = offer(monkeypatch, "huggingface.co", make_model(tmp_path / "got"))
    assert hub.find_model(ID) == tmp_path / "got"
    assert calls[-1] == (ID, {"ignore_patterns": hub.NOT_NEEDED})


def test_a_mirror_takes_the_hubs_place(nowhere, tmp_path, monkeypatch):
    offer(monkeypatch, "mirror.example", make_model(tmp_path / "got"))
    assert hub.find_model(ID) == nowhere
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.example")
    assert hub.find_model(ID) == tmp_path / "got"


def test_modelscope_comes_when_the_hub_is_out_of_reach(nowhere, tmp_path, monkeypatch):
    calls = offer(monkeypatch, "modelscope", make_model(tmp_path / "got"))
    assert hub.find_model(ID) == tmp_path / "got"
    assert calls == [(ID, {"ignore_patterns": hub.NOT_NEEDED})]


@pytest.mark.parametrize("site", ["huggingface.co", "modelscope"])
@pytest.mark.parametrize("error", [httpx.ConnectError("cut"), OSError("reset"), ValueError("x")])
def test_a_download_that_breaks_off_falls_back(nowhere, monkeypatch, site, error):
    offer(monkeypatch, site, error)
    assert hub.find_model(ID) == nowhere


@pytest.mark.parametrize("site", ["huggingface.co", "modelscope"])
def test_a_full_disk_while_fetching_is_said(nowhere, monkeypatch, site):
    offer(monkeypatch, site, OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(CourseError, match=r"disk is full.*磁盘已满"):
        hub.find_model(ID)


def test_a_model_that_the_hub_does_not_know_is_not_replaced_in_silence(nowhere, monkeypatch):
    answer = httpx.Response(404, request=httpx.Request("GET", "https://huggingface.co"))
    try:
        error = errors.RepositoryNotFoundError("404", response=answer)
    except TypeError:
        error = errors.RepositoryNotFoundError("404")
    offer(monkeypatch, "huggingface.co", error)
    with pytest.raises(CourseError, match=r"no such model.*没有这个模型") as caught:
        hub.find_model(ID)
    assert caught.value.where == ID


def test_offline_mode_is_respected(monkeypatch):
    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: pytest.fail("asked"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert hub.reachable(hub.HUB) is False


@pytest.mark.parametrize(("answer", "reached"), [(None, True), (404, True), ("dead", False)])
def test_any_answer_counts_as_in_reach(monkeypatch, answer, reached):
    import urllib.error

    def urlopen(request, timeout):
        assert (request.method, timeout) == ("HEAD", 3.0)
        if answer == 404:
            raise urllib.error.HTTPError(request.full_url, 404, "no", {}, None)
        if answer == "dead":
            raise urllib.error.URLError("no route")
        return SimpleNamespace(close=lambda: None)

    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setattr("urllib.request.urlopen", urlopen)
    assert hub.reachable("https://huggingface.co") is reached


def test_blocked_sockets_mean_out_of_reach(monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE")
    assert hub.reachable(hub.HUB) is False


def test_whole_means_config_and_all_weights(tmp_path):
    folder = make_model(tmp_path / "m")
    assert hub.is_whole(folder)
    (folder / "config.json").unlink()
    assert not hub.is_whole(folder)
    shutil.rmtree(folder)
    assert not hub.is_whole(folder)
