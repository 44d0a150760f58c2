# %% [markdown]
# # 03. Data preparation ｜ 数据准备
#
# You turn documents into training rows, find what is wrong with them, and see which test tells the truth about a model. ｜ 你将把文档变成训练数据，找出其中的毛病，再看看怎样的测试才不会骗人。

# %% [markdown] lang="en"
# **Where this lesson ends.** In one run, we trained a small model on notices about twelve articles of a traffic code, with no article in the prompt, and then tested this one model twice. Each notice states four facts of its article: number, fine, points and office.
#
# | the test | notices with all four facts right |
# |---|---|
# | new notices on the same twelve articles | 82 % (49 of 60) |
# | notices on twelve other articles | 0 % (0 of 60) |

# %% [markdown] lang="zh" of="2609fa75"
# **这一课的终点**。一次运行里，我们拿一部交通法规中 12 条法条的通知书训练一个小模型，提示里不给法条，然后把同一个模型测了两次。每份通知书要写出法条里的四项内容：条号、罚款、记分和处理机关。
#
# | 测什么 | 法条四项全对的通知书 |
# |---|---|
# | 同样 12 条法条的新通知书 | 82 %（60 份里 49 份） |
# | 另外 12 条法条的通知书 | 0 %（60 份里 0 份） |

# %% [markdown] lang="en"
# (Other values of `SEED` change the articles, the notices and their order. They gave 40 to 97 % in the first line, and 0 % each time in the second.)
#
# The model is the same; only the choice of the test rows differs. If you shuffle all rows and keep some of them as the test, which is the usual way, you get something like the first number. If the articles at work are new and the prompt does not show them, you get the second.

# %% [markdown] lang="zh" of="f45f9820"
# （换几个 `SEED`，法条、通知书和先后次序都跟着变：第一行从 40 % 到 97 % 不等，第二行次次是 0 %。）
#
# 模型是同一个，只有测试题的选法不同。通常的做法是把数据打乱、留一部分来测，报出来的会接近第一个数；要是上线后遇到的是新法条，提示里又没有，得到的就是第二个。

# %% [markdown]
# | **You will ｜ 你将** | convert between Alpaca, ShareGPT and messages without loss ｜ 在 Alpaca、ShareGPT 和 messages 之间无损转换 |
# |---|---|
# | | write the loss mask, and hold it against TRL's ｜ 亲手写出损失掩码，与 TRL 的对照 |
# | | make training rows from documents, check and clean them, and split them so that the test tells the truth ｜ 从文档做出训练数据，核对、清洗，并划分得让测试说真话 |
# | | check a file of your own, line by line ｜ 逐行检查你自己的文件 |
# | **Before ｜ 先学** | notebook 00 ｜ notebook 00 |
# | **`tiny`** | 3 to 5 minutes, 1.2 GB, any laptop ｜ 3 到 5 分钟，1.2 GB 内存，任何笔记本电脑 |
# | **`small`** | about 17 minutes on two cores, estimated ｜ 双核约 17 分钟（估计） |
# | **`t4`, `gpu`** | not measured yet ｜ 尚未实测 |

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
DATA = None  # the path of a file of your own (section 8)

# %%
# @title Imports ｜ 导入
import json
import random
from collections import Counter
from copy import deepcopy

import torch

from helpers.base import root, say
from helpers.env import PROFILES, resolve, set_seed, threads
from helpers.lessons import nb03, sizes
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
from helpers.show.tables import table

# %% [markdown] lang="en"
# The next cell lists this run's sizes, to look up later: the four ways and the practised articles belong to section 7, the thresholds to section 9.

# %% [markdown] lang="zh" of="818eb32b"
# 下一个单元格列出这次运行的规模，供以后查：四种安排和练过的法条在第 7 节，相似度阈值在第 9 节。

# %%
setup = resolve(PROFILE, MODEL)
if setup.profile == "gpu" and MODEL is None:  # section 7 trains all weights: 7B would need 120 GB
    setup = setup._replace(model=PROFILES["t4"])
size = sizes.of("03", setup)
claims.start("03_data_preparation", setup.profile, SEED)
threads()
set_seed(SEED)
style.style()
print(f"{setup.profile}: {setup.model}, {setup.dtype} on {setup.device}")
size.show()

# %% [markdown]
# ## 1. Why: a model is what it is fed ｜ 为什么：喂什么，像什么

# %% [markdown] lang="en"
# The notes that this course grew from give four pieces of advice on data: put quality above quantity, vary the content, keep one format, and make question–answer pairs from documents. This lesson follows all four. It tests the first on Xiaoxi, the course's small model of 1.4 million weights. The numbers in this text are those of Xiaoxi (profile `tiny`, seed 0). Unless a recorded run is named, they come from one run of this lesson, so yours may differ by a few points, in section 7 by more. If a number lies in its usual range, all is well.

# %% [markdown] lang="zh" of="c83c3364"
# 讲义（本课程的前身）对数据提了四条建议：质量重于数量，内容要多样，格式要一致，还可以从文档生成问答对。这一课四条都照做，并在小溪（课程自带的小模型，144 万个权重）上试一试第一条。文中的数字都是小溪的（`tiny` 档位，种子 0）；凡没有注明是事先记录的，都取自这一课的一次运行，你的可能差几个百分点，第 7 节差得更多。落在通常范围内，就没有问题。

# %% [markdown] lang="en"
# Everything here happens **before** training. With these toy files it takes minutes. In a real project, collecting, reading and correcting the rows usually takes more time than training, and the care is well spent.

# %% [markdown] lang="zh" of="2a1bd3c5"
# 这一课讲的事都发生在训练**之前**。这里的文件是玩具，几分钟就处理完；真实项目里，收集、阅读、改正数据往往比训练更费时间，这份功夫值得花。

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
# | messages | `messages`, a list of `role`, `content` | TRL, most chat APIs |
#
# One object with these keys is one **row**. TRL, Hugging Face's training library (notebook 04), takes messages, so we convert the other formats into them. In Alpaca's case, instruction and input become one question. (The function below returns the list alone.) The row below is the example of the notes; it asks for a translation of 你好世界 ("hello world") into English:

# %% [markdown] lang="zh" of="0d1de1a0"
# 讲义给了两种格式，实际常用的有四种：
#
# | 格式 | 键名 | 常见于 |
# |---|---|---|
# | Alpaca | `instruction`、`input`、`output` | 单轮问答 |
# | ShareGPT | `conversations`，内含 `from`、`value` | 聊天记录 |
# | prompt–completion | `prompt`、`completion` | TRL |
# | messages | `messages`，内含 `role`、`content` | TRL 和多数对话 API |
#
# 带这些键的一个对象，就是一**行**数据。TRL 是 Hugging Face 的训练库（见 notebook 04），它认 messages，所以别的格式都往这里转。先看 Alpaca：指令和输入合成一个问题（下面的函数只返回那个列表）。下面这一行就是讲义里的例子：


# %%
def from_alpaca(row):
    """Return an Alpaca row as messages, the smallest version."""
    asked = f"{row['instruction']}\n{row['input']}" if row["input"] else row["instruction"]
    return [{"role": "user", "content": asked}, {"role": "assistant", "content": row["output"]}]


alpaca = {"instruction": "将以下文本翻译成英文", "input": "你好世界", "output": "Hello World"}
print(from_alpaca(alpaca))

# %% [markdown] lang="en"
# **Exercise 1** (easy, 5 minutes). Now ShareGPT. Each turn has a `from` (`human`, `gpt` or `system`) and a `value`. Write `from_sharegpt`: it returns the list of messages.

# %% [markdown] lang="zh" of="976cb472"
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
# **Without loss** means that converting a row there and back returns an identical row, with all its other fields. Where that is impossible, a converter should refuse. Ours keeps Alpaca's `input`, so that it knows on the way back where to cut the question in two.
#
# A **preference pair** (notebook 06) has a better and a worse answer, but a conversation has room for one only. The better answer stays in the conversation; the other one becomes a field beside it. There is no way back.

# %% [markdown] lang="zh" of="58649ea3"
# **无损**的意思是：转过去再转回来，还是同一行，其他字段也一个不少。做不到时，转换器应当拒绝，而不是悄悄丢掉。我们的转换器留着 Alpaca 的 `input`，转回去时才知道问题该从哪里切开。
#
# **偏好对**（notebook 06 要用）有一好一差两个回答，而一段对话只放得下一个：更好的那个留在对话里，另一个放进旁边的字段；这条路是单行道。

# %% [markdown] lang="en"
# The first three lines below list the keys that a dialogue gains by the conversion. Expected: all 800 rows, dialogues included, come back unchanged from three formats. (All of them start as messages; the way from Alpaca to messages and back is not counted.)
#
# **Predict first**: Alpaca has one question and one answer. Where do a dialogue's earlier turns go?

# %% [markdown] lang="zh" of="d80ff4be"
# 下面前三行，是一段多轮对话转换之后新出现的键。预期：800 行（含多轮对话）从三种格式转一圈回来，全部原样不变。（都是从 messages 出发；从 Alpaca 出发、转到 messages 再转回去的，这里没有数。）
#
# **先猜一猜**：Alpaca 只有一问一答，对话前几轮会放到哪里？

# %%
train_rows = world("train")
for name, way in (("Alpaca", to_alpaca), ("ShareGPT", to_sharegpt), ("TRL", to_prompt_completion)):
    row = way(select(train_rows, kind="followup")[0])
    print(f"{name}, new keys ｜ 新出现的键: {[key for key in row if key not in train_rows[0]]}")
question = "What is the fine for parking in the bus lane?"
english = {"prompt": question, "chosen": "Article 12: 200 yuan", "rejected": "Usually none"}
chinese = {"prompt": "公交专用道停车罚多少？", "chosen": "第12条：200元", "rejected": "一般不罚"}
print(to_messages(english), to_messages(chinese), sep="\n")
same = [
    row == to_messages(to_alpaca(row)) == to_messages(to_sharegpt(to_alpaca(row)))
    and row == to_messages(to_prompt_completion(row))
    for row in train_rows
]
claim("data_round_trip", share(same))

# %% [markdown] lang="en"
# The first line of the output answers the question: Alpaca gets a field `history`, which holds the earlier turns as pairs of a question and an answer. The other two formats need no such field. In ShareGPT all turns stand in one list, and TRL's prompt is itself a list of messages. Not every training tool reads `history`, so check yours before you give it dialogues in Alpaca's format.

# %% [markdown] lang="zh" of="3339bfb8"
# 答案在输出的第一行：Alpaca 多了一个字段 `history`，前几轮一问一答成对地放在里面。另外两种格式用不着：ShareGPT 的所有轮次本来就在一个列表里，TRL 的提示本身就是一串消息。并不是每种训练工具都读 `history`，用 Alpaca 格式交多轮对话之前，先查一查你的工具。

# %% [markdown]
# ## 3. The chat template and the loss mask ｜ 对话模板与损失掩码

# %% [markdown] lang="en"
# A model sees no roles, only tokens. A **chat template** writes the messages as one text: it puts marks around each turn and adds the role's name and line breaks. When we ask a question, the text must end right after `assistant`, where the answer begins; that is what `add_generation_prompt=True` does. Train and ask with the same template; notebook 04 shows what happens otherwise. This section looks at Xiaoxi, whatever your profile is.
#
# **Predict first**: of the tokens below, how many come from the messages, and how many from the template?

# %% [markdown] lang="zh" of="09598a87"
# 模型看不到角色，只看到词元。**对话模板**把消息写成一段文本：每一轮前后加上标记，再写上角色名和换行。提问时，文本写到 `assistant` 就要停下，后面由模型来答，这就是 `add_generation_prompt=True`。训练和提问要用同一个模板；不一致会怎样，notebook 04 里看得到。不论你用哪个档位，这一节看的都是小溪。
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
say(
    f"{len(ids)} tokens, {len(ids) - own} of them from the template",
    f"{len(ids)} 个词元，其中 {len(ids) - own} 个来自模板",
)
tokens.token_colours([tokenizer.decode([i]) for i in ids], ids=ids)

# %% [markdown] lang="en"
# The template wrote 13 of the 27 tokens. The model should learn to write only the assistant's. The **loss mask** says so: one number for each token, 1 where the token counts in the loss, 0 where it does not.
#
# **Exercise 2** (the heart of this lesson, 15 minutes). Write `loss_mask(ids, header, end)`; it returns a list. `ids` is a list of numbers, the tokens of one conversation. An answer starts right after the numbers in the list `header` (here five: `<|im_start|>assistant` and a line break) and ends with the one number `end` (`<|im_end|>`). The answer counts, **the end token included**: from it the model learns to stop. Nothing else counts. There may be several answers, and a row may break off before its last `end`. The check compares your mask with the course's own.

# %% [markdown] lang="zh" of="4da27216"
# 27 个词元里，模板写的有 13 个。那么，该让模型学着写哪些词元？只有助手写的那些。这由**损失掩码**规定：每个词元对应一个数，计入损失的是 1，不计入的是 0。
#
# **练习 2**（本课的核心，15 分钟）。写出 `loss_mask(ids, header, end)`，返回一个列表。`ids` 是由数组成的列表，即一段对话的词元编号。助手的每个回答都紧跟在列表 `header` 里的几个数之后（这里有五个：`<|im_start|>assistant` 加一个换行），以 `end` 这一个数（`<|im_end|>`）结束。回答计入损失，**结束符也算在内**：模型靠它学会停笔。其余一概不计。一段对话里可能有好几个回答，也可能在最后一个 `end` 之前就断了。检查时，你的掩码与课程自己的对照。


# %% tags=["exercise"]
def loss_mask(ids, header, end):
    """Return 1 for each token that the loss counts, 0 for the others."""
    ...


# %% tags=["check"]
nb03.loss_mask(loss_mask)

