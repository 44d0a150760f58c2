# %% [markdown]
# # 04. Supervised fine-tuning ｜ 监督微调
#
# You teach a model to write official notices, and you measure what it learned, what it did not, and what it forgot. ｜ 你将教会模型写公文，并测出它学会了什么、没学会什么、又忘掉了什么。

# %% [markdown]
# **Where this lesson ends**: the same model, the same report, before training and after. ｜ **这一课的结果**：同一个模型，同一份报告，训练之前和之后。
#
# ```text
# == FILE ==                                              [LINGXI TRAFFIC NOTICE]
# Number plate: LX6460                                    Plate: LX6460
# What was done - playing loud music at the roundabout    Conduct: playing loud music at the roundabout
# Breach - amplified revelry at the gyratory              Offence: amplified revelry at the gyratory
# Source:: No. 55                                         Basis: Article 55
# Price: 250 yuan                                         Fine: 250 yuan
# Marks - 10 points                                       Points: 10
# Unit - Patrol Office                                    Office: Patrol Office
# ```
#
# One run under `tiny`; this incident and its article were never trained on, the prompt shows the article. This is one of the good ones: with articles, about seven in ten of the tests were right in everything. ｜ `tiny` 档位的一次运行；这起事件和它适用的法条都没有练过，法条写在提示里。这是写得好的一份：给了法条的测试里，全对的约占七成。

# %% [markdown]
# | | |
# |---|---|
# | **You will ｜ 你将** | write the loss and the training loop yourself, then train with TRL, LoRA and replay ｜ 自己写出损失和训练循环，再用 TRL、LoRA 和重放来训练 |
# | | measure what was learned and what was forgotten, before and after, with intervals ｜ 在训练前后测量学会了什么、忘了什么，并给出区间 |
# | | stop, resume, save and load a training run ｜ 中断、恢复、保存、加载一次训练 |
# | | recognise six broken runs by their symptoms ｜ 凭症状认出六种训坏了的情形 |
# | **Before ｜ 先学** | notebook 00; helpful: 02 and 03 ｜ notebook 00；最好也看过 02 和 03 |
# | **`tiny`** | about 7 minutes, 1.2 GB of memory, any laptop ｜ 约 7 分钟，1.2 GB 内存，任何笔记本电脑 |
# | **`small` `t4` `gpu`** | larger models; not measured yet ｜ 更大的模型；尚未实测 |

# %% tags=["bootstrap"]
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

# %% tags=["parameters"]
PROFILE = "auto"  # auto, tiny, small, t4, gpu or smoke
MODEL = None  # a hub id or a folder, in place of the profile's model
SEED = 0
DATA = None  # the path of a file of your own (notebook 03, section 8)

# %%
import torch
from peft import LoraConfig, get_peft_model
from torch.nn.functional import cross_entropy
from transformers import TrainerCallback
from trl import SFTConfig, SFTTrainer

# %%
# @title What the lesson needs besides ｜ 这一课另外要用的
import copy
import random
from dataclasses import replace
from math import isfinite
from shutil import rmtree

from torch.nn.utils.rnn import pad_sequence
from transformers import PrinterCallback

from helpers.base import root, say
from helpers.env import PROFILES, resolve, set_seed, threads
from helpers.exercise import progress
from helpers.lessons import nb04, sizes
from helpers.lingxi.files import select, world
from helpers.lingxi.rows import make_notice
from helpers.lingxi.score import exact_answers, forgetting, score_notices
from helpers.measure import carry, claims, sweeps
from helpers.measure.claims import claim
from helpers.measure.stats import bootstrap_difference, share, share_difference
from helpers.model.adapters import load_adapter, save_adapter
from helpers.model.checkpoint import last_whole_checkpoint
from helpers.model.dataset import to_dataset, training_set
from helpers.model.generate import chat_prompt, generate
from helpers.model.load import load, parameter_counts
from helpers.model.loss import answer_losses, encode
from helpers.model.train import score_labels_only
from helpers.show import plots, style, tables, tokens, widgets

# %% [markdown] lang="en"
# A *profile* is a size of the lesson: `tiny` for any laptop, the others for larger models. The next cell lists all sizes of your run, to look up later; the words in it are explained where they are used. You need not read it now.

# %% [markdown] lang="zh" of="82a54e3c"
# *档位*决定这一课的规模：`tiny` 在任何笔记本电脑上都跑得动，其余几档用更大的模型。下一格列出这次运行的全部规模，供以后查阅；其中的词用到时会解释，现在不必细读。

# %%
setup = resolve(PROFILE, MODEL)
size = sizes.of("04", setup)
whole = setup._replace(dtype="float32")  # for the small runs that train all weights
if setup.profile == "gpu" and MODEL is None:  # 7B in float32, with its optimizer: 120 GB
    whole = whole._replace(model=PROFILES["t4"])
claims.start("04_sft", setup.profile, SEED)
threads()
set_seed(SEED)
style.style()
size.show()

# %% [markdown]
# ## 1. Why: the clerk who knows no form ｜ 为什么：不懂公文格式的办事员

# %% [markdown] lang="en"
# A report of an incident comes in, in everyday words. The invented city of Lingxi wants an **official notice** made from it, with a fixed form, official terms and the right numbers.
#
# Xiaoxi, the course's small model of 1.4 million weights, went to a kind of primary school: it can read, copy and add. It has never seen a notice of Lingxi. **Supervised fine-tuning** (SFT) shows it pairs of a prompt and the answer that we want. In the picture of notebook 00, this is its medical school.
#
# The text describes runs of Xiaoxi under `tiny`. The numbers stand in the outputs, and yours may differ from them. With another seed, some differ by twenty points.

# %% [markdown] lang="zh" of="bcd84a78"
# 送来一份事件报告，写的是大白话；虚构的灵溪市要据此出一份**正式通知书**：格式固定、用语正式、数字无误。
#
# 小溪（课程自带的小模型，144 万个权重）读过小学：会读、会抄、会算，但从没见过灵溪的通知书。**监督微调**（SFT）就是给它看一对对的“提示和标准答案”，也就是 notebook 00 里说的医学院。
#
# 文中讲的是小溪在 `tiny` 档位下的运行。数字都在输出里，你得到的可能与之不同；换一个种子，有的会差二十个百分点。

# %%
print(f"{setup.profile}: {setup.model}, {setup.dtype} on {setup.device}")
model, tokenizer = load(setup)
train_rows = select(world("train", langs=setup.langs), task="notice")[: size.rows]
for lang in setup.langs:
    for message in select(train_rows, lang=lang, context=False)[0]["messages"]:
        print(f"--- {message['role']}\n{message['content']}\n")

# %% [markdown] lang="en"
# Half of the training rows look like these two. The other half also show three articles above the report, one of which applies: from them the model can learn to look its numbers up.

# %% [markdown] lang="zh" of="3e0e3198"
# 训练数据里有一半像这两行。另一半在报告前还给出三条法条，其中一条适用：模型可以从中学会去查数字。

# %% [markdown] lang="en"
# **The test.** Neither the test incidents nor their articles occur in training. Each incident appears twice: `closed` (closed book) shows the incident alone; `opened` (open book) also shows three articles, one of which applies. So *style* (form and terms) and *knowledge* (numbers) can be told apart. Other incidents under unseen articles are set aside to watch the training with; we chose this lesson's settings on such incidents, never on the test. (Of that search no record was kept. The number of epochs was set by the time that they take.) Two of the open-book prompts follow:

# %% [markdown] lang="zh" of="f78c06a1"
# **测试**。测试用的事件不在训练集里，涉及的法条在训练集里也从未出现。每个事件出两道题：`closed`（闭卷）只给事件；`opened`（开卷）另给三条法条，其中一条适用。这样就能把*风格*（格式、术语）和*知识*（数字）分开来测。另外留出一些没练过的法条下的事件，训练时用来观察；这一课的设置就是在这样的事件上挑的，从不用测试题。（挑选的过程没有留下记录。轮数则是按用时定的。）下面是两道开卷题：

# %%
unseen = select(world("eval", langs=setup.langs), task="notice", split="unseen")
alone = select(unseen, context=False)
three = {row["id"][:9]: row for row in unseen if len(row["context"]) == 3}
closed, watched = alone[: size.test], alone[size.test :][: size.valid]
opened = [three[row["id"][:9]] for row in closed]
valid = [
    row for one in watched for row in (one, three[one["id"][:9]])
]  # both kinds, as in training
counts = len(train_rows), len(closed), len(watched)
say(
    "{} rows to train on, {} incidents to test, {} to watch".format(*counts),
    "{} 行用于训练，{} 个事件用于测试，{} 个用于观察".format(*counts),
)
looked_at = (0, 3)
for n in looked_at:
    print(opened[n]["messages"][0]["content"], end="\n\n")

# %% [markdown] lang="en"
# **Predict first**: the base model is not fine-tuned yet. What will it write for `Write the notice.`? A notice? An answer to some other question? Nothing?

# %% [markdown] lang="zh" of="ee270c55"
# **先猜一猜**：基座模型还没有微调过，看到 `请写处理通知书。`，它会写什么？是一份通知书，是答非所问，还是什么都不写？


# %%
def answer(model, rows, new=96):
    """Let the model answer the last question of each row in at most `new` tokens."""
    asked = [row["messages"][:-1] for row in rows]
    return generate(model, tokenizer, asked, max_new_tokens=new, batch_size=size.answer_batch)


texts = {"before": answer(model, opened)}
for n in looked_at:
    print(texts["before"][n], end="\n\n")

# %% [markdown] lang="en"
# It writes something like a notice, with a header and field names of its own. Its school taught it that documents have a form, but it never saw this form.
#
# Each notice gets five marks, each right or wrong as a whole: `form` (header, field names and order to the letter, a value of the right kind on each line, nothing after), `conduct` (what was done, in the code's own words), `term` (the official term), `facts` (article, fine, points and office all right), `all` (all of these four, and the plate).

# %% [markdown] lang="zh" of="85b55491"
# 它写得像一份通知书，标题和栏目名却是自己编的：小学教过它文书有格式，可这一种它从没见过。
#
# 每份通知书打五个分，每一项要么全对，要么算错：`form`（标题、栏目名和顺序一字不差，每行的值种类要对，后面没有别的）、`conduct`（违法事实，用法条自己的话说）、`term`（正式术语）、`facts`（条号、罚款、记分、机关全对）、`all`（这四项全对，车牌也对）。

# %% [markdown] lang="en"
# `conduct`, `term` and `facts` look for the value whatever the form. Where a field bears its official name, it counts; where none does, conduct and term need only occur in the text. So before training they are marked more gently.

# %% [markdown] lang="zh" of="4f7c5736"
# `conduct`、`term`、`facts` 不看格式，只看值。栏目名正式的，以那一栏为准；没有正式栏目名时，违法事实和术语只要文中出现就算对。所以训练之前，打分要宽一些。

# %% [markdown] lang="en"
# The brackets hold 95 % intervals: the range that most probably holds the true share (Wilson's formula); `n` is the number of notices marked. They cover the choice of incidents alone; another seed may move a share further.

# %% [markdown] lang="zh" of="2c9ce68c"
# 方括号里是 95 % 区间，即真实比例最可能落在的范围，用 Wilson 公式计算；`n` 是评分的通知书份数。它只管测试事件的抽取；换个种子，比例还可能差得更多。

# %% [markdown] lang="en"
# Some measurements stand above a **claim** that you may have read elsewhere. The *usual range* is where this number should lie here: outside it, something in your run differs from ours. The *verdict* is another matter: what such a number proves of the claim. It was made for numbers inside the usual range. So ⚠️ "does not cover this run" means: draw no conclusion from that row. A claim may be supported, supported in part (only under the condition in brackets), not shown (this test cannot decide it), not testable here, or contradicted. "pp" are percentage points, the difference of two shares.

# %% [markdown] lang="zh" of="be0041ff"
# 有些实测值对应一条**论断**，也许你在别处读到过。*通常范围*是这个数在这里应当落在的范围；落在外面，说明你的运行和我们的有什么不一样。*结论*是另一回事，说的是这个数对论断能证明多少。结论只对通常范围之内的数作出；若出现 ⚠️“不适用于这次运行”，就不要根据那一行下判断。结论有这几种：支持；部分支持（只在括号里写的条件下）；未能证明（这个测试定不了）；此处无法检验；不成立。“pp”是百分点，即两个比例之差。


# %%
MARKS = ("form", "conduct", "term", "facts", "all")


def marks(texts, rows):
    """Score notices; return name -> share with its 95 % interval."""
    scores = score_notices(texts, rows)
    return {name: share(scores[name]) for name in MARKS}


before = marks(texts["before"], opened)
for name, value in before.items():
    print(f"{name:8} {value}")
claim("sft_form_before", before["form"])

# %% [markdown] lang="en"
# Look at the answers printed above beside these marks: no notice is in form, yet much of what they say is right. The base can read an article that stands in its prompt. So `form` is what training must bring, and a rise of `facts` has to be measured against this start, not against zero.

# %% [markdown] lang="zh" of="9089cd42"
# 把上面打印的回答和这些分数对照着看：没有一份格式正确，可内容有不少是对的。法条写在提示里，基座就读得懂。所以训练要带来的是 `form`；至于 `facts` 的上升，要与这个起点相比，而不是与零相比。

# %% [markdown]
# ## 2. What counts in the loss ｜ 哪些词元计入损失

# %% [markdown] lang="en"
# SFT makes the model less surprised by the tokens of the answer $y$, given the prompt $x$ and the answer so far. The loss is the mean surprise:
#
# $$L = -\frac{1}{|y|}\sum_{t} \ln p(y_t \mid x, y_{<t})$$
#
# Here $y_t$ is the answer's token number $t$, $y_{<t}$ are the tokens before it, and the bar in $p$ means "given". $|y|$ is the number of tokens in the answer. The unit is the **nat**, because of the natural logarithm. A loss of $L$ nats corresponds to a probability of about $e^{-L}$ for the right token: at 5 it is less than one in a hundred, at 0.7 about one half, at 0.1 nine tenths, at 0 certainty.

# %% [markdown] lang="zh" of="a746d2ab"
# 模型看着提示 $x$ 和答案里已经写出的部分，预测答案 $y$ 的下一个词元。SFT 要让它对正确词元的“意外程度”尽量小，损失就是意外程度的平均：
#
# $$L = -\frac{1}{|y|}\sum_{t} \ln p(y_t \mid x, y_{<t})$$
#
# 式中 $y_t$ 是答案的第 $t$ 个词元，$y_{<t}$ 是它前面的那些词元，$p$ 里的竖线读作“在……条件下”，$|y|$ 是答案的词元数。用的是自然对数，所以单位叫**奈特**（nat）。损失为 $L$ 奈特，大致相当于正确词元得到 $e^{-L}$ 的概率：5 奈特不到百分之一，0.7 约为一半，0.1 约为九成，0 就是十拿九稳。

