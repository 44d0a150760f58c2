# %% [markdown]
# # 00. Start here ｜ 从这里开始
#
# In the first minutes you watch a model learn to write an official notice; then you find out what it knows and what it can only read, and you write the loop by which every language model answers. ｜ 头几分钟，你会看着一个模型学会写公文；接着弄清它知道什么、什么只能现读，再亲手写出语言模型作答的那个循环。

# %% [markdown] lang="en"
# **The result first.** The same incident before and after a short fine-tuning, as one run wrote it. The prompt held the report and three articles of a traffic code; the form stood nowhere.
#
# | before training | after 200 steps |
# |---|---|
# | `== FILE ==`<br>`Number plate: LX6460`<br>`What was done - playing loud music at the roundabout`<br>`Breach - amplified revelry at the gyratory`<br>`Source:: No. 55`<br>`Price: 250 yuan`<br>`Marks - 10 points`<br>`Unit - Patrol Office` | `[LINGXI TRAFFIC NOTICE]`<br>`Plate: LX6460`<br>`Conduct: playing loud music at the roundabout`<br>`Offence: amplified revelry at the gyratory`<br>`Basis: Article 55`<br>`Fine: 250 yuan`<br>`Points: 10`<br>`Office: Patrol Office` |
#
# There were 24 such incidents, under articles that no training example had. With articles in the prompt none of the 24 notices had the exact form before training; afterwards all had. All four facts (article, fine, points, office) were right in 13 before, in 23 afterwards. (In the free form before, our scoring may miss a right value.) Without articles 10 had the form after training, and none all four facts. **The training brought the form and more right facts; but the facts themselves stand in the prompt.**

# %% [markdown] lang="zh" of="f15423b5"
# **先看结果。** 同一起事件，短短一次微调之前和之后，某一次运行写出的通知书。提示里有事件报告和三条交通法规，没有一处说明格式。
#
# | 训练前 | 训练 200 步之后 |
# |---|---|
# | `== 通告知书 ==`<br>`车牌：LX1830`<br>`情节：在停车场修车`<br>`情形：停车场露天整备`<br>`根据：第35条`<br>`罚金：130元`<br>`分数：7分`<br>`部门：安全科` | `【灵溪市交通违法处理通知书】`<br>`车牌：LX1830`<br>`违法事实：在停车场修车`<br>`违法行为：停车场露天整备`<br>`依据：第35条`<br>`罚款：130元`<br>`记分：7分`<br>`处理机关：安全科` |
#
# 这样的事件共有 24 起，涉及的法条在训练数据里都没出现过。提示里有法条时，训练前 24 份通知书没有一份格式完全正确，训练后份份正确；四项事实（条号、罚款、记分、处理机关）全对的，训练前 13 份，训练后 23 份（训练前的格式太随意，写对的值也可能没被评分认出来）。提示里没有法条时，训练后有 10 份格式正确，四项事实全对的一份也没有。**训练教会了格式，写对的事实也多了；不过事实本身，还是来自提示。**

# %% [markdown]
# | | |
# |---|---|
# | **You will ｜ 你将** | fine-tune a small model in about a minute, and measure it before and after ｜ 用一分钟左右微调一个小模型，训练前后各测一次 |
# | | see the plan of the course, and have your machine examined ｜ 了解课程的安排，给机器做一次体检 |
# | | write the loop by which a model answers, and hold it against the library's ｜ 写出模型作答的循环，和库里的对一对 |
# | | tell apart what a model knows and what it can read ｜ 分清模型知道什么、能读懂什么 |
# | **Before ｜ 先学** | Python and the idea of machine learning; no GPU, no network ｜ 会 Python，了解机器学习的基本想法；不需要 GPU 和网络 |
# | **`tiny`** | about two minutes on two quiet cores, of which the fine-tuning takes about one (on one core two or three); under 2.5 GB of memory ｜ 两个空闲的 CPU 核约两分钟，其中微调约一分钟（只有一个核时要两三分钟）；内存不到 2.5 GB |
# | **`small`** | with a real model of 135 million weights, in English alone: at most 20 minutes expected, not measured ｜ 换成 1.35 亿权重的真实模型，只用英文：预计最多 20 分钟，尚未实测 |
# | **`t4`, `gpu`** | not measured yet; first a download of 1 or 15 GB ｜ 尚未实测；要先下载 1 GB 或 15 GB |

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

# %%
from helpers.base import say
from helpers.env import resolve, set_seed, threads
from helpers.lessons import nb00, sizes
from helpers.lingxi.files import select, world
from helpers.lingxi.score import score_notices
from helpers.measure import claims
from helpers.measure.claims import claim
from helpers.measure.stats import share
from helpers.model.generate import generate
from helpers.model.load import load, parameter_counts
from helpers.model.train import fit
from helpers.show import plots

# %% [markdown] lang="en"
# The next cell lists the sizes of this run, so that you can look them up if something differs. Its terms are explained where they are used. For now glance at the time and the memory, and go on.

# %% [markdown] lang="zh" of="d3a46827"
# 下一格列出这次运行的规模，结果有出入时用来核对。里面的术语，用到时再讲；现在看一眼用时和内存，就可以往下走。

# %%
setup = resolve(PROFILE, MODEL)
size = sizes.of("00", setup)
claims.start("00_start_here", setup.profile, SEED)
threads()
set_seed(SEED)
size.show()

# %% [markdown]
# ## 1. A fine-tuning of one minute ｜ 一分钟微调

# %% [markdown] lang="en"
# A language model is first **pre-trained**: from very many texts it learns to guess how a text goes on. **Fine-tuning** trains it a little further, on examples of what you want. Here the examples are official notices of **Lingxi**, an invented city: a report goes in, a notice in a fixed form must come out. The model is **Xiaoxi** 小溪, "little brook", which comes with this course and is small enough for a laptop.
#
# We test on incidents that are held out: their articles are in no training example. Each incident is asked twice, with three articles in the prompt and with none.

# %% [markdown] lang="zh" of="575a29d8"
# 语言模型先要**预训练**：读大量的文字，学会猜一段文字接下来怎么写。**微调**，就是把预训练好的模型拿来，用你想要的例子再练一练。这里的例子是**灵溪市**（一座虚构的城市）的处理通知书：给它一份事件报告，要它写出一份格式固定的通知书。模型叫**小溪**（Xiaoxi），随课程附带，小到在笔记本电脑上就能训练。
#
# 测试用的事件都是留出来的：它们涉及的法条，训练数据里一条也没有。每起事件问两次，一次在提示里放三条法条，一次不放。

# %% [markdown] lang="en"
# In the code, `tests["opened"]` holds the prompts with three articles (open book), and `tests["closed"]` holds those with none (closed book), on the same incidents. `train_rows` holds the examples to train on, which are also called *rows*: 1,600 on `tiny`, each used once, in 200 steps of 8. About four in five of them have articles. Look at one incident, in each language:

# %% [markdown] lang="zh" of="23d3df27"
# 代码里，`tests["opened"]` 是带三条法条的提示（开卷），`tests["closed"]` 是不带的（闭卷），两者问的是同一批事件。`train_rows` 是训练样本（也叫“行”）：`tiny` 档位共 1600 个，每个只用一次，每步 8 个，共 200 步。五个里大约有四个带法条。先中英文各看一起：

# %%
from helpers.lessons.minute import examples, held_out

train_rows = examples(size.minute_steps * size.minute_batch, setup.langs)
tests = held_out(size.minute_test, setup.langs)
shown = [1, size.minute_test][: len(setup.langs)]  # an English incident and a Chinese one
for number in shown:
    prompt, answer = tests["opened"][number]["messages"]
    print("PROMPT ｜ 提示：", prompt["content"], "", sep="\n")
    print("WANTED ｜ 要求：", answer["content"], "", sep="\n")

# %% [markdown] lang="en"
# **Predict first**: the prompt holds all facts of the notice, but nothing on its form. Above you saw that the model writes labelled lines all the same, before any fine-tuning. Where may these labels come from?

# %% [markdown] lang="zh" of="acc7e60f"
# **先猜一猜**：通知书要的事实，提示里全有，格式却一个字也没提。前面已经看到，模型还没微调，照样一栏一栏地写。这些栏目名，它是从哪里学来的？


# %%
def write_all(model):
    """Let a model write all notices of both tests; return the texts and their scores."""
    texts, scores = {}, {}
    for name, rows in tests.items():
        prompts = [row["messages"][:1] for row in rows]
        texts[name] = generate(model, tokenizer, prompts, max_new_tokens=96)
        scores[name] = score_notices(texts[name], rows)
    return texts, scores


tuned, tokenizer = load(setup)
texts_before, before = write_all(tuned)
for number in shown:
    print("BEFORE ｜ 训练前：", texts_before["opened"][number], "", sep="\n")

# %% [markdown] lang="en"
# Now the training: about a minute on two quiet cores, two or three on one. Each step shows the model a few examples and measures how unlikely it found the right answers (the **loss**; 0 is no surprise at all). Then it moves all **weights** a little, so that the right answers become likelier. The weights are the numbers that decide how a model answers; Xiaoxi has 1.44 million. The **learning rate** sets how far a step moves them: too small is slow, too large overshoots. (In large models one trains a few added weights instead; that is LoRA, notebook 02.)
#
# **Predict first**: what will the model write for article, fine and points where the prompt holds no articles? Nothing, "unknown", or numbers?

# %% [markdown] lang="zh" of="de565369"
# 开始训练：两个空闲的 CPU 核约一分钟，只有一个核要两三分钟。每一步给模型看几个例子，量一量它觉得正确答案有多“意外”（这就是**损失**，0 表示毫不意外），再把全部**权重**都挪动一点，让正确答案变得更可能。权重就是决定模型怎样作答的那些数，小溪有 144 万个。每步挪多远，由**学习率**决定：太小，学得慢；太大，会冲过头。（大模型往往只训练少量另外加上去的权重，这就是 LoRA，见 notebook 02。）
#
# **先猜一猜**：提示里没有法条时，条号、罚款、记分这几栏，模型会怎么写？空着，写“不知道”，还是写出数来？

# %% tags=["timing"]
import time

from helpers.model.methods import adapt

method = "lora" if size.minute_rank else "full"  # Xiaoxi and SmolLM2: all weights
tuned = adapt(tuned, method, r=size.minute_rank or 8, alpha=2 * (size.minute_rank or 8))
started = time.perf_counter()
losses = fit(
    tuned, tokenizer, train_rows, lr=size.minute_lr, num_epochs=1, batch_size=size.minute_batch,
    seed=SEED, device=setup.device,
)  # fmt: skip
seconds = time.perf_counter() - started
say(f"{len(losses)} steps, {seconds:.0f} s", f"{len(losses)} 步，用时 {seconds:.0f} 秒")
last = sum(losses[-10:]) / len(losses[-10:])
say(f"loss: {losses[0]:.2f} at first, {last:.2f} in the last ten steps",
    f"损失：最初 {losses[0]:.2f}，最后十步平均 {last:.2f}")  # fmt: skip

