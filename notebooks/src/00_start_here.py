# %% [markdown]
# # 00. Start here ｜ 从这里开始
#
# In half an hour you will know how the course works and what your machine can train; you will meet its small model and watch another learn to copy, from nothing. ｜ 半小时之内，你会知道这门课怎么学、你的机器能训练什么，认识课程自带的小模型，并亲眼看着另一个模型从零学会抄写。

# %% [markdown] lang="en"
# | | |
# |---|---|
# | **You will** | see the plan of the course: ten lessons, of which 00 to 04 are ready |
# | | have your machine examined, and learn what it can train |
# | | meet Xiaoxi, the small model of this course: what it knows, what it can read, and what it cannot write |
# | | watch a model learn to copy, from nothing, in under a minute |
# | **Before** | Python and the idea of machine learning; you need no GPU and no network |
# | **Profile `tiny`** | one to two minutes on a quiet machine, twice that on a busy one; under 2.5 GB of memory, any laptop |
# | **Profiles `t4`, `gpu`** | not measured yet; first a download of 1 or 15 GB |

# %% [markdown] lang="zh" of="a9fbf754"
# | | |
# |---|---|
# | **你将** | 了解课程的安排：共十节课，00 到 04 已经可以学 |
# | | 给机器做一次体检，知道它能训练什么 |
# | | 认识小溪（课程自带的小模型）：它知道什么、能读懂什么、写不出什么 |
# | | 看一个模型从零开始，不到一分钟就学会抄写 |
# | **先学** | 会 Python，了解机器学习的基本想法；不需要 GPU，也不需要网络 |
# | **`tiny` 档位** | 机器空闲时运行一到两分钟，忙时加倍；内存不到 2.5 GB，任何笔记本电脑 |
# | **`t4`、`gpu` 档位** | 尚未实测；要先下载 1 GB 或 15 GB |

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

platforms.prepare()

# %% tags=["parameters"]
PROFILE = "auto"  # auto, tiny, t4, gpu or smoke
MODEL = None  # a hub id or a folder, in place of the profile's model
SEED = 0

# %%
import math
import random
import string
import time
from collections import Counter

import torch
from torch.nn.functional import cross_entropy
from transformers import Qwen2Config, Qwen2ForCausalLM

from helpers.base import CourseError, say
from helpers.env import peak_memory_gb, resolve, set_seed, threads
from helpers.exercise import progress
from helpers.lessons import nb00
from helpers.lessons.doctor import examine
from helpers.lessons.roadmap import road
from helpers.model.generate import generate
from helpers.model.load import load, parameter_counts
from helpers.lingxi.files import select, world
from helpers.lingxi.notice import read_field
from helpers.lingxi.score import forgetting, score_notices
from helpers.measure import claims
from helpers.measure.claims import claim
from helpers.measure.stats import share
from helpers.show import plots, tokens, widgets

# %%
setup = resolve(PROFILE, MODEL)
claims.start("00_start_here", setup.profile, SEED)
threads()
set_seed(SEED)
n_test = {"smoke": 6, "tiny": 96}.get(setup.profile, 48)  # articles in an exam

# %% [markdown]
# ## 1. The road ｜ 路线

# %% [markdown] lang="en"
# **Fine-tuning** trains a pre-trained model a little further, on your own examples. This course grew from five documents, which we call *the notes*. You do not need the notes: each sentence that we test is quoted. They draw fine-tuning like this:
#
# ```
# a pre-trained model (general knowledge)
#         + your data (knowledge of a field)
#         → a fine-tuned model (a specialist)
# ```
#
# The ten lessons test this arrow: what goes into the model, what does not, and what it costs. Where a measurement disagrees with the notes, we show the measurement and say which model it was made on. One of the notes stops at "practice: needs a GPU, paused". Nothing pauses here: **every lesson that is ready trains a model, on two CPU cores**.

# %% [markdown] lang="zh" of="019bab97"
# **微调**，就是把一个预训练好的模型拿来，用你自己的例子再练一练。这门课由五份文档发展而来，我们统称为*讲义*。没有讲义也不要紧：要检验的每一句，这里都会引出来。讲义是这样画微调的：
#
# ```
# 预训练模型（通用知识）
#         ＋ 你的数据（领域知识）
#         → 微调后的模型（专业模型）
# ```
#
# 十节课就来检验这个箭头：什么进了模型，什么没进，代价多大。实测和讲义不一致时，我们给出实测值，并说明是在哪个模型上测的。有一份讲义停在“实践：需要 GPU 环境，暂停”。在这里什么都不用暂停：**已经写好的每一课都真的训练模型，双核 CPU 就够**。

# %%
road("00")

# %% [markdown] lang="en"
# - **Run** the cells in order (Shift+Enter). Where you see **predict first**, answer before you run the next cell. A wrong guess helps you remember the result.
# - An **exercise** has three cells: a stub with `...`, its check, and a folded solution. The check prints ✅, ⏳ (not tried yet), or ❌ with a hint for the mistake that *you* made.
# - ▸ marks a **claim**, a statement that we test. You see the measurement, its *usual range*, and our conclusion.
# - **Both languages say the same**: read the one you prefer. In a terminal, in the course's folder, `.venv/bin/python tools/nb.py one-language 00 --lang LANG` (`LANG`: `en` or `zh`) writes a copy in one language.

# %% [markdown] lang="zh" of="baa08159"
# - 按顺序**运行**单元格（Shift+Enter）。看到**先猜一猜**，就先回答，再运行下一个单元格：猜错了，反而记得牢。
# - **练习**由三个单元格组成：带 `...` 的题目、检查、折叠的参考答案。检查会给出 ✅、⏳（还没做），或者 ❌ 加一条提示，针对的正是*你*犯的错。
# - ▸ 后面是一条**论断**，也就是我们要检验的说法。你会看到实测值、*通常范围*，以及我们的结论。
# - **两种语言，一份内容**：读你习惯的那种。在终端里进入课程文件夹，执行 `.venv/bin/python tools/nb.py one-language 00 --lang LANG`（`LANG` 写 `en` 或 `zh`），可以得到单语副本。

# %% [markdown] lang="en"
# The **usual range** of a claim is what other random seeds gave here, with a margin. (A *seed* is the number that starts the random generator: another seed shuffles the rows and draws the first weights of a new model differently. Xiaoxi itself, the small model of this course, is always the same.) The range tells you whether your run is healthy.
#
# The **95 % interval**, in square brackets, is something else. It says how uncertain this one score is because only `n` questions were asked.
#
# Your numbers may differ from this text by a few points: the text was written from one run. Within the usual range all is well.