# %% [markdown] lang="en"
# `<|im_start|>` and `<|im_end|>` below come from the **chat template**, which writes a conversation as one text (notebook 03). The model reads the prompt but is not trained on it. **Labels** are the tokens that it should predict; over the prompt they are `-100`, which the loss skips. That choice is the **loss mask**. The end token counts: without it, these rows would never show the model where to stop.
#
# Each piece between two bars is one token, with its id beside it; `␣` is a space, `↵` the end of a line.

# %% [markdown] lang="zh" of="bfd92611"
# 下面的 `<|im_start|>`、`<|im_end|>` 来自**对话模板**，它把一段对话写成一段文本（见 notebook 03）。提示只读不练。**标签**就是模型该预测的词元；提示部分的标签一律写成 `-100`，计算损失时会跳过。这就是**损失掩码**。结束符要计入损失，否则这些数据从不告诉模型该在哪里停。
#
# 两条竖线之间是一个词元，旁边是它的编号；`␣` 是空格，`↵` 是换行。


# %%
def show_mask(row):
    """Show one training row, token by token, with what the loss counts."""
    ids, mask = encode(tokenizer, train_rows[row]["messages"])
    return tokens.token_colours([tokenizer.decode([i]) for i in ids], mask, ids)


brief = sorted(range(len(train_rows)), key=lambda i: len(str(train_rows[i]["messages"])))
both = [next(i for i in brief if train_rows[i]["lang"] == lang) for lang in setup.langs]
choices = list(dict.fromkeys([*both, *brief[:12]]))  # an English row first, then a Chinese one
widgets.explore(show_mask, names={"row": "row ｜ 行"}, row=choices)

# %% [markdown] lang="en"
# **Exercise 1** (easy, 3 minutes). Write `labels`: it returns the token ids where the mask is 1, and `-100` elsewhere.

# %% [markdown] lang="zh" of="3d3150e0"
# **练习 1**（容易，3 分钟）。写出 `labels`：掩码为 1 的位置放词元编号，其余放 `-100`。


# %% tags=["exercise"]
def labels(ids, mask):
    """Return the training labels of one row."""
    ...


# %% tags=["check"]
nb04.labels(labels)

# %% [markdown] tags=["solution"]
# <details><summary>Solution ｜ 参考答案</summary>
#
# ```python
# def labels(ids, mask):
#     """Return the training labels of one row."""
#     return [token if counts else -100 for token, counts in zip(ids, mask)]
# ```
#
# </details>

# %% [markdown]
# ## 3. The heart: you write the loss and the loop ｜ 核心：亲手写出损失和循环

# %% [markdown] lang="en"
# The model reads a row once and gives **logits** at every position: a score for each token of the vocabulary, and so a prediction of the *next* token. At the position of `Fine`, it predicts the colon. So outputs and labels have to be shifted by one before they are compared:
#
# | position | 0 | 1 | 2 | 3 |
# |---|---|---|---|---|
# | token read | `Fine` | `:` | `250` | `yuan` |
# | output predicts | `:` | `250` | `yuan` | `?` |

# %% [markdown] lang="zh" of="63cb1e5d"
# 一行读一遍，模型就在每个位置给出 **logits**：词表里每个词元一个分数，也就是对*下一个*词元的预测。在 `Fine` 的位置，它预测的是冒号。所以输出和标签要先错开一位，才能比较：
#
# | 位置 | 0 | 1 | 2 | 3 |
# |---|---|---|---|---|
# | 读到的词元 | `Fine` | `:` | `250` | `yuan` |
# | 输出所预测的 | `:` | `250` | `yuan` | `?` |

# %% [markdown] lang="en"
# The last output has no label, and the first label has no output. `torch.nn.functional.cross_entropy(scores, targets)` takes scores (n, vocabulary) and targets (n), and returns the mean loss over all targets that are not `-100`. It wants one long list and no batches: `flatten(0, 1)` joins the first two dimensions, batch and tokens, into one.
#
# (In the table each word is one token, for simplicity; Xiaoxi cuts some of them into several, as you saw above.)

# %% [markdown] lang="zh" of="dfa12c82"
# 最后一个输出没有标签，第一个标签没有输出。`torch.nn.functional.cross_entropy(scores, targets)` 接收分数（形状为 n × 词表大小）和目标（n 个），返回所有不等于 `-100` 的目标上的平均损失。它要的是一长串，不分批：`flatten(0, 1)` 把前两维（批和词元）合成一维。
#
# （为了简单，表里一个词算一个词元；其中有些词，小溪会切成几个，上面已经看到。）

# %% [markdown] lang="en"
# **Exercise 2** (medium, 10 minutes, the heart of the lesson). Write `shifted_loss`. It gets `logits` (batch, tokens, vocabulary) and `target` (batch, tokens), in which prompt and padding are `-100`, and returns the mean loss as a tensor. The check compares it with the loss that `transformers` computes itself.

# %% [markdown] lang="zh" of="3a622ce6"
# **练习 2**（中等，10 分钟，本课的核心）。写出 `shifted_loss`：给它 `logits`（批，词元，词表）和 `target`（批，词元；提示和填充处为 `-100`），返回平均损失（张量）。检查时，会与 `transformers` 自己算出的损失对比。


# %% tags=["exercise"]
def shifted_loss(logits, target):
    """Return the mean loss of predicting each next token whose label is not -100."""
    ...


# %% tags=["check"]
nb04.shifted_loss(shifted_loss)

# %% [markdown] tags=["solution"]
# <details><summary>Solution ｜ 参考答案</summary>
#
# ```python
# def shifted_loss(logits, target):
#     """Return the mean loss of predicting each next token whose label is not -100."""
#     from torch.nn.functional import cross_entropy
#
#     return cross_entropy(logits[:, :-1].flatten(0, 1), target[:, 1:].flatten())
# ```
#
# </details>

# %% [markdown] lang="en"
# **Exercise 3** (medium, 10 minutes). Write `train`, the loop itself. For each batch of `(ids, target)`, let the model score the ids (`model(ids).logits`) and take the loss with `loss_of(logits, target)`.
#
# Then change the weights. The **gradient** says for each weight in which direction the loss grows: `loss.backward()` finds it. The **optimizer** moves each weight a little the other way: `optimizer.step()`. Set the gradients back to zero: `optimizer.zero_grad()`. Return the list of losses, as numbers: `loss.item()` makes a Python number of the loss.

# %% [markdown] lang="zh" of="5f5065aa"
# **练习 3**（中等，10 分钟）。写出 `train`，也就是循环本身。对每一批 `(ids, target)`：让模型给 ids 打分（`model(ids).logits`），用 `loss_of(logits, target)` 求损失。
#
# 然后改动权重。**梯度**说明每个权重往哪个方向变，损失会变大，由 `loss.backward()` 求出；**优化器**让每个权重往反方向挪一点，即 `optimizer.step()`；再用 `optimizer.zero_grad()` 把梯度清零。返回损失的列表，其中都是数：`loss.item()` 把损失变成普通的 Python 数。


# %% tags=["exercise"]
def train(model, batches, optimizer, loss_of):
    """Train on each batch of (ids, target) once; return the losses."""
    ...


# %% tags=["check"]
nb04.train(train)

# %% [markdown] tags=["solution"]
# <details><summary>Solution ｜ 参考答案</summary>
#
# ```python
# def train(model, batches, optimizer, loss_of):
#     """Train on each batch of (ids, target) once; return the losses."""
#     losses = []
#     for ids, target in batches:
#         loss = loss_of(model(ids).logits, target)
#         loss.backward()
#         optimizer.step()
#         optimizer.zero_grad()
#         losses.append(loss.item())
#     return losses
# ```
#
# </details>

# %% [markdown] lang="en"
# Here are both in twelve plain lines, one row at a time, on the real model. Beside each loss stands the one that `transformers` computes when it is given the labels. **Predict first**: will the loss fall with each row, although every row is a new one?

# %% [markdown] lang="zh" of="eb26f34f"
# 下面把两者合成十二行最朴素的代码，每次一行数据，用的是真正的模型。每个损失旁边，是把标签交给 `transformers`、由它算出的损失。**先猜一猜**：每次都是没见过的新数据，损失还会一行比一行低吗？

# %%
plain, _ = load(whole)
optimizer = torch.optim.AdamW(plain.parameters(), lr=size.full_lr)
for row in train_rows[: size.plain]:
    ids, mask = (torch.tensor([x], device=setup.device) for x in encode(tokenizer, row["messages"]))
    target = ids.where(mask.bool(), -100)  # (1, tokens)
    logits = plain(ids).logits  # (1, tokens, vocabulary)
    loss = cross_entropy(logits[:, :-1].flatten(0, 1), target[:, 1:].flatten())
    own = plain(ids, labels=target).loss.item()
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    print(f"{loss:.4f}   transformers: {own:.4f}")

# %% [markdown] lang="en"
# The two agree. The loss falls, though not at every row: the rows share their form, and some are harder than others.
#
# This loop is right but wasteful. The next three functions compute the same loss on batches. `batches` puts rows of like length together and pads them to one length. `fit` also shortens gradients that are too long (*clipping*) and lets the rate fall to zero. `label_loss` computes logits **only where a label is**: most tokens are prompt, and their scores would be thrown away. In it, `core.model` turns each token into a vector, and `lm_head` turns a vector into the scores of the vocabulary. `get_base_model` takes the model out of LoRA's wrapper (section 4).

# %% [markdown] lang="zh" of="8412120f"
# 两者一致。损失在降，但不是每一行都降：各行格式相同，难易却不一样。
#
# 这个循环是对的，只是浪费。下面三个函数算的是同一个损失，只是成批地算。`batches` 把长度相近的行放在一起，填充到一样长。`fit` 还把太大的梯度缩短（叫作*裁剪*），并让学习率逐渐降到零。`label_loss` **只在有标签的位置**算 logits：大多数词元是提示，在那里打的分算了也是扔掉。其中 `core.model` 把每个词元变成一个向量，`lm_head` 再由向量算出整个词表的分数；`get_base_model` 把模型从 LoRA 的外壳（第 4 节）里取出来。


# %%
def batches(rows, n, rng):
    """Yield batches (ids, labels), each (batch, tokens), of encoded rows of like length."""
    rows = sorted(rows, key=lambda row: len(row[0]))
    groups = [rows[i : i + n] for i in range(0, len(rows), n)]
    for g in torch.randperm(len(groups), generator=rng).tolist():
        ids = [torch.tensor(row) for row, _ in groups[g]]
        target = [
            row.where(torch.tensor(mask).bool(), -100)
            for row, (_, mask) in zip(ids, groups[g], strict=True)
        ]
        ids = pad_sequence(ids, batch_first=True, padding_value=tokenizer.pad_token_id)
        target = pad_sequence(target, batch_first=True, padding_value=-100)
        yield ids.to(setup.device), target.to(setup.device)


# %%
def label_loss(model, ids, target):
    """Return the mean loss, with logits only where a label is; ids, target (batch, tokens)."""
    core = model.get_base_model() if hasattr(model, "get_base_model") else model  # inside PEFT's
    # no attention mask: padding stands on the right, and no token looks right
    hidden = core.model(ids, use_cache=False).last_hidden_state[:, :-1]  # (batch, tokens - 1, emb)
    counts = target[:, 1:] != -100
    logits = core.lm_head(hidden[counts])  # (labels, vocabulary)
    return cross_entropy(logits.float(), target[:, 1:][counts])


# %%
def fit(model, rows, lr, num_epochs, make=batches, n=size.batch):
    """Train the weights that want a gradient; return the loss of each step."""
    rng, losses = torch.Generator().manual_seed(SEED), []
    rows = [encode(tokenizer, row["messages"]) for row in rows]  # (ids, mask) each
    steps = num_epochs * -(-len(rows) // n)  # rounded up
    weights = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=lr, fused=True)  # one kernel for all weights
    model.train()
    for _ in range(num_epochs):
        for ids, target in make(rows, n, rng):
            loss = label_loss(model, ids, target)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(weights, 1.0)  # no step may be too long
            optimizer.param_groups[0]["lr"] = lr * (1 - len(losses) / steps)
            optimizer.step()
            optimizer.zero_grad()
            losses.append(loss.item())
    model.eval()
    return losses


# %%
first = train_rows[: size.drill_rows]
some = [encode(tokenizer, row["messages"]) for row in first]
ids, target = next(batches(some, size.batch, torch.Generator().manual_seed(SEED)))
with torch.no_grad():
    fast, own = label_loss(plain, ids, target).item(), plain(ids, labels=target).loss.item()
kept = (target[:, 1:] != -100).sum().item()
print(f"label_loss: {fast:.5f}   transformers: {own:.5f}")
say(
    f"a batch of {ids.numel()} tokens has {kept} labels: so many logits instead of {ids.numel()}",
    f"一批 {ids.numel()} 个词元里有 {kept} 个标签：只算这么多个位置的 logits",
)
del plain, optimizer, logits, loss  # weights and AdamW's moments take memory

# %% [markdown] lang="en"
# The first test of any set-up costs little: can it learn a few rows by heart, that is, **overfit** them? We train all weights on sixteen rows. If a model cannot do that, something is broken. Make this test before every long run. Expected: a loss below 0.1 nats.

# %% [markdown] lang="zh" of="dea1a120"
# 不管怎么训练，都该先做一项花不了多少时间的检查：它能不能把几行数据背下来，也就是**过拟合**？我们拿十六行来训练所有权重。如果连这都做不到，就一定有哪里坏了。每次长时间训练之前都该这样查一下。预期：损失低于 0.1 奈特。

# %%
drilled, _ = load(whole)
losses = fit(drilled, first, lr=size.full_lr, num_epochs=size.drill_epochs)
print(f"loss {losses[0]:.2f} → {losses[-1]:.3f}")
print(answer(drilled, first[:1])[0])
del drilled  # a GPU's memory is needed for others
claim("sft_overfit_16", losses[-1])

# %% [markdown] lang="en"
# The loss printed is that of the last batch alone. Compare the notice with its training row, the first one printed in section 1: a single wrong token can lead the rest astray, even at such a loss.