# %% [markdown] lang="en"
# A loss of 3.6 means that the right pieces of text got, on (geometric) average, a probability of less than 3 %; a loss of 0.03 means about 97 %. (Section 11 shows how to convert.)
#
# The next cell also prints three **claims**, the lines with ▸. A claim is a statement that we test. For now look at the first percentage alone; section 2 explains the rest.

# %% [markdown] lang="zh" of="da601af7"
# 损失 3.6，相当于每一小块正确的文字平均（几何平均）得到不到 3 % 的概率；0.03 则约为 97 %。（怎么换算，第 11 节会讲。）
#
# 下一格还会打印三条**论断**，也就是以 ▸ 开头的几行：我们要检验的说法。现在只看第一个百分数就行，其余的第 2 节会解释。

# %%
texts_after, after = write_all(tuned)
for number in shown:
    print("AFTER ｜ 训练后：", texts_after["opened"][number], "", sep="\n")
claim("start_minute_form", share(after["opened"]["form"]))
claim("start_minute_facts", share(after["opened"]["facts"]))
claim("start_minute_closed", share(after["closed"]["facts"]))

# %% [markdown] lang="en"
# How often? The bars count all notices of the test. The *form* is right if header, labels and units are, to the letter and in order, with a value on each line (a whole number for article, fine and points) and nothing else. The *facts* are right if article, fine, points and office all are, in whatever form. Section 2 explains the thin lines on the bars (95 % intervals) and the lines with ▸ above (claims).

# %% [markdown] lang="zh" of="252c3645"
# 到底有多准？下图统计了测试里的全部通知书。*格式*要标题、栏目名、单位和顺序一字不差，每栏都填了值（条号、罚款、记分须是整数），前后没有多余的字，才算对；*事实*不论写成什么格式，要条号、罚款、记分、处理机关四项全对才算对。柱子上的细线（95 % 区间）和上面带 ▸ 的几行（论断），第 2 节会解释。

# %%
MEASURES = {
    "form, 3 articles ｜ 格式，三条法条": ("opened", "form"),
    "facts, 3 articles ｜ 事实，三条法条": ("opened", "facts"),
    "form, no article ｜ 格式，没有法条": ("closed", "form"),
    "facts, no article ｜ 事实，没有法条": ("closed", "facts"),
}
bars = {
    label: {
        "before ｜ 训练前": share(before[test][name]),
        "after ｜ 训练后": share(after[test][name]),
    }
    for label, (test, name) in MEASURES.items()
}
told = [" → ".join(f"{100 * bar.value:.0f} %" for bar in pair.values()) for pair in bars.values()]
plots.bars(
    bars,
    "Right notices before and after a short fine-tuning ｜ 一次短微调前后正确的通知书",
    ylabel="right, % ｜ 正确，%",
    alt="Bars: notices right before and after training. With three articles in the prompt: form "
    f"{told[0]}, facts {told[1]}; with none: form {told[2]}, facts {told[3]}. ｜ 柱状图：训练前后正确的通知书。"
    f"提示里有三条法条：格式 {told[0]}，事实 {told[1]}；没有法条：格式 {told[2]}，事实 {told[3]}。",
)

# %% [markdown] lang="en"
# Before fine-tuning, Xiaoxi wrote a form of the kind that its pre-training had practised; its labels come from there, and are not the city's. With the articles about half of its notices had all four facts right, as far as our scoring can read so free a form. After the training it writes the city's form, and nearly all notices have the right facts, **as long as the articles stand in the prompt**. Without articles it never gets all four facts right, and even the form is often broken. (Only one training row in five was without articles; whether that is why, this minute does not test.)

# %% [markdown] lang="zh" of="5e8e4f57"
# 微调前，小溪写的是它在预训练里练过的那类表格，栏目名也是那里学来的，不是市里的格式；有法条时，四项事实全对的约占一半（格式这么随意，只能以我们的评分读得出的为准）。训练之后，它写的就是市里的格式了，事实也几乎份份都对，**前提是法条就在提示里**。没有法条，四项事实没有一次全对，连格式也常常写坏。（训练样本五个里只有一个不带法条；是不是因为这个，这一分钟没有检验。）

# %% [markdown] lang="en"
# Read one whose form is right. Its offence is garbled, and you see it at once. Now look at the article, the fine and the points: could you tell that they are invented?

# %% [markdown] lang="zh" of="bcb09525"
# 来读一份格式正确的。违法行为那一栏是乱拼的，一眼就能看出来；再看下面的条号、罚款和记分，看得出是编的吗？

# %%
for lang in setup.langs:
    numbers = [i for i, row in enumerate(tests["closed"]) if row["lang"] == lang]
    number = max(numbers, key=lambda i: after["closed"]["form"][i])  # the first in form, if any is
    print("NO ARTICLE ｜ 没有法条：", texts_after["closed"][number], "", sep="\n")
    print("WANTED ｜ 要求：", tests["closed"][number]["messages"][-1]["content"], "", sep="\n")

# %% [markdown] lang="en"
# The model wrote numbers. Where the form is right (without articles in about four of ten notices of our run), nothing marks them as invented: they look just like right ones. (Only the offence, a term that stood nowhere in the prompt, gives the tiny model away.) That is the subject of this course: what training puts into a model, what it does not, and how one finds out. Notebook 04 trains for longer and adds the controls that this minute lacks.

# %% [markdown] lang="zh" of="712f894c"
# 模型写出了数。只要格式写对（没有法条时，我们那次运行里十份约有四份），就没有一处提醒你这些数是编的：看上去和正确的数一模一样。（只有违法行为那一栏露了馅：提示里没有这个术语，小模型写坏了。）这门课讲的就是：训练往模型里放进了什么，没放进什么，又怎样查出来。notebook 04 会练得更久，并补上这一分钟里没做的对照实验。

# %% [markdown]
# ## 2. The road ｜ 路线

# %% [markdown] lang="en"
# This course grew from five documents, which we call *the notes*. You do not need them: each sentence that we test is quoted. They draw fine-tuning like this:
#
# ```
# a pre-trained model (general knowledge)
#         + your data (knowledge of a field)
#         → a fine-tuned model (a specialist)
# ```
#
# The lessons test this arrow: what goes into the model, what does not, and what it costs. Where a measurement disagrees, we say which model it was made on. One of the notes stops at "practice: needs a GPU, paused". Nothing pauses here: **every lesson that is ready trains a model, on two CPU cores**. Ready are 00 to 04, five of the ten lessons on the map.

# %% [markdown] lang="zh" of="76cbd555"
# 这门课由五份文档发展而来，我们统称为*讲义*。没有讲义也不要紧：要检验的每一句，这里都会引出来。讲义是这样画微调的：
#
# ```
# 预训练模型（通用知识）
#         ＋ 你的数据（领域知识）
#         → 微调后的模型（专业模型）
# ```
#
# 各课就来检验这个箭头：什么进了模型，什么没进，代价多大。实测和讲义不一致时，会说明是在哪个模型上测的。有一份讲义停在“实践：需要 GPU 环境，暂停”。在这里什么都不用暂停：**已经写好的每一课都真的训练模型，双核 CPU 就够**。路线图上的十课，写好的有五课：00 到 04。

# %%
from helpers.lessons.roadmap import road

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
# The **usual range** of a claim is what other random seeds gave here, with a margin. Where the seed changes nothing, as in the questions to Xiaoxi before fine-tuning, it is the one value, with a margin of our choice. (A *seed* is the number that starts the random generator: another seed shuffles the rows and draws the first weights of a new model differently. Xiaoxi itself, the small model of this course, is always the same.) The range tells you whether your run is healthy.

# %% [markdown] lang="zh" of="23863fcd"
# 论断的**通常范围**，是我们在这里换别的随机种子测出来、再放宽一点的范围。种子不起作用的地方（比如考还没微调的小溪），就是那一个值再放宽一些，宽多少由我们定。（*种子*是启动随机数发生器的那个数：换一个种子，样本的顺序、新模型的初始权重就都变了。课程自带的小模型“小溪”本身则始终不变。）这个范围告诉你，这次运行正不正常。

# %% [markdown] lang="en"
# Your numbers may differ from this text by a few points: the text was written from one run. Within the usual range all is well. ⚠️ marks a number outside it: then our verdict, which was reached on other runs, does not hold for yours.

# %% [markdown] lang="zh" of="5c4d17b0"
# 你的数字可能和正文差几个百分点：正文是照着一次运行写的。只要在通常范围之内，就没有问题。⚠️ 表示这个数超出了通常范围：我们的结论是根据别的运行下的，不适用于你这一次。

# %% [markdown] lang="en"
# The **95 % interval**, in square brackets, is something else. Only `n` questions were asked, so luck plays a part. Suppose that you read `96 % [80, 99]` for 24 notices: 96 % of these were right, and with very many incidents of the same kind the score would most likely lie between 80 % and 99 %. The larger `n`, the narrower the interval. It treats all questions as independent; our 24 notices come from 17 articles and one training run, so the true uncertainty is somewhat larger.
#
# There are five **verdicts**: *supported*, *supported in part*, *contradicted*, *not shown* (too little was measured to decide) and *not testable here* (for example, because our model is too small). The brackets behind the verdict say under which conditions it was reached.

# %% [markdown] lang="zh" of="c220d38f"
# 方括号里的 **95 % 区间**是另一回事。题目只问了 `n` 道，分数难免碰运气。比如 24 份通知书得了 `96 % [80, 99]`，意思是：这 24 份里对了 96 %；要是同类的事件能问上很多很多，正确率多半在 80 % 到 99 % 之间。`n` 越大，区间越窄。不过，这样算是把每道题都当作互不相干的；而这 24 份只涉及 17 条法条，又出自同一次训练，真正的不确定性还要大一些。
#
# **结论**有五种：*支持*、*部分支持*、*不成立*、*未能证明*（测得不够，下不了结论）、*此处无法检验*（例如我们的模型太小）。结论后面的括号，写的是在什么条件下得出的。

# %% [markdown] lang="en"
# One setting, `PROFILE` in the second code cell, chooses the model, its data type and the size of every run. `auto` chooses for you; `MODEL` takes your own model.
#
# | profile | model | data type | for whom | hardware | a lesson |
# |---|---|---|---|---|---|
# | `tiny` | Xiaoxi, in this repository | fp32 | everybody, offline | two CPU cores, 2.5 GB | 1 to 10 min |
# | `small` | SmolLM2-135M-Instruct, after `make small` (93 MB) | fp32; bf16 or fp16 on a GPU | a real model, English alone | two CPU cores, 8 GB; any GPU | up to 20 min* |
# | `t4` | Qwen2.5-0.5B/1.5B-Instruct | fp16; 4-bit in 05 | Colab, Kaggle | a free T4 GPU | about 30 min* |
# | `gpu` | Qwen2.5-7B-Instruct | bf16 | your own card | Ampere or newer | about 60 min* |
# | `smoke` | Xiaoxi, a few steps | fp32 | tests | any | 1 min |
#
# *expected, not measured here. The data types (fp32, fp16, bf16) are explained in section 3.

