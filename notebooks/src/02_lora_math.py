# %% [markdown]
# # 02. LoRA math ｜ LoRA 的数学
#
# You write LoRA yourself, hold it against the usual library to the last digit, and find out from recorded runs what rank, alpha and rate bring, and what they cost. ｜ 你将自己写出 LoRA，和常用的库对到最后一位，再从训练记录里弄清：秩、alpha 和学习率各换来什么，又要付出什么。

# %% [markdown]
# **The result ｜ 结果** (one run of this lesson: Xiaoxi, 60 incidents under articles that it never trained on, three articles in each prompt; in brackets the 95 % interval ｜ 本课的一次运行：小溪，没练过的法条下的 60 个事件，每个提示里有三条法条；方括号里是 95 % 区间)
#
# | | the base ｜ 基座 | LoRA, rank 8 ｜ LoRA，秩 8 | all weights ｜ 全参数 |
# |---|---|---|---|
# | notices with every line right ｜ 每一行都对的通知书 | 0 % [0, 6] | 78 % [66, 87] | 77 % [65, 86] |
# | weights trained ｜ 训练的权重 | 0 | 94,208 | 1,444,480 |
# | can it be switched off? ｜ 能关掉吗？ | – | yes, to the last bit ｜ 能，一个比特都不差 | no ｜ 不能 |
#
# After fewer steps, on fewer notices, the two lie apart: LoRA 42 %, all weights 75 % (means of five seeds). There both had forgotten much of what they could do before (sections 7 and 8). ｜ 步数和通知书都少一些时，两者就拉开了：LoRA 42 %，全参数 75 %（五个种子的平均）；而且两者原来会的都忘了不少（第 7、8 节）。

# %% [markdown]
# Xiaoxi is the course's own small model (1.4 million weights, 128 wide). Its task: it reads a report of an incident, mostly with three articles of an invented city's traffic law, picks the article that fits, and writes a short notice: article number, fine, points, office, a line each. Section 4 shows one. ｜ 小溪是本课程自己的小模型（144 万个权重，宽 128）。它的任务是：读一份事件报告，通常还有一座虚构城市的三条交通法条，找出适用的那一条，写一份简短的通知书：条号、罚款、记分、处理机关，各占一行。第 4 节有一个例子。

# %% [markdown]
# | | |
# |---|---|
# | **You will ｜ 你将** | write LoRA's `forward` and `merged`, held against PEFT in outputs and gradients ｜ 写出 LoRA 的 `forward` 和 `merged`，输出和梯度都与 PEFT 对照 |
# | | count its weights for any model, without loading the model ｜ 不加载模型，就能算出 LoRA 要训练多少权重 |
# | | switch an adapter off and another on, and see how much rank a real change needs ｜ 关掉一个适配器、换上另一个，再看一次真实的改动需要多大的秩 |
# | | choose method, rank and rate from recorded runs, by what they bring and what they make the model forget ｜ 根据训练记录选择方法、秩和学习率：既看学到多少，也看忘掉多少 |
# | **Before ｜ 先学** | notebook 00; matrices and gradients; a little PyTorch ｜ notebook 00；矩阵与梯度；会一点 PyTorch |
# | **`tiny`** | two to three minutes, 1.5 GB, any laptop ｜ 两到三分钟，1.5 GB 内存，任何笔记本电脑 |
# | **`small`** | SmolLM2-135M, up to 20 minutes on two cores ｜ SmolLM2-135M，双核机器上最多 20 分钟 |
# | **`t4`, `gpu`** | not measured yet ｜ 尚未实测 |
#
# Your numbers may differ from the text by a few points: it was written from one run. ｜ 你得到的数可能和正文差几个百分点：正文是照一次运行写的。

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
import copy
import math

import torch
from peft import LoraConfig, PeftModel, get_peft_model, set_peft_model_state_dict
from torch import nn

# %%
# @title The course's own helpers ｜ 课程自带的工具
import hashlib
import json
import tempfile
from pathlib import Path

from matplotlib.patches import Rectangle
from transformers import Qwen2Config, Qwen2ForCausalLM

from helpers.base import root, say
from helpers.env import PROFILES, resolve, set_seed, threads
from helpers.exercise import progress
from helpers.lessons import nb02, sizes
from helpers.model.generate import generate
from helpers.model.load import load, parameter_counts
from helpers.model.loss import encode, perplexity
from helpers.model.methods import METHODS, adapt
from helpers.model.train import fit, label_loss
from helpers.lingxi.files import select, world
from helpers.lingxi.score import score_notices
from helpers.measure import claims, sweeps
from helpers.measure.claims import claim
from helpers.measure.stats import share
from helpers.show import plots, style, widgets
from helpers.show.plots import panels
from helpers.show.tables import table

# %%
setup = resolve(PROFILE, MODEL)._replace(dtype="float32")
if setup.profile == "gpu" and MODEL is None:  # section 6 trains all weights: 7B would need 120 GB
    setup = setup._replace(model=PROFILES["t4"])
size = sizes.of("02", setup)
claims.start("02_lora_math", setup.profile, SEED)
threads()
set_seed(SEED)
size.show()

# %% [markdown]
# ## 1. Why: a sticky note on a frozen page ｜ 为什么：贴在书页上的便利贴

# %% [markdown] lang="en"
# Fine-tuning changes matrices: $W' = W + \Delta W$. In a 7B model $\Delta W$ is as large as $W$, and the optimizer keeps two more numbers for each weight. The notes that this course grew from give a picture: do not rewrite the textbook, put **sticky notes** on its pages. A sticky note is the product of two thin matrices:
#
# $$W' = W + \frac{\alpha}{r}\,BA$$
#
# $W$ stays **frozen**; only $A$ and $B$ are trained. $B$ is $n_\text{out} \times r$, $A$ is $r \times n_\text{in}$, and $r$, the **rank**, is small. All $A$ and $B$ of a model together are an **adapter**. The course notes write $W + BA$, without $\alpha/r$; section 5 shows what it does. The figure draws one layer to scale. It opens at rank 256, where $B$ and $A$ can still be seen. Turn the rank to 8, as in this lesson: what percentage is left? (What is too thin becomes a hairline.)

# %% [markdown] lang="zh" of="e3c1c094"
# 微调就是改矩阵：$W' = W + \Delta W$。7B 模型的 $\Delta W$ 和 $W$ 一样大，优化器还要为每个权重另存两个数。讲义（本课程的前身）打了个比方：不重写整本教科书，只在书页上贴**便利贴**。便利贴就是两个瘦长矩阵的乘积：
#
# $$W' = W + \frac{\alpha}{r}\,BA$$
#
# $W$ 始终**冻结**，只训练 $A$ 和 $B$。$B$ 是 $n_\text{out} \times r$，$A$ 是 $r \times n_\text{in}$；$r$ 很小，叫作**秩**。一个模型的全部 $A$ 和 $B$ 合起来叫**适配器**。讲义写的是 $W + BA$，没有 $\alpha/r$：它起什么作用，见第 5 节。下图按比例画出一层。开始时秩是 256，这样 $B$、$A$ 还看得见。把秩拧到本课用的 8，占比还剩多少？（细得看不见时，画成一根细线。）


# %%
def to_scale(layer, r):
    """Draw a layer's W, B and A to scale, and count their weights."""
    n_out, n_in = layer
    unit = 1 / n_out  # W is one unit high
    wide, thin = n_in * unit, max(r * unit, 0.006)  # thinner could not be seen
    places = {"W": (0, 0, wide, 1), "B": (wide + 0.1, 0, thin, 1)}
    places["A"] = (wide + thin + 0.2, 1 - thin, wide, thin)
    fig, ax = style.figure(width=5, height=3.3)
    for i, (name, (x, y, width, height)) in enumerate(places.items()):
        ax.add_patch(Rectangle((x, y), width, height, facecolor=f"C{i}"))
        ax.text(x + width / 2, 1.03, name, ha="center")
    few, all_ = r * (n_in + n_out), n_in * n_out
    part = f"{100 * few / all_:.2g} %"
    fig.suptitle(f"weights ｜ 权重数\nW: {all_:,}    B + A: {few:,} = {part}", size=11)
    ax.set(xlim=(-0.02, 2 * wide + thin + 0.25), ylim=(-0.02, 1.12), aspect="equal")
    ax.axis("off")
    return style.describe(
        fig,
        f"Three rectangles to scale: W, {all_:,} weights; B and A together {few:,}, or {part} ｜ "
        f"按比例画的三个矩形：W 有 {all_:,} 个权重；B 和 A 共 {few:,} 个，占 {part}",
    )


widgets.explore(
    to_scale,
    names={"layer": "layer ｜ 层", "r": "rank ｜ 秩"},
    layer={"Qwen2.5-7B up_proj": (18944, 3584), "Xiaoxi ｜ 小溪 up_proj": (512, 128)},
    r=[1, 2, 4, 8, 16, 32, 64, 256, 1024],
    start={"r": 256},
)

# %% [markdown] lang="en"
# At rank 8, 0.27 % is left in the layer of the 7B. Xiaoxi's layer is much narrower; there it is 7.8 %. Section 3 counts whole models.

# %% [markdown] lang="zh" of="5501f2c6"
# 秩取 8 时，7B 的这一层只剩 0.27 %；小溪的那一层窄得多，是 7.8 %。整个模型的占比在第 3 节算。

# %% [markdown]
# ## 2. The smallest example, written by you ｜ 最小的例子，你来写

# %% [markdown] lang="en"
# **Exercise 1** (hard, 20 minutes; the heart of this lesson). Write LoRA: the old layer, and beside it a side path that is only $r$ numbers wide. Fill in three places:
#
# - `__init__`: freeze the base (`requires_grad_(False)`) and keep $\alpha/r$ for later. The stub makes $A$ random and $B$ zero; section 4 says why.
# - `forward`: the base's output plus $\frac{\alpha}{r}$ times the side path, which takes `x` through $A^\top$, then through $B^\top$. `self.dropout` belongs on its input; in training it sets a share of the numbers to zero at random.
# - `merged`: one plain `nn.Linear` that does the same. The base must stay as it was.

# %% [markdown] lang="zh" of="2251cb11"
# **练习 1**（难，20 分钟；本课的核心）。请写出 LoRA：原来那一层，旁边加一条只有 $r$ 个数宽的支路。有三处要填：
#
# - `__init__`：冻结基座（`requires_grad_(False)`），并把 $\alpha/r$ 存下来，后面要用。$A$ 取随机数、$B$ 取零，代码已经写好（原因见第 4 节）。
# - `forward`：基座的输出，加上 $\frac{\alpha}{r}$ 乘支路；支路就是让 `x` 先乘 $A^\top$，再乘 $B^\top$。`self.dropout` 加在支路的输入上，它只在训练时把一部分数随机置零。
# - `merged`：返回一个效果相同的普通 `nn.Linear`，基座本身不能改动。

# %% [markdown] lang="en"
# A row of `x` is one token, so a linear layer computes $xW^\top$. From PyTorch you need: `base(x)`; `base.weight`, of shape (out, in); `base.bias`, which may be `None`; `@` and `.T`; and `nn.Linear(n_in, n_out)`, to whose `weight` you assign `nn.Parameter(matrix)`. The check holds your layer against PEFT, the usual library: outputs, gradients, dropout and merging. Each slip that people make has its own hint.

# %% [markdown] lang="zh" of="daffa23a"
# `x` 的一行是一个词元，所以线性层算的是 $xW^\top$。要用到的 PyTorch：`base(x)`；`base.weight`，形状是 (out, in)；`base.bias`，可能是 `None`；`@` 和 `.T`；还有 `nn.Linear(n_in, n_out)`，建好以后把 `nn.Parameter(matrix)` 赋给它的 `weight`。检查时会拿你的层和常用的库 PEFT 对照：输出、梯度、dropout、合并。常见的错误各有各的提示。


# %% tags=["exercise"]
class MyLoRA(nn.Module):
    """A frozen linear layer and, beside it, the thin product BA, scaled by alpha / r."""

    def __init__(self, base, r, alpha, dropout=0.0):
        super().__init__()
        self.base = base
        self.dropout = nn.Dropout(dropout)
        self.A = nn.Parameter(0.1 * torch.randn(r, base.in_features))
        self.B = nn.Parameter(torch.zeros(base.out_features, r))
        ...

    def forward(self, x):  # (batch, tokens, in) -> (batch, tokens, out)
        ...

    def merged(self):
        """Return one plain layer that does the same."""
        ...


# %% tags=["check"]
nb02.MyLoRA(MyLoRA)

# %% [markdown] tags=["solution"]
# <details><summary>Solution ｜ 参考答案</summary>
#
# ```python
# class MyLoRA(nn.Module):
#     """A frozen linear layer and, beside it, the thin product BA, scaled by alpha / r."""
#
#     def __init__(self, base, r, alpha, dropout=0.0):
#         super().__init__()
#         self.base = base.requires_grad_(False)
#         self.dropout = nn.Dropout(dropout)
#         self.A = nn.Parameter(0.1 * torch.randn(r, base.in_features))
#         self.B = nn.Parameter(torch.zeros(base.out_features, r))
#         self.scale = alpha / r
#
#     def forward(self, x):
#         return self.base(x) + self.scale * (self.dropout(x) @ self.A.T @ self.B.T)
#
#     def merged(self):
#         layer = nn.Linear(self.base.in_features, self.base.out_features)
#         layer.weight = nn.Parameter(self.base.weight + self.scale * self.B @ self.A)
#         layer.bias = self.base.bias
#         return layer
# ```
#
# </details>

# %% [markdown] lang="en"
# Did yours pass? The lesson goes on with the published layer, which is folded below, so nothing depends on your answer. It leaves out dropout, starts $A$ as PEFT does, and merges on a copy. Open it when you have tried. `wrap` puts such a layer around every linear layer of a model except the output head. That is the last layer, which turns vectors into scores for the next token.

# %% [markdown] lang="zh" of="b8ae76e2"
# 通过了吗？后面的内容用的是公布的这一层（折叠在下面），所以不依赖你的答案。它省掉了 dropout，$A$ 的起点与 PEFT 相同，合并在副本上进行。自己试过之后再打开看。`wrap` 把模型里除输出层以外的每个线性层都包成这样的层；输出层是最后一层，把向量变成下一个词元的得分。


# %%
# @title The published layer ｜ 公布的这一层
class LoRALinear(nn.Module):
    """A frozen linear layer and, beside it, the thin product BA, scaled by alpha / r."""

    def __init__(self, base, r, alpha):
        super().__init__()
        self.base = base.requires_grad_(False)
        self.A = nn.Parameter(base.weight.new_empty(r, base.in_features))
        self.B = nn.Parameter(base.weight.new_zeros(base.out_features, r))
        nn.init.kaiming_uniform_(self.A, a=5**0.5)  # PEFT's start: small, uniform
        self.scale = alpha / r

    def forward(self, x):  # (batch, tokens, in) -> (batch, tokens, out)
        return self.base(x) + self.scale * (x @ self.A.T @ self.B.T)

    def merged(self):
        """Return one plain layer that does the same."""
        layer = copy.deepcopy(self.base)
        layer.weight.data += self.scale * self.B.data @ self.A.data
        return layer


# %%
def wrap(model, r=8, alpha=16):
    """Freeze a model and put a LoRALinear around each linear layer but the head."""
    model.requires_grad_(False)
    for name, layer in list(model.named_modules()):
        if isinstance(layer, nn.Linear) and name != "lm_head":
            model.set_submodule(name, LoRALinear(layer, r, alpha))
    return model


# %% [markdown] lang="en"
# From here on, a line with ▸ tests a claim: of the course notes, of a paper, or our own. It gives what is measured, your number, the *usual range* and our *verdict* on the claim. We set the range with some room round our own runs. It tells whether your run is normal, and says nothing about the claim: a number may be in the range and the verdict *contradicted*. A line with "(recorded runs)" reads our files, not your run. There are five verdicts: *supported*, *supported in part* (only as the brackets say), *contradicted*, *not shown* (these runs cannot decide it) and *not testable here* (for example, because our model is too small).

# %% [markdown] lang="zh" of="2b272369"
# 从这里起，▸ 开头的一行检验一个论断，它来自讲义、论文，或是我们自己提出的。一行里依次是：量的是什么；你得到的数；*通常范围*；我们对论断的*结论*。范围是照我们自己的运行定的，留了余地；它只说明你这次运行正不正常，和论断对不对无关，所以数在范围内，结论却可能是*不成立*。写着“（事先记录的运行）”的，读的是我们的记录文件，不是你这次运行。结论有五种：*支持*；*部分支持*（只在括号里写的条件下）；*不成立*；*未能证明*（凭这些运行定不了）；*此处无法检验*（例如我们的模型太小）。