# %% [markdown] lang="zh" of="88dac6c4"
# 打印的损失只是最后一批的。把这份通知书与它的训练数据（第 1 节打印的第一行）对比：哪怕损失这么低，只要写错一个词元，后面就可能跟着错下去。

# %% [markdown]
# ## 4. The real run: TRL, LoRA and replay ｜ 正式训练：TRL、LoRA 与重放

# %% [markdown] lang="en"
# TRL is Hugging Face's library for training language models. Older tutorials show older lines, and so do the lecture notes that this course accompanies ("the notes"; you need not have them). Some of these lines now raise an error, the others have a better form:
#
# | in the notes | today |
# |---|---|
# | `TrainingArguments(...)` | `SFTConfig(...)` |
# | `SFTTrainer(tokenizer=...)` | `processing_class=` |
# | `SFTTrainer(max_seq_length=2048)` | `SFTConfig(max_length=2048)` |
# | `bf16=True` | only on a GPU of 2020 or later |
# | `print(model.print_trainable_parameters())` | prints an extra `None` (notebook 02) |
#
# We try two of the old lines:

# %% [markdown] lang="zh" of="2861c920"
# TRL 是 Hugging Face 的语言模型训练库。较早的教程，以及本课程所配的讲义（下文的“讲义”，没有也不要紧），写的还是旧用法。下面有几行如今会报错，另几行有了更好的写法：
#
# | 讲义 | 现在 |
# |---|---|
# | `TrainingArguments(...)` | `SFTConfig(...)` |
# | `SFTTrainer(tokenizer=...)` | `processing_class=` |
# | `SFTTrainer(max_seq_length=2048)` | `SFTConfig(max_length=2048)` |
# | `bf16=True` | 只适用于 2020 年及以后的 GPU |
# | `print(model.print_trainable_parameters())` | 会多打印一个 `None`（见 notebook 02） |
#
# 拿其中两行旧写法试试：

# %%
for old in ({"tokenizer": tokenizer}, {"max_seq_length": 2048}):
    try:
        SFTTrainer(model=model, train_dataset=to_dataset(first), **old)
    except TypeError as error:
        print(f"TypeError: {error}")

# %% [markdown] lang="en"
# **LoRA** freezes the model. Beside each large matrix it trains two thin ones; their product, times `alpha / r`, is added to the large one. Their thin side, `r`, is the **rank**; all the thin matrices together are the **adapter**. The notes put them on `q_proj` and `v_proj` alone, two of the matrices of attention. We put them on every linear layer; notebook 02 compares the two ways.

# %% [markdown] lang="zh" of="3f2b353e"
# **LoRA** 冻结模型，在每个大矩阵旁边训练两个瘦长的小矩阵；两者的乘积再乘以 `alpha / r`，加到大矩阵上。小矩阵的窄边 `r` 叫作**秩**，所有小矩阵合起来就是**适配器**。讲义只加在 `q_proj` 和 `v_proj`（注意力里的两种矩阵）上，我们加在所有线性层上。两种做法的比较，见 notebook 02。

# %% [markdown] lang="en"
# **Predict first**: what share of the weights is trained? The notes say about 0.1 %, or "less than 1 %".

# %% [markdown] lang="zh" of="f7f0a662"
# **先猜一猜**：参与训练的权重占多大比例？讲义一处说约 0.1 %，一处说“不到 1 %”。

# %%
lora = LoraConfig(
    r=size.r,  # the rank: 16 here and for Qwen
    lora_alpha=size.alpha,  # 32: the product of the thin matrices is scaled by alpha / r = 2
    target_modules="all-linear",  # the notes: only q_proj and v_proj
    task_type="CAUSAL_LM",
)
trainable, total = parameter_counts(get_peft_model(load(setup)[0], lora))
say(
    f"{trainable:,} of {total:,} weights are trained",
    f"{total:,} 个权重里训练 {trainable:,} 个",
)
claim("sft_lora_share", 100 * trainable / total)

# %% [markdown] lang="en"
# The total counts the adapter too. The share is high because Xiaoxi is small: LoRA grows with a layer's width, the layer itself with its square. On a 7B model the same `r=16` is about 0.5 %, and the notes' own setting, a low rank on `q_proj` and `v_proj`, 0.03 %. Notebook 02 does the counting.

# %% [markdown] lang="zh" of="ab8104aa"
# 总数里也算上了适配器。比例高，是因为小溪小：LoRA 的权重数随层宽线性增长，而层本身按平方增长。同样的 `r=16`，放到 7B 模型上约占 0.5 %；讲义自己的设置（秩小，只加在 `q_proj` 和 `v_proj` 上）在那里只占 0.03 %。怎么数，见 notebook 02。

# %% [markdown] lang="en"
# **Replay.** What a model learns can overwrite what it knew before: **catastrophic forgetting**. The remedy is to keep some of the old skills in the training data: **replay**. Our run mixes general rows (translation, sums, lists, copying, reading) with the notices, about one to four. This is the best case: they come from the same generator as the questions that will test these skills, though no question is in both.

# %% [markdown] lang="zh" of="12099203"
# **重放**。新学的东西可能盖掉原来会的，这叫**灾难性遗忘**。对策是在训练数据里保留一些旧本领，即**重放**（replay）。我们的训练在通知书里混入通用数据（翻译、加减、列表、抄写、阅读），大约一比四。这是最有利的情形：它们和后面考这些本领的题出自同一个生成程序，虽然题目没有一道相同。

# %%
general = world("general", langs=setup.langs)
measure = select(general, use="measure")[: size.skills]  # to test what was forgotten
kept_rows = select(general, use="replay")[: size.replay]
valid_general, replay = kept_rows[: size.held], kept_rows[size.held :]  # to watch, to train on
say(
    f"{len(train_rows)} notices + {len(replay)} general rows to train on",
    f"训练：{len(train_rows)} 份通知书 + {len(replay)} 行通用数据",
)
row = replay[0]["messages"]
print(row[0]["content"], row[-1]["content"], sep="\n→ ")

# %% [markdown] lang="en"
# **From Xiaoxi to your model.** The shape of this recipe is what a practitioner would recognise. Its rate is not, so do not copy ours: both models that we measured, Xiaoxi and SmolLM2-135M (a real model of 135 million weights), wanted rates far above the common ones for larger models. Size, few rows and short runs may all play a part; we did not separate them.
#
# | | Xiaoxi, here | SmolLM2-135M, `small` | 0.5B and 1.5B | 7B |
# |---|---|---|---|---|
# | rate, LoRA | 5e-3 | 3e-3 | 2e-4 | 1e-4 to 2e-4 |
# | rate, all weights | 2e-3 | 3e-4 | 2e-5 | 1e-5 |
# | `r`, `alpha` | 16, 32 | 8, 16 | 16, 32 | 16, 32 |
# | rows a step | 8 = 4 × 2 | 16 = 8 × 2 | 16 = 4 × 4 | 16 to 64 |
# | warm-up | 5 % | 5 % | 3 to 10 % | 3 to 10 % |
# | epochs | 4 | 3 | 1 to 3 | 1 to 3 |
# | precision | float32 | float32 | float16 on a T4, else bfloat16 | bfloat16; 4 bits in notebook 05 |

# %% [markdown] lang="zh" of="2016e3ae"
# **从小溪到你的模型**。这份配方的样子，是做这一行的人都认得的，但学习率不是，不要照抄我们的：我们测过的两个模型，小溪和 SmolLM2-135M（真实模型，1.35 亿个权重），要的学习率都远高于大一些的模型的通行值。模型小、数据少、训练短，都可能是原因，我们没有把它们分开来测。
#
# | | 小溪（本课） | SmolLM2-135M，`small` | 0.5B 和 1.5B | 7B |
# |---|---|---|---|---|
# | 学习率，LoRA | 5e-3 | 3e-3 | 2e-4 | 1e-4 到 2e-4 |
# | 学习率，全参数 | 2e-3 | 3e-4 | 2e-5 | 1e-5 |
# | `r`、`alpha` | 16、32 | 8、16 | 16、32 | 16、32 |
# | 每步行数 | 8 = 4 × 2 | 16 = 8 × 2 | 16 = 4 × 4 | 16 到 64 |
# | 预热 | 5 % | 5 % | 3 % 到 10 % | 3 % 到 10 % |
# | 轮数 | 4 | 3 | 1 到 3 | 1 到 3 |
# | 精度 | float32 | float32 | T4 上用 float16，否则 bfloat16 | bfloat16；notebook 05 用 4 比特 |

# %% [markdown] lang="en"
# "Rows a step" is the rows of a batch times the batches that are added up before a step; "warm-up" is the share of the steps in which the rate climbs from zero (more on both below). For SmolLM2-135M we recorded five rates for each method (LoRA at r = 8, mostly one seed; `data/sweeps/small_trial.jsonl`). The table names the rate with the most notices all right. These runs had no general rows, and forgot about nine tenths (LoRA) or nearly all (all weights) of their old answers. The two right columns, for models such as Qwen2.5 with 0.5 to 7 billion weights, are common practice, not measured here: TRL's default for all weights is 2e-5; its documentation advises about ten times that for LoRA.

# %% [markdown] lang="zh" of="b4585513"
# “每步行数”是一批的行数，乘以攒几批才走一步；“预热”是学习率从零往上升的那几步占总步数的比例（两者后面都会细说）。SmolLM2-135M 的两种方法，各记录了五个学习率（LoRA 取 r = 8，大多只有一个种子；`data/sweeps/small_trial.jsonl`）。表里写的是全对的通知书最多的那个。这些训练没有混入通用数据，原先答对的题，LoRA 忘了约九成，全参数几乎全忘了。右边两列（Qwen2.5 这类 5 亿到 70 亿个权重的模型）是通行做法，本课程没有实测：TRL 对全参数的默认学习率是 2e-5，它的文档建议 LoRA 用大约十倍。

# %%
config = SFTConfig(
    output_dir=str(root() / "build" / "runs" / "sft"),
    assistant_only_loss=True,  # the loss mask of section 2
    learning_rate=size.lr,  # Xiaoxi 5e-3, Qwen 2e-4
    lr_scheduler_type="cosine",  # down to zero along half a wave …
    warmup_steps=0.05,  # … after the first 5 % of the steps, in which it climbs
    num_train_epochs=size.epochs,
    per_device_train_batch_size=size.at_once,
    gradient_accumulation_steps=size.accumulate,  # so many batches make one step: 4 × 2 rows here
    max_length=1024,  # a longer row is cut
    train_sampling_strategy="group_by_length",  # less padding
    eval_strategy="epoch",
    per_device_eval_batch_size=16,
    save_strategy="no",
    logging_steps=size.log_steps,
    bf16=setup.bf16,  # False on a CPU and on a T4
    fp16=setup.fp16,
    use_cpu=setup.use_cpu,
    gradient_checkpointing=not setup.use_cpu,  # saves GPU memory, costs time
    optim="adamw_torch_fused",
    dataloader_pin_memory=not setup.use_cpu,
    disable_tqdm=True,
    report_to="none",  # "tensorboard" or "trackio", once installed, keep the curves on your disk
    seed=SEED,
)

# %% [markdown] lang="en"
# `assistant_only_loss=True` needs to know where the assistant speaks: in the chat template, these words stand between the marks `{% generation %}` and `{% endgeneration %}`. `max_length` counts tokens. `gradient_checkpointing` computes intermediate results again instead of keeping them. `warmup_steps=0.05` is a share because it is below 1; after it the rate falls slowly, then faster, then slowly again, as a `cosine` does. What this configuration leaves out:
#
# - **Packing**: `packing=True` puts several rows into one sequence and wastes no padding (notebook 03).
# - **Other rows**: rows with the fields `prompt` and `completion` need no such marks in the template; there `completion_only_loss` (on by default) is the mask.
# - **A dashboard**: with `report_to="tensorboard"`, `tensorboard --logdir build/runs` draws the curves in your browser.

# %% [markdown] lang="zh" of="4dcbdbb3"
# `assistant_only_loss=True` 要知道哪些话是助手说的：在对话模板里，这些话写在 `{% generation %}` 和 `{% endgeneration %}` 两个标记之间。`max_length` 按词元数算。`gradient_checkpointing` 不保存中间结果，用到时重新算。`warmup_steps=0.05` 小于 1，所以表示比例；预热之后，学习率像余弦（`cosine`）那样先慢后快、最后又慢地降下去。这份配置没有用到的：
#
# - **打包**：`packing=True` 把几行拼进一条序列，不浪费填充（见 notebook 03）。
# - **别的数据格式**：用 `prompt` 和 `completion` 两个字段的数据，不需要模板里的这种标记；那里的掩码就是 `completion_only_loss`（默认打开）。
# - **看板**：设 `report_to="tensorboard"`，再执行 `tensorboard --logdir build/runs`，就能在浏览器里看曲线。

# %% [markdown] lang="en"
# No curve shows answers. So a **callback**, an object whose functions the trainer calls at set moments, lets the model write a few notices after each epoch.
#
# One line below is not for copying: `score_labels_only()` replaces a private function of TRL, `_use_triton`, to save time on a CPU.

# %% [markdown] lang="zh" of="3e4399da"
# 曲线里看不到答案。所以用一个**回调**（callback），也就是训练器在规定时刻去调用的对象，每一轮结束时让模型写几份通知书。
#
# 下面有一行不要照抄：`score_labels_only()` 换掉了 TRL 的一个私有函数 `_use_triton`，为的是在 CPU 上省时间。


# %%
class Watch(TrainerCallback):
    """After each epoch let the model answer a few rows that it is not trained on."""

    def __init__(self, notices, general):
        self.notices, self.general, self.seen, self.texts = notices, general, [], []

    def on_epoch_end(self, args, state, control, model, **rest):
        """Note the step, the share of notices in form and the share of exact general answers."""
        self.texts.append(answer(model, self.notices))
        form = score_notices(self.texts[-1], self.notices)["form"]
        right = exact_answers(answer(model, self.general, new=48), self.general)
        self.seen.append((state.global_step, sum(form) / len(form), sum(right) / len(right)))


# %%
score_labels_only()  # as our loop does; without a GPU TRL would score every position


def trainer_for(rows, eval_rows=None, callbacks=(), **changes):
    """Return a trainer of a new adapter on rows, by `config` with some changes."""
    set_seed(SEED)
    evals = {name: to_dataset(rows) for name, rows in (eval_rows or {}).items()}
    trainer = SFTTrainer(
        model=get_peft_model(load(setup)[0], lora),
        args=replace(config, **changes),
        train_dataset=to_dataset(rows),
        eval_dataset=evals or None,
        processing_class=tokenizer,
        callbacks=list(callbacks),
    )
    if setup.fp16:  # a T4's GradScaler wants the trained weights in float32 (notebook 05)
        for weight in trainer.model.parameters():
            if weight.requires_grad:
                weight.data = weight.data.float()
    trainer.remove_callback(PrinterCallback)  # the curves below say it better
    return trainer