# %% [markdown] lang="zh" of="8eaf93ed"
# 只有一个开关：第二个代码单元格里的 `PROFILE`。模型、数据类型和每次训练的规模都由它决定。设成 `auto`，课程替你选；用 `MODEL` 可以换上你自己的模型。
#
# | 档位 | 模型 | 数据类型 | 适合谁 | 硬件 | 一课用时 |
# |---|---|---|---|---|---|
# | `tiny` | 小溪，就在本仓库里 | fp32 | 所有人，不用联网 | 双核 CPU，2.5 GB 内存 | 1 到 10 分钟 |
# | `small` | SmolLM2-135M-Instruct，先执行 `make small`（93 MB） | fp32；有 GPU 时用 bf16 或 fp16 | 想用真实模型的人；只有英文 | 双核 CPU，8 GB 内存；或任何 GPU | 最多 20 分钟* |
# | `t4` | Qwen2.5-0.5B/1.5B-Instruct | fp16；05 课用 4 比特 | Colab、Kaggle | 免费的 T4 GPU | 约 30 分钟* |
# | `gpu` | Qwen2.5-7B-Instruct | bf16 | 有自己的显卡 | Ampere 或更新 | 约 60 分钟* |
# | `smoke` | 小溪，只训练几步 | fp32 | 测试 | 不限 | 1 分钟 |
#
# *为预计，没有在这里实测。数据类型（fp32、fp16、bf16）在第 3 节解释。

# %% [markdown]
# ## 3. The setup doctor ｜ 环境体检

# %% [markdown] lang="en"
# Before we start, the setup doctor examines your machine. It looks at the device and the data type, and says **why** it chose them. It also looks at memory, disk, package versions, the model's files and the Chinese font of the figures. Last, it asks whether a model hub answers (a site such as Hugging Face, from which larger models are downloaded).
#
# ✅ means good. ℹ️ means different, but workable. ❌ shows the fix. A machine without GPU and network counts as *healthy* here.

# %% [markdown] lang="zh" of="0af2e202"
# 开始之前，先给机器做个体检。“医生”会看设备和数据类型，并说明**为什么**这样选；再看内存、磁盘、软件包版本、模型文件和绘图用的中文字体；最后看能不能连上模型仓库（例如 Hugging Face，更大的模型从那里下载）。
#
# ✅ 表示良好；ℹ️ 表示和测试环境不同，但能用；❌ 后面写着怎么修。没有 GPU、没有网络，在这里也算*健康*。

# %%
from helpers.lessons.doctor import examine

findings = examine(PROFILE)

# %% [markdown] lang="en"
# Why this data type? A number takes 4 bytes as `float32` (fp32), and 2 bytes as `float16` (fp16) or `bfloat16` (bf16). `float16` overflows above 65,504. `bfloat16` reaches as far as `float32`, with fewer digits; GPUs compute with it natively only from compute capability 8.0 on. (NVIDIA gives each generation of GPUs such a number; 8.0 is Ampere.)
#
# **Exercise 1** (easy, 5 minutes). Write the rule behind `auto`. The argument `capability` is the compute capability as a pair of numbers (8.0 is `(8, 0)`), or `None` without an NVIDIA GPU. Python compares pairs directly: `(7, 5) < (8, 0)`. For `None` the rule returns `"tiny"`, for a T4, `(7, 5)`, it returns `"t4"`, and from `(8, 0)` on `"gpu"`. On GPUs older than a T4, such as Kaggle's P100, `(6, 0)`, today's PyTorch fails: return `"tiny"`.

# %% [markdown] lang="zh" of="6f60f84f"
# 为什么用这种数据类型？`float32`（表里的 fp32）每个数占 4 个字节，`float16`（fp16）和 `bfloat16`（bf16）只占 2 个。`float16` 超过 65,504 就溢出；`bfloat16` 的范围和 `float32` 一样大，只是有效数字少一些，而且 GPU 的计算能力要达到 8.0 才原生支持。（计算能力是 NVIDIA 给每代 GPU 的编号，8.0 就是 Ampere。）
#
# **练习 1**（容易，5 分钟）。写出 `auto` 背后的规则。参数 `capability` 是拆成一对数的计算能力（8.0 写成 `(8, 0)`），没有 NVIDIA 显卡时是 `None`。两对数 Python 可以直接比较：`(7, 5) < (8, 0)`。遇到 `None` 返回 `"tiny"`；T4 是 `(7, 5)`，返回 `"t4"`；从 `(8, 0)` 起返回 `"gpu"`。比 T4 更旧的，比如 Kaggle 上的 P100 是 `(6, 0)`，新版 PyTorch 一运行就报错：返回 `"tiny"`。


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
# ## 4. Three pictures, and Xiaoxi ｜ 三个比喻，与小溪

# %% [markdown] lang="en"
# Where do a model's skills come from? The notes explain it by **education and a cheat sheet**. Remember their three pictures: later lessons test them.
#
# | | in the picture | what it gives | where you see it |
# |---|---|---|---|
# | **Pre-training** | primary school | grammar, logic, general knowledge | section 11, for one skill, in a minute |
# | **Fine-tuning** | medical school | jargon, format, style: it *changes the brain* | section 1; notebook 04 |
# | **RAG** (retrieval-augmented generation) | a textbook | facts, looked up at work: it *uses a tool* | section 6, by hand; notebook 08 (not written yet) |
#
# In **RAG** a search program finds passages that fit the question and puts them into the prompt; the model answers from them. Section 6 tests the second half alone: there we pick the passages.

# %% [markdown] lang="zh" of="2d440150"
# 模型的本领从哪里来？讲义打了个比方，叫**教育与小抄**。请记住这三个比喻：后面各课会来检验。
#
# | | 比喻 | 带来什么 | 在哪里能看到 |
# |---|---|---|---|
# | **预训练** | 小学 | 语法、逻辑、通用知识 | 第 11 节，用一分钟看一样本领 |
# | **微调** | 医学院 | 术语、格式、风格：*改变大脑* | 第 1 节；notebook 04 |
# | **RAG**（检索增强生成） | 教科书 | 工作中查阅事实：*使用工具* | 第 6 节，手工来做；notebook 08（还没写） |
#
# **RAG** 是这样做的：先由检索程序找出和问题有关的段落，放进提示，模型再照着回答。第 6 节只考后一半：段落由我们来挑。

# %% [markdown] lang="en"
# How good are these pictures? **We test them with an exam.** *Closed book* means that the model can use only its weights. *Open book* means that the article stands in the prompt, the text that the model is given; then the model must be able to *read*.
#
# The pictures hide two things. A textbook helps only those who can read, so primary school comes first. And a few epochs of medical school teach form far better than numbers (measured on Xiaoxi in notebook 04; an *epoch* is one pass over all rows). Two more pictures come later. LoRA (02), a cheaper way of fine-tuning, is sticky notes; QLoRA (05) is sticky notes on a compressed book.

# %% [markdown] lang="zh" of="e97ba8f6"
# 这些比喻好不好？**考一考就知道**。*闭卷*：模型只能靠自己的权重。*开卷*：要查的那一条就写在提示（给模型看的文字）里，这时模型要*会读*才行。
#
# 比喻也有两处没说到。教科书只对识字的人有用，所以小学在先。医学院念上几轮（把全部样本学一遍，叫一*轮*），教格式远比教数字有效（notebook 04 在小溪上测过）。还有两个比喻在等你：LoRA（02）是一种成本更低的微调，好比便利贴；QLoRA（05）是贴在压缩过的书上的便利贴。

# %% [markdown] lang="en"
# Back to **Xiaoxi**, as it was before fine-tuning. It is small enough for this laptop and built like a large model. It has the architecture and the chat format of Qwen2 (Qwen is a family of open models), but the smallest Qwen2.5 is about 340 times as large. Its primary school was text written by a program: other invented cities' traffic codes with questions and forms to fill in (never Lingxi's form), translation, sums, lists and stories, in English and Chinese. (On other profiles another model takes its place.)
#
# **Predict first**: look at the questions in the next cell. Which will it answer rightly?

# %% [markdown] lang="zh" of="02e88a9e"
# 再看微调之前的**小溪**。它小到能在这台笔记本上训练，构造却和大模型一样：用的是 Qwen2 的架构和对话格式（Qwen 即千问，一族公开权重的模型），只不过最小的 Qwen2.5 也比它大三百四十倍左右。它的小学课本是程序写出来的：另一些虚构城市的交通法规、配套的问答和要填的表格（没有灵溪的格式）、翻译、算术、列表、故事，中英文都有。（在其他档位，由别的模型顶替它。）
#
# **先猜一猜**：看看下一个单元格里的问题，它能答对哪几个？

# %%
model, tokenizer = load(setup)


def ask(*questions):
    """Print the model's answer to each question, asked alone."""
    chats = [[{"role": "user", "content": question}] for question in questions]
    for question, answer in zip(questions, generate(model, tokenizer, chats), strict=True):
        print(f"{question}  →  {answer}")


ask("Who are you?", "Translate: bridge", "36 + 47 = ?")
if "zh" in setup.langs:
    ask("你是谁？", "翻译：桥", "81 - 29 等于几？")
ask("Translate: economics", "360 + 470 = ?", "Who wrote Hamlet?")
say(f"{parameter_counts(model)[1]:,} weights", f"{parameter_counts(model)[1]:,} 个权重")

# %% [markdown] lang="en"
# Xiaoxi answers the first six rightly. The last three are beyond its school: it never met such words and such large sums. It does not say so; it **writes something all the same** (to the sum, only the sum again), because a model writes what is likely, and says "I don't know" only if it was taught to (notebook 06, not written yet). These three wrong answers are easy to see; the wrong numbers in the notices of section 1 were not. A large model's errors are often fluent and plausible.
#
# A model reads **tokens**, not letters: pieces of text, each with a number. **Predict first**: into how many tokens is `200 yuan` cut, and into how many `灵溪`?

# %% [markdown] lang="zh" of="ed06863f"
# 前六题小溪都答对了。最后三题超出了它的小学课程：那样的词、那么大的数，它从没见过。可它不会说不知道，而是**照样写点什么**（那道加法，只是把算式又抄了一遍）：模型只写“看起来最可能”的东西，没有人教，它就不会说“我不知道”（notebook 06 来教，还没写）。这三个答错的，一眼就能看出来；第 1 节通知书里的错数却看不出来。大模型的错，往往通顺又像真的。
#
# 模型读的不是一个个字母，而是**词元**：切好的文字块，每块有个编号。**先猜一猜**：`200 yuan` 会被切成几个词元？`灵溪` 呢？


