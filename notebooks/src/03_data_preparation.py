# %% [markdown]
# # 03. Data preparation ｜ 数据准备
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
# | **`tiny`** | 3 to 5 minutes, 1.2 GB, any laptop |
# | **`t4`, `gpu`** | not measured yet |

# %% [markdown] lang="zh" of="cd3b5ea0"
# | | |
# |---|---|
# | **你将** | 在 Alpaca、ShareGPT 和 messages 之间无损转换 |
# | | 看清哪些词元参与学习，打包又会泄漏什么 |
# | | 由法规文本做出训练集，再清洗一份脏数据 |
# | | 逐行检查你自己的文件 |
# | **先学** | notebook 00 |
# | **`tiny`** | 3 到 5 分钟，1.2 GB 内存，任何笔记本电脑 |
# | **`t4`、`gpu`** | 尚未实测 |

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
# The notes that this course grew from give four pieces of advice on data: put quality above quantity, vary the content, keep one format, and make question–answer pairs from documents. This lesson follows all four. It measures the first on Xiaoxi, the course's small model of 1.4 million weights. The numbers in this text are those of Xiaoxi (profile `tiny`, seed 0). Your numbers may differ from them by a few points: the text was written from one run; within the usual range all is well.
#
# Everything here happens **before** training. With these toy files it takes minutes. In a real project, collecting, reading and correcting the rows usually takes more time than training, and the care is well spent.

# %% [markdown] lang="zh" of="d5767253"
# 讲义（本课程的前身）对数据提了四条建议：质量重于数量，内容要多样，格式要一致，还可以从文档生成问答对。这一课四条都照做，并在小溪（课程自带的小模型，144 万个权重）上实测第一条。文中的数字都是小溪的（`tiny` 档位，种子 0），取自一次运行。你的数字可能与文中差几个百分点，落在通常范围内就没有问题。
#
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
# | messages | `role`, `content` | TRL, most chat APIs |
#
# TRL, Hugging Face's training library (notebook 04), takes messages, so we convert the other formats into them. In Alpaca's case, instruction and input become one question. The row below is the example of the notes; it asks for a translation of 你好世界 ("hello world") into English:

# %% [markdown] lang="zh" of="141ec7d5"
# 讲义给了两种格式，实际常用的有四种：
#
# | 格式 | 键名 | 常见于 |
# |---|---|---|
# | Alpaca | `instruction`、`input`、`output` | 单轮问答 |
# | ShareGPT | `conversations`，内含 `from`、`value` | 聊天记录 |
# | prompt–completion | `prompt`、`completion` | TRL |
# | messages | `role`、`content` | TRL 和多数对话 API |
#
# TRL 是 Hugging Face 的训练库（见 notebook 04），它认 messages，所以别的格式都往这里转。先看 Alpaca：指令和输入合成一个问题。下面这一行就是讲义里的例子：


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
#
# Expected: all 800 rows, dialogues included, come back unchanged from three formats.
#
# **Predict first**: Alpaca has one question and one answer. Where do a dialogue's earlier turns go?

# %% [markdown] lang="zh" of="5c7e8d23"
# **无损**的意思是：转过去再转回来，还是同一行，其他字段也一个不少。做不到时，转换器应当拒绝，而不是悄悄丢掉。我们的转换器留着 Alpaca 的 `input`，转回去时才知道问题该从哪里切开。
#
# **偏好对**（notebook 06 要用）有一好一差两个回答，而一段对话只放得下一个：更好的那个留在对话里，另一个放进旁边的字段；这条路是单行道。
#
# 预期：800 行（含多轮对话）从三种格式转一圈回来，全部原样不变。
#
# **先猜一猜**：Alpaca 只有一问一答，对话前几轮会放到哪里？

# %%
train_rows = world("train")
for name, way in (("Alpaca", to_alpaca), ("ShareGPT", to_sharegpt), ("TRL", to_prompt_completion)):
    row = way(select(train_rows, kind="followup")[0])
    print(f"{name}: {[key for key in row if key not in train_rows[0]]}")
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
print(f"{len(ids)} tokens, {len(ids) - own} from the template ｜ {len(ids) - own} 个来自模板")
tokens.token_colours([tokenizer.decode([i]) for i in ids], ids=ids)