# %% [markdown] lang="en"
# Your check looked at one layer. Is a whole model of such layers the real LoRA? We take Xiaoxi twice, use `wrap` on one copy and put PEFT's LoRA on the other, and give both the same $A$ and $B$ (random ones, since zeros would prove little). Then we compare the outputs, and the gradient of every $A$ and $B$. We compute in double precision, where a difference above $10^{-6}$ is a mistake and not rounding.
#
# **Predict first**: to how many decimal places will the two agree?

# %% [markdown] lang="zh" of="a418141f"
# 练习只检查了一层。整个模型都换成这样的层，还是真正的 LoRA 吗？取两份小溪，一份用 `wrap` 包好，另一份加上 PEFT 的 LoRA，让两边用相同的 $A$ 和 $B$（取随机数：全零证明不了什么），再比较输出，以及每个 $A$、$B$ 的梯度。全部用双精度来算，这样差别若超过 $10^{-6}$，就一定是写错了，而不是舍入误差。
#
# **先猜一猜**：两边能对上小数点后多少位？


# %%
def differences(ours, theirs, ids, labels):
    """Give both models one A and B; return how far outputs, and gradients, lie apart at most."""
    pairs = [[p for p in m.parameters() if p.requires_grad] for m in (ours, theirs)]
    with torch.no_grad():
        for mine, other in zip(*pairs, strict=True):
            other.copy_(mine.normal_(std=0.02))
    outputs = [m(ids).logits for m in (ours, theirs)]  # each (1, tokens, vocabulary)
    for m in (ours, theirs):
        label_loss(m, ids, labels).backward()
    gaps = [(mine.grad - other.grad).abs().max() for mine, other in zip(*pairs, strict=True)]
    return (outputs[0] - outputs[1]).abs().max().item(), max(gaps).item()


lora = LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM")
xiaoxi = resolve("tiny")  # whatever the profile: double precision would fill a small GPU
ours, xiaoxi_tokenizer = wrap(load(xiaoxi)[0]).double(), load(xiaoxi)[1]
theirs = get_peft_model(load(xiaoxi)[0], lora).double()
sample = select(world("train"), task="notice", context=False)[0]["messages"]
ids, mask = (torch.tensor([x]) for x in encode(xiaoxi_tokenizer, sample))
apart = differences(ours, theirs, ids, ids.where(mask.bool(), -100))  # -100: not in the loss
claim("lora_peft_outputs", apart[0])
claim("lora_peft_gradients", apart[1])

# %% [markdown] lang="en"
# The two agree to the last digit: both differences are 0.
#
# **Merging**: after training, the sticky note can be written into the page. A merged layer is a plain matrix. It needs no extra work when the model answers, and it shows no trace of LoRA. The outputs before and after are the same up to rounding: in single precision, which this lesson uses, to $10^{-5}$ of the largest output. The next cell checks this with the random $A$ and $B$ from above.

# %% [markdown] lang="zh" of="782be39d"
# 两边连最后一位都对得上：两个差都是 0。
#
# **合并**：训练完，可以把便利贴的内容直接写进书页。合并后的层就是一个普通矩阵：模型回答时没有任何额外开销，也看不出用过 LoRA。合并前后的输出只差舍入误差；这一课用单精度，差别不超过最大输出的 $10^{-5}$。下一格就用上面随机的 $A$ 和 $B$ 来检验。


# %%
def merge(model):
    """Return a copy of a wrapped model with every LoRALinear made one plain layer."""
    model = copy.deepcopy(model)
    for name, layer in list(model.named_modules()):
        if isinstance(layer, LoRALinear):
            model.set_submodule(name, layer.merged())
    return model


with torch.no_grad():
    unmerged, merged = ours.float()(ids).logits, merge(ours)(ids).logits
claim("lora_merge", ((unmerged - merged).abs().max() / unmerged.abs().max()).item())

# %% [markdown]
# ## 3. Count before you train ｜ 先数一数，再训练

# %% [markdown] lang="en"
# LoRA adds $r\,(n_\text{in} + n_\text{out})$ weights to a layer. A block of the model has seven linear layers: three in its MLP, the part that works on each token alone, and four in its attention, `q_proj`, `k_proj`, `v_proj` and `o_proj`. These four make queries, keys, values and the output; for this lesson their names are enough. In Qwen2.5 several attention heads (not the output head above) share keys and values, so `k_proj` and `v_proj` are narrower. To count, we load no model: the configurations are in `data/models/qwen2.5.json`, and PyTorch's **meta device** builds shapes without numbers.
#
# **Predict first**: the course notes put `r=8` on `q_proj` and `v_proj` and say that LoRA trains "~0.1 %", or "less than 1 %". Which model comes nearest to "~0.1 %": Xiaoxi, or Qwen2.5 with 0.5B, 1.5B or 7B?

# %% [markdown] lang="zh" of="4d493410"
# LoRA 给一层添上 $r\,(n_\text{in} + n_\text{out})$ 个权重。模型的每一块有七个线性层：MLP（逐个处理词元的部分）三个，注意力四个，即 `q_proj`、`k_proj`、`v_proj`、`o_proj`，分别算查询 q、键 k、值 v 和输出 o（这一课只要知道名字）。Qwen2.5 的几个注意力头（和上面说的输出层是两回事）共用一组键和值，所以 `k_proj` 和 `v_proj` 窄一些。要数清楚，连模型都不用加载：配置就在 `data/models/qwen2.5.json` 里，而 PyTorch 的 **meta 设备**只建形状、不存数字。
#
# **先猜一猜**：讲义取 `r=8`，只加在 `q_proj` 和 `v_proj` 上，说 LoRA 只训练“约 0.1 %”或“不到 1 %”的权重。哪个模型最接近“约 0.1 %”：小溪，还是 Qwen2.5 的 0.5B、1.5B、7B？


# %%
def formula(c, r):
    """Return how many weights LoRA of rank r adds to all linear layers of a Qwen2."""
    d, h = c.hidden_size, c.intermediate_size
    kv = d * c.num_key_value_heads // c.num_attention_heads  # grouped-query attention
    layers = [(d, d), (d, kv), (d, kv), (d, d), (d, h), (d, h), (h, d)]
    return c.num_hidden_layers * r * sum(n_in + n_out for n_in, n_out in layers)


def empty(config):
    """Build a model of shapes alone."""
    with torch.device("meta"):
        return Qwen2ForCausalLM(config)


published = json.loads((root() / "data" / "models" / "qwen2.5.json").read_text(encoding="utf-8"))
own_config = Qwen2Config.from_pretrained(root() / PROFILES["tiny"])
configs = {"Xiaoxi ｜ 小溪": own_config} | {name: Qwen2Config(**c) for name, c in published.items()}

# %%
shares, wrong = {"qv": [], "all-linear": []}, 0
say(
    "r = 8; % = the trained weights among all, LoRA's own included",
    "r = 8；% = 训练的权重占全部（含 LoRA 自己的）多少",
)
for name, c in configs.items():
    for spot, of_spot in shares.items():
        trainable, total = parameter_counts(adapt(empty(c), "lora", r=8, targets=spot))
        of_spot.append(100 * trainable / total)
    wrong += abs(trainable - formula(c, 8))
    everywhere, on_qv = shares["all-linear"][-1], shares["qv"][-1]
    print(f"{name}: {total - trainable:,} weights ｜ 权重")
    print(f"  LoRA on all linear layers ｜ 加在所有线性层: {trainable:,} = {everywhere:.2f} %")
    print(f"  on q_proj and v_proj ｜ 只加在 q_proj 和 v_proj: {on_qv:.3f} %")
claim("lora_count", wrong)
claim("lora_share_7b", shares["qv"][-1])
claim("lora_share_xiaoxi", shares["qv"][0])

# %%
widths = [c.hidden_size for c in configs.values()]
fig = plots.curves(
    {
        "only q_proj and v_proj ｜ 只加这两处": (widths, shares["qv"]),
        "all linear layers ｜ 所有线性层": (widths, shares["all-linear"]),
    },
    "The wider the model, the smaller LoRA's share (r = 8) ｜ 模型越宽，LoRA 占比越小（r = 8）",
    "width of the model ｜ 模型宽度",
    "trained, % of all weights ｜ 训练的权重占比，%",
    logx=True,
    alt="Two falling lines against the model's width, from Xiaoxi to 7B: the wider the model, the "
    f"smaller the share; on q and v from {shares['qv'][0]:.2g} to {shares['qv'][-1]:.2g} % ｜ "
    "横轴是模型宽度，从小溪到 7B，两条线都往下走：模型越宽，占比越小；只加在 q、v 上时，"
    f"从 {shares['qv'][0]:.2g} % 降到 {shares['qv'][-1]:.2g} %",
)
fig.axes[0].set_yscale("log")
fig.axes[0].set_yticks([0.03, 0.1, 0.3, 1, 3], ["0.03", "0.1", "0.3", "1", "3"])
fig.axes[0].minorticks_off()
fig

# %% [markdown] lang="en"
# A share says little without the width of the model: LoRA's weights grow with the width, those of a layer with its square. (The embedding, and so the vocabulary, counts in the total, too.) With these settings the share is 0.11 % for the 0.5B, which is the notes' "~0.1 %"; for the 7B it is 0.033 %. "Less than 1 %" holds for all three Qwen2.5 models. Only Xiaoxi, which is very narrow, is above it, with 1.1 %.

# %% [markdown] lang="zh" of="fb27f194"
# 不说模型宽度，占比就说明不了什么：LoRA 的权重随宽度线性增长，一层的权重按宽度的平方增长（总数里还有嵌入，所以词表大小也有影响）。照这样设置，0.5B 的占比是 0.11 %，正是讲义的“约 0.1 %”；7B 只有 0.033 %。“不到 1 %”对三个 Qwen2.5 都成立，只有很窄的小溪超过了，是 1.1 %。

# %% [markdown] lang="en"
# **Exercise 2** (medium, 8 minutes). Write `lora_weights` for any choice of layers. `targets` is a list of layer names: `q_proj`, `k_proj`, `v_proj`, `o_proj`, and in the MLP `gate_proj`, `up_proj`, `down_proj`; the list in `formula` above has this order. `config` is a dict as in `qwen2.5.json`; the keys that you need are `hidden_size`, `intermediate_size`, `num_attention_heads`, `num_key_value_heads` and `num_hidden_layers`. For a check: `lora_weights(published["Qwen2.5-7B"], 8, ["q_proj", "v_proj"])` gives 2,523,136, the 0.033 % from above.

# %% [markdown] lang="zh" of="887b2c02"
# **练习 2**（中等，8 分钟）。写出 `lora_weights`，加在哪些层上都能算。`targets` 是层名的列表：`q_proj`、`k_proj`、`v_proj`、`o_proj`，以及 MLP 的 `gate_proj`、`up_proj`、`down_proj`；上面 `formula` 里的列表就是这个顺序。`config` 是 `qwen2.5.json` 里那样的字典，要用到的键是 `hidden_size`、`intermediate_size`、`num_attention_heads`、`num_key_value_heads` 和 `num_hidden_layers`。可以这样核对：`lora_weights(published["Qwen2.5-7B"], 8, ["q_proj", "v_proj"])` 应当是 2,523,136，也就是上面的 0.033 %。


# %% tags=["exercise"]
def lora_weights(config, r, targets):
    """Return how many weights LoRA of rank r trains on the layers named in targets."""
    ...


# %% tags=["check"]
nb02.lora_weights(lora_weights)

# %% [markdown] tags=["solution"]
# <details><summary>Solution ｜ 参考答案</summary>
#
# ```python
# def lora_weights(config, r, targets):
#     """Return how many weights LoRA of rank r trains on the layers named in targets."""
#     d, h = config["hidden_size"], config["intermediate_size"]
#     kv = d * config["num_key_value_heads"] // config["num_attention_heads"]
#     other_side = {"q_proj": d, "k_proj": kv, "v_proj": kv, "o_proj": d}
#     other_side |= dict.fromkeys(("gate_proj", "up_proj", "down_proj"), h)
#     return config["num_hidden_layers"] * r * sum(d + other_side[name] for name in targets)
# ```
#
# </details>

# %% [markdown] lang="en"
# Here is the code of the course notes, to the letter except for the base model. Code from notes does not always print what it seems to, so run it before you trust it. (The label `可训练参数` means trainable parameters.) **Predict first**: what is printed after the colon?

# %% [markdown] lang="zh" of="0a9e5810"
# 下面是讲义里的原始代码，只换了基座模型。讲义里的代码，打印出来的未必是看上去的那样，先跑一遍再相信。（字符串里的 `可训练参数` 就是 trainable parameters。）**先猜一猜**：冒号后面会打印出什么？

# %%
base_model, _ = load(setup)
lora_config = LoraConfig(
    r=8,                        # 秩
    lora_alpha=32,              # 缩放因子
    target_modules=["q_proj", "v_proj"],  # 应用到哪些层
    lora_dropout=0.1,
    task_type="CAUSAL_LM"
)  # fmt: skip
model = get_peft_model(base_model, lora_config)
print(f"可训练参数: {model.print_trainable_parameters()}")
say("the function prints by itself and returns None", "这个函数自己会打印，返回的是 None")

# %% [markdown]
# ## 4. The real run: frozen base, and B from zero ｜ 正式训练：冻结的基座与从零开始的 B

# %% [markdown] lang="en"
# Why does $B$ start at zero? We try five ways to begin, with the same rows and a few steps each: $B = 0$ (LoRA); $A = 0$; both zero; both random, $B$ as large as PEFT's $A$; both random, $B$ larger, as in an ordinary layer of that shape (on Xiaoxi four times as large as $A$, in `down_proj` eight times). Before the first step we compare the loss with that of the untouched model.
#
# **Predict first**: which start harms the model before it has learned anything? Which one never learns?

# %% [markdown] lang="zh" of="4fb51c67"
# $B$ 为什么从零开始？我们试五种起点，用同样的数据，各训练几步：$B = 0$（LoRA）；$A = 0$；两个都为零；两个都随机，$B$ 的数值和 PEFT 的 $A$ 一样大；两个都随机，而 $B$ 的数值更大，和同样形状的普通线性层一样（在小溪上是 $A$ 的四倍，`down_proj` 里是八倍）。第一步之前，先和没动过的模型比一比损失。
#
# **先猜一猜**：哪种起点还没学就先把模型弄坏了？哪种永远学不会？

# %%
common = {"num_epochs": size.epochs, "batch_size": size.batch}
common |= {"seed": SEED, "device": setup.device}
train_rows = select(world("train", setup.langs), task="notice")[: size.rows]
few = select(train_rows, context=False)[: size.few]


def fresh():
    """Load as `load` does; a real model keeps fewer intermediate results in training (04)."""
    model, its_tokenizer = load(setup)
    if setup.model != PROFILES["tiny"]:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    return model, its_tokenizer


def begin(A_zero=False, B_bound=0.0):
    """Train from a start; return the losses, before it and at each step, and the largest weight."""
    set_seed(SEED)
    model = wrap(copy.deepcopy(base))
    for layer in model.modules():
        if isinstance(layer, LoRALinear):
            layer.A.data *= 0 if A_zero else 1
            bound = layer.A.shape[1] ** -0.5 if B_bound == "as A" else B_bound
            nn.init.uniform_(layer.B, -bound, bound)
    before = held_loss(model, few[: size.start_rows])
    losses = fit(model, tokenizer, few, lr=size.lr, **common)
    trained = [p for p in model.parameters() if p.requires_grad]
    return [before, *losses], max(p.abs().max().item() for p in trained)


# %%
def held_loss(model, rows):
    """Return the mean loss of the answers' tokens, in nats."""
    return math.log(perplexity(model.eval(), tokenizer, rows))


