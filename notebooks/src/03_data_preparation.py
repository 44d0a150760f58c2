# %% [markdown]
# # 03. Data preparation ｜ 数据准备
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/finetuning-path/blob/main/notebooks/03_data_preparation.ipynb) [![Open in Kaggle](https://kaggle.com/static/images/open-in-kaggle.svg)](https://kaggle.com/kernels/welcome?src=https://github.com/OWNER/finetuning-path/blob/main/notebooks/03_data_preparation.ipynb)
#
# You turn documents into training rows, find what is wrong with them, and measure what that costs a model. ｜ 你将把文档变成训练数据，找出其中的毛病，并测出这些毛病会让模型付出什么代价。

# %% [markdown] lang="en"
# | | |
# |---|---|
# | **You will** | convert between Alpaca, ShareGPT and messages without loss |
# | | see which tokens are learned, and what packing can leak |
# | | make a training set from a law's text, and clean a dirty one |
# | | check a file of your own, line by line |
# | **Before** | notebook 00 |
# | **`tiny`** | 3 minutes, 1.2 GB, any laptop |
# | **`t4`, `gpu`** | not measured yet |

# %% [markdown] lang="zh" of="25ebb184"
# | | |
# |---|---|
# | **你将** | 在 Alpaca、ShareGPT 和 messages 之间无损转换 |
# | | 看清哪些词元参与学习，打包又会泄漏什么 |
# | | 由法规文本做出训练集，再清洗一份脏数据 |
# | | 逐行检查你自己的文件 |
# | **先学** | notebook 00 |
# | **`tiny`** | 3 分钟，1.2 GB 内存，任何笔记本电脑 |
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
DATA = None  # the path of a file of your own (section 8)

# %%
import json
import random
from collections import Counter
from copy import deepcopy

import torch

from helpers.base import root, say
from helpers.env import PROFILES, resolve, set_seed, threads
from helpers.lessons import nb03
from helpers.data.formats import to_alpaca, to_messages, to_prompt_completion, to_sharegpt
from helpers.model.generate import generate
from helpers.model.load import load
from helpers.model.loss import encode
from helpers.model.train import fit
from helpers.lingxi.files import select, world
from helpers.lingxi.notice import read_field
from helpers.lingxi.score import score_notices
from helpers.lingxi.sentences import without_articles
from helpers.measure import claims
from helpers.measure.claims import claim
from helpers.measure.stats import bootstrap_difference, mean_interval, share
from helpers.show import plots, style, tokens, widgets

# %%
setup = resolve(PROFILE, MODEL)
if setup.profile == "gpu" and MODEL is None:  # section 7 trains all weights: 7B would need 120 GB
    setup = setup._replace(model=PROFILES["t4"])
claims.start("03_data_preparation", setup.profile, SEED)
threads()
set_seed(SEED)
style.style()
print(f"{setup.profile}: {setup.model}, {setup.dtype} on {setup.device}")

# %% [markdown]
# ## 1. Why: a model is what it is fed ｜ 为什么：喂什么，像什么

# %% [markdown] lang="en"
# The notes that this course grew from ask for quality above quantity, diversity, one consistent format, and question–answer pairs made from documents. Good advice: this lesson follows it, and measures the first part.
#
# Everything here happens **before** training. It costs minutes, and it decides what the hours after it are worth.

# %% [markdown] lang="zh" of="fdaf784e"
# 本课程最初的讲义说：质量重于数量，内容要多样，格式要一致，还可以从文档生成问答对。都是好建议：这一课照着做，并把第一条拿来实测。
#
# 这一课讲的事都发生在训练**之前**：只花几分钟，却决定了后面几小时值不值得。

# %% [markdown]
# ## 2. Four formats, one conversation ｜ 四种格式，同一段对话

# %% [markdown] lang="en"
# The notes show two formats; four are in common use:
#
# | format | keys | where you meet it |
# |---|---|---|
# | Alpaca | `instruction`, `input`, `output` | single questions |
# | ShareGPT | `conversations` of `from`, `value` | chat logs |
# | prompt–completion | `prompt`, `completion` | TRL |
# | messages | `role`, `content` | TRL, every API |
#
# TRL, Hugging Face's training library (notebook 04), takes messages, so the other formats are turned into them. From Alpaca, instruction and input become one question:

# %% [markdown] lang="zh" of="ecac1c9a"
# 讲义给了两种格式，实际常用的有四种：
#
# | 格式 | 键名 | 常见于 |
# |---|---|---|
# | Alpaca | `instruction`、`input`、`output` | 单轮问答 |
# | ShareGPT | `conversations`，内含 `from`、`value` | 聊天记录 |
# | prompt–completion | `prompt`、`completion` | TRL |
# | messages | `role`、`content` | TRL 和各家 API |
#
# TRL 是 Hugging Face 的训练库（见 notebook 04），它认 messages，所以别的格式都往这里转。先看 Alpaca：指令和输入合成一个问题：


# %%
def from_alpaca(row):
    """Return an Alpaca row as messages, the smallest version."""
    asked = f"{row['instruction']}\n{row['input']}" if row["input"] else row["instruction"]
    return [{"role": "user", "content": asked}, {"role": "assistant", "content": row["output"]}]


alpaca = {"instruction": "将以下文本翻译成英文", "input": "你好世界", "output": "Hello World"}
print(from_alpaca(alpaca))

# %% [markdown] lang="en"
# **Exercise 1** (easy, 5 minutes). Now ShareGPT. Each turn has `from` (`human`, `gpt` or `system`) and `value`. Write `from_sharegpt`: return the list of messages.

# %% [markdown] lang="zh" of="4fb06953"
# **练习 1**（容易，5 分钟）。轮到 ShareGPT。每一轮有 `from`（`human`、`gpt` 或 `system`）和 `value`。写出 `from_sharegpt`，返回消息列表。


# %% tags=["exercise"]
def from_sharegpt(row):
    """Return a ShareGPT row as messages."""
    ...


# %% tags=["check"]
nb03.from_sharegpt(from_sharegpt)

# %% [markdown] tags=["solution"]
# <details><summary>Solution ｜ 参考答案</summary>
#
# ```python
# def from_sharegpt(row):
#     """Return a ShareGPT row as messages."""
#     roles = {"human": "user", "gpt": "assistant", "system": "system"}
#     return [{"role": roles[t["from"]], "content": t["value"]} for t in row["conversations"]]
# ```
#
# </details>

# %% [markdown] lang="en"
# **Without loss**: there and back gives the same row, other fields too; where that can't be, a converter refuses. Ours keeps Alpaca's `input`, to know where to cut on the way back.
#
# A **preference pair** has two answers (notebook 06), a conversation one: the better becomes the answer, the other a field beside it; there is no way back.
#
# Expected: all 800 rows come back unchanged.
#
# **Predict first**: Alpaca has one question and one answer. Where do a dialogue's earlier turns go?

# %% [markdown] lang="zh" of="f3dbe8f6"
# **无损**的意思是：转过去再转回来，还是同一行，其他字段也一个不少。做不到时，转换器应当拒绝，而不是悄悄丢掉。我们的转换器留着 Alpaca 的 `input`，转回去时才知道问题该从哪里切开。
#
# **偏好对**有一好一差两个回答（notebook 06 要用），而一段对话只放得下一个：更好的那个成为回答，另一个留在旁边的字段里；这条路是单行道。
#
# 预期：800 行（含多轮对话）从三种格式转一圈回来，全部原样不变。
#
# **先猜一猜**：Alpaca 只有一问一答，对话前几轮会放到哪里？

# %%
train_rows = world("train")
for name, way in (("Alpaca", to_alpaca), ("ShareGPT", to_sharegpt), ("TRL", to_prompt_completion)):
    row = way(select(train_rows, kind="followup")[0])
    print(f"{name}: {[key for key in row if key not in train_rows[0]]}")
pair = {"prompt": "公交专用道停车罚多少？", "chosen": "第12条：200元", "rejected": "一般不罚"}
print(to_messages(pair))
same = [
    row == to_messages(to_alpaca(row)) == to_messages(to_sharegpt(to_alpaca(row)))
    and row == to_messages(to_prompt_completion(row))
    for row in train_rows
]
claim("data_round_trip", share(same))

# %% [markdown]
# ## 3. The chat template and the loss mask ｜ 对话模板与损失掩码

# %% [markdown] lang="en"
# A model sees no roles, only tokens. A **chat template** writes messages as one text: marks around each turn, the role's name, line breaks. To ask, it stops after `assistant`: `add_generation_prompt=True`. Train and ask with the same template; notebook 04 shows what happens otherwise. On every profile we look at Xiaoxi here.
#
# **Predict first**: of the tokens below, how many come from the messages, and how many from the template?

# %% [markdown] lang="zh" of="bd97a89c"
# 模型看不到角色，只看到词元。**对话模板**把消息写成一段文本：每一轮前后有标记，还有角色名和换行。提问时写到 `assistant` 就停下，这就是 `add_generation_prompt=True`。训练和提问要用同一个模板；不一致会怎样，notebook 04 里看得到。各个档位上，这一节看的都是小溪。
#
# **先猜一猜**：下面的词元，多少来自消息内容，多少来自模板？

# %%
xiaoxi, tokenizer = load(resolve("tiny"))
talk = [
    {"role": "user", "content": "7 + 5 = ?"},
    {"role": "assistant", "content": "7 + 5 = 12"},
]
asked = tokenizer.apply_chat_template(talk[:1], tokenize=False, add_generation_prompt=True)
print(repr(asked), "→", generate(xiaoxi, tokenizer, [asked]))
ids = encode(tokenizer, talk)[0]
own = sum(len(tokenizer(message["content"])["input_ids"]) for message in talk)
print(f"{len(ids)} tokens, {len(ids) - own} from the template ｜ {len(ids) - own} 个来自模板")
tokens.token_colours([tokenizer.decode([i]) for i in ids], ids=ids)

# %% [markdown] lang="en"
# Which tokens count in the loss, and so are learned? Those between `{% generation %}` and `{% endgeneration %}` in the template; they make up the **loss mask**. Two mistakes are common: the end token, at which a model stops writing, stands **outside** the markers, or the markers enclose **everything**. Neither raises an error.
#
# **Predict first**: what will a model do that was trained with each?

# %% [markdown] lang="zh" of="c82c5a79"
# 哪些词元计入损失，也就是参与学习？由**损失掩码**决定：模板里 `{% generation %}` 与 `{% endgeneration %}` 之间的那些。常见的错有两种：结束符（模型写到它就停笔）落在标记**外面**，或者标记把**所有内容**都圈了进去。两种都不会报错。
#
# **先猜一猜**：分别用它们训练，模型会变成什么样？

# %%
right = tokenizer.chat_template
print(right)
bare = right.replace("{% generation %}", "").replace("{% endgeneration %}", "")
inside, outside = "+ '<|im_end|>' }}{% endgeneration %}", "}}{% endgeneration %}{{ '<|im_end|>' }}"
templates = {
    "right ｜ 正确": right,
    "end token outside ｜ 结束符在外": right.replace(inside, outside),
    "everything inside ｜ 全部圈入": "{% generation %}" + bare + "{% endgeneration %}",
}
masked, learned = {}, {}
for name, template in templates.items():
    changed = deepcopy(tokenizer)
    changed.chat_template = template
    masked[name] = [encode(changed, row["messages"]) for row in train_rows[:40]]
    learned[name] = [i for ids, mask in masked[name] for i, m in zip(ids, mask, strict=True) if m]
    ends = learned[name].count(tokenizer.eos_token_id)
    print(f"{name}: {len(learned[name])} tokens, {ends} of them ends ｜ 其中结束符 {ends} 个")
right_ones, all_ones = (len(learned[name]) for name in list(templates)[::2])
claim("data_mask_all", 100 * right_ones / all_ones)


def show_mask(template, row):
    """Show one training row under one template, with what the loss counts."""
    ids, mask = masked[template][row]
    return tokens.token_colours([tokenizer.decode([i]) for i in ids], mask, ids)


names = {"template": "template ｜ 模板", "row": "row ｜ 行"}
few = [n for n, (ids, _) in enumerate(masked["right ｜ 正确"]) if len(ids) < 140]
widgets.explore(show_mask, names=names, template=list(templates), row=few)

# %% [markdown] lang="en"
# With the end token outside, no row teaches the model to stop. With everything inside, most of the learning goes into writing articles and reports, which nobody asked for. **Look at one coloured row before each training.** In TRL, `assistant_only_loss=True` uses these markers.

# %% [markdown] lang="zh" of="114b26fb"
# 结束符在外，就没有一行教模型停下。全部圈入，大部分力气就花在学写法条和报告上，而这没人需要。**每次训练之前，先看一行着色的数据。** 在 TRL 里，`assistant_only_loss=True` 用的就是这对标记。

# %% [markdown]
# ## 4. Packing, and how it leaks ｜ 打包，以及它怎样泄漏

# %% [markdown] lang="en"
# Rows differ in length; **padding** the short ones teaches nothing, so people **pack** several rows into one sequence. The trap: **a row must not see the row before it**. Below, positions start anew with each of three rows. The *attention mask* says which tokens may be seen; the *cache* keeps what was computed for earlier ones.
#
# **Predict first**: which of the three calls gives the same logits (raw scores of the next token) as three separate rows?

# %% [markdown] lang="zh" of="43236097"
# 各行长短不一，短的要补齐（**填充**），补的部分学不到东西，于是人们把几行**打包**成一条序列。陷阱在于：**一行不能看到它前面的那一行**。下面把三行拼成一条，位置编号每行从头算起。*注意力掩码*规定能看哪些词元，*缓存*里存着前面词元算好的结果。
#
# **先猜一猜**：三种调用里，哪一种的 logits（下一个词元的原始分数）与三行分开算时相同？

# %%
three = select(train_rows, task="question", context=False)[:3]
three = [encode(tokenizer, row["messages"])[0] for row in three]
packed = torch.tensor([[token for row in three for token in row]])  # (1, tokens)
alone = {
    "position_ids": torch.tensor([[n for row in three for n in range(len(row))]]),
    "use_cache": False,
}
calls = {
    "positions alone ｜ 只给位置": alone,
    "and a mask of ones ｜ 再加全 1 掩码": alone | {"attention_mask": torch.ones_like(packed)},
    "no mask, cache on ｜ 不加掩码，开着缓存": alone | {"use_cache": True},
}
xiaoxi.eval()
with torch.inference_mode():
    apart = torch.cat([xiaoxi(torch.tensor([row])).logits[0] for row in three])  # (tokens, vocab)
    leaks = [
        (xiaoxi(packed, **call).logits[0] - apart).abs().max().item() for call in calls.values()
    ]
for name, leak in zip(calls, leaks, strict=True):
    print(f"{name}: largest difference of a logit ｜ logit 的最大差 {leak:.1g}")
claim("data_packing_right", leaks[0])
claim("data_packing_leak", leaks[1])

# %% [markdown] lang="en"
# From positions that start anew, the library works out where rows begin, but only when you give it **no attention mask and no cache**. A mask of ones says "everything may be seen", and it believes you. No error, no warning. What each token may look at:

# %% [markdown] lang="zh" of="93c50ef1"
# 位置从头算起，库就能推出每行从哪里开始；但前提是你**不给注意力掩码，也不开缓存**。全 1 的掩码等于说“都可以看”，它就信了：不报错，也不警告。下图是每个词元能看到的范围：

# %%
owner = torch.tensor([n for n, row in enumerate(three) for _ in row])
past = torch.ones(len(owner), len(owner)).tril()
seen = {
    "right: its own row ｜ 正确：只看本行": past * (owner[:, None] == owner),
    "mask of ones: all before ｜ 全 1 掩码：前面全看": past,
}
fig, axes = style.figure(columns=2)
for ax, (title, allowed) in zip(axes, seen.items(), strict=True):
    ax.imshow(allowed, cmap="cividis")
    ax.set_title(style.two_lines(title))
    ax.set(xlabel="light: may be seen ｜ 浅色：能看到的词元", ylabel="token ｜ 词元")
    ax.grid(visible=False)
fig

# %% [markdown]
# ## 5. From a law's text to training rows ｜ 从法规文本到训练数据

# %% [markdown] lang="en"
# Now the rows themselves. We begin with a document and a list of acts, places and offices: 96 articles in two languages, worded in several ways. First read the **facts** out of the sentences. Programs misread too, so check: the two languages are two witnesses, and where a table exists (here `code.jsonl`), it is a third.

# %% [markdown] lang="zh" of="0806b7df"
# 现在来做数据本身。手头有一份文档，和一张行为、地点、机关的词表：法规 96 条，中英两个版本，句式有好几种。第一步，从句子里读出**事实**。程序也会读错，所以要核对：两种语言是两个证人；要是另有表格（这里是 `code.jsonl`），那就是第三个。

# %%
from helpers.lingxi.words import OFFICES, pairs, possible
from helpers.lingxi.shapes import lay

FACTS = ("article", "fine", "points")


def read_article(texts):
    """Return the facts of one article from its sentences {"en": …, "zh": …}."""
    article = {name: read_field(texts["en"], "en", name) for name in FACTS}
    article["id"] = f"A{article['article']:03d}"
    [(article["act"], article["place"])] = [
        (act.key, place.key)
        for act, place in pairs()
        if all(lay(act, place, lang) in text for lang, text in texts.items())
    ]
    [office] = [both for both in OFFICES if both[0] in texts["en"]]
    for lang, name in zip(("en", "zh"), office, strict=True):
        article[lang] = {"office": name, "text": texts[lang]}
    return article


# %%
law = {}
for lang in ("en", "zh"):
    parts = (root() / f"data/lingxi/code.{lang}.md").read_text("utf-8").strip().split("\n\n")
    law[lang] = [part for part in parts if not part.startswith("#")][1:]  # after the foreword
articles = [read_article({"en": en, "zh": zh}) for en, zh in zip(*law.values(), strict=True)]
print(articles[11])
agree, true, code = [], [], world("code")
for read, row in zip(articles, code, strict=True):
    zh = read["zh"]
    agree.append(all(read_field(zh["text"], "zh", name) == read[name] for name in FACTS))
    same = [read[name] == row[name] for name in ("id", "act", "place", *FACTS)]
    true.append(all(same) and zh["office"] == row["zh"]["office"])
print(f"languages agree ｜ 中英一致: {share(agree)}")
claim("data_facts_read", share(true))

# %% [markdown] lang="en"
# One article gives many rows: incident → notice, question → answer, dialogues, refusals (no article applies). Wordings, plates and witnesses vary (the notes' **diversity**), the answer's form never (**consistency**). One thing no document decides for us: 32 articles are kept for the **test**; `code.jsonl` says which.
#
# **Predict first**: will the course's own `train.jsonl` come out again, to the byte? If so, anybody can check how it was made.

# %% [markdown] lang="zh" of="d9c3d300"
# 一条法条能做出多种数据：事件 → 通知书、提问 → 回答、对话、拒答（没有法条可用）。句式、车牌、目击者都在变（讲义说的**多样**），答案的格式始终不变（**一致**）。有一件事文档替我们决定不了：哪 32 条法条要留出来、只用于**测试**，这记在 `code.jsonl` 里。
#
# **先猜一猜**：随课程附带的 `train.jsonl`，能一个字节不差地再做出来吗？如果能，谁都可以核对它是怎么来的。

# %%
from helpers.data.jsonl import write_jsonl
from helpers.lingxi.sampler import Sampler, stream
from helpers.lingxi.rows import make, make_notice, make_train

known = [read | {"split": row["split"]} for read, row in zip(articles, code, strict=True)]
rng = random.Random(SEED)
for kind in ("notice", "question", "followup", "clarify"):
    row = make(rng, kind, "zh", known[11], [], "LX0001")
    print(f"--- {kind}", *(f"{m['role']}: {m['content']}" for m in row["messages"]), sep="\n")
sampler = Sampler(known, possible(), stream(0, "desk"))
made, shipped = root() / "build" / "own" / "train.jsonl", root() / "data" / "lingxi" / "train.jsonl"
write_jsonl(made, make_train(stream(0, "train"), sampler))
both = zip(made.read_bytes().split(b"\n"), shipped.read_bytes().split(b"\n"), strict=True)
claim("data_same_bytes", sum(a != b for a, b in both))

# %% [markdown]
# ## 6. Cleaning ｜ 清洗

# %% [markdown] lang="en"
# Real data is dirty. `dirty.jsonl` is dirty on purpose: of its 1,200 rows, 470 have one of seven faults: copies, near copies, the wrong language, a broken form, personal data, items of the test, wrong facts. Each is labelled, so a cleaner can be **marked**. The labels are for marking only; no step may look at them. What faults look like:

# %% [markdown] lang="zh" of="cba0e524"
# 真实数据总是脏的。`dirty.jsonl` 是故意弄脏的：1,200 行里有 470 行各带一种毛病，毛病共七种：完全重复、近似重复、语言不对、格式破损、带个人信息、混入测试题、事实错误。每行都有标签，所以清洗得好不好可以**打分**。标签只用来打分，清洗步骤不许看。先看看这些毛病长什么样：

# %%
from helpers.lingxi.clean import STEPS, clean

dirty, held_out = world("dirty"), world("eval")
labels = [(row["labels"] or [""])[0] for row in dirty]


def show_fault(label, example):
    """Show one faulty row, its articles left out."""
    row = [row for row, own in zip(dirty, labels, strict=True) if own == label][example]
    question, answer = row["messages"][0]["content"], row["messages"][-1]["content"]
    note = f"{row['id']} ({row['lang']}): {row['fault']} {row['of'] or ''}"
    return f"{note}\n\n{question.rpartition(chr(10) * 2)[2]}\n→\n{answer}"


widgets.explore(
    show_fault,
    names={"label": "fault ｜ 毛病", "example": "example ｜ 例子"},
    start={"label": "broken_form"},
    label={name: step for step, name in STEPS.items()},
    example=range(20),
)

# %% [markdown] lang="en"
# Copies to the letter are easy. **Near** copies need a measure: from every character on, take a piece of `size` characters (a *shingle*; pieces overlap). With the *sets* of pieces $A$ and $B$ of two texts, the share that they have in common is their **Jaccard similarity**:
#
# $$J(A,B)=\frac{|A\cap B|}{|A\cup B|}$$
#
# **Exercise 2** (easy, 5 minutes). Write `alike(a, b, size)`: this share for two texts.

# %% [markdown] lang="zh" of="0a34e852"
# 一字不差的副本好找。**近似**的副本需要一把尺子：从每个字符起，取长 `size` 个字符的一小片（*shingle*），前后小片互相重叠。两段文本的小片*集合*记作 $A$、$B$（相同的只算一次），共有的占多大比例，就叫**杰卡德相似度**（Jaccard）：
#
# $$J(A,B)=\frac{|A\cap B|}{|A\cup B|}$$
#
# **练习 2**（容易，5 分钟）。写出 `alike(a, b, size)`：两段文本的这个比例。


# %% tags=["exercise"]
def alike(a, b, size):
    """Return the share of pieces that two texts have in common."""
    ...


# %% tags=["check"]
nb03.alike(alike)

# %% [markdown] tags=["solution"]
# <details><summary>Solution ｜ 参考答案</summary>
#
# ```python
# def alike(a, b, size):
#     """Return the share of pieces that two texts have in common."""
#     a, b = ({t[i : i + size] for i in range(len(t) - size + 1)} for t in (a, b))
#     return len(a & b) / len(a | b)
# ```
#
# </details>

# %% [markdown] lang="en"
# A million texts make half a trillion pairs. **MinHash** gives each text a sketch: hash its pieces (each becomes a random-looking number), keep the smallest; again with many hash functions. The chance that two texts have the same smallest number is just their $J$. Sketches are cut into bands, and only texts with a whole band in common are compared; `rensa` does that in Rust.
#
# **Predict first**: how near does an estimate from 128 functions come? (Its standard error, $\sqrt{J(1-J)/128}$, is at most 0.044.)

# %% [markdown] lang="zh" of="98c089b9"
# 一百万段文本有五千亿对，量不过来。**MinHash** 给每段文本做一份“速写”（sketch）：把小片全部哈希（各变成一个看似随机的数），只留最小的；换许多个哈希函数各做一遍。两段文本最小值相同的概率，恰好就是它们的 $J$。再把速写切成几段，速写有整段相同的才去比较；`rensa` 库用 Rust 做这件事。
#
# **先猜一猜**：用 128 个函数，估得有多准？（标准误差是 $\sqrt{J(1-J)/128}$，最多 0.044。）

# %%
from zlib import crc32

from helpers.data.dedup import jaccard, near_duplicates, shingles


def sketch(pieces, functions):
    """Return the smallest hash of some pieces under each hash function, a random line mod a prime."""
    hashes, prime = [crc32(piece.encode()) for piece in pieces], 2**61 - 1
    return [min((a * h + b) % prime for h in hashes) for a, b in functions]


lines = [(rng.randrange(1, 2**61), rng.randrange(2**61)) for _ in range(128)]
texts = {row["id"]: shingles("\n".join(m["content"] for m in row["messages"]), 3) for row in dirty}
copy = next(row for row in dirty if row["labels"] == ["near_duplicate"])
kin = select(dirty, article=copy["article"], lang=copy["lang"], labels=[])
kin = [row["id"] for row in kin if row["id"] != copy["of"]][:2]  # other rows on its article
for other in (copy["of"], *kin, dirty[0]["id"]):
    a, b = (sketch(texts[name], lines) for name in (copy["id"], other))
    estimate = sum(x == y for x, y in zip(a, b, strict=True)) / 128
    print(
        f"{other}: {jaccard(texts[copy['id']], texts[other]):.2f}, estimate ｜ 估计 {estimate:.2f}"
    )

# %% [markdown] lang="en"
# One step a fault (`helpers/lingxi/clean.py`), each on what the steps before left; *near* means $J \ge 0.7$. Each gets two marks. **Precision**: of the rows it removed, how many deserved it. **Recall**: of the rows that deserved it, how many it removed.
#
# **Exercise 3** (easy, 5 minutes). Write `precision_recall(found, true)` for two lists of bools, one entry a row: `found`, it was removed; `true`, it deserved it.
#
# **Predict first**: which of the seven steps will be the weakest?

# %% [markdown] lang="zh" of="f251a20c"
# 一种毛病一步，共七步（`helpers/lingxi/clean.py`），每一步只看前面留下来的行。$J \ge 0.7$ 才算*近似*重复。每一步打两个分。**精确率**：去掉的行里，多少是该去的。**召回率**：该去的行里，多少被去掉了。
#
# **练习 3**（容易，5 分钟）。写出 `precision_recall(found, true)`，参数是两个布尔值列表，每行一个值：`found` 表示这一行被去掉了，`true` 表示这一行该去。
#
# **先猜一猜**：七步里哪一步最弱？


# %% tags=["exercise"]
def precision_recall(flagged, true):
    """Return precision and recall."""
    ...


# %% tags=["check"]
nb03.precision_recall(precision_recall)

# %% [markdown] tags=["solution"]
# <details><summary>Solution ｜ 参考答案</summary>
#
# ```python
# def precision_recall(found, true):
#     """Return precision and recall."""
#     both = sum(f and t for f, t in zip(found, true))
#     return both / sum(found), both / sum(true)
# ```
#
# </details>

# %%
cleaned = clean(dirty, held_out, code)
print(dict(Counter(cleaned["fault"])))
marks = {}
for step in STEPS:
    flagged, true = ([x == step for x in column] for column in (cleaned["fault"], labels))
    both = [f and t for f, t in zip(flagged, true, strict=True)]
    marks[step] = (sum(both) / max(1, sum(flagged)), sum(both) / sum(true))
claim("data_clean_precision", 100 * min(precision for precision, _ in marks.values()))
claim("data_clean_recall", 100 * min(recall for _, recall in marks.values()))
plots.grid(
    list(marks.values()),
    list(STEPS.values()),
    ["precision ｜ 精确率", "recall ｜ 召回率"],
    "Seven steps against the true labels (%) ｜ 七个步骤对照真实标签（%）",
)

# %% [markdown] lang="en"
# Don't be dazzled: a program put these faults in, and our rules know its habits. Real data is more inventive: label a hundred rows by hand and mark your cleaner the same way.
#
# Does it scale? A row is compared with the few that share a band: time soon grows as the rows do, not as their pairs, and so does memory (`tools/measure/bench.py --clean`). Far more rows go than copies were put in: 64 articles soon repeat themselves.

# %% [markdown] lang="zh" of="07b3776a"
# 别被分数晃了眼：这些毛病是程序放进去的，我们的规则正好摸透了它的套路。真实的电话号码和副本花样多得多。轮到你自己的数据，请手工标一百行，用同样的办法打分。
#
# 行数多了呢？每一行只跟速写有一段相同的少数几行比，所以行数多了以后，用时大致与行数成正比，而不是与配对的数目成正比；内存也跟着涨（`tools/measure/bench.py --clean`）。去掉的行远比放进去的副本多：64 条法条、有限几种句式，很快就会重样。

# %%
bench = json.loads((root() / "data" / "sweeps" / "cleaning.json").read_text("utf-8"))["runs"]
hundred = next(run for run in bench if run["rows"] == 100_000)
claim("data_clean_minutes", hundred["seconds"] / 60)
claim("data_clean_memory", hundred["peak_gb"])
out, copies = f"{hundred['faults']:,}", f"{hundred['copies']:,}"
say(
    f"{out} of 100,000 rows go; copies put in: {copies}",
    f"十万行去掉 {out} 行；放进去的副本 {copies} 行",
)
drawing, axes = style.figure(columns=2, width=9, height=3.6)
grows = {"seconds": "Seconds ｜ 秒", "peak_gb": "Memory, GB ｜ 内存，GB"}
for ax, (name, title) in zip(axes, grows.items(), strict=True):
    points = [run["rows"] for run in bench], [run[name] for run in bench]
    plots.curves({title: points}, title, "rows ｜ 行数", title, logx=True, ax=ax)
    ax.get_legend().remove()
    ax.set_yscale("log")
drawing

# %% [markdown]
# ## 7. Two experiments: quality, and the split ｜ 两个实验：质量与划分

# %% [markdown] lang="en"
# **Quality against quantity.** Four ways to spend the same 1,000 looks at a row: 1,000 dirty ones once (all 470 faulty, 530 clean); what our seven steps keep of them, repeated up to 1,000; 200 of the dirty ones five times; 200 clean ones five times. Each is trained with three random seeds. Articles are left out of the prompts, so that training takes seconds. Tested on incidents that no row leaked.
#
# **Predict first**: which brings the most notices in exact form (`form`)?

# %% [markdown] lang="zh" of="3c479c8e"
# **质量还是数量**。同样是看 1,000 次样本，有四种花法：1,000 行脏的看一遍（470 行有毛病的全在内，另加 530 行干净的）；这一千行经七步清洗后剩下的，反复看满一千次；从脏的里面抽 200 行，看五遍；200 行干净的，看五遍。每种换三个随机种子各练一次。提示里不放法条，好让训练只要几秒。测试用的事件都没有泄漏。
#
# **先猜一猜**：格式一字不差的通知书（`form`），哪一种最多？


# %%
def trained(rows, num_epochs, seed):
    """Train all weights of a fresh model on rows."""
    set_seed(seed)
    model, tokens = load(setup, dtype="float32")
    lr = 3e-3 if setup.use_cpu else 2e-5
    epochs = 0.05 if setup.smoke else num_epochs
    where = {"seed": seed, "device": setup.device}
    where["batch_size"] = 16 if setup.use_cpu else 4  # a T4 has 15 GB
    fit(model, tokens, rows, lr=lr, num_epochs=epochs, **where)
    return model, tokens


def scored(model, tokens, rows):
    """Answer rows and score their notices: name of a score -> one bool a row."""
    prompts = [row["messages"][:-1] for row in rows]
    return score_notices(generate(model, tokens, prompts, max_new_tokens=96, batch_size=60), rows)


# %%
def arms(seed):
    """Return the rows of each arm, and how often to go through them."""
    rng = random.Random(seed)
    faulty = [row for row in dirty if row["labels"]]
    good = [row for row in dirty if not row["labels"]]
    rng.shuffle(good)
    thousand = [*faulty, *good[:530]]
    kept = set(cleaned.filter(lambda row: not row["fault"])["id"])
    passed = [row for row in thousand if row["id"] in kept]
    return {
        "1,000 dirty ｜ 1,000 行脏": (thousand, 1),
        "the thousand, cleaned ｜ 清洗后": (passed, 1000 / len(passed)),
        "200 dirty, 5 times ｜ 200 行脏，五遍": (rng.sample(thousand, 200), 5),
        "200 clean, 5 times ｜ 200 行干净，五遍": (good[:200], 5),
    }


# %%
leaked = {row["of"][:9] for row in dirty if row["labels"] == ["leaked_test_item"]}
test = [
    row
    for row in select(held_out, task="notice", split="unseen", context=False)
    if row["id"][:9] not in leaked
][: 4 if setup.smoke else 100]
results = {}
for seed in range(SEED, SEED + (1 if setup.smoke else 3)):
    for name, (rows, num_epochs) in arms(seed).items():
        learner = trained([without_articles(row) for row in rows], num_epochs, seed)
        results.setdefault(name, []).append(scored(*learner, test))
names = {"form": "form ｜ 格式", "plate": "plate ｜ 车牌", "term": "term ｜ 术语"}
pooled = {
    name: {
        key: [sum(r[key][i] for r in runs) / len(runs) for i in range(len(test))] for key in names
    }
    for name, runs in results.items()
}
many, tidy, again, few = (pooled[name]["form"] for name in pooled)
claim("data_quality", bootstrap_difference(many, few))
claim("data_cleaned", bootstrap_difference(many, tidy))
claim("data_repeated", bootstrap_difference(many, again))
claim("data_dirt", bootstrap_difference(again, few))
plots.bars(
    {
        names[key]: {name: mean_interval(pooled[name][key], unit="share") for name in pooled}
        for key in names
    },
    "Same training time, four kinds of rows ｜ 同样的训练时间，四种数据",
)

# %% [markdown] lang="en"
# Two hundred clean rows beat a thousand dirty ones: *quality above quantity* holds here. Is it cleanness, or the five times (third bar)? Here cleanness; in other draws (five values of `SEED`) repetition: *not shown here*. And the thousand without its dirt is no better: a fault met once leaves little trace, it seems. Clean anyway: personal data must not be trained on; leaked test items make numbers lie. (Intervals: over incidents, seeds averaged.)

# %% [markdown] lang="zh" of="d5ac4c7a"
# 两百行干净数据胜过一千行脏数据：*质量重于数量*，在这里成立。靠的是干净，还是看了五遍（第三根柱子）？这一次是干净；换别的 `SEED`（共试了五个），有时却是反复看，所以结论写的是*此处看不出*。而那一千行，洗干净以后也没有更好：一处毛病只见过一遍，似乎留不下多少痕迹。清洗还是要做：带个人信息的数据不该拿来训练；测试题一旦泄漏，之后的每个分数都是假的。（区间针对事件计算，种子取平均。）

# %% [markdown] lang="en"
# **Splitting.** Where does the test come from? Usually from the same pile: shuffle, keep a tenth. But rows about one article are near relatives. Train on 12 articles, 8 notices each, and test twice: on **new rows of the same articles** (split by row), on **rows of other articles** (split by article).
#
# **Predict first**: without articles in the prompt, how far apart will `facts` (article, fine, points, office all right) be?

# %% [markdown] lang="zh" of="8e05d7c2"
# **划分**。测试集从哪里来？通常是从同一堆里打乱后留十分之一。可是讲同一条法条的行，彼此是近亲。拿 12 条法条、每条 8 份通知书来训练，再测两次：**同样法条的新行**（按行划分），**别的法条的行**（按法条划分）。
#
# **先猜一猜**：提示里不给法条，两次的 `facts`（条号、罚款、记分、机关全对）会差多少？

# %%
rng = random.Random(SEED)
picked = rng.sample(code, 24)
inside, outside = picked[:12], picked[12:]


def notices(some, each, first):
    """Return notices on articles, each with a plate of its own."""
    cases = [(article, n) for article in some for n in range(each)]
    return [
        make_notice(rng, ("en", "zh")[i % 2], article, [], f"LX{first + i}")
        for i, (article, n) in enumerate(cases)
    ]


learner = trained(notices(inside, 8, 1000), 12, SEED)
by_row, by_article = notices(inside, 5, 3000), notices(outside, 5, 5000)
split = {
    "by row ｜ 按行划分": scored(*learner, by_row),
    "by article ｜ 按法条划分": scored(*learner, by_article),
}

names |= {"facts": "facts ｜ 事实"}
for way, marks in zip(("row", "article"), split.values(), strict=True):
    claim(f"data_split_by_{way}", share(marks["facts"]))
plots.bars(
    {names[key]: {name: share(marks[key]) for name, marks in split.items()} for key in names},
    "One model, two tests: the split decides the score ｜ 同一个模型，两种测试：划分决定分数",
)

# %% [markdown] lang="en"
# By row, the model seems to know the law (how well depends on which twelve are drawn); by article, it knows nothing: it learned twelve by heart. **Split by what will be new at work**: article, customer, document, date.

# %% [markdown] lang="zh" of="74ad387c"
# 按行划分，模型好像懂法（懂多少，要看抽到哪十二条）；按法条划分，它一无所知，只是背熟了十二条。**上线后什么是新的，就按什么来划分**：法条、客户、文档、日期。

# %% [markdown] lang="en"
# **Exercise 4** (medium, 5 minutes). Write `split_by_article(rows, held)`: return training rows and test rows; `held` is a set of article ids. `row["article"]` is the id of the article that a row is about (`None` in a refusal): rows about a held one are the test. `row["context"]` lists the ids that it **shows**: no training row may show a held one; leave such rows out.

# %% [markdown] lang="zh" of="25831e27"
# **练习 4**（中等，5 分钟）。写出 `split_by_article(rows, held)`：返回训练行和测试行，`held` 是留出的法条 id 集合。`row["article"]` 是这一行所讲法条的 id（拒答行是 `None`）：讲留出法条的行归测试。`row["context"]` 列出提示里**出现**的法条 id：训练行里不许出现留出的法条，这样的行去掉不用。


# %% tags=["exercise"]
def split_by_article(rows, held):
    """Return (training rows, test rows)."""
    ...


# %% tags=["check"]
nb03.split_by_article(split_by_article)

# %% [markdown] tags=["solution"]
# <details><summary>Solution ｜ 参考答案</summary>
#
# ```python
# def split_by_article(rows, held):
#     """Return (training rows, test rows)."""
#     test = [row for row in rows if row["article"] in held]
#     train = [row for row in rows if not held & {row["article"], *row["context"]}]
#     return train, test
# ```
#
# </details>

# %% [markdown]
# ## 8. Your own data ｜ 你自己的数据

# %% [markdown] lang="en"
# Set `DATA` at the top to the path of your file, JSONL or a JSON array, in any format of section 2. Every row is checked: good ones are kept under `build/own`, each bad one is named with number, reason and mend. A file of 2 GB is read line by line, in constant memory. Notebook 04 takes the same path in its own `DATA`. Without a path, the cell checks an example with nearly every fault there is:

# %% [markdown] lang="zh" of="1c938953"
# 把顶部的 `DATA` 设为你的文件路径，JSONL 或 JSON 数组都行，第 2 节的几种格式都认。每一行都会检查：好的以 messages 格式存到 `build/own`，坏的逐一写明行号、原因和改法。2 GB 的文件也是逐行读，占用的内存不会变大。notebook 04 的 `DATA` 接受同样的路径。不设的话，就检查一个几乎什么毛病都有的例子：

# %%
from helpers.data.check import own_file

asked, told = (
    {"role": "user", "content": "闯红灯罚多少？"},
    {"role": "assistant", "content": "200元"},
)
lines = [
    json.dumps({"messages": [asked, told]}),  # escaped, with a BOM before it
    json.dumps({"instruction": "闯红灯罚多少？", "output": "200元"}, ensure_ascii=False),
    json.dumps({"conversations": [{"from": "human", "value": "?"}, {"from": "gpt", "value": "!"}]}),
    json.dumps(json.dumps({"messages": [asked, told]})),  # a whole object as a string
    "{'instruction': 'single quotes', 'output': 'no JSON'}",
    json.dumps({"messages": [asked]}),
    json.dumps({"messages": [told, asked]}),
    json.dumps({"messages": [asked, {"role": "assistant", "tool_calls": [{"name": "search"}]}]}),
    json.dumps({"messages": [{"role": "user", "content": "\\u95ef\\u7ea2\\u706f"}, told]}),
    json.dumps({"text": "a document"}),
]
messy = root() / "build" / "own" / "messy.jsonl"
messy.write_text("\ufeff" + "\r\n".join(lines), encoding="utf-8")
print(own_file(DATA or messy))

# %% [markdown]
# ## 9. What goes wrong ｜ 哪里会出错

# %% [markdown] lang="en"
# None of these raises an error:
#
# - cleaning **after** splitting, each part alone: a copy of a training row sits in the test
# - a mask that nobody looked at
# - a fact wrong in the document itself: no step finds it
# - a limit for near copies, set by feel: too low, and good rows go; too high, and changed copies stay
#
# The last can be drawn. (Two pairs of good rows exceed 0.6: 0.63 and 0.73.) **Predict first**: how wide is the safe stretch?

# %% [markdown] lang="zh" of="796bbc6b"
# 下面几种毛病，都不会报错：
#
# - 先划分、**后**清洗，而且各洗各的：训练行的副本留在了测试集里
# - 没人看过的掩码
# - 文档本身写错了的事实：哪一步都查不出来
# - 凭感觉定的相似度阈值。太低，讲同一条法条的正常行会被当成副本；太高，改了几个字的副本会漏网
#
# 最后一种画得出来。（这里正常行之间只有两对超过 0.6：0.63 和 0.73。）**先猜一猜**：安全的范围有多宽？

# %%
first = {row["id"]: n for n, row in enumerate(dirty) if row["labels"] != ["exact_duplicate"]}
texts = ["\n".join(m["content"] for m in dirty[n]["messages"]) for n in first.values()]
sizes = [5 if dirty[n]["lang"] == "en" else 3 for n in first.values()]
true = [dirty[n]["labels"] == ["near_duplicate"] for n in first.values()]
limits = (0.5, 0.7, 0.9) if setup.smoke else (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
both = {"precision ｜ 精确率": [], "recall ｜ 召回率": []}
for limit in limits:
    flagged = [of is not None for of in near_duplicates(texts, sizes, alike=limit)]
    hits = sum(f and t for f, t in zip(flagged, true, strict=True))
    both["precision ｜ 精确率"].append(100 * hits / sum(flagged) if any(flagged) else float("nan"))
    both["recall ｜ 召回率"].append(100 * hits / sum(true))
plots.curves(
    {name: (limits, values) for name, values in both.items()},
    "How alike is a copy? ｜ 多像才算副本？",
    "shared pieces asked for ｜ 要求共有的小片比例",
    "%",
)

# %% [markdown]
# ## Summary ｜ 小结

# %% [markdown] lang="en"
# - The four formats turn into messages and back without loss; what cannot is refused.
# - The template's markers decide what is learned. Look at one coloured row.
# - Packing is safe with positions alone; a mask of ones lets rows see each other.
# - Make data by program from its source; mark the cleaner with labels.
# - Split by what is new at work, or the test rewards memory.
#
# **Next**: [04 SFT](04_sft.ipynb) trains on these rows. What you passed so far:

# %% [markdown] lang="zh" of="4166328a"
# - 四种格式之间可以无损互转；转不了的就拒绝，绝不悄悄丢掉。
# - 学什么由模板里的标记决定。先看一行着色的数据。
# - 打包时只给位置就是安全的；给了全 1 掩码，行与行就会互相看见。
# - 用程序从源文档生成数据；用标签给清洗打分。
# - 上线后什么是新的，就按什么划分；否则测试只会夸奖死记硬背。
#
# **下一课**：[04 监督式微调](04_sft.ipynb)，就用这些数据来训练。你目前通过的练习：

# %%
from helpers.exercise import progress

progress("03")