# %% [markdown] lang="en"
# The template wrote 13 of the 27 tokens. It is a small program in Jinja, a language for text with blanks to fill; the next cell prints it. Which tokens count in the loss, so that the model learns to write them? Those between `{% generation %}` and `{% endgeneration %}` in the template; they make up the **loss mask**. Two mistakes are common. The end token, at which a model stops writing, may stand **outside** the markers, or the markers may enclose **everything**. Neither mistake raises an error here.
#
# **Predict first**: what will a model do that was trained with each?

# %% [markdown] lang="zh" of="27792d33"
# 27 个词元里，模板写的有 13 个。模板是用 Jinja（一种给文本填空用的语言）写的一小段程序，下一个单元格会把它打印出来。那么，哪些词元计入损失，也就是要模型学着写？由**损失掩码**决定：模板里 `{% generation %}` 与 `{% endgeneration %}` 之间的那些。常见的错有两种：结束符（模型写到它就停笔）落在标记**外面**，或者标记把**所有内容**都圈了进去。这里两种都不会报错。
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
    ends = learned[name].count(tokenizer.eos_token_id)
    print(f"{name}: {len(learned[name])} tokens, {ends} of them ends ｜ 其中结束符 {ends} 个")
right_ones, all_ones = (len(learned[name]) for name in list(templates)[::2])
claim("data_mask_all", 100 * right_ones / all_ones)


def show_mask(template, row):
    """Show one training row under one template, with what the loss counts."""
    ids, mask = masked[template][row]
    return tokens.token_colours([tokenizer.decode([i]) for i in ids], mask, ids)


names = {"template": "template ｜ 模板", "row": "row ｜ 行"}
short = [n for n, (ids, _) in enumerate(masked["right ｜ 正确"]) if len(ids) < 140]
widgets.explore(show_mask, names=names, template=list(templates), row=short)

# %% [markdown] lang="en"
# With the end token outside, none of these rows teaches the model where to stop; a model that did not know it before will go on writing. With everything inside, two thirds of the tokens that count belong to articles, reports and the template (the answers are 34 %), and nobody asked the model to write those.
#
# We have only counted tokens here. Notebook 04 trains with both mistakes and measures what comes of it. **Look at one coloured row before each training.**

# %% [markdown] lang="zh" of="039a851c"
# 结束符在外，这些行就没有一行教模型该在哪里停；本来就不会停的模型，会一直写下去。全部圈入，计入损失的词元有三分之二是法条、报告和模板（答案只占 34 %），而没人要模型写这些。
#
# 这里只数了词元。两种错误各会带来什么后果，notebook 04 里真的训练一遍再测。**每次训练之前，先看一行着色的数据。**

# %% [markdown] lang="en"
# **In TRL** (1.16) the default is `assistant_only_loss=False`: with rows of messages every token counts, the prompt included. Set it to `True` to use the markers. The template needs them then. Qwen2.5's own template has none; TRL puts a template with markers in its place for Qwen2.5 and other families that it knows, and raises an error for the rest. If the end token stands outside the markers, TRL warns.
#
# Prompt–completion rows need no markers: TRL trains on the completion alone, unless you set `completion_only_loss=False`.

# %% [markdown] lang="zh" of="d75148db"
# **在 TRL 里**（1.16 版），默认是 `assistant_only_loss=False`：用 messages 训练时每个词元都计入损失，提示也不例外。设成 `True` 才会用这对标记，这时模板里就必须有标记。Qwen2.5 自带的模板里没有；对 Qwen2.5 和其他认识的模型家族，TRL 会换上带标记的模板，不认识的就报错。如果结束符落在标记外面，TRL 会给出警告。
#
# prompt–completion 格式的数据不需要标记：TRL 只在 completion 上训练，除非设置 `completion_only_loss=False`。

# %% [markdown]
# ## 4. Packing, and how it leaks ｜ 打包，以及它怎样泄漏

# %% [markdown] lang="en"
# Rows differ in length. A batch needs one length, so short rows get **padding**, from which nothing is learned. To waste less, people **pack** several rows into one sequence. Then **a row may see the row before it**. The *attention mask* says which tokens may be seen; the *cache* keeps what was computed for earlier tokens. Below, three rows stand in one sequence. We call the model in three ways. A: only with position numbers that start at 0 again with each row. B: with a mask of ones as well. C: as A, but with the cache on.
#
# **Predict first**: which of A, B and C gives the same logits (raw scores of the next token) as three separate rows?