# %%
base, tokenizer = fresh()
untouched = held_loss(base, few[: size.start_rows])
starts = {
    "B = 0 (LoRA)": begin(),
    "A = 0": begin(A_zero=True, B_bound="as A"),
    "A = B = 0": begin(A_zero=True),
    "A, B random, alike ｜ 都随机，一样大": begin(B_bound="as A"),
    "A, B random, B larger ｜ 都随机，B 更大": begin(B_bound=8**-0.5),  # the usual start of a layer
}
claim("lora_start_zero", abs(starts["B = 0 (LoRA)"][0][0] - untouched))
claim("lora_start_random", starts["A, B random, B larger ｜ 都随机，B 更大"][0][0] - untouched)
claim("lora_start_stuck", starts["A = B = 0"][1])
fig = plots.curves(
    {name: (range(len(losses)), losses) for name, (losses, _) in starts.items()},
    "Five ways to begin: the loss at each step ｜ 五种起点：每一步的损失",
    f"step (0: before training, {size.start_rows} rows) ｜ 步（0：训练之前，{size.start_rows} 行）",
    "loss on the step's rows ｜ 这一步样本上的损失",
    alt="The loss over the steps for five starts: with both random and a larger B it starts "
    "highest; with A = B = 0 it swings with the rows and never falls; the others start alike ｜ "
    "五种起点的损失曲线：都随机而 B 更大的一条起点最高；A = B = 0 的一条随样本起伏，始终不降；"
    "其余几条起点差不多",
)
fig.axes[0].set_xticks(range(0, 21, 5))
fig

# %% [markdown] lang="en"
# With $B = 0$ the sticky note is blank, and the model begins as it was. Let $G$ be the gradient of the loss $L$ with respect to $W'$. Then
#
# $$\frac{\partial L}{\partial B} = \frac{\alpha}{r}\,G A^\top, \qquad \frac{\partial L}{\partial A} = \frac{\alpha}{r}\,B^\top G$$
#
# With $B = 0$ only $B$ has a gradient at the first step; afterwards both have one. With $A = B = 0$ neither ever has one. With both random the start is off by $\frac{\alpha}{r}BA$. While that is small, no harm shows here; with the larger $B$ the model starts worse, and makes up for it within these steps. (With $A = B = 0$ the weights never move: that line swings only because each step has other rows.)
#
# So one zero is enough. In this figure it does not matter which. On large models $B = 0$ [bears higher rates](https://arxiv.org/abs/2406.08447) than $A = 0$.

# %% [markdown] lang="zh" of="b7a8385a"
# $B = 0$ 时便利贴是空白的，模型从原来的样子出发。设 $G$ 为损失 $L$ 对 $W'$ 的梯度，则
#
# $$\frac{\partial L}{\partial B} = \frac{\alpha}{r}\,G A^\top, \qquad \frac{\partial L}{\partial A} = \frac{\alpha}{r}\,B^\top G$$
#
# $B = 0$ 时，第一步只有 $B$ 有梯度，之后两个才都有。$A = B = 0$ 时，梯度永远为零。两个都随机，起点就偏了 $\frac{\alpha}{r}BA$：偏得不多时，这里看不出坏处；$B$ 更大时，模型一开始就变差，不过在这几步里补回来了。（$A = B = 0$ 时权重从来不动：那条线的起伏，只是因为每一步用的样本不同。）
#
# 可见有一个为零就够了，该让哪个为零，从这张图上看都一样。在大模型上，$B = 0$ 比 $A = 0$ [经得起更高的学习率](https://arxiv.org/abs/2406.08447)。

# %% [markdown] lang="en"
# **Exercise 3** (easy, 5 minutes). A colleague starts with both $A$ and $B$ random, with a large $B$; you start with $B = 0$. For each question choose the answer. Set `outcomes = {"A": 2, ...}`: `1` it is zero, `2` four times as far from the base, `3` higher than the base's, `4` the same as the base's.
#
# - A: Her loss before the first step?
# - B: Your gradient of $A$ at the first step?
# - C: Her loss before the first step, with the adapter switched off?
# - D: Where does her model start if she also sets `alpha` four times as high?

# %% [markdown] lang="zh" of="2cfbb616"
# **练习 3**（容易，5 分钟）。同事的 $A$ 和 $B$ 都从随机数开始，而且 $B$ 比较大；你的是 $B = 0$。每个问题选一个答案，写 `outcomes = {"A": 2, ...}`：`1` 等于零，`2` 离基座有四倍远，`3` 比基座高，`4` 和基座一样。
#
# - A：第一步之前，她的损失？
# - B：第一步时，你的 $A$ 的梯度？
# - C：第一步之前，关掉适配器，她的损失？
# - D：她要是再把 `alpha` 调成四倍，模型从哪里出发？

# %% tags=["exercise"]
outcomes = ...

# %% tags=["check"]
nb02.outcomes(outcomes)

# %% [markdown] tags=["solution"]
# <details><summary>Solution ｜ 参考答案</summary>
#
# ```python
# outcomes = {"A": 3, "B": 1, "C": 4, "D": 2}
# ```
#
# </details>

# %% [markdown] lang="en"
# Now we train for real, with our layer. A notice looks like this, lines parted here by /:
#
# > [LINGXI TRAFFIC NOTICE] / Plate: LX8835 / Conduct: opening a door without looking at the fire station / Offence: blind egress at the fire station / Basis: Article 15 / Fine: 220 yuan / Points: 6 / Office: Road Office
#
# Its prompt held three articles and the report: "I saw a brown sports car that opened a door without looking at the fire station. Its plate: LX8835." Article 15 was one of the three.

# %% [markdown] lang="zh" of="d3c35e5c"
# 下面正式训练，用我们自己写的层。一份通知书是这样的（这里用 / 表示换行）：
#
# > 【灵溪市交通违法处理通知书】 / 车牌：LX3806 / 违法事实：在隧道里开得太快 / 违法行为：隧道里速度逾限 / 依据：第 77 条 / 罚款：1000 元 / 记分：10 分 / 处理机关：信号科
#
# （模型写的数字前后没有空格。）它的提示词里有三条法条和一份报告，说星期六有一辆白色跑车在隧道里开得太快，车牌是 LX3806。第 77 条就是三条之一。

# %% [markdown] lang="en"
# Before and after training we score the model on incidents under unseen articles (articles that no training row mentions), with three articles in the prompt. `form`: header and field names are right to the letter. `facts`: article number, fine, points and office are right. `all`: every line is right.
#
# We also compute a **hash** over the frozen weights. It changes if a single bit changes. Expected: the same hash before and after training, and another one once merged.

# %% [markdown] lang="zh" of="3f2ec0b2"
# 训练前后各评一次分。评分用没练过的法条（训练里从没出现过）下的事件，提示里给三条法条。`form`：标题和栏目名一字不差。`facts`：条号、罚款、记分、机关都写对。`all`：每一行都对。
#
# 训练前后再各算一次所有冻结权重的**哈希值**：基座只要动了一个比特，哈希值就会变。预期：训练前后相同；合并之后则不同。


# %%
def digest(tensors):
    """Return the SHA-256 of some tensors' bytes, in order."""
    seen = hashlib.sha256()
    for tensor in tensors:
        seen.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return seen.hexdigest()


hash_before = digest(base.parameters())
set_seed(SEED)
tuned = wrap(copy.deepcopy(base))
losses = fit(tuned, tokenizer, train_rows, lr=size.lr, **common)
hash_after = digest(p for p in tuned.parameters() if not p.requires_grad)
print(f"loss, first step → last ｜ 损失，第一步 → 最后一步: {losses[0]:.2f} → {losses[-1]:.2f}")
print(f"hash before ｜ 训练前的哈希: {hash_before}\nhash after ｜ 训练后的哈希:  {hash_after}")
print(f"hash when merged ｜ 合并后的哈希: {digest(merge(tuned).parameters())}")
claim("lora_base_untouched", float(hash_before != hash_after))

# %% [markdown] lang="en"
# Two sets of new incidents follow, both with three articles in the prompt: `valid` under articles trained on, for the loss, and `opened` under unseen ones, for the marks. A loss is the mean of $-\ln p$ over the answer's tokens; its unit is the nat. Losses on other rows are not comparable: the five starts used rows without articles, the training loss above both kinds.
#
# In brackets stands the 95 % interval, where the true share probably lies; `n` counts the incidents. The base already states the right facts for about half of them (the articles are in the prompt), but never in the form, so no notice is all right.

# %% [markdown] lang="zh" of="c8ea3cb8"
# 接下来用两组新的事件，提示里都有三条法条：`valid` 是训练过的法条下的，用来算损失；`opened` 是没练过的法条下的，用来评分。损失是答案各词元的 $-\ln p$ 的平均，单位叫 nat（奈特）。数据不同，损失就不能直接比：五种起点用的是不带法条的样本，上面训练时的损失则两种样本都有。
#
# 方括号里是 95 % 区间，真实的比例大概在这个范围里；`n` 是事件数。基座已经能给大约一半的事件写对事实（法条就在提示里），格式却一次也没对，所以没有一份全对。

# %%
held_out = select(world("eval", setup.langs), task="notice", context=True)
held_out = [row for row in held_out if len(row["context"]) == 3]
opened = select(held_out, split="unseen")[: size.test]
valid = select(held_out, split="seen")[: size.valid]


def marks(model):
    """Score the notices that a model writes with three articles in the prompt."""
    prompts = [row["messages"][:-1] for row in opened]
    texts = generate(model, tokenizer, prompts, max_new_tokens=96, batch_size=size.answer_batch)
    scores = score_notices(texts, opened)
    return {name: share(scores[name]) for name in ("form", "facts", "all")}


for name, who in {"before ｜ 之前": base, "after ｜ 之后": tuned}.items():
    print(name, *(f"  {mark}: {value}" for mark, value in marks(who).items()), sep="\n")

# %% [markdown]
# ### Switch it off, switch over ｜ 关掉，换一个

# %% [markdown] lang="en"
# The base has not moved, so an adapter can be **switched off**, and one base can carry several. We put the $A$ and $B$ just trained into PEFT as the adapter `notice`. (The numbers stay; only the parameters get PEFT's names.) Then we add a second adapter, `question`, and train it briefly on another task: it answers short questions about the law, such as what the fine is. `set_adapter` chooses which one works and is trained; inside `with model.disable_adapter():` none does.
#
# **Predict first**: with each of the two, and with none, what happens to the loss on notices, and to that on the answers to questions?

# %% [markdown] lang="zh" of="09b4913f"
# 基座没有动过，所以适配器可以**关掉**，一个基座还能同时带几个。把刚才练好的 $A$ 和 $B$ 放进 PEFT，作为适配器 `notice`（数值不变，只是参数改用 PEFT 的名字）；再加一个适配器 `question`，用另一项任务练几步：回答关于法条的简短问题，例如罚款是多少。`set_adapter` 选哪一个起作用、受训练；在 `with model.disable_adapter():` 里则一个都不起作用。
#
# **先猜一猜**：用这两个适配器，或者一个都不用，通知书的损失和问答的损失各会怎样？


# %%
def in_peft_names(wrapped):
    """Return the A and B of a wrapped model under the names that PEFT's files have."""
    layers = {n: m for n, m in wrapped.named_modules() if isinstance(m, LoRALinear)}
    return {
        f"base_model.model.{name}.lora_{part}.weight": getattr(layer, part).data
        for name, layer in layers.items()
        for part in "AB"
    }


base, _ = fresh()
probe = torch.tensor([encode(tokenizer, opened[0]["messages"])[0]], device=setup.device)
with torch.no_grad():
    plain = base(probe).logits
both = get_peft_model(base, lora, adapter_name="notice")  # it works inside `base` from here on
set_peft_model_state_dict(both, in_peft_names(tuned), adapter_name="notice")
both.add_adapter("question", lora)
both.set_adapter("question")
questions = select(world("train", setup.langs), task="question")[: size.second]
learned = fit(both, tokenizer, questions, lr=size.lr, **common | {"num_epochs": 1})
print(f"loss, first step → last ｜ 损失，第一步 → 最后一步: {learned[0]:.2f} → {learned[-1]:.2f}")

# %%
asked = select(world("eval", setup.langs), task="question")[: size.valid]


def two_losses():
    """Return the loss on new notices and on new questions, as a table's cells."""
    return [f"{held_loss(both, rows):.2f}" for rows in (valid, asked)]


switched = []
for name in ("notice", "question"):
    both.set_adapter(name)
    switched.append([f"`{name}`", *two_losses()])
with both.disable_adapter(), torch.no_grad():
    switched.append(["none ｜ 都不用", *two_losses()])
    off = both(probe).logits
claim("lora_switch_off", (off - plain).abs().max().item())
losses_on = ("loss, new notices ｜ 新通知书的损失", "loss, new questions ｜ 新问答的损失")
table(["adapter ｜ 适配器", *losses_on], switched)


# %% [markdown] lang="en"
# Each adapter is best at its own task. (`notice` helps a little with questions, too: 2.00 instead of 2.38.) With none the outputs are the base's to the last bit (a difference of 0). The losses printed during training are those of single batches, so compare only within the table. Full fine-tuning has no such switch. Now to disk and back: `save_pretrained` writes one small folder for each adapter, and none of the base's weights. At last `unload()` takes both off; the hash must be that of the beginning.

# %% [markdown] lang="zh" of="ca0d8044"
# 每个适配器都最擅长自己的任务（`notice` 对问答也有一点帮助：2.38 降到 2.00）；都不用时，输出和基座一个比特都不差（差为 0）。训练时打印的是单个批次的损失，不能和表里的直接比。全参数微调没有这样的开关。接着存盘再读回来：`save_pretrained` 给每个适配器写一个小文件夹，基座的权重一个也不写。最后用 `unload()` 把两个都取下来，哈希值应该和开头一样。


# %%
def outputs_of(model):
    """Return the outputs with each of the two adapters."""
    with torch.no_grad():
        return [
            (model.set_adapter(name), model(probe).logits)[1] for name in ("notice", "question")
        ]


with tempfile.TemporaryDirectory() as folder:
    both.save_pretrained(folder, save_embedding_layers=False)  # LoRA leaves embeddings alone
    reloaded = PeftModel.from_pretrained(load(setup)[0], f"{folder}/notice", adapter_name="notice")
    reloaded.load_adapter(f"{folder}/question", adapter_name="question")
    same = all(map(torch.equal, outputs_of(both), outputs_of(reloaded)))
    for name in ("notice", "question"):
        megabytes = sum(f.stat().st_size for f in Path(folder, name).iterdir()) / 1e6
        print(f"{name}: {megabytes:.2f} MB")
print("the same outputs after loading ｜ 读回来之后输出相同:", same)
base = both.unload()
print(f"all weights ｜ 全部权重: {4 * parameter_counts(base)[1] / 1e6:.2f} MB")
print("the hash of the beginning ｜ 哈希与开头相同:", digest(base.parameters()) == hash_before)

# %% [markdown]
# ## 5. How loud is a sticky note: α/r, rsLoRA, DoRA ｜ 便利贴的“音量”：α/r、rsLoRA 与 DoRA

# %% [markdown] lang="en"
# The factor before $BA$ is the **scale**: $\alpha/r$ in LoRA. It works like a volume knob: with twice the $\alpha$, the same $BA$ changes the layer twice as much. AdamW divides each gradient by its usual size, so in one step a weight moves by about the learning rate. And $B$ starts at zero. So for the first steps, twice $\alpha$ acts much like twice the rate. Over a whole run it does not: at rank 8, where 42 % of the notices were all right, nearly three times the $\alpha$ made it 70 %, three times the rate 35 % (recorded runs, sections 7 and 8).

# %% [markdown] lang="zh" of="e0746d54"
# $BA$ 前面的系数叫**缩放系数**，LoRA 里是 $\alpha/r$。它就像音量旋钮：$\alpha$ 加倍，同样的 $BA$ 对这一层的改动就加倍。AdamW 会把梯度除以它平时的大小，所以一步里每个权重大约移动一个学习率那么多；而 $B$ 从零开始。所以最初几步里，$\alpha$ 加倍和学习率加倍差不多。整次训练下来就不同了：秩 8 时通知书全对 42 %，$\alpha$ 取将近三倍，是 70 %；学习率取三倍，是 35 %（训练记录，见第 7、8 节）。

# %% [markdown] lang="en"
# And why divide by $r$? $BA$ is a sum of $r$ products: with more rank there are more terms to add, and the same rate would change the layer more. Dividing by $r$ is meant to balance that, so that one rate fits every rank. [rsLoRA](https://arxiv.org/abs/2312.03732) argues that this makes large ranks too quiet, and makes the scale $\alpha/\sqrt r$.
#
# We look at **recorded runs** of Xiaoxi: 320 notices, two epochs of 20 steps, five random seeds a setting. (Section 4 had 480 notices and sixty steps.) The loss is on new incidents under articles trained on.
#
# **Predict first**: the rate stays the same, and so does `alpha`: 16 for LoRA, 16/√8 ≈ 5.7 for rsLoRA, so that both are equally loud at rank 8. How does each loss change as the rank grows to 64?

