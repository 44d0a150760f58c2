"""`make lab`, with a stand-in for the browser: notebook 00 opens, in a workspace that is empty."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.notebooks  # a server on this machine
def test_the_lab_opens_the_first_notebook_and_nothing_of_a_session_before(tmp_path):
    left = ROOT / "build" / "lab" / "default-37a8.jupyterlab-workspace"  # by a browser, last time
    left.parent.mkdir(parents=True, exist_ok=True)
    left.write_text('{"data": {"tabs": "of yesterday"}, "metadata": {"id": "default"}}')
    said, browser = tmp_path / "opened", tmp_path / "browser.sh"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {said}.new && mv {said}.new {said}\n')
    browser.chmod(0o755)
    options = "--port=0 --ip=127.0.0.1 --allow-root --IdentityProvider.token=secret"
    stamp = f"{sys.prefix}/.finetuning-path-installed"
    server = subprocess.Popen(
        ["make", "lab", "-o", stamp, f"PY={sys.executable}", f"LAB={options}"],
        cwd=ROOT, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        env=os.environ | {"BROWSER": f"{browser} %s", "VIRTUAL_ENV": sys.prefix,
                          "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime")},
    )  # fmt: skip
    try:
        for _ in range(600):
            if said.exists() or server.poll() is not None:
                break
            time.sleep(0.1)
        assert said.exists(), server.stderr.read().decode()
        page = Path(said.read_text().removeprefix("file://")).read_text(encoding="utf-8")
        url = re.search(r"(http://[^/]+)(/lab/tree/[^?\"]+)", page)
        assert url.group(2) == "/lab/tree/00_start_here.ipynb"

        def ask(path: str, **options) -> str:
            headers = {"Authorization": "token secret", "Content-Type": "application/json"}
            request = urllib.request.Request(url.group(1) + path, headers=headers, **options)
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.read().decode()

        assert '"news": {"disabled": true}' in ask(url.group(2))
        assert json.loads(ask("/lab/api/workspaces/"))["workspaces"]["ids"] == []
        assert json.loads(ask("/api/contents/00_start_here.ipynb?content=0"))["type"] == "notebook"
        today = json.dumps({"data": {}, "metadata": {"id": "default"}}).encode()
        ask("/lab/api/workspaces/default", data=today, method="PUT")  # as the page does
        assert len(list(left.parent.glob("*.jupyterlab-workspace"))) == 1  # not in the user's own
    finally:
        os.killpg(server.pid, 15)
        server.communicate()
