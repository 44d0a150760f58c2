"""The bootstrap cell and what it calls, with stand-ins for the platforms' marks, pip and git."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from helpers import platforms
from helpers.base import CourseError, root

CELL = (root() / "notebooks" / "bootstrap.py").read_text(encoding="utf-8")
MARKS = {"colab": "COLAB_RELEASE_TAG", "kaggle": "KAGGLE_KERNEL_RUN_TYPE"}
# as on a Colab image: trl, bitsandbytes and bm25s are absent
IMAGE = {
    "torch": "2.11.0+cu128",
    "numpy": "2.1.3",
    "transformers": "5.15.0",
    "peft": "0.20.0",
    "datasets": "4.8.0",
    "pyarrow": "21.0.0",
    "torchao": "0.10.0",
}
PINS = {"trl": "1.16.0", "bitsandbytes": "0.50.2", "torch": "2.13.0"}


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    """Start as on a laptop where nothing was set."""
    jax = ("JAX_PLATFORMS", "XLA_PYTHON_CLIENT_PREALLOCATE")
    hub = ("HF_ENDPOINT", "HF_HUB_DISABLE_XET")
    for name in ("CUDA_VISIBLE_DEVICES", *hub, *jax, *MARKS.values()):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


def test_threads_spin_briefly_unless_somebody_chose(monkeypatch):
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    platforms.prepare()
    assert os.environ["GOMP_SPINCOUNT"] == "10000"
    monkeypatch.setenv("GOMP_SPINCOUNT", "5")
    platforms.prepare()
    assert os.environ["GOMP_SPINCOUNT"] == "5"
    monkeypatch.delenv("GOMP_SPINCOUNT")
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    platforms.prepare()
    assert "GOMP_SPINCOUNT" not in os.environ


@pytest.fixture
def image(monkeypatch):
    """Pretend to be a cloud image and record pip's calls: [(arguments, constraints)]."""
    packages, calls = dict(IMAGE), []

    def pip(*arguments):
        frozen = [Path(arguments[i + 1]) for i, a in enumerate(arguments) if a == "--constraint"]
        calls.append((arguments, frozen[0].read_text().split() if frozen else []))
        if arguments[0] == "uninstall":
            packages.pop(arguments[-1])
        else:
            packages.update(a.split("==") for a in arguments if "==" in a)
            packages.update(pyarrow="24.0.0")  # free to move with datasets

    monkeypatch.setattr(platforms, "installed", packages.get)
    monkeypatch.setattr(platforms, "pip", pip)
    monkeypatch.setattr(platforms, "pinned", lambda: PINS)
    # as in a fresh session: other tests in this process have loaded them
    for name in {*IMAGE, "trl", "bitsandbytes", "bm25s", "rensa", "accelerate", "huggingface_hub"}:
        monkeypatch.delitem(sys.modules, name, raising=False)
    return packages, calls


def test_a_laptop_is_left_alone(image, monkeypatch, capsys):
    _, calls = image
    assert platforms.prepare() == "laptop"
    assert calls == []
    assert "CUDA_VISIBLE_DEVICES" not in os.environ
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("place", MARKS)
def test_the_cloud_gets_what_is_missing_and_nothing_else_moves(image, monkeypatch, place, capsys):
    _, calls = image
    monkeypatch.setenv(MARKS[place], "x")
    assert platforms.prepare() == place
    assert os.environ.get("CUDA_VISIBLE_DEVICES") == ("0" if place == "kaggle" else None)
    (uninstall, _), (install, frozen) = calls
    assert uninstall == ("uninstall", "--yes", "torchao")
    assert install[-2:] == ("trl==1.16.0", "bitsandbytes==0.50.2")  # bm25s has no pin yet
    image_own = ("torch", "numpy", "transformers", "peft")
    assert frozen == [f"{name}=={IMAGE[name]}" for name in image_own]  # datasets, pyarrow may move
    assert "trl、bitsandbytes" in capsys.readouterr().out
    platforms.prepare()
    assert len(calls) == 2  # a second run of the cell has nothing to do


@pytest.mark.parametrize(
    ("version", "calls_made"), [("0.10.0", 1), ("0.15.1+cu1", 1), ("0.16.0", 0), (None, 0)]
)
def test_only_an_old_torchao_goes(image, version, calls_made):
    packages, calls = image
    packages["torchao"] = version
    platforms.remove_old_torchao()
    assert len(calls) == calls_made