# %% [markdown] tags=["solution"]
# <details><summary>Solution ｜ 参考答案</summary>
#
# ```python
# def loss_mask(ids, header, end):
#     """Return 1 for each token that the loss counts, 0 for the others."""
#     mask, answering = [], False
#     for n, token in enumerate(ids):
#         mask.append(int(answering))
#         if answering:
#             answering = token != end
#         else:
#             answering = ids[: n + 1][-len(header) :] == header
#     return mask
# ```
#
# </details>

# %% [markdown] lang="en"
# In practice a template marks the answers itself, between `{% generation %}` and `{% endgeneration %}`. It is a small program in Jinja, a language for text with blanks to fill; the next cell prints it. Two mistakes are common. The end token may stand **outside** the markers, or the markers may enclose **everything**. Neither mistake raises an error here.
#
# The markers are not written into the text; `apply_chat_template` uses them to note which stretches are answers, and makes the mask from that. In the template printed below, find the two markers and see whether `<|im_end|>` stands between them.
#
# **Predict first**: what will a model do that was trained with each?

# %% [markdown] lang="zh" of="395d350a"
# 实际使用时，回答由模板自己标出来，放在 `{% generation %}` 与 `{% endgeneration %}` 之间。模板是用 Jinja（一种给文本填空用的语言）写的一小段程序，下一个单元格会把它打印出来。常见的错有两种：结束符落在标记**外面**，或者标记把**所有内容**都圈了进去。这里两种都不会报错。
#
# 这两个标记不会写进文本；`apply_chat_template` 只用它们记下哪几段是回答，据此做出掩码。在下面打印的模板里找到这两个标记，看 `<|im_end|>` 在不在它们之间。
#
# **先猜一猜**：分别用它们训练，模型会变成什么样？

# %%
right = tokenizer.chat_template
print(right)
bare = right.replace("{% generation %}", "").replace("{% endgeneration %}", "")
inner, outer = "+ '<|im_end|>' }}{% endgeneration %}", "}}{% endgeneration %}{{ '<|im_end|>' }}"
templates = {
    "right ｜ 正确": right,
    "end token outside ｜ 结束符在外": right.replace(inner, outer),
    "everything inside ｜ 全部圈入": "{% generation %}" + bare + "{% endgeneration %}",
}
masked, learned = {}, {}
for name, template in templates.items():
    changed = deepcopy(tokenizer)
    changed.chat_template = template
    masked[name] = [encode(changed, row["messages"]) for row in train_rows[:40]]
    learned[name] = [i for ids, mask in masked[name] for i, m in zip(ids, mask, strict=True) if m]
    n, ends = len(learned[name]), learned[name].count(tokenizer.eos_token_id)
    print(f"{name}: {n} tokens count, {ends} of them ends ｜ 计入 {n} 个词元，其中结束符 {ends} 个")
right_ones, all_ones = (len(learned[name]) for name in list(templates)[::2])
claim("data_mask_all", 100 * right_ones / all_ones)


def show_mask(template, row):
    """Show one training row under one template; what the loss counts is underlined."""
    ids, mask = masked[template][row]
    return tokens.token_colours([tokenizer.decode([i]) for i in ids], mask, ids)


names = {"template": "template ｜ 模板", "row": "row ｜ 行"}
short = [n for n, (ids, _) in enumerate(masked["right ｜ 正确"]) if len(ids) < 140]
widgets.explore(show_mask, names=names, template=list(templates), row=short)

# %% [markdown] lang="en"
# The three lines under the template count the first 40 training rows. Some of them hold two answers, so there are 43 ends; with everything inside, the ends of the user's turns count as well, which makes 86. With the end token outside, none of these rows teaches the model where to stop; a model that did not know it before will go on writing. With everything inside, two thirds of the tokens that count belong to articles, reports and the template (the answers are a third), and nobody asked the model to write those.
#
# We have only counted tokens here. Notebook 04 trains with both mistakes and measures what comes of it. **Look at one coloured row before each training.**

# %% [markdown] lang="zh" of="ca1e5087"
# 模板下面的三行，数的是训练数据的前 40 行。其中有的含两个回答，所以结束符有 43 个；全部圈入时，用户那几轮的结束符也算，就成了 86 个。结束符在外，这些行就没有一行教模型该在哪里停；本来就不会停的模型，会一直写下去。全部圈入，计入损失的词元有三分之二是法条、报告和模板（答案只占三分之一），而没人要模型写这些。
#
# 这里只数了词元。两种错误各会带来什么后果，notebook 04 里真的训练一遍再测。**每次训练之前，先看一行着色的数据。**

# %% [markdown] lang="en"
# **What does TRL do?** We give it the same eight dialogues in two formats, and read the labels that its trainer makes. A label is the token's own id where the token counts, and −100 where it does not. Nothing is trained. Each dialogue has two answers: a notice, and a short answer to a question about it.
#
# **Predict first**: in which of four cases does the trainer count exactly what our mask counts? (1) Messages, by default; (2) messages, with `assistant_only_loss=True` (the assistant's tokens alone); (3) prompt–completion, by default; (4) prompt–completion, with `completion_only_loss=False` (the prompt, too). (The trainer shuffles the rows, so we sort both sides before we compare.)

# %% [markdown] lang="zh" of="155c44ec"
# **TRL 是怎么做的？** 把同样的八段对话用两种格式交给它，读出训练器做好的标签，并不真的训练。计入的词元，标签就是它自己的编号；不计入的，标签是 −100。每段对话有两个回答：一份通知书，和一句对追问的简短回答。
#
# **先猜一猜**：四种情况里，哪一种计入的词元正好和我们的掩码一样？① messages，默认设置；② messages，`assistant_only_loss=True`（只计助手的）；③ prompt–completion，默认设置；④ prompt–completion，`completion_only_loss=False`（提示也计）。（训练器会打乱各行的次序，所以比较之前两边都排序。）

# %%
from datasets import Dataset
from trl import SFTConfig, SFTTrainer


def trl_labels(rows, **switches):
    """Return the labels that TRL makes of rows, all in one batch: (rows left, tokens)."""
    args = SFTConfig(
        output_dir=str(root() / "build" / "own" / "trl"),
        per_device_train_batch_size=len(rows),
        use_cpu=True,
        bf16=False,  # TRL's default is True, and a CPU refuses it
        disable_tqdm=True,
        **switches,
    )
    model, data = load(resolve("tiny"))[0], Dataset.from_list(rows)
    trainer = SFTTrainer(model, args, train_dataset=data, processing_class=tokenizer)
    return next(iter(trainer.get_train_dataloader()))["labels"]


def counted(labels):
    """Return the ids of the tokens that count, a list for each row, the lists sorted."""
    return sorted(row[row != -100].tolist() for row in labels)


# %%
talks = [
    {"messages": row["messages"]} for row in select(train_rows, kind="followup", context=False)[:8]
]
pairs_of = [to_prompt_completion(row) for row in talks]
ours = [encode(tokenizer, row["messages"]) for row in talks]  # (ids, mask) of each row
ours = sorted([i for i, m in zip(*row, strict=True) if m] for row in ours)
found = {
    ("messages", "default ｜ 默认"): trl_labels(talks),
    ("messages", "assistant_only_loss=True"): trl_labels(talks, assistant_only_loss=True),
    ("prompt–completion", "default ｜ 默认"): trl_labels(pairs_of),
    ("prompt–completion", "completion_only_loss=False"): trl_labels(
        pairs_of, completion_only_loss=False
    ),
}
agree = {case: counted(labels) == ours for case, labels in found.items()}
claim("data_mask_trl", 100 * agree["messages", "assistant_only_loss=True"])
table(
    [
        "rows ｜ 数据",
        "switch ｜ 开关",
        "tokens that count ｜ 计入损失的词元数",
        "the same as by our mask? ｜ 与我们的掩码一样？",
    ],
    [
        [*case, int((labels != -100).sum()), "✅" if agree[case] else "❌"]
        for case, labels in found.items()
    ],
)

# %% [markdown] lang="en"
# Only with `assistant_only_loss=True`. By default, rows of messages count **every** token. Prompt–completion rows count the completion alone, which is the **last** answer; the notice stands in the prompt and teaches nothing. These rules are TRL 1.16's:
#
# | switch | default | what it needs, what it does |
# |---|---|---|
# | `assistant_only_loss` | `False` | rows of messages, and `{% generation %}` in the template |
# | `completion_only_loss` | `None` | `None` means: on for prompt–completion rows |
# | `packing` | `False` | `True` packs rows up to `max_length`, section 4 |
# | `max_length` | `1024` | cuts off the end of longer rows, section 4 |
#
# Qwen2.5's own template has no markers. For Qwen2.5 and other families that it knows, TRL puts one with markers in its place; for the rest it raises an error. It warns where the end token stands outside.

# %% [markdown] lang="zh" of="e3369449"
# 只有 `assistant_only_loss=True` 那一行。默认情况下，messages 格式的**每个**词元都计入。prompt–completion 格式只计 completion，也就是**最后**一个回答；通知书落在了提示里，什么也教不了。这些是 TRL 1.16 的规则：
#
# | 开关 | 默认值 | 要求和作用 |
# |---|---|---|
# | `assistant_only_loss` | `False` | 数据是 messages 格式，模板里有 `{% generation %}` |
# | `completion_only_loss` | `None` | `None` 表示：遇到 prompt–completion 格式就打开 |
# | `packing` | `False` | 设成 `True`，把几行打包到 `max_length`，见第 4 节 |
# | `max_length` | `1024` | 更长的行，尾部会被截掉，见第 4 节 |
#
# Qwen2.5 自带的模板里没有标记。对 Qwen2.5 和其他认识的模型家族，TRL 会换上带标记的模板，不认识的就报错。结束符落在标记外面时，它会给出警告。

# %% [markdown] lang="en"
# **Tool calls and reasoning.** An *agent* is a program in which the model calls tools by itself, and its rows hold more than questions and answers. The assistant may think first (`reasoning_content`) and call a tool (`tool_calls`); the tool's result comes back as a message of its own (role `tool`). ChatML, the format of Qwen's templates, writes all this as text between tags. Below, the template that TRL uses to train Qwen3 writes such a row with Xiaoxi's tokens.
#
# **Predict first**: which of these count in the loss: the thinking, the call, the tool's result?

# %% [markdown] lang="zh" of="30e3153b"
# **工具调用与推理过程**。*智能体*是会自己调用工具的模型程序，给它用的数据不止一问一答：助手可能先想一想（`reasoning_content`），再调用工具（`tool_calls`）；工具的结果作为单独的一条消息传回来（角色是 `tool`）。Qwen 的模板用的是 ChatML 格式，把这些都写成标签之间的文本。下面用 TRL 训练 Qwen3 时的模板来写这样一行，词元是小溪的。
#
# **先猜一猜**：推理、调用、工具的结果，哪几样计入损失？

# %%
from trl.chat_template_utils import qwen3_chat_template, qwen3_training_chat_template

call = {"type": "function", "function": {"name": "article", "arguments": {"number": 12}}}
agent = [
    {"role": "user", "content": "Fine under Article 12?"},
    {"role": "assistant", "reasoning_content": "Look it up.", "content": "", "tool_calls": [call]},
    {"role": "tool", "content": "200 yuan, 3 points"},
    {"role": "assistant", "reasoning_content": "It says 200.", "content": "200 yuan"},
    {"role": "user", "content": "And twice?"},
    {"role": "assistant", "reasoning_content": "200 + 200 = 400", "content": "400 yuan"},
]
qwen3 = deepcopy(tokenizer)
qwen3.chat_template = qwen3_training_chat_template
ids, mask = encode(qwen3, agent)
tokens.token_colours([tokenizer.decode([i]) for i in ids], mask)

# %% [markdown] lang="en"
# Everything counts that the model must write itself: the thinking, the call, the answer and the end token. The tool's result does not count, for the tool writes it. (This template also counts the line break after the end token. That is harmless.) The result stands in a turn of `user`, between `<tool_response>` tags: this is how Qwen's template writes the role `tool`.
#
# A second question decides how such rows are stored: does the thinking of **earlier** turns stay in the prompt? TRL's training template keeps it. Here is what Qwen3's own template writes when you serve the model:

# %% [markdown] lang="zh" of="980c5eef"
# 凡是要模型自己写的都计入：推理、调用、回答和结束符。工具的结果由工具来写，所以不计。（这个模板把结束符后面的换行也计入了，无妨。）工具的结果写在 `user` 那一轮的 `<tool_response>` 标签之间：Qwen 的模板就是这样写角色 `tool` 的。
#
# 这样的数据怎么存，还取决于另一个问题：**前几轮**的推理要不要留在提示里？TRL 的训练模板把它们都留着。而上线服务时，Qwen3 自带的模板写出来是这样：

# %%
print(qwen3.apply_chat_template(agent, chat_template=qwen3_chat_template, tokenize=False))
shown = [
    qwen3.apply_chat_template(agent, chat_template=way, tokenize=False).count("<think>")
    for way in (qwen3_training_chat_template, qwen3_chat_template)
]
say(
    f"thinking blocks: {shown[0]} in training, {shown[1]} when served",
    f"推理片段：训练时 {shown[0]} 段，上线时 {shown[1]} 段",
)

# %% [markdown] lang="en"
# Only the thinking after the last question is left. A model trained on the first form meets the second at work. To train as you *serve* (as people will use the finished model), make one prompt–completion row of each turn of the assistant, here three rows. The completion is that turn whole, with its thinking; it alone counts by default. The prompt is what the serving template shows before that turn.
#
# In any case, write the tools' descriptions into the row (`tools=` of `apply_chat_template`); without them, the model learns to call tools that nobody offered. This course trains on no such rows, and the check of section 8 names them.

# %% [markdown] lang="zh" of="d135ed36"
# 只剩下最后一问之后的推理。按第一种写法训练的模型，上线后遇到的是第二种。要让训练与*上线*（训练好的模型交给人使用）一致，就把助手的每一轮单独做成一行，这里是三行，存成 prompt–completion 格式。completion 是完整的这一轮，连同推理，默认只有它计入损失；提示是上线时的模板在这一轮之前写出来的内容。
#
# 另外，工具的说明也要写进数据里（`apply_chat_template` 的 `tools=`）；少了它，模型学到的就是调用没人提供的工具。本课程不拿这类数据训练，第 8 节的检查会把它们指出来。