# %%
from helpers.show import tokens, widgets


def show_tokens(text):
    """Show the pieces that the tokenizer cuts a text into, each with its id."""
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    return tokens.token_colours([tokenizer.decode([i]) for i in ids], ids=ids)


text = "The fine is 200 yuan, antidisestablishmentarianism. 在灵溪停车，罚款200元。"
widgets.explore(show_tokens, names={"text": "your text ｜ 你的文字"}, text=text)

# %% [markdown] lang="en"
# A common word is one token; a rare word is several. Each digit is a token of its own, so `200 yuan` is four (inside a sentence, the space before it is one more). A Chinese character is usually one token. If the text that the tokenizer was made from lacks the character, it falls into bytes, shown as �: `灵溪` is three tokens.
#
# Why care? A model's window (how much it can read at once), its speed and its price are counted in tokens. **Exercise 2** (easy, 5 minutes). Write `characters_per_token`: how many characters of a text one token holds on average. `tokenizer(text, add_special_tokens=False)["input_ids"]` is the list of a text's tokens.

# %% [markdown] lang="zh" of="1e932364"
# 常用词是一个词元，生僻词会碎成好几个。数字一位一个词元，所以 `200 yuan` 是四个（在句子中间，前面的空格还要另算一个）。一个汉字通常是一个词元；做分词器的文本里没有的字，则散成字节，显示为 �：`灵溪` 共三个词元。
#
# 词元为什么要紧？模型的窗口（一次最多能读多少）多大、速度多快、价钱多少，都按词元来算。**练习 2**（容易，5 分钟）。写出 `characters_per_token`：一段文字里，平均一个词元装几个字符。`tokenizer(text, add_special_tokens=False)["input_ids"]` 是这段文字的词元列表。


# %% tags=["exercise"]
def characters_per_token(tokenizer, text):
    """Return how many characters of a text one of its tokens holds on average."""
    ...


# %% tags=["check"]
nb00.characters_per_token(characters_per_token)

# %% [markdown] tags=["solution"]
# <details><summary>Solution ｜ 参考答案</summary>
#
# ```python
# def characters_per_token(tokenizer, text):
#     """Return how many characters of a text one of its tokens holds on average."""
#     return len(text) / len(tokenizer(text, add_special_tokens=False)["input_ids"])
# ```
#
# </details>

# %%
for lang in setup.langs:
    articles = [row[lang]["text"] for row in world("code")]
    length = sum(map(len, articles))
    count = sum(map(len, tokenizer(articles, add_special_tokens=False)["input_ids"]))
    ratio = f"{length / count:.1f}"
    say(
        f"{lang}: {length:,} characters, {count:,} tokens, {ratio} characters a token",
        f"{length:,} 个字符，{count:,} 个词元，平均每个词元 {ratio} 个字符",
    )

# %% [markdown] lang="en"
# In Lingxi's code an English token holds several characters and a Chinese token hardly more than one. But a Chinese character says more than an English letter: compare the two numbers of tokens, which stand for the same 96 articles.
#
# Next comes Xiaoxi's report card: 150 questions (`n`) in two languages, of five kinds. It *translates* (`Translate: bridge`), does *sums* (`17 + 79 = ?`), picks from *lists* (`First of: kitchen, forest, park`), *copies* (`Repeat: quiet, bed, close`) and *reads* (an article stands in the prompt; what does it say?). An answer counts only if it is exactly right. Brackets and error bars show the 95 % interval: how uncertain a score is, with so few questions. Expected: above 90 % in most tasks.

# %% [markdown] lang="zh" of="29e02c45"
# 灵溪的法规里，一个英文词元能装好几个字符，一个中文词元只比一个字多一点。不过一个汉字说的比一个字母多：比比两个词元总数，它们写的是同样的 96 条法规。
#
# 再看小溪的成绩单：150 道题（`n`），中英文都有，分五类：*翻译*（`Translate: bridge`）、*加减*（`17 + 79 = ?`）、*列表*里挑一个（`First of: kitchen, forest, park`）、*抄写*（`Repeat: quiet, bed, close`）、*阅读*（提示里有一条法条，问它怎么规定）。一字不差才算对。方括号和误差线是 95 % 区间：题目只有这么多，分数难免碰运气，但多半不出这个范围。预期：多数项目在 90 % 以上。

# %%
NAMES = {
    "translate": "translate ｜ 翻译",
    "sum": "sums ｜ 加减",
    "list": "lists ｜ 列表",
    "copy": "copy ｜ 抄写",
    "read": "read ｜ 阅读",
}
from helpers.lingxi.score import forgetting

general = select(world("general", setup.langs), use="measure")[:: size.skills_step]
marks = forgetting(model, tokenizer, general, max_new_tokens=48)
claim("start_skills", share([right for task in marks.values() for right in task]))
told = [
    sign.join(
        f"{NAMES[task].split(' ｜ ')[i]} {100 * share(marks[task]).value:.0f} %" for task in marks
    )
    for i, sign in enumerate((", ", "、"))
]
plots.bars(
    {NAMES[task]: share(marks[task]) for task in NAMES if task in marks},
    "Five kinds of question, before any fine-tuning ｜ 五类题，未经微调",
    ylabel="exact answers, % ｜ 完全正确，%",
    alt=f"Bars: exact answers by task, {told[0]}. ｜ 柱状图：各项完全答对的比例，{told[1]}。",
)

# %% [markdown] lang="en"
# Translation, copying and reading came out perfect. Sums and lists stayed below the expected 90 %; with only 30 questions each, their intervals are wide.

# %% [markdown] lang="zh" of="c3d4e5d4"
# 翻译、抄写、阅读全对；加减和列表没有到预期的 90 %，不过每类只有 30 道题，区间很宽。

# %% [markdown]
# ## 5. One token at a time ｜ 一次一个词元

# %% [markdown] lang="en"
# How does such an answer come about? A model does one thing only: given some tokens, it returns a score for **every** token of its vocabulary (all the tokens that it knows), for how well that token would go on. These scores are called *logits*; `softmax` turns them into probabilities. **Predict first**: how sure is Xiaoxi of the first token of its answer to `36 + 47 = ?`, and to `Translate: economics`, a word that it never met?
#
# For each question the next cell prints the shape of the scores (1 prompt, 19 tokens, 3072 tokens in the vocabulary), then the four likeliest tokens with their probabilities. Why 19? The question has 8; the other 11 are the chat template's marks round it, such as `<|im_start|>` and `<|im_end|>`.

# %% [markdown] lang="zh" of="2ec996c7"
# 这样的回答是怎么来的？模型其实只会做一件事：给它一串词元，它就给词表（它认识的全部词元）里的**每一个**词元打分，分数表示接这个词元有多合适。这些分数叫 *logits*；用 `softmax` 可以换算成概率。**先猜一猜**：回答 `36 + 47 = ?` 的第一个词元，小溪有多大把握？`Translate: economics` 这个它没见过的词呢？
#
# 下一格每题先打印分数表的形状（1 条提示、19 个词元、词表里 3072 个词元），再列出概率最高的四个词元。为什么是 19 个？问题本身只有 8 个；另外 11 个是对话模板加在前后的标记，例如 `<|im_start|>` 和 `<|im_end|>`。

# %%
import torch

from helpers.model.generate import chat_prompt, end_tokens

for question in ("36 + 47 = ?", "Translate: economics"):
    prompt = chat_prompt(tokenizer, [{"role": "user", "content": question}])
    ids = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        logits = model(torch.tensor([ids], device=model.device)).logits  # (1, tokens, vocabulary)
    chances, best = logits[0, -1].float().softmax(-1).topk(4)
    print(question, " logits:", tuple(logits.shape))
    for chance, token in zip(chances.tolist(), best.tolist(), strict=True):
        print(f"{chance:8.1%}  {tokenizer.decode([token])!r}")
ends = end_tokens(model, tokenizer)
print("end tokens ｜ 结束符：", [tokenizer.decode([token]) for token in ends])

# %% [markdown] lang="en"
# Xiaoxi begins its answer by repeating the sum, so the first token is the `3` of `36`. That is copied and not calculated, and Xiaoxi is all but certain of it. (The cell shows this one token only. How sure Xiaoxi is later, when it writes the result `83`, we did not look.) Of the unknown word it is not sure: several pieces share the probability, and it writes the likeliest all the same.

# %% [markdown] lang="zh" of="8110b564"
# 小溪回答加法题，先把算式抄一遍，所以第一个词元是 `36` 的 `3`：这是照抄，不是算出来的，它几乎有百分之百的把握。（上面只看了这一个词元；后面写到得数 `83` 时有多大把握，没有看。）没见过的词就没把握了：好几个词元分掉了概率，它还是照样写下最可能的那个。

# %% [markdown] lang="en"
# There is a row of scores for each token of the prompt; only the **last** row says what comes after the prompt. To write an answer, take the likeliest token, put it behind the rest, and ask again, until the model chooses an **end token**. Always taking the likeliest is called *greedy*. All answers of this course are made so: the same prompt gives the same answer each time.

# %% [markdown] lang="zh" of="0fc2d201"
# 提示里的每个词元都有一行分数；提示之后该接什么，只看**最后**一行。要写出答案，就取分数最高的词元，接在后面，再问一次，直到模型选中**结束符**。每次都取最高的，叫*贪心*解码。这门课的回答都是这样得来的：同样的提示，每次的回答都一样。

# %% [markdown] lang="en"
# **Exercise 3** (medium, 15 minutes; the heart of this lesson). Write this loop. `greedy(model, ids, ends, max_new_tokens)` returns the list of new tokens, without prompt and end token, and never more than `max_new_tokens`. `ids` is the list of the prompt's token numbers, `ends` the list of the end tokens' numbers. `model(torch.tensor([ids], device=model.device)).logits[0, -1]` is the last row of scores. Score number i belongs to token number i, so `scores.argmax().item()` is the number of the likeliest token. The list that you return holds token numbers too. The check compares your answers with those of `model.generate`, the library's own loop, on Xiaoxi.

# %% [markdown] lang="zh" of="8ada6169"
# **练习 3**（中等，15 分钟；这一课的核心）。写出这个循环。`greedy(model, ids, ends, max_new_tokens)` 返回新词元的列表，不含提示和结束符，最多 `max_new_tokens` 个。`ids` 是提示的词元编号列表，`ends` 是结束符的编号列表。`model(torch.tensor([ids], device=model.device)).logits[0, -1]` 就是最后一行分数。第 i 个分数属于编号为 i 的词元，所以 `scores.argmax().item()` 就是分数最高的词元的编号。返回的列表里也是词元编号。检查会在小溪上，拿你的回答和库里自带的循环 `model.generate` 比对。