# %% [markdown] lang="zh" of="389d05fe"
# 各行长短不一，而一批里的行要一样长，短的就得补齐（**填充**），补的部分学不到东西。为了少浪费，人们把几行**打包**成一条序列。危险在于：**一行看到了它前面的那一行**。*注意力掩码*规定能看哪些词元，*缓存*里存着前面词元算好的结果。下面把三行拼成一条，用三种方式调用模型。A：只给位置编号，每行从 0 算起；B：再加一个全 1 的掩码；C：同 A，但开着缓存。
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
    "B: plus mask of 1s ｜ B：再加全 1 掩码": alone | {"attention_mask": torch.ones_like(packed)},
    "C: no mask, cache on ｜ C：不加掩码，开着缓存": alone | {"use_cache": True},
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
# Only A does. From positions that start again at 0, the library (here transformers 5.23) works out where each row begins, but only if you give it **no attention mask and no cache**. A mask of ones says "every earlier token may be seen", and the library obeys without an error or a warning. Other versions may differ, so run this comparison on yours.
#
# TRL packs rows when you set `packing=True` (the default is `False`). Its usual strategy, `bfd`, passes positions and no mask, as A does. The pictures show which tokens each token may look at:

# %% [markdown] lang="zh" of="c2619a2e"
# 只有 A。位置从 0 重新算起，库（这里是 transformers 5.23）就能推出每行从哪里开始；但前提是你**不给注意力掩码，也不开缓存**。全 1 的掩码等于说“前面的都可以看”，库就照办了：不报错，也不警告。换一个版本，行为可能不同，请在你的版本上跑一遍这个对比。
#
# 在 TRL 里，设置 `packing=True` 才会打包（默认是 `False`）；默认的策略 `bfd` 只传位置、不传掩码，和上面的 A 一样。下图是每个词元能看到的词元：

# %%
owner = torch.tensor([n for n, row in enumerate(three) for _ in row])
past = torch.ones(len(owner), len(owner)).tril()
seen = {
    "right: its own row (light) ｜ 正确：只看本行（浅色）": past * (owner[:, None] == owner),
    "mask of ones: all before (light) ｜ 全 1 掩码：前面全看（浅色）": past,
}
fig, axes = style.figure(columns=2)
for ax, (title, allowed) in zip(axes, seen.items(), strict=True):
    ax.imshow(allowed, cmap="cividis")
    ax.set_title(style.two_lines(title))
    ax.set(xlabel="token looked at ｜ 被看的词元", ylabel="token looking ｜ 在看的词元")
    ax.grid(visible=False)
fig

# %% [markdown]
# ## 5. From a law's text to training rows ｜ 从法规文本到训练数据

# %% [markdown] lang="en"
# Now the rows themselves. We have a document of 96 articles in two languages, worded in several ways, and a list of acts, places and offices. First we read the **facts** out of the sentences. A program can misread, so we check it: the two languages are two witnesses, and where a table exists (here `code.jsonl`), it is a third.
#
# A few search patterns are enough here because this law was itself written from templates. Real documents were not. There a model or a person extracts the facts, each fact keeps the sentence that it came from, and people check a sample against the source.

# %% [markdown] lang="zh" of="d97f1486"
# 现在来做数据本身。手头有一份文档，和一张行为、地点、机关的词表：法规 96 条，中英两个版本，句式有好几种。第一步，从句子里读出**事实**。程序会读错，所以要核对：两种语言是两个证人；要是另有表格（这里是 `code.jsonl`），那就是第三个。
#
# 这里只用几个搜索模式就够，是因为这部法规本身就是按模板写的。真实的文档不是。真实项目里，事实由模型或人来抽取，每条事实都要附上原文句子，再由人对照原文抽查。

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
# All 96 articles were read right. One article gives many rows: incident → notice, question → answer, dialogues, and refusals, where no article applies. Wordings, plates and witnesses vary (the notes call this **diversity**); the form of the answers never does (**consistency**). One thing no document decides for us: 32 articles are kept for the **test**, and `code.jsonl` says which.
#
# **Predict first**: will the course's own `train.jsonl` come out again, byte for byte? If so, anybody can check how it was made.

# %% [markdown] lang="zh" of="0eea42bf"
# 96 条全部读对。一条法条能做出多种数据：事件 → 通知书、提问 → 回答、对话，以及拒答（没有法条可用）。句式、车牌、目击者都在变（讲义说的**多样**），答案的格式始终不变（**一致**）。有一件事文档替我们决定不了：哪 32 条法条要留出来、只用于**测试**，这记在 `code.jsonl` 里。
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
# It does: no line differs. These rows follow from the document, the lists and one seed number, so anybody can make them again. Rows that people or a model wrote cannot be made again. For those, write down where each one came from, who or what wrote it, and under which licence you may use it.