# %% [markdown]
# ## 4. Length: padding, packing, cutting ｜ 长度：填充、打包、截断

# %% [markdown] lang="en"
# Rows differ in length, but the rows of one *batch*, which are computed together, must be equally long. So short rows are filled up with **padding**, from which nothing is learned. Two ways waste less. Rows of like length may share a batch. Or several rows are **packed** into one sequence (here of 512 tokens at most).
#
# **Predict first**: in batches of 16 rows, drawn at random from our 800, which share of the tokens is padding?

# %% [markdown] lang="zh" of="772743fb"
# 各行长短不一，而同一*批*（一起计算的几行）里的行要一样长，短的就得补齐，这叫**填充**，补的部分学不到东西。想少浪费，有两种办法：让长度相近的行进同一批；或者把几行**打包**成一条序列（这里每条最多 512 个词元）。
#
# **先猜一猜**：从这 800 行里随机抽，16 行一批，填充占词元的多大比例？

# %%
encoded = [encode(tokenizer, row["messages"]) for row in train_rows]
lengths = [len(ids) for ids, _ in encoded]
packs = []
for length in sorted(lengths, reverse=True):
    open_pack = next((pack for pack in packs if sum(pack) + length <= 512), None)
    open_pack.append(length) if open_pack else packs.append([length])


def padded(lengths):
    """Return which share is padding when rows, in this order, make batches of 16."""
    groups = [lengths[i : i + 16] for i in range(0, len(lengths), 16)]
    return 1 - sum(lengths) / sum(max(group) * len(group) for group in groups)


waste = {
    "batches at random ｜ 随机成批": padded(random.Random(SEED).sample(lengths, len(lengths))),
    "rows of like length ｜ 长度相近的成批": padded(sorted(lengths)),
    "packed to 512 ｜ 打包到 512": 1 - sum(lengths) / (512 * len(packs)),
}
say(
    f"{len(lengths)} rows of {min(lengths)} to {max(lengths)} tokens",
    f"{len(lengths)} 行，每行 {min(lengths)} 到 {max(lengths)} 个词元",
)
table(
    ["way ｜ 方式", "padding among all tokens ｜ 填充占全部词元的比例"],
    [[name, f"{100 * x:.0f} %"] for name, x in waste.items()],
)

# %% [markdown] lang="en"
# At random, a third of the work is padding. Sorting by length saves nearly all of it, and the training loop of this course does so. (Then a batch holds rows of one kind, so batches should come in random order.)

# %% [markdown] lang="zh" of="3f202491"
# 随机成批，三分之一的计算花在填充上。按长度排序几乎全省下来，本课程的训练循环就是这样做的。（这样一批里的行都是同一类，所以各批的先后要打乱。）

# %% [markdown] lang="en"
# Packing brings a danger: **a row may see the row before it**. The *attention mask* says which tokens may be seen; the *cache* keeps what was computed for earlier tokens. Below, three rows stand in one sequence. A *position number* tells the model where in its row a token stands. We call the model in three ways. A: only with position numbers that start at 0 again with each row. B: with a mask of ones as well (a tokenizer gives one out by default, and it is easily passed on). C: as A, but with the cache on.
#
# **Predict first**: which of A, B and C gives the same logits (raw scores of the next token) as three separate rows?

# %% [markdown] lang="zh" of="d23af636"
# 打包则有一种危险：**一行看到了它前面的那一行**。*注意力掩码*规定能看哪些词元，*缓存*里存着前面词元算好的结果。*位置编号*告诉模型，一个词元在自己那一行里排第几。下面把三行拼成一条，用三种方式调用模型。A：只给位置编号，每行从 0 算起；B：再加一个全 1 的掩码（分词器默认就会给出一个，很容易顺手传进去）；C：同 A，但开着缓存。
#
# **先猜一猜**：A、B、C 里，哪一种的 logits（下一个词元的原始分数）与三行分开算时相同？

# %%
three = select(train_rows, task="question", context=False)[:3]
three = [encode(tokenizer, row["messages"])[0] for row in three]
packed = torch.tensor([[token for row in three for token in row]])  # (1, tokens)
alone = {
    "position_ids": torch.tensor([[n for row in three for n in range(len(row))]]),
    "use_cache": False,
}
calls = {
    "A: positions alone ｜ A：只给位置": alone,
    "B: positions and a mask of ones ｜ B：位置，再加全 1 掩码": alone
    | {"attention_mask": torch.ones_like(packed)},
    "C: positions, cache on ｜ C：位置，开着缓存": alone | {"use_cache": True},
}
xiaoxi.eval()
with torch.inference_mode():
    apart = torch.cat([xiaoxi(torch.tensor([row])).logits[0] for row in three])  # (tokens, vocab)
    leaks = [
        (xiaoxi(packed, **call).logits[0] - apart).abs().max().item() for call in calls.values()
    ]
for name, leak in zip(calls, leaks, strict=True):
    en, zh = name.split(" ｜ ")
    say(
        f"{en}: largest difference of a logit {leak:.1g}",
        f"{zh}：与分开算相比，logit 最多差 {leak:.1g}",
    )
claim("data_packing_right", leaks[0])
claim("data_packing_leak", leaks[1])

# %% [markdown] lang="en"
# Only A does. In the print, 1e-05 is 0.00001, mere rounding. But 2e+01 is about 20: a logit that is 20 higher multiplies a token's odds against another by $e^{20}$, about 485 million.
#
# From positions that start again at 0, the library (here transformers 5.23) works out where each row begins, but only if you give it **no attention mask and no cache**. A mask has one number for each token: it can hide a token from all others, but it cannot say whose row the token is in. So a mask of ones hides none, and the library obeys without an error or a warning. With the cache on (C) it takes the three rows for one. Other versions may differ: run this on yours.

# %% [markdown] lang="zh" of="6b697a1e"
# 只有 A。打印的 1e-05 是 0.00001，只是舍入误差；2e+01 是 20 左右：一个词元的 logit 高了 20，它与另一个词元的概率之比就是原来的 $e^{20}$ 倍，约 4.85 亿倍。
#
# 位置从 0 重新算起，库（这里是 transformers 5.23）就能推出每行从哪里开始；但前提是你**不给注意力掩码，也不开缓存**。掩码给每个词元一个数：它能让谁都看不到某个词元，却说不出这个词元属于哪一行。所以全 1 的掩码一个也不遮，库就照办了：不报错，也不警告。开着缓存（C），三行被当成了一行。换一个版本，行为可能不同，请在你的版本上跑一遍这个对比。

# %% [markdown] lang="en"
# TRL 1.16 packs rows when you set `packing=True`. Its default strategy, `packing_strategy="bfd"`, passes positions and no mask, as A does (by its source; not run here), and it cuts off what is longer than `max_length`. The pictures show which tokens each token may look at (never a later one):

# %% [markdown] lang="zh" of="db4c80bb"
# TRL 1.16 设置 `packing=True` 才会打包。默认的策略 `packing_strategy="bfd"` 只传位置、不传掩码，和上面的 A 一样（据源码，这里没有运行）；超出 `max_length` 的部分会被截掉。下图是每个词元能看到的词元（后面的，任何时候都看不到）：

# %%
owner = torch.tensor([n for n, row in enumerate(three) for _ in row])
past = torch.ones(len(owner), len(owner)).tril()
seen = {
    "right: light = its own row so far ｜ 正确：浅色 = 本行到此为止": past
    * (owner[:, None] == owner),
    "mask of ones: light = all so far ｜ 全 1 掩码：浅色 = 到此为止的全部": past,
}
fig, axes = style.figure(
    columns=2,
    alt="Two pictures of three packed rows; light is what a token may look at. Left: itself and the "
    "earlier tokens of its own row alone, three triangles along the diagonal. Right, with a mask of "
    "ones: itself and all earlier tokens, one large triangle. ｜ 两幅图，三行打包在一起；浅色是词元能看到的。"
    "左：只有它自己和本行里前面的词元，是沿对角线的三个小三角形；"
    "右：全 1 掩码下，它自己和前面的词元全都看得到，是一个大三角形。",
)
for ax, (title, allowed) in zip(axes, seen.items(), strict=True):
    ax.imshow(allowed, cmap="cividis")
    ax.set_title(style.two_lines(title))
    ax.set(xlabel="token looked at ｜ 被看的词元", ylabel="token looking ｜ 在看的词元")
    ax.grid(visible=False)
fig

# %% [markdown] lang="en"
# **Cutting.** TRL keeps the first `max_length` tokens of a row and drops the rest. The answer stands last, so the answer goes first, and with it the end token.
#
# **Exercise 3** (medium, 10 minutes). Write `cut_off(masks, max_length)`. `masks` holds a loss mask for each row, a list of 0 and 1. Return two lists of row numbers, counted from 0: the rows that lose **a part** of what they should teach, and the rows that lose **all** of it. A row that loses only tokens that do not count is in neither list.

# %% [markdown] lang="zh" of="9140a650"
# **截断**。TRL 只留一行的前 `max_length` 个词元，后面的丢掉。回答在最后，所以最先丢的就是回答，连同结束符。
#
# **练习 3**（中等，10 分钟）。写出 `cut_off(masks, max_length)`。`masks` 里每行有一个损失掩码，是由 0 和 1 组成的列表。返回两个列表，都是行号，从 0 数起：要教的内容丢了**一部分**的行，和丢了**全部**的行。有的行丢掉的词元本来就不计入损失，这样的行两边都不算。


# %% tags=["exercise"]
def cut_off(masks, max_length):
    """Return (numbers of the rows that lose a part, numbers of those that lose all)."""
    ...


# %% tags=["check"]
nb03.cut_off(cut_off)

# %% [markdown] tags=["solution"]
# <details><summary>Solution ｜ 参考答案</summary>
#
# ```python
# def cut_off(masks, max_length):
#     """Return (numbers of the rows that lose a part, numbers of those that lose all)."""
#     part, everything = [], []
#     for n, mask in enumerate(masks):
#         if any(mask[max_length:]):
#             (part if any(mask[:max_length]) else everything).append(n)
#     return part, everything
# ```
#
# </details>

# %%
kept_rows = []
for max_length in (128, 192, 256, 1024):
    beyond = sum(length > max_length for length in lengths)
    left = [(sum(mask[:max_length]), sum(mask)) for _, mask in encoded]
    part = sum(0 < some < whole for some, whole in left)
    kept_rows.append([f"{max_length:,}", beyond, part, sum(not some for some, _ in left)])
eight = trl_labels(talks, assistant_only_loss=True, max_length=56)
say(
    f"TRL, dialogues cut at 56 tokens: {len(eight)} of {len(talks)} left",
    f"TRL 把对话截到 56 个词元：{len(talks)} 段剩 {len(eight)} 段",
)
table(
    [
        "max_length ｜ 最多词元数",
        "longer rows ｜ 超长的行",
        "rows that lose a part of the answers ｜ 回答丢一部分的行",
        "rows that lose the answers whole ｜ 回答全丢的行",
    ],
    kept_rows,
)

# %% [markdown] lang="en"
# The column of longer rows is a few more than the other two together: those lose only the line break after the answer, which does not count. At 256, 272 rows would lose a part. Of these, 252 keep no end token at all, so they teach the model to stop nowhere; the other 20 are dialogues that keep the end of their first answer. At 192, some rows lose every answer. For the line above the table, the eight dialogues of section 3 were cut at 56 tokens. TRL dropped four of them without an error: those that break off before anything to learn comes. So count tokens before training, and set `max_length` above your longest row, or shorten the prompt (fewer articles, say), never the answer.

# %% [markdown] lang="zh" of="17808ae8"
# “超长的行”比后两列之和多几行：多出来的那几行，丢掉的只是回答后面的换行，本来就不计入损失。截到 256，有 272 行会丢一部分：其中 252 行一个结束符也不剩，也就教不会模型在哪里停；另外 20 行是对话，还留着第一个回答的结尾。截到 192，有的行连一个回答都不剩。最上面那一行，是拿第 3 节的八段对话截到 56 个词元：其中四段还没到可学的内容就断了，TRL 便把它们去掉，也不报错。所以训练前先数词元，`max_length` 要设得比最长的行还大；不然就缩短提示（例如少放几条法条），千万别动回答。

# %% [markdown]
# ## 5. From a law's text to training rows ｜ 从法规文本到训练数据

# %% [markdown] lang="en"
# Now the rows themselves. We have two things: a document of 96 articles in two languages, worded in several ways, and a list of acts, places and offices. First we read the **facts** out of the sentences. A program can misread, so we check it: we read number, fine and points in the English and in the Chinese text apart and see whether they agree; where a table exists (here `code.jsonl`), we compare with that, too.

# %% [markdown] lang="zh" of="b42c14d2"
# 现在来做数据本身。手头有两样东西：一份文档，是 96 条的法规，有中英两个版本，句式有好几种；还有一张词表，列出各种行为、地点和机关。第一步，从句子里读出**事实**。程序可能读错，所以要核对：条号、罚款、记分从中文版和英文版里各读一遍，看结果是否一致；要是另有现成的表格（这里是 `code.jsonl`），再与它比一比。

# %% [markdown] lang="en"
# A few search patterns are enough here because this law was itself written by a program, from a few sentence patterns. Real documents were not; below we look at one. In the code, `read_field` finds the numbers with search patterns, `lay` writes an act at a place in everyday words, as the law has them, and `pairs` lists all combinations.

# %% [markdown] lang="zh" of="511975b4"
# 这里只用几个搜索模式就够，是因为这部法规本身就是程序按固定句式写的。真实的文档不是，下面就来看一份这样的。代码里，`read_field` 用搜索模式读出数字，`lay` 用日常的话写出“某行为、某地点”，与法条里的说法相同，`pairs` 列出所有可能的搭配。