# %% [markdown] lang="zh" of="93e0d0de"
# 为什么要除以 $r$？$BA$ 是 $r$ 项之和：秩越大，加起来的项越多，同样的学习率对这一层的改动也越大。除以 $r$ 就是要抵消这一点，让一个学习率适合各种秩。[rsLoRA](https://arxiv.org/abs/2312.03732) 认为这样一来，大的秩音量太小，所以缩放系数取 $\alpha/\sqrt r$。
#
# 这里看小溪的**训练记录**：320 份通知书，两轮，每轮 20 步，每种设置五个随机种子（第 4 节是 480 份、六十步）。损失用练过的法条下的新事件来测。
#
# **先猜一猜**：学习率不变，`alpha` 也各自不变：LoRA 取 16，rsLoRA 取 16/√8 ≈ 5.7，这样两种做法在秩 8 时一样响。秩一路加到 64，两者的损失各会怎么变？

# %%
scale, rank, fair, forget, zoo = map(sweeps.read, ("scale", "rank", "fair", "forget", "zoo"))
lora_runs = [run for grid in (rank, scale, fair, forget, zoo) for run in grid if run["lr"] == 1e-2]
lora_runs = [run for run in lora_runs if run["method"] in ("lora", "rslora")]
for run in lora_runs:  # rsLoRA's alpha / √r as the alpha / r of plain LoRA
    run["loud"] = round(run["alpha"] * (run["r"] ** 0.5 if run["method"] == "rslora" else 1), 1)
by_alpha = {
    f"r = {r}": sweeps.by(select(lora_runs, r=r), "loud", "loss") for r in (8, 1, 4, 16, 64)
}
stable, same_alpha = select(scale, method="rslora"), select(rank, lr=1e-2)
by_rank = {
    "LoRA, α = 16": sweeps.by(same_alpha, "r", "loss"),
    "rsLoRA, α = 16/√8": sweeps.by(stable, "r", "loss"),
    "LoRA, α = 2r": sweeps.by(select(fair, method="lora"), "r", "loss"),
}
rs_gain = by_rank["LoRA, α = 16"][64].value - by_rank["rsLoRA, α = 16/√8"][64].value
claim("lora_rs_gain", rs_gain)

# %%
fig, (left, right) = style.figure(
    columns=2, width=9, height=3.8,
    alt="Left: the loss against alpha for five ranks; where ranks 4, 8, 16 and 64 share an alpha "
    "they lie close together, rank 1 lies higher; rank 8, alone at 256, is far higher there. "
    "Right: the loss against the rank, three lines that meet at rank 8: α = 16 level from rank 4 "
    "on, rsLoRA, α = 2r ｜ 左图：五种秩的损失随 alpha 的变化；秩 4、8、16、64 在 alpha 相同处"
    "靠得很近，秩 1 更高；只有秩 8 试了 256，损失高得多。"
    "右图：损失随秩的变化，三条线在秩 8 处相交：α = 16 从秩 4 起持平，另有 rsLoRA、α = 2r",
)  # fmt: skip
for means_of, title, xlabel, ax in (
    (by_alpha, "Five ranks, by α ｜ 五种秩，随 α 变化", "α (rsLoRA's converted ｜ 已折算)", left),
    (by_rank, "Three ways to set α, by rank ｜ α 的三种取法，随秩变化", "rank ｜ 秩", right),
):
    lines = {kind: (list(means), list(means.values())) for kind, means in means_of.items()}
    plots.curves(lines, title, xlabel, "loss ｜ 损失", logx=True, ax=ax)
left.set_xticks([2, 4, 8, 16, 32, 64, 128, 256], "2 4 8 16 32 64 128 256".split())
for ax in (left, right):
    ax.set_yscale("log")
    ax.set_yticks([0.03, 0.1, 0.3, 1, 3], ["0.03", "0.1", "0.3", "1", "3"])
    ax.minorticks_off()
fig

# %% [markdown] lang="en"
# Each point is the mean of a setting's five runs at a rate of 1e-2; its whisker reaches from the worst run to the best. Right: with $\alpha = 16$ the line is flat from rank 4 on. rsLoRA's falls, and that of $\alpha = 2r$ falls most, up to rank 16. Is that the rank's doing?

# %% [markdown] lang="zh" of="5aca60d7"
# 图上每个点是一种设置五次训练的平均，学习率都是 1e-2；误差线从最差的一次画到最好的一次。右图：$\alpha = 16$ 的线从秩 4 起是平的；rsLoRA 的线在下降；$\alpha = 2r$ 的线降得最多，降到秩 16 为止。这是秩的功劳吗？

# %% [markdown] lang="en"
# The left figure has the control: these runs and more, drawn against $\alpha$. (An rsLoRA with $\alpha'$ has the scale of a LoRA with $\alpha = \alpha'\sqrt r$, so both can stand on one axis.) Where ranks from 4 on have the same $\alpha$, 16 to 45, they lie close together: at $\alpha \approx 45$ (two rsLoRA settings) rank 8 reaches 0.027, rank 64 reaches 0.031. So what rsLoRA gains at rank 64 is what the larger $\alpha$ gains: rank 8 gains as much. **For the loss at this rate it is $\alpha$ that counts, and from rank 4 on hardly the rank.** (Not so for forgetting: section 7.) So for the loss the division by $r$ does what it is meant to do, here and at 3e-3; at 3e-2 the small ranks break first. Compare ranks at equal $\alpha$, not at equal $\alpha/r$.

# %% [markdown] lang="zh" of="96881e80"
# 左图就是对照：这些训练再加几次，改为随 $\alpha$ 画。（$\alpha'$ 的 rsLoRA，缩放系数和 $\alpha = \alpha'\sqrt r$ 的 LoRA 相同，所以能画在同一根轴上。）从秩 4 起，$\alpha$ 相同（16 到 45）的秩靠得很近：$\alpha \approx 45$ 时（两种 rsLoRA），秩 8 是 0.027，秩 64 是 0.031。可见秩 64 时 rsLoRA 的好处，就是 $\alpha$ 更大的好处：秩 8 得益一样多。**就这个学习率下的损失而言，起作用的是 $\alpha$；从秩 4 起，秩几乎没有影响。**（遗忘则不然，见第 7 节。）可见就损失而言，除以 $r$ 起到了应有的作用，这里如此，学习率 3e-3 时也如此；到了 3e-2，小的秩先坏掉。比较不同的秩，要让 $\alpha$ 相同，而不是让 $\alpha/r$ 相同。

# %% [markdown] lang="en"
# So in these forty steps at 1e-2 $\alpha = 16$ was low for ranks 8, 16 and 64. (With sixty steps and more rows LoRA got much further at $\alpha = 16$: section 4.) At 256, tried at rank 8, the model breaks. Rank 1 lies above the curve: either it is too small or, at its scale of 16/1 = 16, too unsteady for this rate.
#
# Louder has a price, **forgetting**. Before training, Xiaoxi answers 93 % of a set of questions exactly that have nothing to do with notices, its *general skills*: copying, lists, sums, reading, translating (notebook 04). By how many percentage points (pp) that falls is what it forgot; 93 would be everything. (An answer in another form counts as forgotten, too.) At rank 8, $\alpha = 64$ forgot 87 points, $\alpha = 16$ forgot 41. Section 8 weighs one against the other.

# %% [markdown] lang="zh" of="dd9c7839"
# 可见在这四十步、学习率 1e-2 的训练里，对秩 8、16、64 来说 $\alpha = 16$ 偏低（步数加到六十、数据多一些，同样 $\alpha = 16$ 就好得多，见第 4 节）。取到 256（只在秩 8 上试过），模型就坏了。秩 1 落在曲线上方：可能是秩太小，也可能是缩放系数 16/1 = 16 太大，用这个学习率不稳。
#
# 调大音量有代价，就是**遗忘**。有一组和通知书无关的题，用来测*通用能力*：抄写、列举、加法、阅读、翻译（见 notebook 04）；训练前小溪答对 93 %（要一字不差）。训练后答对率降了多少个百分点（pp），就算忘了多少，降 93 个就是全忘光了。（会做但换了写法，也算忘了。）同是秩 8，$\alpha = 64$ 忘了 87 个百分点，$\alpha = 16$ 忘了 41 个。第 8 节会把得失放在一起权衡。

# %% [markdown] lang="en"
# [DoRA](https://arxiv.org/abs/2402.09353) splits a matrix into the *length* of each row and its *direction*. The length, or norm, of a row is the root of the sum of its squares. LoRA turns the direction; the lengths $m$ are learned apart:
#
# $$W' = m \cdot \frac{W + \frac{\alpha}{r} BA}{\lVert W + \frac{\alpha}{r} BA \rVert}$$
#
# At the start $m$ equals the norm. We write it in six lines and compare outputs **and gradients** with PEFT's. The forward pass computes outputs, the backward pass gradients; for the latter `.detach()` makes a number a constant.
#
# **Predict first**: the paper proposes to treat the norm as such a constant, which saves memory. PEFT does so, and so do we. Without it, do the outputs differ, or the gradients, or both?

# %% [markdown] lang="zh" of="8b19286b"
# [DoRA](https://arxiv.org/abs/2402.09353) 把矩阵的每一行拆成*长度*和*方向*。一行的长度（范数）就是各数平方和的平方根。LoRA 只转方向，各行的长度 $m$ 另外学：
#
# $$W' = m \cdot \frac{W + \frac{\alpha}{r} BA}{\lVert W + \frac{\alpha}{r} BA \rVert}$$
#
# $m$ 的初值等于范数。我们写成六行代码，把输出**和梯度**都和 PEFT 的对一对。前向传播算输出，反向传播算梯度；加上 `.detach()`，一个数在反向传播里就成了常数。
#
# **先猜一猜**：论文建议把范数当作这样的常数，省内存。PEFT 就是这么做的，我们也一样。不加的话，不同的是输出、梯度，还是两者都不同？

# %%
dora_config = LoraConfig(r=8, lora_alpha=16, target_modules=["0"], use_dora=True)
one_layer = nn.Sequential(nn.Linear(128, 512, bias=False)).double()
dora = get_peft_model(one_layer, dora_config).double()
dora_layer = dora.base_model.model[0]
A, B = dora_layer.lora_A.default.weight, dora_layer.lora_B.default.weight
m = dora_layer.lora_magnitude_vector.default.weight  # (out,): a length for each row
with torch.no_grad():
    B.normal_(std=0.1)
    m.mul_(1.1)
x = torch.randn(4, 128).double()


def by_hand(detach):
    """Return DoRA's output (4, out), in six lines."""
    turned = dora_layer.base_layer.weight + 16 / 8 * B @ A
    length = turned.norm(dim=1, keepdim=True)  # (out, 1)
    if detach:
        length = length.detach()  # the backward pass takes it for a constant
    return x @ (m[:, None] * turned / length).T


def gradients(output):
    """Return the gradients of A, B and m in one vector."""
    return torch.cat([g.flatten() for g in torch.autograd.grad((output**2).sum(), (A, B, m))])


# %%
wanted = gradients(dora(x))
claim("lora_dora", (by_hand(detach=True) - dora(x)).abs().max().item())
claim("lora_dora_gradients", (gradients(by_hand(detach=True)) - wanted).abs().max().item())
kept = (gradients(by_hand(detach=False)) - wanted).abs().max() / wanted.abs().max()
say(
    f"gradients without detach: largest difference from PEFT's over the largest: {kept:.2f}",
    f"不用 detach 的梯度：与 PEFT 的最大差与最大梯度之比 {kept:.2f}",
)

# %% [markdown] lang="en"
# The outputs agree in any case; the gradients agree only with `.detach()`.
#
# **Exercise 4** (medium, 5 minutes). A colleague's `alpha` suits rank `r`. Write `new_alpha`: the `alpha` that gives the same scale at rank `new_r`. It has to work for LoRA and, with `rslora=True`, for rsLoRA. (This keeps the scale. It is not how to compare ranks: above, ranks with equal `alpha` learned alike.)

# %% [markdown] lang="zh" of="43408cba"
# 输出怎样都一致；梯度要加上 `.detach()` 才一致。
#
# **练习 4**（中等，5 分钟）。同事的 `alpha` 在秩 `r` 时正合适。写出 `new_alpha`：换成秩 `new_r` 后，`alpha` 取多少，缩放系数才不变？要能算 LoRA，也要能算 rsLoRA（`rslora=True`）。（这样保持的是缩放系数。要比较不同的秩，则不能这样：上面学得差不多的，是 `alpha` 相同的秩。）


# %% tags=["exercise"]
def new_alpha(alpha, r, new_r, rslora=False):
    """Return the alpha that keeps the scale when the rank changes."""
    ...


# %% tags=["check"]
nb02.new_alpha(new_alpha)

# %% [markdown] tags=["solution"]
# <details><summary>Solution ｜ 参考答案</summary>
#
# ```python
# def new_alpha(alpha, r, new_r, rslora=False):
#     """Return the alpha that keeps the scale when the rank changes."""
#     times = new_r / r
#     return alpha * (times**0.5 if rslora else times)
# ```
#
# </details>

# %% [markdown]
# ## 6. How much rank does a change need? ｜ 一次改动需要多大的秩？

# %% [markdown] lang="en"
# [Hu et al. (2021)](https://arxiv.org/abs/2106.09685), who invented LoRA, assume that $\Delta W$ has a low rank. The **rank** of a matrix is the smallest $r$ for which it can be written as $BA$; a column times a row has rank 1. We take a real $\Delta W$: we train **all** weights and subtract the base. **Singular value decomposition** (SVD) writes it as a sum of parts of rank 1, the largest first. Their sizes $\sigma_i$ are the singular values. The first $r$ parts hold the share $\sum_{i \le r}\sigma_i^2 / \sum_i \sigma_i^2$ of all squared entries, and no matrix of rank $r$ holds more (Eckart–Young).
#
# **Predict first**: the shorter side of each matrix is 128, Xiaoxi's width, so there are at most 128 parts. How much do the first 8 hold? In random matrices of these shapes it is about 17 %.

# %% [markdown] lang="zh" of="6c956197"
# 提出 LoRA 的 [Hu 等人（2021）](https://arxiv.org/abs/2106.09685)假设 $\Delta W$ 的秩很低。一个矩阵能写成 $BA$ 的最小的 $r$，就是它的**秩**；一列乘一行，秩为 1。来看一个真的 $\Delta W$：训练**全部**权重，再减去基座。**奇异值分解**（SVD）把它写成若干秩为 1 的分量之和，从大到小排列，大小就是奇异值 $\sigma_i$。前 $r$ 个分量占所有元素平方和的 $\sum_{i \le r}\sigma_i^2 / \sum_i \sigma_i^2$；秩为 $r$ 的矩阵，最多也只能留住这么多（Eckart–Young 定理）。
#
# **先猜一猜**：每个矩阵较短的一边是 128，即小溪的宽度，所以最多有 128 个分量。前 8 个占多少？同样形状的随机矩阵约占 17 %。

# %%
full, _ = fresh()
set_seed(SEED)
fit(full, tokenizer, train_rows, lr=size.full_lr, **common)
bare = dict(base.named_parameters())
deltas = {n: (p - bare[n]).detach().float() for n, p in full.named_parameters() if p.ndim == 2}
moved = sum(bool(d.any()) for d in deltas.values())
print(f"matrices that training changed ｜ 训练改动了的矩阵: {moved} / {len(deltas)}")


def energy(S):
    """Return, for r = 1, 2, …, the share that the first r singular values hold of the squares."""
    squares = S**2
    return (squares.cumsum(0) / squares.sum()).cpu()


parts = {name: torch.linalg.svd(delta, full_matrices=False) for name, delta in deltas.items()}
d = base.config.hidden_size
wide = [name for name, delta in deltas.items() if min(delta.shape) == d]
energies = torch.stack([energy(parts[name].S) for name in wide])
shapes = {deltas[name].shape for name in wide}
by_shape = {shape: energy(torch.linalg.svdvals(torch.randn(shape))) for shape in shapes}
noise = torch.stack([by_shape[deltas[name].shape] for name in wide])  # random matrices

# %% [markdown] lang="en"
# All 29 matrices have changed: those of the 28 linear layers, and the embedding. But a share of squares does not tell whether the model still works. So we **cut**: of each matrix's change we keep only the first $r$ parts, and measure the model again. (Biases and norms are vectors and keep their change.)

# %% [markdown] lang="zh" of="6d66efbb"
# 29 个矩阵全都变了：28 个线性层，加上嵌入。可是平方和的占比，说明不了模型还好不好用。那就**动手截断**：每个矩阵的改动只保留前 $r$ 个分量，再测一遍模型（偏置和归一化的权重是向量，改动原样保留）。