# %% [markdown] lang="zh" of="de2601c9"
# 能：没有一行不同。这些数据由文档、词表和一个种子数决定，谁都能重做。人或模型写的数据就不能重做了，所以每一行都要记下：从哪里来，由谁或什么写成，按什么许可可以使用。

# %% [markdown]
# ## 6. Cleaning ｜ 清洗

# %% [markdown] lang="en"
# Real data is dirty. `dirty.jsonl` was made dirty on purpose: of its 1,200 rows, 470 have one of seven faults. These are copies, near copies, the wrong language, a broken form, personal data, items of the test, and wrong facts. Every row carries a true label, so that we can **mark** a cleaner. The labels serve the marking only; no cleaning step may look at them. Choose a fault to see what it looks like:

# %% [markdown] lang="zh" of="3d581e3f"
# 真实数据总是脏的。`dirty.jsonl` 是故意弄脏的：1,200 行里有 470 行各带一种毛病，毛病共七种：完全重复、近似重复、语言不对、格式破损、带个人信息、混入测试题、事实错误。每行都有真实标签，所以清洗得好不好可以**打分**。标签只用来打分，清洗步骤不许看。选一种毛病，看看它长什么样：

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
# Copies that agree to the letter are easy to find. **Near** copies need a measure. From a text we take all pieces of `size` neighbouring characters (*shingles*): with size 3, `abcd` gives `abc` and `bcd`. Let $A$ and $B$ be the *sets* of pieces of two texts; a set holds each piece once. The share of pieces that they have in common is their **Jaccard similarity**:
#
# $$J(A,B)=\frac{|A\cap B|}{|A\cup B|}$$
#
# **Exercise 2** (easy, 5 minutes). Write `alike(a, b, size)`: it returns this share for two texts.

# %% [markdown] lang="zh" of="95af1a76"
# 一字不差的副本好找。**近似**的副本需要一把尺子。把文本里所有连着的 `size` 个字符各取成一小片（*shingle*）；长度为 3 时，`abcd` 取出 `abc` 和 `bcd`。两段文本的小片*集合*记作 $A$、$B$（相同的只算一次），共有的占多大比例，就叫**杰卡德相似度**（Jaccard）：
#
# $$J(A,B)=\frac{|A\cap B|}{|A\cup B|}$$
#
# **练习 2**（容易，5 分钟）。写出 `alike(a, b, size)`：返回两段文本的这个比例。


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
# A million texts make half a trillion pairs, too many to compare. **MinHash** gives each text a short signature, called a *sketch*. Hash every piece of the text, which turns it into a random-looking number, and keep the smallest number. Do this with many hash functions. For ideal hash functions, the chance that two texts have the same smallest number is their $J$. Then cut each sketch into bands, groups of a few numbers, and compare two texts only if all numbers of some band agree. The library `rensa` does this in Rust.
#
# **Predict first**: how near does an estimate from 128 functions come? (Its standard error, $\sqrt{J(1-J)/128}$, is at most 0.044.)

# %% [markdown] lang="zh" of="9c7d54f2"
# 一百万段文本有五千亿对，量不过来。**MinHash** 给每段文本做一个简短的“签名”（*sketch*）：把小片全部哈希（各变成一个看似随机的数），只留最小的；换许多个哈希函数各做一遍。哈希函数如果是理想的，两段文本最小值相同的概率就等于它们的 $J$。再把签名切成几段，每段几个数；两段文本只要有一段的数全部相同，才拿来比较。`rensa` 库用 Rust 做这件事。
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
    two, measured = f"{copy['id']} ~ {other}", jaccard(texts[copy["id"]], texts[other])
    print(f"{two}: J = {measured:.2f}, estimate ｜ 估计 {estimate:.2f}")

# %% [markdown] lang="en"
# The worst of the four estimates is about 0.04 off, which is one standard error.
#
# The cleaner (`helpers/lingxi/clean.py`) has one step for each fault. Each step removes one fault from what the steps before left; texts with $J \ge 0.7$ count as *near* copies. Each step gets two marks. **Precision**: of the rows that it removed, how many deserved it? **Recall**: of the rows that deserved it, how many did it remove?
#
# **Exercise 3** (easy, 5 minutes). Write `precision_recall(found, true)` for two lists of bools, one entry a row: `found` says that the row was removed, `true` that it deserved it.
#
# **Predict first**: which of the seven steps will be the weakest?