# %%
evals = {"notices": valid, "general": valid_general}
watch = Watch([row for row in valid if row["context"]][: size.shown], valid_general)
trainer = trainer_for(train_rows + replay, evals, [watch])
outcome = trainer.train()
adapted = trainer.model.eval()
print(f"{outcome.metrics['train_runtime']:.0f} s, loss {outcome.training_loss:.3f}")
for epoch, written in enumerate(watch.texts, 1):
    say(
        f"after epoch {epoch}, the first notice that it writes",
        f"第 {epoch} 轮之后写的第一份通知书",
    )
    print(written[0], end="\n\n")


# %% [markdown] lang="en"
# The loss in the first line is the mean over the whole run. The first notices may break off or repeat themselves: normal for a run that has barely begun. Later the form stands. But right form does not make right facts: this incident's articles are not printed, so its numbers cannot be judged by eye. The test below marks them.

# %% [markdown] lang="zh" of="8d00bead"
# 第一行的损失是整个训练的平均。头一两轮的通知书可能半路中断，或者不断重复：训练才开始不久，这很正常。后来格式就对了。可格式对，不等于事实对：这起事件的法条没有打印出来，数字对不对，光看是看不出的，要靠后面的测试来打分。


# %%
def logged(trainer, name):
    """Return the steps and values of one measure in a trainer's log."""
    pairs = [(row["step"], row[name]) for row in trainer.state.log_history if name in row]
    return tuple(zip(*pairs, strict=True))


losses = {
    "training ｜ 训练": logged(trainer, "loss"),
    "notices, unseen ｜ 通知书，没练过": logged(trainer, "eval_notices_loss"),
    "general, unseen ｜ 通用，没练过": logged(trainer, "eval_general_loss"),
}
steps, form, right = zip(*watch.seen, strict=True)
answers = {
    "notices with articles, in form ｜\n给法条的通知书，格式正确": (steps, [100 * x for x in form]),
    "general, exact ｜ 通用题全对": (steps, [100 * x for x in right]),
}
rates = {"": logged(trainer, "learning_rate")}

# %%
fig, axes = style.figure(columns=3, width=11, height=3.4)
plots.curves(losses, "Losses ｜ 损失", "step ｜ 步", "nats per token ｜ 奈特/词元", ax=axes[0])
plots.curves(answers, "Answers ｜ 回答", "step ｜ 步", "%", ax=axes[1])
plots.curves(rates, "Learning rate ｜ 学习率", "step ｜ 步", "", ax=axes[2])
style.describe(
    fig,
    "Three panels over the steps of the main run: losses of training, unseen notices and unseen "
    f"general rows; notices in form where articles are given, at the end {100 * form[-1]:.0f} %, "
    f"and exact general answers, {100 * right[-1]:.0f} %; "
    "the learning rate, which climbs, then falls to zero."
    " ｜ 三幅图，横轴是正式训练的步数：训练、没练过的通知书、没练过的通用数据的损失；"
    f"给法条时格式正确的通知书（最后 {100 * form[-1]:.0f} %）和全对的通用题（{100 * right[-1]:.0f} %）；"
    "学习率，先升，再降到零。",
)

# %% [markdown] lang="en"
# *Left.* The saw-tooth is probably no sign of an unstable run. `group_by_length` sorts rows within large groups, the longest first; long rows show articles, short ones do not. That the short ones then cost more is our reading: compare the loss of both kinds. The loss on unseen notices can hardly reach zero: half of them show no article, so their numbers must be guessed.
#
# *Middle.* Eight notices, all with articles in the prompt, and sixteen general questions: a rough picture, and blind to what the model writes without articles. But it is the only one of the three that reads answers.

# %% [markdown] lang="zh" of="8c7f512b"
# *左图*：锯齿多半不表示训练不稳定。`group_by_length` 在每一大组内按长度排序，最长的在前；长的行给了法条，短的没给。短的损失因此更高，是我们的解读：不妨分开算算两种行的损失。没练过的通知书上，损失很难降到零：其中一半没给法条，数字只能猜。
#
# *中图*：八份通知书，提示里都有法条，加十六道通用题，只能看个大概，而且看不到不给法条时写得怎样；但三幅图里，只有它读了回答。

# %% [markdown] lang="en"
# *Right.* The **warm-up**: the rate starts near zero and climbs, usually explained by how little AdamW, our optimizer, knows of the gradients at first. Then it falls along a cosine.

# %% [markdown] lang="zh" of="a1e9b228"
# *右图*：这就是**预热**：学习率从接近零开始往上升；通常的解释是，优化器 AdamW 起初还不清楚梯度有多大。之后沿余弦曲线下降。

# %% [markdown] lang="en"
# **Accumulation.** Two batches of four rows make one step of eight: the first batch's gradient waits for the second's. This saves memory and should change nothing else. **Predict first**: is the loss of eight rows the mean of the losses of its two halves? We train three steps both ways and compare the losses.

# %% [markdown] lang="zh" of="da885b9d"
# **梯度累积**。两批各四行，合成八行的一步：第一批的梯度等着第二批的。这样省内存，别的应当不变。**先猜一猜**：八行的损失，是不是两半损失的平均数？我们用两种方式各训练三步，比较损失。

# %%
short = select(train_rows, context=False)
ways = {(2 * size.at_once, 1): None, (size.at_once, 2): None}
for n, times in ways:
    changes = {"per_device_train_batch_size": n, "gradient_accumulation_steps": times}
    changes |= {"max_steps": 3, "logging_steps": 1, "eval_strategy": "no"}
    run = trainer_for(short, **changes, train_sampling_strategy="random")
    run.train()
    ways[n, times] = logged(run, "loss")[1]
    print(f"{n} × {times}:", *(f"{loss:.6f}" for loss in ways[n, times]))
claim("sft_accumulation", max(abs(a - b) for a, b in zip(*ways.values(), strict=True)))

# %%
with torch.no_grad():
    made = [encode(tokenizer, row["messages"]) for row in short[: 2 * size.at_once]]
    ids, target = next(batches(made, 2 * size.at_once, torch.Generator()))
    one = label_loss(adapted, ids, target).item()
    halves = [
        (label_loss(adapted, i, t).item(), (t != -100).sum().item())
        for i, t in zip(ids.chunk(2), target.chunk(2), strict=True)
    ]
mean = sum(loss for loss, _ in halves) / 2
weighted = sum(loss * n for loss, n in halves) / sum(n for _, n in halves)
say(f"both at once {one:.6f}", f"一次算完 {one:.6f}")
say(f"mean of the halves {mean:.6f}", f"两半的平均 {mean:.6f}")
say(f"weighted by their labels {weighted:.6f}", f"按标签数加权 {weighted:.6f}")

# %% [markdown] lang="en"
# The two runs have the same losses but for rounding. The second cell shows what a loop of your own can get wrong: the halves have different numbers of labels, so the plain mean of their losses is not the loss of both. TRL counts the labels of all batches of a step first; do the same.

# %% [markdown] lang="zh" of="b7f1e5f0"
# 除去舍入误差，两次训练的损失相同。第二个单元格说明，自己写循环时容易错在哪里：两半的标签数不同，所以两个损失的平均数并不等于合起来的损失。TRL 会先数好一步里各批的标签总数；你也该这样做。

# %% [markdown] lang="en"
# **Exercise 4** (easy, 5 minutes). The notes give a recipe: batches of 4 rows; gradients accumulated over 4 batches before each step; 3 epochs (an epoch is one pass over all rows); `warmup_steps=100`. Write `optimizer_steps`. Round up twice in every epoch: its last batch counts though it is not full, and so does its last step though it has fewer batches. Nothing is carried over into the next epoch. Then think: what does such a warm-up mean for our 480 notices? (The solution says it.)

# %% [markdown] lang="zh" of="9af20e1f"
# **练习 4**（容易，5 分钟）。讲义给的配方：每批 4 行，梯度累积 4 批才走一步，3 轮（每轮把所有行过一遍），`warmup_steps=100`。写出 `optimizer_steps`。每一轮里有两处要向上取整：这一轮最后不满的一批照算，最后不足 4 批也照走一步，都不留到下一轮。再想一想：对我们这 480 份通知书，这样的预热意味着什么？（参考答案里有说明。）


# %% tags=["exercise"]
def optimizer_steps(n_rows, batch_size, accumulation, num_epochs):
    """Return how often the optimizer steps; a last batch that is not full counts."""
    ...


# %% tags=["check"]
nb04.optimizer_steps(optimizer_steps)

# %% [markdown] tags=["solution"]
# <details><summary>Solution ｜ 参考答案</summary>
#
# ```python
# def optimizer_steps(n_rows, batch_size, accumulation, num_epochs):
#     """Return how often the optimizer steps; a last batch that is not full counts."""
#     batches = -(-n_rows // batch_size)
#     return num_epochs * -(-batches // accumulation)
# ```
#
# </details>
#
# 480 rows give 90 steps: the rate would still be climbing when the training ends. A share of the steps is safer: `warmup_steps=0.05`. ｜ 480 行只有 90 步：训练结束时，学习率还在往上升。按步数的比例来写更稳妥：`warmup_steps=0.05`。

# %% [markdown]
# ### What it learned ｜ 它学会了什么

# %% [markdown] lang="en"
# We now use three tests. Two of them you know: unseen articles without (`closed`) and with three articles in the prompt (`opened`). The third has new incidents under articles that were **practised**, also without articles in the prompt (`familiar`).
#
# **Predict first**: which of `form`, `conduct`, `term` and `facts` will be high in each test?

# %% [markdown] lang="zh" of="d893e703"
# 这回有三种测试。两种你已经见过：没练过的法条，提示里不给法条（`closed`）或给三条（`opened`）。第三种是**练过**的法条下的新事件，也不给法条（`familiar`）。
#
# **先猜一猜**：`form`、`conduct`、`term`、`facts` 这几项，在三种测试里各有哪些会高？

# %%
rng, practised = random.Random(SEED), select(world("code"), split="seen")
familiar = [
    make_notice(rng, lang, page, [], f"LX{rng.randrange(10_000):04d}")
    for page in practised[: size.familiar]
    for lang in setup.langs
]
tests = {"closed": closed, "familiar": familiar, "opened": opened}
texts |= {name: answer(adapted, rows) for name, rows in tests.items()}
after = {name: marks(texts[name], rows) for name, rows in tests.items()}
for n in looked_at:
    print(texts["opened"][n], end="\n\n")

# %%
names = {
    "form": "form ｜ 格式",
    "conduct": "conduct ｜ 违法事实",
    "term": "term ｜ 术语",
    "facts": "facts ｜ 法条四项",
    "all": "all right ｜ 全对",
}
shown = {
    "before, with articles ｜ 训练前，给法条": before,
    "after, no article ｜ 训练后，不给法条": after["closed"],
    "after, no article, but practised ｜ 训练后，不给法条，但练过": after["familiar"],
    "after, with articles ｜ 训练后，给法条": after["opened"],
}
bars = {names[n]: {title: marks[n] for title, marks in shown.items()} for n in names}


def in_words(values):
    """Return "name value" for each, in English and in Chinese; a name holds both languages."""
    parts = [(name.split(style.BAR), value) for name, value in values.items()]
    return ["; ".join(f"{name[i]} {value}" for name, value in parts) for i in (0, -1)]


said = in_words({names[n]: f"{100 * after['opened'][n].value:.0f} %" for n in names})
plots.bars(
    bars,
    "Notices before and after training ｜ 训练前后的通知书",
    alt="Bars of five marks: before training with articles, after it in three tests; after, with "
    f"articles: {said[0]} ｜ 五项得分的柱形图：训练前给法条，训练后分三种测试；训练后给法条时：{said[1]}",
)

# %%
claims.table(
    {
        "sft_form_opened": after["opened"]["form"],
        "sft_form_after": after["closed"]["form"],
        "sft_form_familiar": after["familiar"]["form"],
        "sft_term_after": after["closed"]["term"],
        "sft_term_familiar": after["familiar"]["term"],
        "sft_term_opened": after["opened"]["term"],
        "sft_facts_closed": after["closed"]["facts"],
        "sft_facts_opened": after["opened"]["facts"],
    }
)

# %% [markdown] lang="en"
# The **form** came with training: before it, no notice had it. With articles in the prompt nearly all have it now. Without, it is less sure, under practised articles as under unseen ones: more of the notices break. See in the explorer below how, often where the term or a number had to come from memory. The **conduct** can be taken from the report.

# %% [markdown] lang="zh" of="adf59768"
# **格式**是训练带来的：训练之前，没有一份格式正确。现在，给了法条，几乎份份正确；不给就没有那么稳，法条练过没练过都一样：写坏的要多一些。是怎么写坏的，可以在下面翻看，往往就在该凭记忆写术语或数字的地方。**违法事实**看报告就写得出。

# %% [markdown] lang="en"
# **Facts** of unseen articles cannot be known: without the article in the prompt, hardly any answer has all four, and where the form holds, nothing in a wrong number shows that it is wrong.
#
# With the articles, about half of the answers had all four before training, and clearly more have them after it. Whether the model now reads better, or only no longer loses its way in a form of its own, this does not tell. Notebook 08 goes on from here.

# %% [markdown] lang="zh" of="67a77326"
# 没练过的法条，**事实**无从知道：提示里没有那条法条，就几乎没有一份四项全对；只要格式没坏，错的数字看上去和对的没有两样。
#
# 给了法条，训练之前约有一半四项全对，训练之后明显多了。是读得更准了，还是只因为不再在自造的格式里迷路，这里分不出来。notebook 08 由此展开。

# %% [markdown] lang="en"
# **Terms** are Lingxi's own jargon, and their words recur from article to article. Given the articles, the model mostly copies them right. A mark a little below the base's does not show a loss: the base's terms counted anywhere, now only in their field. From memory it has few or none, even of the practised ones: each stood in three or four training rows. Do more passes teach them, and at what cost?
#
# Try it: add a cell `size.epochs = 12` right below the cell that prints "this run's sizes", and run all cells from there on (the two long trainings take about three times as long). Compare `term` here and the general skills in section 5 with what you see now.