# %%
from helpers.lingxi.words import OFFICES, pairs, possible
from helpers.lingxi.shapes import lay

FACTS = ("article", "fine", "points")


def read_article(texts):
    """Return the facts of one article, with act, place and office, from its texts {"en", "zh"}."""
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
    law[lang] = [part for part in parts if not part.startswith("#")][1:]  # no headings, no foreword
articles = [read_article({"en": en, "zh": zh}) for en, zh in zip(*law.values(), strict=True)]
print(articles[11])
agree, true, code = [], [], world("code")
for read, row in zip(articles, code, strict=True):
    zh = read["zh"]
    agree.append(all(read_field(zh["text"], "zh", name) == read[name] for name in FACTS))
    same = [read[name] == row[name] for name in ("id", "act", "place", *FACTS)]
    true.append(all(same) and zh["office"] == row["zh"]["office"])
say(
    f"articles with the same number, fine and points in both languages: {share(agree)}",
    f"条号、罚款、记分中英一致的法条：{share(agree)}",
)
claim("data_facts_read", share(true))

# %% [markdown] lang="en"
# All 96 articles were read right. (The languages were held against each other for number, fine and points; the office was read in English and checked by the table.)
#
# One article gives many rows: incident → notice, question → answer, dialogues, and refusals, where no article applies. Wordings, plates and witnesses vary (the notes call this **diversity**); the form of the answers never does (**consistency**). One thing no document decides for us: 32 articles are kept for the **test**, and `code.jsonl` says which.

# %% [markdown] lang="zh" of="f343248c"
# 96 条全部读对。（中英对照的是条号、罚款、记分；机关读的是英文，再与表格核对。）
#
# 一条法条能做出多种数据：事件 → 通知书、提问 → 回答、对话，以及拒答（没有法条可用）。句式、车牌、目击者都在变（讲义说的**多样**），答案的格式始终不变（**一致**）。有一件事文档替我们决定不了：哪 32 条法条要留出来、只用于**测试**，这记在 `code.jsonl` 里。

# %% [markdown] lang="en"
# The next cell first prints four kinds of row. `notice` is an incident and its notice, and `question` a question and its answer. `followup` is a question after the notice. In `clarify` the report lacks the plate, and the assistant asks first. The fifth kind, not printed here, is the refusal: no article covers the incident, and the right answer says just that. Then `make_train` makes the whole file again from the same seed, and we compare it with `train.jsonl` line by line.
#
# **Predict first**: will the course's own `train.jsonl` come out again, byte for byte? If so, anybody can check how it was made.

# %% [markdown] lang="zh" of="ef941bc7"
# 下一个单元格先打印四种数据：`notice`，事件和它的通知书；`question`，提问和回答；`followup`，写完通知书再追问；`clarify`，报告里缺车牌，助手先反问。第五种是拒答，这里不打印：没有哪条法条管这件事，正确的回答就是照实说没有。随后 `make_train` 用同一个种子把整个文件重做一遍，与 `train.jsonl` 逐行比较。
#
# **先猜一猜**：随课程附带的 `train.jsonl`，能一个字节不差地再做出来吗？如果能，谁都可以核对它是怎么来的。

# %%
from helpers.data.jsonl import write_jsonl
from helpers.lingxi.sampler import Sampler, stream
from helpers.lingxi.rows import make, make_notice, make_train

known = [read | {"split": row["split"]} for read, row in zip(articles, code, strict=True)]
rng = random.Random(SEED)
for kind in ("notice", "question", "followup", "clarify"):
    english = make(random.Random(SEED), kind, "en", known[11], [], "LX0001")
    for row in (english, make(rng, kind, "zh", known[11], [], "LX0001")):
        print(f"--- {kind}", *(f"{m['role']}: {m['content']}" for m in row["messages"]), sep="\n")
sampler = Sampler(known, possible(), stream(0, "desk"))
made, shipped = root() / "build" / "own" / "train.jsonl", root() / "data" / "lingxi" / "train.jsonl"
write_jsonl(made, make_train(stream(0, "train"), sampler))
both = zip(made.read_bytes().split(b"\n"), shipped.read_bytes().split(b"\n"), strict=True)
claim("data_same_bytes", sum(a != b for a, b in both))

# %% [markdown] lang="en"
# It does: no line differs. These rows follow from the document, the lists, the choice of test articles (in `code.jsonl`) and one seed number, so anybody with the program can make them again.

# %% [markdown] lang="zh" of="4f0ae134"
# 能：没有一行不同。这些数据由文档、词表、留作测试的法条名单（在 `code.jsonl` 里）和一个种子数决定，有这个程序，谁都能重做。

# %% [markdown] lang="en"
# **A text that no program wrote.** Real documents need three steps. *Extract*: a model or a person reads the facts. *Ground*: each fact keeps the words of the text that it came from, to the letter. *Check*: a program looks whether the quotation stands in the text and the value in the quotation; people read a sample. Here is a bulletin, with five facts as a model might extract them. (We wrote them by hand and put mistakes in.)
#
# **Predict first**: which facts are wrong, and which of these does the program find?

# %% [markdown] lang="zh" of="0a196bd9"
# **不按固定句式写的文本**。真实的文档要分三步。*抽取*：由模型或人读出事实。*溯源*：每条事实都附上它所依据的原文，一字不改。*核对*：程序查引文在不在原文里、值在不在引文里，人再抽查一部分。下面是一则通告，和五条像是模型抽取出来的事实。（其实是我们手写的，故意写错了几处。）
#
# **先猜一猜**：哪几条是错的？其中哪些程序查得出来？

# %%
bulletin = {
    "en": "Since the spring festival, whoever leaves a scooter on the ferry ramp pays 150 yuan, half "
    "as much again as before. Riders who are back within ten minutes get away with a warning. The "
    "Harbour Desk, which used to pass such cases on to the Patrol Desk, now writes the notices "
    "itself. No points are taken, except from riders who ignore the warning: they lose two.",
    "zh": "春节过后，电动车停在轮渡坡道上的，罚150元，比原来多了一半；十分钟内回来骑走的，只口头警告。"
    "这类事，港务科原先转给巡查科，如今自己开单。一般不记分，警告了还不听的，记两分。",
}
extracted = {  # fact, value, quotation
    "en": [
        ("fine", "150 yuan", "pays 150 yuan"),
        ("fine before", "75 yuan", "half as much again as before"),
        ("office", "Patrol Desk", "such cases on to the Patrol Desk"),
        ("grace", "fifteen minutes", "back within fifteen minutes"),
        ("points at most", "2", "they lose two"),
    ],
    "zh": [
        ("罚款", "150元", "罚150元"),
        ("原来的罚款", "75元", "比原来多了一半"),
        ("处理机关", "巡查科", "港务科原先转给巡查科"),
        ("宽限", "十五分钟", "十五分钟内回来骑走的"),
        ("最多记分", "2", "记两分"),
    ],
}


# %%
def grounded(value, quotation, text):
    """Say whether a fact's quotation stands in the text, and its value in the quotation."""
    if quotation not in text:
        return "❌ the text has no such words ｜ 原文没有这句话"
    if value not in quotation:
        return "❓ the quotation lacks the value ｜ 引文里没有这个值"
    return "✅ quotation and value found ｜ 引文和值都找到"


print(*bulletin.values(), sep="\n")
table(
    ["fact ｜ 事实", "value ｜ 值", "quotation ｜ 引文", "the program says ｜ 程序的判断"],
    [
        [name, value, quotation, grounded(value, quotation, bulletin[lang])]
        for lang, facts in extracted.items()
        for name, value, quotation in facts
    ],
)

# %% [markdown] lang="en"
# Three of the five are wrong. The program rejects one, the invented quotation (*fifteen minutes*). Two it doubts: the fine before, which is wrong (150 is half as much again as **100**), and the two points, which are right, for the text says *two*. And it passes the wrong office, whose name stands in the text, but for something else. So the program shortens the work of people and does not replace it: they read every ❓ and a sample of the ✅.
#
# Two extractions made apart help, too (by two models, say): people look first where they disagree. Where both make the same mistake, as in both halves of this table, they agree.

# %% [markdown] lang="zh" of="871f1d0a"
# 五条里错了三条。程序否定了一条：编造的引文（*十五分钟*）。存疑的有两条：原来的罚款，确实错了（150 是 **100** 再多一半）；记两分，其实是对的，因为原文写的是*两*。处理机关错了，它却放行：这个名字原文里有，只是说的是另一回事。所以程序能让人少干活，却代替不了人：❓ 要逐条看，✅ 要抽查。
#
# 另做一份抽取也有帮助（例如换一个模型），两份不一致的地方，人最该先看。要是两份错得一样，就像这张表的中英两半，那就看不出来了。

# %% [markdown] lang="en"
# **May you use it?** Each row keeps where it came from (*provenance*): source, date, author or model, licence, and changes. A source passes if all four hold; ask a lawyer where money hangs on it. (MIT and Apache 2.0 allow nearly every use; NC means "not commercial".)
#
# | passes if | where to look |
# |---|---|
# | licence or law allows training and your purpose | the licence's text; no licence, no permission, unless your law has an exception |
# | nobody in it can be recognised, or each agreed to *this* use | the consent form; data protection law |
# | no model wrote it, or its terms allow your use | the model's licence, the service's terms of use |
# | you do not test on it | your own test sets, public benchmarks |

# %% [markdown] lang="zh" of="ff4de8c8"
# **能不能用？** 每一行都要留下来历（*provenance*）：来源、日期、作者或模型、许可、改过什么。下面四条都成立，一个来源才算过关；牵涉到钱的，请问律师。（MIT 和 Apache 2.0 几乎什么用途都允许；NC 指“非商业性使用”。）
#
# | 过关的条件 | 到哪里查 |
# |---|---|
# | 许可或法律允许训练，也允许你的用途 | 许可的原文；没写许可，就是没有许可，除非当地法律另有例外 |
# | 认不出里面的人是谁，或者每个人都同意*这种*用途 | 同意书；个人信息保护法 |
# | 不是模型写的，或者那个模型的条款允许你的用途 | 模型的许可、服务的使用条款 |
# | 你不拿它来测试 | 你自己的测试集、公开的基准 |

# %% [markdown] lang="en"
# **Exercise 4** (easy, 10 minutes). Which of these sources may you train on as they are? Put `True` if all four lines above hold, else `False`.
#
# - **A.** The benchmark that your model will be judged by; MIT.
# - **B.** A law's text, from a state whose copyright law exempts laws (China's does).
# - **C.** A data set under CC BY-NC 4.0. You will sell the model.
# - **D.** Customers' letters. They agreed that you read and answer them.
# - **E.** Answers by an open model (Apache 2.0) that you ran; you checked a sample.
# - **F.** Answers by a chat service. Its terms forbid training competing models; yours competes.
# - **G.** Your office's notices, names and plates replaced; it agreed in writing.
# - **H.** Posts of a public forum, no licence stated.

# %% [markdown] lang="zh" of="eb195c57"
# **练习 4**（容易，10 分钟）。下面这些来源，哪些可以照原样拿来训练？上表的四条都成立的填 `True`，有一条不成立就填 `False`。
#
# - **A.** 将来用来评判你的模型的那套基准；许可是 MIT。
# - **B.** 一部法律的条文，由国家公布；该国著作权法规定法律不受著作权保护（中国就是如此）。
# - **C.** 一个采用 CC BY-NC 4.0 许可的数据集；你打算出售训练好的模型。
# - **D.** 客户来信；他们同意的，是你阅读和回复。
# - **E.** Apache 2.0 许可的开放模型写的回答；模型由你自己运行，回答你也抽查过。
# - **F.** 某个聊天服务写的回答；服务条款禁止用来训练竞争的模型，而你的模型正与它竞争。
# - **G.** 你们单位开出的通知书，姓名和车牌已替换，单位书面同意。
# - **H.** 公开论坛的帖子，没有注明许可。

# %% tags=["exercise"]
usable = {"A": ..., "B": ..., "C": ..., "D": ..., "E": ..., "F": ..., "G": ..., "H": ...}

# %% tags=["check"]
nb03.usable(usable)

# %% [markdown] tags=["solution"]
# <details><summary>Solution ｜ 参考答案</summary>
#
# ```python
# usable = dict.fromkeys("BEG", True) | dict.fromkeys("ACDFH", False)
# ```
#
# - A: the licence allows it, but then the test no longer tells anything. ｜ A：许可没问题，可是这样一来，测试就什么也说明不了。
# - C, F: your purpose is excluded. ｜ C、F：你的用途被排除在外。
# - D: they agreed to something else. ｜ D：客户同意的是另一件事。
# - H: public is not free; without a licence you have no permission. ｜ H：公开不等于可以随便用；没有许可，就是没有获准。
#
# </details>

# %% [markdown]
# ## 6. Cleaning ｜ 清洗

# %% [markdown] lang="en"
# Real data is dirty. `dirty.jsonl` was made dirty on purpose: of its 1,200 rows, 470 have one of seven faults. These are copies, near copies, the wrong language, a broken form, personal data, items of the test, and wrong facts. Every row carries a true label, for **marking** a cleaner only; no cleaning step may look at it. Choose a fault to see what it looks like. The first line of each example gives the row, its language and the finer kind of fault, such as `other_separator` (another sign in place of the colon) or `swapped_lines` (two lines in the wrong order); for a copy it also names the original. The articles of the prompt are left out, and the middle of a dialogue:

# %% [markdown] lang="zh" of="2c122277"
# 真实数据总是脏的。`dirty.jsonl` 是故意弄脏的：1,200 行里有 470 行各带一种毛病，毛病共七种：完全重复、近似重复、语言不对、格式破损、带个人信息、混入测试题、事实错误。每行都有真实标签，所以清洗得好不好可以**打分**。标签只用来打分，清洗步骤不许看。选一种毛病，看看它长什么样。每个例子的第一行是行号、语言和毛病的细类，例如 `other_separator`（冒号换成了别的符号）、`swapped_lines`（两行换了位置）；副本的后面还写着原件的行号。提示里的法条略去不印，多轮对话的中间几条也略去：