# %% [markdown] lang="zh" of="772cf952"
# 四个估计里，差得最多的约差 0.04，正好一个标准误差。
#
# 清洗程序（`helpers/lingxi/clean.py`）一步管一种毛病，每一步只看前面几步留下来的行；$J \ge 0.7$ 才算*近似*重复。每一步打两个分。**精确率**：去掉的行里，多少是该去的？**召回率**：该去的行里，多少被去掉了？
#
# **练习 3**（容易，5 分钟）。写出 `precision_recall(found, true)`，参数是两个布尔值列表，每行一个值：`found` 表示这一行被去掉了，`true` 表示这一行该去。
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
counted = Counter(cleaned["fault"])
print({fault or "kept ｜ 留下": n for fault, n in counted.items()})
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
# The search for near copies is the weakest, and even there only one of the 91 rows that it removed had been good. Do not expect such marks elsewhere. A program put these faults in, and our rules know its habits; real phone numbers and real copies vary far more. For your own data, label a hundred rows by hand and mark your cleaner in the same way.
#
# Does this work with many more rows? In time it does. A row is compared only with the few rows that share a band, so with many rows the time grows about as their number does, not as the number of pairs. Memory grows as well (runs recorded by `tools/measure/bench.py --clean`):

# %% [markdown] lang="zh" of="17fdfc6e"
# 最弱的是找近似重复的那一步，就是它，去掉的 91 行里也只有一行是好的。换个地方别指望有这样的分数：这些毛病是程序放进去的，我们的规则正好摸透了它的套路；真实的电话号码和副本，花样多得多。轮到你自己的数据，请手工标一百行，用同样的办法打分。
#
# 行数多了还撑得住吗？时间上没问题。每一行只跟签名有一段相同的少数几行比，所以行数多了以后，用时大致与行数成正比，而不是与配对的数目成正比。内存也跟着涨（运行记录来自 `tools/measure/bench.py --clean`）：

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

# %% [markdown] lang="en"
# In precision it does not. At 100,000 rows the cleaner removes 48,144, nearly half. Judged by the copies that were put in, its precision falls to about 4 % at most: there are 1,996 of them. Which step removes the rest, and how alike those rows are, was not recorded. A likely reason: all rows are about 64 articles in a few sentence shapes, so honest rows soon look alike. Which threshold suits depends on how varied your texts are, so measure precision at the size and on the texts that you will use.

# %% [markdown] lang="zh" of="bb30e5e4"
# 精确率却撑不住。十万行里去掉了 48,144 行，将近一半。以放进去的副本来衡量，精确率至多约 4 %，因为副本只有 1,996 行。其余的是哪一步去掉的、彼此有多像，没有记录。可能的原因是：所有的行讲的都是那 64 条法条，句式也就几种，正常的行很快就彼此重样。阈值合不合适，取决于文本有多少花样，所以请在你实际要用的规模和文本上测精确率。

# %% [markdown]
# ## 7. Two experiments: quality, and the split ｜ 两个实验：质量与划分

# %% [markdown] lang="en"
# **Is it quality or quantity that counts?** Four ways to show a model 1,000 rows:
#
# 1. 1,000 dirty rows, once: all 470 faulty ones and 530 clean ones
# 2. what our seven steps keep of these, repeated up to 1,000
# 3. 200 of the dirty rows, five times
# 4. 200 clean rows, five times
#
# So we can ask about cleanness and about repetition separately. The ways differ in more than dirt, however: in their shares of notices and refusals, and leaked rows state articles of the test (though no incident that we use leaked). Each way is trained with three seeds. To save time, prompts hold no articles.
#
# **Predict first**: which way brings the most notices in exact form? (`form` also accepts the notice that says no rule applies.)

