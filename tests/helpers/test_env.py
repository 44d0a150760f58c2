"""Profiles, device and dtype with reasons, seeds, threads, memory, paths."""

import random
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from helpers import base, env
from helpers.base import CourseError, say
from helpers.env import choose_dtype, resolve


def has_chinese(text: str) -> bool:
    return any("\u4e00" <= letter <= "\u9fff" for letter in text)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch):
    """Pretend that torch sees a GPU of a compute capability (None: no GPU)."""

    def pretend(capability: tuple[int, int] | None) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: capability is not None)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: capability)
        # a T4 says True here; nothing may ask
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda *_, **__: pytest.fail("asked"))

    return pretend


@pytest.mark.parametrize(
    ("capability", "profile", "device", "dtype"),
    [
        (None, "tiny", "cpu", "float32"),
        ((6, 0), "tiny", "cpu", "float32"),  # Kaggle's P100
        ((7, 0), "tiny", "cpu", "float32"),
        ((7, 5), "t4", "cuda", "float16"),
        ((8, 0), "gpu", "cuda", "bfloat16"),
        ((9, 0), "gpu", "cuda", "bfloat16"),
        ((12, 0), "gpu", "cuda", "bfloat16"),
    ],
)
def test_auto_chooses_by_the_gpu(gpu, capability, profile, device, dtype):
    gpu(capability)
    setup = resolve("auto")
    assert (setup.profile, setup.device, setup.dtype) == (profile, device, dtype)
    assert setup.model == env.PROFILES[profile]
    assert has_chinese(setup.reason_zh)
    assert not has_chinese(setup.reason_en)
    assert "{" not in setup.reason_en + setup.reason_zh
    assert setup.use_cpu == (device == "cpu")
    assert (setup.fp16, setup.bf16) == (dtype == "float16", dtype == "bfloat16")


def test_an_old_gpu_is_named_with_its_mend(gpu):
    gpu((6, 0))
    setup = resolve("auto")
    assert "6.0" in setup.reason_en
    assert "T4" in setup.reason_en
    assert "T4" in setup.reason_zh


def test_a_profile_that_wants_a_gpu_runs_on_the_cpu_and_says_so(gpu):
    gpu(None)
    for profile in ("t4", "gpu"):
        setup = resolve(profile)
        assert (setup.profile, setup.device, setup.dtype) == (profile, "cpu", "float32")
        assert profile in setup.reason_en
        assert "slowly" in setup.reason_en


@pytest.mark.parametrize(
    ("capability", "device", "dtype"),
    [(None, "cpu", "float32"), ((7, 5), "cuda", "float16"), ((8, 0), "cuda", "bfloat16")],
)
def test_small_is_a_real_model_on_any_machine(gpu, capability, device, dtype):
    gpu(capability)
    setup = resolve("small")
    assert (setup.device, setup.dtype, setup.model) == (device, dtype, env.SMOLLM2)
    assert "slowly" not in setup.reason_en


@pytest.mark.parametrize(
    ("profile", "model", "langs"),
    [
        ("tiny", None, ("en", "zh")),
        ("small", None, ("en",)),
        ("small", "owner/other", ("en",)),
        ("tiny", env.SMOLLM2, ("en",)),
        ("t4", "HuggingFaceTB/SmolLM2-360M-Instruct", ("en",)),
        ("t4", "smollm2/other", ("en", "zh")),
        ("t4", None, ("en", "zh")),
    ],
)
def test_smollm2_is_asked_in_english_alone(gpu, profile, model, langs):
    gpu(None)
    assert resolve(profile, model).langs == langs


def test_tiny_and_smoke_stay_on_the_cpu_beside_a_gpu(gpu):
    gpu((9, 0))
    for profile in ("tiny", "smoke"):
        setup = resolve(profile)
        assert (setup.device, setup.dtype, setup.model) == ("cpu", "float32", env.XIAOXI)
        assert setup.smoke == (profile == "smoke")


def run_here(code: str) -> str:
    """Run Python code in a fresh process and return what it prints."""
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=base.root(), check=True
    ).stdout


def test_tiny_needs_no_torch():
    code = "import sys, helpers.env; helpers.env.resolve('tiny'); print('torch' in sys.modules)"
    assert run_here(code).strip() == "False"


def test_model_replaces_the_profiles_own(gpu):
    gpu((7, 5))
    setup = resolve("auto", model="owner/other")
    assert (setup.profile, setup.model) == ("t4", "owner/other")
    assert resolve("tiny", model="").model == env.XIAOXI
    assert resolve("tiny", model=base.root() / "x").model == str(base.root() / "x")


@given(st.text(max_size=12).filter(lambda name: name not in ("auto", *env.PROFILES)))
def test_an_unknown_profile_is_refused_in_both_languages(name):
    with pytest.raises(CourseError) as caught:
        resolve(name)
    for text in (caught.value.en, caught.value.zh):
        assert name in text
        assert all(
            f'"{known}"' in text for known in ("auto", "tiny", "smoke", "small", "t4", "gpu")
        )
        assert "PROFILE" in text
    assert has_chinese(caught.value.zh)