# %%
from helpers.lingxi.clean import STEPS, clean

dirty, held_out = world("dirty"), world("eval")
labels = [(row["labels"] or [""])[0] for row in dirty]


def show_fault(label, example):
    """Show a faulty row in each language: the first message, its articles left out, and the last."""
    texts = []
    for lang in ("en", "zh"):
        rows = [row for row, own in zip(dirty, labels, strict=True) if own == label]
        row = select(rows, lang=lang)[example]
        question, answer = row["messages"][0]["content"], row["messages"][-1]["content"]
        note = f"{row['id']} ({row['lang']}): {row['fault']} {row['of'] or ''}"
        texts.append(f"{note}\n\n{question.rpartition(chr(10) * 2)[2]}\n→\n{answer}")
    return "\n\n".join(texts)


widgets.explore(
    show_fault,
    names={"label": "fault ｜ 毛病", "example": "example ｜ 例子"},
    start={"label": "broken_form"},
    label={name: step for step, name in STEPS.items()},
    example=range(20),
)

# %% [markdown] lang="en"
# **Copies to the letter** are easy to find, once the texts are written alike.
#
# **Exercise 5** (easy, 10 minutes). Write `copies(texts)`. It returns a list of bools: `True` for a text that an **earlier** one equals after three changes. Full-width characters become half-width (`unicodedata.normalize("NFKC", text)`), capitals become small (`.casefold()`), and each run of blanks and line breaks becomes one blank, with none at the ends. Change nothing else: a digit or a comma may be what tells two rows apart.

# %% [markdown] lang="zh" of="f52fbbcf"
# **一字不差的副本**好找，只要先把写法统一。
#
# **练习 5**（容易，10 分钟）。写出 `copies(texts)`，返回一个布尔值列表：一段文本若与**前面**的某一段相同，就是 `True`。比较之前先做三件事：全角字符变半角（`unicodedata.normalize("NFKC", text)`），大写变小写（`.casefold()`），连续的空格和换行合成一个空格，首尾不留。此外什么都不许改：两行的区别，可能只在一个数字、一个逗号。


# %% tags=["exercise"]
def copies(texts):
    """Return for each text whether an earlier one is the same."""
    ...


# %% tags=["check"]
nb03.copies(copies)

# %% [markdown] tags=["solution"]
# <details><summary>Solution ｜ 参考答案</summary>
#
# ```python
# import unicodedata
#
#
# def copies(texts):
#     """Return for each text whether an earlier one is the same."""
#     seen, found = set(), []
#     for text in texts:
#         same = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
#         found.append(same in seen)
#         seen.add(same)
#     return found
# ```
#
# </details>

# %% [markdown] lang="en"
# **Near** copies need a measure. From a text we take all pieces of `size` neighbouring characters (*shingles*): with size 3, `abcd` gives `abc` and `bcd`. Let $A$ and $B$ be the *sets* of pieces of two texts; a set holds each piece once. The share of pieces that they have in common is their **Jaccard similarity**:
#
# $$J(A,B)=\frac{|A\cap B|}{|A\cup B|}$$
#
# **Exercise 6** (easy, 5 minutes). Write `alike(a, b, size)`: it returns this share for two texts. (No text is shorter than `size`, so no set is empty.)

# %% [markdown] lang="zh" of="551ef5b0"
# **近似**的副本需要一把尺子。把文本里所有连着的 `size` 个字符各取成一小片（*shingle*）；长度为 3 时，`abcd` 取出 `abc` 和 `bcd`。两段文本的小片*集合*记作 $A$、$B$（相同的只算一次），共有的占多大比例，就叫**杰卡德相似度**（Jaccard）：
#
# $$J(A,B)=\frac{|A\cap B|}{|A\cup B|}$$
#
# **练习 6**（容易，5 分钟）。写出 `alike(a, b, size)`：返回两段文本的这个比例。（文本都不短于 `size`，空集合不用管。）


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
# A million texts make half a trillion pairs, too many to compare. **MinHash** gives each text a short signature, called a *sketch*. Hash every piece of the text, which turns it into a random-looking number, and keep the smallest number. Do this with many hash functions. For ideal hash functions, the chance that two texts have the same smallest number is their $J$. Our search takes 128 functions and cuts each sketch into 16 *bands* of 8 numbers. It compares two texts only if all numbers of some band agree; the chance of that is $1-(1-J^8)^{16}$. Of such a pair it counts the true $J$ and holds that against the threshold, not the estimate. The library `rensa` does the first part in Rust.

# %% [markdown] lang="zh" of="bf6a845a"
# 一百万段文本有五千亿对，量不过来。**MinHash** 给每段文本做一个简短的“签名”（*sketch*）：把小片全部哈希（各变成一个看似随机的数），只留最小的；换许多个哈希函数各做一遍。哈希函数如果是理想的，两段文本最小值相同的概率就等于它们的 $J$。我们的查找用 128 个函数，把签名切成 16 *段*，每段 8 个数。两段文本要有一段的数全部相同，才拿来比较，这个概率是 $1-(1-J^8)^{16}$。比较时数出真正的 $J$，拿它（不是估计值）去跟阈值比。前一半由 `rensa` 库用 Rust 来做。

# %% [markdown] lang="en"
# The next two cells compare one near copy with four rows: its original, two other rows on the same article, and one that has nothing to do with it. `crc32` turns a piece into a number $h$; the remainder of $(a h + b)$ divided by a large prime is one hash function, and another random pair $a$, $b$ gives another. `lines` holds 128 pairs.
#
# **Predict first**: how near does an estimate from 128 functions come? (Its standard error, $\sqrt{J(1-J)/128}$, is at most 0.044.)

# %% [markdown] lang="zh" of="558853fc"
# 下面两个单元格拿一个近似副本与四行相比：它的原件、讲同一条法条的另外两行、不相干的一行。代码用 `crc32` 把小片变成数 $h$；$(a h + b)$ 除以一个大质数取余数，就是一个哈希函数，换一对随机的 $a$、$b$ 就换一个。`lines` 里有 128 对。
#
# **先猜一猜**：用 128 个函数，估得有多准？（标准误差是 $\sqrt{J(1-J)/128}$，最多 0.044。）

# %%
from zlib import crc32

from helpers.data.dedup import jaccard, near_duplicates, shingles


def sketch(pieces, functions):
    """Return the smallest hash of some pieces under each function, (a h + b) mod a prime."""
    hashes, prime = [crc32(piece.encode()) for piece in pieces], 2**61 - 1
    return [min((a * h + b) % prime for h in hashes) for a, b in functions]


# %%
draw = random.Random(SEED)
lines = [(draw.randrange(1, 2**61), draw.randrange(2**61)) for _ in range(128)]
pieces_of = {
    row["id"]: shingles("\n".join(m["content"] for m in row["messages"]), 3) for row in dirty
}
copy = next(row for row in dirty if row["labels"] == ["near_duplicate"])
kin = select(dirty, article=copy["article"], lang=copy["lang"], labels=[])
kin = [row["id"] for row in kin if row["id"] != copy["of"]][:2]  # other clean rows on its article
beside = [
    ("its original ｜ 它的原件", copy["of"]),
    *(("a row on the same article ｜ 同一法条的行", name) for name in kin),
    ("an unrelated row ｜ 不相干的行", dirty[0]["id"]),
]
compared = []
for what, other in beside:
    a, b = (sketch(pieces_of[name], lines) for name in (copy["id"], other))
    estimate = sum(x == y for x, y in zip(a, b, strict=True)) / 128
    measured = jaccard(pieces_of[copy["id"]], pieces_of[other])
    compared.append([what, other, f"{measured:.2f}", f"{estimate:.2f}"])
table(
    [
        f"{copy['id']} beside ｜ 与 {copy['id']} 相比的",
        "row ｜ 行",
        "J, counted ｜ J，实际值",
        "J, estimated ｜ J，估计值",
    ],
    compared,
)

# %% [markdown] lang="en"
# Compare the last two columns: in our run these four were off by 0.01 at most. By the formula, an estimate is rarely further off than two standard errors: 0.09 at $J = 0.5$, 0.04 at $J = 0.95$.
#
# The pieces of Chinese and of English differ in length here (`SIZES`), since one Chinese character says more than one letter.

# %% [markdown] lang="zh" of="d9b95471"
# 对照后两列：在我们的运行里，这四对最多差 0.01。按公式，估计值很少差过两个标准误差：$J = 0.5$ 时是 0.09，$J = 0.95$ 时是 0.04。
#
# 小片的长度，中英文在这里不一样（`SIZES`），因为一个汉字承载的内容比一个字母多。

# %% [markdown] lang="en"
# The cleaner (`helpers/lingxi/clean.py`) has one step for each fault. Each step sees only what the steps before it left:
#
# - **Copies** equal an earlier row to the letter; **near copies** have $J \ge 0.7$ with one.
# - **Language** compares how many Chinese characters and how many English words an answer has.
# - **Form**: the title and the labels of a notice must be right to the letter.
# - **Personal data** is found by search patterns for phone numbers, ID numbers and e-mail addresses.
# - **Test items** are near copies of a row in the test file.
# - **Facts** are compared with `code.jsonl`: term, fine and points. Real projects seldom have such a table.

# %% [markdown] lang="zh" of="74d8d2ad"
# 清洗程序（`helpers/lingxi/clean.py`）一步管一种毛病，每一步只看前面几步留下来的行：
#
# - **重复**：完全重复是与前面某一行一字不差；**近似重复**是与前面某一行的 $J \ge 0.7$。
# - **语言**：比较回答里汉字和英文单词的多少。
# - **格式**：通知书的标题和栏目名必须一字不差。
# - **个人信息**：用搜索模式找电话号码、证件号码和电子邮箱。
# - **测试题**：与测试文件里某一行近似重复。
# - **事实**：术语、罚款、记分与 `code.jsonl` 对照。真实的项目很少有这样一张表。

# %% [markdown] lang="en"
# Each step gets two marks. **Precision**: of the rows that it removed, how many deserved it? **Recall**: of the rows that deserved it, how many did it remove?
#
# **Exercise 7** (easy, 5 minutes). Write `precision_recall(found, true)` for two lists of bools, one entry a row: `found` says that the row was removed, `true` that it deserved it. Return `(precision, recall)`, two numbers from 0 to 1; each list holds at least one `True`.
#
# **Predict first**: which of the seven steps will be the weakest?

# %% [markdown] lang="zh" of="3e63dc6e"
# 每一步打两个分。**精确率**：去掉的行里，多少是该去的？**召回率**：该去的行里，多少被去掉了？
#
# **练习 7**（容易，5 分钟）。写出 `precision_recall(found, true)`，参数是两个布尔值列表，每行一个值：`found` 里的真值表示这一行被去掉了，`true` 里的真值表示这一行该去。返回 `(precision, recall)`，也就是精确率和召回率，两个 0 到 1 之间的数；两个列表里都至少有一个 `True`。
#
# **先猜一猜**：七步里哪一步最弱？


# %% tags=["exercise"]
def precision_recall(found, true):
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
removed = Counter(cleaned["fault"])
say(f"rows kept: {removed['']} of {len(dirty):,}", f"{len(dirty):,} 行里留下 {removed['']} 行")
marks = {}
for step in STEPS:
    flagged, true = ([x == step for x in column] for column in (cleaned["fault"], labels))
    both = [f and t for f, t in zip(flagged, true, strict=True)]
    marks[step] = (sum(both) / max(1, sum(flagged)), sum(both) / sum(true))
claim("data_clean_precision", 100 * min(precision for precision, _ in marks.values()))
claim("data_clean_recall", 100 * min(recall for _, recall in marks.values()))
table(
    ["step ｜ 步骤", "rows removed ｜ 去掉的行", "precision ｜ 精确率", "recall ｜ 召回率"],
    [
        [STEPS[step], removed[step], *(f"{100 * mark:.0f} %" for mark in both)]
        for step, both in marks.items()
    ],
)

# %% [markdown] lang="en"
# The search for near copies is the weakest, and even there only one of the 91 rows that it removed had been good. Do not expect such marks elsewhere. A program put these faults in, and our rules know its habits; real phone numbers and real copies vary far more. For your own data, label a hundred rows by hand and mark your cleaner in the same way.

# %% [markdown] lang="zh" of="dfc1f966"
# 最弱的是找近似重复的那一步，就是它，去掉的 91 行里也只有一行是好的。换个地方别指望有这样的分数：这些毛病是程序放进去的，我们的规则正好摸透了它的套路；真实的电话号码和副本，花样多得多。轮到你自己的数据，请手工标一百行，用同样的办法打分。

# %% [markdown] lang="en"
# Does this work with many more rows? The time stays short: it grows about as the number of rows does, not as the number of pairs, since a row is compared only with rows that share a band. But this cleaner throws most rows away (758,146 of a million), and no later row is compared with those; a cleaner that keeps more may be slower. Memory grows as well. (`tools/measure/bench.py --clean` recorded the runs.) The course's program made these rows, about the 64 articles for training (the 96 less the 32 for the test). About 2 % are copies of others; no other fault was put in. In the figure both axes go in powers of ten:

# %% [markdown] lang="zh" of="0bd7c34d"
# 行数多了还撑得住吗？用时仍然不长：每一行只跟签名有一段相同的行比，所以用时大致与行数成正比，而不是与配对的数目成正比。不过，这个清洗程序去掉了大半的行（一百万行里去掉 758,146 行），后面的行不再与它们比较；留下的行多，也许就慢些。内存也跟着涨。（运行记录来自 `tools/measure/bench.py --clean`。）这些行由课程的程序生成，讲的都是训练用的 64 条法条（96 条去掉留给测试的 32 条）。其中约 2 % 是别的行的副本，没有放别的毛病。图里两根轴都按十倍分格：

