# %% [markdown]
# # 04. Supervised fine-tuning ｜ 监督式微调
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/finetuning-path/blob/main/notebooks/04_sft.ipynb) [![Open in Kaggle](https://kaggle.com/static/images/open-in-kaggle.svg)](https://kaggle.com/kernels/welcome?src=https://github.com/OWNER/finetuning-path/blob/main/notebooks/04_sft.ipynb)
#
# You teach a model to write official notices, and you measure what it learned, what it did not, and what it forgot. ｜ 你将教会模型写公文，并测出它学会了什么、没学会什么、又忘掉了什么。

# %% [markdown] lang="en"
# | | |
# |---|---|
# | **You will** | train with a loop of your own, then with TRL and LoRA |
# | | measure form, terms and facts before and after, with intervals |
# | | stop, resume, save and load a training run |
# | | recognise six broken runs by their symptoms |
# | **Before** | notebook 00; helpful: 02 and 03 |
# | **`tiny`** | 5 minutes, 1.2 GB of memory, any laptop |
# | **`t4`, `gpu`** | not measured yet |

# %% [markdown] lang="zh" of="5e2e50df"
# | | |
# |---|---|
# | **你将** | 先用自己写的循环训练，再用 TRL 和 LoRA 训练 |
# | | 在训练前后测量格式、术语和事实，并给出区间 |
# | | 中断、恢复、保存、加载一次训练 |
# | | 凭症状认出六种训坏了的情形 |
# | **先学** | notebook 00；最好也看过 02 和 03 |
# | **`tiny`** | 5 分钟，1.2 GB 内存，任何笔记本电脑 |
# | **`t4`、`gpu`** | 尚未实测 |

# %% tags=["bootstrap"]
# Find the course's folder, or fetch it on Colab and Kaggle; the same cell in every notebook.
# 找到课程文件夹；在 Colab 和 Kaggle 上则先下载。每个 notebook 都用同一个单元格。
import os
import subprocess
import sys
from pathlib import Path

REPO = "https://github.com/OWNER/finetuning-path"  # the address stands here alone ｜ 地址只写在这里
MARKS = {"COLAB_RELEASE_TAG", "KAGGLE_KERNEL_RUN_TYPE"}
in_cloud = bool(MARKS & set(os.environ)) or "google.colab" in sys.modules

places = [Path.cwd(), *Path.cwd().parents, Path.cwd() / Path(REPO).stem]
course = next((p for p in places if (p / "helpers" / "platforms.py").is_file()), None)
if course is None and in_cloud:
    course = places[-1]
    fetch = ["git", "clone", "--quiet", "--depth=1", REPO, str(course)]
    if subprocess.run(fetch, env=os.environ | {"GIT_TERMINAL_PROMPT": "0"}).returncode:
        raise OSError(f"Cannot fetch {REPO}: is the internet on? ｜ 下载失败：网络打开了吗？")
if course is None:
    raise OSError("Open the notebook inside the course's folder ｜ 请在课程文件夹里打开 notebook")
if str(course) not in sys.path:
    sys.path.insert(0, str(course))

from helpers import platforms  # noqa: E402

platforms.prepare()

# %% tags=["parameters"]
PROFILE = "auto"  # auto, tiny, t4, gpu or smoke
MODEL = None  # a hub id or a folder, in place of the profile's model
SEED = 0
DATA = None  # the path of a file of your own (notebook 03, section 8)

# %%
import random
from dataclasses import replace
from shutil import rmtree

import torch
from peft import LoraConfig, get_peft_model
from torch.nn.utils.rnn import pad_sequence
from transformers import PrinterCallback, TrainerCallback
from trl import SFTConfig, SFTTrainer

from helpers.base import root, say
from helpers.env import PROFILES, resolve, set_seed, threads
from helpers.exercise import progress
from helpers.lessons import nb04
from helpers.data.check import own_dataset
from helpers.data.formats import to_dataset
from helpers.model.adapters import load_adapter, save_adapter
from helpers.model.generate import chat_prompt, generate
from helpers.model.load import load, parameter_counts
from helpers.model.loss import answer_losses, encode
from helpers.model.train import score_labels_only
from helpers.lingxi.files import select, world
from helpers.lingxi.rows import make_notice
from helpers.lingxi.score import forgetting, score_notices
from helpers.measure import claims, sweeps
from helpers.measure.claims import claim
from helpers.measure.stats import share, share_difference
from helpers.show import plots, style, tokens, widgets

# %%
setup = resolve(PROFILE, MODEL)
small = setup._replace(dtype="float32")  # what is trained whole
if setup.profile == "gpu" and MODEL is None:  # 7B in float32, with its optimizer: 120 GB
    small = small._replace(model=PROFILES["t4"])
full_lr, lora_lr, rows_a_step = (2e-3, 7e-3, 8) if setup.use_cpu else (2e-5, 2e-4, 4)
claims.start("04_sft", setup.profile, SEED)
threads()
set_seed(SEED)
style.style()

# %% [markdown]
# ## 1. Why: the clerk who knows no form ｜ 为什么：不懂公文格式的书记员

# %% [markdown] lang="en"
# A report of an incident comes in, in everyday words. The invented city of Lingxi wants an **official notice** made from it: a fixed form, official terms, and the right numbers.
#
# Xiaoxi, the course's small model, has been to primary school: it reads, copies and adds. It has never seen a notice of Lingxi. **Supervised fine-tuning** (SFT) shows it pairs of a prompt and the answer we want: the medical school of notebook 00.

# %% [markdown] lang="zh" of="3f4b1911"
# 送来一份事件报告，写的是大白话；虚构的灵溪市要据此出一份**正式通知书**：格式固定、用语正式、数字无误。
#
# 小溪（课程自带的小模型）读过小学：会读、会抄、会算，但从没见过灵溪的通知书。**监督式微调**（SFT）就是给它看一对对的“提示和标准答案”，也就是 notebook 00 里说的医学院。

# %%
print(f"{setup.profile}: {setup.model}, {setup.dtype} on {setup.device}")
model, tokenizer = load(setup)
train_rows = select(world("train"), task="notice")[: 16 if setup.smoke else None]
example = select(train_rows, lang="en", context=False)[0]
for message in example["messages"]:
    print(f"--- {message['role']}\n{message['content']}\n")

# %% [markdown] lang="en"
# **The test.** Incidents that no training row (one example) holds, under articles that no training row mentions. Each appears twice: `closed` (closed book) has the incident alone, `opened` (open book) has three articles in the prompt, one of which applies. So *style* (form, terms) and *knowledge* (numbers) can be told apart.

# %% [markdown] lang="zh" of="495823ec"
# **测试**。测试用的事件不在训练集里（训练集的一行就是一个例子），涉及的法条在训练集里也从未出现。每个事件出两道题：`closed`（闭卷）只给事件，`opened`（开卷）另给三条法条，其中一条适用。这样就能把*风格*（格式、术语）和*知识*（数字）分开来测。

# %%
n_test = 8 if setup.smoke else 120
unseen = select(world("eval"), task="notice", split="unseen")
closed = select(unseen, context=False)[:n_test]
stems = {row["id"][:9]: row for row in unseen if len(row["context"]) == 3}
opened = [stems[row["id"][:9]] for row in closed]
valid = select(unseen, context=False)[n_test:][
    : n_test // 3
]  # to watch while training, never to test
sizes = len(train_rows), len(closed)
say(
    "{} rows to train on, {} incidents".format(*sizes),
    "{} 行用于训练，{} 个事件用于测试".format(*sizes),
)
print(opened[0]["messages"][0]["content"])

# %% [markdown] lang="en"
# **Predict first.** What will the base model, not fine-tuned yet, write for `Write the notice.`? A notice? An answer to some other question? Nothing?

# %% [markdown] lang="zh" of="1290d780"
# **先猜一猜**。看到 `Write the notice.`，还没微调过的基座模型会写什么？一份通知书？答非所问？还是什么都不写？


# %%
def answer(model, rows):
    """Let the model answer the last question of each row."""
    return generate(
        model, tokenizer, [row["messages"][:-1] for row in rows], max_new_tokens=96, batch_size=60
    )


texts = {"before": answer(model, opened)}
print(texts["before"][0])

# %% [markdown] lang="en"
# The scores, each all or nothing for a notice: `form` (header, labels and order to the letter), `conduct` (what was done, in the code's own words), `term` (the official term), `facts` (article, fine, points and office all right), `all` (everything). Where labels are missing, `conduct` and `term` need only occur. The numbers in brackets are 95 % intervals, by Wilson's formula: it also suits shares near 0 or 100 %.

# %% [markdown] lang="zh" of="ab145a0c"
# 各项分数，每份通知书要么全对、要么算错：`form`（标题、标签和顺序一字不差）、`conduct`（违法事实，用法条自己的话说）、`term`（正式术语）、`facts`（条号、罚款、记分、机关全对）、`all`（全部正确）。没写标签时，`conduct` 和 `term` 只要出现就算。方括号里是 95 % 区间，用 Wilson 公式计算，比例接近 0 或 100 % 时也适用。


# %%
def marks(texts, rows):
    """Score notices; return name -> share with its 95 % interval."""
    scores = score_notices(texts, rows)
    return {name: share(scores[name]) for name in ("form", "conduct", "term", "facts", "all")}


before = {"closed": marks(answer(model, closed), closed), "opened": marks(texts["before"], opened)}
for name, value in before["opened"].items():
    print(f"{name:6} {value}")
claim("sft_form_before", before["closed"]["form"])

# %% [markdown]
# ## 2. What counts in the loss ｜ 哪些词元计入损失

# %% [markdown] lang="en"
# SFT minimises the mean surprise at the tokens of the answer $y$, given the prompt $x$ and the answer so far:
#
# $$L = -\frac{1}{|y|}\sum_{t} \ln p(y_t \mid x, y_{<t})$$
#
# `<|im_start|>` and `<|im_end|>` below come from the **chat template**, which writes a conversation as one text (notebook 03). The prompt is read but not trained on. **Labels** are the tokens that the model should predict; over the prompt they are `-100`, which the loss skips. That choice is the **loss mask**. The end token counts, or the model would never learn to stop.

# %% [markdown] lang="zh" of="ecbdcd10"
# 模型看着提示 $x$ 和答案里已经写出的部分，预测答案 $y$ 的下一个词元。SFT 要让它的“意外程度”平均下来尽量小：
#
# $$L = -\frac{1}{|y|}\sum_{t} \ln p(y_t \mid x, y_{<t})$$
#
# 下面的 `<|im_start|>`、`<|im_end|>` 来自**对话模板**，它把一段对话写成一段文本（见 notebook 03）。提示只读不练。**标签**就是模型该预测的词元；提示部分的标签一律写成 `-100`，计算损失时会跳过。这就是**损失掩码**。结束符要计入损失，否则模型永远学不会停。


# %%
def show_mask(row):
    """Show one training row, token by token, with what the loss counts."""
    ids, mask = encode(tokenizer, train_rows[row]["messages"])
    return tokens.token_colours([tokenizer.decode([i]) for i in ids], mask, ids)


shortest = sorted(range(len(train_rows)), key=lambda i: len(str(train_rows[i]["messages"])))
widgets.explore(show_mask, names={"row": "row ｜ 行"}, row=shortest[:12])

# %% [markdown] lang="en"
# **Exercise 1** (easy, 3 minutes). Write `labels`: the token ids where the mask is 1, `-100` elsewhere.

# %% [markdown] lang="zh" of="11bf7142"
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
# ## 3. The smallest example: a loop of your own ｜ 最小的例子：自己写的循环

# %% [markdown] lang="en"
# What a trainer does for you fits into two short functions: put rows of like length into one batch, pad them to one length, take the loss where a label counts, step the optimizer, lower the learning rate. The output at one position predicts the *next* token, so outputs and labels are shifted by one. A trick for CPUs: logits (a score for each possible next token) **only where a label is**, not for the whole prompt.

# %% [markdown] lang="zh" of="f288e35e"
# 训练器替你做的事，两个短函数就写得下：把长度相近的行分到同一批，填充到一样长，在有标签处算损失，让优化器走一步，再降低学习率。每个位置的输出预测的是*下一个*词元，所以输出和标签要错开一位。在 CPU 上有个提速诀窍：logits（给每个可能的下一个词元打的分）**只在有标签的位置**算，不必给整个提示都算一遍。


# %%
def batches(rows, size, rng):
    """Yield batches (ids, labels), each (batch, tokens), of encoded rows of like length."""
    rows = sorted(rows, key=lambda row: len(row[0]))
    groups = [rows[i : i + size] for i in range(0, len(rows), size)]
    for n in torch.randperm(len(groups), generator=rng).tolist():
        ids = [torch.tensor(row) for row, _ in groups[n]]
        target = [
            row.where(torch.tensor(mask).bool(), -100)
            for row, (_, mask) in zip(ids, groups[n], strict=True)
        ]
        ids = pad_sequence(ids, batch_first=True, padding_value=tokenizer.pad_token_id)
        target = pad_sequence(target, batch_first=True, padding_value=-100)
        yield ids.to(setup.device), target.to(setup.device)


# %%
def fit(model, rows, lr, num_epochs, batch_size=rows_a_step, make=batches, after_epoch=None):
    """Train the weights that want a gradient; return the loss of each step."""
    rng, losses = torch.Generator().manual_seed(SEED), []
    rows = [encode(tokenizer, row["messages"]) for row in rows]  # (ids, mask) each
    steps = num_epochs * -(-len(rows) // batch_size)  # rounded up
    weights = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=lr, fused=True)  # one kernel for all weights
    core = model.get_base_model() if hasattr(model, "get_base_model") else model  # inside PEFT's
    model.train()
    for _ in range(num_epochs):
        for ids, target in make(rows, batch_size, rng):
            # no attention mask: padding stands on the right, and no token looks right
            hidden = core.model(ids, use_cache=False).last_hidden_state  # (batch, tokens, emb)
            counts = target[:, 1:] != -100
            logits = core.lm_head(hidden[:, :-1][counts])  # (labels, vocabulary)
            loss = torch.nn.functional.cross_entropy(logits.float(), target[:, 1:][counts])
            loss.backward()
            torch.nn.utils.clip_grad_norm_(weights, 1.0)  # no step may be too long
            optimizer.param_groups[0]["lr"] = lr * (1 - len(losses) / steps)
            optimizer.step()
            optimizer.zero_grad()
            losses.append(loss.item())
        if after_epoch:
            after_epoch()
    return losses


# %% [markdown] lang="en"
# Try it on sixteen rows, training all weights, until the model knows them by heart: it overfits. If a model **cannot overfit sixteen rows**, something is broken: the cheapest test there is, before every long run. Expected: a loss below 0.1.

# %% [markdown] lang="zh" of="0d97b098"
# 先拿十六行来试，所有权重都参与训练，练到背得出来，也就是过拟合。如果模型连**十六行都过拟合不了**，就一定有哪里坏了：这是最便宜的检查，每次长时间训练之前都该做。预期：损失低于 0.1。

# %%
first, drilled = train_rows[:16], load(small)[0]
losses = fit(drilled, first, lr=full_lr, num_epochs=2 if setup.smoke else 15)
print(f"loss {losses[0]:.2f} → {losses[-1]:.3f}")
print(answer(drilled.eval(), first[:1])[0])
del drilled  # a GPU's memory is needed for others
claim("sft_overfit_16", losses[-1])

# %% [markdown] lang="en"
# **Exercise 2** (easy, 5 minutes). The recipe in the notes that this course grew from: batches of 4, gradients accumulated over 4 batches before each step, 3 epochs (passes over all rows), `warmup_steps=100` (the steps in which the rate climbs from zero). Write `optimizer_steps` (a last batch that is not full counts; so does a last step with fewer batches), then say what such a warm-up means for our 480 rows.

# %% [markdown] lang="zh" of="0366d81b"
# **练习 2**（容易，5 分钟）。本课程最初的讲义给的配方：每批 4 行，梯度累积 4 批才走一步，3 轮（每轮把所有行过一遍），`warmup_steps=100`（预热：最初的 100 步里，学习率从零慢慢升上去）。写出 `optimizer_steps`（最后不满的一批照算，最后不足 4 批也照走一步），再想想：对我们这 480 行，这样的预热意味着什么？


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
# 480 rows give 90 steps: the rate would still be warming up when the training ends. ｜ 480 行只有 90 步：训练结束时，学习率还在预热。

# %% [markdown]
# ## 4. The real run: TRL and LoRA ｜ 正式训练：TRL 与 LoRA

# %% [markdown] lang="en"
# TRL is Hugging Face's library for training language models. It has moved on since the notes; each line below should change:
#
# | in the notes | today |
# |---|---|
# | `TrainingArguments(...)` | `SFTConfig(...)` |
# | `SFTTrainer(tokenizer=...)` | `processing_class=` |
# | `SFTTrainer(max_seq_length=2048)` | `SFTConfig(max_length=2048)` |
# | `bf16=True` | only on a GPU of 2020 or later |
# | `print(model.print_trainable_parameters())` | prints an extra `None` (notebook 02) |
#
# Two of them, tried:

# %% [markdown] lang="zh" of="4bebf56b"
# TRL 是 Hugging Face 的语言模型训练库。讲义写成之后 TRL 变了，下面每一行如今都该改：
#
# | 讲义 | 现在 |
# |---|---|
# | `TrainingArguments(...)` | `SFTConfig(...)` |
# | `SFTTrainer(tokenizer=...)` | `processing_class=` |
# | `SFTTrainer(max_seq_length=2048)` | `SFTConfig(max_length=2048)` |
# | `bf16=True` | 只适用于 2020 年及以后的 GPU |
# | `print(model.print_trainable_parameters())` | 会多打印一个 `None`（见 notebook 02） |
#
# 试试其中两行：

# %%
for old in ({"tokenizer": tokenizer}, {"max_seq_length": 2048}):
    try:
        SFTTrainer(model=model, train_dataset=to_dataset(first), **old)
    except TypeError as error:
        print(f"TypeError: {error}")

# %% [markdown] lang="en"
# **LoRA** freezes the model and learns two thin matrices beside each big one; their thin side, `r`, is the **rank**, and together they are the **adapter**. The notes put them on `q_proj` and `v_proj` alone, two of the matrices of attention; we put them on every linear layer; notebook 02 compares the two.
#
# **Predict first.** What share of the weights is trained? The notes say about 0.1 %, or "less than 1 %".

# %% [markdown] lang="zh" of="293f9177"
# **LoRA** 冻结模型，只在每个大矩阵旁边学两个瘦长的小矩阵。小矩阵的窄边 `r` 叫作**秩**，所有小矩阵合起来就是**适配器**。讲义只加在 `q_proj` 和 `v_proj`（注意力里的两种矩阵）上；我们加在所有线性层上；两种做法在 notebook 02 里比较。
#
# **先猜一猜**。参与训练的权重占多大比例？讲义说约 0.1 %，或“不到 1 %”。

# %%
model, tokenizer = load(setup)
lora = LoraConfig(
    r=32,  # the rank of the two thin matrices
    lora_alpha=96,  # their product is scaled by alpha / r = 3
    target_modules="all-linear",  # the notes: only q_proj and v_proj
    task_type="CAUSAL_LM",
)
adapted = get_peft_model(model, lora)
trainable, total = parameter_counts(adapted)
say(f"{trainable:,} of {total:,} weights", f"{total:,} 个权重里训练 {trainable:,} 个")
claim("sft_lora_share", 100 * trainable / total)

# %% [markdown] lang="en"
# The share is large because Xiaoxi is small: LoRA's matrices grow with a layer's width, the layer itself with its square. The same `r=32` on a 7B model is about 1 % (notebook 02 does the counting).

# %% [markdown] lang="zh" of="204f63ca"
# 比例偏大，是因为小溪很小：LoRA 的权重数随层宽线性增长，而层本身按平方增长。同样的 `r=32`，放到 7B 模型上只占约 1 %（怎么算，见 notebook 02）。

# %%
config = SFTConfig(
    output_dir=str(root() / "build" / "runs" / "sft"),
    assistant_only_loss=True,  # the loss mask of section 2
    learning_rate=lora_lr,
    num_train_epochs=1 if setup.smoke else 8,
    per_device_train_batch_size=rows_a_step,
    per_device_eval_batch_size=16,
    max_length=1024,  # a longer row is cut
    train_sampling_strategy="group_by_length",  # less padding
    lr_scheduler_type="linear",
    eval_strategy="epoch",
    save_strategy="no",
    logging_steps=1 if setup.smoke else 5,
    bf16=setup.bf16,  # False on a CPU and on a T4
    fp16=setup.fp16,
    use_cpu=setup.use_cpu,
    gradient_checkpointing=not setup.use_cpu,  # saves GPU memory, costs time
    optim="adamw_torch_fused",
    dataloader_pin_memory=not setup.use_cpu,
    disable_tqdm=True,
    report_to="none",
    seed=SEED,
)

# %%
score_labels_only()  # as our loop does; without a GPU TRL would score every position
trainer = SFTTrainer(
    model=adapted,
    args=config,
    train_dataset=to_dataset(train_rows),
    eval_dataset=to_dataset(valid),
    processing_class=tokenizer,
)
for weight in trainer.model.parameters():  # a T4's GradScaler wants float32 (notebook 05)
    if weight.requires_grad:
        weight.data = weight.data.float()
trainer.remove_callback(PrinterCallback)  # the curve below says it better
outcome = trainer.train()
print(f"{outcome.metrics['train_runtime']:.0f} s, loss {outcome.training_loss:.3f}")

# %%
log = trainer.state.log_history
seen = [(row["step"], row["loss"]) for row in log if "loss" in row]
held = [(row["step"], row["eval_loss"]) for row in log if "eval_loss" in row]
plots.curves(
    {
        "training ｜ 训练": tuple(zip(*seen, strict=True)),
        "unseen articles ｜ 未见法条": tuple(zip(*held, strict=True)),
    },
    "The loss falls; on unseen articles it climbs again ｜ 损失下降，未见法条上后来又升高",
    "step ｜ 步",
    "loss (nats per token) ｜ 损失",
)

# %% [markdown] lang="en"
# The loss on unseen articles cannot reach zero: these rows show no article, so fine and points are a lottery. What can be learned is the form.
#
# Three tests now: unseen articles without (`closed`) and with three articles in the prompt (`opened`), and, without, new incidents under the 64 articles that were **practised** (`familiar`).
#
# **Predict first**: which of `form`, `conduct`, `term` and `facts` will be high in each?

# %% [markdown] lang="zh" of="54ad1093"
# 未见法条上的损失降不到零：这些行都不给法条，罚款和记分只能靠蒙。能学会的是格式。
#
# 这回有三种测试：未见法条，提示里不给法条（`closed`）或给三条（`opened`）；再加一种，**练过**的 64 条法条下的新事件，也不给法条（`familiar`）。
#
# **先猜一猜**：`form`、`conduct`、`term`、`facts` 这几项，在三种测试里各有哪些会高？

# %%
rng, practised = random.Random(SEED), select(world("code"), split="seen")
familiar = [
    make_notice(rng, lang, page, [], f"LX{rng.randrange(10_000):04d}")
    for page in practised[: 4 if setup.smoke else None]
    for lang in ("en", "zh")
]
tests = {"closed": closed, "familiar": familiar, "opened": opened}

# %%
texts |= {name: answer(adapted.eval(), rows) for name, rows in tests.items()}
after = {name: marks(texts[name], rows) for name, rows in tests.items()}
names = {
    "form": "form ｜ 格式",
    "conduct": "conduct ｜ 违法事实",
    "term": "term ｜ 术语",
    "facts": "facts ｜ 事实",
    "all": "all right ｜ 全对",
}
fig = plots.bars(
    {
        names[name]: {
            "before, with articles ｜ 训练前，给法条": before["opened"][name],
            "after, no article ｜ 训练后，不给法条": after["closed"][name],
            "after, no article, but practised ｜ 训练后，不给法条，但练过": after["familiar"][name],
            "after, with articles ｜ 训练后，给法条": after["opened"][name],
        }
        for name in names
    },
    "Fine-tuning teaches the form, the text brings facts ｜ 微调教会格式，文本带来事实",
)
claim("sft_form_after", after["closed"]["form"])
claim("sft_form_familiar", after["familiar"]["form"])
claim("sft_term_after", after["closed"]["term"])
claim("sft_term_familiar", after["familiar"]["term"])
claim("sft_term_opened", after["opened"]["term"])
claim("sft_facts_closed", after["closed"]["facts"])
claim("sft_facts_opened", after["opened"]["facts"])
fig

# %% [markdown] lang="en"
# The **form** came with training: from nothing to more than eight in ten without an article, and nearly all with three. **Conduct** needs only the report: every act was practised. **Terms** the base could copy from the articles; now those of practised ones are known by heart, and half of the others are put together from practised parts. **Facts** need the text, and a form to keep them apart. Without text few numbers have stuck (notebook 08).

# %% [markdown] lang="zh" of="3c7343b3"
# **格式**是训练带来的：从零升到不给法条也有八成多写得对，给三条时几乎全对。**违法事实**看报告就写得出：每种行为都在别的法条里练过。**术语**，有法条时基座本来就抄得出；如今练过的法条，术语背得出来，没练过的也有一半能用练过的部件拼出来。**事实**既要有文本，又要有格式让它们各归其位。不给文本，数字没记住几个（notebook 08 由此展开）。

# %% [markdown] lang="en"
# Look at single notices: the eye finds what a mean hides.

# %% [markdown] lang="zh" of="32301120"
# 再看看一份份通知书：平均数藏起来的，眼睛能发现。


# %%
def compare(incident):
    """Show one incident's notices beside each other."""
    report = closed[incident]["messages"][0]["content"].splitlines()[-1]
    parts = [report, "", "REFERENCE ｜ 标准答案", closed[incident]["messages"][-1]["content"]]
    shown = {
        "before": "before, with articles ｜ 训练前，给法条",
        "closed": "after, no article ｜ 训练后，不给法条",
        "opened": "after, with articles ｜ 训练后，给法条",
    }
    for name, title in shown.items():
        parts += ["", f"--- {title}", texts[name][incident]]
    return "\n".join(parts)


widgets.explore(compare, names={"incident": "incident ｜ 事件"}, incident=range(len(closed)))

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
# An adapter is a small folder: weights and a configuration. It works only together with its base model. To download it from Colab:
#
# ```python
# import shutil
# from google.colab import files
# files.download(shutil.make_archive("notice", "zip", folder))
# ```

# %% [markdown] lang="zh" of="31f001c7"
# 适配器只是一个小文件夹：权重加配置。要配上它的基座模型才能用。在 Colab 上这样下载：
#
# ```python
# import shutil
# from google.colab import files
# files.download(shutil.make_archive("notice", "zip", folder))
# ```

# %% [markdown] lang="en"
# **Your own data.** Set `DATA` at the top to the path of your file, one JSON object a line, such as `{"instruction": "…", "output": "…"}` (other formats: notebook 03), and run again: the same trainer learns your rows and saves an adapter. Bad lines are named and left out. Out of memory? Halve `per_device_train_batch_size` and double `gradient_accumulation_steps`: nearly the same step, less memory.

# %% [markdown] lang="zh" of="221246e5"
# **你自己的数据**。把顶部的 `DATA` 设为你的文件路径，每行一个 JSON 对象，例如 `{"instruction": "…", "output": "…"}`（其他格式见 notebook 03），再运行一遍：同一个训练器就会学你的数据，并另存一个适配器。有问题的行会逐一指出，并跳过。内存不够？`per_device_train_batch_size` 减半，`gradient_accumulation_steps` 加倍：每一步的效果几乎一样，内存更省。

# %%
if DATA:
    own, report = own_dataset(DATA)
    print(report)
    mine = get_peft_model(load(setup)[0], lora)
    data = {"train_dataset": own, "processing_class": tokenizer}
    run = SFTTrainer(model=mine, args=replace(config, eval_strategy="no"), **data)
    fits = len(run.train_dataset)  # TRL drops the rows whose answer lies beyond max_length
    say(f"{fits} of {len(own)} rows fit", f"{len(own)} 行里有 {fits} 行放得下")
    run.remove_callback(PrinterCallback)
    run.train()
    save_adapter(mine, root() / "build" / "adapters" / setup.profile / "own")
    print(answer(mine.eval(), [own[0]])[0])

# %% [markdown]
# ## 5. All weights, or LoRA ｜ 全参数，还是 LoRA

# %% [markdown] lang="en"
# The notes say of **full fine-tuning**, which trains all weights: best result, highest cost. Here its result is tested (its cost in notebook 02): same rows, our loop of section 3, half the epochs, a lower rate, since every weight moves. Both recipes were the best of a few, on new incidents under practised articles; the test incidents chose nothing.
#
# **Predict first**: which writes more notices that are all right, and by how much?

# %% [markdown] lang="zh" of="db1fecbf"
# 讲义说**全参数微调**（训练所有权重）“效果最好但成本最高”。这里检验效果（成本见 notebook 02）：同样的数据，用第 3 节的循环；轮数减半，学习率也低一些，因为每个权重都会动。两套配方都是在练过的法条的新事件上试了几种、挑出来的，没有用测试题来挑。
#
# **先猜一猜**：哪一种全对的通知书更多？多多少？

# %%
if small.model != setup.model:
    say("a smaller model here: don't compare with LoRA", "这里用较小的模型，不能与 LoRA 相比")
full, _ = load(small)
set_seed(SEED)
full_losses = fit(full, train_rows, lr=full_lr, num_epochs=1 if setup.smoke else 4)
texts["full"] = answer(full.eval(), opened)
full_marks = marks(texts["full"], opened)
fig = plots.grid(
    [[after["opened"][n] for n in names], [full_marks[n] for n in names]],
    ["LoRA, r = 32", "all weights ｜ 全参数"],
    list(names.values()),
    "With three articles in the prompt (%) ｜ 提示含三条法条（%）",
)
lora_all, full_all = (score_notices(texts[way], opened)["all"] for way in ("opened", "full"))
claim("sft_full_minus_lora", share_difference(lora_all, full_all))
fig

# %% [markdown] lang="en"
# If the printed interval contains zero, these 120 incidents cannot tell the two apart: with its own rate and `alpha` (how strongly the adapter's change counts), and twice the epochs, LoRA comes close. A comparison at *one* rate for both would have said something else (notebook 02).

# %% [markdown] lang="zh" of="02afd777"
# 打印出来的区间如果包含零，就说明这 120 个事件分不出两者高下：LoRA 用自己的学习率和 `alpha`（适配器的改动放大多少），再多练一倍的轮数，就能接近全参数微调。如果两边用*同一个*学习率来比，结论就不一样了（见 notebook 02）。

# %% [markdown]
# ## 6. Learning rate and epochs ｜ 学习率与轮数

# %% [markdown] lang="en"
# The notes advise a rate of 1e-5 to 5e-5 and 3 to 5 epochs. The right rate depends on the model and on what is trained, so measure: the same LoRA, one epoch on 120 rows without articles, at five rates.
#
# **Predict first**: where is the valley of the loss, and what happens at the right end?

# %% [markdown] lang="zh" of="d56837de"
# 讲义建议学习率 1e-5 到 5e-5，训练 3 到 5 轮。合适的学习率取决于模型，也取决于练什么，所以要测：同样的 LoRA，拿 120 行不带法条的练一轮，试五个学习率。
#
# **先猜一猜**：损失的谷底在哪里？最右端会怎样？


# %%
def held_loss(model, rows):
    """Return the mean loss of the answers' tokens, in nats."""
    both = answer_losses(model.eval(), tokenizer, rows)
    return sum(loss for loss, _ in both) / sum(tokens for _, tokens in both)


short = select(train_rows, context=False)
rates = [2e-5, 1e-2] if setup.smoke else [2e-5, 1e-3, 1e-2, 5e-2, 1.0]
rates = rates if setup.use_cpu else [2e-6, 2e-5, 2e-4, 2e-3, 5e-2]
losses = []
for lr in rates:
    set_seed(SEED)
    trial = get_peft_model(load(setup)[0], lora)
    fit(trial, short[:120], lr=lr, num_epochs=1)
    losses.append(held_loss(trial, valid))
    print(f"lr {lr:g}: {losses[-1]:.3f}")

# %%
fig = plots.curves(
    {"LoRA, one epoch ｜ LoRA，一轮": (rates, losses)},
    "Too low learns nothing, too high destroys (dotted: before) ｜ 太低学不到，太高毁模型（虚线：训练前）",
    "learning rate ｜ 学习率",
    "loss on unseen articles ｜ 未见法条上的损失",
    logx=True,
)
claim("sft_rate_of_seeds", losses[0] - min(losses))
fig.axes[0].axhline(held_loss(load(setup)[0], valid), color="#666666", linestyle=":")
fig

# %% [markdown] lang="en"
# The advised rate barely moves this model; the valley lies hundreds of times higher; from 0.05 on the loss is above the dotted line: the model is destroyed. The advice is for all weights of far larger models; LoRA wants a higher rate there, too (notebook 02). A few lines of code find your valley.

# %% [markdown] lang="zh" of="a0a70a74"
# 讲义建议的学习率几乎推不动这个模型，谷底要高几百倍；从 0.05 起，损失比虚线（训练前）还高：模型已经毁了。那条建议是给大得多的模型做全参数微调用的，LoRA 在那里也要更高（见 notebook 02）。你的谷底在哪里，几行代码就测得出来。

# %% [markdown] lang="en"
# And **epochs**: train all weights on 48 rows, many times over, and watch the loss on these rows and on unseen ones. **Predict first**: how will the two curves part?

# %% [markdown] lang="zh" of="e37e8f3c"
# 再看**轮数**：拿 48 行，全部权重反复练很多遍，同时看这些行上和未见过的行上的损失。**先猜一猜**：两条曲线会怎样分开？

# %%
few, eager = short[:48], load(small)[0]
on_train, on_held = [], []


def watch():
    """Note the loss on the rows trained on and on others; go on training."""
    on_train.append(held_loss(eager, few))
    on_held.append(held_loss(eager, valid))
    eager.train()


set_seed(SEED)
fit(eager, few, lr=full_lr, num_epochs=2 if setup.smoke else 15, after_epoch=watch)
rounds = range(1, len(on_held) + 1)
fig = plots.curves(
    {"its 48 rows ｜ 这 48 行": (rounds, on_train), "unseen ｜ 未见过的": (rounds, on_held)},
    "Overfitting: ever better on its rows, not on others ｜ 过拟合：自己的越背越熟，别的不见长进",
    "epochs ｜ 轮数",
    "loss ｜ 损失",
)
claim("sft_overfitting", on_held[-1] - min(on_held))
fig

# %% [markdown] lang="en"
# After some six epochs the loss on its own rows still falls, while on others it creeps up: what it learns now helps only its 48 rows. So the notes' advice "watch the validation loss" (the loss on rows kept out of training) is right, and the trainer's `load_best_model_at_end` (with `save_strategy="epoch"`) goes back to where that loss was lowest.

# %% [markdown] lang="zh" of="19524d2b"
# 大约第六轮以后，自己那几行的损失还在降，别的行却慢慢升高：这时学进去的，只对这 48 行有用。所以讲义的建议“监控验证集损失”（留出来不参与训练的行上的损失）是对的；训练器的 `load_best_model_at_end`（还要设 `save_strategy="epoch"`）会自动退回这个损失最低的时候。

# %% [markdown]
# ## 7. What it forgot ｜ 它忘了什么

# %% [markdown] lang="en"
# Medical school can make you forget your times tables: **catastrophic forgetting**. While notices are learned, sums, words, even copying are overwritten. We measure it on 150 questions of primary school, exact answers only. The notes' remedy is to mix in some general data: **replay**.

# %% [markdown] lang="zh" of="cda8561d"
# 读了医学院，可能连乘法口诀都忘了，这就是**灾难性遗忘**：学写通知书时，算术、词汇，连抄写都被覆盖掉了。我们用 150 道小学题来测，一字不差才算对。讲义的对策是混入一部分通用数据，即**重放**（replay）。

# %%
general = world("general")
measure = select(general, use="measure")[: 20 if setup.smoke else None]
replay = select(general, use="replay")
mixed, _ = load(small)
set_seed(SEED)
fit(mixed, train_rows + replay, lr=full_lr, num_epochs=1 if setup.smoke else 4)
mixed_marks = marks(answer(mixed.eval(), opened), opened)
both = full_marks["all"], mixed_marks["all"]
say(
    "all right: without replay {}, with it {}".format(*both),
    "全对：不重放 {}，重放 {}".format(*both),
)

# %%
people = {
    "base ｜ 基座": load(setup)[0],
    "LoRA": adapted,
    "all weights ｜ 全参数": full,
    "all + replay ｜ 全参数 + 重放": mixed,
}
kept = {
    name: forgetting(m.eval(), tokenizer, measure, max_new_tokens=48) for name, m in people.items()
}
pooled = {
    name: [right for task in tasks.values() for right in task] for name, tasks in kept.items()
}
plots.bars(
    {name: share(right) for name, right in pooled.items()},
    "General skills after learning notices ｜ 学会通知书之后的通用能力",
)

# %%
plain, with_replay = pooled["all weights ｜ 全参数"], pooled["all + replay ｜ 全参数 + 重放"]
claim("sft_forgotten", share_difference(pooled["base ｜ 基座"], plain))
claim("sft_replay", share_difference(plain, with_replay))
tasks = {
    "translate": "translate ｜ 翻译",
    "sum": "sums ｜ 加减",
    "list": "lists ｜ 列表",
    "copy": "copy ｜ 抄写",
    "read": "read ｜ 阅读",
}
tasks = {task: name for task, name in tasks.items() if task in kept["LoRA"]}
plots.grid(
    [[share(kept[name][task]) for task in tasks] for name in kept],
    list(kept),
    list(tasks.values()),
    "Exact answers by task (%) ｜ 各类题目的正确率（%）",
)

# %% [markdown] lang="en"
# Learning notices wiped out nearly all of primary school, with LoRA all of it (notebook 02's softer LoRA keeps half): its base weights stay frozen (take the adapter off, and all is back), but at so high a rate every layer's output is bent. Old rows mixed in, one to three new ones, keep some of it. More would need more of them.

# %% [markdown] lang="zh" of="031ba6fa"
# 学写通知书，把小学的功课几乎冲光了，LoRA 更是一题不剩（notebook 02 里音量小的 LoRA 还剩一半）：基座的权重虽然冻结（卸下适配器就一切如初），可学习率这么高，每一层的输出都被带偏。混入旧数据（新旧约三比一），能保住一部分；想多保住一些，就要多混。

# %% [markdown] lang="en"
# The notes' other two remedies: the **validation loss**, which sees forgetting only if general rows are in it; and a **small rate**. The recorded runs of notebook 02 (320 notices, two epochs, all weights, five random seeds) show what that costs. **Predict first**: is there a rate that learns the notices and forgets nothing?

# %% [markdown] lang="zh" of="cc478b1a"
# 讲义还有两招：**监控验证集损失**，但验证集里要有通用题，才看得见遗忘；以及**小学习率**。notebook 02 里有事先跑好的训练记录（320 份通知书，两轮，全参数，五个随机种子），从中看得出代价。**先猜一猜**：有没有哪个学习率，通知书学得会，别的又不忘？

# %%
recorded = select(sweeps.read("rate"), method="full")
kept_at, right_at = (sweeps.by(recorded, "lr", name) for name in ("general", "all"))
series = {"general skills ｜ 通用能力": kept_at, "notices all right ｜ 通知书全对": right_at}
claim("sft_small_rate", 100 * (kept_at[1e-3].value - kept_at[3e-3].value))
plots.curves(
    {name: (list(points), list(points.values())) for name, points in series.items()},
    "A small rate forgets less and learns less ｜ 学习率小，忘得少，学得也少",
    "learning rate ｜ 学习率",
    "right, % ｜ 正确，%",
    "share",
    logx=True,
)

# %% [markdown] lang="en"
# No: where nothing is forgotten, nothing is learned. A third of the best rate keeps most of primary school and costs a third of the notices: a compromise to be measured, not a cure.

# %% [markdown] lang="zh" of="d4dfe0f6"
# 没有：什么都不忘的学习率，也什么都没学会。降到最佳值的三分之一，小学功课保住大半，通知书少对近三分之一：这是要靠测量来选的折中，治不了本。

# %% [markdown]
# ## 8. Stop it, resume it ｜ 中断与恢复

# %% [markdown] lang="en"
# Colab disconnects; laptops sleep. A checkpoint holds the weights, the optimizer, the rate's schedule, the random state and the place in the data. If all five come back, a resumed run gives **the same losses** as an unbroken one. (On Colab put `output_dir` on Google Drive: a new machine's disk is empty.) The test: twelve steps unbroken; then twelve again, stopped after step 6 and resumed. (The course's own tests kill a run outright.)

# %% [markdown] lang="zh" of="34db0953"
# Colab 会断线，笔记本会休眠。检查点里存着权重、优化器、学习率调度的状态、随机状态，以及数据用到了哪里；五样都恢复，续跑的损失就与不中断时**完全相同**。（在 Colab 上，要把 `output_dir` 放到 Google Drive：换了机器，硬盘是空的。）先不中断跑十二步；再从头跑一次，第 6 步后停掉，恢复后跑完。（课程自己的测试会直接杀掉进程。）


# %%
class Stop(TrainerCallback):
    """Stop the training right after the checkpoint of step 6."""

    def on_step_end(self, args, state, control, **rest):
        """Ask to stop once the checkpoint of step 6 is due."""
        control.should_training_stop = state.global_step == 6


# %%
def twelve(name, callbacks=(), resume=False):
    """Train twelve steps in a folder of their own; return the trainer's losses by step."""
    set_seed(SEED)
    args = replace(
        config,
        output_dir=str(root() / "build" / "runs" / name),
        max_steps=12,
        logging_steps=1,
        eval_strategy="no",
        save_strategy="steps",
        save_steps=6,
    )
    run = SFTTrainer(
        model=get_peft_model(load(setup)[0], lora),
        args=args,
        callbacks=list(callbacks),
        train_dataset=to_dataset(short),
        processing_class=tokenizer,
    )
    run.remove_callback(PrinterCallback)
    run.train(resume_from_checkpoint=resume)
    return {row["step"]: row["loss"] for row in run.state.log_history if "loss" in row}


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

# %% [markdown]
# ## 9. What goes wrong: a museum of broken runs ｜ 哪里会出错：训练事故博物馆

# %% [markdown] lang="en"
# Six mistakes that people really make. Each is made here on purpose, small and quick, beside a healthy run (1 and 4 on 48 of its 200 rows). **Learn the symptoms** (in italics): most raise no error at all.

# %% [markdown] lang="zh" of="535e464f"
# 六个真实常见的错误。这里故意各犯一次，规模很小，并和正常的训练放在一起对比（1 和 4 只用 200 行里的 48 行）。**记住症状**（斜体字）：它们大多不会报任何错。

# %% [markdown] lang="en"
# 1. **Mask all zero**: no `{% generation %}` marks the assistant's words, or `max_length` cut the answer off. *In a loop of your own, `nan` from the first step; TRL 1.16 stops, or silently drops the row.*
# 2. **Pad token = end token**: where batches mask padding by its id, the end is masked, too. *Good losses, good notices, and then it does not stop.*
# 3. **Wrong template**: trained on one chat format, asked in another. *A healthy loss, and answers that fall apart.*

# %% [markdown] lang="zh" of="7a51dbca"
# 1. **掩码全零**：没有用 `{% generation %}` 标出助手说的话，或 `max_length` 把答案截掉了。*自己写的循环里，从第一步起损失就是 `nan`；TRL 1.16 则会报错，或悄悄丢掉这一行。*
# 2. **填充符 = 结束符**：拼批时按编号屏蔽填充，结束符也跟着被屏蔽。*损失好看，通知书也像样，就是停不下来。*
# 3. **模板不一致**：训练用一种对话格式，提问用另一种。*损失很健康，回答却不成样子。*

# %% [markdown] lang="en"
# 4. **Rate × 100**. *The loss jumps up within a few steps and stays up.*
# 5. **Trained on the prompt**: no mask. *The loss can't be compared; the answers get a part of the learning.*
# 6. **Two BOS** (start tokens), by template and tokenizer. *Hardly any symptom: look at the ids.* (Xiaoxi has no BOS: its first token is doubled.)
#
# 3 and 6 only ask the healthy model in another way. **Predict first**: which of the six write the form as well as the healthy run?

# %% [markdown] lang="zh" of="595c79e9"
# 4. **学习率 × 100**。*几步之内损失就跳上去，再也下不来。*
# 5. **连提示一起训练**：忘了加掩码，模型把报告也学着写。*损失不再可比，学习的力气只有一部分用在答案上。*
# 6. **两个 BOS**（起始符）：模板写了一个，分词器又加一个。*几乎没有症状：要看编号*。小溪没有 BOS，这里手工把第一个词元写两遍。
#
# 第 3、6 件只是换一种方式去问健康的模型。**先猜一猜**：六个里面，哪几个的格式写得和正常的一样好？


# %%
exhibits = {}
room, visitors = train_rows[: 16 if setup.smoke else 200], opened[:40]


def show(name, texts, losses):
    """Hang an exhibit: its losses, its answers and their marks."""
    exhibits[name] = {"losses": losses, "marks": marks(texts, visitors), "texts": texts}
    first, last = losses[0], losses[-1]
    print(f"{name}: loss {first:.2f} → {last:.2f}, form {exhibits[name]['marks']['form']}")


def trained(make=batches, lr=full_lr, rows=room):
    """Train all weights for two epochs in a given way; return the model and its losses."""
    set_seed(SEED)
    model = load(small)[0]
    return model, fit(model, rows, lr=lr, num_epochs=2, make=make)


healthy, losses = trained()
show("healthy ｜ 正常", answer(healthy.eval(), visitors), losses)


# %%
def no_labels(rows, size, rng):
    """Make batches in which no label counts (exhibit 1)."""
    for ids, target in batches(rows, size, rng):
        yield ids, torch.full_like(target, -100)


def no_end(rows, size, rng):
    """Make batches whose end tokens are masked, as padding is (exhibit 2)."""
    for ids, target in batches(rows, size, rng):
        yield ids, target.masked_fill(target == tokenizer.eos_token_id, -100)


def whole_row(rows, size, rng):
    """Make batches in which every token but the padding counts (exhibit 5)."""
    for ids, _ in batches(rows, size, rng):
        yield ids, ids.masked_fill(ids == tokenizer.pad_token_id, -100)


def end_loss(model):
    """Return the mean loss at the token that ends an answer, in nats."""
    rows = [encode(tokenizer, row["messages"]) for row in visitors]
    ids, target = next(batches(rows, len(rows), torch.Generator()))
    ends = target[:, 1:] == tokenizer.eos_token_id
    with torch.no_grad():
        logits = model.lm_head(model.model(ids).last_hidden_state[:, :-1][ends])  # (ends, vocab)
    return torch.nn.functional.cross_entropy(logits.float(), target[:, 1:][ends]).item()


# %%
at_end = {"h": end_loss(healthy)}
asked = [row["messages"][0]["content"] for row in visitors]
chats = [chat_prompt(tokenizer, row["messages"][:-1]) for row in visitors]
otherwise = {  # exhibits 3 and 6: the healthy model, asked in another way
    "3": [f"### Instruction:\n{text}\n\n### Response:\n" for text in asked],
    "6": ["<|im_start|>" + chat for chat in chats],
}
broken = {
    "1 mask all zero ｜ 掩码全零": {"make": no_labels, "rows": room[:48]},  # it shows at once
    "2 pad = end ｜ 填充符 = 结束符": {"make": no_end},
    "3 wrong template ｜ 模板不一致": None,
    "4 rate × 100 ｜ 学习率 × 100": {"lr": 100 * full_lr, "rows": room[:48]},  # so does this
    "5 trained on prompt ｜ 连提示一起训练": {"make": whole_row},
    "6 two BOS ｜ 两个 BOS": None,
}
for name, slip in broken.items():
    if slip:
        model, slipped = trained(**slip)
        at_end[name[0]] = end_loss(model)
        show(name, answer(model.eval(), visitors), slipped)
    else:
        prompts = otherwise[name[0]]
        show(name, generate(healthy, tokenizer, prompts, max_new_tokens=96), losses)

# %%
for name in list(exhibits)[2:4]:
    print(f"--- {name}\n{exhibits[name]['texts'][0]}\n")
form = {name[0]: case["marks"]["form"].value for name, case in exhibits.items()}
right = {name[0]: score_notices(case["texts"], visitors)["form"] for name, case in exhibits.items()}
claim("sft_museum_healthy", 100 * form["h"])
claim("sft_museum_mask", 100 * form["1"])
claim("sft_museum_pad_is_end", at_end["2"] - at_end["h"])
claim("sft_museum_template", 100 * form["3"])
claim("sft_museum_rate", 100 * form["4"])
claim("sft_museum_prompt", share_difference(right["h"], right["5"]))
claim("sft_museum_bos", share_difference(right["h"], right["6"]))
plots.grid(
    [[case["marks"][name] for name in names] for case in exhibits.values()],
    list(exhibits),
    list(names.values()),
    "The museum: 40 incidents, three articles each (%) ｜ 博物馆：40 个事件，各给三条法条（%）",
)

# %% [markdown] lang="en"
# Did you find it? Two BOS left the form alone; training on the prompt cost nothing that 40 incidents can show. Padding with the end token made the end less sure (its loss); whether the form suffers is luck, since primary school had taught Xiaoxi to stop. The losses give away the first and the fourth, no more: so **read answers** before you trust a curve.

# %% [markdown] lang="zh" of="c5f6f64a"
# 猜对了吗？两个 BOS 没影响格式；连提示一起训练，这 40 个事件也看不出差别。填充符即结束符，模型到该停时就没那么有把握（看结束符处的损失）；格式受不受影响全凭运气，因为小溪在小学里学过什么时候该停。光看损失，只有第一个和第四个看得出来。所以**先读答案**，再信曲线。

# %% [markdown]
# ## 10. Exercises ｜ 练习

# %% [markdown] lang="en"
# **Exercise 3** (medium, 5 minutes). Five patients. Name the exhibit, 1 to 6, that fits each best: `diagnosis = {"A": 2, ...}`.
#
# - A: the loss is `nan` from the first step
# - B: each answer is right and then goes on with another user's turn
# - C: the loss falls to 0.2; asked in production, it writes no notice at all
# - D: the loss is 3 at step 5 and 8 at step 10
# - E: the loss can't be compared with a colleague's on the same data: it counts four times as many tokens

# %% [markdown] lang="zh" of="a71abecc"
# **练习 3**（中等，5 分钟）。五位病人，请说出各自最像 1 到 6 号展品中的哪一件：`diagnosis = {"A": 2, ...}`。
#
# - A：从第一步起损失就是 `nan`
# - B：答案都对，但答完接着写起下一位用户的话
# - C：损失降到 0.2；上线后向它提问，却写不出通知书
# - D：第 5 步损失为 3，第 10 步为 8
# - E：数据和同事的一样，损失却没法比：计入损失的词元是同事的四倍

# %% tags=["exercise"]
diagnosis = ...

# %% tags=["check"]
nb04.diagnosis(diagnosis)

# %% [markdown] tags=["solution"]
# <details><summary>Solution ｜ 参考答案</summary>
#
# ```python
# diagnosis = {"A": 1, "B": 2, "C": 3, "D": 4, "E": 5}
# ```
#
# </details>

# %% [markdown] lang="en"
# **Exercise 4** (medium, 5 minutes). You may give the clerk **one** thing: `"more epochs"`, `"a larger rank"`, `"the article in the prompt"` or `"a lower rate"`. Which of them raises `facts` on unseen articles? Set `remedy`.

# %% [markdown] lang="zh" of="02d9f69e"
# **练习 4**（中等，5 分钟）。你只能给书记员加**一样**东西：`"more epochs"`、`"a larger rank"`、`"the article in the prompt"` 或 `"a lower rate"`。哪一样能提高未见法条上的 `facts`？请给 `remedy` 赋值。

# %% tags=["exercise"]
remedy = ...

# %% tags=["check"]
nb04.remedy(remedy)

# %% [markdown] tags=["solution"]
# <details><summary>Solution ｜ 参考答案</summary>
#
# ```python
# remedy = "the article in the prompt"
# ```
#
# </details>

# %% [markdown]
# ## Summary ｜ 小结

# %% [markdown] lang="en"
# - SFT teaches **form** and practised terms; facts and other terms come from the prompt.
# - Loss mask, template and end token decide what is learned, silently.
# - With its own rate, `alpha` and twice the epochs, LoRA nears full fine-tuning.
# - Overfitting shows on held-out rows: loss climbs again. Read answers: perfect forms may carry wrong numbers.
# - Replay saves part of the old skills, a checkpoint a night's work.
#
# **Next**: 05 QLoRA fits four times the model into the same memory. Passed so far:

# %% [markdown] lang="zh" of="61beb5ff"
# - SFT 教会的是**格式**和练过的术语；事实和没练过的术语，来自提示里的文本。
# - 学到什么，取决于损失掩码、模板和结束符；这几处的错误大多悄无声息。
# - 学习率和 `alpha` 选得合适，再多练一倍的轮数，LoRA 就接近全参数微调。
# - 过拟合要在留出的行上看：损失会重新升高。答案也要读：格式完美，数字也可能全错。
# - 重放能保住一部分小学功课，检查点保住一夜的成果。
#
# **下一课**：05 QLoRA 让同样的内存装下四倍大的模型。你目前通过的练习：

# %%
progress("04")