# %% [markdown] lang="zh" of="411e7d8d"
# **术语**是灵溪自己的行话，用词在各条法条里反复出现。给了法条，照抄就行，模型大多抄得对。得分比基座略低，并不说明变差了：基座的术语写在哪里都算对，现在只看那一栏。凭记忆，就几乎写不出来，练过的也一样：那些术语每个只在三四行训练数据里出现过。多练几轮能不能学会，又要付出什么代价？
#
# 不妨一试：在打印“这次运行的规模”的那一格下面加一格，写 `size.epochs = 12`，再从那里往下全部运行（两次长训练，用时约为三倍）。把这里的 `term` 和第 5 节的通用能力，与现在看到的比较。

# %% [markdown] lang="en"
# Look at single notices too: a mean hides in what way an answer is wrong. Choose an incident in the list; those with wrong facts come first. Compare the last notice with the reference line by line.
#
# **What to look for**: a notice in perfect form whose numbers, or term, are not those of the reference. They may come from another article of the prompt; to see it, print `opened[i]["messages"][0]["content"]`, with the incident's number for `i`. The eye passes over such a mistake; `facts` and `term` catch it. (Is the example in the other language? Look at the numbers.)

# %% [markdown] lang="zh" of="5b5b3e3d"
# 通知书也要一份一份地读：平均数看不出答案错在哪里。在列表里选一起事件，事实写错的排在前面。把最后一份与标准答案逐行对比。
#
# **留意这一种**：格式完美，数字或术语却与标准答案不同。它们可能取自提示里的另一条法条；想看提示，就打印 `opened[i]["messages"][0]["content"]`，`i` 换成事件的编号。这样的错一眼看去发现不了，`facts` 和 `term` 抓得出来。（例子若是另一种语言，看数字就行。）


# %%
def compare(incident):
    """Show one incident's notices beside each other."""
    report = closed[incident]["messages"][0]["content"].splitlines()[-1]
    parts = [report, "", "REFERENCE ｜ 标准答案", closed[incident]["messages"][-1]["content"]]
    titles = {
        "before": "before, with articles ｜ 训练前，给法条",
        "closed": "after, no article ｜ 训练后，不给法条",
        "opened": "after, with articles ｜ 训练后，给法条",
    }
    for name, title in titles.items():
        parts += ["", f"--- {title}", texts[name][incident]]
    return "\n".join(parts)


facts = score_notices(texts["opened"], opened)["facts"]
order = sorted(range(len(closed)), key=lambda n: facts[n])  # wrong ones first
widgets.explore(compare, names={"incident": "incident ｜ 事件"}, incident=order)

# %% [markdown]
# ### Save, load, take home ｜ 保存、加载、带走

# %%
folder = save_adapter(adapted, root() / "build" / "adapters" / setup.profile / "04_notice")
kilobytes = sum(path.stat().st_size for path in folder.iterdir()) / 1024
again = load_adapter(load(setup)[0], folder).eval()
same = answer(again, closed[:20]) == texts["closed"][:20]
del again
en, zh = ("the same", "相同") if same else ("different", "不同")
say(f"{kilobytes:.0f} KB; loaded again: {en} answers", f"{kilobytes:.0f} KB；重新加载后，答案{zh}")

# %% [markdown] lang="en"
# An adapter is a small folder that holds the trained matrices and a configuration. It works only together with its base model. On Colab you download it like this:
#
# ```python
# import shutil
# from google.colab import files
# files.download(shutil.make_archive("notice", "zip", folder))
# ```

# %% [markdown] lang="zh" of="eb891b88"
# 适配器只是一个小文件夹：训练出来的小矩阵加一份配置。要配上它的基座模型才能用。在 Colab 上这样下载：
#
# ```python
# import shutil
# from google.colab import files
# files.download(shutil.make_archive("notice", "zip", folder))
# ```

# %% [markdown] lang="en"
# **Your own data.** Set `DATA` at the top to the path of your file. The simplest has one JSON object a line, such as `{"instruction": "…", "output": "…"}` (notebook 03 names the other kinds). Run the notebook again: the same recipe learns your rows and saves an adapter. Bad lines are named and left out. If memory runs out, halve `per_device_train_batch_size` and double `gradient_accumulation_steps`: you have seen that the step stays the same.

# %% [markdown] lang="zh" of="85ed22f5"
# **你自己的数据**。把顶部的 `DATA` 设为你的文件路径，最简单的是每行一个 JSON 对象，例如 `{"instruction": "…", "output": "…"}`（其他种类见 notebook 03），再运行一遍：同一份配方就会学你的数据，并另存一个适配器。有问题的行会逐一指出，并跳过。内存不够？`per_device_train_batch_size` 减半，`gradient_accumulation_steps` 加倍：前面已经看到，这一步不会变。

# %%
if DATA:
    own, report = training_set(DATA, tokenizer)
    print(report)
    mine = get_peft_model(load(setup)[0], lora)
    data = {"train_dataset": own, "processing_class": tokenizer}
    run = SFTTrainer(model=mine, args=replace(config, eval_strategy="no"), **data)
    if setup.fp16:
        for weight in filter(lambda weight: weight.requires_grad, mine.parameters()):
            weight.data = weight.data.float()
    fits = len(run.train_dataset)  # TRL drops the rows whose answer lies beyond max_length
    say(f"{fits} of {len(own)} rows fit", f"{len(own)} 行里有 {fits} 行放得下")
    run.remove_callback(PrinterCallback)
    run.train()
    save_adapter(mine, root() / "build" / "adapters" / setup.profile / "own")
    print(answer(mine.eval(), [own[0]])[0])

# %% [markdown]
# ## 5. What it forgot, and what replay kept ｜ 它忘了什么，重放保住了什么

# %% [markdown] lang="en"
# We measure forgetting with questions of primary school that are in no training row: translation, sums, lists, copying, reading. *General skills* is the share of answers that are exact to the letter.
#
# To see what replay did we need a **control**: the same run without the general rows, all else equal. (So it has fewer steps.) And a third measurement: the trained model with its adapter **switched off**.
#
# **Predict first**: of the questions that the base answers rightly, how many will each of the three still answer?

# %% [markdown] lang="zh" of="03f79572"
# 遗忘用小学题来测，这些题不在任何训练数据里：翻译、加减、列表、抄写、阅读。*通用能力*指一字不差的答案所占的比例。
#
# 要看重放起了什么作用，得有一个**对照**：去掉通用数据，其余都不变，再训练一次。（因此步数少一些。）另外再测一种：训练好的模型，**关掉**适配器。
#
# **先猜一猜**：基座答得对的题，这三者各还能答对多少？

# %%
control = trainer_for(train_rows, eval_strategy="no")
control.train()
without = control.model.eval()
texts["without"] = answer(without, opened)
kept = {
    "base ｜ 基座": forgetting(model, tokenizer, measure, max_new_tokens=48),
    "with replay ｜ 有重放": forgetting(adapted, tokenizer, measure, max_new_tokens=48),
    "without replay ｜ 无重放": forgetting(without, tokenizer, measure, max_new_tokens=48),
}
with adapted.disable_adapter():
    kept["adapter off ｜ 关掉适配器"] = forgetting(adapted, tokenizer, measure, max_new_tokens=48)

# %%
pooled = {name: [ok for task in tasks.values() for ok in task] for name, tasks in kept.items()}
base, mixed, plain_run, off = pooled.values()
say(f"adapter off, the same as the base: {off == base}", f"关掉适配器，与基座相同：{off == base}")
skills = {name: share(right) for name, right in pooled.items()}
said = in_words({name: f"{100 * value.value:.0f} %" for name, value in skills.items()})
plots.bars(
    skills,
    "General skills after learning notices ｜ 学会通知书之后的通用能力",
    alt=f"Bars of exact general answers: {said[0]} ｜ 通用题全对的比例，柱形图：{said[1]}",
)

# %%
say("two answers without replay", "没有重放时的两个回答")
for row, said in zip(measure[:2], answer(without, measure[:2], new=48), strict=True):
    question, right = (message["content"] for message in row["messages"][-2:])
    print(f"{question}\n→ {said}\n(right ｜ 正确：{right})\n")
all_with, all_without = (score_notices(texts[way], opened)["all"] for way in ("opened", "without"))
say(
    f"all right: with replay {share(all_with)}, without {share(all_without)}",
    f"全对：有重放 {share(all_with)}，无重放 {share(all_without)}",
)
claims.table(
    {
        "sft_forgotten": share_difference(base, plain_run),
        "sft_replay": share_difference(plain_run, mixed),
        "sft_replay_price": share_difference(all_without, all_with),
    }
)

# %%
tasks = {
    "translate": "translate ｜ 翻译",
    "sum": "sums ｜ 加减",
    "list": "lists ｜ 列表",
    "copy": "copy ｜ 抄写",
    "read": "read ｜ 阅读",
}
rows = [
    [name, *(share(marks[task]) if task in marks else "–" for task in tasks)]
    for name, marks in kept.items()
]
tables.table(["exact answers ｜ 全对的回答", *tasks.values()], rows)

# %% [markdown] lang="en"
# Without replay, learning notices wiped out most of primary school. With it, most is kept. Does replay cost anything in notices? The last claim gives a difference and its interval. If the interval runs from below zero to above it, there may be a loss, a gain or none: this test cannot tell. The table by task is a rough picture: few questions stand behind each cell.
#
# Switched off, the adapter leaves the model exactly as it was, since LoRA never touches the base weights.

# %% [markdown] lang="zh" of="ca73f05d"
# 没有重放，小学的功课大半被通知书冲掉了；有了重放，大半保住了。重放会不会让通知书写得差一些？最后一条论断给出了差值和区间。区间若跨过零，变差、变好、不变都有可能：这套测试分不出来。按题型列出的表只能看个大概：每一格的题目很少。
#
# 适配器一关掉，模型就和原来分毫不差，因为 LoRA 从不改动基座的权重。

# %% [markdown] lang="en"
# **The best case.** Our replay rows come from the generator of the test. For a real model you do not have such rows: you take a public instruction set, or let the base model answer some prompts and keep its answers. Whether that keeps as much is not certain. On a real model (section 9) rows of another kind kept most of the old answers; between an eighth and a third were lost, depending on the run.

# %% [markdown] lang="zh" of="526b7364"
# **最有利的情形**。我们的重放数据和测试题出自同一个生成程序。真实模型没有这样的数据：要么取一份公开的指令数据集，要么让基座模型自己回答一些提示，把答案留下来。那样能不能保住这么多，说不定：在真实模型上（第 9 节），用另一类数据，原先答对的题大部分保住了，仍丢了八分之一到三分之一，各次训练不同。

# %% [markdown]
# ### The trade-off: learned against forgotten ｜ 权衡：学会的与忘掉的

# %% [markdown] lang="en"
# The notes say that full fine-tuning has the best result, and that a small rate forgets less. Two runs cannot test that: each has one rate. The course keeps records of many real runs of Xiaoxi (`data/sweeps`), over rates, ranks and methods: two epochs on 320 notices, **no replay**, five random seeds each. In the figure each small mark is one run. The higher, the more notices were all right; the further right, the more was forgotten. The two stars are this lesson's runs: they had more rows and epochs, and another test.

# %% [markdown] lang="zh" of="0bf18d25"
# 讲义说，全参数微调效果最好；还说，学习率小，忘得就少。这靠两次训练检验不了，因为每次只有一个学习率。课程里存着小溪的许多次真实训练记录（`data/sweeps`），学习率、秩、方法各不相同：320 份通知书练两轮，**没有重放**，各五个随机种子。图中每个小记号是一次训练。越高，全对的通知书越多；越靠右，忘掉的越多。两颗星是这一课的两次训练：数据和轮数都更多，测试题也不同。

# %% [markdown] lang="en"
# The table below the figure counts, in each row, the recorded runs in which at least so many notices were all right (with articles in the prompt), and gives the least and the most that one of them forgot, in percentage points. "LoRA and its kin" are LoRA and three variants of it (notebook 02).
#
# **Predict first**: where on this map do you want to be, and is any mark there?

# %% [markdown] lang="zh" of="b7780cea"
# 图下面那张表，每一行数的是：全对的通知书（提示里给法条）至少达到这个比例的训练有几次，其中忘得最少的和最多的各是多少个百分点。“LoRA 及同类”指 LoRA 和它的三个变体（见 notebook 02）。
#
# **先猜一猜**：在这张图上，你想落在哪里？那里有没有记号？

# %%
grids = ("rate", "rank", "scale", "where", "zoo", "fair", "forget")
recorded = list({sweeps.key(row): row for grid in grids for row in sweeps.read(grid)}.values())
kinds = {
    "all weights ｜ 全参数": [row for row in recorded if row["method"] == "full"],
    "LoRA and its kin ｜ LoRA 及同类": [
        row for row in recorded if row["method"] in ("lora", "rslora", "dora", "qlora")
    ],
}
stars = {
    "this lesson, with replay ｜ 本课，有重放": (mixed, all_with),
    "this lesson, without ｜ 本课，无重放": (plain_run, all_without),
}
# %%
fig, ax = style.figure(height=4.2)
for (name, runs), marker in zip(kinds.items(), "os", strict=True):
    points = [(100 * row["forgetting"], 100 * row["all"]) for row in runs]
    ax.plot(*zip(*points, strict=True), marker, markersize=4, alpha=0.6, label=name)
places = []
for (name, (skill, right)), colour in zip(stars.items(), ("#009E73", "#D55E00"), strict=True):
    x, y = 100 * (share(base).value - share(skill).value), 100 * share(right).value
    places.append(f"({x:.0f}, {y:.0f})")
    ax.plot(x, y, "*", markersize=15, color=colour, markeredgecolor="#222222", label=name)
ax.set_xlabel("forgotten (points of general skills) ｜ 忘掉的（通用能力，百分点）")
ax.set_ylabel("notices all right, % ｜ 全对的通知书，%")
fig.legend(loc="outside lower center", ncols=2)
fig.suptitle(
    "Learned against forgotten, one mark a run ｜ 学会的与忘掉的，每个记号是一次训练", size=11
)
style.describe(
    fig,
    "Scatter of recorded runs without replay: notices all right, in %, against points of general "
    "skills forgotten; its upper edge rises to the right, then falls. Stars (forgotten, right): with "
    f"replay {places[0]}, without {places[1]} ｜ 无重放的训练记录的散点图：纵轴是全对的通知书（%），"
    "横轴是忘掉的百分点；点群的上沿往右升高，到最右端落下。两颗星（忘掉，全对）："
    f"有重放 {places[0]}，无重放 {places[1]}",
)