@given(st.sampled_from(["t4", "gpu"]), st.tuples(st.integers(7, 20), st.integers(0, 9)))
def test_no_gpu_below_ampere_gets_bfloat16(profile, capability):
    device, dtype, _, _ = choose_dtype(profile, capability)
    assert (dtype == "bfloat16") == (capability >= (8, 0))
    assert (device == "cuda") == (capability >= (7, 5))


@pytest.mark.parametrize(
    ("variable", "colab", "kaggle"),
    [("COLAB_RELEASE_TAG", True, False), ("KAGGLE_KERNEL_RUN_TYPE", False, True)],
)
def test_platform_marks(monkeypatch, variable, colab, kaggle):
    assert not resolve("tiny").in_colab
    assert not resolve("tiny").in_kaggle
    monkeypatch.setenv(variable, "x")
    setup = resolve("tiny")
    assert (setup.in_colab, setup.in_kaggle) == (colab, kaggle)


def test_colab_is_known_by_its_module_too(monkeypatch):
    monkeypatch.setitem(sys.modules, "google.colab", sys)
    assert resolve("tiny").in_colab


def test_set_seed_repeats_every_source_of_chance():
    def draw():
        return random.random(), np.random.rand(), torch.rand(1).item()  # noqa: NPY002

    env.set_seed(7)
    first = draw()
    env.set_seed(7)
    assert draw() == first
    env.set_seed(8)
    again = draw()
    assert all(a != b for a, b in zip(again, first, strict=True))


def test_threads_keep_to_physical_cores_and_to_the_environment(monkeypatch):
    import psutil

    before = torch.get_num_threads()
    try:
        monkeypatch.setenv("OMP_NUM_THREADS", "3")
        assert env.threads() == 3 == torch.get_num_threads()
        monkeypatch.delenv("OMP_NUM_THREADS")
        monkeypatch.setattr(psutil, "cpu_count", lambda logical=True: 16 if logical else 1)
        assert env.threads() == 1 == torch.get_num_threads()
        monkeypatch.setattr(psutil, "cpu_count", lambda logical=True: None)
        assert env.threads() >= 1
    finally:
        torch.set_num_threads(before)


PEAK = """
from helpers.env import peak_memory_gb
before = peak_memory_gb()
block = bytearray(b"x") * 300_000_000
during = peak_memory_gb()
del block
print(before, during, peak_memory_gb())
"""


def test_peak_memory_grows_with_what_is_used_and_stays():
    before, during, after = map(float, run_here(PEAK).split())
    assert 0.005 < before < 0.2
    assert 0.28 < during - before < 0.35
    assert after > during - 0.005  # the kernel counts in batches of pages


@pytest.mark.parametrize(
    ("capability", "total", "share", "dtype"),
    [
        ((9, 0), 4 * 14.56 * 2**30, 0.25, "float16"),
        ((8, 6), 8 * 2**30, 1.0, "float16"),  # a smaller card gives all that it has
        ((7, 5), 14.56 * 2**30, None, "float16"),  # it is a T4
        ((6, 0), 16 * 2**30, None, "float32"),  # older than one: the CPU is used
    ],
)
def test_a_newer_gpu_computes_as_a_t4_where_the_environment_says_so(
    gpu, monkeypatch, capability, total, share, dtype
):
    gpu(capability)
    shares = []
    card = type("Card", (), {"total_memory": total})
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: card)
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", shares.append)
    before = resolve("t4")
    assert not shares
    monkeypatch.setenv(env.AS_T4, "1")
    setup = resolve("t4")
    assert setup.dtype == dtype
    assert shares == ([] if share is None else [pytest.approx(share)])
    if dtype == "float16":
        assert "AS_T4" in setup.reason_en and "AS_T4" in setup.reason_zh
        assert resolve("auto").profile == "t4"
    else:
        assert setup == before


def test_without_a_gpu_as_t4_changes_nothing(gpu, monkeypatch):
    gpu(None)
    before = [resolve(profile) for profile in ("t4", "small", "auto")]
    monkeypatch.setenv(env.AS_T4, "1")
    assert [resolve(profile) for profile in ("t4", "small", "auto")] == before


def test_peak_memory_is_the_gpus_where_it_was_used(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: 2_500_000_000)
    assert env.peak_memory_gb() == 2.5


def test_say_prints_one_line_in_both_languages(capsys):
    say("hello", "你好")
    assert capsys.readouterr().out == "hello ｜ 你好\n"


def test_course_error_names_place_and_both_languages():
    error = CourseError(en="bad", zh="不对", where="data/x.jsonl:3")
    assert str(error) == "data/x.jsonl:3: bad ｜ 不对"
    assert str(CourseError("bad", "不对")) == "bad ｜ 不对"
    assert error._render_traceback_() == ["❌ data/x.jsonl:3: bad ｜ 不对"]


def test_jupyter_shows_a_course_error_without_its_stack(capsys):
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell()
    shell.run_cell("from helpers.env import resolve\nresolve('huge')")
    shown = capsys.readouterr()
    assert "❌ unknown profile" in shown.out + shown.err
    assert "Traceback" not in shown.out + shown.err


def test_root_is_the_folder_of_the_course():
    assert (base.root() / "helpers" / "env.py").is_file()