def test_a_package_too_old_is_replaced_by_the_oldest_that_works(image, monkeypatch, capsys):
    packages, calls = image
    packages |= {"transformers": "5.0.0", "tokenizers": "0.22.1", "datasets": "4.0.0"}
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Interactive")
    platforms.prepare()
    oldest = platforms.OLDEST
    arguments, frozen = calls[-1]
    wanted = ["trl==1.16.0", "bitsandbytes==0.50.2"]
    wanted += [f"{name}=={oldest[name]}" for name in ("transformers", "datasets")]
    assert list(arguments[-4:]) == wanted
    # neither is held back by the constraints, nor are the tokenizers that come with transformers
    assert frozen == ["torch==2.11.0+cu128", "numpy==2.1.3", "peft==0.20.0"]
    assert f"transformers 5.0.0 → {oldest['transformers']}" in capsys.readouterr().out
    platforms.prepare()
    assert calls[-1][0] is arguments  # mended: nothing more to do


def test_an_old_trl_is_replaced_by_the_pinned_one(image, monkeypatch):
    packages, calls = image
    packages |= {"trl": "0.25.0", "bitsandbytes": "0.50.2"}
    monkeypatch.setenv("COLAB_RELEASE_TAG", "x")
    platforms.prepare()
    assert calls[-1][0][-1] == "trl==1.16.0"


@pytest.mark.parametrize("name", platforms.IRREPLACEABLE)
def test_an_old_torch_or_numpy_is_named_and_left(image, monkeypatch, capsys, name):
    packages, calls = image
    packages[name] = "1.9.0+cu1"
    monkeypatch.setenv("COLAB_RELEASE_TAG", "x")
    platforms.prepare()
    said = f"{name} 1.9.0+cu1 (≥ {platforms.OLDEST[name]})"
    assert f"⚠️ older than the lessons were tried on: {said}" in capsys.readouterr().out
    arguments, frozen = calls[-1]
    assert not any(a.startswith(f"{name}==") for a in arguments)
    assert f"{name}==1.9.0+cu1" in frozen


@pytest.mark.parametrize(
    ("version", "old"),
    [("5.1.9", True), ("5.2.0", False), ("5.2", False), ("5.10.0", False), ("4.57.6", True),
     ("5.2.0.dev0", False), ("5.15.0+local", False), (None, False)],
)  # fmt: skip
def test_versions_are_compared_as_numbers(image, monkeypatch, version, old):
    packages, _ = image
    monkeypatch.setattr(platforms, "OLDEST", {"transformers": "5.2.0"})
    packages["transformers"] = version
    assert platforms.too_old() == ({"transformers": version} if old else {})


def test_a_replaced_package_that_was_loaded_asks_for_a_restart(image, monkeypatch):
    packages, _ = image
    packages["transformers"] = "5.0.0"
    monkeypatch.setenv("COLAB_RELEASE_TAG", "x")
    monkeypatch.setitem(sys.modules, "transformers", sys)
    with pytest.raises(CourseError, match=r"transformers was already loaded.*请重启会话"):
        platforms.prepare()


def test_the_oldest_versions_are_no_newer_than_the_pins_and_stand_in_the_readme():
    pins, text = platforms.pinned(), (root() / "README.md").read_text(encoding="utf-8")
    for name, version in platforms.OLDEST.items():
        assert platforms.release(version) <= platforms.release(pins[name])
    listed = ", ".join(f"{name} {version}" for name, version in platforms.OLDEST.items())
    assert listed in text, f"README.md should list: {listed}"


def test_jax_where_it_is_installed_leaves_the_gpu_alone(tmp_path):
    """bm25s imports JAX, and JAX would take the card: it is told not to before anything loads."""
    (tmp_path / "jax").mkdir()
    (tmp_path / "jax" / "__init__.py").write_text(
        "import os\nprint('jax on', os.environ.get('JAX_PLATFORMS'))\nraise ImportError('enough')\n"
    )
    code = "from helpers import platforms; platforms.prepare(); import bm25s.selection"
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("JAX_", "XLA_"))}
    for chosen, said in (({}, "cpu"), ({"JAX_PLATFORMS": "cuda"}, "cuda")):
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=root(), capture_output=True, text=True,
            env=clean | {"PYTHONPATH": str(tmp_path)} | chosen,
        )  # fmt: skip
        assert done.stdout.splitlines()[:1] == [f"jax on {said}"], done.stderr


