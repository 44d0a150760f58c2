# @title Set up (run me) ｜ 准备（先运行这一格）
# Find the course's folder, or fetch it on Colab and Kaggle; the same cell in every notebook.
# 找到课程文件夹；在 Colab 和 Kaggle 上则先下载。每个 notebook 都用同一个单元格。
import os
import subprocess
import sys
from pathlib import Path

# the address of the course: `make badges` writes it ｜ 课程的网址，由 `make badges` 写入
REPO = ""
MARKS = {"COLAB_RELEASE_TAG", "KAGGLE_KERNEL_RUN_TYPE"}
in_cloud = bool(MARKS & set(os.environ)) or "google.colab" in sys.modules

places = [Path.cwd(), *Path.cwd().parents, Path.cwd() / Path(REPO).stem]
course = next((p for p in places if (p / "helpers" / "platforms.py").is_file()), None)
if course is None and in_cloud and REPO:
    course = places[-1]
    fetch = ["git", "clone", "--quiet", "--depth=1", REPO, str(course)]
    if subprocess.run(fetch, env=os.environ | {"GIT_TERMINAL_PROMPT": "0"}).returncode:
        raise OSError(f"Cannot fetch {REPO}: is the internet on? ｜ 下载失败：网络打开了吗？")
if course is None:
    raise OSError("Open the notebook inside the course's folder ｜ 请在课程文件夹里打开 notebook")
if str(course) not in sys.path:
    sys.path.insert(0, str(course))

from helpers import platforms  # noqa: E402

_ = platforms.prepare()