# %% [markdown] lang="zh" of="bb17f7d0"
# 论断的**通常范围**，是我们在这里换别的随机种子测出来、再放宽一点的范围。（*种子*是启动随机数发生器的那个数：换一个种子，样本的顺序、新模型的初始权重就都变了。课程自带的小模型“小溪”本身则始终不变。）这个范围告诉你，这次运行正不正常。
#
# 方括号里的 **95 % 区间**是另一回事：题目只问了 `n` 道，这一个分数有多拿不准，看它就知道。
#
# 你的数字可能和正文差几个百分点：正文是照着一次运行写的。只要在通常范围之内，就没有问题。

# %% [markdown] lang="en"
# One setting, `PROFILE` in the second code cell, chooses the model, its data type and the size of every run. With `auto` the course chooses for you; with `MODEL` you bring a model of your own.
#
# | profile | model | data type | for whom | hardware | a lesson |
# |---|---|---|---|---|---|
# | `tiny` | Xiaoxi, in this repository | fp32 | everybody, offline | two CPU cores, 2.5 GB | 2 to 10 min |
# | `t4` | Qwen2.5-0.5B/1.5B-Instruct | fp16; 4-bit in 05 | Colab, Kaggle | a free T4 GPU | about 30 min* |
# | `gpu` | Qwen2.5-7B-Instruct | bf16 | your own card | Ampere or newer | about 60 min* |
# | `smoke` | Xiaoxi, a few steps | fp32 | tests | any | 1 min |
#
# *expected, not measured here. The data types (fp32, fp16, bf16) are explained in section 2.

# %% [markdown] lang="zh" of="e319456e"
# 只有一个开关：第二个代码单元格里的 `PROFILE`。模型、数据类型和每次训练的规模都由它决定。设成 `auto`，课程替你选；用 `MODEL` 可以换上你自己的模型。
#
# | 档位 | 模型 | 数据类型 | 适合谁 | 硬件 | 一课用时 |
# |---|---|---|---|---|---|
# | `tiny` | 小溪，就在本仓库里 | fp32 | 所有人，不用联网 | 双核 CPU，2.5 GB 内存 | 2 到 10 分钟 |
# | `t4` | Qwen2.5-0.5B/1.5B-Instruct | fp16；05 课用 4 比特 | Colab、Kaggle | 免费的 T4 GPU | 约 30 分钟* |
# | `gpu` | Qwen2.5-7B-Instruct | bf16 | 有自己的显卡 | Ampere 或更新 | 约 60 分钟* |
# | `smoke` | 小溪，只训练几步 | fp32 | 测试 | 不限 | 1 分钟 |
#
# *为预计，没有在这里实测。数据类型（fp32、fp16、bf16）在第 2 节解释。

# %% [markdown]
# ## 2. The setup doctor ｜ 环境体检

# %% [markdown] lang="en"
# Before we start, the setup doctor examines your machine. It looks at the device and the data type, and says **why** it chose them. It also looks at memory, disk, package versions, the model's files and the Chinese font of the figures. Last, it asks whether a model hub answers (a site such as Hugging Face, from which larger models are downloaded).
#
# ✅ means good. ℹ️ means different, but workable. ❌ shows the fix. A machine without GPU and network counts as *healthy* here.

# %% [markdown] lang="zh" of="0af2e202"
# 开始之前，先给机器做个体检。“医生”会看设备和数据类型，并说明**为什么**这样选；再看内存、磁盘、软件包版本、模型文件和绘图用的中文字体；最后看能不能连上模型仓库（例如 Hugging Face，更大的模型从那里下载）。
#
# ✅ 表示良好；ℹ️ 表示和测试环境不同，但能用；❌ 后面写着怎么修。没有 GPU、没有网络，在这里也算*健康*。

# %%
findings = examine(PROFILE)

# %% [markdown] lang="en"
# Why this data type? A number takes 4 bytes as `float32` (fp32), and 2 bytes as `float16` (fp16) or `bfloat16` (bf16). `float16` overflows above 65,504. `bfloat16` reaches as far as `float32`, with fewer digits; GPUs compute with it natively only from compute capability 8.0 on. (NVIDIA gives each generation of GPUs such a number; 8.0 is Ampere.)
#
# **Exercise 1** (easy, 5 minutes). Write the rule behind `auto`. Without an NVIDIA GPU (`None`) it returns `"tiny"`, for a T4, `(7, 5)`, it returns `"t4"`, and from `(8, 0)` on `"gpu"`. On GPUs older than a T4, such as Kaggle's P100, `(6, 0)`, today's PyTorch fails: return `"tiny"`.

# %% [markdown] lang="zh" of="78268cac"
# 为什么用这种数据类型？`float32`（表里的 fp32）每个数占 4 个字节，`float16`（fp16）和 `bfloat16`（bf16）只占 2 个。`float16` 超过 65,504 就溢出；`bfloat16` 的范围和 `float32` 一样大，只是有效数字少一些，而且 GPU 的计算能力要达到 8.0 才原生支持。（计算能力是 NVIDIA 给每代 GPU 的编号，8.0 就是 Ampere。）
#
# **练习 1**（容易，5 分钟）。写出 `auto` 背后的规则。没有 NVIDIA 显卡时（`None`）返回 `"tiny"`；T4 是 `(7, 5)`，返回 `"t4"`；从 `(8, 0)` 起返回 `"gpu"`。比 T4 更旧的，比如 Kaggle 上的 P100 是 `(6, 0)`，新版 PyTorch 一运行就报错：返回 `"tiny"`。


# %% tags=["exercise"]
def pick_profile(capability):
    """Return the profile for a GPU's compute capability, a pair of numbers, or None."""
    ...


# %% tags=["check"]
nb00.pick_profile(pick_profile)

# %% [markdown] tags=["solution"]
# <details><summary>Solution ｜ 参考答案</summary>
#
# ```python
# def pick_profile(capability):
#     """Return the profile for a GPU's compute capability, a pair of numbers, or None."""
#     if capability is None or capability < (7, 5):
#         return "tiny"
#     return "gpu" if capability >= (8, 0) else "t4"
# ```
#
# </details>
#
# Do not ask `torch.cuda.is_bf16_supported()`: on a T4 it says `True`, by slow emulation. ｜ 不要用 `torch.cuda.is_bf16_supported()` 来判断：在 T4 上它也返回 `True`，其实是很慢的模拟。

# %% [markdown]
# ## 3. Three pictures, and Xiaoxi ｜ 三个比喻，与小溪

# %% [markdown] lang="en"
# Where do a model's skills come from? The notes explain it by **education and a cheat sheet**. Please remember their three pictures: later lessons use them and test them.
#
# | | in the picture | what it gives | where you see it |
# |---|---|---|---|
# | **Pre-training** | primary school | grammar, logic, general knowledge | section 5, for one skill, in a minute |
# | **Fine-tuning** | medical school | jargon, format, style: it *changes the brain* | notebook 04 |
# | **RAG** (retrieval-augmented generation) | a textbook | facts, looked up at work: it *uses a tool* | section 4, by hand; notebook 08 |