# %% [markdown] lang="en"
# The test is strict. LoRA learns within rank $r$ from the start, so it may do better than a cut. And the embedding, the table that turns each token into a vector (here it is also the output head), is left as it is by LoRA. So we cut twice: all matrices, and all but the embedding, which then keeps its whole change.
#
# The dotted lines in the figure mark rank 8. **Predict first**: with 8 of 128 parts, does the model keep what it learned?

# %% [markdown] lang="zh" of="c39578ce"
# 这个检验偏严：LoRA 从一开始就在秩 $r$ 之内学习，可能比截断好。还有嵌入，也就是把每个词元变成向量的那张表（它在这里同时是输出层），LoRA 不动它。所以我们截断两次：一次截断所有矩阵，一次留下嵌入不截，保留它的全部改动。
#
# 图中的虚线标出秩 8。**先猜一猜**：128 个分量只留 8 个，学到的东西还在吗？


# %%
def cut(r, kept=()):
    """Return the fully tuned model with only rank r of each change, but for the names kept."""
    model = copy.deepcopy(full)
    for name, p in model.named_parameters():
        if name in deltas and name not in kept:
            U, S, V = parts[name]
            p.data = bare[name] + (U[:, :r] * S[:r]) @ V[:r]
    return model


EMBEDDING = ("model.embed_tokens.weight",)
some = [r for r in (0, 1, 2, 4, 8, 16, 32, 64) if r < d]
after_cut = {
    "all matrices ｜ 所有矩阵": [held_loss(cut(r), valid) for r in some],
    "all but the embedding ｜ 嵌入不截断": [held_loss(cut(r, EMBEDDING), valid) for r in some],
}
whole = held_loss(full, valid)
at_8 = {name: line[some.index(8)] - whole for name, line in after_cut.items()}
claim("lora_energy_8", 100 * energies[:, 7].mean().item())
claim("lora_cut_8", at_8["all matrices ｜ 所有矩阵"])
claim("lora_cut_8_embedding", at_8["all but the embedding ｜ 嵌入不截断"])

# %%
fig, (left, right) = style.figure(
    columns=2, width=9, height=3.8,
    alt=f"Left: the share that rank r holds; at 8 it is {100 * energies[:, 7].mean():.0f} % of the "
    f"change, {100 * noise[:, 7].mean():.0f} % of a random matrix. Right: the loss falls as more "
    "rank is kept, whether the embedding is cut or not, towards the uncut model's ｜ "
    f"左图：秩 r 留住多少；秩 8 时改动留住 {100 * energies[:, 7].mean():.0f} %，"
    f"随机矩阵 {100 * noise[:, 7].mean():.0f} %。右图：保留的秩越多，损失越低，"
    "截不截断嵌入都是如此，最后接近不截断的模型",
)  # fmt: skip
thin = {"the change ΔW ｜ 改动 ΔW": energies.mean(0), "random matrix ｜ 随机矩阵": noise.mean(0)}
thin = {name: (range(1, d + 1), held) for name, held in thin.items()}
plots.curves(
    thin, "What the first r parts hold ｜ 前 r 个分量留住多少", "r: parts kept ｜ 保留的分量数",
    "share of the squares ｜ 占平方和的比例", ax=left,
)  # fmt: skip
series = {name: (some, line) for name, line in after_cut.items()}
series["uncut ｜ 不截断"] = (some, [whole] * len(some))
plots.curves(
    series, "The loss after the cut ｜ 截断之后的损失", "rank kept ｜ 保留的秩", "loss ｜ 损失",
    ax=right,
)  # fmt: skip
right.set_xscale("symlog", base=2, linthresh=1)  # rank 0 keeps its place
right.set_xticks(some, map(str, some))
left.set_xscale("log", base=2)
left.set_xticks([r for r in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512) if r <= d])
left.xaxis.set_major_formatter("{x:g}")
for ax in (left, right):
    ax.axvline(8, color="#D55E00", linestyle=":")
fig

# %%
print(f"all right, uncut ｜ 全对，不截断: {marks(full)['all']}")
print(f"all right, cut to rank 8 ｜ 全对，截断到秩 8: {marks(cut(8))['all']}")
print(f"  the embedding left whole ｜ 嵌入不截断: {marks(cut(8, EMBEDDING))['all']}")

# %% [markdown] lang="en"
# The first 8 parts hold 55 % of the squares, three times as much as in a random matrix. Cut to rank 8 everywhere, the model writes none of 60 notices all right, where it wrote 77 % before. With the embedding left whole it still writes 45 %, and its loss rises by 0.03 instead of 0.22. So leaving the embedding whole, which LoRA never touches, undoes most of the rise in loss and much of the fall in notices. (The embedding cut alone was not tried.)

# %% [markdown] lang="zh" of="fc781659"
# 前 8 个分量占了平方和的 55 %，是随机矩阵的三倍。所有矩阵都截断到秩 8，60 份通知书里一份全对的也没有了，截断之前有 77 %。嵌入留下不截，还有 45 % 全对，损失只升 0.03，而不是 0.22。可见只要不截嵌入（LoRA 根本不动它），损失的上升大半就消失了，通知书的跌幅也挽回了不少。（没有试过只截嵌入。）

# %% [markdown] lang="en"
# Does the change of the linear layers fit into rank 8? A rise of 0.03 looks small beside the 3 nats before training. But it more than doubles the loss that was left, and about 32 points of notices are gone. Our LoRA learned within rank 8 from the start and wrote 78 % (section 4): the *task* fits. And this is one model of width 128; rank 8 of 3,584, as in the 7B, is another matter.

# %% [markdown] lang="zh" of="5c89c923"
# 线性层的改动装得进秩 8 吗？损失升 0.03，和训练前的 3 nats 相比不大；可剩下的损失因此翻了一倍还多，通知书也少对了大约 32 个百分点。我们的 LoRA 从一开始就在秩 8 之内学习，写对了 78 %（第 4 节）：*任务*是装得下的。再说，这只是一个宽 128 的模型；7B 宽 3,584，其中的秩 8 又是另一回事。

# %% [markdown] lang="en"
# **Exercise 5** (medium, 8 minutes). Write `rank_for`: the smallest rank that holds at least `part` (0 to 1) of a matrix's squares. You are given its singular values, largest first.

# %% [markdown] lang="zh" of="cf182a77"
# **练习 5**（中等，8 分钟）。写出 `rank_for`：给出一个矩阵的奇异值（从大到小），求至少留住平方和的 `part`（0 到 1）所需的最小的秩。


# %% tags=["exercise"]
def rank_for(singular_values, part):
    """Return the smallest rank whose share of the squares is at least `part`."""
    ...


# %% tags=["check"]
nb02.rank_for(rank_for)

# %% [markdown] tags=["solution"]
# <details><summary>Solution ｜ 参考答案</summary>
#
# ```python
# def rank_for(singular_values, part):
#     """Return the smallest rank whose share of the squares is at least `part`."""
#     squares = [s**2 for s in singular_values]
#     held = 0
#     for rank, square in enumerate(squares, 1):
#         held += square
#         if held >= part * sum(squares) - 1e-12:
#             return rank
# ```
#
# </details>

# %% [markdown]
# ## 7. Rate and rank: recorded runs ｜ 学习率与秩：记录下来的训练

# %% [markdown] lang="en"
# One run says little, and many runs take hours. So the runs of this section were made beforehand, by `tools/measure/sweep.py`: Xiaoxi, 320 notices, two epochs, forty steps. A point is the mean of five random seeds; its whisker reaches from the worst run to the best. `loss` is measured on new incidents under articles trained on, and `all` (every line right) under unseen ones. Three articles stand in each prompt.
#
# **Predict first**: the notes advise 1e-5 to 5e-5. At which rate is the loss lowest for all weights, and at which for LoRA?

# %% [markdown] lang="zh" of="56f494c5"
# 一次训练说明不了什么，多次训练又要几个小时。所以这一节的训练事先用 `tools/measure/sweep.py` 跑好了：小溪，320 份通知书，两轮，四十步。图上的点是五个随机种子的平均，误差线从最差的一次画到最好的一次。`loss` 用训练过的法条下的新事件来测，`all`（每一行都对）用没练过的法条下的事件来测；提示里都有三条法条。
#
# **先猜一猜**：讲义建议 1e-5 到 5e-5。训练全部权重时，哪个学习率的损失最低？用 LoRA 时呢？

# %%
rate = sweeps.read("rate")
low = {m: sweeps.best(select(rate, method=m)) for m in ("full", "lora")}
rates = {m: sweeps.by(select(rate, method=m), "lr", "loss") for m in ("full", "lora")}
fig = plots.curves(
    {METHODS[m]: (list(by_rate), list(by_rate.values())) for m, by_rate in rates.items()},
    "LoRA (r 8, α 16) is best at a higher rate; grey: the notes' advice ｜ "
    "LoRA（秩 8，α 16）的最佳学习率更高；灰色带是讲义的建议",
    "learning rate ｜ 学习率",
    "loss ｜ 损失",
    logx=True,
    alt="The loss against the learning rate: all weights are lowest at "
    f"{low['full']:g}, LoRA at {low['lora']:g}; in the grey band of the notes both are high ｜ "
    f"损失随学习率的变化：全参数在 {low['full']:g} 处最低，LoRA 在 {low['lora']:g} 处最低；"
    "在讲义建议的灰色带里两者都高",
)
fig.axes[0].axvspan(1e-5, 5e-5, color="#DDDDDD")
fig.axes[0].set_yscale("log")
fig.axes[0].set_yticks([0.03, 0.1, 0.3, 1, 3], ["0.03", "0.1", "0.3", "1", "3"])
fig.axes[0].minorticks_off()
claim("lora_rate_ratio", low["lora"] / low["full"])
advised = min(loss.value for lr, loss in rates["lora"].items() if lr <= 5e-5)
claim("lora_rate_of_seeds", advised - rates["lora"][low["lora"]].value)
fig

# %% [markdown] lang="en"
# On Xiaoxi 3e-3 is best for all weights. For LoRA 1e-2 and 3e-2 are level by loss; one seed of five prefers 3e-2, ten times the rate. We take 1e-2, about three times, because at 3e-2 LoRA forgets 92 points instead of 41. That is at rank 8 with $\alpha = 16$. At rank 64 with $\alpha = 128$, which is $\alpha/r = 2$ again, we tried two rates, and 3e-3 was better than 1e-2: no higher than for all weights. So state rank and $\alpha$ beside the rate. [On large models](https://thinkingmachines.ai/blog/lora/) the ratio is about ten. Section 10 has our runs on a real model.

# %% [markdown] lang="zh" of="38d25458"
# 在小溪上，全参数的最佳学习率是 3e-3。LoRA 用 1e-2 和 3e-2，损失不相上下；五个种子里有一个是 3e-2 更好，即十倍。我们取 1e-2，约三倍，因为用 3e-2 要忘掉 92 个百分点，而不是 41。这是秩 8、$\alpha = 16$ 的结果；秩 64、$\alpha = 128$ 同样是 $\alpha/r = 2$，试过的两个学习率里却是 3e-3 好过 1e-2，并不比全参数高。所以报学习率时，要把秩和 $\alpha$ 一起报。[在大模型上](https://thinkingmachines.ai/blog/lora/)大约是十倍。真实模型上的训练见第 10 节。

# %% [markdown] lang="en"
# **Do not take Xiaoxi's rates to a large model.** From 0.5B on, others start near 2e-5 for all weights and 2e-4 for LoRA. With a small model and few steps more can be needed: SmolLM2-135M, 45 steps, had most notices right at 3e-4 and 3e-3 of the rates tried; at 3e-5 and 3e-4 it had 28 and 1 %. (At the two best rates it had forgotten 100 and 91 % of its general skills.) So **try several rates, each about three times the last**, upwards too.

# %% [markdown] lang="zh" of="545d31cd"
# **不要把小溪的学习率搬到大模型上。** 0.5B 以上的模型，别人一般从全参数 2e-5、LoRA 2e-4 左右试起。模型小、步数少，可能要更高：SmolLM2-135M 训练 45 步，按全对的通知书算，试过的学习率里最好的是 3e-4 和 3e-3；用 3e-5 和 3e-4，全对只有 28 % 和 1 %。（用这两个最好的学习率，原来会的通用题分别忘了 100 % 和 91 %。）所以要**多试几个学习率，每个约是前一个的三倍**，也往高处试。

# %% [markdown] lang="en"
# The notes' band is usual for all weights of large models. Xiaoxi learns little with it: at 5e-5, in forty steps, the loss falls from 3.0 to 2.2 with all weights, to 2.9 with LoRA. From there to the best rate both lines fall steadily. In this stretch LoRA needs a higher rate than all weights to reach the same loss.

# %% [markdown] lang="zh" of="6be337e8"
# 讲义给的范围，常用于大模型的全参数微调；小溪用这样的学习率学不到多少：用 5e-5 训练四十步，全参数的损失从 3.0 降到 2.2，LoRA 只降到 2.9。从这里到最佳学习率，两条线都一路下降；在这一段里，要降到同样的损失，LoRA 的学习率总要比全参数高。

# %% [markdown] lang="en"
# Next is the rank. The notes advise 8 to 64. On the left, each rank is tried at three rates with `alpha=16`. On the right the rate stays at 1e-2, and `alpha` is either 16 or twice the rank. **Predict first**: how much is lost at rank 1? Is 64 better than 8? What happens to forgetting?

# %% [markdown] lang="zh" of="36706b3a"
# 再看秩。讲义建议 8 到 64。左图：`alpha=16` 不变，每个秩试三个学习率。右图：学习率都是 1e-2，`alpha` 取 16，或取秩的两倍。**先猜一猜**：秩取 1 会差多少？64 比 8 好吗？遗忘又会怎样？

# %%
best_rate = {r: sweeps.best(select(rank, r=r)) for r in sorted({row["r"] for row in rank})}
by_rate = {
    lr: sweeps.by(select(rank, lr=lr), "r", "loss") for lr in sorted({r["lr"] for r in rank})
}
scaled = {"α = 16": select(rank, lr=1e-2), "α = 2r": select(fair, method="lora")}
shown = {
    f"{sweeps.NAMES[mark]}, {alpha}": sweeps.by(runs, "r", mark)
    for alpha, runs in scaled.items()
    for mark in ("all", "forgetting")
}
at_one_rate = sweeps.by(scaled["α = 16"], "r", "all")
claim("lora_rank_of_seeds", 100 * (at_one_rate[8].value - at_one_rate[1].value))
claim("lora_rank_more", 100 * (at_one_rate[64].value - at_one_rate[8].value))
claim("lora_rank_one_rate", max(best_rate.values()) / min(best_rate.values()))

# %%
fig, (left, right) = style.figure(
    columns=2, width=9, height=3.8,
    alt="Left: the loss against the rank at three rates with α = 16; the middle rate is level from "
    "rank 4 on. Right: all right and forgetting against the rank at 1e-2; with α = 16 forgetting "
    "falls as the rank grows, with α = 2r it climbs ｜ 左图：α = 16 时三个学习率下损失随秩的变化，中间那个从秩 4 起持平。"
    "右图：学习率 1e-2 时全对和遗忘随秩的变化；秩变大时，α = 16 的遗忘下降，α = 2r 的遗忘上升",
)  # fmt: skip
plots.curves(
    {f"lr {lr:g}": (list(v), list(v.values())) for lr, v in by_rate.items()},
    "Loss at three rates (lr), α = 16 ｜ 三个学习率（lr）下的损失，α = 16", "rank ｜ 秩", "loss ｜ 损失", logx=True, ax=left,
)  # fmt: skip
plots.curves(
    {label: (list(v), list(v.values())) for label, v in shown.items()},
    "At rate 1e-2, two ways to set α ｜ 学习率 1e-2，α 的两种取法", "rank ｜ 秩",
    "all right, %; forgotten, pp ｜ 全对，%；遗忘，百分点", "share", True, ax=right,
)  # fmt: skip
left.set_yscale("log")
left.set_yticks([0.1, 0.3, 1, 3], ["0.1", "0.3", "1", "3"])
left.minorticks_off()
right.set_ylim(-5, 110)
right.legend(loc="upper left", fontsize=7)
fig

# %% [markdown] lang="en"
# With $\alpha = 16$, rank 1 gets 22 % all right, rank 4 gets 41 % and rank 8 gets 42 %. The loss is level from rank 4 on, and rank 64 (37 %) is no better than 8. With $\alpha = 2r$ it looks as if rank decided everything: all right climbs to 65 % at rank 16 and falls to 49 % at rank 64; forgetting climbs all the way, until nearly all skills are gone. But there $\alpha$ grows too, and that is what the loss follows (section 5).

