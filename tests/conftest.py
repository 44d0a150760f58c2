"""What all tests share: one thread, no network, and a toy model made on the spot."""

import os
from pathlib import Path

import pytest

# before torch, transformers or datasets are imported by anything
os.environ["OMP_NUM_THREADS"] = "1"
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")  # as helpers.platforms.short_spin
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ["HF_HUB_OFFLINE"] = "1"

TESTS = Path(__file__).parent
LOCAL = ["127.0.0.1", "::1", "localhost"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let tests that run notebooks talk to their kernels on this machine, and to nobody else."""
    for item in items:
        if item.get_closest_marker("notebooks"):
            item.add_marker(pytest.mark.allow_hosts(LOCAL))


@pytest.fixture
def offline_env() -> dict[str, str]:
    """Return an environment for child processes in which Python reaches this machine alone."""
    paths = [str(TESTS / "offline"), *filter(None, [os.environ.get("PYTHONPATH")])]
    # lessons run on all cores, as a user's do; the one thread is for tests in this process
    mine = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    return mine | {"PYTHONPATH": os.pathsep.join(paths)}


@pytest.fixture(scope="session")
def toy_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder with a random Qwen2 (hidden 64, 2 layers) and its byte-level BPE tokenizer."""
    folder = tmp_path_factory.mktemp("models") / "toy"
    from tests.toys import random_qwen2, toy_tokenizer

    tokenizer = toy_tokenizer()
    tokenizer.save_pretrained(folder)
    random_qwen2(tokenizer).save_pretrained(folder)
    return folder