# %% [markdown] lang="zh" of="16abac17"
# 模型的本领从哪里来？讲义打了个比方，叫**教育与小抄**。请记住这三个比喻：后面各课会用到，也会检验。
#
# | | 比喻 | 带来什么 | 在哪里能看到 |
# |---|---|---|---|
# | **预训练** | 小学 | 语法、逻辑、通用知识 | 第 5 节，用一分钟看一样本领 |
# | **微调** | 医学院 | 术语、格式、风格：*改变大脑* | notebook 04 |
# | **RAG**（检索增强生成） | 教科书 | 工作中查阅事实：*使用工具* | 第 4 节，手工来做；notebook 08 |

# %% [markdown] lang="en"
# How good are these pictures? **We test them with an exam.** *Closed book* means that the model can use only its weights, the numbers that training sets. *Open book* means that the article stands in the prompt, the text that the model is given; then the model must be able to *read*.
#
# The pictures hide two things. A textbook helps only those who can read, so primary school comes first. And a few epochs of medical school teach form far better than numbers (measured on Xiaoxi in notebook 04; an *epoch* is one pass over all rows). Two more pictures come later. LoRA (02), a cheaper way of fine-tuning, is sticky notes; QLoRA (05) is sticky notes on a compressed book.

# %% [markdown] lang="zh" of="a194955b"
# 这些比喻好不好？**考一考就知道**。*闭卷*：模型只能靠自己的权重，也就是训练出来的那些数。*开卷*：要查的那一条就写在提示（给模型看的文字）里，这时模型要*会读*才行。
#
# 比喻也有两处没说到。教科书只对识字的人有用，所以小学在先。医学院念上几轮（把全部样本学一遍，叫一*轮*），教格式远比教数字有效（notebook 04 在小溪上测过）。还有两个比喻在等你：LoRA（02）是一种成本更低的微调，好比便利贴；QLoRA（05）是贴在压缩过的书上的便利贴。

# %% [markdown] lang="en"
# **Xiaoxi** 小溪, "little brook", is small enough to train on this laptop and built like a large model. It has the architecture and the chat format of Qwen2 (Qwen is a family of open models), but the smallest Qwen2.5 is about 340 times as large. Its primary school was text written by a program: invented cities' traffic codes, translation, sums, lists and stories, in English and Chinese. (On the profiles `t4` and `gpu`, Qwen takes its place.)
#
# **Predict first**: look at the questions in the next cell. Which will it answer rightly?

# %% [markdown] lang="zh" of="f5c51280"
# **小溪**（Xiaoxi）小到能在这台笔记本上训练，构造却和大模型一样：用的是 Qwen2 的架构和对话格式（Qwen 即千问，一族公开权重的模型），只不过最小的 Qwen2.5 也比它大三百四十倍左右。它的小学课本是程序写出来的：虚构城市的交通法规、翻译、算术、列表、故事，中英文都有。（在 `t4` 和 `gpu` 档位，由 Qwen 顶替它。）
#
# **先猜一猜**：看看下一个单元格里的问题，它能答对哪几个？

# %%
model, tokenizer = load(setup)


def ask(*questions):
    """Print the model's answer to each question, asked alone."""
    chats = [[{"role": "user", "content": question}] for question in questions]
    for question, answer in zip(questions, generate(model, tokenizer, chats), strict=True):
        print(f"{question}  →  {answer}")


ask("Who are you?", "你是谁？", "Translate: bridge", "翻译：桥", "36 + 47 = ?", "81 - 29 等于几？")
ask("Translate: economics", "360 + 470 = ?", "Who wrote Hamlet?")
say(f"{parameter_counts(model)[1]:,} weights", f"{parameter_counts(model)[1]:,} 个权重")

# %% [markdown] lang="en"
# Xiaoxi answers the first six rightly. The last three are beyond its school: it never met such words and such large sums. It does not say so; it **writes something all the same** (to the sum, only the sum again), because a model writes what is likely, and says "I don't know" only if it was taught to (notebook 06). Xiaoxi's wrong answers are easy to see. A large model's are fluent and plausible, and harder to notice.
#
# A model reads **tokens**, not letters: pieces of text, each with a number. **Predict first**: into how many tokens is `200 yuan` cut, and into how many `灵溪`?

# %% [markdown] lang="zh" of="0999f2b2"
# 前六题小溪都答对了。最后三题超出了它的小学课程：那样的词、那么大的数，它从没见过。可它不会说不知道，而是**照样写点什么**（那道加法，只是把算式又抄了一遍）：模型只写“看起来最可能”的东西，没有人教，它就不会说“我不知道”（notebook 06 来教）。小溪答错，一眼就能看出来；大模型答错，却通顺又像真的，更难发现。
#
# 模型读的不是一个个字母，而是**词元**：切好的文字块，每块有个编号。**先猜一猜**：`200 yuan` 会被切成几个词元？`灵溪` 呢？


# %%
def show_tokens(text):
    """Show the pieces that the tokenizer cuts a text into, each with its id."""
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    return tokens.token_colours([tokenizer.decode([i]) for i in ids], ids=ids)


text = "The fine is 200 yuan, antidisestablishmentarianism. 在灵溪停车，罚款200元。"
widgets.explore(show_tokens, names={"text": "your text ｜ 你的文字"}, text=text)

# %% [markdown] lang="en"
# A common word is one token; a rare word is several. Each digit is a token of its own, so `200 yuan` is four (inside a sentence, the space before it is one more). A Chinese character is usually one token. If the text that the tokenizer was made from lacks the character, it falls into bytes, shown as �: `灵溪` is three tokens.
#
# Next comes Xiaoxi's report card: 150 questions (`n`), and an answer counts only if it is exactly right. Brackets and error bars show the 95 % interval: how uncertain a score is, with so few questions. Expected: above 90 % in most tasks.

# %% [markdown] lang="zh" of="56ea56ad"
# 常用词是一个词元，生僻词会碎成好几个。数字一位一个词元，所以 `200 yuan` 是四个（在句子中间，前面的空格还要另算一个）。一个汉字通常是一个词元；做分词器的文本里没有的字，则散成字节，显示为 �：`灵溪` 共三个词元。
#
# 再看小溪的成绩单：150 道题（`n`），一字不差才算对。方括号和误差线是 95 % 区间：题目只有这么多，分数难免碰运气，但多半不出这个范围。预期：多数项目在 90 % 以上。

# %%
NAMES = {
    "translate": "translate ｜ 翻译",
    "sum": "sums ｜ 加减",
    "list": "lists ｜ 列表",
    "copy": "copy ｜ 抄写",
    "read": "read ｜ 阅读",
}
general = select(world("general"), use="measure")[:: 12 if setup.smoke else 1]
marks = forgetting(model, tokenizer, general, max_new_tokens=48)
claim("start_skills", share([right for task in marks.values() for right in task]))
plots.bars(
    {NAMES[task]: share(marks[task]) for task in NAMES if task in marks},
    "What primary school taught ｜ 小学教会了什么",
    ylabel="exact answers, % ｜ 完全正确，%",
)