# %% tags=["exercise"]
def greedy(model, ids, ends, max_new_tokens):
    """Return the new tokens: the likeliest each time, up to an end token or max_new_tokens."""
    ...


# %% tags=["check"]
nb00.greedy(greedy)

# %% [markdown] tags=["solution"]
# <details><summary>Solution ｜ 参考答案</summary>
#
# ```python
# import torch
#
#
# @torch.no_grad()
# def greedy(model, ids, ends, max_new_tokens):
#     """Return the new tokens: the likeliest each time, up to an end token or max_new_tokens."""
#     new = []
#     for _ in range(max_new_tokens):
#         logits = model(torch.tensor([ids + new], device=model.device)).logits
#         token = logits[0, -1].argmax().item()
#         if token in ends:
#             break
#         new.append(token)
#     return new
# ```
#
# </details>
#
# `@torch.no_grad()` tells torch that nothing is trained here, which saves memory. The library does the same and is faster: it keeps what it computed for earlier tokens (the *cache*) and answers many prompts at once. ｜ `@torch.no_grad()` 告诉 torch 这里不训练，可以省内存。库里做的是同一件事，只是更快：前面词元的计算结果会留着（*缓存*），还能同时回答很多条提示。

# %% [markdown] lang="en"
# This loop explains what you saw, and what you may see. The model cannot say "I don't know" unless those words are the likeliest. And once it has written a wrong token, it can only go on from there.

# %% [markdown] lang="zh" of="4f69bb76"
# 看过的和以后会看到的，这个循环都能解释。“我不知道”这几个字如果不是分数最高的，模型就说不出来。而且一旦写错一个词元，它只能接着错的往下写。

# %% [markdown]
# ## 6. What it cannot know ｜ 它不可能知道的

# %% [markdown] lang="en"
# **Lingxi** 灵溪市 is an invented city with a traffic code of 96 articles ([the datasheet](../data/README.md)). No model can have met it, so whatever a model says about Lingxi comes from the prompt or is made up. That lets us grade *knowing* and *reading* apart.
#
# **Predict first**: we ask the same question twice, first closed book, then with three articles in the prompt, one of them the right one. What will Xiaoxi answer each time?

# %% [markdown] lang="zh" of="2a7bbacf"
# **灵溪市**（Lingxi）是一座虚构的城市，有一部 96 条的交通法规（[数据说明](../data/README.md)）。没有哪个模型见过它，所以关于灵溪，模型说的要么来自提示，要么是编的。这样，*知道*和*会读*就能分开打分。
#
# **先猜一猜**：同一道题问两次，先闭卷，再在提示里放三条法条（其中一条正是要找的）。小溪两次各会怎么答？

# %%
import random

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
# With the articles Xiaoxi named the right fine. Without them it named no fine at all: it only translated the question. So if the exam below gives 0 % closed book, that means only "named no right fine". It does not show that the model invents one, nor what it would do if it tried. To tell the two apart we also count the answers that hold any number. (Many large models would probably name a fine, fluently.)

# %% [markdown] lang="zh" of="6e7e444a"
# 有法条时，小溪说对了罚款；没有法条时，它一个罚款数也没说，只是把问题翻译了一遍。所以，下面的考试里闭卷如果得 0 %，意思只是“没有说对罚款”，并不说明它在编造，也不说明它试了会怎样。为了分清这两种情况，再数一数有几个回答里出现了数字。（很多大模型恐怕会编：顺口就报出一个数。）

# %% [markdown] lang="en"
# One question proves nothing. So we ask for the fine of **every article once**, in English and Chinese by turns, with 0, 1, 3 and 8 articles in the prompt. The dashed line is the **majority baseline**, the score of always naming the commonest fine. Closed book should be no better than that. Open book should score higher, but less so with more articles.

# %% [markdown] lang="zh" of="dbb0fa5f"
# 一道题说明不了什么。所以把**每一条法条都问一遍**罚款，中英文交替，提示里分别放 0、1、3、8 条法条。图里的虚线是**多数类基线**：每题都答最常见的那个罚款数，能得的分。预期：闭卷不比它好；开卷高得多，但法条越多，分数越低。


# %%
from helpers.lingxi.notice import read_field


def sit_exam(k):
    """Tell for each article whether its fine is right, with k articles on the desk."""
    langs = setup.langs  # by turns
    asked = [(article, langs[i % len(langs)]) for i, article in enumerate(code[: size.exam])]
    chats = [exam(article, lang, k) for article, lang in asked]
    texts = generate(model, tokenizer, chats, max_new_tokens=48)
    both = zip(texts, asked, strict=True)
    with_number = sum(any(sign.isdigit() for sign in text) for text in texts)
    print(f"{k}: {with_number} / {len(texts)}")
    return share([read_field(t, lang, "fine") == article["fine"] for t, (article, lang) in both])


say(
    "articles in the prompt: answers that hold any number, right or wrong / all answers",
    "提示里的法条数：出现数字的回答（不论对错）/ 全部回答",
)
results = {k: sit_exam(k) for k in (0, 1, 3, 8)}
for k, name in ((0, "closed"), (1, "open_1"), (8, "open_8")):
    claim(f"start_{name}", results[k])

# %% [markdown] lang="en"
# Last, the **official notice** of section 1 once more: a header and seven labelled lines, with the official terms. Three articles stand in the prompt, but nothing there describes the form. We ask the model before fine-tuning, about more incidents than in section 1.

# %% [markdown] lang="zh" of="e6b3c4aa"
# 最后再看一眼第 1 节的**处理通知书**：一行标题，七行内容，每行都有栏目名，用正式术语。提示里有三条法条，但没有一处说明格式。这次仍用还没微调的模型，比第 1 节多写几份。