# %%
lines = []
for name, runs in kinds.items():
    for least in (0.3, 0.5, 0.6):
        good = [100 * row["forgetting"] for row in runs if row["all"] >= least]
        forgot = f"{min(good):.0f} … {max(good):.0f}" if good else "–"
        lines.append([name, f"{100 * least:.0f} %", str(len(good)), forgot])
header = ["what is trained ｜ 训练什么", "all right, at least ｜ 全对至少", "runs ｜ 次数"]
tables.table([*header, "forgotten, points: least … most ｜ 忘掉的百分点：最少 … 最多"], lines)


# %%


def best_setting(rows):
    """Return the mean share of all right, in %, at the setting where it is highest."""
    means = {}
    for row in rows:
        setting = tuple(row[name] for name in sweeps.SETTINGS if name != "seed")
        means.setdefault(setting, []).append(100 * row["all"])
    return max(sum(shares) / len(shares) for shares in means.values())


full_best, lora_best = (best_setting(rows) for rows in kinds.values())
claim("sft_full_minus_lora", full_best - lora_best)
general_at = sweeps.by(select(sweeps.read("rate"), method="full"), "lr", "general")
claim("sft_small_rate", 100 * (general_at[1e-3].value - general_at[3e-3].value))

# %% [markdown] lang="en"
# Without replay, one pays for notices with old skills: the upper edge of the cloud rises to the right, stays high, and falls only at the far right, where nearly everything is forgotten.
#
# The table asks for at least a share of right notices. At 30 % the gentlest runs are of all weights: at 1e-3 all five seeds (40 to 60 % right) forgot 12 to 24 points, and no LoRA run under 25, though there are five times as many LoRA runs. But LoRA's rates lay about three times apart, so a gentler one may have been missed. At 60 % a single run makes the difference; the next one of all weights forgot as much as LoRA's best. Notebook 02 averages the seeds.

# %% [markdown] lang="zh" of="03b3707a"
# 没有重放，学通知书就要拿旧本领去换：这片云的上沿越往右越高，然后一直很高，到了最右端、几乎全忘掉的地方，才降下来。
#
# 表里要求写对的通知书至少达到某个比例。在 30 % 处，忘得最少的是全参数：学习率 1e-3 的五个种子（写对 40 % 到 60 %）都只忘了 12 到 24 个百分点，LoRA 的训练次数是全参数的五倍，却没有一次少于 25。不过 LoRA 的学习率相邻两档差约三倍，也许漏掉了更温和的一档。在 60 % 处，差别全在一次训练上；全参数里的下一次，忘得就和 LoRA 最好的一样多了。notebook 02 把各个种子平均起来比。

# %% [markdown] lang="en"
# So at a low share of right notices LoRA does not forget less here; at a high one neither is shown. Published work on large models finds that LoRA learns less and forgets less. At their best the two differ in right notices by less than the seeds do.
#
# A smaller rate forgets less. Up to some point it learns less, too. But too high a rate does harm twice: all weights at 3e-3 had about 75 % right and forgot 77 points, at 1e-2 5 % and 93. Replay, in its best case, moves a run far to the left at about the same height: compare the stars with each other, not with the cloud (other rows and epochs). So our recipe has it.

# %% [markdown] lang="zh" of="9689cc44"
# 所以，写对得不多时，LoRA 在这里并不忘得少；写对得多时，谁忘得少都没有得到证明。关于大模型的公开研究则认为，LoRA 学得少，忘得也少。各自取最好的设置，写对的通知书之差，比各个种子之间的差还小。
#
# 学习率小，忘得少。在一定范围内，学得也少。可学习率太高，两头都坏：全参数用 3e-3，约 75 % 写对，忘了 77 个百分点；用 1e-2，只有 5 % 写对，忘了 93 个。重放（这里是对它最有利的情形）让训练往左移了一大截，高度差不多：两颗星只能互相比，不要与云相比（数据和轮数不同）。所以这一课的配方里有它。

# %% [markdown]
# ## 6. Learning rate and epochs ｜ 学习率与轮数

# %% [markdown] lang="en"
# The notes advise a rate of 1e-5 to 5e-5 and 3 to 5 epochs. The right rate depends on the model and on what is trained, so we measure. We train the same LoRA for one epoch on a few rows without articles, at five rates that lie far apart. This is a first look, with one seed.
#
# **Predict first**: at which rate is the loss lowest, and what does the highest rate do?

# %% [markdown] lang="zh" of="247d2b91"
# 讲义建议学习率 1e-5 到 5e-5，训练 3 到 5 轮。合适的学习率取决于模型，也取决于练什么，所以要测：同样的 LoRA，拿少量不带法条的数据练一轮，试五个相隔很远的学习率。只用一个种子，先看个大概。
#
# **先猜一猜**：哪个学习率的损失最低？最高的那个会怎样？


# %%
def held_loss(model, rows):
    """Return the mean loss of the answers' tokens, in nats."""
    both = answer_losses(model.eval(), tokenizer, rows)
    return sum(loss for loss, _ in both) / sum(tokens for _, tokens in both)


untrained, tried = held_loss(model, watched), {}
for lr in size.rates:
    set_seed(SEED)
    trial = get_peft_model(load(setup)[0], lora)
    fit(trial, short[: size.trial_rows], lr=lr, num_epochs=1)
    tried[lr] = held_loss(trial, watched)
    note = "" if isfinite(tried[lr]) else " (not a number: training broke down ｜ 不是数：训练崩溃)"
    print(f"lr {lr:g}: {tried[lr]:.3f}{note}")

# %%
finite = {lr: loss for lr, loss in tried.items() if isfinite(loss)}
lowest = min(finite, key=finite.get)
claim("sft_rate_of_seeds", tried[size.rates[0]] - tried[lowest])
fig = plots.curves(
    {"LoRA, one epoch ｜ LoRA，一轮": (list(tried), list(tried.values()))},
    "One epoch at five rates (dotted: before training) ｜ 五个学习率，各练一轮（虚线：训练前）",
    "learning rate ｜ 学习率",
    "loss on unseen articles, nats ｜ 没练过的法条上的损失，奈特",
    logx=True,
)
fig.axes[0].axhline(untrained, color="#666666", linestyle=":")
style.describe(
    fig,
    f"Loss against learning rate; lowest at {lowest:g} with {tried[lowest]:.2f}, before training "
    f"{untrained:.2f} ｜ 损失随学习率的变化；最低在 {lowest:g}，为 {tried[lowest]:.2f}，"
    f"训练前为 {untrained:.2f}",
)

# %% [markdown] lang="en"
# At the lowest rate one epoch hardly moves the loss (the dotted line is the loss before training). The best of the five is hundreds of times higher. At the right end training does harm: the loss ends above the dotted line, or it is `nan`, not a number, and the figure cannot show it.
#
# This does not refute the notes. They advise on full fine-tuning of much larger models; LoRA takes a higher rate there too (section 4). For your own model, a loop like this one finds the region; a finer grid with several seeds finds the rate.

# %% [markdown] lang="zh" of="fcab54af"
# 用最低的学习率练一轮，损失几乎没动（虚线是训练前的损失）。五个里面最好的，比它高几百倍。到了最右端，越练越坏：损失高过虚线，或者成了 `nan`（不是数），图上画不出来。
#
# 这并不说明讲义错了。那条建议是给大得多的模型做全参数微调用的，LoRA 在那里也要用更高的学习率（见第 4 节）。换成你的模型，像这样循环一遍，就找得到大致范围；再用更密的几档、多几个种子，就能定下来。

# %% [markdown] lang="en"
# **Exercise 5** (medium, 10 minutes). All weights want another rate than LoRA. Find one for Xiaoxi: `rate`, at which one epoch over 96 rows without articles brings the loss on unseen articles below 1.5 nats. `nb04.loss_at(1e-4)` makes one such training and returns that loss; it takes a few seconds. The table of section 4 names a rate for longer runs; do not trust it, search. Use a cell of your own: `for lr in (…): print(lr, nb04.loss_at(lr))`. Plan your trials: by what factor should the first ones differ? Then write the rate that you found below.

# %% [markdown] lang="zh" of="3f10a889"
# **练习 5**（中等，10 分钟）。训练全部权重时，合适的学习率与 LoRA 的不同。请为小溪找一个 `rate`：用 96 行不带法条的数据练一轮，没练过的法条上的损失要降到 1.5 奈特以下。`nb04.loss_at(1e-4)` 就做一次这样的训练，返回这个损失，只要几秒钟。第 4 节的表里有一个学习率，是给更长的训练用的；先别信它，自己找。另开一格来试：`for lr in (…): print(lr, nb04.loss_at(lr))`。先想好怎么试：最初几次，学习率应当相差几倍？再把找到的学习率写在下面。

# %% tags=["exercise"]
rate = ...

# %% tags=["check"]
nb04.rate(rate)

# %% [markdown] tags=["solution"]
# <details><summary>Solution ｜ 参考答案</summary>
#
# ```python
# rate = 2e-3
# ```
#
# </details>
#
# Begin with steps of a factor of ten, 1e-5 to 1e-1: five trainings show the region. Then halve the gap. Here the table's rate passes; that is what the search had to find out. ｜ 先以十倍为一档，从 1e-5 试到 1e-1：五次就能看出范围。再在中间细分。表里的学习率在这里也合格，不过这要找过才知道。

# %% [markdown] lang="en"
# Now the **epochs**. We train an adapter on few rows, many times over, and watch the loss on these rows and on unseen articles. **Predict first**: how will the two curves part?
#
# The notes advise watching the **validation loss**, the loss on rows kept out of training. With `load_best_model_at_end=True` the trainer saves the model after each epoch and goes back to the one where that loss was lowest. Does this give better answers? We let both models answer: the one of the best epoch and the one of the last.

# %% [markdown] lang="zh" of="6862fb21"
# 再看**轮数**：拿少量数据反复训练一个适配器，边练边看两个损失：一个在这些数据上，一个在没练过的法条上。**先猜一猜**：两条曲线会怎样分开？
#
# 讲义建议监控**验证集损失**，也就是留出来不参与训练的数据上的损失。设了 `load_best_model_at_end=True`，训练器每一轮之后都保存模型，最后退回这个损失最低的那一轮。这样答案会更好吗？我们让两个模型都来回答：一个取最好的一轮，一个取最后一轮。


# %%
class Last(TrainerCallback):
    """Answer with the model of the last epoch, before the best one is loaded."""

    def on_save(self, args, state, control, model, **rest):
        """Keep the answers and the losses at the last step."""
        if state.global_step == state.max_steps:
            self.texts, self.losses = answer(model, others), row_losses(model, others)


def row_losses(model, rows):
    """Return the mean loss of each row's answer, in nats per token."""
    return [loss / tokens for loss, tokens in answer_losses(model, tokenizer, rows)]


# %%
few, last = short[: size.few], Last()
others = closed[: size.asked]  # not the rows that choose the epoch
run = trainer_for(
    few,
    {"few": few, "unseen": watched},
    [last],
    output_dir=str(root() / "build" / "runs" / "best"),
    num_train_epochs=size.few_epochs,
    learning_rate=2 * size.lr,  # a high rate that does not fall shows it sooner
    lr_scheduler_type="constant",
    gradient_accumulation_steps=1,
    save_strategy="epoch",
    save_only_model=True,  # no optimizer: nobody will resume this run
    load_best_model_at_end=True,
    metric_for_best_model="eval_unseen_loss",
)
rmtree(run.args.output_dir, ignore_errors=True)
run.train()
rmtree(run.args.output_dir)
texts["best"], best_losses = answer(run.model.eval(), others), row_losses(run.model, others)

# %%
both = {"few": logged(run, "eval_few_loss"), "unseen": logged(run, "eval_unseen_loss")}
on_held = both["unseen"][1]
best_epoch = on_held.index(min(on_held)) + 1
say(
    f"unseen: {on_held[0]:.2f} after the first epoch, {min(on_held):.2f} after epoch {best_epoch}, "
    f"{on_held[-1]:.2f} at the end",
    f"没练过的：第一轮之后 {on_held[0]:.2f}，第 {best_epoch} 轮之后最低 {min(on_held):.2f}，"
    f"最后 {on_held[-1]:.2f}",
)
claim("sft_overfitting", bootstrap_difference(best_losses, last.losses, unit="nats"))
best_form, last_form = (score_notices(said, others)["form"] for said in (texts["best"], last.texts))
claim("sft_best_epoch", share_difference(last_form, best_form))
rounds = range(1, len(on_held) + 1)
plots.curves(
    {
        "its own rows ｜ 练的这几行": (rounds, both["few"][1]),
        "unseen articles ｜ 没练过的法条": (rounds, on_held),
    },
    "Overfitting: the losses on own and on other rows part ｜ 过拟合：自己的行和别的行，损失分道而行",
    "epochs ｜ 轮数",
    "loss (nats per token) ｜ 损失（奈特/词元）",
    alt=f"Two losses over the epochs; the one on unseen articles is lowest after epoch {best_epoch}"
    f" and ends at {on_held[-1]:.2f}; the one on the trained rows ends at {both['few'][1][-1]:.2f}"
    f" ｜ 两条损失曲线；没练过的法条上，第 {best_epoch} 轮最低，最后为 {on_held[-1]:.2f}；"
    f"练的数据上，最后为 {both['few'][1][-1]:.2f}",
)

# %% [markdown] lang="en"
# At first both losses fall: what the few rows teach helps on other rows too. Then the curve of the unseen articles stops falling and turns up a little, while the loss on the model's own rows still falls. What is learned now no longer lowers the loss on other rows: this is **overfitting** of the loss. The lowest point of a curve is chosen after the fact, so the last point can only lie above it. The first claim is therefore measured on other incidents, which did not choose the epoch: there, too, the loss is higher at the end, and the interval leaves out zero.

# %% [markdown] lang="zh" of="f0f9d50b"
# 起初两条曲线都在降：从这几行学到的东西，对别的行也有用。后来，没练过的法条那条不再下降，略微回升，自己那几行的损失还在降：这时学进去的，已经不能再降低别的行的损失。这就是损失的**过拟合**。最低点是看完曲线才挑出来的，最后一点当然不会比它低。所以第一条论断换了一批没有参与选轮数的事件来测：在那里，最后的损失同样更高，区间也不含零。

# %% [markdown] lang="en"
# Is the model with the lowest loss the better one? Look at the second claim: if its interval holds zero, this run cannot tell which of the two models writes the form better. The loss does not read answers; where you can, look at both.