# %% [markdown]
# ## 4. What it cannot know ｜ 它不可能知道的

# %% [markdown] lang="en"
# **Lingxi** 灵溪市 is an invented city with a traffic code of 96 articles ([the datasheet](../data/README.md)). No model can have met it, so whatever a model says about Lingxi comes from the prompt or is made up. That lets us grade *knowing* and *reading* apart.
#
# **Predict first**: we ask the same question twice, first closed book, then with three articles in the prompt, one of them the right one. What will Xiaoxi answer each time?

# %% [markdown] lang="zh" of="2a7bbacf"
# **灵溪市**（Lingxi）是一座虚构的城市，有一部 96 条的交通法规（[数据说明](../data/README.md)）。没有哪个模型见过它，所以关于灵溪，模型说的要么来自提示，要么是编的。这样，*知道*和*会读*就能分开打分。
#
# **先猜一猜**：同一道题问两次，先闭卷，再在提示里放三条法条（其中一条正是要找的）。小溪两次各会怎么答？

# %%
code = world("code")
QUESTION = {"en": "How much is the fine for {}?", "zh": "{}罚多少钱？"}
BOOK = {"en": "Articles:\n{}\n\n", "zh": "法条：\n{}\n\n"}


def exam(article, lang, k):
    """Ask for the fine of an article, with k articles on the desk, it among them."""
    rng = random.Random(f"{SEED} {article['id']}")
    others = [other for other in code if other is not article]
    desk = [article, *rng.sample(others, max(k - 1, 0))]
    rng.shuffle(desk)
    book = BOOK[lang].format("\n".join(page[lang]["text"] for page in desk)) if k else ""
    return [{"role": "user", "content": book + QUESTION[lang].format(article[lang]["lay"])}]


for k in (0, 3):
    print(exam(code[1], "en", k)[0]["content"])
    print("→", *generate(model, tokenizer, [exam(code[1], "en", k)], max_new_tokens=48), "\n")
say(f"The truth: {code[1]['fine']} yuan", f"正确答案：{code[1]['fine']} 元")

# %% [markdown] lang="en"
# With the articles Xiaoxi named the right fine. Without them it named no fine at all: it only translated the question. So a closed-book score of 0 % means "named no right fine"; it does not show that the model invents one. (Many large models probably would: they name a fine, fluently.)
#
# One question proves nothing. So we ask for the fine of **every article once**, in English and Chinese by turns, with 0, 1, 3 and 8 articles in the prompt. The dashed line is the **majority baseline**, the score of always naming the commonest fine. Closed book should be no better than that. Open book should score higher, but less so with more articles.

# %% [markdown] lang="zh" of="b1e48983"
# 有法条时，小溪说对了罚款；没有法条时，它一个罚款数也没说，只是把问题翻译了一遍。所以闭卷得 0 %，意思是“没有说对罚款”，并不说明它在编造。（很多大模型恐怕会编：顺口就报出一个数。）
#
# 一道题说明不了什么。所以把**每一条法条都问一遍**罚款，中英文交替，提示里分别放 0、1、3、8 条法条。图里的虚线是**多数类基线**：每题都答最常见的那个罚款数，能得的分。预期：闭卷不比它好；开卷高得多，但法条越多，分数越低。


# %% tags=["timing"]
def sit_exam(k):
    """Tell for each article whether its fine is right, with k articles on the desk."""
    asked = [(article, ("en", "zh")[i % 2]) for i, article in enumerate(code[:n_test])]
    chats = [exam(article, lang, k) for article, lang in asked]
    texts = generate(model, tokenizer, chats, max_new_tokens=48)
    both = zip(texts, asked, strict=True)
    return share([read_field(t, lang, "fine") == article["fine"] for t, (article, lang) in both])


started = time.perf_counter()
results = {k: sit_exam(k) for k in (0, 1, 3, 8)}
seconds = time.perf_counter() - started
for k, name in ((0, "closed"), (1, "open_1"), (8, "open_8")):
    claim(f"start_{name}", results[k])

# %% [markdown] lang="en"
# Now a harder task. The city wants an **official notice**: a header and seven labelled lines, with the official terms. Three articles stand in the prompt, but nothing there describes the form. **Predict first**: what will Xiaoxi write?

# %% [markdown] lang="zh" of="0f8c9345"
# 再来个更难的。市里要一份**正式的处理通知书**：一行标题，七行内容，每行都有栏目名，用正式术语。提示里有三条法条，但没有一处说明格式。**先猜一猜**：小溪会写出什么？