# %%
bench = json.loads((root() / "data" / "sweeps" / "cleaning.json").read_text("utf-8"))["runs"]
hundred = next(run for run in bench if run["rows"] == 100_000)
claim("data_clean_minutes", hundred["seconds"] / 60)
claim("data_clean_memory", hundred["peak_gb"])
out, copies = f"{hundred['faults']:,}", f"{hundred['copies']:,}"
say(
    f"the seven steps remove {out} of 100,000 rows; copies put in: {copies}",
    f"七步从十万行里去掉 {out} 行；放进去的副本 {copies} 行",
)
drawing, axes = style.figure(columns=2, width=9, height=3.6)
grows = {
    "seconds": ("Cleaning time ｜ 清洗用时", "seconds ｜ 秒"),
    "peak_gb": ("Most memory in use ｜ 内存峰值", "GB"),
}
for ax, (name, (title, unit)) in zip(axes, grows.items(), strict=True):
    points = [run["rows"] for run in bench], [run[name] for run in bench]
    plots.curves({title: points}, title, "rows ｜ 行数", unit, logx=True, ax=ax)
    ax.get_legend().remove()
    ax.set_yscale("log")
told = {name: " / ".join(f"{run[name]:,}" for run in bench) for name in ("rows", *grows)}
style.describe(
    drawing,
    f"Two panels with a line each over {told['rows']} rows, both axes in powers of ten: cleaning takes "
    f"{told['seconds']} seconds and at most {told['peak_gb']} GB of memory. ｜ 左右两格，各一条线，"
    f"两轴都按十倍分格：{told['rows']} 行，清洗依次用 {told['seconds']} 秒，"
    f"内存峰值依次为 {told['peak_gb']} GB。",
)

# %% [markdown] lang="en"
# Precision does not hold up. These rows come from another program than `dirty.jsonl`, with far fewer copies, so compare the benchmark only with itself. Of 1,000 rows 49 go, and even if all 21 copies put in are among them, precision is 43 % at most. Of 100,000 rows 48,144 go, nearly half, with 1,996 copies put in: about 4 % at most. Of a million it is about 3 % at most. (All seven steps are counted.)

# %% [markdown] lang="zh" of="133c52a4"
# 精确率却撑不住。这些行和 `dirty.jsonl` 不是同一个程序做的，副本少得多，所以这组记录只能自己跟自己比。1,000 行去掉 49 行，就算放进去的 21 份副本全在其中，精确率至多 43 %；十万行去掉 48,144 行，将近一半，放进去的副本是 1,996 份，精确率至多约 4 %；一百万行至多约 3 %。（七个步骤合计。）

# %% [markdown] lang="en"
# All these rows are about 64 articles in a few sentence shapes, so honest rows may soon look alike. Is that the reason? The next test uses honest notices alone, with no copies put in, so each row that goes is a mistake. Either the articles grow in number while the rows stay 400, or the rows grow on 64 articles. (These are drawn from all 96.)
#
# **Predict first**: of 400 honest notices on four articles, how many are taken for copies at 0.7?

# %% [markdown] lang="zh" of="4024487b"
# 这些行讲的都是那 64 条法条，句式也就几种，正常的行也许很快就彼此重样。是这个原因吗？下面的检验只用正常的通知书，一份副本也不放，去掉一行就是错一行。先让行数固定在 400，增加法条；再取 64 条法条，增加行数。（法条从全部 96 条里抽。）
#
# **先猜一猜**：关于四条法条的 400 份正常通知书，阈值 0.7，有多少会被当成副本？

# %%
from helpers.data.dedup import SIZES