# %% [markdown] lang="zh" of="842471ee"
# **重要的是质量，还是数量？** 同样是看 1,000 行，有四种安排：
#
# 1. 1,000 行脏数据，看一遍：470 行有毛病的全在内，另加 530 行干净的
# 2. 这一千行经七步清洗后剩下的，反复看满一千次
# 3. 从脏的里面抽 200 行，看五遍
# 4. 200 行干净的，看五遍
#
# 这样，干净与否和重复多少就能分开来问。不过，四种安排的差别不只是脏不脏：通知书和拒答各占多少也不一样，泄漏的行还写出了测试用的法条（我们用的事件倒是都没有泄漏）。每种用三个随机种子各练一次。提示里不放法条，好省些时间。
#
# **先猜一猜**：格式一字不差的通知书，哪一种最多？（写“此处无规定”的通知书，`form` 也算对。）


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
        "1,000 dirty ｜ 1,000 行脏数据": (thousand, 1),
        "the thousand, cleaned ｜ 这一千行，清洗后": (passed, 1000 / len(passed)),
        "200 dirty, 5 times ｜ 200 行脏数据，五遍": (rng.sample(thousand, 200), 5),
        "200 clean, 5 times ｜ 200 行干净数据，五遍": (good[:200], 5),
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
dirty_once, cleaned_once, dirty_often, clean_often = (pooled[name]["form"] for name in pooled)
claim("data_quality", bootstrap_difference(dirty_once, clean_often))
claim("data_cleaned", bootstrap_difference(dirty_once, cleaned_once))
claim("data_repeated", bootstrap_difference(dirty_once, dirty_often))
claim("data_dirt", bootstrap_difference(dirty_often, clean_often))
plots.bars(
    {
        names[key]: {name: mean_interval(pooled[name][key], unit="share") for name in pooled}
        for key in names
    },
    "A thousand rows shown, in four ways ｜ 同样看一千行，四种安排",
)

# %% [markdown] lang="en"
# In the run printed here, the 200 clean rows seen five times lead with 80 % in exact form; the other three ways reach 60 %. In this draw of rows, neither factor brings that alone: the third way has the repetition without the cleanness, the second has the cleanness with less repetition (each row about 1.9 times). In two of five draws, repeating dirty rows brought as much or more. So *quality above quantity* is not shown: the best way has cleaner rows, and it also shows fewer rows more often.
#
# How firm are the numbers? Each of the three seeds draws rows of its own. The printed intervals cover the choice of test incidents and ignore how much the three seeds differ.

# %% [markdown] lang="zh" of="4182b83e"
# 在这里打印的运行中，200 行干净数据看五遍的领先，格式全对的占 80 %，其他三种都是 60 %。就这次抽到的行来说，只占其中一样，都到不了这么高：第三种有重复，没有干净；第二种有干净，重复却少，每行只看约 1.9 遍。可是换着抽五次，有两次是脏数据反复看也提高得一样多，甚至更多。所以*质量重于数量*在这里证明不了：最好的那一种，数据更干净，同时也是行数更少、看得更多。
#
# 这些数有多牢靠？三个种子各抽各的行。打印的区间只管测试事件的抽取，没有算进三个种子之间的差别。

# %% [markdown] lang="en"
# So we drew the rows again, with five values of `SEED`. They share runs (each averages three of seven draws), so the spread is understated. In every draw, clean rows seen five times beat the cleaned thousand, by 11 to 26 points. On Xiaoxi, at this budget, **few clean rows seen often beat more rows seen less**; whether they had to be clean was not shown. Clean minus dirty, both five times, went from −7 to +20 points. So the claim says *not shown*, although this draw gave +20. On a larger model, train the same four ways to find out.
#
# Clean your data in any case. Personal data must not be trained on, and test items that leaked make every later score false.

# %% [markdown] lang="zh" of="9ceb07bb"
# 所以我们换了五个 `SEED`，把训练行重新抽过。五次共用一些训练（总共抽了七份，每次取其中三份的平均），所以看到的波动偏小。每一次，干净的行看五遍都胜过清洗后的一千行，多 11 到 26 个百分点。在小溪上、在这样的训练量下，**少而干净、反复看，胜过多而少看**；是不是非干净不可，没有证明。同样看五遍，干净的减去脏的，从 −7 到 +20 个百分点不等。所以上面那条论断的结论是*未能证明*，尽管这一次抽到的差了 20 个百分点。想知道更大的模型会怎样，就照这四种安排在它上面各练一遍。
#
# 数据无论如何都要清洗：带个人信息的数据不该拿来训练；测试题一旦泄漏，之后的每个分数都是假的。

# %% [markdown] lang="en"
# **Splitting.** Where does the test come from? Often it comes from the same pile: people shuffle the rows and keep a tenth. But rows about one article are close relatives. We train on 12 articles with 8 notices each, and test twice: on **new rows of the same articles** (split by row), and on **rows of other articles** (split by article).
#
# **Predict first**: with no article in the prompt, how far apart will the two scores of `facts` be (article, fine, points and office all right)?