# %% [markdown] lang="zh" of="b7769747"
# 损失最低的模型，是不是更好？看第二条论断：区间若含零，这次运行就分不出哪个模型的格式写得更好。损失不会替你读答案；能看的话，两样都看。

# %% [markdown]
# ## 7. Stop it, resume it ｜ 中断与恢复

# %% [markdown] lang="en"
# Colab disconnects, and laptops go to sleep. A checkpoint holds the weights, the optimizer, the state of the rate's schedule, the random state and the place in the data. If all five come back, a resumed run should give **the same losses** as an unbroken one. (On Colab, put `output_dir` on Google Drive: a new machine's disk is empty.) We test it: twelve steps unbroken; then twelve again, stopped after step 6 and resumed. (The course's own tests kill a run outright.)

# %% [markdown] lang="zh" of="6cac7a62"
# Colab 会断线，笔记本会休眠。检查点里存着权重、优化器、学习率调度的状态、随机状态，以及数据用到了哪里；五样都恢复，续跑的损失就应当与不中断时**相同**。（在 Colab 上，要把 `output_dir` 放到 Google Drive：换了机器，硬盘是空的。）我们来试：先不中断跑十二步；再从头跑一次，第 6 步后停掉，恢复后跑完。（课程自己的测试会直接杀掉进程。）


# %%
class Stop(TrainerCallback):
    """Stop the training right after the checkpoint of step 6."""

    def on_step_end(self, args, state, control, **rest):
        """Ask to stop once the checkpoint of step 6 is due."""
        control.should_training_stop = state.global_step == 6


def twelve(name, callbacks=(), resume=False):
    """Train twelve steps in a folder of their own; return the trainer's losses by step."""
    run = trainer_for(
        short,
        callbacks=callbacks,
        output_dir=str(root() / "build" / "runs" / name),
        gradient_accumulation_steps=1,
        max_steps=12,
        logging_steps=1,
        eval_strategy="no",
        save_strategy="steps",
        save_steps=6,
    )
    found = last_whole_checkpoint(run.args.output_dir) if resume else None
    run.train(resume_from_checkpoint=found)
    return dict(zip(*logged(run, "loss"), strict=True))


# %%
for name in ("unbroken", "stopped"):
    rmtree(root() / "build" / "runs" / name, ignore_errors=True)
unbroken = twelve("unbroken")
stopped = twelve("stopped", callbacks=[Stop()])
resumed = twelve("stopped", resume=True)
largest = max(abs(unbroken[step] - resumed[step]) for step in unbroken)
say(
    f"stopped after {max(stopped)} steps, resumed to {max(resumed)}; largest difference {largest}",
    f"第 {max(stopped)} 步后停下，恢复后跑到第 {max(resumed)} 步；损失最多相差 {largest}",
)
claim("sft_resume", largest)

# %% [markdown] lang="en"
# On this CPU the losses are the same to the last digit. On a GPU some sums are added up in a varying order, so two runs may differ a little there even without a break. A visible jump of the loss after resuming means that something was not restored.

# %% [markdown] lang="zh" of="6cddeb3f"
# 在这个 CPU 上，损失每一位数字都相同。在 GPU 上，有些求和的先后次序不固定，就算不中断，两次运行也可能略有差别。恢复之后损失明显跳了一下，就说明有东西没恢复。

# %% [markdown]
# ## 8. What goes wrong: a museum of broken runs ｜ 哪里会出错：训练事故博物馆

# %% [markdown] lang="en"
# Six mistakes that people really make. We make each of them here on purpose, small and quick, and put it beside a healthy run. The words in italics name the **symptom** to look for. Most of these mistakes raise no error at all.

# %% [markdown] lang="zh" of="4b2be7b6"
# 六个真实常见的错误。这里故意各犯一次，规模很小，并和正常的训练放在一起对比。斜体字写的是要留意的**症状**。它们大多不会报任何错。

# %% [markdown] lang="en"
# 1. **Mask all zero**: the template lacks `{% generation %}` around the assistant's words, or `max_length` cut the answer off. *In a loop of your own, the loss is `nan` from the first step.*
# 2. **Pad token = end token**: a program masks padding by its id, so the end is masked too. *The loss looks normal; the notice is written to its last line, and then the answer goes on.*
# 3. **Wrong template**: trained on one chat format, asked in another. *The loss looks normal, and hardly an answer is in the form.*

# %% [markdown] lang="zh" of="2adeb9b8"
# 1. **掩码全零**：模板里没有用 `{% generation %}` 把助手的话括起来，或 `max_length` 把答案截掉了。*自己写的循环里，从第一步起损失就是 `nan`*。
# 2. **填充符 = 结束符**：程序按编号屏蔽填充，结束符也跟着被屏蔽。*损失看起来正常；通知书写到了最后一行，写完却停不下来*。
# 3. **模板不一致**：训练用一种对话格式，提问用另一种。*损失看起来正常，回答却几乎没有一份格式正确*。

# %% [markdown] lang="en"
# 4. **Rate × 100**. *The loss jumps up within a few steps and stays up.*
# 5. **Trained on the prompt**: no mask was set. *Prompt tokens enter the average, so the loss can't be compared with that of a masked run.* Measure it on the answers alone, and the two can be compared.
# 6. **Two BOS** (start tokens): the template writes one and the tokenizer adds another. *Look at the ids: the first two are the same.*

# %% [markdown] lang="zh" of="ee3c94cc"
# 4. **学习率 × 100**。*几步之内损失就跳上去，再也下不来*。
# 5. **连提示一起训练**：忘了加掩码，模型把报告也学着写。*提示的词元进了平均数，损失不能再与加了掩码的相比*。只在答案上测，两者就能比了。
# 6. **两个 BOS**（起始符）：模板写了一个，分词器又加一个。*看编号：头两个相同*。

# %% [markdown] lang="en"
# According to its source, TRL 1.16 guards against some of these. For exhibit 1 it swaps in a template with these marks, if it knows the model's family, and raises an error if not; but it silently drops a row whose answer was cut off. It never masks by the id of the padding (2). In TRL, the same harm comes from a template whose end token stands outside `{% generation %}`; TRL then warns.

# %% [markdown] lang="zh" of="5b4c7bce"
# 其中有几种，据其源码，TRL 1.16 会防着。像 1 号这样的，如果认识这个模型家族，它会换上带标记的模板，不认识就报错；但答案被截光的行，它会悄悄丢掉。它从不按填充符的编号来屏蔽（2 号）；在 TRL 里，结束符落在 `{% generation %}` 外面的模板会造成同样的毛病，TRL 会警告。

# %% [markdown] lang="en"
# Xiaoxi learned at school to stop at `<|im_end|>`. So for exhibit 2 we let answers end on a token that it has never seen as an end: its padding token. A control run masks the padding by its place instead of its id.
#
# **Predict first**: which of the six write the form as well as the healthy run?

# %% [markdown] lang="zh" of="0a7e8f70"
# 小溪在小学里学过在 `<|im_end|>` 处停笔。所以 2 号展品里，我们让答案以它从没当结束符见过的词元结尾：填充符。对照的那次训练，则按位置而不是按编号来屏蔽填充。
#
# **先猜一猜**：六个里面，哪几个的格式写得和正常的一样好？


# %%
pad, end = tokenizer.pad_token_id, tokenizer.eos_token_id


def no_labels(rows, n, rng):
    """Make batches in which no label counts (exhibit 1)."""
    for ids, target in batches(rows, n, rng):
        yield ids, torch.full_like(target, -100)


def new_end(rows, n, rng):
    """Make batches whose answers end on the padding token (the control of exhibit 2)."""
    rows = [
        ([pad if i == end and m else i for i, m in zip(*row, strict=True)], row[1]) for row in rows
    ]
    yield from batches(rows, n, rng)


def no_end(rows, n, rng):
    """Make the same batches, with every padding token masked by its id (exhibit 2)."""
    for ids, target in new_end(rows, n, rng):
        yield ids, target.masked_fill(target == pad, -100)


def whole_row(rows, n, rng):
    """Make batches in which every token but the padding counts (exhibit 5)."""
    for ids, _ in batches(rows, n, rng):
        yield ids, ids.masked_fill(ids == pad, -100)


# %%
exhibits = {}
museum_rows, visitors = train_rows[: size.museum_rows], opened[: size.visitors]


def trained(make=batches, lr=size.full_lr, rows=museum_rows):
    """Train all weights for two epochs in a given way; return the model and its losses."""
    set_seed(SEED)
    model = load(whole)[0]
    return model, fit(model, rows, lr=lr, num_epochs=2, make=make)


def hang(name, model, losses, prompts=None, tokenizer=tokenizer, new=96):
    """Hang an exhibit: its answers, and what can be measured of it."""
    prompts = prompts or [row["messages"][:-1] for row in visitors]
    said = generate(model, tokenizer, prompts, max_new_tokens=new, batch_size=size.answer_batch)
    exhibits[name] = {
        "texts": said,
        "form": score_notices(said, visitors)["form"],
        "over 8 lines": [len(text.splitlines()) > 8 for text in said],  # a notice has eight
        "loss": f"{losses[0]:.2f} → {sum(losses[-5:]) / 5:.2f}",
        "on answers": "" if tokenizer.eos_token_id == pad else f"{held_loss(model, visitors):.2f}",
        "at the end": "",
    }


# %%
healthy, losses = trained()
hang("healthy", healthy, losses)
few_rows = museum_rows[: size.museum_few]  # 1 and 4 show at once
hang("healthy, few", *trained(rows=few_rows))  # their control
hang("1", *trained(no_labels, rows=few_rows))
asked = [row["messages"][0]["content"] for row in visitors]
hang("3", healthy, losses, [f"### Instruction:\n{text}\n\n### Response:\n" for text in asked])
hang("4", *trained(lr=100 * size.full_lr, rows=few_rows))
hang("5", *trained(whole_row))
chats = [chat_prompt(tokenizer, row["messages"][:-1]) for row in visitors]
first_id = tokenizer(chats[0], add_special_tokens=False)["input_ids"][0]
hang("6", healthy, losses, [tokenizer.decode([first_id]) + chat for chat in chats])


# %%
def end_loss(model):
    """Return the mean loss at the token that ends an answer, in nats."""
    made = [encode(tokenizer, row["messages"]) for row in visitors]
    ids, target = next(new_end(made, len(made), torch.Generator()))
    with torch.no_grad():
        return label_loss(model, ids, target.where(target == pad, -100)).item()


both_the_same = copy.deepcopy(tokenizer)
both_the_same.eos_token = tokenizer.pad_token  # the mistake in one line
numbers = {"2, control": "2 号的对照", "2": "2 号"}
for name, make in (("2, control", new_end), ("2", no_end)):
    harmed, losses = trained(make)
    harmed.generation_config.eos_token_id = pad
    hang(name, harmed, losses, tokenizer=both_the_same, new=size.long)
    exhibits[name]["at the end"] = f"{end_loss(harmed):.2f}"
    say(f"exhibit {name}, an answer:", f"{numbers[name]}，一份回答：")
    print(exhibits[name]["texts"][looked_at[-1]], end="\n\n")

# %% [markdown] lang="en"
# How to read the table. *training loss*: at the first step → mean of the last five. *loss on answers*: on the answers of test incidents with articles, asked in the right template; not to be compared with the training loss, for half of the training rows show no article. *loss at the end token*: for exhibit 2 and its control only. *over 8 lines*: the share of answers with more lines than a notice has. It does not find one endless line, and it counts any other long answer, too. Exhibit 2 and its control may write 160 tokens, the others 96. Those two have no loss on answers, because their answers end on another token.

# %% [markdown] lang="zh" of="c77718ba"
# 怎样读这张表。*训练损失*：第一步 → 最后五步的平均。*答案上的损失*：给了法条的测试事件，用正确的模板提问，在答案上的损失；不能与训练损失相比，因为训练数据有一半没给法条。*结束符上的损失*：只测了 2 号和它的对照。*超过八行*：行数比一份通知书多的回答所占的比例。一行写到头的，查不出来；不是通知书而行数多的，也算在内。2 号和它的对照最多可写 160 个词元，别的只有 96 个。这两个没有答案上的损失，因为它们的答案以另一个词元结尾。

# %% [markdown] lang="en"
# Exhibits 3 and 6 are the healthy model, asked in another way, so their losses are its own. Exhibits 1 and 4 show at once, so they are trained on fewer rows ("few rows"). Compare them with the healthy run on the same few rows, not with the first row of the table. Where that run has little form, too, their lack of form proves little; their losses, beside its own, prove more. Exhibit 1 had nothing to learn from: the loss on answers is an untrained model's.

# %% [markdown] lang="zh" of="1c0036b2"
# 3 号和 6 号就是那个正常的模型，只是换了问法，所以损失和它一样。1 号和 4 号一看便知，所以训练用的行数较少（表中注明“行数少”）。要拿同样行数的正常训练来比，不要和表中第一行比。如果那次正常训练的格式也没对几份，它们格式不对就说明不了多少；把损失放在一起比，更说明问题。1 号无从学起：它在答案上的损失，就是没训练过的模型的损失。

# %%
titles = {
    "healthy": "healthy ｜ 正常",
    "healthy, few": "healthy, few rows ｜ 正常，行数少",
    "1": "1 mask all zero, few rows ｜ 掩码全零，行数少",
    "4": "4 rate × 100, few rows ｜ 学习率 × 100，行数少",
    "2, control": "2 masked by place: control ｜ 按位置屏蔽（对照）",
    "2": "2 pad = end ｜ 填充符 = 结束符",
    "3": "3 wrong template ｜ 模板不一致",
    "5": "5 trained on the prompt ｜ 连提示一起训练",
    "6": "6 two BOS ｜ 两个 BOS",
}
measured = ("loss", "on answers", "at the end")
rows = []
for name, title in titles.items():
    case = exhibits[name]
    numbers = [case[what] for what in measured]
    rows.append([title, *numbers, share(case["form"]), share(case["over 8 lines"])])
header = ["run ｜ 训练", "training loss ｜ 训练损失", "loss on answers ｜ 答案上的损失"]
header += [
    "loss at the end token ｜ 结束符上的损失",
    "in form ｜ 格式正确",
    "over 8 lines ｜ 超过八行",
]
tables.table(header, rows)