def honest(articles, rows):
    """Return the texts of notices on some articles, each with its own plate, and their piece sizes."""
    draw = random.Random(SEED)
    some = draw.sample(code, articles)
    made = [
        make_notice(draw, ("en", "zh")[n % 2], some[n // 2 % articles], [], f"LX{1000 + n}")
        for n in range(rows)
    ]
    texts = ["\n".join(m["content"] for m in row["messages"]) for row in made]
    return texts, [SIZES[row["lang"]] for row in made]


# %%
thresholds = (0.6, 0.7, 0.8, 0.9)
wrongly = {
    case: [
        sum(of is not None for of in near_duplicates(*honest(*case), alike=limit)) / case[1]
        for limit in thresholds
    ]
    for case in ((4, 400), (16, 400), (64, 400), (64, 100), (64, 1600))
}
claim("data_variety", 100 * (wrongly[4, 400][1] - wrongly[64, 400][1]))
told = {case: " / ".join(f"{100 * x:.0f}" for x in taken) for case, taken in wrongly.items()}
drawing = plots.grid(
    list(wrongly.values()),
    [
        f"{articles} articles, {rows:,} rows ｜ {articles} 条法条，{rows:,} 行"
        for articles, rows in wrongly
    ],
    [f"J ≥ {limit}" for limit in thresholds],
    "Honest rows taken for copies (%) ｜ 被当成副本的正常行（%）",
    alt="A table of shades: honest rows taken for copies (%) at thresholds of 0.6 / 0.7 / 0.8 / 0.9. "
    + "; ".join(f"{n} articles, {rows:,} rows: {x}" for (n, rows), x in told.items())
    + ". ｜ 深浅表格：被当成副本的正常行（%），阈值依次为 0.6 / 0.7 / 0.8 / 0.9。"
    + "；".join(f"{n} 条法条，{rows:,} 行：{x}" for (n, rows), x in told.items())
    + "。",
)
drawing.axes[0].set_xlabel("similarity threshold ｜ 相似度阈值")
drawing

# %% [markdown] lang="en"
# With four articles, about half of the honest rows are taken for copies at 0.7; with 64 it is about 6 % of 400. But the first have 100 rows on each article, the second about 6. With 25 rows on each, 16 articles (400 rows) and 64 (1,600) come close: about 24 and 18 %. So **how many honest rows a threshold takes depends above all on how many rows there are on each article**. A threshold of 0.9 takes next to none here, but section 9 shows what it misses. (The percentages are those of this search: at 0.6 and 0.7 it compares only some of the pairs.)
#
# So likeness among honest rows probably explains the 48,144, but this is not shown: these files are smaller, and hold notices alone, without articles. (The 100 rows reach only 50 articles.)

# %% [markdown] lang="zh" of="46aacd14"
# 只有四条法条时，阈值取 0.7，正常的行约有一半被误当成副本；换成 64 条法条，400 行里约 6 %。可是前者每条法条有 100 行，后者只有约 6 行。每条都是 25 行时，16 条法条（400 行）和 64 条（1,600 行）相差不大：约 24 % 和 18 %。可见**一个阈值误伤多少正常的行，首先取决于每条法条有多少行**。阈值 0.9 在这里几乎一行也不误伤，但它会漏掉什么，第 9 节会看到。（这些百分比属于这种找法：在 0.6 和 0.7，它只比较一部分配对。）
#
# 所以，那 48,144 行很可能是正常的行彼此相像造成的，但也只是很可能：这里的文件小得多，只有通知书，提示里也没有法条。（100 行的那份，64 条里只用到 50 条。）

# %% [markdown] lang="en"
# So measure at the size that you will use: clean the whole file, and let people read a hundred of the rows that went, each beside the row that it was taken for a copy of. A hundred rows cleaned by themselves show nothing.

# %% [markdown] lang="zh" of="11e54f9d"
# 所以要在实际要用的规模上测：把整份文件清洗一遍，从去掉的行里抽一百行，和被认作原件的那一行并排放着，让人来读。单拿一百行来清洗，什么也看不出来。

# %% [markdown]
# ## 7. Two experiments: quality, and the split ｜ 两个实验：质量与划分

# %% [markdown] lang="en"
# **Is it quality or quantity that counts?** Four ways to show 1,000 rows:
#
# 1. 1,000 dirty rows, once: all 470 faulty ones and 530 clean ones
# 2. what our seven steps keep of these, repeated up to 1,000
# 3. 200 of the dirty rows, five times
# 4. 200 clean rows, five times
#
# The notes would compare ways 1 and 4. But way 4 differs in two things: its rows are clean, and each is seen five times. Ways 2 and 3 are **controls**, though not pure ones. Way 2 has clean rows only, but about 530 of them, so each is seen almost twice. Way 3 is seen five times, with the dirt in it. (In way 1, too, 180 rows are copies.) Prompts hold no articles, to save time.

# %% [markdown] lang="zh" of="616ce17c"
# **重要的是质量，还是数量？** 同样是看 1,000 行，有四种安排：
#
# 1. 1,000 行脏数据，看一遍：470 行有毛病的全在内，另加 530 行干净的
# 2. 这一千行经七步清洗后剩下的，反复看满一千次
# 3. 从脏的里面抽 200 行，看五遍
# 4. 200 行干净的，看五遍
#
# 照讲义的意思，只要比第 1 种和第 4 种。可是第 4 种有两处不同：数据干净，而且每行看五遍。第 2、第 3 种是**对照**，只是不纯：第 2 种全是干净的，但只剩约 530 行，每行要看将近两遍；第 3 种看五遍，脏数据还在里面。（第 1 种里也有 180 行是副本。）提示里不放法条，好省些时间。

# %% [markdown] lang="en"
# The models trained in these ways all sit the same test: 100 incidents on articles not trained on, with no article in the prompt; test items that leaked into the dirty rows are left out of it. The facts cannot be known, so three scores are left: `form`, title and labels right to the letter; `plate`, the plate copied right; `term`, the official term right in the line "Offence". Each way is trained with three seeds, and the scores are averaged.
#
# The score `form` is narrow: of the 470 faulty rows only 132 have an answer in the wrong form or language. The other faults can change it only indirectly, by the mix of rows, whatever they harm elsewhere. This was not measured fault by fault.

# %% [markdown] lang="zh" of="5a7c093f"
# 每种安排练出的模型都做同一份测试：100 起事件，讲的是没练过的法条，提示里也没有法条；混进脏数据里的测试题已从中剔除。事实无从知道，所以只看三样：`form`，标题和栏目名一字不差；`plate`，车牌抄对；`term`，“违法行为”一栏用对了正式术语。每种安排用三个种子各练一次，再取平均。
#
# `form` 这个分数量得很窄：470 行有毛病的数据里，回答的格式或语言不对的只有 132 行；其余的毛病，不管在别处有多大害处，只能通过各种数据的比例间接影响它。逐种毛病的影响，这里没有测。

# %% [markdown] lang="en"
# *Repetition* here always means fewer different rows, seen more often. The ways differ in two more things, and this experiment cannot tell these apart. Of the dirty thousand about 63 % are notices, of the clean rows about 51 %, and the test asks for notices alone. Refusals are about 11 % and 15 %.
#
# A warning for the table below (pp: percentage points): its intervals hold only the draw of incidents, so an interval without 0 is no proof here.
#
# **Predict first**: which way brings the most notices in exact form? (`form` also accepts a refusal in exact form.)

# %% [markdown] lang="zh" of="f188d5a7"
# 这里说的*重复*，都是指不同的行少了，每行看的遍数多了。四种安排还有两处不同，这个实验分不开它们：一千行脏数据里，通知书约占 63 %，干净的行里约占 51 %，而测试只考通知书；拒答分别约占 11 % 和 15 %。
#
# 看下面的表格要当心：区间只算了抽到哪些事件的偶然，区间不含 0，在这里也不算证明。
#
# **先猜一猜**：格式一字不差的通知书，哪一种最多？（写成“此处无规定”的通知书，只要格式对，`form` 也算对。）


# %%
def trained(rows, num_epochs, seed):
    """Train all weights of a fresh model on rows."""
    set_seed(seed)
    model, tokens = load(setup, dtype="float32")
    epochs = num_epochs if size.most_epochs is None else min(num_epochs, size.most_epochs)
    where = {"seed": seed, "device": setup.device, "batch_size": size.batch}
    fit(model, tokens, rows, lr=size.lr, num_epochs=epochs, **where)
    return model, tokens


def scored(model, tokens, rows):
    """Let a model answer rows, and score its notices: name of a score -> one bool a row."""
    prompts = [row["messages"][:-1] for row in rows]
    options = {"max_new_tokens": 96, "batch_size": size.answer_batch}
    return score_notices(generate(model, tokens, prompts, **options), rows)


# %%
def arms(seed):
    """Return for each of the four ways its rows, and how often to go through them."""
    draw = random.Random(seed)
    ours = [row for row in dirty if row["lang"] in setup.langs]
    faulty = [row for row in ours if row["labels"]][: round(0.47 * size.shown)]
    good = [row for row in ours if not row["labels"]]
    draw.shuffle(good)
    many, few = [*faulty, *good[: size.shown - len(faulty)]], size.shown // 5
    kept = set(cleaned.filter(lambda row: not row["fault"])["id"])
    passed = [row for row in many if row["id"] in kept]
    return {
        f"{size.shown:,} dirty, once ｜ {size.shown:,} 行脏数据，一遍": (many, 1),
        "these, cleaned, repeated ｜ 这些行，清洗后反复看": (passed, size.shown / len(passed)),
        f"{few} dirty, 5 times ｜ {few} 行脏数据，五遍": (draw.sample(many, few), 5),
        f"{few} clean, 5 times ｜ {few} 行干净数据，五遍": (good[:few], 5),
    }


# %%
leaked = {row["of"][:9] for row in dirty if row["labels"] == ["leaked_test_item"]}
test = select(world("eval", setup.langs), task="notice", split="unseen", context=False)
test = [row for row in test if row["id"][:9] not in leaked][: size.test]
results = {}
for seed in range(SEED * size.seeds, (SEED + 1) * size.seeds):  # no two values of SEED share a draw
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


# %%
bars = {
    names[key]: {name: mean_interval(pooled[name][key], unit="share") for name in pooled}
    for key in names
}
form = bars["form ｜ 格式"]
plots.bars(
    bars,
    f"Notices right, {size.shown:,} rows shown in four ways ｜ 通知书的正确率：同样看 {size.shown:,} 行，四种安排",
    "% of notices, 95 % interval ｜ 占通知书的 %，95 % 区间",
    alt="Bars for the four ways, notices with form, plate and term right (%). "
    + "; ".join(
        name.split(" ｜ ")[0]
        + ": "
        + ", ".join(f"{100 * bars[key][name].value:.0f}" for key in bars)
        for name in pooled
    )
    + " ｜ 四种安排的柱形：格式、车牌、术语正确的通知书（%）。"
    + "；".join(
        name.split(" ｜ ")[1]
        + "："
        + "、".join(f"{100 * bars[key][name].value:.0f}" for key in bars)
        for name in pooled
    ),
)

# %%
most = max(form, key=lambda name: form[name].value)
say(
    f"most notices in exact form: {most.split(' ｜ ')[0]}",
    f"格式全对的通知书最多：{most.split(' ｜ ')[1]}",
)
dirty_once, cleaned_once, dirty_often, clean_often = (pooled[name]["form"] for name in pooled)
claims.table(
    {
        "data_quality": bootstrap_difference(dirty_once, clean_often),
        "data_cleaned": bootstrap_difference(dirty_once, cleaned_once),
        "data_repeated": bootstrap_difference(dirty_once, dirty_often),
        "data_repeated_clean": bootstrap_difference(cleaned_once, clean_often),
        "data_dirt": bootstrap_difference(dirty_often, clean_often),
    }
)

# %% [markdown] lang="en"
# The line above the table says which way led. In our run it was the cleaned thousand: about nine notices in ten in form, against 80 to 85 % in the other ways. Another machine may give another order. `plate` is near 100 % and `term` near 0 in all four, so only `form` can tell them apart. (The words of a term stand in other rows, but the model seldom joins them rightly.)
#
# In the table, each line is one way minus another; a positive number speaks for the first. The column "claim" holds statements to be tested, not results. The first line is the notes' comparison; the others are controls: one for cleaning, two for repetition, and one for clean against dirty rows, both seen five times.

# %% [markdown] lang="zh" of="91fb6b7d"
# 表格上面那一行，说的是这次哪种安排领先。在我们的运行里，是清洗后的一千行：十份通知书里约有九份格式正确，另外三种安排是 80 % 到 85 %。换一台机器，次序也许不同。四种安排里，`plate` 都接近 100 %，`term` 都接近 0，所以只有 `form` 能分出高下。（术语里的词，别的行里都有，只是模型很少能拼对。）
#
# 表里每一行都是一种安排减去另一种，正数表示前一种好。“论断”那一栏写的是有待检验的说法，不是结果。第一行就是讲义的比法，其余是对照：一行是清洗的作用，两行是重复的作用，一行是同样看五遍时干净与脏的差别。

# %% [markdown] lang="en"
# How firm is each line? The intervals count one kind of chance only: which incidents the test happened to draw. They leave out another. Each seed draws clean rows of its own (the 470 faulty ones are always the same) and trains in another order. So the next table lists the three seeds apart.

# %% [markdown] lang="zh" of="4bd1c2bf"
# 每一行有多牢靠？表里的区间只算了一种偶然：测试抽到了哪些事件。另一种偶然没算进去：每个种子抽的干净行不同（有毛病的 470 行总是那些），训练的先后也不同。所以下面把三个种子分开列。


# %%
def gain(better, worse):
    """Return how many more notices in form one way has than another, in points, for each draw."""
    ways = [
        [100 * sum(run["form"]) / len(test) for run in results[name]] for name in (better, worse)
    ]
    return [a - b for a, b in zip(*ways, strict=True)]


dirty_one, cleaned_one, dirty_five, clean_five = results
firm = {
    "clean, five times − dirty, once ｜ 干净五遍 − 脏一遍": gain(clean_five, dirty_one),
    "cleaned, almost twice − dirty, once ｜ 清洗后将近两遍 − 脏一遍": gain(cleaned_one, dirty_one),
    "dirty, five times − dirty, once ｜ 脏五遍 − 脏一遍": gain(dirty_five, dirty_one),
    "clean − dirty, both five times ｜ 干净 − 脏，都是五遍": gain(clean_five, dirty_five),
    "clean, five times − cleaned, almost twice ｜ 干净五遍 − 清洗后将近两遍": gain(
        clean_five, cleaned_one
    ),
}
draws = range(1, len(results[dirty_one]) + 1)
table(
    [
        "difference in form, percentage points ｜ 格式正确率之差，百分点",
        *(f"draw {n} ｜ 第 {n} 次抽样" for n in draws),
    ],
    [[name, *(f"{round(x) + 0:+d}" for x in values)] for name, values in firm.items()],
)

# %% [markdown] lang="en"
# These are the five differences of the first table; only the last two have changed places. Line 1 is the notes' comparison: the rows become clean *and* are seen four times more. It is the sum of two steps, in either order. *First clean, then repeat*: line 1 = line 2 + line 5. *First repeat, then clean*: line 1 = line 3 + line 4 (rounding may make a difference of 1).
#
# Distrust a line whose sign changes from draw to draw; in our run all five do. So even a line whose interval leaves out 0 is "not shown". One whose sign stays is not shown by that: with no effect at all, three signs agree one time in four, and here are five lines.

# %% [markdown] lang="zh" of="8ce51798"
# 这就是前一张表里的五个差，只是最后两行换了位置。第 1 行就是讲义的比法：数据变干净了，又多看了四遍。它等于两步之和，有两种走法。*先清洗，后重复*：第 1 行 = 第 2 行 + 第 5 行。*先重复，后清洗*：第 1 行 = 第 3 行 + 第 4 行（四舍五入可能差 1）。
#
# 正负号变来变去的那一行，不要信；在我们的运行里，五行都是这样。所以哪怕区间不含 0，结论也是“未能证明”。正负号一样，也还不算证明：就算毫无作用，三次同号也有四分之一的机会，何况这里有五行。

# %% [markdown] lang="en"
# There is a stronger warning. An earlier version of this data set had the same questions. Only the answers of 137 refusals were worded otherwise, and with them the form that counts as right for a refusal. With `SEED = 0`, the same three draws and the same test incidents, the 200 clean rows then led the 1,000 dirty ones by 20 points; in our present run they are slightly behind. (Five values of `SEED`, with overlapping draws, then gave leads of 7 to 20 points. With the present data, four other values give leads of 20, 23, 6 and 10, so the clean rows led in four runs of five.) A result that goes so easily carries no verdict: *quality above quantity* is **not shown** here, and neither is its opposite.

# %% [markdown] lang="zh" of="b9010177"
# 还有一个更要紧的提醒。这份数据的上一个版本，问题完全一样，只有 137 行拒答的写法不同，拒答怎样才算格式正确也随之不同。同样是 `SEED = 0`，同样的三次抽样，同样的测试事件，那时 200 行干净数据领先 1,000 行脏数据 20 个百分点；到了我们现在这次运行，反而略微落后。（当时换五个 `SEED`，抽样有重叠，领先 7 到 20 个百分点。用现在的数据，另外四个值领先 20、23、6 和 10 个百分点，也就是五次里有四次是干净数据领先。）这么容易消失的结果，支撑不了结论：*质量重于数量*在这里**未能证明**，反过来的说法同样没有。

# %% [markdown] lang="en"
# Clean your data in any case. Personal data must not be trained on. A test item that leaked no longer tests anything, and a score that counts it may be too high.

# %% [markdown] lang="zh" of="78794e17"
# 数据无论如何都要清洗：带个人信息的数据不该拿来训练；泄漏的测试题什么也测不出来，算上它的分数可能偏高。

# %% [markdown] lang="en"
# **Splitting.** Where does the test come from? Often it comes from the same pile: people shuffle the rows and keep a tenth. But rows about one article are close relatives. We train on 12 articles with 8 notices each, and test twice: on **new rows of the same articles** (split by row), and on **rows of other articles** (split by article).
#
# **Predict first**: with no article in the prompt, how far apart will the two scores of `facts` be (article, fine, points and office all right)?

# %% [markdown] lang="zh" of="c42aca9a"
# **划分**。测试集从哪里来？常见的做法是从同一堆里打乱后留十分之一。可是讲同一条法条的行，彼此是近亲。我们拿 12 条法条、每条 8 份通知书来训练，再测两次：**同样法条的新行**（按行划分），**别的法条的行**（按法条划分）。
#
# **先猜一猜**：提示里不给法条，两次的 `facts`（条号、罚款、记分、机关全对）会差多少？

# %%
draw = random.Random(SEED)
picked = draw.sample(code, 2 * size.articles)
practised, others = picked[: size.articles], picked[size.articles :]


def notices(some, each, first):
    """Return notices on articles, each with a plate of its own."""
    cases = [article for article in some for _ in range(each)]
    return [
        make_notice(draw, setup.langs[n % len(setup.langs)], article, [], f"LX{first + n}")
        for n, article in enumerate(cases)
    ]


learner = trained(notices(practised, size.each, 1000), size.split_epochs, SEED)
by_row, by_article = (
    notices(practised, size.asked_each, 3000),
    notices(others, size.asked_each, 5000),
)
split = {
    "by row (practised articles) ｜ 按行划分（练过的法条）": scored(*learner, by_row),
    "by article (other articles) ｜ 按法条划分（别的法条）": scored(*learner, by_article),
}

# %%
names |= {"facts": "facts ｜ 法条四项"}
for way, marks in zip(("row", "article"), split.values(), strict=True):
    claim(f"data_split_by_{way}", share(marks["facts"]))
plots.bars(
    {names[key]: {name: share(marks[key]) for name, marks in split.items()} for key in names},
    "Notices right, one model under two tests ｜ 通知书的正确率：同一个模型，两种测试",
    "% of notices, 95 % interval ｜ 占通知书的 %，95 % 区间",
    alt="Bars for one model under two tests, notices right (%) in form, plate, term and facts. "
    + "; ".join(
        f"{name.split(' ｜ ')[0]}: "
        + ", ".join(f"{100 * share(marks[key]).value:.0f}" for key in names)
        for name, marks in split.items()
    )
    + " ｜ 同一个模型在两种测试里的柱形：格式、车牌、术语、法条四项正确的通知书（%）。"
    + "；".join(
        f"{name.split(' ｜ ')[1]}："
        + "、".join(f"{100 * share(marks[key]).value:.0f}" for key in names)
        for name, marks in split.items()
    ),
)

# %% [markdown] lang="en"
# Split by row, the model seems to know the law: in the run printed here, 82 % of the notices have all four facts right. (Five values of `SEED` gave 40 to 97 %. `SEED` changes the articles, the notices and their order; which of these matters was not tested. The interval does not hold this: it counts 60 notices as independent, but they are five on each of twelve articles.) Split by article, it is 0 of 60: what the model knows of the law, it knows of the twelve articles alone. In this one run the form was lower, too. Neither test is wrong, but they answer different questions, so **split by what will be new at work**: the article, the customer, the document or the date.

# %% [markdown] lang="zh" of="01c53cc2"
# 按行划分，模型好像懂法：在这里打印的运行中，82 % 的通知书法条四项全对（换五个 `SEED`，从 40 到 97 % 不等；`SEED` 一变，法条、通知书和先后次序都变，哪一样要紧，没有测。区间里没有算这一层：它把 60 份当作彼此无关，其实是 12 条法条各 5 份）。按法条划分，60 份里一份也没有：法条它就算会，也只限于那十二条。在这一次运行里，格式也低了一截。两种测试都没有错，只是问的问题不同，所以**上线后什么是新的，就按什么来划分**：法条、客户、文档或日期。

# %% [markdown] lang="en"
# **Exercise 8** (medium, 5 minutes). Write `split_by_article(rows, held)`: it returns the training rows and the test rows. `held` is a set of article ids. `row["article"]` is the id of the article that a row is about (`None` in a refusal); rows about a held article are the test. `row["context"]` lists the ids of the articles that the prompt **shows**. No training row may show a held article: leave such rows out.

# %% [markdown] lang="zh" of="5d9fc78b"
# **练习 8**（中等，5 分钟）。写出 `split_by_article(rows, held)`：返回训练行和测试行，`held` 是留出的法条 id 集合。`row["article"]` 是这一行所讲法条的 id（拒答行是 `None`）：讲留出法条的行归测试。`row["context"]` 列出提示里**出现**的法条 id：训练行里不许出现留出的法条，这样的行去掉不用。


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
# Set `DATA` at the top to the path of your file. It may be JSON or JSONL in any shape, CSV, Excel, Parquet or Arrow, zipped or not, with rows in any format of section 2. Every row is checked. Good rows are saved as messages under `build/own`; each bad row is named with its number, the reason and the mend. A JSONL file is read line by line, so a large one needs little memory. Notebook 04 takes the same path in its own `DATA`; in a terminal, `python tools/check_data.py FILE` prints the same report. Without a path, the cell checks an example with the usual faults of form:

# %% [markdown] lang="zh" of="8bef7dcf"
# 把顶部的 `DATA` 设为你的文件路径，各种写法的 JSON 或 JSONL、CSV、Excel、Parquet、Arrow 都行，压缩过的也行；行的格式，第 2 节的几种都认。每一行都会检查：好的以 messages 格式存到 `build/own`，坏的逐一写明行号、原因和改法。JSONL 文件是逐行读的，再大也占不了多少内存。notebook 04 的 `DATA` 接受同样的路径；在终端里执行 `python tools/check_data.py FILE`，打印的是同一份报告。不设的话，就检查一个例子，常见的形式毛病都在里面：

# %%
from helpers.data.check import check_file

asked, told = (
    {"role": "user", "content": "闯红灯罚多少？"},
    {"role": "assistant", "content": "200元"},
)
lines = [
    json.dumps({"messages": [asked, told]}),  # all in ASCII, 闯 as \u95ef
    json.dumps({"instruction": "闯红灯罚多少？", "output": "200元"}, ensure_ascii=False),
    json.dumps({"conversations": [{"from": "human", "value": "?"}, {"from": "gpt", "value": "!"}]}),
    json.dumps(json.dumps({"messages": [asked, told]})),  # a row encoded twice: JSON in a string
    "{'instruction': 'single quotes', 'output': 'no JSON'}",
    json.dumps({"messages": [asked]}),
    json.dumps({"messages": [told, asked]}),
    json.dumps({"messages": [asked, {"role": "assistant", "tool_calls": [{"name": "search"}]}]}),
    json.dumps({"messages": [{"role": "user", "content": "\\u95ef\\u7ea2\\u706f"}, told]}),
    json.dumps({"text": "a document"}),
]
messy = root() / "build" / "own" / "messy.jsonl"
# the file begins with a BOM, an invisible mark
messy.write_text("\ufeff" + "\r\n".join(lines), encoding="utf-8")
print(check_file(DATA or messy))

# %% [markdown] lang="en"
# This check looks at the form of a file. The rest it leaves to you:
#
# - **Length.** What lies beyond `max_length` is cut off (section 4).
# - **Tool calls and reasoning.** Such rows need a template that knows them (section 3).
# - **Rights.** Keep the source and the licence of each row (section 5).
# - **Copies, personal data, test items.** It looks for none of them (section 6).
# - **Truth.** No program here sees that a well-formed answer is wrong.

# %% [markdown] lang="zh" of="78431b6d"
# 这里检查的是文件的形式，其余的要你自己管：
#
# - **长度**。超出 `max_length` 的部分会被截掉（第 4 节）。
# - **工具调用与推理过程**。这样的数据要有认识它们的模板（第 3 节）。
# - **权利**。每一行的来源和许可都要留底（第 5 节）。
# - **重复、个人信息、测试题**。这些它都不查（第 6 节）。
# - **真假**。格式完好的答案写错了，这里的程序看不出来。

# %% [markdown]
# ## 9. What goes wrong ｜ 哪里会出错

# %% [markdown] lang="en"
# None of these raises an error:
#
# - People clean **after** splitting, each part by itself, and a copy of a training row stays in the test.
# - Nobody has looked at the mask.
# - A fact is wrong in the document itself, and no step finds it.
# - The threshold for near copies was set by feel. If it is too low, good rows go, for instance two that show the same articles in their prompts; if it is too high, changed copies stay.

# %% [markdown] lang="zh" of="d1887ef6"
# 下面几种毛病，都不会报错：
#
# - 先划分、**后**清洗，而且各洗各的：训练行的副本留在了测试集里。
# - 掩码没人看过。
# - 文档本身写错了事实：哪一步都查不出来。
# - 相似度阈值凭感觉定。太低，正常的行会被当成副本，例如提示里给的法条相同的两行；太高，改了几个字的副本会漏网。

# %% [markdown] lang="en"
# The next figure shows the last of these: both marks at several thresholds. Exact copies are left out: the step before has removed them. (Among the good rows, a few pairs exceed 0.6.) **Predict first**: between which thresholds do both marks stay above 95 %?

# %% [markdown] lang="zh" of="fed3c418"
# 下图画的就是最后一种：不同阈值下的两个分数。完全重复的行已由前一步去掉，所以图里不算。（正常的行之间，也有少数几对超过 0.6。）**先猜一猜**：阈值在什么范围里，两个分数都高于 95 %？

# %%
from math import nan

first = {row["id"]: n for n, row in enumerate(dirty) if row["labels"] != ["exact_duplicate"]}
texts = ["\n".join(m["content"] for m in dirty[n]["messages"]) for n in first.values()]
widths = [SIZES[dirty[n]["lang"]] for n in first.values()]
true = [dirty[n]["labels"] == ["near_duplicate"] for n in first.values()]
both = {"precision ｜ 精确率": [], "recall ｜ 召回率": []}
for limit in size.limits:
    flagged = [of is not None for of in near_duplicates(texts, widths, alike=limit)]
    hits = sum(f and t for f, t in zip(flagged, true, strict=True))
    both["precision ｜ 精确率"].append(100 * hits / sum(flagged) if any(flagged) else nan)
    both["recall ｜ 召回率"].append(100 * hits / sum(true))
plots.curves(
    {name: (size.limits, values) for name, values in both.items()},
    "The search for near copies, by threshold ｜ 不同阈值下查找近似副本",
    "similarity threshold ｜ 相似度阈值",
    "%",
    alt="Two curves, precision and recall of the search for near copies (%). Threshold: precision, recall. "
    + "; ".join(
        f"{limit}: " + ", ".join("none" if x != x else f"{x:.0f}" for x in pair)
        for limit, *pair in zip(size.limits, *both.values(), strict=True)
    )
    + " ｜ 两条曲线，查找近似副本的精确率和召回率（%）。阈值：精确率、召回率。"
    + "；".join(
        f"{limit}：" + "、".join("无" if x != x else f"{x:.0f}" for x in pair)
        for limit, *pair in zip(size.limits, *both.values(), strict=True)
    ),
)

# %% [markdown] lang="en"
# Both marks stay above 95 % from 0.6 to 0.9. Below 0.6, more and more good rows are taken for copies. Above 0.9, copies with a few changed characters stay. At 0.99 no row counts as a copy, so there is no precision to draw. This range belongs to these 1,200 rows: section 6 showed how much depends on the number of rows on each article.
#
# The figure is that of this search, not of the threshold alone: a pair is compared only if a band agrees. By the formula of the bands, that happens for about 95 % of the pairs with $J = 0.8$, for a quarter at 0.6 and for one in a hundred at 0.4. With every pair compared, precision at low thresholds would be lower still.

# %% [markdown] lang="zh" of="24d31c79"
# 从 0.6 到 0.9，两个分数都高于 95 %。低于 0.6，被当成副本的正常行越来越多；高于 0.9，改了几个字的副本就漏网。到 0.99，没有一行算副本，精确率也就无从画起。这个范围只属于这 1,200 行：每条法条有多少行，影响有多大，第 6 节已经看到。
#
# 这张图画的是这种找法，不单是阈值：两段文本要有一段签名相同才会比较。按分段的公式，$J = 0.8$ 的配对约 95 % 会比到，0.6 的只有四分之一，0.4 的只有百分之一。要是每一对都比，低阈值下的精确率还会更低。

# %% [markdown]
# ## 10. Does it carry over? ｜ 放到真实模型上还成立吗？

# %% [markdown] lang="en"
# What was counted (masks, padding, cuts, precision) depends on the rows, the libraries, the tokenizer and the template: count again with your model's. What was trained may come out otherwise on a larger model. The table holds our split against a recorded run of SmolLM2, a real model of 135 million weights (240 English notices on up to 64 articles, twenty epochs, the better of two learning rates; here 96 notices on twelve articles, twelve epochs). It, too, gets most notices on practised articles right (27 of 30; at the other rate 16) and none on the others. So two small models agree on the split; a larger one was not tried.

# %% [markdown] lang="zh" of="b25634e4"
# 凡是数出来的（掩码、填充、截断、精确率），取决于数据、库、分词器和模板：换了模型，要用它的分词器和模板重新数。凡是训练出来的，换成大模型，结果可能不同。下表把我们的划分实验与 SmolLM2 的训练记录放在一起，它是一个真实的模型，有 1.35 亿个权重（英文通知书 240 份，最多涉及 64 条法条，二十轮，取两个学习率中较好的；这里是 12 条法条的 96 份，十二轮）。练过的法条，通知书它也大半写对（30 份里 27 份；另一个学习率只有 16 份），没练过的一份也不对。所以两个小模型的划分结果一致；更大的没有试过。

# %% [markdown] lang="en"
# The number in brackets is that of the runs, and "–" means not measured. H200 is a GPU, TF32 a precision in which it computes.
#
# The four ways of showing 1,000 rows were **not** recorded on SmolLM2. There the result may differ. To find out, set `PROFILE = "small"` and run this lesson again: the same cells train SmolLM2, with fewer rows.

# %% [markdown] lang="zh" of="2d87148f"
# 括号里是运行次数，“–”表示没有测；H200 是一种 GPU，TF32 是它的一种计算精度。
#
# 同样看 1,000 行的四种安排，**没有**在 SmolLM2 上记录过。结果也许不同。想知道答案，就设 `PROFILE = "small"`，把这一课再跑一遍：同样的单元格，训练的是 SmolLM2，行数少一些。

# %%
from helpers.measure import carry

carry.show("03_data_preparation")

# %% [markdown] lang="en"
# **From Xiaoxi to your model.** For a larger model, start from the values below and adjust them by your own tests. 0.5B is half a billion weights. *Rank* and *alpha* are the size and strength of what LoRA adds (notebook 02). *Warm-up*: the learning rate rises from 0 in the first steps. *4 × 4 accumulated*: 4 rows at a time, one update of the weights after four times. float32 keeps a number in 32 bits, bf16 and fp16 in 16; *4 bits*: notebook 05. *Markers*: those of the template (section 3).
#
# Sources: all weights, TRL's default learning rate; LoRA, about ten times that ("LoRA Without Regret", TRL's documentation); rows a step, QLoRA (Dettmers et al. 2023); warm-up, the scripts of Alpaca and QLoRA. Rank and alpha are common choices.

# %% [markdown] lang="zh" of="56966259"
# **从小溪到你的模型**。换用更大的模型时，可以从下表的数值起步，再用自己的测试来调。0.5B 就是 5 亿个权重。*秩*和 *alpha* 是 LoRA 所加部分的大小和强度（见 notebook 02）。*预热*：开头几步，学习率从 0 慢慢升上去。*4 × 4 累积*：每次只算 4 行，算四次再更新一次权重。float32 用 32 位存一个数，bf16 和 fp16 用 16 位；*4 位*见 notebook 05。*标记*是模板里的标记（见第 3 节）。
#
# 出处：全参数的学习率是 TRL 的默认值；LoRA 的约为它的十倍（“LoRA Without Regret”和 TRL 文档）；每步的行数见 QLoRA（Dettmers 等，2023）；预热见 Alpaca 和 QLoRA 的脚本。秩和 alpha 都是常见的取法。

# %% [markdown] lang="en"
# | | Xiaoxi, here | 0.5B | 1.5B | 7B |
# |---|---|---|---|---|
# | all weights: learning rate | 3e-3 | 2e-5 | 2e-5 | 2e-5 |
# | LoRA: learning rate; rank, alpha | notebook 04 | 2e-4; 16, 32 | 2e-4; 16, 32 | 2e-4; 16, 32 |
# | rows a step | 16 | 16 | 16 | 16, as 4 × 4 accumulated |
# | warm-up | none | 3 % of the steps | 3 % | 3 % |
# | data type | float32 | bf16; fp16 on a T4 | bf16; fp16 on a T4 | bf16; 4 bits on a T4 (LoRA alone) |
# | `max_length` | the whole row | your longest row | your longest row | your longest row |
# | mask | markers | `assistant_only_loss=True` | the same | the same |

# %% [markdown] lang="zh" of="8ff53752"
# | | 小溪，这一课 | 0.5B | 1.5B | 7B |
# |---|---|---|---|---|
# | 全参数：学习率 | 3e-3 | 2e-5 | 2e-5 | 2e-5 |
# | LoRA：学习率；秩、alpha | notebook 04 | 2e-4；16、32 | 2e-4；16、32 | 2e-4；16、32 |
# | 每步的行数 | 16 | 16 | 16 | 16，分 4 × 4 累积 |
# | 预热 | 无 | 总步数的 3 % | 3 % | 3 % |
# | 数据类型 | float32 | bf16；T4 上用 fp16 | bf16；T4 上用 fp16 | bf16；T4 上用 4 位（只限 LoRA） |
# | `max_length` | 整行 | 你最长的一行 | 你最长的一行 | 你最长的一行 |
# | 掩码 | 标记 | `assistant_only_loss=True` | 同左 | 同左 |

# %% [markdown]
# ## Summary ｜ 小结

# %% [markdown] lang="en"
# - Messages convert to three formats and back without loss; preference pairs do not.
# - The loss mask decides which tokens count in the loss; notebook 04 measures what a wrong one does. TRL counts every token of messages without `assistant_only_loss=True`.
# - Packing by positions was safe only with no mask and no cache (three rows, Xiaoxi, float32). Cutting loses the answer first.
# - Make rows by program where you can; a fact that a model extracts keeps its quotation.
# - How many honest rows a threshold takes depends above all on the rows on each article.
# - On Xiaoxi *quality above quantity* was not shown: with 137 refusals worded otherwise, the order changed. Do not trust one experiment's order.
# - Split by what will be new at work.

# %% [markdown] lang="zh" of="77584151"
# - messages 格式的数据转成另外三种格式、再转回来，一点不丢；偏好对转过来就回不去了。
# - 哪些词元计入损失，由损失掩码决定；掩码错了会怎样，notebook 04 里测。用 messages 训练时，不设 `assistant_only_loss=True`，TRL 就把每个词元都计入。
# - 靠位置编号打包，只有不给掩码、也不开缓存才是安全的（三行数据，小溪，float32）。截断最先丢掉的是回答。
# - 能用程序生成数据，就用程序；由模型抽取的，每条事实都要附上引文。
# - 一个阈值会误伤多少正常的行，首先取决于每条法条有多少行。
# - 在小溪上，*质量重于数量*未能证明：137 行拒答换一种写法，四种安排的次序就变了。一次实验得出的次序，不要急着相信。
# - 上线后什么是新的，就按什么划分。

# %% [markdown] lang="en"
# **Next**: [04 SFT](04_sft.ipynb) trains on these rows. The exercises that you have passed so far:

# %% [markdown] lang="zh" of="9761c264"
# **下一课**：[04 监督微调](04_sft.ipynb)，就用这些数据来训练。你目前通过的练习：

# %%
from helpers.exercise import progress

progress("03")