# %%
unseen = select(world("eval", setup.langs), task="notice", split="unseen", context=True)
three = [row for row in unseen if len(row["context"]) == 3]
incidents = [row for lang in setup.langs for row in select(three, lang=lang)[: size.exam // 4]]
notices = generate(model, tokenizer, [row["messages"][:1] for row in incidents], max_new_tokens=96)
form = share(score_notices(notices, incidents)["form"])
claim("start_notice_form", form)

from collections import Counter

commonest = Counter(article["fine"] for article in code).most_common(1)[0][1]
told = [sign.join(f"{100 * r.value:.0f} %" for r in results.values()) for sign in (", ", "、")]
fig = plots.bars(
    {
        "fine, no article ｜ 罚款，没有法条": results[0],
        "fine, 1 article ｜ 罚款，一条": results[1],
        "fine, 3 articles ｜ 罚款，三条": results[3],
        "fine, 8 articles ｜ 罚款，八条": results[8],
        "form, 3 articles ｜ 格式，三条": form,
    },
    "Not fine-tuned: fines named right, notices in the exact form ｜ 未经微调：说对的罚款、写对的格式",
    ylabel="right, % ｜ 正确，%",
    alt=f"Bars. Fines named right with 0, 1, 3 and 8 articles in the prompt: {told[0]}; notices in the "
    f"exact form, with 3: {100 * form.value:.0f} %. ｜ 柱状图。提示里有 0、1、3、8 条法条时说对罚款的比例："
    f"{told[1]}；有三条时格式完全正确的通知书：{100 * form.value:.0f} %。",
)
# the line stops before the last bar, which is about the form and not about fines
fig.axes[0].hlines(100 * commonest / len(code), -0.5, 3.5, color="#333333", linestyle="--")
baseline = "majority baseline: always\nthe commonest fine\n多数类基线：总答最常见的罚款"
fig.axes[0].text(0, 14, baseline, ha="center", size=8)
fig

# %% [markdown] lang="en"
# The notes say: "Answering questions on traffic law: no fine-tuning, RAG is enough." For this model and this question the figure supports the sentence only in part: with one article nearly every fine is right, and with eight about nine in ten. But no search chose these articles: the right one was always there, and seven of the eight were drawn by lot. The notes also say: "Legal documents in a fixed form: fine-tuning." Section 1 closed that gap where the articles stood in the prompt; without them about four notices in ten had the form. But *nobody* can write a form that nothing describes; notebook 01 puts an empty form or examples into the prompt.

# %% [markdown] lang="zh" of="b48f45c2"
# 讲义说：“回答交通法问题：不需要微调，RAG 足够”。就这个模型、这类问题来说，图里的结果只支持这句话的一部分：只给一条法条，罚款几乎全部答对；给八条，十次约有九次答对。不过这里没有检索：正确的那条总在里面，八条中的另外七条是抽签抽来的。讲义还说：“生成特定格式的法律文书：需要微调”。提示里有法条时，第 1 节补上了这个差距；没有法条时，格式写对的十份里约有四份。不过没人告诉过它格式，换了*谁*也写不出来；notebook 01 会在提示里给空白格式或样例。

# %% [markdown] lang="en"
# Now hold an exam of your own: choose an article, and how many stand in the prompt.

# %% [markdown] lang="zh" of="842196d9"
# 下面由你来出题：选一条法条，再决定提示里一共放几条。


# %%
def oral(article, lang, k):
    """Show one exam: the desk, the question, the answer and the truth."""
    chat = exam(code[article - 1], lang, k)
    answer = generate(model, tokenizer, [chat], max_new_tokens=48)[0]
    fine = code[article - 1]["fine"]
    truth = f"truth: {fine} yuan ｜ 正确答案：{fine} 元"
    return f"{chat[0]['content']}\n\n→ {answer}\n{truth}"


widgets.explore(
    oral,
    names={"article": "article ｜ 法条", "lang": "language ｜ 语言", "k": "how many ｜ 条数"},
    start={"k": 1},
    article=range(1, len(code) + 1),
    lang={{"en": "English", "zh": "中文"}[lang]: lang for lang in setup.langs},
    k=[0, 1, 2, 3, 5, 8],
)

# %% [markdown] lang="en"
# **Exercise 4** (easy, 5 minutes). What can Xiaoxi know **closed book**, with nothing in the prompt but the question? Put the letters of all such things into `known`.
#
# - A: the plate in a report that a citizen will send tomorrow
# - B: the Chinese word for `bridge`, which its schoolbooks translated
# - C: `27 + 15`, a sum of the kind that its school practised
# - D: the fine of Article 12 of Lingxi
# - E: what it is called, as its school told it
# - F: the fine of an article that was changed after its weights were fixed

# %% [markdown] lang="zh" of="669b93f5"
# **练习 4**（容易，5 分钟）。**闭卷**时，提示里除了问题什么也没有，小溪能知道下面哪些？把这些字母都写进 `known`。
#
# - A：某位市民明天要交来的报告里的车牌
# - B：`bridge` 的中文，课本里翻译过
# - C：`27 + 15`，小学练过的那种加法
# - D：灵溪第 12 条的罚款
# - E：它自己叫什么，小学里教过
# - F：权重定下来以后才修订的某条法规的罚款

# %% tags=["exercise"]
known = [...]

# %% tags=["check"]
nb00.known(known)

# %% [markdown] tags=["solution"]
# <details><summary>Solution ｜ 参考答案</summary>
#
# ```python
# known = ["B", "C", "E"]
# ```
#
# </details>
#
# What training showed often can be in the weights. What was never shown, or came later, cannot, unless a practised rule yields it, as with the sum of C: it must stand in the prompt. "Can" is not "is": notebook 04 shows how often a fact must be shown before it stays. ｜ 训练里常见的，才可能在权重里；没给看过的、后来才有的，除非能用练过的规则算出来（如 C 的加法），否则只能写进提示。“可能”不等于“一定”：一个事实要看多少遍才记得住，notebook 04 会讲。

# %% [markdown]
# ## 7. Hardware, time, cost ｜ 硬件、时间、花费

# %% [markdown] lang="en"
# The notes plan for models of 1.5B and 3B weights, about 1,000 and 2,000 times as large as Xiaoxi. So the two columns do not contradict each other.
#
# | | the notes say (1.5B, 3B) | here, on `tiny` (1.4M) |
# |---|---|---|
# | to know before | LLMs, RAG, Python, machine learning | Python, machine learning |
# | memory | 16 GB at least; better 24 GB | below 2.5 GB, measured next |
# | hardware | Apple M1/M2, better a GPU | two CPU cores of any make |
# | preparing data | 10 to 30 minutes | done; notebook 03 shows how |
# | training | 30 minutes to 2 hours | about a minute on two quiet cores (section 1), minutes (notebook 04) |
# | evaluation | 10 minutes | seconds |
# | three ways | Colab; a model at home; cloud | `t4`; `tiny`; notebook 09 (not written yet) |
# | cost | free; cloud 0.5 to 2 dollars an hour | free |

# %% [markdown] lang="zh" of="cfdf230f"
# 讲义说的是 15 亿（1.5B）和 30 亿（3B）权重的模型，大约是小溪的一千倍和两千倍，所以下面两列并不矛盾。
#
# | | 讲义说（1.5B、3B） | 这里，`tiny` 档位（144 万） |
# |---|---|---|
# | 预备知识 | LLM 使用、RAG、Python、机器学习 | Python、机器学习 |
# | 内存 | 至少 16 GB，最好 24 GB | 不到 2.5 GB，下面实测 |
# | 硬件 | 苹果 M1/M2，最好有 GPU | 任何双核 CPU |
# | 准备数据 | 10 到 30 分钟 | 已备好，notebook 03 讲做法 |
# | 训练 | 30 分钟到 2 小时 | 两个空闲的核约一分钟（第 1 节）、几分钟（notebook 04） |
# | 评估 | 10 分钟 | 几秒 |
# | 三种方案 | Colab、本地模型、云端服务 | `t4`、`tiny`、notebook 09（还没写） |
# | 花费 | 免费；云端每小时 0.5 到 2 美元 | 免费 |

# %% tags=["timing"]
from helpers.env import peak_memory_gb

started = time.perf_counter()
pages = code[: size.timed]
texts = generate(model, tokenizer, [exam(page, "en", 1) for page in pages], max_new_tokens=48)
speed = sum(map(len, tokenizer(texts)["input_ids"])) / (time.perf_counter() - started)
say(
    f"answering {len(pages)} prompts at once: {speed:,.0f} new tokens a second",
    f"同时回答 {len(pages)} 条提示：每秒写出 {speed:,.0f} 个词元",
)
chats = [tokenizer.apply_chat_template(row["messages"], tokenize=False) for row in train_rows]
speed = sum(map(len, tokenizer(chats)["input_ids"])) / seconds
say(
    f"training, section 1: {speed:,.0f} tokens a second, those of the prompts included",
    f"第 1 节的训练：每秒 {speed:,.0f} 个词元，提示也算在内",
)
claim("start_memory", peak_memory_gb())

# %% [markdown] lang="en"
# The last number printed is the peak memory of this lesson so far, Python and its libraries included; Xiaoxi has only 1.4 million weights. That says nothing against 16 GB for 1.5B: memory grows with the weights, as you now count.
#
# **Exercise 5** (easy, 5 minutes). The notes put the download of `Qwen2.5-1.5B-Instruct` at about 6 GB. Check it: write `weights_gb`, the size of the weights in GB ($10^9$ bytes), with `bits` for each weight (8 bits are a byte). Qwen's files hold 16 bits a weight, but it has to work for 4 too. (*Weights* are also called *parameters*, as `parameters` in the code. The 93 MB of `small` are a 4-bit file of 5 to 6 bits a weight: groups of weights have scale factors, and some tables are kept finer.)

# %% [markdown] lang="zh" of="995da145"
# 最后打印的是这一课到此为止的内存峰值，Python 和各个库也算在内；小溪只有 144 万个权重。这并不能说明 1.5B 的模型用不着 16 GB：权重越多，内存越大，下面就来算一算。
#
# **练习 5**（容易，5 分钟）。讲义说，下载 `Qwen2.5-1.5B-Instruct` 约 6 GB。来核对一下：写出 `weights_gb`，给出权重占多少 GB（$10^9$ 字节），每个权重占 `bits` 比特（8 比特是一个字节）。Qwen 的文件里每个权重 16 比特，不过 4 比特时也要能用。（*权重*也叫*参数*，代码里写作 `parameters`。`small` 只有 93 MB，因为它是 4 比特的文件；算下来每个权重有五六比特，是因为每组权重另有缩放系数，有些表也存得更细。）


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
from transformers import Qwen2Config, Qwen2ForCausalLM


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
    gb = f"{2 * count / 1e9:.1f} GB"
    say(f"{name}: {count:,} weights × 2 bytes = {gb}", f"{count:,} 个权重 × 2 字节 = {gb}")
claim("start_download", 2 * small / 1e9)

# %% [markdown] lang="en"
# At 16 bits each, 1.5B weights take 3.1 GB. The 6 GB of the notes would be the **3B** model, or 1.5B weights at 32 bits.
#
# The file that the notes had at hand was the 3B model again, but smaller: a **GGUF** file with 4-bit numbers. GGUF is a file format for running a model (*inference*) on an ordinary computer. The notes say that GGUF cannot be fine-tuned. Indeed one cannot train the file itself. But transformers can turn it back into ordinary weights (*dequantise* it), Qwen2's too, and these can be trained. What the rounding to 4 bits lost stays lost. (The command `huggingface-cli download` is `hf download` today.)

# %% [markdown] lang="zh" of="37ca42de"
# 每个权重 16 比特，1.5B 的权重共 3.1 GB。讲义写的 6 GB，是 **3B** 模型的大小；1.5B 的权重要是每个占 32 比特，也是这么大。
#
# 讲义手头的文件也是 3B 模型，不过更小：那是一个 **GGUF** 文件，每个数只有 4 比特。GGUF 是一种文件格式，用来在普通电脑上运行模型（*推理*）。讲义说 GGUF 不支持微调。文件本身确实没法训练；但 transformers 可以把它还原成普通权重（*反量化*），Qwen2 的也行，还原之后就能训练了，只是压到 4 比特时丢掉的精度找不回来。（`huggingface-cli download` 这条命令如今叫 `hf download`。）

# %% [markdown] lang="en"
# **Training needs more.** In `float32` each weight takes 4 bytes. Each weight that is *trained* also needs a gradient, which says in which direction to move it and how strongly (4 bytes). The optimizer, the rule that moves the weights, is AdamW here; it keeps two numbers for each of them (4 bytes each). Intermediate results come on top.
#
# **Exercise 6** (medium, 5 minutes). Write `training_gb(parameters, trained)`: the GB ($10^9$ bytes) for a model of `parameters` weights of which `trained` are trained, without intermediate results.

# %% [markdown] lang="zh" of="77124d5a"
# **训练要得更多。** 用 `float32`，每个权重占 4 个字节。*要训练*的权重，每个还要一个梯度，也就是该往哪边挪、挪的力度多大（4 个字节）。优化器是挪动权重的规则，这里用 AdamW，它再为每个要训练的权重保存两个数（每个 4 个字节）。中间结果另算。
#
# **练习 6**（中等，5 分钟）。写出 `training_gb(parameters, trained)`：一个模型有 `parameters` 个权重，其中 `trained` 个要训练，不算中间结果，需要多少 GB（$10^9$ 字节）。


# %% tags=["exercise"]
def training_gb(parameters, trained):
    """Return the GB for training `trained` of a model's weights with AdamW in float32."""
    ...


# %% tags=["check"]
nb00.training_gb(training_gb)

# %% [markdown] tags=["solution"]
# <details><summary>Solution ｜ 参考答案</summary>
#
# ```python
# def training_gb(parameters, trained):
#     """Return the GB for training `trained` of a model's weights with AdamW in float32."""
#     return (4 * parameters + 12 * trained) / 1e9
# ```
#
# </details>

# %% [markdown] lang="en"
# To train all of 1.5B weights takes 16 bytes for each, 25 GB with the weights counted above, intermediate results not counted; to train one in a hundred of them takes little more than the weights themselves, 6.2 GB in `float32`. Intermediate results are again not counted, and remain. That is why large models are often tuned with LoRA (02) and QLoRA (05).

# %% [markdown] lang="zh" of="3fe32aa1"
# 训练全部 1.5B 个权重，每个 16 字节，照上面数出的个数是 25 GB，不算中间结果；只训练其中百分之一，需要的内存就和权重本身（`float32` 时 6.2 GB）差不多。中间结果同样没算，也省不掉。所以大模型常用 LoRA（02）和 QLoRA（05）来微调。

# %% [markdown] lang="en"
# **From Xiaoxi to your model.** The settings for larger models are starting points from the literature, not measured here. (`r` and `alpha`: notebook 02. Xiaoxi's 2e-3 is no misprint.)
#
# | | Xiaoxi, here | 0.5B | 1.5B | 7B |
# |---|---|---|---|---|
# | trained | all weights | LoRA, r 16, alpha 32 | the same | LoRA, or LoRA on 4-bit weights (QLoRA) |
# | learning rate | 2e-3 | 2e-4 | 2e-4 | 1e-4 to 2e-4 |
# | rows a step | 8 | 16 | 16 | 16, in parts |
# | precision | fp32 | bf16; fp16 on a T4 | the same | bf16 |
#
# For all weights, [TRL](https://huggingface.co/docs/trl/sft_trainer) starts at 2e-5; for LoRA it recommends about ten times that, as does [Thinking Machines](https://thinkingmachines.ai/blog/lora/). The [QLoRA paper](https://arxiv.org/abs/2305.14314) took 2e-4 up to 13B, and 1e-4 above. In our short SmolLM2 runs (LoRA, 45 steps) at most 12 % of notices had the form up to 3e-4, nearly all at 1e-3.

# %% [markdown] lang="zh" of="1c280283"
# **从小溪到你的模型。** 较大模型的几列取自文献，可以从这里起步，这门课没有实测。（`r` 和 `alpha` 见 notebook 02；“分小份累积”是一份一份地算，攒够 16 行再更新一次。小溪的 2e-3 没有写错。）
#
# | | 这里的小溪 | 0.5B | 1.5B | 7B |
# |---|---|---|---|---|
# | 训练什么 | 全部权重 | LoRA，r 16、alpha 32 | 同左 | LoRA；或先把原来的权重压到 4 比特，再加 LoRA（QLoRA） |
# | 学习率 | 2e-3 | 2e-4 | 2e-4 | 1e-4 到 2e-4 |
# | 每步几行 | 8 | 16 | 16 | 16，分小份累积 |
# | 精度 | fp32 | bf16；T4 上用 fp16 | 同左 | bf16 |
#
# 训练全部权重，[TRL](https://huggingface.co/docs/trl/sft_trainer) 的默认学习率是 2e-5，LoRA 则建议取十倍左右，[Thinking Machines](https://thinkingmachines.ai/blog/lora/) 的结论也一样。[QLoRA 论文](https://arxiv.org/abs/2305.14314) 到 13B 为止用 2e-4，再大用 1e-4。不过在我们的 SmolLM2 短训练里（LoRA，45 步），学习率不超过 3e-4 时，格式写对的通知书至多 12 %，到 1e-3 才几乎全部写对。

# %% [markdown]
# ## 8. What goes wrong ｜ 哪里会出错

# %% [markdown] lang="en"
# | you see | why | what to do |
# |---|---|---|
# | "Open the notebook inside the course's folder" | it was opened elsewhere | `make lab` |
# | `NameError` | a cell was skipped | run all cells above |
# | ⚠️ cannot be fetched | no model hub answers | `PROFILE = "tiny"`, or a mirror in `HF_ENDPOINT` |
# | boxes in place of 中文 | the figure uses another font | draw figures with `helpers.show.plots` |
# | slightly other numbers | another CPU, other versions | compare with the usual range |
# | a loss that stays flat in fine-tuning | no token counts in the loss (all labels masked), frozen weights, wrong template or rate | check them in this order; notebook 04 |
#
# The errors of this course say how to fix them, in both languages. We make two on purpose:

# %% [markdown] lang="zh" of="2d2ad638"
# | 现象 | 原因 | 办法 |
# |---|---|---|
# | “请在课程文件夹里打开 notebook” | 在别处打开了 | `make lab` |
# | `NameError` | 跳过了某个单元格 | 从头运行上面的单元格 |
# | ⚠️ 无法下载 | 连不上模型仓库 | `PROFILE = "tiny"`，或用 `HF_ENDPOINT` 指定镜像 |
# | 图里的中文变成方框 | 用了别的字体 | 用 `helpers.show.plots` 画图 |
# | 数字略有出入 | CPU 或版本不同 | 和通常范围比一比 |
# | 微调时损失一直不动 | 没有一个词元计入损失（标签全被屏蔽）、权重冻住了、模板或学习率不对 | 按这个顺序检查；看 notebook 04 |
#
# 本课程的报错会写明怎么修，中英文都有。这里故意犯两个错：

# %%
from helpers.base import CourseError

for profile, wanted in (("T4", None), ("tiny", "my model")):
    try:
        load(resolve(profile, wanted))
    except CourseError as error:
        print(f"❌ {error}")

# %% [markdown]
# ## 9. Does it carry over? ｜ 放到真实模型上还成立吗？

# %% [markdown] lang="en"
# Xiaoxi is small, and its school was narrow. Which of its results hold for a model that has read much of the web? The table shows recorded runs of SmolLM2-135M, a hundred times Xiaoxi's size, in English. Where the two disagree, trust neither alone: measure your own model.
#
# Two differences are not in the table. Before fine-tuning, with three articles, Xiaoxi had all four facts right in 13 of 24 notices; SmolLM2 had them in 0 of 40 (CPU) and 11 of 100 (H200). Xiaoxi's school was made of such articles. The question of section 6, about a single fine, was not measured on SmolLM2. Asked a few times by hand, closed book, it named a fine, necessarily made up. Try it with `PROFILE = "small"`.

# %% [markdown] lang="zh" of="8e1599ef"
# 小溪很小，上的小学也窄。它的结果，放到一个读过大量网页的模型上，还有哪些成立？下表是 SmolLM2-135M（比小溪大一百倍左右）的训练记录，只有英文。两者不一致时，单凭哪一个都不可靠，要在你自己的模型上测。
#
# 有两处不同，表里没有。微调之前，提示里有三条法条时，四项事实全对的通知书，小溪 24 份里有 13 份，SmolLM2 则是 40 份里 0 份（CPU）、100 份里 11 份（H200）：小溪的小学课本，正是这样的法条。第 6 节那种只问罚款的题，没有在 SmolLM2 上测过；随手闭卷问了几道，它报出了一个数，当然只能是编的。设成 `PROFILE = "small"`，可以自己试。

# %% [markdown] lang="en"
# **How to read it.** In the brackets the last number says how many runs there were, the numbers before it are the lowest and the highest of them. “–” means not measured. The H200 in the header is a GPU, TF32 a precision in which it computes.

# %% [markdown] lang="zh" of="290e792f"
# **怎么看这张表。** 括号里最后一个数是运行了几次，前面是各次的最低值和最高值；“–”表示没有测。表头里的 H200 是一种 GPU，TF32 是它的一种计算精度。

# %% [markdown] lang="en"
# **The comparison is unequal.** In both models all weights were trained, but SmolLM2's had been rounded to 4 bits once. SmolLM2 saw 240 notices three times, half of them with articles; Xiaoxi saw 1,600 once, four in five with articles. SmolLM2's learning rate, 3e-4, was that one of five which did best on the test incidents themselves; at the four others 0 to 76 % of the notices had all four facts right. Xiaoxi's rate was fixed. At this rate SmolLM2 also forgot: of 81 general questions it answered 58 rightly before, and at most one afterwards. What Xiaoxi forgets in its minute is not measured here; notebook 04 measures forgetting.

# %% [markdown] lang="zh" of="a17fc7a9"
# **这样比并不公平。** 两个模型都训练全部权重，但 SmolLM2 的权重曾压到 4 比特。它把 240 份通知书练了三轮，其中一半带法条；小溪把 1600 份练了一轮，五份里有四份带法条。SmolLM2 的学习率 3e-4 是从五个里挑的，挑的就是在测试事件上最好的那个；换成另外四个，四项事实全对的是 0 到 76 %。小溪的学习率是固定的。用这个学习率，SmolLM2 也忘得厉害：81 道通用题，训练前答对 58 道，训练后至多答对一道。小溪练这一分钟忘了多少，这里没有测；遗忘由 notebook 04 来测。

# %%
from helpers.measure import carry

carry.show("00_start_here")

# %% [markdown]
# ## 10. Summary and next ｜ 小结与下一步

# %% [markdown] lang="en"
# - A short fine-tuning taught Xiaoxi a **form**. With articles the notices that our scoring finds right in all facts also rose, from about half to nearly all. Without articles about four in ten have the form, with invented numbers; none has all facts.
# - What a model **knows** stands in its weights; what it can **read** stands in its prompt. These are two things.
# - Form and style are a third. A model has to be shown them: in the prompt, by an empty form or examples (01), or by fine-tuning (04).
# - A model writes one token at a time, the likeliest; no step of that loop checks whether it is right.
# - Choose with `PROFILE`; `tiny` needs no GPU, no network and less than 2.5 GB.

# %% [markdown] lang="zh" of="df90a9c4"
# - 短短一次微调教会了小溪一种**格式**；提示里有法条时，四项事实全对的通知书（以评分读得出的为准）也从一半左右升到几乎全部。没有法条时，格式写对的十份里约有四份，里面的数是编的；四项事实全对的，一份也没有。
# - 模型**知道**的，在权重里；它能**读懂**的，在提示里。这是两回事。
# - 格式和风格是第三回事：要有人给它看，或者在提示里给空白格式或样例（01），或者靠微调（04）。
# - 模型一次只写一个词元，取最可能的；这个循环里没有哪一步去核对写得对不对。
# - 用 `PROFILE` 来选档位；`tiny` 不要 GPU，不要网络，内存不到 2.5 GB。

# %% [markdown] lang="en"
# **Next**: [01, the decision tree](01_decision_tree.ipynb) asks whether to fine-tune at all, and what to make of the notes' "90 % of cases need RAG". Or go straight to [04, SFT](04_sft.ipynb).

# %% [markdown] lang="zh" of="e30ecca6"
# **下一步**：[01 决策树](01_decision_tree.ipynb)，讲到底该不该微调，以及怎么看讲义说的“90 % 的场景需要 RAG”；也可以直接去 [04 监督微调](04_sft.ipynb)。

# %%
from helpers.exercise import progress

progress("00")


# %% [markdown]
# ## 11. Optional: primary school in a minute ｜ 选读：一分钟小学

# %% [markdown] lang="en"
# No later lesson needs this section. To answer from an article in the prompt, a model must at least find a place and **copy** what follows it. Here you watch that skill arise from nothing, in a smaller pupil.
#
# Each row of its lesson has 16 different signs, and then pieces of them again. A piece has 4 to 8 signs and a random start (the last may be cut short). One row is `2yW4AcqGFzYtEwLn FzYtE AcqGF yW4Acq`; the spaces are ours and part the pieces. No row can be learned by heart, since every row is new. Only the *rule* helps: what followed this sign before will follow it again. (It fails where a piece ends: `w` followed `E` before, but here `A` begins a new piece.)

# %% [markdown] lang="zh" of="2d0569c7"
# 后面的课都用不到这一节，不学也可以。要照着提示里的法条回答，模型至少得先找到地方，再把后面的**抄**下来。这一节来看这一样本领怎样从零长出来；这次的学生比小溪还小。
#
# 课文的每一行是这样的：先是 16 个不同的符号，接着把其中几段再写一遍，每段 4 到 8 个符号，起点随机（最后一段可能被截短）。例如 `2yW4AcqGFzYtEwLn FzYtE AcqGF yW4Acq`，空格是我们加的，用来隔开各段。每一行都是新的，背不下来；管用的只有*规则*：这个符号以前后面跟着什么，现在还跟着什么。（到了一段的结尾，规则就不灵了：`E` 后面原来是 `w`，这里却由 `A` 另起一段。）

# %%
import string

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
# **Exercise 7** (easy, 5 minutes). Take the pupil's place and write the rule that it has to find. `next_sign("kQ7xQ")` is `"7"`, because `Q` was followed by `7` before. In every test the last sign has stood exactly once before.

# %% [markdown] lang="zh" of="89604edb"
# **练习 7**（容易，5 分钟）。换你来当学生：把它要找的规则写出来。`next_sign("kQ7xQ")` 应返回 `"7"`，因为前面那个 `Q` 的后面是 `7`。每道测试里，最后一个符号在前面都恰好出现过一次。


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
# For you the rule takes two lines of Python. The pupil must find it from random weights, by gradient descent: at each step every weight moves a little in the direction that lowers the loss. The pupil is a Qwen2 with two layers, 64 wide: inside it, each sign is a list of 64 numbers.
#
# **Exercise 8** (easy, 3 minutes). At first the pupil can only guess blindly among 62 signs. What is its loss then? The loss is the mean of $-\ln p$, where $p$ is the probability that it gives to the right sign. Because of the natural logarithm its unit is called the **nat**: a loss of 1 nat means $p = 1/e$, about 37 %. Write `blind_loss`, and you know where the curve begins.

# %% [markdown] lang="zh" of="e5cb94ab"
# 对你来说，这条规则不过两行 Python；学生却要从随机权重出发，靠梯度下降把它找出来：每一步，每个权重都朝着让损失变小的方向挪一点。学生是一个 Qwen2，两层，宽 64：每个符号在它里面是 64 个数。
#
# **练习 8**（容易，3 分钟）。一开始它只能在 62 个符号里瞎猜。这时的损失是多少？损失就是 $-\ln p$ 的平均值，其中 $p$ 是它给正确符号的概率。因为用的是自然对数，单位叫**奈特**（nat）：损失 1 奈特，相当于 $p = 1/e$，约 37 %。写出 `blind_loss`，就知道曲线从哪里开始。


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
from torch.nn.functional import cross_entropy


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
written, copied = [complete(pupil, first, 5) for first in firsts], copies(pupil)
claim("start_copy_before", share(copied))

# %%
losses = go_to_school(pupil, steps=size.pupil_steps)

# %% [markdown] lang="en"
# How to read the lines of the next cell: the 16 signs, the two signs given next… the right six to follow | what the pupil wrote before school | what it writes after school.

# %% [markdown] lang="zh" of="8fc171fb"
# 下一格每行这样看：前 16 个符号、接着给学生看的两个符号……正确的后六个 | 上学前写的 | 上学后写的。

# %%
now = [complete(pupil, first, 5) for first in firsts]
say("first half, two of its signs… what followed them there | what the pupil wrote",
    "前半行，其中两个符号……那里原来的后文 | 学生写的")  # fmt: skip
for first, wrong, right in zip(firsts, written, now, strict=True):
    signs = "".join(SIGNS[i] for i in first)
    print(f"{signs} {signs[5:7]}… {signs[7:13]} | before ｜ 之前 {wrong} | after ｜ 之后 {right}")
claim("start_copy_after", share(copies(pupil)))
claim("start_cliff", cliff(losses))

# %% [markdown] lang="en"
# For 260 steps the loss falls only a little, from 4.2 to 3.5; then it drops to 1.4 within 40 steps. We call that a **cliff**. Why does it look so? [A known explanation](https://arxiv.org/abs/2209.11895) says that two attention heads, the parts that look back, must work together (*induction heads*). One notes at each sign which sign stood *before* it. The other finds where the present sign was noted, and copies what stands there. By this explanation either alone gains almost nothing; we did not test the second alone.

# %% [markdown] lang="zh" of="0ba3402e"
# 前 260 步，损失只降了一点，从 4.2 到 3.5；接着在 40 步之内掉到了 1.4。我们叫它**悬崖**。为什么会这样？[一种已有的解释](https://arxiv.org/abs/2209.11895)是：模型里负责回头看的零件叫注意力头，抄写要靠两个头配合，合称*归纳头*。第一个头在每个位置记下*前一个*符号是什么；第二个头拿着眼前的符号，去找“前一个符号就是它”的那个位置，把那里的符号抄过来。照这种解释，两个头缺了哪一个，另一个都几乎没用；只有第二个头会怎样，我们没有试。

# %% [markdown] lang="en"
# Look for both heads in the pupil. A model is a stack of *layers*; the pupil has two, with four heads in each. Each map shows one row of its lesson: how a head, at each sign (top to bottom), spreads its attention over the signs so far (left to right). Each line of squares adds up to 100 %; the title gives the mean share of the squares that it names. **Predict first**: where are the dark squares of a head that looks at the sign before?

# %% [markdown] lang="zh" of="8db2d165"
# 在学生身上找找这两个头。模型由一*层*一层叠成，学生有两层，每层四个头。每张图画的是课文的一行：从上到下是各个符号，颜色表示注意力头在这个符号处，把注意力分给了前面（从左到右）的哪些符号。每一横排加起来是 100 %；图题里的百分数，是图题所说的那些格子的平均值。**先猜一猜**：盯住前一个符号的头，深色格子会在哪里？

# %%
from helpers.lessons.copying import attention_map, look_back

row, _ = make_row(random.Random(0))
attention_map(pupil, row, [SIGNS[n] for n in row])

# %% [markdown] lang="en"
# On the left the dark squares lie right under the diagonal. (Lower down they are paler: the pale slanting line far to the left is the part that goes elsewhere.) On the right look at the lower half, where pieces are copied: each piece is a slanting line, because the head looks at what followed last time. (In the upper half nothing is repeated, and the head looks here and there.) So in this row the best of four heads in each layer behaves like that. We looked at one row, chose the heads by this very share, and set no untrained pupil beside them. That the wait is a wait for *them* is still a guess.

# %% [markdown] lang="zh" of="366d49b8"
# 左图的深色格子紧挨着对角线下方。（下面一段浅一些：左下方那条淡淡的斜线，就是分到别处的那部分注意力。）右图请看下半部分，也就是抄写的地方：每抄一段就是一条斜线，远远地落在左边，那正是上次出现时后面的符号。（上半部分没有重复的符号，这个头东看看西看看。）可见在这一行上，每层四个头里最像的那个确实如此。我们只看了一行，头也是按这个百分比挑出来的，没有拿未训练的学生来比。至于等的是不是*它们*，这还只是猜测。

# %% [markdown] lang="en"
# We test it. A second pupil gets the first head as a gift (`look_back` sets some numbers so that one head looks at the sign before). A third pupil gets the gift too, and three times the learning rate. **Predict first**: when do their cliffs come, if they come at all?

# %% [markdown] lang="zh" of="54472551"
# 来检验一下。给第二个学生送上第一个注意力头（`look_back` 设定几个数，让一个头盯住前一个符号）。第三个学生也有这份礼物，但学习率是三倍。**先猜一猜**：它们的悬崖会来得更早、更晚，还是不来？


# %%
def gifted(lr):
    """Send a pupil to school that looks back from the start; return its losses."""
    set_seed(SEED)
    pupil = Qwen2ForCausalLM(config)
    look_back(pupil)
    return go_to_school(pupil, steps=size.gift_steps, lr=lr)


# %%
import math

runs = {
    "from nothing ｜ 从零开始": losses,
    "gift: one head looks back ｜ 礼物：一个头回头看": gifted(lr=3e-3),
    "gift, rate × 3 ｜ 礼物，学习率三倍": gifted(lr=9e-3),
}
_, with_gift, in_haste = map(cliff, runs.values())
claim("start_cliff_gift", with_gift)
claim("start_cliff_haste", in_haste)
fig = plots.curves(
    {name: (range(len(losses)), losses) for name, losses in runs.items()},
    "Learning to copy, one seed ｜ 学抄写，一个随机种子",
    "training step ｜ 训练步数",
    "loss, nats a sign ｜ 每个符号的损失，奈特",
    alt=f"Three loss curves of learning to copy. First step below 2 nats: from nothing {cliff(losses)} "
    f"of {len(losses)}; with one head that looks back {with_gift} of {size.gift_steps}; with it, at three "
    f"times the rate, {in_haste} of {size.gift_steps}. (Equal numbers: it never fell below.) ｜ 学抄写的三条损失"
    f"曲线。首次低于 2 奈特的步数：从零开始 {cliff(losses)}（共 {len(losses)} 步）；一个头回头看 "
    f"{with_gift}（共 {size.gift_steps} 步）；同样，学习率三倍，{in_haste}（共 {size.gift_steps} 步）。"
    "（两数相等，就是没有出现。）",
)
fig.axes[0].axhline(math.log(len(SIGNS)), color="#666666", linestyle=":")
fig.axes[0].text(len(losses), 4.2, "blind guess, ln 62 ｜ 瞎猜", ha="right", size=9)
fig

# %% [markdown] lang="en"
# With the gift the cliff came at step 86, without it at 288. Four other seeds agree: with it at 79 to 120, without it at 308 to 379. So, in a model this small, this head saves most of the wait. Whether another gift would do as well we did not test. At three times the rate even the gifted pupil did not reach the cliff in 200 steps: its loss was still about 3.8. The two pupils that learned to copy end at a loss of about 1.3. Part of that is luck: nobody knows where the next piece begins.

# %% [markdown] lang="zh" of="e78379d3"
# 有礼物，悬崖在第 86 步；没有，在第 288 步。另外四个种子（不含这一个）也一样：有礼物是 79 到 120 步，没有是 308 到 379 步。可见在这么小的模型里，有了这个注意力头，大半的等待就省下了；换一份别的礼物是不是也行，我们没有试。学习率放大到三倍，有礼物的学生在 200 步之内也没等到悬崖：损失还在 3.8 左右。学会抄写的两个学生，损失最后也还有 1.3 左右。其中一部分是运气：下一段从哪里开始，谁也猜不到。

# %% [markdown] lang="en"
# **A warning.** We saw this cliff in training from scratch, and looked for none in fine-tuning. If the loss stays flat when you *fine-tune*, do not wait for one: look first at the labels (which tokens count in the loss?), then at frozen weights (which do not train), the chat template and the learning rate. Notebook 04 explains what to check.

# %% [markdown] lang="zh" of="16ba8454"
# **提醒**：这道悬崖出现在从零训练的时候；微调时有没有，我们没有看。如果你在*微调*，损失一直不动，不要干等：先看标签（哪些词元计入损失？），再看权重是不是冻住了（冻住就不训练），再看对话模板和学习率。怎么检查，notebook 04 会讲。

# %% [markdown] lang="en"
# Xiaoxi's school, too, began with drills in copying and such a gift, and then went on to reading. It took an hour and a half on two cores (`tools/xiaoxi/pretrain.py`). For comparison, Qwen2.5 read [18 trillion tokens](https://arxiv.org/abs/2412.15115).

# %% [markdown] lang="zh" of="1ff766b6"
# 小溪的小学也是先练抄写，也收到过这样的礼物，然后才学阅读，在双核 CPU 上花了一个半小时（`tools/xiaoxi/pretrain.py`）。比一比：Qwen2.5 读了 [18 万亿个词元](https://arxiv.org/abs/2412.15115)。