# %% [markdown] lang="zh" of="1582524c"
# $\alpha = 16$ 时，秩 1 全对 22 %，秩 4 是 41 %，秩 8 是 42 %。从秩 4 起损失就不再降，秩 64（37 %）并不比 8 好。取 $\alpha = 2r$，看上去就像秩决定了一切：全对一路升到秩 16 的 65 %，到秩 64 又跌到 49 %；遗忘则一路上升，直到通用能力几乎丢光。可这里 $\alpha$ 也在变大，损失正是跟着它走的（第 5 节）。

# %% [markdown] lang="en"
# Forgetting is another matter. With $\alpha = 16$ it *falls* as the rank grows: 64 points at rank 1, 41 at rank 8, 30 at rank 64, while from rank 4 on the scores overlap. So more rank did bring something here.
#
# Do not compare ranks at one scale and one rate. Keep $\alpha$, or give each rank its own best rate, and look at forgetting too. The whiskers are long: five seeds cannot tell neighbours apart.

# %% [markdown] lang="zh" of="148b3279"
# 遗忘却不同：$\alpha = 16$ 时，秩越大忘得越*少*，秩 1 忘 64 个百分点，秩 8 忘 41，秩 64 忘 30，而从秩 4 起，各秩的成绩互相重叠。可见在这里，秩大还是有好处的。
#
# 不要在缩放系数和学习率都不变时比较不同的秩。要么让 $\alpha$ 不变，要么各用自己最好的学习率，而且要看遗忘。误差线很长：五个种子还分不清相邻两点的高低。

# %% [markdown] lang="en"
# **Where** should LoRA go? The notes put it on `q_proj` and `v_proj`, with `alpha=32` and dropout 0.1 (in training, a tenth of LoRA's inputs is set to zero at random). The last bar takes all that, and also their highest rate, 5e-5; the other bars have 1e-2 and $\alpha/r = 2$. The ranks differ so that the weights are of one order (16,000 to 33,000); then $\alpha$ differs too: 4 everywhere, 8 in the MLP, 16 in the other two. By section 5 a low $\alpha$ learns less, so "everywhere" starts at a disadvantage. A bar is the mean, a dot one run; the first panel counts the weights.

# %% [markdown] lang="zh" of="a249d9d7"
# LoRA 该**加在哪里**？讲义把它加在 `q_proj` 和 `v_proj` 上，`alpha=32`，dropout 0.1（训练时随机把 LoRA 输入的十分之一置零）。图中最后一条全照这样设，学习率也取讲义里最高的 5e-5；其余各条是 1e-2 和 $\alpha/r = 2$。各处的秩不同，是为了让权重数在同一数量级（1.6 万到 3.3 万）；这样 $\alpha$ 也就不同：处处是 4，MLP 是 8，另外两种是 16。按第 5 节，$\alpha$ 小就学得少，所以“处处”先吃了亏。条形是平均，一个点是一次训练，第一栏是权重数。

# %% [markdown] lang="en"
# **Predict first**: which is better, rank 8 on those two layers, or rank 2 everywhere (1.4 times the weights)? After that, turn the knobs yourself. All runs have been made already, so the answer comes at once; a dotted line marks your setting.

# %% [markdown] lang="zh" of="e3f72e00"
# **先猜一猜**：是在这两处用秩 8 好，还是处处用秩 2 好（权重多四成）？然后自己来拧旋钮：训练早已跑好，一拧就有答案，虚线标出你选的值。

# %%
where = sweeps.read("where")
places = {
    ("all-linear", False): "everywhere, r 2 ｜ 处处，秩 2",
    ("mlp", False): "MLP, r 4 ｜ MLP，秩 4",
    ("attention", False): "attention, r 8 ｜ 注意力，秩 8",
    ("qv", False): "q and v, r 8 ｜ q 和 v，秩 8",
    ("qv", True): "all as in the notes ｜ 全照讲义",
}
for run in where:
    run["place"] = run["targets"], run["dropout"] > 0  # the notes use dropout
by_place = sweeps.by(where, "place", "all")
gain = by_place["all-linear", False].value - by_place["qv", False].value
claim("lora_places", 100 * gain)
learned_and_lost = {
    "loss": "loss on new notices ｜ 新通知书的损失",
    "form": "form right, % ｜ 格式对，%",
    "all": "all right, % ｜ 全对，%",
    "forgetting": "general skills lost, pp ｜ 丢失的通用能力，百分点",
}
panels(
    where,
    "place",
    places,
    {"trainable": "trained weights ｜ 训练的权重数"} | learned_and_lost,
    "Where to put LoRA: what it learned, what it forgot ｜ LoRA 加在哪里：学到多少，忘掉多少",
    alt="Bars for five places, with weights, loss, form, all right and general skills lost: q and "
    "v alone, and all as in the notes, have no notice right; the MLP lost far less than attention "
    "｜ 五种位置的条形图，列出权重数、损失、格式、全对和丢失的通用能力："
    "只加在 q 和 v 上、全照讲义这两种，一份全对的也没有；MLP 丢失的远少于注意力",
)  # fmt: skip

# %% [markdown] lang="en"
# After forty steps, `q` and `v` alone haven't learned the form: 0 % in all five runs. Add the rest of attention, or take the MLP, or a little everywhere, and some notices are right; between these three the dots overlap. In forgetting, the last panel, they lie far apart: 26 points everywhere, 7 in the MLP, 60 in attention (45 in q and v). Attention had twice the MLP's rank and $\alpha$; but on all layers the same step added only about 10 points. So most of the gap seems to be the place, though no run with equal $\alpha$ checks it. With seed 0 alone, attention stood at 0 %, and we would have told you that it cannot learn the form. **One run is an anecdote.**

# %% [markdown] lang="zh" of="8ebd0b58"
# 四十步之后，只加在 `q` 和 `v` 上还没学会格式：五次都是 0 %。加上注意力的其余部分，或者加在 MLP 上，或者处处都加一点，就能写对一些；这三种的点互相重叠，分不出高下。遗忘（最后一栏）却差得很远：处处 26 个百分点，MLP 7，注意力 60（q 和 v 45）。注意力的秩和 $\alpha$ 都是 MLP 的两倍；可是在所有层上，同样加倍也只多忘 10 个百分点左右。所以差距看来多半来自位置，不过没有 $\alpha$ 相同的训练来核对。要是只看种子 0，“注意力”那一条正好是 0 %，我们就会告诉你它学不会格式。**只跑一次，只是个例。**

# %% [markdown] lang="en"
# With all settings of the notes the model hardly moved: a loss of 2.96, before training 3.00. So it was with LoRA everywhere at 5e-5 (2.94), while q and v at 1e-2 reached 0.97. So the rate alone is enough to explain the loss; for the 0 % right, either the rate or the place would do.

# %% [markdown] lang="zh" of="f200b684"
# 全照讲义来，模型几乎没动：损失 2.96，训练前是 3.00。LoRA 处处都加、学习率 5e-5 时也是这样（2.94），而 q 和 v 用 1e-2 能到 0.97。可见单是学习率就足以解释损失；至于全对 0 %，学习率和位置，单凭哪一样都足够。


# %%
def knobs(measure, lr, r):
    """Show a measure against the rate at your rank, and against the rank at your rate."""
    fig, axes = style.figure(columns=2, width=9, height=3.8)
    unit, name = sweeps.MEASURES[measure], sweeps.NAMES[measure]
    sign = {"loss": "nats", "seconds": "s", "forgetting": "pp"}.get(measure, "%")
    rows = {"lr": select(rank, r=r), "r": select(rank, lr=lr)}
    labels = {"lr": "learning rate ｜ 学习率", "r": "rank ｜ 秩"}
    titles = {"lr": f"At rank {r} ｜ 秩 {r}", "r": f"At rate {lr:g} ｜ 学习率 {lr:g}"}
    for ax, (field, mine) in zip(axes, (("lr", lr), ("r", r)), strict=True):
        means = sweeps.by(rows[field], field, measure)
        value = means[mine].value * (100 if unit == "share" else 1)
        series = {"LoRA": (list(means), list(means.values()))}
        plots.curves(series, titles[field], labels[field], f"{name} ({sign})", unit, True, ax=ax)
        ax.axvline(mine, color="#D55E00", linestyle=":")
        ax.get_legend().remove()
    fig.suptitle(f"{name}: {value:.3g} {sign} (r {r}, lr {lr:g})", size=11)
    en, zh = name.split(" ｜ ")
    return style.describe(
        fig,
        f"{en} ({sign}) of recorded runs against the rate at rank {r}, and against the rank at "
        f"rate {lr:g} ｜ 训练记录的{zh}（{sign}）：秩 {r} 时随学习率的变化，学习率 {lr:g} 时随秩的变化",
    )


# %%
widgets.explore(
    knobs,
    names={"measure": "measure ｜ 指标", "lr": "rate ｜ 学习率", "r": "rank ｜ 秩"},
    # not `facts`: these runs were marked by an older rule (data/sweeps/README.md)
    measure={label: name for name, label in sweeps.NAMES.items() if name != "facts"},
    lr=list(by_rate),
    r=list(best_rate),
    start={"measure": "all", "lr": 1e-2, "r": 8},
)

# %% [markdown]
# ## 8. Nine ways, side by side ｜ 方法一览：九种方法并排比

# %% [markdown] lang="en"
# Besides LoRA, rsLoRA and DoRA there are more ways to train few weights. **QLoRA** is LoRA on a base compressed to 4 bits (notebook 05). A **prefix** puts learned keys and values in front of each layer's own. A **soft prompt** puts learned embeddings in front of the text. **IA3** adds no matrix; it only scales what some layers compute. The **bottleneck adapter** is the oldest of them, and PEFT does not have it. That one we write by hand:

# %% [markdown] lang="zh" of="27c5a622"
# 除了 LoRA、rsLoRA 和 DoRA，还有别的办法也只训练少量权重。**QLoRA**：先把基座压缩到 4 比特，再加 LoRA（notebook 05）。**前缀**：在每层的键和值前面再接一段学出来的键和值。**软提示**：在文字前面接上一段学出来的嵌入。**IA3**：不加矩阵，只把某些层算出的数放大或缩小。**瓶颈适配器**资格最老，PEFT 里却没有，我们手写：


# %%
class Bottleneck(nn.Module):
    """A layer, then down to `width`, GELU, up again, added (Houlsby et al. 2019)."""

    def __init__(self, linear, width):
        super().__init__()
        self.linear = linear
        self.down = nn.Linear(linear.out_features, width, device=linear.weight.device)
        self.up = nn.Linear(width, linear.out_features, device=linear.weight.device)
        nn.init.zeros_(self.up.weight)  # at the start it adds nothing, as LoRA's B
        nn.init.zeros_(self.up.bias)

    def forward(self, x):
        h = self.linear(x)  # (batch, tokens, emb)
        return h + self.up(nn.functional.gelu(self.down(h)))


def with_bottlenecks(model, width=32):
    """Freeze a model and put a bottleneck after each attention and each MLP block."""
    model.requires_grad_(False)
    for layer in model.model.layers:
        layer.self_attn.o_proj = Bottleneck(layer.self_attn.o_proj, width)
        layer.mlp.down_proj = Bottleneck(layer.mlp.down_proj, width)
    return model


bottled = with_bottlenecks(load(setup)[0])
print("weights ｜ 权重数:", f"{parameter_counts(bottled)[0]:,}")
print("loss before training ｜ 训练前的损失:", f"{held_loss(bottled, few[: size.start_rows]):.4f}")
print("the base's ｜ 基座的:", f"{untouched:.4f}")

# %% [markdown] lang="en"
# All nine ways train on the rows of section 7, with five random seeds. First the costs. `state` is counted: for each trained weight its gradient and AdamW's two running averages (moments), of the gradient and of its square. `seconds`, and `memory`, by which the process grew in training, are measured (one core, two runs side by side).
#
# **Predict first**: which way saves memory *here*?

# %% [markdown] lang="zh" of="273bd9be"
# 九种方法，数据同第 7 节，各五个随机种子。先看代价。`state` 是算出来的：每个参与训练的权重，都有一份梯度，外加 AdamW 存的两个数：梯度近来的平均，和梯度平方近来的平均（叫一阶、二阶矩）。`seconds` 和 `memory`（训练时进程的内存涨了多少）是量出来的（每次训练占一个核，两个同时跑）。
#
# **先猜一猜**：*在这里*谁最省内存？

# %%
grew = sweeps.by(zoo, "method", "memory")
claim("lora_zoo_memory", grew["lora"].value / grew["full"].value)
panels(
    zoo,
    "method",
    METHODS,
    {
        "trainable": "trained weights ｜ 训练的权重数",
        "state": "state (counted), MB ｜ 状态（算出），MB",
        "memory": "rise of memory, MB ｜ 内存涨幅，MB",
        "seconds": "training, seconds ｜ 训练用时，秒",
    },
    "Nine ways: what they cost ｜ 九种方法：要付出什么",
    log=("trainable", "state"),
    alt="Dots for trained weights and state, bars for the rise of memory and seconds, of nine ways: "
    "LoRA trains a fifteenth as many weights, and took more memory here than all weights ｜ "
    "九种方法训练的权重数、状态、内存涨幅和秒数：LoRA 练的权重是全参数的十五分之一，用的内存却更多",
)

# %% [markdown] lang="en"
# LoRA on all linear layers took *more* memory than all weights here, 721 against 528 MB; of the nine only IA3 took less (498). What it surely saves is gradients and optimizer *state*: in float32 three numbers, or twelve bytes, for each weight that is not trained. By count, that is 16 MB here and 91 GB for 7B.
#
# Why it takes more we do not know. At $\alpha = 16$ the rank makes little difference: 696 MB at rank 1, 722 MB at rank 8. Where LoRA sits matters much: on `q_proj` and `v_proj` alone it took 484 MB, less than all weights. **Activations**, the intermediate results kept for the backward pass, and temporary buffers were not measured apart. The seconds vary too much from run to run to rank the methods.

# %% [markdown] lang="zh" of="e67c1ee9"
# 在这里，LoRA 加在所有线性层上，用的内存反而比全参数*多*：721 比 528 MB；九种里比全参数省的只有 IA3（498 MB）。它肯定能省下的是梯度和优化器*状态*：用 float32 时，每个不训练的权重省下三个数，共十二个字节。算下来，在这里是 16 MB，换成 7B 是 91 GB。
#
# 为什么反而多，我们还不知道。$\alpha = 16$ 时，秩的影响不大：秩 1 时进程涨了 696 MB，秩 8 时 722 MB。加在哪里影响很大：只加在 `q_proj` 和 `v_proj` 上是 484 MB，比全参数还少。**激活值**（为反向传播保留的中间结果）和临时缓冲区没有分开量过。至于秒数，每次相差太大，排不出先后。

# %% [markdown] lang="en"
# At 7B, with other settings too (GPU, bf16, gradient checkpointing), LoRA took less. The peaks below are from one H200 GPU (`data/sweeps/memory_gpu.jsonl`; notebook 05 explains them term by term). The model had Qwen2.5-7B's shape, weights in bf16 (QLoRA: 4 bits) and $r = 16$ on all linear layers. Gradient checkpointing keeps fewer intermediate results and computes the others again: it saves memory and takes time (notebook 04).
#
# | peak by batch (rows × tokens) | all weights | LoRA | QLoRA |
# |---|---|---|---|
# | 1 × 512 | 61 GB | 17 GB | 7 GB |
# | 4 × 2,048 | 63 GB | 33 GB | 23 GB |
#
# The next table shows what share of the weights each way trains: by the notes, here, and on 7B with the same settings (by count). For the bottleneck adapter its width decides: 32 makes 0.17 % of 7B, 512 makes 2.6 %, within the notes' 1 to 5 %.

# %% [markdown] lang="zh" of="141cc5d4"
# 到了 7B，别的设置也换了（GPU、bf16、梯度检查点），LoRA 用的内存就比较少。下面的峰值来自一块 H200（`data/sweeps/memory_gpu.jsonl`；notebook 05 逐项解释）：模型是 Qwen2.5-7B 的形状，权重用 bf16（QLoRA 为 4 比特），所有线性层 $r = 16$，开梯度检查点（少存中间结果，用时间换内存；见 notebook 04）。
#
# | 峰值，按批（行数 × 词元数） | 全参数 | LoRA | QLoRA |
# |---|---|---|---|
# | 1 × 512 | 61 GB | 17 GB | 7 GB |
# | 4 × 2,048 | 63 GB | 33 GB | 23 GB |
#
# 下面的表列出每种方法要训练的权重占多大比例：讲义怎么说，这里是多少，同样的设置换到 7B 上又是多少（数出来的）。瓶颈适配器占多少，要看它的宽度：这里是 32，在 7B 上占 0.17 %；宽 512 就是 2.6 %，落在讲义说的 1 % 到 5 % 之内。