def test_kaggle_keeps_a_choice_of_gpu_that_is_made_already(image, monkeypatch):
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Interactive")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    platforms.prepare()
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "1"


def test_kaggle_asks_for_a_restart_when_torch_came_first(image, monkeypatch):
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Interactive")
    monkeypatch.setitem(sys.modules, "torch", sys)
    with pytest.raises(CourseError, match=r"torch was already loaded.*请重启会话"):
        platforms.prepare()


def test_a_package_that_moved_under_a_loaded_one_asks_for_a_restart(image, monkeypatch):
    monkeypatch.setenv("COLAB_RELEASE_TAG", "x")
    monkeypatch.setitem(sys.modules, "pyarrow", sys)
    with pytest.raises(CourseError, match="pyarrow was already loaded"):
        platforms.prepare()


def test_mirrors_do_without_xet(monkeypatch):
    platforms.quiet()
    assert "HF_HUB_DISABLE_XET" not in os.environ
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.example")
    platforms.quiet()
    assert os.environ["HF_HUB_DISABLE_XET"] == "1"


def test_pip_is_this_pythons_and_its_failure_is_explained(monkeypatch):
    commands = []

    def run(command, **_):
        commands.append(command)
        return subprocess.CompletedProcess(command, len(commands) - 1, "", "noise\nERROR: no host")

    monkeypatch.setattr(subprocess, "run", run)
    platforms.pip("install", "x==1")
    assert commands[0][:4] == [sys.executable, "-m", "pip", "install"]
    with pytest.raises(CourseError, match=r"pip failed \(ERROR: no host\).*Settings → Internet"):
        platforms.pip("install", "x==1")


def test_pins_are_read_from_any_requirements_file(tmp_path):
    path = tmp_path / "requirements.txt"
    path.write_text(
        "# heading\n\nTorch==2.13.0   # all: tensors\nfoo[bar]==1.2 ; python_version > '3'\n"
        "huggingface_hub==1.0\nloose>=3\n-r other.txt\n",
        encoding="utf-8",
    )
    assert platforms.pinned(path) == {"torch": "2.13.0", "foo": "1.2", "huggingface-hub": "1.0"}
    assert platforms.pinned(tmp_path / "absent.txt") == {}


def test_what_the_cloud_wants_is_pinned_here():
    """A package without a pin would be passed over without a word."""
    assert set(platforms.WANTED) <= set(platforms.pinned())


def test_the_modules_that_run_before_pip_need_no_package():
    code = (
        "import sys; from helpers import platforms; platforms.prepare();"
        "print([m for m in sys.modules if 'site-packages' in str(getattr(sys.modules[m], "
        "'__file__', ''))])"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], capture_output=True, text=True, cwd=root()
    )
    assert done.stdout.strip() == "[]", done.stderr


# --- the cell itself, run in a fresh process as a notebook would run it


@pytest.fixture
def repo(tmp_path) -> str:
    """Make a git repository with a helpers/platforms.py that tells what it was called with."""
    source = tmp_path / "remote" / "finetuning-path"
    (source / "helpers").mkdir(parents=True)
    (source / "helpers" / "__init__.py").touch()
    (source / "helpers" / "platforms.py").write_text("def prepare(): print('prepared')\n")
    git = ["git", "-C", str(source), "-c", "user.name=x", "-c", "user.email=x@example.com"]
    for words in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "x"]):
        subprocess.run([*git, *words], check=True)
    return source.as_uri()


def run_cell(folder: Path, repo: str = "", **environment: str):
    """Run the bootstrap cell in a folder; return the finished process and its sys.path[0]."""
    cell = re.sub('(?m)^REPO = ".*"', f'REPO = "{repo}"', CELL)
    code = cell + "\nimport helpers.platforms, json\nprint(json.dumps(helpers.platforms.__file__))"
    marks = dict.fromkeys(MARKS.values())
    clean = {k: v for k, v in os.environ.items() if k not in marks and k != "PYTHONPATH"}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder, env=clean | environment, capture_output=True, text=True, encoding="utf-8",
    )  # fmt: skip