# %% [markdown] lang="zh" of="c42aca9a"
# **划分**。测试集从哪里来？常见的做法是从同一堆里打乱后留十分之一。可是讲同一条法条的行，彼此是近亲。我们拿 12 条法条、每条 8 份通知书来训练，再测两次：**同样法条的新行**（按行划分），**别的法条的行**（按法条划分）。
#
# **先猜一猜**：提示里不给法条，两次的 `facts`（条号、罚款、记分、机关全对）会差多少？

# %%
rng = random.Random(SEED)
picked = rng.sample(code, 24)
practised, others = picked[:12], picked[12:]


def notices(some, each, first):
    """Return notices on articles, each with a plate of its own."""
    cases = [(article, n) for article in some for n in range(each)]
    return [
        make_notice(rng, ("en", "zh")[i % 2], article, [], f"LX{first + i}")
        for i, (article, n) in enumerate(cases)
    ]


learner = trained(notices(practised, 8, 1000), 12, SEED)
by_row, by_article = notices(practised, 5, 3000), notices(others, 5, 5000)
split = {
    "by row ｜ 按行划分": scored(*learner, by_row),
    "by article ｜ 按法条划分": scored(*learner, by_article),
}

names |= {"facts": "facts ｜ 法条四项"}
for way, marks in zip(("row", "article"), split.values(), strict=True):
    claim(f"data_split_by_{way}", share(marks["facts"]))
plots.bars(
    {names[key]: {name: share(marks[key]) for name, marks in split.items()} for key in names},
    "One model, two tests: practised articles and others ｜ 同一个模型，两种测试：练过的法条与别的法条",
)

# %% [markdown] lang="en"
# Split by row, the model seems to know the law: in the run printed here, 82 % of the notices have all four facts right. (The number depends much on which twelve articles are drawn.) Split by article, it is 0 of 60: the model has learned twelve articles by heart. The form drops too, from 90 to 65 %. Neither test is wrong, but they answer different questions, so **split by what will be new at work**: the article, the customer, the document or the date.

# %% [markdown] lang="zh" of="6ff0d56a"
# 按行划分，模型好像懂法：在这里打印的运行中，82 % 的通知书四项事实全对（这个数与抽到哪十二条很有关系）。按法条划分，60 份里一份也没有：它只是背熟了十二条。格式也从 90 % 掉到 65 %。两种测试都没有错，只是问的问题不同，所以**上线后什么是新的，就按什么来划分**：法条、客户、文档或日期。

# %% [markdown] lang="en"
# **Exercise 4** (medium, 5 minutes). Write `split_by_article(rows, held)`: it returns the training rows and the test rows. `held` is a set of article ids. `row["article"]` is the id of the article that a row is about (`None` in a refusal); rows about a held article are the test. `row["context"]` lists the ids of the articles that the prompt **shows**. No training row may show a held article: leave such rows out.

# %% [markdown] lang="zh" of="5b838bcd"
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
# Set `DATA` at the top to the path of your file. It may be JSON or JSONL in any shape, CSV, Excel, Parquet or Arrow, zipped or not, with rows in any format of section 2. Every row is checked. Good rows are saved as messages under `build/own`; each bad row is named with its number, the reason and the mend. Even a JSONL file of 2 GB is read line by line, in constant memory. Notebook 04 takes the same path in its own `DATA`; in a terminal, `python tools/check_data.py FILE` prints the same report. Without a path, the cell checks an example that has nearly every fault there is:

# %% [markdown] lang="zh" of="7e758968"
# 把顶部的 `DATA` 设为你的文件路径，各种写法的 JSON 或 JSONL、CSV、Excel、Parquet、Arrow 都行，压缩过的也行；行的格式，第 2 节的几种都认。每一行都会检查：好的以 messages 格式存到 `build/own`，坏的逐一写明行号、原因和改法。2 GB 的 JSONL 文件也是逐行读，占用的内存不会变大。notebook 04 的 `DATA` 接受同样的路径；在终端里执行 `python tools/check_data.py FILE`，打印的是同一份报告。不设的话，就检查一个几乎什么毛病都有的例子：

# %%
from helpers.data.check import check_file