# %%
NOTES_SAY = {"lora": "~0.1 %", "qlora": "~0.1 %", "prefix": "~0.1 %", "adapter": "~1-5 %"}
NOTES_SAY |= {"ia3": "less ｜ 更少", "full": "100 %"}
on_7b, trained_rows = {}, []
for row in {row["method"]: row for row in zoo}.values():
    name = row["method"]
    way = "lora" if name == "qlora" else name  # the same notes on a compressed book
    trainable, total = parameter_counts(adapt(empty(configs["Qwen2.5-7B"]), way, r=row["r"]))
    on_7b[name], here = 100 * trainable / total, 100 * row["trainable"] / row["total"]
    said = NOTES_SAY.get(name, "–")
    trained_rows.append([METHODS[name], said, f"{here:.3g} %", f"{on_7b[name]:.3g} %"])
claim("lora_adapter_7b", on_7b["adapter"])
heads = [
    "way ｜ 方法",
    "share trained, by the notes ｜ 训练占比：讲义",
    "share trained, Xiaoxi here ｜ 训练占比：小溪（本课）",
    "share trained, Qwen2.5-7B by count ｜ 训练占比：Qwen2.5-7B（数出来的）",
]
table(heads, trained_rows)

# %% [markdown] lang="en"
# Now what they bring. LoRA, rsLoRA, DoRA and QLoRA share one rate, 1e-2, and one scale, 2 (at rank 8), so that nothing but the method differs. The others have each the rate of lowest loss among three or four, tried with one seed. (Prefix was best at the highest; it may want more.) `forgetting` counts the percentage points of general skills that were lost, of 93 % before (section 5).
#
# **Predict first**: does compressing the base to 4 bits make LoRA forget more?

# %% [markdown] lang="zh" of="19b71fc6"
# 再看收获。LoRA、rsLoRA、DoRA、QLoRA 用同一个学习率 1e-2 和同一个缩放系数 2（秩 8），这样不同的就只有方法。其余几种各试了三四个学习率，只看一个种子，取损失最低的。（前缀在试过的最高学习率上最好，也许还要更高。）`forgetting` 是通用能力的正确率从训练前的 93 % 降了多少个百分点（见第 5 节）。
#
# **先猜一猜**：把基座压缩到 4 比特，LoRA 会忘得更多吗？

# %%
FAMILY = ("lora", "rslora", "dora", "qlora")
others = [run for run in zoo if run["method"] not in FAMILY]
compared = others + [run for run in fair if run["r"] == 8]
brought, lost = (sweeps.by(compared, "method", mark) for mark in ("all", "forgetting"))
claim("lora_zoo_full", 100 * (brought["full"].value - brought["lora"].value))
claim("lora_zoo_prompt", 100 * (brought["lora"].value - brought["prompt"].value))
claim("lora_four_bits", 100 * (lost["qlora"].value - lost["lora"].value))
panels(
    compared,
    "method",
    METHODS,
    learned_and_lost,
    "Nine ways: what they learned, what they forgot ｜ 九种方法：学到多少，忘掉多少",
    alt="Bars of loss, form, all right and general skills lost for nine ways; LoRA, rsLoRA, DoRA "
    "and QLoRA, at rate 1e-2 and scale 2, lie close together; all weights have more right and "
    "lost more ｜ 九种方法的损失、格式、全对和丢失的通用能力；LoRA、rsLoRA、DoRA、QLoRA "
    "都用学习率 1e-2、缩放系数 2，彼此接近；全参数全对更多，丢失也更多",
)

# %% [markdown] lang="en"
# The family lies close together. LoRA and rsLoRA are even equal to the digit: at one rank they differ in nothing but the name of the scale. Four bits cost little here. Whether they make LoRA forget more is not shown: QLoRA forgot 3 points more in the mean, but by seed the difference goes from −2 to 13. (In another series of recorded runs, at 3e-2, QLoRA forgot 93 points; but so did plain LoRA at that rate: 92.)

# %% [markdown] lang="zh" of="7ffb5eb4"
# LoRA 一族彼此接近。LoRA 和 rsLoRA 连每一位数都相同：秩相同时，两者只是缩放系数的叫法不一样。4 比特在这里代价很小。会不会让 LoRA 忘得更多，未能证明：QLoRA 平均多忘 3 个百分点，可各个种子从 −2 到 13 都有。（在另一组训练记录里，学习率 3e-2，QLoRA 忘了 93 个百分点；可普通的 LoRA 用这个学习率也忘了 92 个。）

# %% [markdown] lang="en"
# All weights lead, with 75 % against 42. **This is no ranking of the methods**: for these forty steps $\alpha = 16$ is low (section 5). rsLoRA with $\alpha = 16$ at rank 8 has the scale $16/\sqrt 8 \approx 5.7$, which plain LoRA has at $\alpha \approx 45$; with that it gets 70 %. After sixty steps on 480 notices LoRA and all weights have 78 and 77 % (sections 4 and 6, one run each). Prefix, soft prompt and IA3 learn no form in forty steps; a [soft prompt](https://arxiv.org/abs/2104.08691) needs a large model.

# %% [markdown] lang="zh" of="6425ba26"
# 全参数领先：75 % 比 42 %。**这不是方法的排名**：只练四十步，$\alpha = 16$ 偏低（第 5 节）。秩 8 的 rsLoRA 取 $\alpha = 16$，缩放系数是 $16/\sqrt 8 \approx 5.7$，相当于普通 LoRA 取 $\alpha \approx 45$；这样有 70 %。用 480 份通知书训练六十步，LoRA 和全参数是 78 % 和 77 %（第 4、6 节，各跑一次）。前缀、软提示和 IA3 在四十步里学不会格式；[软提示](https://arxiv.org/abs/2104.08691)要模型够大才管用。

# %% [markdown] lang="en"
# **Does LoRA forget less?** One rate for each method cannot tell: up to a point, who learns more tends to forget more. So we take *all* recorded runs of LoRA and its relatives and of all weights that have five seeds, and draw what each learned against what it forgot. Down and to the right is good.
#
# The staircase joins, for each colour, the gentlest setting (mean over five seeds) that has at least so much right. It is computed at full tens only, and drawn back over the ten before. A dot is one run, no mean: so single dots can lie below it. **Predict first**: does one colour lie below the other?

# %% [markdown] lang="zh" of="17a9876e"
# **LoRA 忘得更少吗？** 每种方法只看一个学习率，是答不了的：在一定范围内，学得多的往往忘得也多。所以我们把 LoRA 一族和全参数*所有*跑满五个种子的训练记录都拿来，画出每一次学到多少、忘掉多少。越靠右下越好。
#
# 阶梯线表示：要做到至少这么多全对，这种颜色里忘得最少的设置（五个种子的平均）忘了多少。只在整十处算，再往左画到前一个整十；一个点只是一次训练，不是平均，所以有的点会落在线的下面。**先猜一猜**：会不会有一种颜色整个在另一种的下面？


# %%
def settings(runs):
    """Return (all right, forgotten, setting) of each setting, means over its seeds."""
    groups = {}
    for run in runs:
        groups.setdefault(sweeps.key(run | {"seed": None}), []).append(run)
    return [
        (
            *(sum(run[mark] for run in group) / len(group) for mark in ("all", "forgetting")),
            group[0],
        )
        for group in groups.values()
    ]


def gentlest(runs, need):
    """Return the least that a setting forgets which has `need` right."""
    return min((lost for got, lost, _ in settings(runs) if got >= need), default=math.nan)


grids = ("rate", "rank", "scale", "zoo", "where", "fair", "forget")
every = {sweeps.key(run): run for grid in grids for run in sweeps.read(grid)}.values()  # each once
two_kinds = {
    "LoRA, rsLoRA, DoRA, QLoRA": [run for run in every if run["method"] in FAMILY],
    "all weights ｜ 全参数": [run for run in every if run["method"] == "full"],
}
needs = [n / 100 for n in range(0, 81, 10)]
least = {kind: [gentlest(runs, need) for need in needs] for kind, runs in two_kinds.items()}
at_60 = [line[needs.index(0.6)] for line in least.values()]
claim("lora_zoo_forgets", 100 * (at_60[1] - at_60[0]))

# %%
fig, ax = style.figure(
    height=4.2,
    alt="A dot a run, all right against forgotten: in both colours many dots rise from lower left "
    "to upper right; a row along the top forgot everything, whatever it has right; neither "
    "staircase lies below the other everywhere ｜ 一个点是一次训练，横轴全对，纵轴遗忘："
    "两种颜色都有许多点从左下往右上走；最上面一排不管全对多少，都忘光了；"
    "两条阶梯线没有哪条处处更低",
)
for i, (kind, runs) in enumerate(two_kinds.items()):
    marks_of = [[100 * run[mark] for run in runs] for mark in ("all", "forgetting")]
    look = {"color": style.LINES[i], "marker": style.MARKERS[i]}
    en, zh = (kind.split(" ｜ ") * 2)[:2]  # the names of methods are the same in both
    label = f"{en}: {len(runs)} runs ｜ " + ("" if zh == en else zh) + f" {len(runs)} 次"
    ax.plot(*marks_of, linestyle="", alpha=0.6, label=label, **look)
    stairs = [100 * lost for lost in least[kind]]
    ax.step(
        [100 * need for need in needs], stairs, where="pre", color=style.LINES[i], marker="",
        linestyle=style.DASHES[i], label="least forgotten by a setting ｜ 其中忘得最少的设置",
    )  # fmt: skip
ax.set(xlabel="all right, % ｜ 全对，%", ylabel="forgotten, pp ｜ 遗忘，百分点")
ax.set_title("A dot is a run: what it learned, what it forgot ｜ 每点一次训练：学到多少，忘掉多少")
fig.legend(loc="outside lower center", ncols=2)
fig

# %%
heads = [
    "all right, at least ｜ 全对至少",
    "least forgotten: LoRA, rsLoRA, DoRA, QLoRA ｜ 最少遗忘：LoRA 一族",
    "least forgotten: all weights ｜ 最少遗忘：全参数",
]
gentle = [
    [f"{100 * need:.0f} %", *("–" if math.isnan(x) else f"{100 * x:.0f} pp" for x in pair)]
    for need, *pair in zip(needs, *least.values(), strict=True)
]
table(heads, gentle[2:])

# %%
named = []
for runs in two_kinds.values():
    for got, gone, run in sorted(settings(runs), key=lambda found: -found[0])[:4]:
        size_of = f", r {run['r']}, α {run['alpha']:.3g}" if run["r"] else ""
        label = f"{METHODS[run['method']]}{size_of}, lr {run['lr']:g}"
        named.append([label, f"{100 * got:.0f} %", f"{100 * gone:.0f} pp"])
heads = ["four best of each, by all right ｜ 各取全对最高的四种设置", "all right ｜ 全对"]
table([*heads, "general skills lost ｜ 丢失的通用能力"], named)

# %% [markdown] lang="en"
# In both colours the dots tend to rise together while the rate is not too high; beyond that a setting learns little and forgets all (all weights at 1e-2: 5 % right, 93 points). It is a tendency: at $\alpha = 16$ and 1e-2, rank 64 had more right than rank 1 (37 against 22 %) and forgot less (30 against 64 points). The best scores cost about half of the skills or more.
#
# Neither staircase lies below the other everywhere: at 30 to 50 % all weights forgot less (18 points at 1e-3), at 60 and 70 % LoRA did (45 against 52). Each of these is one setting, found among 47 for LoRA and 9 for all weights, and at the top the seeds overlap. **Whether LoRA forgets less at a like score is not shown on Xiaoxi.**

# %% [markdown] lang="zh" of="59e94ab8"
# 两种颜色都一样：只要学习率不太高，学得多的往往忘得也多；再高，就学得少、忘得精光（全参数用 1e-2：全对 5 %，忘掉 93 个百分点）。这只是趋势：$\alpha = 16$、学习率 1e-2 时，秩 64 比秩 1 对得多（37 % 比 22 %），忘得却少（30 比 64 个百分点）。成绩最好的，通用能力要丢掉一半左右甚至更多。
#
# 没有哪条阶梯处处都在另一条下面：全对 30 % 到 50 % 时，全参数忘得少（学习率 1e-3，18 个百分点）；60 % 和 70 % 时，LoRA 忘得少（45 比 52）。这些都只靠一种设置，是从 LoRA 的 47 种、全参数的 9 种里挑出来的，高分处各种子还互相重叠。**成绩相近时 LoRA 是否忘得少，在小溪上未能证明。**

# %% [markdown] lang="en"
# In the first table – means that no setting got so far; in the second `lr` is the learning rate, and $\alpha$ is rsLoRA's own (5.66 and 16: as LoRA 45). LoRA's best settings all have a louder $\alpha$ than section 7 began with. The one that forgets least has rank 64 and a third of the rate besides; which of these does it, one setting cannot tell. Choosing the rate alone, by the loss at $\alpha = 16$, had sold LoRA short. A [known study](https://arxiv.org/abs/2405.09673) found that on larger models LoRA forgets less, and learns less.

# %% [markdown] lang="zh" of="f98de2e0"
# 第一张表里的 – 表示没有哪种设置做得到；第二张表里的 `lr` 是学习率，rsLoRA 的 $\alpha$ 没有折算（5.66 和 16，折成 LoRA 都是 45）。LoRA 最好的几种设置，$\alpha$ 都比第 7 节开头的大。忘得最少的那个，还用了秩 64 和三分之一的学习率；究竟是哪一样的功劳，单凭一种设置看不出来。只按 $\alpha = 16$ 时的损失挑学习率，亏待了 LoRA。[一项有名的研究](https://arxiv.org/abs/2405.09673)发现，在更大的模型上 LoRA 忘得少，学得也少。

# %% [markdown] lang="en"
# Nor do few trained weights prevent forgetting: IA3 trains fewer than LoRA and forgot 90 points. That comes from its rate, 0.3; at 0.03 it forgot 13, and learned less (one seed). What an adapter can do is to be switched off (section 4). What keeps the skills in the model is old rows in the mix (notebook 04).

# %% [markdown] lang="zh" of="676b7528"
# 训练的权重少，也挡不住遗忘：IA3 练的权重比 LoRA 还少，却忘了 90 个百分点。这是它的学习率 0.3 造成的：用 0.03 时只忘 13，学得也少（一个种子）。适配器能做到的，是随时关掉（第 4 节）。要让通用能力留在模型里，得混进旧样本（notebook 04）。

# %% [markdown] lang="en"
# **Exercise 6** (medium, 8 minutes). Recorded runs are there to choose from. Several seeds share a rate. Write `pick`: for each rate take the mean of `forgetting` and of `all` over its seeds; among the rates whose mean forgetting is at most `limit`, return the rate (a number) with the best mean `all`. A run is a dict with `lr`, `seed`, `all` and `forgetting`. Both marks are shares: 0.18 is 18 points. At least one rate is always within the limit.

# %% [markdown] lang="zh" of="925fc312"
# **练习 6**（中等，8 分钟）。训练记录就是用来挑设置的。同一个学习率训练过好几次，种子不同。写出 `pick`：对每个学习率，先求这几次的 `forgetting` 和 `all` 的平均；再从平均遗忘不超过 `limit` 的学习率里，返回平均 `all` 最高的那个学习率（一个数）。一次训练是一个字典，有 `lr`、`seed`、`all` 和 `forgetting`。后两项都写成 0 到 1 的数：0.18 就是 18 个百分点。检查时，总有至少一个学习率不超上限。


# %% tags=["exercise"]
def pick(runs, limit):
    """Return the rate with the best mean of `all` whose mean of `forgetting` is at most limit."""
    ...


# %% tags=["check"]
nb02.pick(pick)

# %% [markdown] tags=["solution"]
# <details><summary>Solution ｜ 参考答案</summary>
#
# ```python
# def pick(runs, limit):
#     """Return the rate with the best mean of `all` whose mean of `forgetting` is at most limit."""
#     def mean(lr, mark):
#         values = [run[mark] for run in runs if run["lr"] == lr]
#         return sum(values) / len(values)
#
#     rates = {run["lr"] for run in runs}
#     allowed = [lr for lr in rates if mean(lr, "forgetting") <= limit]
#     return max(allowed, key=lambda lr: mean(lr, "all"))
# ```
#
# </details>

# %% [markdown]
# ## 9. What goes wrong ｜ 哪里会出错