@pytest.mark.parametrize("place", [".", "notebooks", "helpers/show/fonts"])
def test_on_a_laptop_the_cell_finds_the_root_from_below(place):
    done = run_cell(root() / place)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == str(root() / "helpers" / "platforms.py")


def test_on_a_laptop_outside_the_course_the_cell_fetches_nothing_and_says_what_to_do(
    tmp_path, repo
):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    done = run_cell(folder, repo)
    assert done.returncode != 0
    assert "Open the notebook inside the course's folder ｜ 请在课程文件夹里" in done.stderr
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("mark", MARKS.values())
def test_in_the_cloud_the_cell_fetches_the_course_once(tmp_path, repo, mark):
    folder = tmp_path / "content"
    folder.mkdir()
    for remote in (repo, "file:///gone/finetuning-path"):  # the second run needs no remote
        done = run_cell(folder, remote, **{mark: "x"})
        assert done.returncode == 0, done.stderr
        said, path = done.stdout.splitlines()
        assert said == "prepared"
        assert Path(json.loads(path)) == folder / "finetuning-path" / "helpers" / "platforms.py"


def test_in_the_cloud_without_internet_the_cell_says_so(tmp_path):
    done = run_cell(tmp_path, "file:///gone/finetuning-path", KAGGLE_KERNEL_RUN_TYPE="x")
    assert done.returncode != 0
    assert "is the internet on? ｜ 下载失败：网络打开了吗？" in done.stderr


def test_the_real_helpers_run_from_a_fresh_clone_with_a_fake_pip(tmp_path):
    """The whole road on Kaggle: clone, pin one GPU, call pip with constraints."""
    source, bin_ = tmp_path / "remote" / "finetuning-path", tmp_path / "fake"
    shutil.copytree(root() / "helpers", source / "helpers")
    (source / "requirements.txt").write_text("trl==1.16.0\nabsent-package==1.0\n")
    # a stand-in that shadows the packages' metadata: no trl here, an old torchao
    (bin_ / "pip").mkdir(parents=True)
    (bin_ / "pip" / "__init__.py").touch()
    (bin_ / "pip" / "__main__.py").write_text(
        "import sys, os\nlog = open(os.environ['PIP_LOG_FILE'], 'a')\n"
        "log.write(' '.join(sys.argv[1:]) + '\\n')\n"
        "for a, b in zip(sys.argv, sys.argv[1:]):\n"
        "    if a == '--constraint': log.write(open(b).read())\n"
    )
    (bin_ / "sitecustomize.py").write_text(
        "from importlib import metadata\n"
        "image = {'torchao': '0.10.0', 'torch': '2.10.0+cu126', 'peft': '0.19.1'}\n"
        "def version(name):\n"
        "    if name in image: return image[name]\n"
        "    raise metadata.PackageNotFoundError(name)\n"
        "metadata.version = version\n"
    )
    git = ["git", "-C", str(source), "-c", "user.name=x", "-c", "user.email=x@example.com"]
    for words in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "x"]):
        subprocess.run([*git, *words], check=True)
    log, folder = tmp_path / "pip.log", tmp_path / "working"
    folder.mkdir()
    done = run_cell(
        folder,
        source.as_uri(),
        KAGGLE_KERNEL_RUN_TYPE="Interactive",
        PYTHONPATH=str(bin_),
        PIP_LOG_FILE=str(log),
    )
    assert done.returncode == 0, done.stderr
    assert "Installing trl" in done.stdout
    lines = log.read_text().splitlines()
    assert lines[0].startswith("uninstall --yes torchao")
    assert lines[1].startswith("install --quiet --constraint ")
    assert "trl==1.16.0" in lines[1]
    assert lines[2:] == ["torch==2.10.0+cu126", "peft==0.19.1"]


def test_the_cell_is_short_and_names_the_address_once():
    assert len(CELL.splitlines()) <= 30
    assert len(re.findall('(?m)^REPO = "(https://.+)?"', CELL)) == 1
    assert all(len(line) <= 100 for line in CELL.splitlines())