# %%
unseen = select(world("eval"), task="notice", split="unseen", context=True)
three = [row for row in unseen if len(row["context"]) == 3]
incidents = [row for lang in ("en", "zh") for row in select(three, lang=lang)[: n_test // 4]]
notices = generate(model, tokenizer, [row["messages"][:1] for row in incidents], max_new_tokens=80)
print("WANTED ｜ 要求：", incidents[0]["messages"][1]["content"], sep="\n")
print("\nWRITTEN ｜ 写出：", notices[0], sep="\n")
form = share(score_notices(notices, incidents)["form"])
claim("start_notice_form", form)

commonest = Counter(article["fine"] for article in code).most_common(1)[0][1]
fig = plots.bars(
    {
        "closed book ｜ 闭卷": results[0],
        "1 article ｜ 1 条": results[1],
        "3 articles ｜ 3 条": results[3],
        "8 articles ｜ 8 条": results[8],
        "official form ｜ 通知书格式": form,
    },
    "Knows no Lingxi fine, reads well, was never shown the form ｜ 不知道灵溪的罚款，读得好，没见过格式",
    ylabel="right, % ｜ 正确，%",
)
# the line stops before the last bar, which is about the form and not about fines
fig.axes[0].hlines(100 * commonest / len(code), -0.5, 3.5, color="#333333", linestyle="--")
baseline = "majority baseline: always\nthe commonest fine\n多数类基线：总答最常见的罚款"
fig.axes[0].text(0, 14, baseline, ha="center", size=8)
fig

# %% [markdown] lang="en"
# Xiaoxi made up a form of its own. It copied plate, conduct and term, and then lost its way.
#
# The notes say: "Answering questions on traffic law: no fine-tuning, RAG is enough." For this model and this question the bars agree, in part: with one article nearly every fine is right, and with eight about nine in ten. But no search chose these articles: the right one was always there, and seven of the eight were drawn by lot. The notes also say: "Legal documents in a fixed form: fine-tuning." The last bar shows the gap, but *nobody* can write a form that nothing describes. Notebook 01 puts examples into the prompt, 04 trains.

# %% [markdown] lang="zh" of="27ae717f"
# 小溪自己编了一种格式：车牌、违法事实和术语都抄对了，后面就乱了。
#
# 讲义说：“回答交通法问题：不需要微调，RAG 足够”。就这个模型、这类问题来说，柱子部分地支持它：只给一条法条，罚款几乎全部答对；给八条，十次约有九次答对。不过这里没有检索：正确的那条总在里面，八条中的另外七条是抽签抽来的。讲义还说：“生成特定格式的法律文书：需要微调”。最后一根柱子显示了差距，不过没人告诉过它格式，换了*谁*也写不出来。notebook 01 先在提示里给样例，04 再来训练。

# %% [markdown] lang="en"
# Now hold an exam of your own: choose an article, and how many stand in the prompt.

# %% [markdown] lang="zh" of="842196d9"
# 下面由你来出题：选一条法条，再决定提示里一共放几条。


# %%
def oral(article, lang, k):
    """Show one exam: the desk, the question, the answer and the truth."""
    chat = exam(code[article - 1], lang, k)
    answer = generate(model, tokenizer, [chat], max_new_tokens=48)[0]
    truth = f"truth: {code[article - 1]['fine']} ｜ 正确答案：{code[article - 1]['fine']}"
    return f"{chat[0]['content']}\n\n→ {answer}\n{truth}"


widgets.explore(
    oral,
    names={"article": "article ｜ 法条", "lang": "language ｜ 语言", "k": "how many ｜ 条数"},
    start={"k": 1},
    article=range(1, len(code) + 1),
    lang={"English": "en", "中文": "zh"},
    k=[0, 1, 2, 3, 5, 8],
)

# %% [markdown]
# ## 5. Primary school in a minute ｜ 一分钟小学

# %% [markdown] lang="en"
# To answer from an article in the prompt, a model must at least find a place and **copy** what follows it. In this section you watch that one skill arise from nothing, in a pupil that is smaller still.
#
# Each row of its lesson has 16 different signs, and then pieces of them again. A piece has 4 to 8 signs and starts at a random place (the last may be cut short). One row is `2yW4AcqGFzYtEwLn FzYtE AcqGF yW4Acq`; the spaces are ours and part the pieces. The pupil can learn no row by heart, since every row is new. Only the *rule* helps: what followed this sign before will follow it again.

# %% [markdown] lang="zh" of="9e9d14a5"
# 要照着提示里的法条回答，模型至少得先找到地方，再把后面的**抄**下来。这一节来看这一样本领怎样从零长出来；这次的学生比小溪还小。
#
# 课文的每一行是这样的：先是 16 个不同的符号，接着把其中几段再写一遍，每段 4 到 8 个符号，起点随机（最后一段可能被截短）。例如 `2yW4AcqGFzYtEwLn FzYtE AcqGF yW4Acq`，空格是我们加的，用来隔开各段。每一行都是新的，背不下来；管用的只有*规则*：这个符号以前后面跟着什么，现在还跟着什么。

# %%
SIGNS = string.ascii_letters + string.digits  # 62 signs, one token each
HALF = 16


def make_row(rng):
    """Return a row of 32 signs, 16 and then pieces of them, and which signs continue a piece."""
    first = rng.sample(range(len(SIGNS)), HALF)
    row, goes_on = list(first), [False] * HALF
    while len(row) < 2 * HALF:
        start = rng.randrange(HALF - 4)
        span = first[start : start + rng.randint(4, 8)]
        row += span
        goes_on += [False] + [True] * (len(span) - 1)
    return row[: 2 * HALF], goes_on[: 2 * HALF]


say("16 different signs, then pieces of them:", "先是 16 个不同的符号，再是其中的几段：")
for i in range(3):
    row, goes_on = make_row(random.Random(i))
    gaps = [" " if k >= HALF and not goes_on[k] else "" for k in range(len(row))]
    print("".join(gap + SIGNS[n] for gap, n in zip(gaps, row, strict=True)))

# %% [markdown] lang="en"
# **Exercise 2** (easy, 5 minutes). Take the pupil's place and write the rule that it has to find. `next_sign("kQ7xQ")` is `"7"`, because `Q` was followed by `7` before. In every test the last sign has stood exactly once before.

# %% [markdown] lang="zh" of="75232060"
# **练习 2**（容易，5 分钟）。换你来当学生：把它要找的规则写出来。`next_sign("kQ7xQ")` 应返回 `"7"`，因为前面那个 `Q` 的后面是 `7`。每道测试里，最后一个符号在前面都恰好出现过一次。


# %% tags=["exercise"]
def next_sign(seen):
    """Return what followed the last sign of `seen` where it stood before."""
    ...


# %% tags=["check"]
nb00.next_sign(next_sign)

# %% [markdown] tags=["solution"]
# <details><summary>Solution ｜ 参考答案</summary>
#
# ```python
# def next_sign(seen):
#     """Return what followed the last sign of `seen` where it stood before."""
#     before = seen[:-1]
#     return seen[before.index(seen[-1]) + 1]
# ```
#
# </details>

# %% [markdown] lang="en"
# For you the rule takes two lines of Python. The pupil must find it by gradient descent, from random weights. The pupil is a Qwen2 with two layers, 64 wide: inside it, each sign is a list of 64 numbers.
#
# **Exercise 3** (easy, 3 minutes). At first the pupil can only guess blindly among 62 signs. What is its loss then? The loss is the mean of $-\ln p$, where $p$ is the probability that it gives to the right sign. Because of the natural logarithm its unit is called the **nat**: a loss of 1 nat means $p = 1/e$, about 37 %. Write `blind_loss`, and you know where the curve begins.

# %% [markdown] lang="zh" of="b946d6bf"
# 对你来说，这条规则不过两行 Python；学生却要从随机权重出发，靠梯度下降把它找出来。学生是一个 Qwen2，两层，宽 64：每个符号在它里面是 64 个数。
#
# **练习 3**（容易，3 分钟）。一开始它只能在 62 个符号里瞎猜。这时的损失是多少？损失就是 $-\ln p$ 的平均值，其中 $p$ 是它给正确符号的概率。因为用的是自然对数，单位叫**奈特**（nat）：损失 1 奈特，相当于 $p = 1/e$，约 37 %。写出 `blind_loss`，就知道曲线从哪里开始。


# %% tags=["exercise"]
def blind_loss(n_signs):
    """Return the loss of a guess that gives each of n_signs the same probability."""
    ...


# %% tags=["check"]
nb00.blind_loss(blind_loss)

# %% [markdown] tags=["solution"]
# <details><summary>Solution ｜ 参考答案</summary>
#
# ```python
# import math
#
#
# def blind_loss(n_signs):
#     """Return the loss of a guess that gives each of n_signs the same probability."""
#     return -math.log(1 / n_signs)
# ```
#
# </details>

# %% [markdown] lang="en"
# Now the pupil goes to school: 450 steps, each with 64 new rows. **Predict first** how the loss goes on from there: will it fall evenly, fall fast and then flatten, or stay nearly flat and then drop at once?

# %% [markdown] lang="zh" of="720cc196"
# 现在送学生上学：450 步，每步 64 行新课文。**先猜一猜**损失接下来怎么走：匀速下降？先快后慢？还是先几乎不动，然后突然掉下去？

# %%
set_seed(SEED)
config = Qwen2Config(
    vocab_size=len(SIGNS),
    hidden_size=64,
    intermediate_size=128,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=4,  # Qwen2.5 shares keys and values among heads; here each has its own
    tie_word_embeddings=True,  # one table of embeddings, in and out
)
pupil = Qwen2ForCausalLM(config)
say(f"{parameter_counts(pupil)[1]:,} random weights", f"{parameter_counts(pupil)[1]:,} 个随机权重")


# %%
def go_to_school(pupil, steps, lr=3e-3, rows=64):
    """Pre-train a pupil: fresh rows, guess the next sign, measure, adjust; return the losses."""
    rng, losses = random.Random(SEED), []
    optimizer = torch.optim.AdamW(pupil.parameters(), lr=lr)
    say(f"rate {lr:g}: step, loss, loss as a bar", f"学习率 {lr:g}：步数、损失、损失的长条")
    for step in range(steps):
        ids = torch.tensor([make_row(rng)[0] for _ in range(rows)])  # (rows, 32)
        logits = pupil(ids).logits[:, HALF - 1 : -1]  # (rows, 16, 62): guesses of the second half
        # the second half alone: the first cannot be guessed
        loss = cross_entropy(logits.flatten(0, 1), ids[:, HALF:].flatten())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        if step % 20 == 0:
            print(f"{step:4} {loss.item():5.2f} {'█' * round(10 * loss.item())}", flush=True)
    return losses


def cliff(losses):
    """Return the first step with a loss below 2."""
    return next((step for step, loss in enumerate(losses) if loss < 2), len(losses))


# %%
@torch.no_grad()
def copies(pupil, n_rows=200):
    """Tell for each of n_rows new rows whether every sign that continues a piece is guessed right."""
    rng = random.Random("held out")
    rows, goes_on = map(torch.tensor, zip(*(make_row(rng) for _ in range(n_rows)), strict=True))
    guess = pupil(rows).logits[:, :-1].argmax(-1)  # (rows, 31): the likeliest next sign
    return ((guess == rows[:, 1:]) | ~goes_on[:, 1:]).all(1).tolist()


@torch.no_grad()
def complete(pupil, first, start):
    """Let the pupil go on after the first half and two signs of it; return the six it writes."""
    ids = first + first[start : start + 2]
    for _ in range(6):
        ids.append(pupil(torch.tensor([ids])).logits[0, -1].argmax().item())
    return "".join(SIGNS[i] for i in ids[-6:])


firsts = [make_row(random.Random(i))[0][:HALF] for i in range(5)]
before = [complete(pupil, first, 5) for first in firsts], copies(pupil)

# %% tags=["timing"]
started = time.perf_counter()
losses = go_to_school(pupil, steps=5 if setup.smoke else 450)
pupil_seconds = time.perf_counter() - started
say(f"{pupil_seconds:.0f} s", f"用时 {pupil_seconds:.0f} 秒")

# %%
after = [complete(pupil, first, 5) for first in firsts], copies(pupil)
say("first half, two of its signs… what goes on there", "前半行，其中两个符号……原来的后文")
for first, wrong, right in zip(firsts, before[0], after[0], strict=True):
    signs = "".join(SIGNS[i] for i in first)
    print(f"{signs} {signs[5:7]}… {signs[7:13]} | before ｜ 之前 {wrong} | after ｜ 之后 {right}")
claim("start_copy_before", share(before[1]))
claim("start_copy_after", share(after[1]))
claim("start_cliff", cliff(losses))

# %% [markdown] lang="en"
# For 260 steps the loss falls only a little, from 4.2 to 3.5; then it drops to 1.4 within 40 steps. We call that a **cliff**. Why does it look so? [A known explanation](https://arxiv.org/abs/2209.11895) says that two attention heads, the parts that look back, must work together (*induction heads*). One notes at each sign which sign stood *before* it. The other finds where the present sign was noted, and copies what stands there. Either alone gains almost nothing.

# %% [markdown] lang="zh" of="ad542a84"
# 前 260 步，损失只降了一点，从 4.2 到 3.5；接着在 40 步之内掉到了 1.4。我们叫它**悬崖**。为什么会这样？[一种公认的解释](https://arxiv.org/abs/2209.11895)是：模型里负责回头看的零件叫注意力头，抄写要靠两个头配合，合称*归纳头*。第一个头在每个位置记下*前一个*符号是什么；第二个头拿着眼前的符号，去找“前一个符号就是它”的那个位置，把那里的符号抄过来。两个头缺了哪一个，另一个都几乎没用。

# %% [markdown] lang="en"
# We test this. A second pupil gets the first head as a gift: it looks at the sign before from the start. A third pupil gets the gift too, and three times the learning rate. **Predict first**: when do their cliffs come, if they come at all?
#
# You may skip the code of the next cell: it sets some numbers by hand so that one head looks at the sign before.

# %% [markdown] lang="zh" of="11b72744"
# 来检验一下。给第二个学生送上第一个注意力头：让它一开始就盯住前一个符号。第三个学生也有这份礼物，但学习率是三倍。**先猜一猜**：它们的悬崖会来得更早、更晚，还是不来？
#
# 下一个单元格的代码可以跳过：它只是手工设定几个数，让一个注意力头盯住前一个符号。


# %%
@torch.no_grad()
def look_back(pupil, pairs=6, strength=60.0):
    """Turn one head of the first layer to the sign before.

    RoPE turns queries and keys by an angle for each position; these biases undo one position.
    """
    attention = pupil.model.layers[0].self_attn
    half, size = attention.head_dim // 2, (strength / pairs) ** 0.5
    angle = 10_000.0 ** (-torch.arange(pairs) / half)
    attention.q_proj.bias[:pairs] = size
    attention.k_proj.bias[:pairs] = size * torch.cos(angle)
    attention.k_proj.bias[half : half + pairs] = size * torch.sin(angle)


def gifted(lr):
    """Send a pupil to school that looks back from the start; return its losses."""
    set_seed(SEED)
    pupil = Qwen2ForCausalLM(config)
    look_back(pupil)
    return go_to_school(pupil, steps=5 if setup.smoke else 200, lr=lr)


# %%
runs = {
    "from nothing ｜ 从零开始": losses,
    "one head turned back ｜ 一个注意力头回头看": gifted(lr=3e-3),
    "the same, rate × 3 ｜ 同样，学习率三倍": gifted(lr=9e-3),
}
_, with_gift, in_haste = map(cliff, runs.values())
claim("start_cliff_gift", with_gift)
claim("start_cliff_haste", in_haste)
fig = plots.curves(
    {name: (range(len(losses)), losses) for name, losses in runs.items()},
    "Copying, one seed ｜ 学抄写，一个随机种子",
    "step ｜ 步",
    "loss, nats per sign ｜ 损失（奈特）",
)
fig.axes[0].axhline(math.log(len(SIGNS)), color="#666666", linestyle=":")
fig.axes[0].text(len(losses), 4.2, "blind guess, ln 62 ｜ 瞎猜", ha="right", size=9)
fig

# %% [markdown] lang="en"
# With the gift the cliff came at step 86, without it at 288. Other seeds agree: with it at 79 to 120, without it at 308 to 379. So, in a model this small, this head saves most of the wait; whether another gift would do as well we did not test. At three times the rate even the gifted pupil did not reach the cliff in 200 steps: its loss was still about 3.8. Part of the loss that remains is luck: nobody knows where the next piece begins.

# %% [markdown] lang="zh" of="90219a00"
# 有礼物，悬崖在第 86 步；没有，在第 288 步。换别的种子也一样：有礼物是 79 到 120 步，没有是 308 到 379 步。可见在这么小的模型里，有了这个注意力头，大半的等待就省下了；换一份别的礼物是不是也行，我们没有试。学习率放大到三倍，有礼物的学生在 200 步之内也没等到悬崖：损失还在 3.8 左右。剩下的损失有一部分是运气：下一段从哪里开始，谁也猜不到。

# %% [markdown] lang="en"
# **A warning.** Do not expect such a cliff in fine-tuning: this one came up in training from scratch. If the loss stays flat when you *fine-tune*, do not wait: look first at the labels (which tokens count in the loss?), then at frozen weights (which do not train), the chat template and the learning rate. Notebook 04 explains what to check.

# %% [markdown] lang="zh" of="dce22798"
# **提醒**：这道悬崖出现在从零训练的时候，微调时不要指望它。如果你在*微调*，损失一直不动，不要干等：先看标签（哪些词元计入损失？），再看权重是不是冻住了（冻住就不训练），再看对话模板和学习率。怎么检查，notebook 04 会讲。

# %% [markdown] lang="en"
# Xiaoxi's school, too, began with drills in copying and such a gift, and then went on to reading. It took an hour and a half on two cores (`tools/xiaoxi/pretrain.py`). For comparison, Qwen2.5 read [18 trillion tokens](https://arxiv.org/abs/2412.15115).

# %% [markdown] lang="zh" of="1ff766b6"
# 小溪的小学也是先练抄写，也收到过这样的礼物，然后才学阅读，在双核 CPU 上花了一个半小时（`tools/xiaoxi/pretrain.py`）。比一比：Qwen2.5 读了 [18 万亿个词元](https://arxiv.org/abs/2412.15115)。

# %% [markdown]
# ## 6. Hardware, time, cost ｜ 硬件、时间、花费

# %% [markdown] lang="en"
# The notes plan for models of 1.5B and 3B weights, about 1,000 and 2,000 times as large as Xiaoxi. So the two columns do not contradict each other.
#
# | | the notes say (1.5B, 3B) | here, on `tiny` (1.4M) |
# |---|---|---|
# | to know before | LLMs, RAG, Python, machine learning | Python, machine learning |
# | memory | 16 GB at least; better 24 GB | below 2.5 GB, measured next |
# | hardware | Apple M1/M2, better a GPU | two CPU cores of any make |
# | preparing data | 10 to 30 minutes | done; notebook 03 shows how |
# | training | 30 minutes to 2 hours | minutes (notebook 04) |
# | evaluation | 10 minutes | seconds |
# | three ways | Colab; a model at home; cloud | `t4`; `tiny`; notebook 09 |
# | cost | free; cloud 0.5 to 2 dollars an hour | free |

# %% [markdown] lang="zh" of="bf138a34"
# 讲义说的是 15 亿（1.5B）和 30 亿（3B）权重的模型，大约是小溪的一千倍和两千倍，所以下面两列并不矛盾。
#
# | | 讲义说（1.5B、3B） | 这里，`tiny` 档位（144 万） |
# |---|---|---|
# | 预备知识 | LLM 使用、RAG、Python、机器学习 | Python、机器学习 |
# | 内存 | 至少 16 GB，最好 24 GB | 不到 2.5 GB，下面实测 |
# | 硬件 | 苹果 M1/M2，最好有 GPU | 任何双核 CPU |
# | 准备数据 | 10 到 30 分钟 | 已备好，notebook 03 讲做法 |
# | 训练 | 30 分钟到 2 小时 | 几分钟（notebook 04） |
# | 评估 | 10 分钟 | 几秒 |
# | 三种方案 | Colab、本地模型、云端服务 | `t4`、`tiny`、notebook 09 |
# | 花费 | 免费；云端每小时 0.5 到 2 美元 | 免费 |

# %% tags=["timing"]
started = time.perf_counter()
texts = generate(model, tokenizer, [exam(page, "en", 1) for page in code[:32]], max_new_tokens=48)
speed = sum(map(len, tokenizer(texts)["input_ids"])) / (time.perf_counter() - started)
say(f"answering: {speed:,.0f} tokens a second", f"回答：每秒 {speed:,.0f} 个词元")
speed = len(losses) * 64 * 2 * HALF / pupil_seconds
say(f"training the pupil: {speed:,.0f} tokens a second", f"训练那个学生：每秒 {speed:,.0f} 个词元")
say(f"the exam of section 4: {seconds:.0f} s", f"第 4 节的考试：{seconds:.0f} 秒")
claim("start_memory", peak_memory_gb())

# %% [markdown] lang="en"
# This lesson used less than 1 GB (printed above), with a model of 1.4 million weights. That says nothing against 16 GB for 1.5B: memory grows with the weights, as you now count.
#
# **Exercise 4** (easy, 5 minutes). The notes put the download of `Qwen2.5-1.5B-Instruct` at about 6 GB. Check it: write `weights_gb`, the size of the weights in GB ($10^9$ bytes), with `bits` for each weight. It has to work for 4 bits too.

# %% [markdown] lang="zh" of="1f37be3a"
# 这一课用的内存不到 1 GB（见上面打印的数），模型只有 144 万个权重。这并不能说明 1.5B 的模型用不着 16 GB：权重越多，内存越大，下面就来算一算。
#
# **练习 4**（容易，5 分钟）。讲义说，下载 `Qwen2.5-1.5B-Instruct` 约 6 GB。来核对一下：写出 `weights_gb`，给出权重占多少 GB（$10^9$ 字节），每个权重占 `bits` 比特。4 比特时也要能用。


# %% tags=["exercise"]
def weights_gb(parameters, bits):
    """Return the size of a model's weights in GB."""
    ...


# %% tags=["check"]
nb00.weights_gb(weights_gb)

# %% [markdown] tags=["solution"]
# <details><summary>Solution ｜ 参考答案</summary>
#
# ```python
# def weights_gb(parameters, bits):
#     """Return the size of a model's weights in GB."""
#     return parameters * bits / 8 / 1e9
# ```
#
# </details>


# %%
def size_of(hidden_size, intermediate_size, num_hidden_layers, num_attention_heads):
    """Count the weights of a Qwen2.5 by its published shape, without making them."""
    with torch.device("meta"):
        shape = Qwen2Config(
            vocab_size=151_936, hidden_size=hidden_size, intermediate_size=intermediate_size,
            num_hidden_layers=num_hidden_layers, num_attention_heads=num_attention_heads,
            num_key_value_heads=2, tie_word_embeddings=True,
        )  # fmt: skip
        return parameter_counts(Qwen2ForCausalLM(shape))[1]


small, larger = size_of(1536, 8960, 28, 12), size_of(2048, 11008, 36, 16)
for name, count in (("Qwen2.5-1.5B", small), ("Qwen2.5-3B", larger)):
    print(f"{name}: {count:,} × 2 bytes = {2 * count / 1e9:.1f} GB")
claim("start_download", 2 * small / 1e9)

# %% [markdown] lang="en"
# Qwen's files hold 16-bit numbers, so 1.5B weights take 3.1 GB. The 6 GB of the notes is the size of the **3B** model.
#
# The file that the notes had at hand was the 3B model again, but smaller: a **GGUF** file with 4-bit numbers. GGUF is a file format for running a model (*inference*) on an ordinary computer. The notes say that GGUF cannot be fine-tuned. Indeed one cannot train the file itself. But transformers can turn it back into ordinary weights (*dequantise* it), Qwen2's too, and these can be trained. What the rounding to 4 bits lost stays lost. (The command `huggingface-cli download` is `hf download` today.)

# %% [markdown] lang="zh" of="9dbf48ac"
# Qwen 的权重文件里，每个数占 16 比特，所以 1.5B 的权重共 3.1 GB。讲义写的 6 GB，其实是 **3B** 模型的大小。
#
# 讲义手头的文件也是 3B 模型，不过更小：那是一个 **GGUF** 文件，每个数只有 4 比特。GGUF 是一种文件格式，用来在普通电脑上运行模型（*推理*）。讲义说 GGUF 不支持微调。文件本身确实没法训练；但 transformers 可以把它还原成普通权重（*反量化*），Qwen2 的也行，还原之后就能训练了，只是压到 4 比特时丢掉的精度找不回来。（`huggingface-cli download` 这条命令如今叫 `hf download`。）

# %% [markdown] lang="en"
# **Training needs more.** To train all weights in `float32`, count 16 bytes for each: the weight, its gradient, and two numbers of the optimizer. For 1.5B that is 25 GB, before any intermediate results. LoRA and QLoRA (02, 05) need less.

# %% [markdown] lang="zh" of="05c8174a"
# **训练要得更多。** 用 `float32` 训练全部权重，每个权重按 16 个字节算：权重本身、它的梯度、优化器的两个数。1.5B 就是 25 GB，中间结果还没算进去。LoRA 和 QLoRA（02、05）要得少。

# %% [markdown]
# ## 7. What goes wrong ｜ 哪里会出错

# %% [markdown] lang="en"
# | you see | why | what to do |
# |---|---|---|
# | "Open the notebook inside the course's folder" | it was opened elsewhere | `make lab` |
# | `NameError` | a cell was skipped | run all cells above |
# | ⚠️ cannot be fetched | no model hub answers | `PROFILE = "tiny"`, or a mirror in `HF_ENDPOINT` |
# | boxes in place of 中文 | the figure uses another font | draw figures with `helpers.show.plots` |
# | slightly other numbers | another CPU, other versions | compare with the usual range |
# | a loss that stays flat in fine-tuning | no label counts, frozen weights, wrong template or rate | check them in this order; notebook 04 |
#
# The errors of this course say how to fix them, in both languages. We make two on purpose:

# %% [markdown] lang="zh" of="331fd435"
# | 现象 | 原因 | 办法 |
# |---|---|---|
# | “请在课程文件夹里打开 notebook” | 在别处打开了 | `make lab` |
# | `NameError` | 跳过了某个单元格 | 从头运行上面的单元格 |
# | ⚠️ 无法下载 | 连不上模型仓库 | `PROFILE = "tiny"`，或用 `HF_ENDPOINT` 指定镜像 |
# | 图里的中文变成方框 | 用了别的字体 | 用 `helpers.show.plots` 画图 |
# | 数字略有出入 | CPU 或版本不同 | 和通常范围比一比 |
# | 微调时损失一直不动 | 没有标签计入损失、权重冻住了、模板或学习率不对 | 按这个顺序检查；看 notebook 04 |
#
# 本课程的报错会写明怎么修，中英文都有。这里故意犯两个错：

# %%
for profile, wanted in (("T4", None), ("tiny", "my model")):
    try:
        load(resolve(profile, wanted))
    except CourseError as error:
        print(f"❌ {error}")

# %% [markdown]
# ## 8. Summary and next ｜ 小结与下一步

# %% [markdown] lang="en"
# - What a model **knows** stands in its weights; what it can **read** stands in its prompt. These are two different things.
# - Form and style are a third. A model has to be shown them: by examples in the prompt (01) or by fine-tuning (04).
# - In training from scratch, a skill may come suddenly, after a long wait. In fine-tuning, a flat loss is usually a mistake of the set-up.
# - Choose with `PROFILE`; `tiny` needs no GPU, no network and less than 2.5 GB.
#
# **Next**: [01, the decision tree](01_decision_tree.ipynb) asks whether to fine-tune at all, and what to make of the notes' "90 % of cases need RAG". Or go straight to [04, SFT](04_sft.ipynb), which shows how.

# %% [markdown] lang="zh" of="3cc061aa"
# - 模型**知道**的，在权重里；它能**读懂**的，在提示里。这是两回事。
# - 格式和风格是第三回事：要有人给它看，或者在提示里给样例（01），或者靠微调（04）。
# - 从零训练时，本领可能等了很久才一下子出现；微调时损失一直不动，多半是哪里没有设对。
# - 用 `PROFILE` 来选档位；`tiny` 不要 GPU，不要网络，内存不到 2.5 GB。
#
# **下一步**：[01 决策树](01_decision_tree.ipynb)，讲到底该不该微调，以及怎么看讲义说的“90 % 的场景需要 RAG”；也可以直接去 [04 监督微调](04_sft.ipynb)，看怎么做。

# %%
progress("00")