# %% [markdown] lang="en"
# | you see | why | what to do |
# |---|---|---|
# | the loss never falls | $A = B = 0$, or nothing is trainable | start $A$ at random; look at `parameter_counts` |
# | a bad answer before training | $A$ and $B$ both random, and $B$ large | start $B$ at zero |
# | more rank brings no better score | the rank was not the limit; here $\alpha$ was low for so few steps | keep the rank; try a larger `alpha` or more steps; measure forgetting too |
# | good in training, odd when merged | $\alpha/r$ was left out, or it was merged twice | compare outputs before you ship |
#
# We make the mistake of the last row on purpose. No error is raised:

# %% [markdown] lang="zh" of="0767122c"
# | 现象 | 原因 | 办法 |
# |---|---|---|
# | 损失始终不降 | $A = B = 0$，或没有可训练的权重 | 让 $A$ 从随机数开始；看看 `parameter_counts` |
# | 还没训练就答得很差 | $A$、$B$ 都随机，而且 $B$ 很大 | 让 $B$ 从零开始 |
# | 秩调大了，成绩不见好 | 瓶颈不在秩；在这里是步数少而 $\alpha$ 偏低 | 秩不变，先试大一点的 `alpha`，或多练几步；遗忘也要测 |
# | 训练时好好的，合并后不对劲 | 漏了 $\alpha/r$，或合并了两次 | 上线前先比较输出 |
#
# 最后一行的错误，这里故意犯一次，程序什么都不会报：


# %%
def merged_with(factor):
    """Return the tuned model merged with another factor than its own alpha / r."""
    model = copy.deepcopy(tuned)
    for layer in model.modules():
        if isinstance(layer, LoRALinear):
            layer.scale *= factor
    return merge(model)


ways = {
    "right ｜ 正确": 1,
    "α / r left out ｜ 漏了 α / r": 8 / 16,  # r / α: it leaves the bare BA
    "merged twice ｜ 合并两次": 2,
    "never merged ｜ 忘了合并": 0,
}
bad = {name: held_loss(merged_with(factor), valid) for name, factor in ways.items()}
claim("lora_merge_unscaled", bad["α / r left out ｜ 漏了 α / r"] - bad["right ｜ 正确"])
plots.bars(
    bad,
    "Merging, right and wrong: the loss on new notices ｜ 合并的对与错：新通知书上的损失",
    unit="nats",
    alt="Four bars of loss: "
    + ", ".join(f"{name.split(' ｜ ')[0]} {loss:.2f}" for name, loss in bad.items())
    + " ｜ 四根损失条形："
    + "，".join(f"{name.split(' ｜ ')[-1]} {loss:.2f}" for name, loss in bad.items()),
)

# %% [markdown] lang="en"
# **Exercise 7** (easy, 5 minutes). Four colleagues, four causes: `1` both matrices start at zero, `2` `alpha` is too low, `3` the merge left out $\alpha/r$, `4` the rate is that of full fine-tuning. Set `causes = {"A": 3, ...}`, with your own numbers.
#
# - A: No weight has moved after 500 steps.
# - B: The loss falls very slowly. The settings come from a script that trains all weights.
# - C: Rank 64 learns no better than rank 8. At rank 8 she only switches on rsLoRA, with the same `alpha`, and it learns much better. (By what factor did the scale change?)
# - D: The model is fine in the notebook and half-trained in production.

# %% [markdown] lang="zh" of="90c40781"
# **练习 7**（容易，5 分钟）。四位同事，四种原因：`1` 两个矩阵都从零开始，`2` `alpha` 太低，`3` 合并时漏了 $\alpha/r$，`4` 用了全参数微调的学习率。请写 `causes = {"A": 3, ...}`，数字换成你自己的答案。
#
# - A：训练了 500 步，权重一个都没动。
# - B：损失降得很慢；设置是从一份全参数微调的脚本里抄来的。
# - C：秩 64 学得并不比秩 8 好。秩 8 时只打开 rsLoRA，`alpha` 不变，就学得好多了。（缩放系数变成了几倍？）
# - D：在 notebook 里好好的，上线后像只训练了一半。

# %% tags=["exercise"]
causes = ...

# %% tags=["check"]
nb02.causes(causes)

# %% [markdown] tags=["solution"]
# <details><summary>Solution ｜ 参考答案</summary>
#
# ```python
# causes = {"A": 1, "B": 4, "C": 2, "D": 3}
# ```
#
# </details>

# %% [markdown]
# ## 10. From Xiaoxi to your model ｜ 从小溪到你的模型

# %% [markdown] lang="en"
# Xiaoxi's numbers do not carry over. The columns of Xiaoxi and SmolLM2 are our runs. SmolLM2's rates are best by notices; they cost nearly all else. The rest are others' starting points, not measured here. Try rates around them, about three times apart.
#
# | | Xiaoxi, here | SmolLM2-135M | 0.5B | 1.5B | 7B | source |
# |---|---|---|---|---|---|---|
# | rate, LoRA | 1e-2 | 3e-3 | 2e-4 | 2e-4 | 2e-4; above 13B 1e-4 | [QLoRA](https://arxiv.org/abs/2305.14314), tried from 7B on |
# | rate, all weights | 3e-3 | 3e-4 | 2e-5 to 1e-3 | 2e-5 to 3e-4 | 2e-5 | low: TRL's default; high: [SmolLM2](https://github.com/huggingface/alignment-handbook/tree/main/recipes/smollm2/sft), 360M and 1.7B, much data; 7B: [Alpaca](https://github.com/tatsu-lab/stanford_alpaca) |
# | `r` | 8 | 8 | 16 | 16 | 16; QLoRA 64 | common practice |
# | `alpha` | 16 (32 learns more in forty steps, and forgets more) | 16 | 32 | 32 | 32; QLoRA 16 | [LoRA Without Regret](https://thinkingmachines.ai/blog/lora/) |
# | places | all linear layers | the same | the same | the same | the same | the same |

# %% [markdown] lang="zh" of="59883139"
# 小溪的数字不能照搬。小溪和 SmolLM2 两列是我们自己跑的。SmolLM2 的学习率是按通知书挑的，代价是别的几乎全忘了。其余是别人用过的起点，这里没有实测。学习率要在它们前后多试几个，每个约是前一个的三倍。
#
# | | 小溪（本课） | SmolLM2-135M | 0.5B | 1.5B | 7B | 出处 |
# |---|---|---|---|---|---|---|
# | 学习率，LoRA | 1e-2 | 3e-3 | 2e-4 | 2e-4 | 2e-4；13B 以上 1e-4 | [QLoRA](https://arxiv.org/abs/2305.14314)，从 7B 试起 |
# | 学习率，全参数 | 3e-3 | 3e-4 | 2e-5 到 1e-3 | 2e-5 到 3e-4 | 2e-5 | 低的是 TRL 的默认值；高的是 [SmolLM2](https://github.com/huggingface/alignment-handbook/tree/main/recipes/smollm2/sft)，360M 和 1.7B，数据很多；7B：[Alpaca](https://github.com/tatsu-lab/stanford_alpaca) |
# | `r` | 8 | 8 | 16 | 16 | 16；QLoRA 用 64 | 惯例 |
# | `alpha` | 16（32 在四十步里学得更多，忘得也更多） | 16 | 32 | 32 | 32；QLoRA 用 16 | [LoRA Without Regret](https://thinkingmachines.ai/blog/lora/) |
# | 加在哪里 | 所有线性层 | 相同 | 相同 | 相同 | 相同 | 同上 |

# %% [markdown] lang="en"
# | | Xiaoxi, here | 0.5B | 1.5B | 7B | source |
# |---|---|---|---|---|---|
# | rows a step | 16 | 16 | 16 | 16; all weights 128 | QLoRA; Alpaca. Very large batches [harm LoRA](https://thinkingmachines.ai/blog/lora/) |
# | warm-up | none | 3 to 10 % | 3 to 10 % | 3 % of the steps | 3 %: QLoRA, Alpaca; 10 %: SmolLM2 |
# | data type | fp32 | bf16; fp16 on a T4 | the same | bf16; on a T4 4 bits | notebooks 00 and 05 |
#
# **Warm-up**: over the first part of the steps, here given in percent, the rate climbs from zero to its full height.
#
# Does the rank suffice? It limits how much LoRA can take in. With much data a low rank falls behind full fine-tuning ([LoRA Without Regret](https://thinkingmachines.ai/blog/lora/)); compare two ranks, each at its own best rate.

# %% [markdown] lang="zh" of="0814ff06"
# | | 小溪（本课） | 0.5B | 1.5B | 7B | 出处 |
# |---|---|---|---|---|---|
# | 每步行数 | 16 | 16 | 16 | 16；全参数 128 | QLoRA；Alpaca。批太大[对 LoRA 不利](https://thinkingmachines.ai/blog/lora/) |
# | 预热 | 无 | 3 % 到 10 % | 3 % 到 10 % | 总步数的 3 % | 3 %：QLoRA、Alpaca；10 %：SmolLM2 |
# | 数据类型 | fp32 | bf16；T4 上用 fp16 | 相同 | bf16；T4 上用 4 比特 | notebook 00 和 05 |
#
# **预热**：训练开头的一段（占总步数的百分之几），学习率从零慢慢升到设定值。
#
# 秩够不够？它限制了 LoRA 能装下多少东西。数据很多时，小的秩会落后于全参数微调（[LoRA Without Regret](https://thinkingmachines.ai/blog/lora/)）；不妨比较两个秩，各用自己最好的学习率。

# %% [markdown] lang="en"
# Five more things that you will meet with PEFT:
#
# - [`modules_to_save`](https://huggingface.co/docs/peft/package_reference/lora) trains and saves whole modules beside LoRA, for instance embeddings for new tokens.
# - In a mixture of experts, the experts hold most weights. If they are stored as plain parameters, name them in `target_parameters`.
# - [PiSSA](https://arxiv.org/abs/2404.02948) starts $A$ and $B$ from the largest singular values of $W$.
# - [LoRA+](https://arxiv.org/abs/2402.12354) gives $B$ a higher rate than $A$.
# - When you merge in bf16, rounding can swallow small changes. Merge in float32, then compare outputs.

# %% [markdown] lang="zh" of="5be3104b"
# 用 PEFT 时，还会碰到五样东西：
#
# - [`modules_to_save`](https://huggingface.co/docs/peft/package_reference/lora)：除 LoRA 之外，把某些模块整个拿来训练并保存，例如给新词元用的嵌入。
# - 混合专家模型的权重大多在专家里。如果它们是以普通参数存放的，要写进 `target_parameters`。
# - [PiSSA](https://arxiv.org/abs/2404.02948) 用 $W$ 最大的几个奇异值给 $A$ 和 $B$ 定起点。
# - [LoRA+](https://arxiv.org/abs/2402.12354) 让 $B$ 的学习率高于 $A$。
# - 用 bf16 合并，小的改动可能被舍入吞掉：先用 float32 合并，再比较输出。

# %% [markdown]
# ### Does it carry over? ｜ 放到真实模型上还成立吗？

# %% [markdown] lang="en"
# The table holds what Xiaoxi showed against recorded runs of SmolLM2-135M-Instruct, a real model about ninety times larger. On the H200, for every method, its weights had been rounded to 4 bits once (in the format Q4_1) and unpacked again; TF32 means that matrices were multiplied with slightly rounded numbers. Most settings ran with one seed, some with two. – means not measured. The last column asks whether what *Xiaoxi showed* came out alike on SmolLM2, not whether the claim is true. A number in brackets counts the values behind a number: (1) rests on one, which may be a difference of two settings.

# %% [markdown] lang="zh" of="599eadc3"
# 下表把小溪的结果和 SmolLM2-135M-Instruct 的训练记录放在一起：它是真实的模型，大九十倍左右。在 H200 上，不论哪种方法，权重都先按 Q4_1 格式压到 4 比特，再还原；TF32 是说矩阵相乘时把数略微舍入。大多数设置只有一个种子，有些有两个。– 表示没有测。最后一列问的是：*小溪上看到的结果*，在 SmolLM2 上是否一样，而不是论断本身对不对。括号里的数是依据几个值：(1) 只凭一个值，它可能是两种设置之差。

# %% [markdown] lang="en"
# The last row is positive where LoRA forgot less. The signs are opposite and both numbers small: neither model shows that LoRA forgets less. At its best rate each method of SmolLM2 had forgotten nearly all, so we compare settings with at least 60 % right. At that score Xiaoxi keeps about half of its skills at most, SmolLM2 very little. What kept SmolLM2's skills was other general prompts in the mix, answered by the base itself (notebook 04), with LoRA and with all weights.

# %% [markdown] lang="zh" of="b0cd8383"
# 最后一行为正，表示 LoRA 忘得少。两边正负相反，数又都小：哪个模型都没有显示 LoRA 忘得更少。SmolLM2 用各自的最佳学习率时，两种方法都几乎忘光了，所以这里比的是全对至少 60 % 的设置。在这些设置里，小溪的通用能力至多留下一半左右，SmolLM2 所剩无几。保住 SmolLM2 通用能力的，是混进去的另一批通用提示（由基座自己作答，见 notebook 04），LoRA 和全参数都一样。

# %% [markdown] lang="en"
# Where to put LoRA was tried in one run for each choice: all layers did better than `q` and `v` alone at both rates tried, but at the same rank 8, that is, with more weights. Three ranks were tried (1, 8, 64), with $\alpha = 2r$ at one rate, which cannot tell rank from $\alpha$ (section 5). With QLoRA there is one run (1e-3): it had 17 % right and forgot all, where two runs of LoRA had 40 and 43 % and forgot 83 and 93 %. Its training loss was like theirs. QLoRA rounds the weights a second time, in its own format; if the difference is real, it is the price of that, but one run cannot tell.

# %% [markdown] lang="zh" of="56236d8f"
# 至于加在哪里，每种选择只训练过一次：试过的两个学习率下，加在所有层都比只加 `q` 和 `v` 好；不过秩同样是 8，所以训练的权重更多。秩试过三个（1、8、64），都是 $\alpha = 2r$、同一个学习率，分不出是秩还是 $\alpha$ 的作用（第 5 节）。QLoRA 只有一次训练（学习率 1e-3）：全对 17 %，原来会的全忘了；LoRA 的两次是 40 % 和 43 %，忘了 83 % 和 93 %。训练损失则差不多。QLoRA 用自己的格式把权重又舍入了一次；差别若是真的，就是第二次舍入的代价，但一次训练说明不了。

# %%
from helpers.measure import carry

carry.show("02_lora_math")

# %% [markdown]
# ## Summary ｜ 小结

# %% [markdown] lang="en"
# - LoRA is $W + \frac{\alpha}{r}BA$ with $W$ frozen and $B$ starting at zero. It takes about twenty lines. Merged, it leaves no trace; switched off, it gives the base back exactly.
# - The wider the model, the smaller its share of the weights; vocabulary and places count, too.
# - On Xiaoxi, in one run, full fine-tuning's change was only roughly low-rank.
# - Set the rate first, with `alpha`, then places, then rank: on Xiaoxi, at 1e-2 and one `alpha`, ranks from 4 on reached like losses; larger ones forgot less.
# - LoRA saves gradients and optimizer state: at 7B 91 GB in float32 by count; in unrecorded trials (bf16) the peak fell by 30 to 44 GB. On all layers here it took more memory. It did not prevent forgetting: compare methods at like scores.

# %% [markdown] lang="zh" of="7ad967cd"
# - LoRA 就是 $W + \frac{\alpha}{r}BA$：$W$ 冻结，$B$ 从零开始；公布的那一层不过二十行左右。合并后不留痕迹；关掉后，基座一个比特都不差。
# - 模型越宽，它占的比例越小；词表大小和加在哪里也有影响。
# - 在小溪上的一次训练里，全参数微调的改动只是大致低秩。
# - 先定学习率（总是和 `alpha` 一起定），再定加在哪里，最后才是秩：在小溪上，学习率都是 1e-2、`alpha` 相同时，从秩 4 起损失差不多，秩大的忘得少。
# - LoRA 省的是梯度和优化器状态：在 7B 上，按 float32 算是 91 GB。在没有留下记录的试验里（bf16），峰值低 30 到 44 GB。在本课里，加在所有线性层上，内存反而涨得更多。它没有挡住遗忘：要拿成绩相近的来比。

# %% [markdown] lang="en"
# **Next**: [03 Data preparation](03_data_preparation.ipynb). These exercises you have passed so far:

# %% [markdown] lang="zh" of="c8d0746b"
# **下一课**：[03 数据准备](03_data_preparation.ipynb)。你目前通过的练习：

# %%
progress("02")