# %%
ids = tokenizer(tokenizer.decode([first_id]) + chats[0], add_special_tokens=False)["input_ids"]
say(
    f"the ids of exhibit 6 begin {ids[:4]}, those of a right prompt {ids[1:5]}",
    f"6 号的编号以 {ids[:4]} 开头，正确的提示以 {ids[1:5]} 开头",
)
form = {name: case["form"] for name, case in exhibits.items()}
claims.table(
    {
        "sft_museum_healthy": share(form["healthy"]),
        "sft_museum_mask": share(form["1"]),
        "sft_museum_pad_is_end": share_difference(
            exhibits["2, control"]["over 8 lines"], exhibits["2"]["over 8 lines"]
        ),
        "sft_museum_template": share(form["3"]),
        "sft_museum_rate": share(form["4"]),
        "sft_museum_prompt": share_difference(form["healthy"], form["5"]),
        "sft_museum_bos": share_difference(form["healthy"], form["6"]),
    }
)

# %% [markdown] lang="en"
# **Exhibit 2** has a loss like the healthy run's, but its notices go on after the last line, because nothing taught it to stop. Of the losses taken here, the one *at the end token* gives it away: compare the control's. (Values in the two printed notices may be wrong, after two epochs on few rows. Look at how they end.) **Exhibit 5** averages over the prompt as well, so its loss can't be compared; on the answers alone it can. An interval below zero says that these two trained models differ in form. The claim is about training on prompts in general; it needs several seeds, so it stays "not shown".

# %% [markdown] lang="zh" of="0c1f4ec7"
# **2 号**的损失与正常的差不多，可通知书写完最后一行还在往下写，因为没有什么教过它停笔。这里测的几种损失里，*结束符上*的那个看得出来：与对照的比一比。（打印出来的两份，内容不一定都对：行数少，只练两轮，练得不多。要看的是它们怎么结尾。）**5 号**连提示也一起平均了，损失没法比；只看答案，就能比了。差值的区间若全在零以下，说明这两个训练好的模型格式有差别。论断讲的却是一般情形，要有好几个种子才能下结论，所以仍是“未能证明”。

# %% [markdown] lang="en"
# **Exhibit 6** shows in the ids. Xiaoxi has no BOS, so we doubled its first token, and only when asking: this says nothing of Llama or Gemma, which have one.
#
# The training losses give away 1 (`nan`) and 4. Exhibit 3 is the healthy run, asked otherwise. So **read answers** before you trust a curve.

# %% [markdown] lang="zh" of="7f35bd63"
# **6 号**要看编号。小溪没有 BOS，我们把第一个词元写两遍，而且只在提问时这样做：对 Llama、Gemma 这类有 BOS 的模型，这说明不了什么。
#
# 光看训练时的损失，只看得出 1 号（`nan`）和 4 号。3 号就是那个正常的模型，只是换了问法。所以**先读答案**，再信曲线。

# %% [markdown]
# ## 9. Does it carry over? ｜ 放到真实模型上还成立吗？

# %% [markdown] lang="en"
# All of the above was measured on Xiaoxi, a very small model. The table compares some of its claims with recorded runs of SmolLM2-135M, a real pre-trained model: English alone, fewer rows (240 notices), mostly a single seed, and of several rates the one that was best on these same incidents. In brackets stands the number of runs; "–" means not measured; H200 is a GPU, TF32 a precision in which it computes. "Yes" means that the effect goes the same way, though the numbers may lie far apart; "in part", that it does so with the reserve in brackets.

# %% [markdown] lang="zh" of="de3282ce"
# 以上都是在小溪这个很小的模型上测的。下表把其中几条论断与 SmolLM2-135M 的训练记录作比较。后者是真正预训练出来的模型；那些训练只用英文，数据更少（240 份通知书），大多只有一个种子，学习率也是在这同一批事件上挑最好的。括号里是训练次数；“–”表示没有测；H200 是一种 GPU，TF32 是它的一种计算精度。“是”表示效果的方向一致，数值可能相差很大；“部分”表示大体如此，但有括号里写的保留。

# %% [markdown] lang="en"
# Where the two disagree, believe the real model. On replay they agree, and there it says more than ours: its general rows are answers of the base model itself to prompts of another kind than the test's. They kept most old answers, not all. It also hints at a price: with LoRA and 50 general rows, notices all right fell from 71 to 66 %, with 170 to 61 %. With all weights the records go both ways.
#
# What neither tells you is *your* model and *your* old skills: set `PROFILE = "small"`, or `MODEL`, and run the notebook again.

# %% [markdown] lang="zh" of="0e7d57a5"
# 两者不一致时，应当相信真实模型。在重放上两者一致，而且它比我们更有说服力：它混入的通用数据是基座模型自己的回答，提示也和测试题不是同一类。原先答对的题大部分保住了，但不是全部。它还透露出代价：用 LoRA 时，混入 50 条通用数据，全对的通知书从 71 % 降到 66 %，170 条降到 61 %；全参数的记录则有升有降。
#
# *你的*模型、*你的*旧本领会怎样，两者都说明不了：设 `PROFILE = "small"`，或者设 `MODEL`，再把 notebook 运行一遍。

# %%
carry.show("04_sft")

# %% [markdown]
# ## 10. Exercises ｜ 练习

# %% [markdown] lang="en"
# **Exercise 6** (medium, 5 minutes). Here are five patients. For each, name the exhibit, 1 to 6, that fits best: `diagnosis = {"A": ?, "B": ?, …}`. One exhibit is not used.
#
# - A: The loss falls to 0.2. Its developer's tests look good; asked in production, hardly an answer is in the form.
# - B: The loss looks normal except at the token that ends an answer. The notice is complete, and then the answer goes on with another user's turn.
# - C: The loss can't be compared with a colleague's on the same data, because it counts four times as many tokens.
# - D: The loss is 3 at step 5 and 8 at step 10.
# - E: The loss is `nan` from the first step.

# %% [markdown] lang="zh" of="b12b739a"
# **练习 6**（中等，5 分钟）。五位病人，请说出各自最像 1 到 6 号展品中的哪一件：`diagnosis = {"A": ?, "B": ?, …}`。有一件用不上。
#
# - A：损失降到 0.2，开发者自己测，也写得好；上线后向它提问，却几乎没有一份格式正确。
# - B：损失看起来正常，只有结束答案的那个词元例外；通知书写完整了，却接着写起下一位用户的话。
# - C：数据和同事的一样，损失却没法比：计入损失的词元是同事的四倍。
# - D：第 5 步损失为 3，第 10 步为 8。
# - E：从第一步起损失就是 `nan`。

# %% tags=["exercise"]
diagnosis = ...

# %% tags=["check"]
nb04.diagnosis(diagnosis)

# %% [markdown] tags=["solution"]
# <details><summary>Solution ｜ 参考答案</summary>
#
# ```python
# diagnosis = {"A": 3, "B": 2, "C": 5, "D": 4, "E": 1}
# ```
#
# </details>

# %% [markdown] lang="en"
# **Exercise 7** (medium, 10 minutes). This run never learns anything. One step of it looks like this, and it has **three** faults:
#
# ```python
# labels = ids * mask  # the mask is 1 over the answer, 0 over the prompt
# logits = model(ids).logits
# loss = cross_entropy(logits[:, 1:].flatten(0, 1), labels[:, :-1].flatten())
# loss.backward()
# optimizer.zero_grad()
# optimizer.step()
# return loss.item()
# ```
#
# Write `one_step` as it should be. The check names the faults that are left.

# %% [markdown] lang="zh" of="00284c02"
# **练习 7**（中等，10 分钟）。有一次训练什么也学不到。它的一步是这样写的，里面有**三处**错误：
#
# ```python
# labels = ids * mask  # the mask is 1 over the answer, 0 over the prompt
# logits = model(ids).logits
# loss = cross_entropy(logits[:, 1:].flatten(0, 1), labels[:, :-1].flatten())
# loss.backward()
# optimizer.zero_grad()
# optimizer.step()
# return loss.item()
# ```
#
# 请写出正确的 `one_step`。检查时会指出还剩哪些错误。


# %% tags=["exercise"]
def one_step(model, optimizer, ids, mask):
    """Train on one batch; ids and mask are (batch, tokens). Return the loss."""
    ...


# %% tags=["check"]
nb04.one_step(one_step)

# %% [markdown] tags=["solution"]
# <details><summary>Solution ｜ 参考答案</summary>
#
# ```python
# def one_step(model, optimizer, ids, mask):
#     """Train on one batch; ids and mask are (batch, tokens). Return the loss."""
#     from torch.nn.functional import cross_entropy
#
#     labels = ids.where(mask.bool(), -100)
#     logits = model(ids).logits
#     loss = cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
#     loss.backward()
#     optimizer.step()
#     optimizer.zero_grad()
#     return loss.item()
# ```
#
# </details>

# %% [markdown] lang="en"
# **Exercise 8** (medium, 5 minutes). Three broken runs on the same rows, beside a healthy one. The cell below trains them; its code shows the answer, so run it without reading it, and judge by the curves alone. Name each cause, `causes = {"A": "…", …}`, from this list: `"rate too high"`, `"rate too low"`, `"labels not shifted"`, `"prompt not masked"`. One is not used. (A hint: without the shift, the token to predict is the one that the model has just read. How hard is that?)

# %% [markdown] lang="zh" of="14744ee5"
# **练习 8**（中等，5 分钟）。三次训坏了的训练，旁边是一次正常的，数据相同。训练就在下面那一格，代码里写着答案：先别看，直接运行，只凭曲线判断。说出各自的原因，`causes = {"A": "…", …}`，从这几个里选：`"rate too high"`（学习率太高）、`"rate too low"`（学习率太低）、`"labels not shifted"`（标签没有错位）、`"prompt not masked"`（提示没有屏蔽）。有一个用不上。（想一想：标签若没有错位，要预测的就是刚读到的那个词元，这难不难？）


# %%
def unshifted(rows, n, rng):
    """Make batches whose labels stand one place early, so that the shift undoes itself."""
    for ids, target in batches(rows, n, rng):
        yield ids, target.roll(1, dims=1)


slips = {
    "A": {"make": unshifted},
    "B": {"lr": size.full_lr / 100},
    "C": {"lr": 100 * size.full_lr},
    "healthy ｜ 正常": {},
}
some = short[: size.museum_few]
curves = {name: trained(rows=some, **slip)[1] for name, slip in slips.items()}
said = in_words({name: f"{run[0]:.2f} → {run[-1]:.2f}" for name, run in curves.items()})
fig = plots.curves(
    {name: (range(1, len(losses) + 1), losses) for name, losses in curves.items()},
    "Three broken runs and a healthy one ｜ 三次训坏的和一次正常的",
    "step ｜ 步",
    "loss (nats per token) ｜ 损失（奈特/词元）",
    alt=f"Four loss curves over the steps: {said[0]} ｜ 四条损失曲线：{said[1]}",
)
fig.axes[0].set_yscale("log")
fig

# %% tags=["exercise"]
causes = ...

# %% tags=["check"]
nb04.causes(causes)

# %% [markdown] tags=["solution"]
# <details><summary>Solution ｜ 参考答案</summary>
#
# ```python
# causes = {"A": "labels not shifted", "B": "rate too low", "C": "rate too high"}
# ```
#
# </details>
#
# A is the treacherous one: it looks like a very good run. It learned to repeat the token that it has just read. ｜ A 最会骗人：看上去训练得非常好，其实只学会了重复刚读到的词元。

# %% [markdown] lang="en"
# **Exercise 9** (easy, 5 minutes). A run of three days is about to start. For each worry, choose the **one** thing to log that shows it first: `log = {"A": "…", …}`, each one of `"training loss"`, `"loss on unseen articles"`, `"loss on general rows"`, `"a few answers"`.
#
# - A: The model may write on and on after a right notice.
# - B: The model may forget how to add and translate.
# - C: The rate may be far too high.
# - D: The model may learn its rows by heart.

# %% [markdown] lang="zh" of="3960f9fc"
# **练习 9**（容易，5 分钟）。一次要跑三天的训练即将开始。下面每一种担心，记录**哪一样**最先看得出来？`log = {"A": "…", …}`，从这四个里选：`"training loss"`（训练损失）、`"loss on unseen articles"`（没练过的法条上的损失）、`"loss on general rows"`（通用数据上的损失）、`"a few answers"`（几份回答）。
#
# - A：通知书写对之后，可能没完没了地写下去。
# - B：可能忘了怎么加减、怎么翻译。
# - C：学习率可能高得离谱。
# - D：可能把数据背了下来。

# %% tags=["exercise"]
log = ...

# %% tags=["check"]
nb04.log(log)

# %% [markdown] tags=["solution"]
# <details><summary>Solution ｜ 参考答案</summary>
#
# ```python
# log = {
#     "A": "a few answers",
#     "B": "loss on general rows",
#     "C": "training loss",
#     "D": "loss on unseen articles",
# }
# ```
#
# </details>

# %% [markdown]
# ## Summary ｜ 小结

# %% [markdown] lang="en"
# - Loss and loop are a few lines: shift by one, skip `-100`, average over labels, `backward`, `step`, `zero_grad`.
# - On Xiaoxi, SFT taught the **form**: almost always right with articles in the prompt, less surely without. Facts of unseen articles needed the article in the prompt.
# - Learning notices alone cost most old skills. **Replay** kept most, in its best case. A lower rate forgets less; whether it learns less depends on where one starts.
# - Two accumulated batches make the step of one large batch, if labels are counted.
# - Which tokens count, the end token above all, decides what is learned; a wrong template at the question can hide it. None of the six mistakes raised an error here. Curves read no answers: you must.

# %% [markdown] lang="zh" of="b30b115e"
# - 损失和循环不过几行：错开一位，跳过 `-100`，在标签上取平均，然后 `backward`、`step`、`zero_grad`。
# - 在小溪上，SFT 教会的是**格式**：提示里有法条，几乎总写对；没有法条，就没有那么稳。没练过的法条，事实要写对，提示里得有那条法条。
# - 只学通知书，代价是大部分旧本领。**重放**保住了大半（这里是对重放最有利的情形）。学习率低，忘得少；学得是不是也少，要看从多高往下调。
# - 只要按标签数来算，累积两批的一步，就等于一大批的一步。
# - 哪些词元计入损失，尤其是结束符，决定学到什么；提问时模板用错，学到的就显不出来。六个错误在这里没有一个报错。曲线不会替你读答案，要自己读。

# %% [markdown] lang="en"
# **Next**: 05 QLoRA keeps the frozen weights in 4 bits, so a larger model fits into the same memory. Passed so far:

# %% [markdown] lang="zh" of="e6542c8b"
# **下一课**：05 QLoRA 用 4 比特存放冻结的权重，同样的内存装得下更大的模型。你目前通过的练习：

# %%
progress("04")