asked, told = (
    {"role": "user", "content": "闯红灯罚多少？"},
    {"role": "assistant", "content": "200元"},
)
lines = [
    json.dumps({"messages": [asked, told]}),  # escaped; a BOM, an invisible mark, before it
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
print(check_file(DATA or messy))

# %% [markdown] lang="en"
# This check looks at the form of a file. Four things it leaves to you:
#
# - **Length.** Count tokens before training: what lies beyond the trainer's `max_length` is cut off, perhaps the whole answer.
# - **Tool calls and reasoning.** Such rows need a template that knows them; this course does not train on them.
# - **Rights.** Keep the source and the licence of each row, and know whether the people in it agreed.
# - **Truth.** No program here sees that a well-formed answer is wrong.

# %% [markdown] lang="zh" of="18ea2463"
# 这里检查的是文件的形式，还有四件事要你自己管：
#
# - **长度**。训练前先数词元：超出训练器 `max_length` 的部分会被截掉，有时整个答案都没了。
# - **工具调用与推理过程**。这样的数据要有认识它们的模板；本课程不拿它们训练。
# - **权利**。每一行的来源和许可都要留底，还要清楚其中涉及的人是否同意。
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
#
# The next figure shows the last of these: both marks at several thresholds. (Among the good rows of this file, five pairs exceed 0.6, at 0.60 to 0.74.) **Predict first**: between which thresholds do both marks stay above 95 %?

# %% [markdown] lang="zh" of="86cb0cd4"
# 下面几种毛病，都不会报错：
#
# - 先划分、**后**清洗，而且各洗各的：训练行的副本留在了测试集里。
# - 掩码没人看过。
# - 文档本身写错了事实：哪一步都查不出来。
# - 相似度阈值凭感觉定。太低，正常的行会被当成副本，例如提示里给的法条相同的两行；太高，改了几个字的副本会漏网。
#
# 下图画的就是最后一种：不同阈值下的两个分数。（这个文件里，正常行之间有五对超过 0.6，在 0.60 到 0.74 之间。）**先猜一猜**：阈值在什么范围里，两个分数都高于 95 %？

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
    "similarity threshold ｜ 相似度阈值",
    "%",
)

# %% [markdown] lang="en"
# Both marks stay above 95 % from 0.6 to 0.9. Below 0.6, more and more good rows are taken for copies; those most alike show the same articles in their prompts. Above 0.9, copies with a few changed characters stay. At 0.99 no row counts as a copy, so there is no precision to draw. This range belongs to these 1,200 rows. The 100,000 rows of section 6 show that 0.7 does not suit every size.

# %% [markdown] lang="zh" of="017fa0b6"
# 从 0.6 到 0.9，两个分数都高于 95 %。低于 0.6，被当成副本的正常行越来越多，其中最像的，是提示里给的法条相同的那些行；高于 0.9，改了几个字的副本就漏网。到 0.99，没有一行算副本，精确率也就无从画起。这个范围只属于这 1,200 行；第 6 节的十万行说明，0.7 并不适合所有的规模。

# %% [markdown]
# ## Summary ｜ 小结

# %% [markdown] lang="en"
# - The four formats convert to messages and back without loss; a converter refuses what it cannot keep.
# - The template's markers decide what is learned, if the trainer is told to use them. Look at one coloured row.
# - In transformers 5.23, packing is safe with positions alone; a mask of ones lets rows see each other.
# - Where you can, make rows by program from their source. Mark the cleaner with labels.
# - On Xiaoxi, few clean rows seen five times beat the cleaned thousand; whether cleanness was needed was not shown.
# - Split by what will be new at work, or the test rewards learning by heart.
#
# **Next**: [04 SFT](04_sft.ipynb) trains on these rows. The exercises that you have passed so far:

# %% [markdown] lang="zh" of="5113ddaa"
# - 四种格式之间可以无损互转；转不了的就拒绝，绝不悄悄丢掉。
# - 学什么由模板里的标记决定，前提是训练器真的在用它们。先看一行着色的数据。
# - 在 transformers 5.23 里，打包时只给位置就是安全的；给了全 1 掩码，行与行就会互相看见。
# - 能用程序从源文档生成数据，就用程序；用标签给清洗打分。
# - 在小溪上，少量干净数据看五遍胜过清洗后的一千行；是不是非干净不可，没有证明。
# - 上线后什么是新的，就按什么划分；否则测试只会奖励死记硬背。
#
# **下一课**：[04 监督微调](04_sft.ipynb)，就用这些数据来训练。你目前通过的练习：

# %%
from helpers.exercise import progress

progress("03")
