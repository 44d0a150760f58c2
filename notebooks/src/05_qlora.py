# %% [markdown]
# # 05. QLoRA: fine-tune a 4-bit model ｜ QLoRA：微调 4 比特模型
#
# You store a model in 4 bits, fine-tune it all the same, and find out what fits on which card. ｜ 你将把模型压到 4 比特，照样微调它，并弄清哪块显卡装得下什么。

# %% [markdown]
# | | |
# |---|---|
# | **You will ｜ 你将** | write the quantiser of the 4-bit format NF4, and hold it against the library's bytes ｜ 亲手写出 4 比特格式 NF4 的量化器，与程序库逐字节对比 |
# | | train QLoRA against LoRA, all else equal, and merge the result in three ways ｜ 其余条件不变，用 QLoRA 与 LoRA 各训练一次；再用三种办法合并 |
# | | predict the memory of a training step, for 7B and 70B too ｜ 预测一步训练要多少显存，包括 7B 和 70B |
# | | set up a T4, and take the road of the notes from upload to download ｜ 把 T4 配好，走完讲义里从上传到下载的全程 |
# | **Before ｜ 先学** | notebooks 02 and 04 ｜ notebook 02 和 04 |
# | **`tiny`** | about 4 minutes, 1.5 GB of memory, any laptop ｜ 约 4 分钟，1.5 GB 内存，任何笔记本电脑 |
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
UPLOAD = False  # on Colab, True asks for your train.jsonl and eval.jsonl (section 8)

# %%
import bitsandbytes as bnb
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, BitsAndBytesConfig
from trl import SFTConfig, SFTTrainer

# %%
# @title What the lesson needs besides ｜ 这一课另外要用的
import json
import shutil
import warnings

from transformers import PrinterCallback

from helpers.base import root, say
from helpers.data.jsonl import read_jsonl, write_jsonl
from helpers.env import resolve, set_seed, threads
from helpers.exercise import progress
from helpers.lessons import nb05, sizes
from helpers.lessons.peak import peak_of, stored_bytes
from helpers.lingxi.files import select, world
from helpers.lingxi.score import forgetting, score_notices
from helpers.measure import carry, claims, sweeps
from helpers.measure.claims import claim
from helpers.measure.stats import bootstrap_difference, mean_interval, share, share_difference
from helpers.model.adapters import load_adapter, save_adapter
from helpers.model.dataset import to_dataset, training_set
from helpers.model.generate import generate
from helpers.model.hub import find_model
from helpers.model.load import load
from helpers.model.loss import answer_losses, encode
from helpers.model.train import batches, label_loss, score_labels_only
from helpers.show import plots, style, widgets
from helpers.show.tables import table

# %%
setup = resolve(PROFILE, MODEL)
size = sizes.of("05", setup)
claims.start("05_qlora", setup.profile, SEED)
threads()
set_seed(SEED)
style.style()
size.show()

# %% [markdown]
# ## 1. The result first: 4 bits, and it still writes ｜ 先看结果：只剩 4 比特，照样会写

# %% [markdown] lang="en"
# A model's weights are usually stored in 32 or 16 bits each. **Quantisation** stores them in fewer. Here it is 4: a weight then has one of sixteen values. The notes call this the compressed textbook, on which the small notes of LoRA are stuck.
#
# The next cells load the model twice, as it is and in 4 bits, and count the bytes of its weights as they lie in memory. The text describes Xiaoxi under `tiny`; your numbers stand in the outputs.
#
# **Predict first**: 4 bits are an eighth of 32. Does the whole model shrink to an eighth? And does it still write anything sensible?

# %% [markdown] lang="zh" of="c45130d3"
# 模型的权重，通常每个存成 32 或 16 比特。**量化**就是用更少的比特来存。这里只用 4 比特：一个权重只能取十六个值中的一个。讲义把这叫作压缩的教科书，LoRA 的小纸条就贴在它上面。
#
# 下面把模型加载两次，一次原样，一次用 4 比特，数一数权重在内存里占多少字节。文中讲的是小溪在 `tiny` 档位下的情形，你自己的数字在输出里。
#
# **先猜一猜**：4 比特是 32 比特的八分之一。整个模型也会缩到八分之一吗？它还写得出像样的话吗？

# %%
base, tokenizer = load(setup)
four, _ = load(setup, four_bit=True)
lines, sizes_in = [], {}
for name, model in {setup.dtype: base, "4 bits ｜ 4 比特": four}.items():
    layers, whole = stored_bytes(model.model.layers), stored_bytes(model)
    sizes_in[name] = layers, whole
    lines.append([name, *(f"{x / 1e6:.2f} MB" for x in (layers, whole - layers, whole))])
table(["weights ｜ 权重", "layers ｜ 各层", "the rest ｜ 其余", "all ｜ 合计"], lines)

# %%
full, small = sizes_in.values()
say(
    f"in 4 bits the layers take {100 * small[0] / full[0]:.1f} % of their bytes, "
    f"the whole model {100 * small[1] / full[1]:.0f} %",
    f"用 4 比特，各层只占原来的 {100 * small[0] / full[0]:.1f} %，整个模型占 {100 * small[1] / full[1]:.0f} %",
)
claim("qlora_bytes", 100 * small[1] / full[1])

# %% [markdown] lang="en"
# The layers shrink to about a seventh: beside the 4 bits, some constants are kept (section 2 counts them). The rest does not shrink at all. It is the **embedding**, a vector for each token, and it stays as it was; so does the output layer where it has a table of its own. In Xiaoxi the embedding is more than a quarter of all weights. In Qwen2.5-7B both tables are a seventh, and exercise 6 counts what that costs.

# %% [markdown] lang="zh" of="0ab4221a"
# 各层缩到约七分之一：除了 4 比特，还要留一些常数（第 2 节来数）。其余部分一点没缩，那是**嵌入**，每个词元一个向量，保持原样；输出层若有自己的表，也一样。小溪的嵌入占全部权重的四分之一以上；Qwen2.5-7B 的两张表占七分之一，代价有多大，练习 6 来算。


# %%
def answer(model, rows, new=96):
    """Let the model answer the question of each row in at most `new` tokens."""
    asked = [row["messages"][:-1] for row in rows]
    return generate(model, tokenizer, asked, max_new_tokens=new, batch_size=size.answer_batch)


unseen = select(world("eval", langs=setup.langs), task="notice", split="unseen")
three = {row["id"][:9]: row for row in unseen if len(row["context"]) == 3}
opened = [three[row["id"][:9]] for row in select(unseen, context=False)][: size.test]
looked_at = [select(opened, lang=lang)[0] for lang in setup.langs]
for row in looked_at:
    print(row["messages"][0]["content"], end="\n\n")
    for name, model in {setup.dtype: base, "4 bits ｜ 4 比特": four}.items():
        print(f"--- {name}\n{answer(model, [row])[0]}\n")

# %% [markdown] lang="en"
# Compare the answers: the 4-bit model still copies from the report and the articles. Neither keeps Lingxi's form: nobody has taught it to them yet. So far nothing was trained; that comes in section 3, and there the 4-bit model will learn the form.
#
# Three questions follow. How can sixteen values be enough? Can such a model be trained, and as well? And what does one gain by it?

# %% [markdown] lang="zh" of="71e0161b"
# 比一比两份回答：4 比特的模型照样会从报告和法条里抄。两份都不合灵溪的格式：还没有人教过它们。到这里还没有训练；训练在第 3 节，到那时 4 比特的模型会学会格式。
#
# 接下来有三个问题：十六个值怎么就够用？这样的模型能不能训练，能练得一样好吗？这样做又能得到什么？

# %% [markdown]
# ## 2. NF4 from nothing ｜ 从零写出 NF4

# %% [markdown] lang="en"
# Sixteen values have to serve a million weights. Three ideas make that work, and you will write the second one:
#
# 1. **Where the values lie**: close together where many weights are, far apart where few are.
# 2. **Blocks**: each 64 weights share one constant, their largest absolute value. Divided by it, all lie between −1 and 1.
# 3. **Double quantisation**: the constants are quantised, too.
#
# First look at real weights: all linear layers of the model, each block of 64 divided by its largest absolute value. **Predict first**: where do most of them lie?

# %% [markdown] lang="zh" of="16247b81"
# 十六个值，要给一百万个权重用。靠的是三个想法，其中第二个由你来写：
#
# 1. **值放在哪里**：权重多的地方放得密，少的地方放得疏。
# 2. **分块**：每 64 个权重共用一个常数，就是其中最大的绝对值。除以它，大家都落在 −1 到 1 之间。
# 3. **双重量化**：这些常数自己也要量化。
#
# 先看真实的权重：取模型的所有线性层，每 64 个一块，除以块内最大的绝对值。**先猜一猜**：大多数落在哪里？

# %%
from scipy.stats import norm

tail = (1 - 1 / 30 + 1 - 1 / 32) / 2  # where the outermost quantile lies: 0.9677 (see below)
above = norm.ppf(torch.linspace(tail, 0.5, 9)[:-1])  # eight quantiles above zero
below = -norm.ppf(torch.linspace(tail, 0.5, 8)[:-1])  # seven below it, and zero itself: sixteen
levels = torch.tensor(sorted([*below, 0.0, *above]))
levels = (levels / levels.max()).float()
library = bnb.functional.get_4bit_type("nf4", device="cpu")
print(*(f"{level:.4f}" for level in levels))
claim("qlora_nf4_levels", (levels - library).abs().max().item())
levels = library  # from here on

# %%
from helpers.lessons.levels import FORMATS, linear_weights, round_model, rounded, small_layers

first_layers = ("model.layers.0.", "model.layers.1.", "model.layers.2.", "model.layers.3.")
weights = {
    name: weight.float().cpu()
    for name, weight in linear_weights(base).items()
    if name.startswith(first_layers)  # all of Xiaoxi's
}
blocks = torch.cat([weight.reshape(-1, 64) for weight in weights.values()])
scaled = (blocks / blocks.abs().amax(1, keepdim=True)).flatten()
fig, axes = style.figure(columns=2, width=10, height=3.2)
spaced = {"NF4": levels, "int4": torch.arange(-7, 8) / 7}
for ax, (name, values) in zip(axes, spaced.items(), strict=True):
    ax.hist(scaled.numpy(), bins=120, density=True, color=style.COLOURS[1], alpha=0.7)
    for value in values:
        ax.axvline(value, color=style.COLOURS[0], linewidth=1)
    ax.set_title(name)
    ax.set_xlabel("weight / largest of its block ｜ 权重 / 块内最大值")
style.describe(
    fig,
    "Two histograms of the model's weights, divided by the largest of their block: a hill around "
    "zero. Lines show the levels: NF4's lie close together around zero, int4's at equal distances"
    " ｜ 权重除以块内最大值之后的两幅直方图：零附近隆起一座小山。竖线是可取的值：NF4 在零附近密，"
    "int4 等距",
)

# %% [markdown] lang="en"
# The weights form a hill around zero, like a normal distribution. (The peaks at the ends are the blocks' largest weights, divided by themselves.) **int4** puts fifteen values at equal distances (one code stays unused), many where few weights are. **NF4**, "NormalFloat", takes **quantiles** of the normal distribution: between two neighbours lies about the same share of it.
#
# A **quantile** is the place below which a given share lies. For the shares 0 and 1 that is infinitely far out, so the authors stop at 0.9677, halfway between $1 - 1/30$ and $1 - 1/32$. Then all are divided by the largest. One is exactly zero; eight lie above it, seven below. Ours differ from the library's in the last digit; from here on we take its own.

# %% [markdown] lang="zh" of="766be72d"
# 权重在零附近隆起一座小山，很像正态分布。（两端的小尖峰就是各块最大的那个权重：除以自己，得 1 或 −1。）**int4** 的十五个值等距（有一个编号不用），许多放在了没什么权重的地方。**NF4**（NormalFloat）取的是正态分布的**分位数**：相邻两个之间，概率大致相等。
#
# 分位数，就是低于它的概率正好是某个值的那个位置。概率取到 0 或 1，那个位置就在无穷远，所以作者只取到 0.9677，即 $1 - 1/30$ 和 $1 - 1/32$ 的中点，再全部除以最大的那个。十六个值里有一个恰好是零，所以上面有八个，下面有七个。我们算出的与程序库的只差 float32 的最后一位；从这里起，用程序库的那十六个。

# %% [markdown] lang="en"
# **Exercise 1** (medium, 15 minutes, the heart of the lesson). Write `quantise`. It gets a matrix of `weights`, the sorted `levels`, and the size of a `block`. Read the matrix row by row as one long list; the last block may be shorter. It returns two tensors:
#
# - `codes`, one for each weight: the number (0 to 15) of the level that is nearest to the weight divided by its block's constant;
# - `absmax`, one for each block: the largest absolute value in it.
#
# A block may hold nothing but zeros. The check compares yours with bitsandbytes.

# %% [markdown] lang="zh" of="e6f68f90"
# **练习 1**（中等，15 分钟，本课的核心）。写出 `quantise`：给它矩阵 `weights`、排好序的 `levels` 和块的大小 `block`。把矩阵按行读成一长串；最后一块可能短一些。返回两个张量：
#
# - `codes`，每个权重一个：权重除以所在块的常数，离它最近的那个值的编号（0 到 15）；
# - `absmax`，每块一个：块内最大的绝对值。
#
# 有的块可能全是零。检查时会与 bitsandbytes 对比。


# %% tags=["exercise"]
def quantise(weights, levels, block):
    """Return codes (weights,) and absmax (blocks,) of a matrix."""
    ...


# %% tags=["check"]
nb05.quantise(quantise)

# %% [markdown] tags=["solution"]
# <details><summary>Solution ｜ 参考答案</summary>
#
# ```python
# def quantise(weights, levels, block):
#     """Return codes (weights,) and absmax (blocks,) of a matrix."""
#     import torch
#
#     flat = weights.flatten()
#     parts = flat.split(block)  # the last one may be shorter
#     absmax = torch.stack([part.abs().max() for part in parts])
#     scale = torch.where(absmax == 0, 1, absmax).repeat_interleave(block)[: len(flat)]
#     codes = ((flat / scale)[:, None] - levels).abs().argmin(1)
#     return codes, absmax
# ```
#
# </details>

# %% [markdown] lang="en"
# The lesson goes on with its own version, which is faster: between two levels stands a **bound** in the middle, and `torch.bucketize` finds between which bounds a number lies. To be equal to the library to the bit, we also multiply by `1 / absmax`, as it does, and do not divide. Two codes of 4 bits go into one byte, the first one above.

# %% [markdown] lang="zh" of="0206cbd0"
# 课程下面用自己的写法，快一些：相邻两个值的中点是一条**分界**，`torch.bucketize` 找出一个数落在哪两条分界之间。要与程序库逐位相同，还得像它那样乘以 `1 / absmax`，不用除法（两种算法的最后一位可能不同）。两个 4 比特的编号装进一个字节，第一个在高位。


# %%
def nf4(weights, block=64):
    """Return codes and absmax of weights whose number is a multiple of the block."""
    parts = weights.reshape(-1, block).float()
    absmax = parts.abs().amax(1)
    parts = parts * (1 / absmax.clamp(min=1e-38))[:, None]
    return torch.bucketize(parts.flatten(), (levels[1:] + levels[:-1]) / 2), absmax


def pack(codes):
    """Put two codes into each byte."""
    return (codes[::2] << 4 | codes[1::2]).to(torch.uint8)


tensors = {f"random {n}": torch.randn(96, 128) * 10.0 ** (n - 5) for n in range(10)} | weights
real = small_layers()  # three of SmolLM2's, where `make small` has fetched it
tensors |= {f"SmolLM2 {n}": weight for n, weight in enumerate(real)}
equal, count = 0, 0
for tensor in tensors.values():
    packed, state = bnb.functional.quantize_4bit(
        tensor, blocksize=64, quant_type="nf4", compress_statistics=False
    )
    codes, absmax = nf4(tensor)
    equal += (pack(codes) == packed.flatten()).sum().item() if (absmax == state.absmax).all() else 0
    count += packed.numel()
say(
    f"{equal:,} of {count:,} bytes equal: ten random matrices, {len(weights)} layers of the model, "
    f"{len(real)} of SmolLM2",
    f"{count:,} 个字节里有 {equal:,} 个相同：十个随机矩阵，模型的 {len(weights)} 个层，SmolLM2 的 {len(real)} 个层",
)
claim("qlora_nf4_codes", 100 * equal / count)

# %% [markdown] lang="en"
# **Double quantisation.** A constant of 32 bits for each 64 weights is half a bit a weight: 4.5 in all. For a 70B model that half bit is 4 GB. So the constants are quantised in turn: their mean is subtracted, and each becomes a code of 8 bits, in blocks of 256, with one constant of 32 bits for each such block:
#
# $$4 + \frac{8}{64} + \frac{32}{64 \cdot 256} \approx 4.127 \text{ bits}$$
#
# We count it on the largest layer as bitsandbytes stores it, and look at what the second rounding adds to the *relative error*: the root mean square of the error, over that of the weights.

# %% [markdown] lang="zh" of="4b581ff0"
# **双重量化**。每 64 个权重一个 32 比特的常数，摊下来每个权重半比特，共 4.5 比特。70B 的模型，这半比特就是 4 GB。所以常数自己也要量化：减去平均数，各变成一个 8 比特的编号；每 256 个为一块，每块再配一个 32 比特的常数：
#
# $$4 + \frac{8}{64} + \frac{32}{64 \cdot 256} \approx 4.127 \text{ 比特}$$
#
# 我们在最大的一层上数一数 bitsandbytes 实际存了多少，再看第二次舍入给*相对误差*添了多少：误差的均方根，除以权重的均方根。


# %%
def relative(rough, exact):
    """Return the error, root of the mean square, relative to the size of the weights."""
    return (rough - exact).square().mean().sqrt().item() / exact.square().mean().sqrt().item()


sample = max(weights.values(), key=torch.numel).flatten()
sample = torch.nn.functional.pad(sample, (0, -len(sample) % 16384))  # whole blocks of both kinds
bits = {}
for double in (False, True):
    packed, state = bnb.functional.quantize_4bit(
        sample, blocksize=64, quant_type="nf4", compress_statistics=double
    )
    nested = state.state2.absmax if double else torch.empty(0)
    held = [packed, state.absmax, nested]
    bits[double] = 8 * sum(x.numel() * x.element_size() for x in held) / sample.numel()
    error = relative(bnb.functional.dequantize_4bit(packed, state).flatten(), sample)
    print(f"double_quant={double}: {bits[double]:.4f} bits, error {100 * error:.3f} %")
claim("qlora_nf4_bits", bits[True])

# %% [markdown] lang="en"
# A third of a bit is saved and the error hardly changes. (Each layer also keeps a table of the 16 levels and one of 256, with a mean; they are the same size in any layer, and count only in a model as small as Xiaoxi.)

# %% [markdown] lang="zh" of="89f8c718"
# 省下三分之一比特多，误差几乎不变。（每层另存一张 16 个值的表、一张 256 个值的表和一个平均数；不管层多大，它们都一样大，只有小溪这么小的模型才显得出来。）

# %% [markdown]
# ### How large is the error? ｜ 误差有多大？

# %% [markdown] lang="en"
# Now NF4 against three others: **fp4**, a float of 4 bits (the library's default); **int4**, fifteen equal steps; **int8**, 255 equal steps, with twice the bits. Each has blocks with their largest absolute value as constant. We measure the relative error on a hundred thousand numbers from the normal distribution, from **Student's t** with 3 degrees of freedom (a hill with *heavy tails*: now and then a very large number), and on the model's own weights.
#
# **Predict first**: on the heavy tails, which of the three 4-bit formats has the smallest error? And does a larger block help or harm?

# %% [markdown] lang="zh" of="6a091af3"
# 再拿 NF4 和另外三种比：**fp4**，4 比特的浮点数（程序库的默认值）；**int4**，十五个等距的值；**int8**，255 个等距的值，比特数加倍。都分块，都以块内最大的绝对值为常数。量的是相对误差，取十万来个数：来自正态分布，来自自由度为 3 的**学生 t 分布**（*重尾*的小山：偶尔冒出一个很大的数），以及模型自己的权重。
#
# **先猜一猜**：遇到重尾，三种 4 比特的格式里谁的误差最小？块大些，是好还是坏？

# %%
generator = torch.Generator().manual_seed(SEED)
n = 2**17
chi = torch.randn(3, n, generator=generator).square().sum(0) / 3
sources = {
    "normal ｜ 正态": torch.randn(n, generator=generator),
    "heavy tails, t3 ｜ 重尾，t3": torch.randn(n, generator=generator) / chi.sqrt(),
    "the model's weights ｜ 模型的权重": blocks.flatten()[:n],
}
BLOCKS = (16, 64, 256, 1024, 4096)
errors = {
    source: {f: [100 * relative(rounded(x, f, b), x) for b in BLOCKS] for f in FORMATS}
    for source, x in sources.items()
}


# %%
def by_block(source):
    """Draw the error of each format against the size of a block."""
    said = ", ".join(f"{name} {values[1]:.1f} %" for name, values in errors[source].items())
    return plots.curves(
        {name: (BLOCKS, values) for name, values in errors[source].items()},
        source,
        "weights in a block ｜ 每块的权重数",
        "relative error, % ｜ 相对误差，%",
        logx=True,
        alt=f"Relative error against block size for four formats; at 64: {said} ｜ "
        f"四种格式的相对误差随块大小的变化；块为 64 时：{said}",
    )


widgets.explore(
    by_block,
    names={"source": "numbers ｜ 数"},
    source=list(errors),
    start={"source": list(errors)[1]},
)

# %%
at_64 = {source: {f: values[1] for f, values in of.items()} for source, of in errors.items()}
rows = [[source, *(f"{of[f]:.1f} %" for f in FORMATS)] for source, of in at_64.items()]
four_bit_formats = [f for f in FORMATS if f != "int8"]
for source, of in at_64.items():
    best = min(four_bit_formats, key=of.get)
    print(f"{source}: {best}, {of[best]:.1f} %")
normal, heavy = list(at_64.values())[:2]
claim("qlora_nf4_error", normal["nf4"] / normal["int4"])
claim("qlora_nf4_tails", heavy["nf4"] / heavy["int4"])
table(["error at blocks of 64 ｜ 块为 64 时的误差", *FORMATS], rows)

# %% [markdown] lang="en"
# On normal numbers NF4 is the best of the three with 4 bits, as it was made to be. Its lead over int4 is not huge, and a part of it comes from int4's unused sixteenth code. int8 is far better than all of them, at twice the bytes.
#
# Larger blocks make every format worse, because more weights share the constant of the one largest weight. With heavy tails this is dramatic: one very large weight, and after the division the rest of its block lie near zero. That is why blocks are small, and why the half bit of constants was worth saving.

# %% [markdown] lang="zh" of="1042da83"
# 在正态的数上，三种 4 比特格式里 NF4 最好，它就是为此而造的。它比 int4 强得有限，其中一部分还是因为 int4 有一个编号不用。int8 远好于它们，字节也多一倍。
#
# 块越大，哪种格式都越差，因为更多权重要共用最大那个权重的常数。重尾时尤其厉害：只要有一个权重特别大，除以它之后，同块的其余权重就都挤在零附近。所以块要小，也所以那半比特的常数值得省。

# %% [markdown]
# ### What the error does to a model ｜ 误差对模型有什么影响

# %% [markdown] lang="en"
# An error of some per cent in the weights need not harm the answers. What counts is the loss. We round all linear weights of the model in each format (blocks of 64), and compare the loss on the right answers of the test notices with that of the model as it is, row by row. **Predict first**: will the formats stand in the same order as above?

# %% [markdown] lang="zh" of="4fa5221d"
# 权重差百分之几，回答未必就差。要看的是损失。我们用每种格式（块为 64）舍入模型的全部线性层，逐行比较测试通知书标准答案上的损失，与原模型差多少。**先猜一猜**：几种格式的先后，会和上面一样吗？


# %%
def loss_rows(model, rows):
    """Return the mean loss of each row's answer, in nats per token."""
    return [loss / n for loss, n in answer_losses(model, tokenizer, rows)]


asked_for_loss = opened[: size.loss_rows]
exact_losses, worse = loss_rows(base, asked_for_loss), {}
for form in FORMATS:
    trial = round_model(load(setup)[0], form)
    worse[form] = bootstrap_difference(exact_losses, loss_rows(trial, asked_for_loss), unit="nats")
say(
    f"as it is {sum(exact_losses) / len(exact_losses):.3f} nats",
    f"原样 {sum(exact_losses) / len(exact_losses):.3f} 奈特",
)
claim("qlora_nf4_loss", worse["nf4"])
said = ", ".join(f"{name} {value.value:+.3f}" for name, value in worse.items())
plots.bars(
    worse,
    "Loss that rounding adds ｜ 舍入增加的损失",
    ylabel="nats per token ｜ 奈特/词元",
    unit="nats",
    alt=f"Bars with intervals of the loss that each format adds: {said} ｜ "
    f"各格式增加的损失，带区间的柱形图：{said}",
)

# %% [markdown] lang="en"
# Look where the intervals lie. A bar below zero means that the loss fell a little after rounding; on 40 rows an error may help by chance. Where intervals overlap, the order is open. So here is a larger one: recorded losses of **SmolLM2-135M** on English text that it has not seen, the prose of this course, in 32 pieces of 256 tokens (`data/sweeps/formats.jsonl`). Our copy comes from a Python package, as a file in a 4-bit format (section 7), so each format here rounds a second time.

# %% [markdown] lang="zh" of="f68ab92e"
# 看看各个区间在哪里。柱子若在零以下，是说舍入之后损失反而低了一点；只有 40 行，误差有时碰巧有利。区间重叠的，分不出先后。所以再看一个大些的：**SmolLM2-135M** 在没见过的英文文本（本课程的英文正文，32 段，每段 256 个词元）上的损失记录（`data/sweeps/formats.jsonl`）。我们这一份取自一个 Python 包，里面是 4 比特格式的文件（第 7 节），不是原版权重，所以这里每种格式都是第二次舍入。

# %%
recorded_losses = {
    (row["format"], row["block"]): row
    for row in read_jsonl(root() / "data" / "sweeps" / "formats.jsonl")
}
exact_row, rows = recorded_losses["float32", 0], []
for (form, block), row in recorded_losses.items():
    if block:
        more = bootstrap_difference(exact_row["losses"], row["losses"], unit="nats")
        rows.append([form, f"{block:,}", f"{100 * row['error']:.1f} %", more])
        if (form, block) == ("nf4", 64):
            claims.measure("qlora_nf4_loss_small", more)
heads = ["format ｜ 格式", "block ｜ 块", "error of the weights ｜ 权重的误差"]
table([*heads, f"loss, minus {exact_row['loss']:.2f} ｜ 损失减 {exact_row['loss']:.2f}"], rows)

# %% [markdown] lang="en"
# Compare the last two columns. int8 costs next to nothing, NF4 the least of the 4-bit formats, and larger blocks cost more. But the error of the weights does not tell all: fp4 has a *larger* error than int4, and harms this model *less*; and NF4 in blocks of 1,024 has about int4's error at 64, and again less harm. So two formats with the same error are not equally good. What else matters, we have not found out.
#
# NF4's loss is not small, either: here 0.15 nats. The QLoRA paper's finding, that NF4 is level with 16 bits, is about models *after* fine-tuning (section 3).

# %% [markdown] lang="zh" of="8d60c12e"
# 比一比最后两列。int8 几乎没有代价；4 比特的格式里 NF4 代价最小；块越大，代价越大。但权重的误差说明不了一切：fp4 的误差比 int4 *大*，对这个模型的伤害却*小*；NF4 用 1,024 的块，误差和 int4 用 64 的块差不多，伤害也比它小。可见误差相同的两种格式，不见得一样好。还有什么在起作用，我们没有弄清。
#
# NF4 的损失也不算小：这里是 0.15 奈特。QLoRA 论文说 NF4 与 16 比特不相上下，指的是*微调之后*的模型（第 3 节）。

# %% [markdown]
# ## 3. The QLoRA run ｜ 用 QLoRA 训练

# %% [markdown] lang="en"
# Could we simply train the 4-bit weights? A step of training moves a weight by a small amount, and a code of 4 bits cannot move by a small amount: it stays, or it jumps to the next of the sixteen values. The trainer refuses to try:

# %% [markdown] lang="zh" of="7d549db4"
# 直接训练这些 4 比特的权重行不行？训练的一步只把权重挪动一点点，而 4 比特的编号没法只挪一点点：要么不动，要么跳到十六个值中的下一个。训练器不肯干：


# %%
def config_for(**changes):
    """Return the settings of a run, with some changes."""
    settings = {
        "output_dir": str(root() / "build" / "runs" / "qlora"),
        "assistant_only_loss": True,  # the loss mask (notebook 04)
        "learning_rate": size.lr,  # Xiaoxi 5e-3, Qwen 2e-4
        "lr_scheduler_type": "cosine",
        "warmup_steps": 0.05,  # the first 5 % of the steps
        "num_train_epochs": size.epochs,
        "per_device_train_batch_size": size.at_once,
        "gradient_accumulation_steps": size.accumulate,
        "max_length": 1024,
        "train_sampling_strategy": "group_by_length",  # less padding
        "bf16": setup.bf16,  # False on a CPU and on a T4
        "fp16": setup.fp16,  # True on a T4 (section 6)
        "use_cpu": setup.use_cpu,
        "gradient_checkpointing": not setup.use_cpu,  # saves GPU memory, costs time
        "optim": "adamw_torch_fused",
        "save_strategy": "no",
        "logging_steps": size.log_steps,
        "dataloader_pin_memory": not setup.use_cpu,
        "disable_tqdm": True,
        "report_to": "none",
        "seed": SEED,
    }
    return SFTConfig(**settings | changes)


# %%
notices = select(world("train", langs=setup.langs), task="notice")[: size.rows]
general = world("general", langs=setup.langs)
replay = select(general, use="replay")[: size.replay]
score_labels_only()  # logits only where a label is, on a CPU too (notebook 04)
data = {"train_dataset": to_dataset(notices + replay), "processing_class": tokenizer}
try:
    SFTTrainer(model=four, args=config_for(), **data)
except ValueError as error:
    print(f"ValueError: {error}")

# %% [markdown] lang="en"
# **QLoRA** ([Dettmers et al. 2023](https://arxiv.org/abs/2305.14314)) leaves the 4-bit weights as they are, **frozen**, and trains a LoRA adapter beside each weight matrix (notebook 02). A layer then computes $y = \text{dequantise}(W_4)\,x + \frac{\alpha}{r}BAx$. **Dequantise** means: look up the numbers that the codes stand for. The layer does this anew each time it is needed, forward and backward, and throws the numbers away. The gradient passes *through* $W_4$ to the adapters below, but never changes $W_4$.
#
# This is the whole set-up. The library's defaults are in the comments; three of the four are not what QLoRA wants:

# %% [markdown] lang="zh" of="88d46ba5"
# **QLoRA**（[Dettmers 等，2023](https://arxiv.org/abs/2305.14314)）让 4 比特的权重保持原样，也就是**冻结**，只训练加在每个权重矩阵旁边的 LoRA 适配器（notebook 02）。一层算的是 $y = \text{dequantise}(W_4)\,x + \frac{\alpha}{r}BAx$。**反量化**（dequantise）就是查出编号所代表的数。前向、反向，每次要用都重新查一遍，用完就丢。梯度*穿过* $W_4$ 传到下面的适配器，但从不改动 $W_4$。
#
# 全部配置如下。注释里写了程序库的默认值；四项里有三项不合 QLoRA 的用法：

# %%
quantised = BitsAndBytesConfig(
    load_in_4bit=True,
    bnb_4bit_quant_type="nf4",  # default: "fp4"
    bnb_4bit_use_double_quant=True,  # default: False; the constants of section 2 in 8 bits
    bnb_4bit_compute_dtype=getattr(torch, setup.dtype),  # default: torch.float32, slow on a GPU
)


def four_bit_model(config=quantised, dtype=setup.dtype):
    """Load the model with its linear layers in 4 bits."""
    return AutoModelForCausalLM.from_pretrained(
        find_model(setup.model),
        dtype=getattr(torch, dtype),  # of what is not quantised
        quantization_config=config,
        device_map={"": setup.device},  # quantised on this device, and put nowhere else
        attn_implementation="sdpa",
    )


# %% [markdown] lang="en"
# **A fair comparison.** LoRA and QLoRA get the same rows in the same order, the same rate, the same scale $\alpha / r$, the same seed and the same number of steps. So only the base differs. As in notebook 04, general rows are mixed in, so that old skills are kept.
#
# One difference hides in TRL. It turns the adapters of a *quantised* model to bfloat16, even on a CPU, and leaves those of a plain model in float32 (a line of its source; it refers to [peft#2889](https://github.com/huggingface/peft/issues/2889)). We print what it did and turn them back, or we would compare two things at once.

# %% [markdown] lang="zh" of="e0b67128"
# **公平的比较**：LoRA 和 QLoRA 的数据、顺序、学习率、缩放系数 $\alpha / r$、种子、步数都相同，不同的只有基座。和 notebook 04 一样混入了通用数据，用来保住旧本领。
#
# 有一处差别藏在 TRL 里：模型若是*量化*过的，它会把适配器转成 bfloat16，在 CPU 上也一样；普通模型的适配器则仍是 float32（源码里有这么一行，注明见 [peft#2889](https://github.com/huggingface/peft/issues/2889)）。我们把它做了什么打印出来，再转回去，否则就是同时比较两件事了。

# %%
lora = LoraConfig(
    r=size.r, lora_alpha=size.alpha, target_modules="all-linear", task_type="CAUSAL_LM"
)


def kinds(model):
    """Return the data types of the weights that are trained."""
    return {str(p.dtype).removeprefix("torch.") for p in model.parameters() if p.requires_grad}


def trainer_for(model, data=data, **changes):
    """Put a new adapter on a model; return its trainer."""
    set_seed(SEED)  # the adapter's random start is the same for both
    trainer = SFTTrainer(model=get_peft_model(model, lora), args=config_for(**changes), **data)
    given = kinds(trainer.model)
    for weight in trainer.model.parameters():
        if weight.requires_grad:
            weight.data = weight.data.float()
    print(f"adapters ｜ 适配器: {', '.join(given)} → {', '.join(kinds(trainer.model))}")
    trainer.remove_callback(PrinterCallback)
    return trainer


# %%
tuned, runs = {}, {}
for name in ("LoRA", "QLoRA"):
    trainer = trainer_for(four_bit_model() if name == "QLoRA" else load(setup)[0])
    runs[name] = trainer.train().metrics
    tuned[name] = trainer.model.eval()
    print(f"{name}: {trainer.state.global_step} steps, loss {runs[name]['train_loss']:.3f}\n")

# %% [markdown] lang="en"
# **Predict first**: which of the two writes more notices that are right in everything? Which keeps more of primary school? Which trains faster, and by how much?
#
# The test is that of notebook 04: incidents under articles that were in no training row, three articles in the prompt, one of which applies. *Facts* are the four that come from the article (its number, fine, points, office), wherever they stand. *General skills* is the share of primary school's questions that are answered to the letter.

# %% [markdown] lang="zh" of="e64032f8"
# **先猜一猜**：两者之中，谁写的通知书全对的多？谁保住的小学本领多？谁练得快，快多少？
#
# 测试与 notebook 04 相同：法条没有在任何训练数据里出现过，提示里给三条法条，其中一条适用。*法条四项*是来自法条的四样（条号、罚款、记分、机关），写在哪里都算。*通用能力*是小学题答得一字不差的比例。

# %%
asked = select(general, use="measure")[: size.skills]
candidates = {"base ｜ 基座": base, "LoRA": tuned["LoRA"], "QLoRA": tuned["QLoRA"]}
texts, marks, skills = {}, {}, {}
for name, model in candidates.items():
    texts[name] = answer(model, opened)
    marks[name] = score_notices(texts[name], opened)
    by_task = forgetting(model, tokenizer, asked, max_new_tokens=48)
    skills[name] = [right for task in by_task.values() for right in task]
first = opened.index(looked_at[0])
for name in candidates:
    print(f"--- {name}\n{texts[name][first]}\n")

# %%
names = {"form": "form ｜ 格式", "facts": "facts ｜ 法条四项", "all": "all right ｜ 全对"}
bars = {title: {n: share(marks[n][key]) for n in candidates} for key, title in names.items()}
bars["general skills ｜ 通用能力"] = {name: share(right) for name, right in skills.items()}
said = {n: f"{100 * share(marks[n]['all']).value:.0f} %" for n in candidates}
plots.bars(
    bars,
    "Before training, and after LoRA and QLoRA ｜ 训练前，LoRA 之后，QLoRA 之后",
    alt="Bars of form, facts, all right and general skills for the base, LoRA and QLoRA; all right: "
    f"base {said['base ｜ 基座']}, LoRA {said['LoRA']}, QLoRA {said['QLoRA']} ｜ "
    "基座、LoRA、QLoRA 的格式、法条四项、全对和通用能力的柱形图；全对："
    f"基座 {said['base ｜ 基座']}，LoRA {said['LoRA']}，QLoRA {said['QLoRA']}",
)

# %% [markdown] lang="en"
# The table below holds QLoRA against LoRA. Both answered the same questions, so the differences are **paired**: question by question, QLoRA minus LoRA. An interval that runs from below zero to above it cannot say which of the two is better.

# %% [markdown] lang="zh" of="5f93ba2e"
# 下表把 QLoRA 与 LoRA 相比。两者答的是同一批题，所以差值是**配对**的：逐题比较，QLoRA 减 LoRA。区间若跨过零，就说不出谁更好。

# %%
claims.table(
    {
        "qlora_form": share(marks["QLoRA"]["form"]),
        "qlora_all": share_difference(marks["LoRA"]["all"], marks["QLoRA"]["all"]),
        "qlora_skills": share_difference(skills["LoRA"], skills["QLoRA"]),
    }
)

# %% [markdown] lang="en"
# Both learned the form, and both are far from the base. Whether one of them is ahead, this one run cannot say, unless an interval above keeps clear of zero; and even then it would be one seed.
#
# So here are recorded runs of both, five seeds each (`data/sweeps/fair.jsonl`): 320 notices twice over, rate 1e-2, rank 8, scale 2, and *no* general rows, so that forgetting shows. Seed by seed, QLoRA minus LoRA.

# %% [markdown] lang="zh" of="0b79e7e6"
# 两者都学会了格式，都远远好过基座。谁更好，这一次运行说不了，除非上面有哪个区间不含零；就算不含零，也只是一个种子。
#
# 所以再看两者的训练记录，各五个种子（`data/sweeps/fair.jsonl`）：320 份通知书练两遍，学习率 1e-2，秩 8，缩放系数 2，*没有*混入通用数据，这样遗忘才看得出来。逐个种子，QLoRA 减 LoRA。

# %%
recorded = {method: {} for method in ("lora", "qlora")}
for run in sweeps.read("fair"):
    if run["method"] in recorded and run["r"] == 8:
        recorded[run["method"]][run["seed"]] = run
seeds, rows = sorted(recorded["lora"]), []
for measure in ("form", "all", "forgetting"):
    values = [[100 * recorded[m][seed][measure] for seed in seeds] for m in recorded]
    each = [b - a for a, b in zip(*values, strict=True)]
    mean = mean_interval(each, unit="pp") if len(each) > 1 else each[0]
    lora_mean, qlora_mean = (f"{sum(v) / len(v):.0f} %" for v in values)
    by_seed = ", ".join(f"{d:+.0f}" for d in each)
    rows.append([sweeps.NAMES[measure], lora_mean, qlora_mean, by_seed, mean])
    if measure != "form":
        claims.measure(f"qlora_seeds_{measure}", sum(each) / len(each))
heads = ["", "LoRA", "QLoRA", "difference by seed ｜ 各种子的差", "mean ｜ 平均"]
table(heads, rows)

# %% [markdown] lang="en"
# Five seeds leave it open, too: look where the intervals of the mean lie. The authors of QLoRA report that their 4-bit runs matched 16-bit fine-tuning on the benchmarks that they tried. Section 9 has a real model on which it looked worse.

# %% [markdown] lang="zh" of="d2a23bf3"
# 五个种子也没有定论：看看平均值的区间在哪里。QLoRA 的作者报告说，在他们试过的评测上，4 比特的训练追平了 16 比特的微调。第 9 节有一个真实模型，在它上面 QLoRA 看起来要差一些。

# %% [markdown]
# ### What it cost ｜ 代价

# %% [markdown] lang="en"
# What did the 4 bits save? We count two things. *Weights* are the bytes of base and adapter as stored. *training* is how far memory rises above them in training steps on the longest rows: results kept for the backward pass, gradients, the optimizer's averages, whatever is alive at the highest point. On a CPU every tensor is counted, so the number is the same on any machine.
#
# **Predict first**: by what share does QLoRA lower the sum of the two *here*?

# %% [markdown] lang="zh" of="0a96b75c"
# 4 比特省下了什么？我们数两样。*权重*是基座和适配器存着的字节数；*训练*是训练时内存在这之上又涨了多少，取最长的几行数据：为反向传播留下的结果、梯度、优化器存的平均值，总之是最高点时还活着的一切。在 CPU 上逐个张量来数，所以在哪台机器上都一样。
#
# **先猜一猜**：*在这里*，QLoRA 能把两项之和降低多少？

# %%
made = sorted((encode(tokenizer, row["messages"]) for row in notices), key=lambda row: len(row[0]))
longest = [(list(ids), list(mask)) for ids, mask in made[-size.at_once :]]
ids, target = next(batches(longest, size.at_once, tokenizer.pad_token_id, torch.Generator()))
ids, target = ids.to(setup.device), target.to(setup.device)


def two_steps(model):
    """Train two steps at rate 0, so that nothing changes; the second has AdamW's averages."""
    optimizer = torch.optim.AdamW(
        [p for p in model.train().parameters() if p.requires_grad], lr=0.0, fused=True
    )
    for _ in range(2):
        label_loss(model, ids, target).backward()
        optimizer.step()
        optimizer.zero_grad()
    model.eval()


# %%
costs, rows = {}, []
for name, model in tuned.items():
    weights, rise = stored_bytes(model), peak_of(lambda: two_steps(model), setup.device)  # noqa: B023
    costs[name] = weights + rise
    cells = [f"{x / 1e6:.1f} MB" for x in (weights, rise, costs[name])]
    rows.append([name, *cells, f"{runs[name]['train_runtime']:.0f} s"])
claim("qlora_memory_here", 100 * (1 - costs["QLoRA"] / costs["LoRA"]))
heads = ["", "weights ｜ 权重", "training ｜ 训练", "sum ｜ 合计", "seconds ｜ 用时"]
table(heads, rows)

# %% [markdown] lang="en"
# The weights shrank by more than half; the sum hardly moved. In so small a model the training itself takes most of the memory, and it became no cheaper here. A 7B model is the other way round: in 16 bits its weights take 15 GB, and a step often takes less. Section 5 predicts both for any model.
#
# And the time? QLoRA does more work, for each layer looks its weights up anew in every step. For Xiaoxi, compare the seconds above (one run of each). The table below has steps of larger models on an H200, recorded one by one, LoRA against QLoRA.

# %% [markdown] lang="zh" of="3972b03b"
# 权重缩了一半多，合计却几乎没动。模型这么小，内存主要花在训练本身，而训练在这里并没有变省。7B 的模型正好反过来：权重用 16 比特要 15 GB，训练一步往往用不了这么多。第 5 节能为任何模型预测这两项。
#
# 时间呢？QLoRA 的活儿更多：每一步、每一层都要重新查一遍权重。小溪的，看上面的秒数（各一次）。下表是更大的模型在 H200 上的步时，逐个记录下来，LoRA 对 QLoRA。

# %%
timed = {}
for row in read_jsonl(root() / "data" / "sweeps" / "memory_gpu.jsonl"):
    if row["loop"] == "plain" and row["checkpointing"]:
        key = row["model"], f"{row['batch']} × {row['length']}"
        timed.setdefault(key, {})[row["method"]] = row["step_ms"]
pairs = {key: ms for key, ms in timed.items() if {"lora", "qlora"} <= set(ms)}
rows = [
    [*key, f"{ms['lora']:.0f} ms", f"{ms['qlora']:.0f} ms", f"{ms['qlora'] / ms['lora']:.2f}"]
    for key, ms in pairs.items()
]
ratios = [ms["qlora"] / ms["lora"] for ms in pairs.values()]
claim("qlora_seconds", sum(ratios) / len(ratios))
table(["model ｜ 模型", "rows × tokens ｜ 行 × 词元", "LoRA", "QLoRA", "ratio ｜ 之比"], rows)

# %% [markdown] lang="en"
# With small batches QLoRA took longer, by a quarter on the 7B model; with the largest batch it did not. Looking up the weights costs the same however many tokens a step has, so it should weigh less in a large step. That explains a ratio near 1, but not one below it. Each number is one measurement, with checkpointing, and small steps on this card hardly depend on the model's size: do not build on tens of milliseconds.
#
# So use QLoRA where LoRA does *not* fit. Where it fits, LoRA is simpler.

# %% [markdown] lang="zh" of="de167ab7"
# 批小的时候，QLoRA 慢一些，7B 上约慢四分之一；批最大的时候并不慢。这不管一步有多少词元，查权重的代价都一样，所以一步里的词元越多，它占的比重应该越小。这能解释比值接近 1，却解释不了低于 1。每个数只测过一次，都开了检查点，而且这块卡上小步的用时几乎与模型大小无关：几十毫秒的差别不要当真。
#
# 所以，LoRA 装*不*下时才用 QLoRA；装得下，还是 LoRA 简单。

# %% [markdown]
# ## 4. Merging: into which base? ｜ 合并：并到哪个基座里？

# %% [markdown] lang="en"
# To serve a model, one often **merges** the adapter: its product $\frac{\alpha}{r}BA$ is added to the weights, and the adapter is gone (notebook 02). With QLoRA there are three bases to choose from, and tutorials recommend each of them:
#
# - **4 bits**: `merge_and_unload()` on the model as trained. It dequantises, adds, and quantises again.
# - **original**: the adapter is put on the unquantised model, and merged there.
# - **dequantised**: the 4-bit weights are turned back to numbers once, and the adapter is added to those.
#
# **Predict first**: which of the three answers as the trained model does, and which strays most?

# %% [markdown] lang="zh" of="0a9fa07f"
# 部署时常把适配器**合并**进去：把乘积 $\frac{\alpha}{r}BA$ 加到权重上，适配器就没有了（notebook 02）。用 QLoRA 训练出来的，有三个基座可选，各有教程推荐：
#
# - **4 比特**：在训练好的模型上直接 `merge_and_unload()`。它先反量化，加上，再量化一遍。
# - **原始**：把适配器装到没有量化过的模型上，在那里合并。
# - **反量化**：把 4 比特的权重一次性还原成数，再加上适配器。
#
# **先猜一猜**：三者之中，哪个的回答和训练好的模型一样？哪个偏得最远？

# %%
folder = save_adapter(tuned["QLoRA"], root() / "build" / "adapters" / setup.profile / "05_qlora")


def dequantised():
    """Return the plain model with the numbers that the 4-bit weights stand for."""
    plain, packed = load(setup)[0], load(setup, four_bit=True)[0]
    for name, layer in packed.named_modules():
        if isinstance(layer, bnb.nn.Linear4bit):
            weight = bnb.functional.dequantize_4bit(layer.weight.data, layer.weight.quant_state)
            plain.get_submodule(name).weight.data = weight
    return plain


ways = {
    "4 bits ｜ 4 比特": lambda: load(setup, four_bit=True)[0],
    "original ｜ 原始": lambda: load(setup)[0],
    "dequantised ｜ 反量化": dequantised,
}
merged = {}
for name, make in ways.items():
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        merged[name] = load_adapter(make(), folder).merge_and_unload().eval()
    for text in {str(w.message) for w in heard if "4-bit" in str(w.message)}:
        print(f"{name}: {text}")

# %% [markdown] lang="en"
# PEFT warns of the first way; the line above is the one that people search for ([peft#2321](https://github.com/huggingface/peft/issues/2321)). We hold each merged model against the trained one in three ways: the largest difference of any **logit** (the score of a token of the vocabulary; the highest comes next) on one prompt, the share of notices that are the same to the letter, and the loss on the right answers. The last column gives the bytes of the result.

# %% [markdown] lang="zh" of="415d6dbd"
# 第一种做法，PEFT 会警告，上面那一行就是大家常搜的那句（[peft#2321](https://github.com/huggingface/peft/issues/2321)）。我们把每个合并后的模型与训练好的模型对比三样：同一个提示上 **logits**（词表里每个词元的得分，下一个就取得分最高的）的最大差别，一字不差的通知书所占的比例，以及标准答案上的损失。最后一列是结果占的字节数。


# %%
def logits_of(model):
    """Return the logits on the first test prompt."""
    with torch.no_grad():
        return model(prompt).logits.float()


prompt = tokenizer(opened[0]["messages"][0]["content"], return_tensors="pt").input_ids
prompt = prompt.to(setup.device)
trained = tuned["QLoRA"]
wanted, reference, own = texts["QLoRA"], logits_of(trained), loss_rows(trained, opened)
rows, same, strays = (
    [["as trained ｜ 训练好的", "–", "–", f"{sum(own) / len(own):.4f}", "–"]],
    {},
    {},
)
for name, model in merged.items():
    texts[name] = answer(model, opened)
    same[name] = [a == b for a, b in zip(texts[name], wanted, strict=True)]
    strays[name] = (logits_of(model) - reference).abs().max().item()
    loss = loss_rows(model, opened)
    numbers = [f"{strays[name]:.2g}", share(same[name]), f"{sum(loss) / len(loss):.4f}"]
    rows.append([name, *numbers, f"{stored_bytes(model) / 1e6:.1f} MB"])
heads = ["merged into ｜ 合并到", "largest difference of a logit ｜ logits 最大差别"]
heads += ["same notice ｜ 通知书相同", "loss ｜ 损失", "size ｜ 大小"]
table(heads, rows)

# %%
shares = {name: share(right) for name, right in same.items()}
said = {name: f"{100 * value.value:.0f} %" for name, value in shares.items()}
plots.bars(
    shares,
    "Notices equal to the trained model's, after merging ｜ 合并之后，与训练好的模型相同的通知书",
    alt="Bars: "
    + ", ".join(f"{n.split(' ｜ ')[0]} {v}" for n, v in said.items())
    + " ｜ 柱形图："
    + "，".join(f"{n.split(' ｜ ')[1]} {v}" for n, v in said.items()),
)

# %%
four_bits, original, exact = same.values()
claims.table(
    {
        "qlora_merge_dequantised": list(strays.values())[-1],
        "qlora_merge_original": share(original),
        "qlora_merge_four_bit": share(four_bits),
    }
)

# %% [markdown] lang="en"
# **Dequantised** is the trained model, but for rounding in the last digits: the same sum, only made once instead of in every step. The other two stray, because they compute with other numbers. (This run cannot say which of them strays further.)
#
# - **Original** has weights that the adapter never met. It was trained beside the rounded ones, and may have learned to make up for some of their error.
# - **4 bits** rounds once more, and rounds what was learned.
#
# How large are these errors, beside what was learned? We measure three matrices over all layers, by the root of their sum of squares: the change $\frac{\alpha}{r}BA$, the error of the first rounding, and that of the second.

# %% [markdown] lang="zh" of="117ec109"
# **反量化**就是训练好的那个模型，只差最后几位的舍入：同样的和，只是一次算好，不再每一步都算。另外两种有偏差，因为计算用的数不同。（谁偏得更远，这一次分不出。）
#
# - **原始**：这些权重适配器从没见过。它是挨着舍入过的权重训练的，也许还学会了弥补其中一部分误差。
# - **4 比特**：又舍入了一次，连学到的也一起舍入。
#
# 与学到的东西相比，这些误差有多大？我们在所有层上量三种矩阵的大小（平方和再开方）：改动 $\frac{\alpha}{r}BA$，第一次舍入的误差，第二次舍入的误差。


# %%
def numbers_of(model, name):
    """Return the weights of a layer as numbers."""
    weight = model.get_submodule(name).weight
    state = getattr(weight, "quant_state", None)
    return (bnb.functional.dequantize_4bit(weight.data, state) if state else weight.data).float()


squares = {"learned ｜ 学到的": 0.0, "first rounding ｜ 第一次舍入": 0.0, "second ｜ 第二次": 0.0}
into_four, into_dequantised = merged["4 bits ｜ 4 比特"], merged["dequantised ｜ 反量化"]
for name, layer in four.named_modules():
    if isinstance(layer, bnb.nn.Linear4bit):
        rounded, target_weight = numbers_of(four, name), numbers_of(into_dequantised, name)
        parts = target_weight - rounded, numbers_of(base, name) - rounded
        parts += (numbers_of(into_four, name) - target_weight,)
        for key, part in zip(squares, parts, strict=True):
            squares[key] += part.square().sum().item()
norms = {key: total**0.5 for key, total in squares.items()}
learned = norms["learned ｜ 学到的"]
for key, value in norms.items():
    print(f"{key}: {value:.2f} ({value / learned:.2f} ×)")
claim("qlora_merge_error", 100 * norms["second ｜ 第二次"] / learned)

# %% [markdown] lang="en"
# Each rounding error is a good part of everything that was learned. Even so, most notices came out the same here. How much harm it does elsewhere depends on the model and on how much was learned: with a smaller rate or fewer steps the change is smaller, and the rounding is not.
#
# **What to do.** Keep the adapter and the 4-bit base apart: nothing is lost, and the base stays small. If you must merge, merge into the *dequantised* weights. We tested that in float32; stored in 16 bits they are rounded once more, by far less, so test again. Their price is their size: the 4 bits are gone. If it has to be 4 bits again, quantise last, and measure.

# %% [markdown] lang="zh" of="7068aa3c"
# 与学到的全部改动相比，每次舍入的误差都不算小。即便如此，这里大多数通知书还是一样。换个地方害处有多大，要看模型，也要看学到了多少：学习率小些、步数少些，学到的改动就小，舍入误差却不变。
#
# **该怎么做**：适配器和 4 比特的基座分开放，什么都不丢，基座也小。非合并不可，就并到*反量化*的权重里。这里验证的是 float32；存成 16 比特还要再舍入一次，误差小得多，但也要测一测。代价是大小：4 比特省下的就没有了。最后若还要 4 比特，就放在最后一步量化，并且测一测。

# %% [markdown]
# ## 5. How much memory does a step take? ｜ 一步训练要多少显存？

# %% [markdown] lang="en"
# Whether a model can be trained on a card hangs on one number: the **peak**, the most memory in use at any moment of a step. You can compute it beforehand. The formula stands in `helpers/model/memory.py`: it counts tensors from the model's sizes. No term of it was fitted to a measurement. (One constant, 65 MB that a library takes for itself on new cards, was read off a card.)
#
# Some tensors are there all the time:
#
# - the **weights**, and with 4 bits their **constants**;
# - the **adapters**, in float32;
# - the optimizer's **states**: AdamW keeps two averages for each *trained* weight.

# %% [markdown] lang="zh" of="cd3caf57"
# 一个模型能不能在某块卡上训练，就看一个数：**峰值**，也就是一步之中任何时刻用得最多的显存。它可以事先算出来。公式在 `helpers/model/memory.py` 里：根据模型的各种尺寸，把张量一个个数出来，没有哪一项是照着测量结果凑的。（只有一个常数是从显卡上读来的：某个库在新卡上自己要占 65 MB。）
#
# 有些张量一直都在：
#
# - **权重**；4 比特时还有它们的**常数**；
# - **适配器**，用 float32；
# - 优化器的**状态**：每个*要训练的*权重，AdamW 存两个平均值。

# %% [markdown] lang="en"
# A step adds others, and drops them again:
#
# - **Activations**: what each layer computed forward and needs again backward. With **gradient checkpointing** only each layer's input is kept, and the rest is computed a second time (notebook 04).
# - **Logits**: a score for each of the 152,064 tokens of the vocabulary, at each place. The loss holds three float32 numbers for each score: 12 bytes × tokens × vocabulary. TRL on a GPU avoids this: it computes them only where a label is, a tile at a time.
# - **Gradients** of what is trained, and **temporary** tensors, such as a 4-bit weight turned back to 16 bits.
#
# **Predict first**: 7B, four rows of 1,024 tokens, checkpointing on. What takes most when all weights are trained? With LoRA? With QLoRA?

# %% [markdown] lang="zh" of="089dfaeb"
# 一步之中还会添上一些，用完就丢：
#
# - **激活值**：每一层前向时算出、反向时还要用的结果。开了**梯度检查点**，就只留每层的输入，其余的到时候再算一遍（notebook 04）。
# - **logits**：在每个位置上，词表的 152,064 个词元各有一个得分。算损失时，每个得分要三个 float32 的数：12 字节 × 词元数 × 词表。TRL 在 GPU 上绕开了：只在有标签的地方算，而且一块一块地算。
# - 要训练的部分的**梯度**，以及**临时**张量，例如把一个 4 比特的权重还原成 16 位。
#
# **先猜一猜**：7B，四行各 1,024 个词元，开检查点。训练全部权重时，什么占得最多？LoRA 呢？QLoRA 呢？

# %%
from helpers.model.memory import GIB, TERMS, VERDICTS, fit, peak
from helpers.model.setting import CARDS, METHODS, MODELS, Setting

seven = MODELS["Qwen2.5-7B"]
cases = {
    METHODS[method].name: peak(seven, Setting(method, batch=4, length=1024))
    for method in ("full_mixed", "full_bf16", "lora", "qlora")
}
parts = {
    name: {TERMS[term][0]: part / GIB for term, part in case.terms.items()}
    for name, case in cases.items()
}
said = [f"{case.bytes / GIB:.1f} GiB" for case in cases.values()]
plots.stacked(
    parts,
    "The peak of a step of Qwen2.5-7B, four rows of 1,024 ｜ Qwen2.5-7B 一步的峰值，四行各 1,024",
    "GiB",
    line=(CARDS["T4"].gib, "a T4 ｜ 一块 T4"),
    alt=f"Bars made of parts: all weights mixed {said[0]}, in 16 bits {said[1]}, LoRA {said[2]}, "
    f"QLoRA {said[3]}; a T4 has {CARDS['T4'].gib:.1f} ｜ 分段的横条：全参数混合精度 {said[0]}，"
    f"16 位 {said[1]}，LoRA {said[2]}，QLoRA {said[3]}；一块 T4 有 {CARDS['T4'].gib:.1f} GiB",
)

# %% [markdown] lang="en"
# GiB is $2^{30}$ bytes, 7 % more than a GB. From above:
#
# - **All weights**: the optimizer's states are twice the weights, the gradients as large. *Mixed precision*, the usual way, keeps all of them in 32 bits and multiplies in 16.
# - **LoRA** does away with states and gradients, since hardly anything is trained. The weights are left.
# - **QLoRA** shrinks those. They still are the largest part. The two tables of the vocabulary stay in 16 bits: 2 of these 5 GiB.
#
# With all weights trained, the peak *at these settings* is at the optimizer's step, when the activations are gone; only much longer rows, or no checkpointing, raise it. We assume that a T4 has no fast attention (not measured); then the last bar is 8.1 GiB.

# %% [markdown] lang="zh" of="a7283c4b"
# GiB 是 $2^{30}$ 字节，比 GB 大 7 %。从上往下看：
#
# - **全参数**：光是优化器的状态就有权重的两倍，梯度和权重一样大。通常用的*混合精度*，这些都按 32 位存，做乘法时才用 16 位。
# - **LoRA** 几乎什么都不训练，状态和梯度就没有了，剩下的是权重。
# - **QLoRA** 把权重压小。它仍是最大的一块：词表的两张表还是 16 位，这 5 GiB 里占了 2 GiB。
#
# 训练全部权重时，*在这组设置下*，峰值在优化器更新的时候，那时激活值已经丢掉了；行稍长一些也不会变高，再长很多或者不开检查点，就会变高。我们假设 T4 没有快速注意力（没有测过），那样最下面那条是 8.1 GiB。

# %% [markdown] lang="en"
# The next figure shows the seven moments of one step, and what lies in memory at each. The logits are computed at *all* tokens here, as transformers does when it is given labels: the loss is the peak. Choose `tiles`, TRL's way on a GPU, and the peak moves to the last layer. Then switch checkpointing off, and the activations of 28 layers are kept.
#
# The line is the memory of the card that PyTorch can use. From nine tenths on the verdict is *tight*. That is a rule of thumb: the allocator keeps pieces that it cannot use, and the CUDA context comes on top. No verdict was tried on its card.

# %% [markdown] lang="zh" of="461dfdaa"
# 下图是一步之中的七个时刻，以及每个时刻内存里有些什么。这里在*所有*词元处算 logits，transformers 拿到标签时就是这么做的：峰值出现在算损失的时候。选 `tiles`（TRL 在 GPU 上的做法），峰值就移到最后一层。再关掉检查点，28 层的激活值就都要留着。
#
# 那条线是 PyTorch 在这块卡上能用的显存。超过九成就算*很紧*，这只是经验：分配器会占住一些用不上的碎块，CUDA 自己也要占一点。这些结论都没有在相应的卡上试过。

# %%
from helpers.lessons.step_view import step_view

widgets.explore(
    step_view,
    names={
        "model": "model ｜ 模型",
        "method": "method ｜ 方法",
        "rows": "rows ｜ 行",
        "length": "tokens a row ｜ 每行词元",
        "checkpointing": "checkpointing ｜ 检查点",
        "card": "card ｜ 显卡",
    },
    start={"model": "Qwen2.5-7B", "rows": 4, "length": 1024, "logits": "all"},
    model=list(MODELS),
    method={METHODS[m].name: m for m in ("qlora", "qlora_prepared", "lora", "full_bf16")},
    rows=[1, 2, 4, 8, 16],
    length=[256, 512, 1024, 2048, 4096],
    checkpointing=True,
    logits=["tiles", "labels", "all"],
    card=list(CARDS),
)

# %% [markdown]
# ### Is the formula right? ｜ 公式准吗？

# %% [markdown] lang="en"
# It is held against four kinds of recorded peaks:
#
# - 76 steps of a plain loop on an H200: 0.5B, 1.5B and 7B, five methods;
# - 8 steps of TRL's `SFTTrainer` there, as on a T4: float16, adapters in float32, 1.5B and 7B;
# - a **simulation** that runs the real model code with tensors without data;
# - real training on a CPU, models of 0.1B and 0.5B: how far the memory of the process rose. That includes what kernels take for themselves.
#
# In the figure, a point below zero means that the formula says too *little*. The black triangles are `SFTTrainer`'s steps again, from the loaded model on.
#
# **Predict first**: how far off is a formula that nobody fitted?

# %% [markdown] lang="zh" of="69731712"
# 拿四种峰值的记录来核对：
#
# - H200 上自己写的训练循环（朴素循环），76 种设置各测几步：0.5B、1.5B、7B，五种方法；
# - 同一块卡上用 TRL 的 `SFTTrainer` 训练 8 次，照 T4 的配法：float16，适配器 float32，1.5B 和 7B；
# - **模拟**：运行真正的模型代码，但张量只有大小、没有数据；
# - CPU 上的真实训练，0.1B 和 0.5B 的模型：进程的内存涨了多少。算子自己临时用的也算在内。
#
# 图中的点若在零以下，就是公式算*少*了。黑色三角还是 `SFTTrainer` 的那 8 次，只是从加载好的模型算起。
#
# **先猜一猜**：一个没有照着数据凑过的公式，会差多少？

# %%
from helpers.lessons import peaks

held = peaks.recorded()
fig, ax = style.figure(width=8.0, height=4.2)
for (source, pairs), colour, mark in zip(held.items(), style.LINES, style.MARKERS, strict=False):
    measured = [pair.measured / 1e9 for pair in pairs]
    off = [100 * pair.error for pair in pairs]
    look = {"color": colour, "marker": mark, "linestyle": "", "alpha": 0.7}
    ax.plot(measured, off, label=peaks.SOURCES[source], **look)
ax.set_xscale("log")
ax.set_xlabel("measured peak, GB ｜ 实测峰值，GB")
ax.set_ylabel("formula minus measured, %\n公式减实测，%")
fig.legend(loc="outside lower center", ncols=2)
found = {source: peaks.errors(pairs) for source, pairs in held.items()}
en = "; ".join(
    f"{peaks.SOURCES[s].split(' ｜ ')[0]} {m:.1f} %, {w:.1f}" for s, (m, w) in found.items()
)
zh = "；".join(
    f"{peaks.SOURCES[s].split(' ｜ ')[1]} {m:.1f} %、{w:.1f}" for s, (m, w) in found.items()
)
style.describe(
    fig,
    f"Error of the formula against the measured peak, from below 1 GB to over 100. Mean and worst: "
    f"{en} ｜ 公式的误差随实测峰值的分布，从不到 1 GB 到 100 GB 以上。平均和最大：{zh}",
)

# %%
table(
    ["recorded peaks ｜ 峰值记录", "n", "mean error ｜ 平均误差", "worst ｜ 最大"],
    [
        [peaks.SOURCES[s], len(held[s]), f"{mean:.2f} %", f"{worst:.1f} %"]
        for s, (mean, worst) in found.items()
    ],
)

# %%
claims.table(
    {f"qlora_memory_{source}": mean for source, (mean, _) in found.items()}
    | {"qlora_memory_worst": max(worst for _, worst in found.values())}
)

# %% [markdown] lang="en"
# So a step's memory is no mystery: it is a sum of tensors whose sizes you know. One gap is left. Under `SFTTrainer` the 7B model took 0.5 GB more than its tensors as soon as it was loaded, before any step, and we do not know why. The third row counts from the loaded model on.
#
# Two things the formula does not know: what the allocator holds and cannot use, and what other programs on the card take. And it was held against Qwen's and Llama's kind of model alone.

# %% [markdown] lang="zh" of="dd57302b"
# 可见一步训练要多少内存，一点也不神秘：它是一个个张量的和，而它们的大小你都知道。还有一处对不上：用 `SFTTrainer` 时，7B 的模型刚加载好、一步还没走，就比它的张量多占 0.5 GB，原因我们不知道。第三行是从加载好的模型算起。
#
# 公式不知道的有两样：分配器占住却用不上的，以及卡上别的程序占的。另外，它只在 Qwen、Llama 这一类模型上核对过。

# %% [markdown]
# ### Two sentences of the notes ｜ 讲义里的两句话

# %% [markdown] lang="en"
# The notes say that training 7B in full takes over 100 GB, and that QLoRA brings 70B onto one card of 48 GB. We ask the formula. (The paper had a 65B model on a card of 48 GB.)

# %% [markdown] lang="zh" of="f34402f7"
# 讲义说，7B 全参数微调要 100 GB 以上；还说，用 QLoRA，一块 48 GB 的卡就能训练 70B。问问公式。（论文里是 65B 的模型，48 GB 的卡。）

# %%
asked = {
    "7B, all weights, mixed ｜ 7B，全参数，混合精度": ("Qwen2.5-7B", "full_mixed"),
    "7B, all weights, 16 bits ｜ 7B，全参数，16 位": ("Qwen2.5-7B", "full_bf16"),
    "65B, QLoRA": ("LLaMA-65B", "qlora"),
    "70B, QLoRA": ("Llama-3.3-70B", "qlora"),
    "70B, QLoRA, prepared ｜ 70B，QLoRA，prepare 之后": ("Llama-3.3-70B", "qlora_prepared"),
}
big = ("L40S (48 GB)", "RTX A6000 (48 GB)", "A100, H100 (80 GB)")
rows = []
for name, (model, method) in asked.items():
    for length in (512, 2048):
        setting = Setting(method, length=length)
        most = peak(MODELS[model], setting).bytes
        on = [VERDICTS[fit(MODELS[model], setting, card)[0]] for card in big]
        rows.append([name, f"1 × {length:,}", f"{most / 1e9:.1f} GB, {most / GIB:.1f} GiB", *on])
claims.measure("qlora_7b_full", peak(seven, Setting("full_mixed")).bytes / 1e9)
claims.measure("qlora_70b", peak(MODELS["Llama-3.3-70B"], Setting("qlora")).bytes / GIB)
prepared = Setting("qlora_prepared", length=2048)
claims.measure("qlora_70b_prepared", peak(MODELS["Llama-3.3-70B"], prepared).bytes / GIB)
table(["", "rows × tokens ｜ 行 × 词元", "peak ｜ 峰值", *big], rows)

# %% [markdown] lang="en"
# **7B in full**: yes in mixed precision. With everything in 16 bits it is half of that, but then small updates are rounded away.
#
# **70B on 48 GB**: just. It depends on which card: PyTorch can use 47.5 GiB of an A6000 and 44.4 of an L40S. And the model must not be *prepared*: `prepare_model_for_kbit_training`, which older tutorials call, turns both tables of the vocabulary and the norms to float32, and with them the numbers that flow between the layers. With rows of 2,048 tokens that no longer fits either card.

# %% [markdown] lang="zh" of="21efedb2"
# **7B 全参数微调**：混合精度下确实如此。全用 16 位，只要一半，但微小的更新会被舍掉。
#
# **48 GB 上的 70B**：勉强。还得看是哪块卡：PyTorch 能用的，A6000 有 47.5 GiB，L40S 有 44.4。而且模型不能经过 *prepare*：旧教程会调用的 `prepare_model_for_kbit_training`，把词表的两张表和归一化都转成 float32，层与层之间传递的数也跟着变成 float32。这样一来，2,048 个词元的行，两块卡就都放不下了。

# %% [markdown] lang="en"
# **Exercise 2** (easy, 10 minutes). Write `step_gigabytes(frozen, trained, frozen_bytes)`: the GB ($10^9$ bytes) that weights, gradients and AdamW's averages take. `frozen` weights take `frozen_bytes` each. `trained` weights are in float32, and so is all that belongs to them. Activations and logits are left out.
#
# Then compare: all of 7B trained, `step_gigabytes(0, 7_615_616_512, 0)`; LoRA, `step_gigabytes(7_615_616_512, 40_370_176, 2)`.

# %% [markdown] lang="zh" of="04007a87"
# **练习 2**（容易，10 分钟）。写出 `step_gigabytes(frozen, trained, frozen_bytes)`：权重、梯度和 AdamW 的平均值一共占多少 GB（$10^9$ 字节）。`frozen` 个冻结的权重各占 `frozen_bytes` 字节；`trained` 个要训练的权重用 float32，属于它们的其他东西也都用 float32。激活值和 logits 不算。
#
# 然后比一比：7B 全部训练，`step_gigabytes(0, 7_615_616_512, 0)`；LoRA，`step_gigabytes(7_615_616_512, 40_370_176, 2)`。


# %% tags=["exercise"]
def step_gigabytes(frozen, trained, frozen_bytes):
    """Return the GB of weights, gradients and AdamW's averages."""
    ...


# %% tags=["check"]
nb05.step_gigabytes(step_gigabytes)

# %% [markdown] tags=["solution"]
# <details><summary>Solution ｜ 参考答案</summary>
#
# ```python
# def step_gigabytes(frozen, trained, frozen_bytes):
#     """Return the GB of weights, gradients and AdamW's averages."""
#     each = 4 + 4 + 2 * 4  # the weight, its gradient, two averages
#     return (frozen * frozen_bytes + trained * each) / 1e9
# ```
#
# </details>
#
# 121.8 GB and 15.9 GB. ｜ 121.8 GB 和 15.9 GB。

# %% [markdown] lang="en"
# **Exercise 3** (medium, 10 minutes). These settings of a colleague run out of memory on a T4, by far: Qwen2.5-7B, LoRA, 16 rows of 2,048 tokens at once, no checkpointing. Her longest row has 1,000 tokens, and each step is to have 16 rows. Write `turned = Setting(...)`, so that the verdict on a T4 is *fits*. `Setting` takes `method` (here `"lora"` or `"qlora"`), `batch`, `length`, `checkpointing`. The batch must divide 16, since the rest is accumulated; of all that fit, take the largest.
#
# `Setting` assumes `logits="tiles"`, TRL's way; the figure above began with `all`. Ask `fit(MODELS["Qwen2.5-7B"], turned, "T4")[0]` for the verdict: `fits`, `tight` or `no`.

# %% [markdown] lang="zh" of="db0e8224"
# **练习 3**（中等，10 分钟）。同事的这组设置，在 T4 上远远放不下：Qwen2.5-7B，LoRA，一次 16 行，每行 2,048 个词元，不开检查点。她最长的一行有 1,000 个词元，每步要用 16 行。请写出 `turned = Setting(...)`，让它在 T4 上的结论是*放得下*。`Setting` 的参数：`method`（这里是 `"lora"` 或 `"qlora"`）、`batch`、`length`、`checkpointing`。批要能整除 16，不足的靠累积；放得下的设置里，取批最大的。
#
# `Setting` 默认 `logits="tiles"`，即 TRL 的做法；上面那张图是从 `all` 开始的。用 `fit(MODELS["Qwen2.5-7B"], turned, "T4")[0]` 查看结论：`fits`（放得下）、`tight`（很紧）或 `no`（放不下）。

# %% tags=["exercise"]
turned = ...

# %% tags=["check"]
nb05.turned(turned)

# %% [markdown] tags=["solution"]
# <details><summary>Solution ｜ 参考答案</summary>
#
# ```python
# from helpers.model.setting import Setting
#
# turned = Setting("qlora", batch=8, length=1024, checkpointing=True)
# ```
#
# </details>
#
# Checkpointing alone brings the most, then the length. LoRA's 16-bit weights alone are as large as the card. ｜ 单看一项，检查点省得最多，其次是长度。LoRA 光是 16 位的权重就和这块卡一样大。

# %% [markdown]
# ## 6. The T4, exactly ｜ T4 上怎么配

# %% [markdown] lang="en"
# The T4 is the free GPU of Colab and Kaggle. It is from 2018 and differs from newer cards in three ways: it computes fast in **float16**, not in bfloat16; it has no FlashAttention 2; and it has 15 GB. (Both types have 16 bits. float16 is finer but has a small range: tiny numbers become zero. bfloat16 has float32's range and is coarser.) Most recipes on the web are for newer cards, and fail on it or crawl.
#
# The cells below set up such a run on *your* machine: everything but the card. No T4 was at hand when this was written. The error texts come from the libraries' source, from public threads, and from an H200 with the same code.

# %% [markdown] lang="zh" of="3956f2c6"
# T4 是 Colab 和 Kaggle 免费提供的 GPU。它是 2018 年的卡，与新卡有三处不同：算得快的是 **float16**，不是 bfloat16；没有 FlashAttention 2；显存只有 15 GB。（两种类型都是 16 位。float16 更细，但范围小，很小的数会变成零；bfloat16 范围和 float32 一样大，但更粗。）网上的配方大多是给新卡写的，拿到 T4 上，不是报错，就是奇慢。
#
# 下面几格就在*你的*机器上搭起这样一次训练，除了那块卡，什么都有。写作时手头没有 T4：错误信息取自各个库的源码、公开的讨论，以及一块用 float16 跑同样代码的 H200。

# %% [markdown] lang="en"
# **Step 1: choose the data type by the compute capability**, NVIDIA's version number for a card's abilities. Do not ask `torch.cuda.is_bf16_supported()`: its source tries whether the card can *hold* a bfloat16 number, and counts emulation. On a T4 it says `True` ([a pull request to PyTorch](https://github.com/pytorch/pytorch/pull/148322) tells why), no error comes, and training is slow.

# %% [markdown] lang="zh" of="bed27e65"
# **第一步：按计算能力选数据类型**。计算能力（compute capability）是 NVIDIA 给显卡功能编的版本号。不要问 `torch.cuda.is_bf16_supported()`：看源码，它试的是这块卡*存不存得下* bfloat16 的数，模拟出来的也算。在 T4 上它回答 `True`（原因见 [PyTorch 的一个拉取请求](https://github.com/pytorch/pytorch/pull/148322)），于是不报错，只是训练很慢。


# %%
def half_for(capability):
    """Return the 16-bit type that a card of this compute capability is fast in."""
    return torch.bfloat16 if capability >= (8, 0) else torch.float16


cards = {"T4": (7, 5), "A100": (8, 0), "L4, RTX 4090": (8, 9), "H100, H200": (9, 0)}
if torch.cuda.is_available():
    cards["yours ｜ 你的"] = torch.cuda.get_device_capability()
for card, capability in cards.items():
    print(f"{card}: {capability} → {half_for(capability)}")

# %% [markdown] lang="en"
# **Step 2: the 4-bit model in float16.** What is not quantised (embedding, norms) is loaded in float16, and the layers compute in it: `bnb_4bit_compute_dtype`. Its default is float32, in which a T4 is far slower; bitsandbytes then warns of `slow inference or training speed`. Attention is `sdpa`, PyTorch's own, which runs on any card.

# %% [markdown] lang="zh" of="76b0a4a0"
# **第二步：用 float16 的 4 比特模型**。没有量化的部分（嵌入、归一化）按 float16 加载，各层也用它来算：`bnb_4bit_compute_dtype`。它的默认值是 float32，在 T4 上慢得多；bitsandbytes 会警告 `slow inference or training speed`。注意力用 `sdpa`，PyTorch 自带的，什么卡都能跑。

# %%
half = half_for(cards["T4"])
for_t4 = BitsAndBytesConfig(
    load_in_4bit=True,
    bnb_4bit_quant_type="nf4",
    bnb_4bit_use_double_quant=True,
    bnb_4bit_compute_dtype=half,
)
on_t4 = four_bit_model(for_t4, dtype="float16")
layer = on_t4.model.layers[0].mlp.up_proj
say(
    f"stored as {layer.weight.dtype}, two codes a byte; computes in {layer.compute_dtype}; "
    f"embedding {on_t4.get_input_embeddings().weight.dtype}; {on_t4.config._attn_implementation}",
    f"存储 {layer.weight.dtype}（每字节两个编号），计算 {layer.compute_dtype}，"
    f"嵌入 {on_t4.get_input_embeddings().weight.dtype}，注意力 {on_t4.config._attn_implementation}",
)

# %% [markdown] lang="en"
# **Step 3: adapters in float32.** In float16 small gradients become zero. So the loss is multiplied by a large number first, and the gradients are divided by it before the step: PyTorch's `GradScaler` does this under `fp16=True`. On a GPU it can divide gradients in float32 alone. But section 3 showed that TRL turns the adapters of a 4-bit model to bfloat16. So on a GPU the first step fails, unless we turn them to float32.
#
# We take a step with the adapters in each of the three types. **Predict first**: which of them fail on your machine?

# %% [markdown] lang="zh" of="08389179"
# **第三步：适配器用 float32**。用 float16 时，小的梯度会变成零。所以先把损失乘上一个大数，走步之前再把梯度除回来：`fp16=True` 时，由 PyTorch 的 `GradScaler` 来做，而它在 GPU 上只会除 float32 的梯度。可是第 3 节已经看到，模型若是 4 比特的，TRL 会把适配器转成 bfloat16。所以在 GPU 上第一步就会失败，除非我们把它转成 float32。
#
# 我们把适配器依次设成三种类型，各走一步。**先猜一猜**：在你的机器上，哪几种会失败？


# %%
def scaled_step(model, batch):
    """Take one step as under fp16=True; return the loss."""
    weights = [p for p in model.train().parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(weights, lr=0.01)
    scaler = torch.amp.GradScaler(setup.device, init_scale=1024.0)
    with torch.autocast(setup.device, dtype=torch.float16):
        loss = model(**batch).loss
    scaler.scale(loss).backward()  # gradients 1,024 times as large
    scaler.unscale_(optimizer)  # divided again: the line that fails
    torch.nn.utils.clip_grad_norm_(weights, 1.0)
    scaler.step(optimizer)
    return loss.item()


# %%
on_t4 = get_peft_model(on_t4, lora)
short = sorted(notices, key=lambda row: len(str(row["messages"])))[:2]
made = [tuple(map(list, encode(tokenizer, row["messages"]))) for row in short]
ids, target = next(batches(made, 2, tokenizer.pad_token_id, torch.Generator()))
batch = {"input_ids": ids.to(setup.device), "labels": target.to(setup.device)}
for kind in (torch.bfloat16, torch.float16, torch.float32):
    for weight in on_t4.parameters():
        if weight.requires_grad:
            weight.data, weight.grad = weight.data.to(kind), None
    try:
        print(f"{kind}: loss {scaled_step(on_t4, batch):.3f}")
    except (NotImplementedError, RuntimeError, ValueError) as error:
        print(f"{kind}: {type(error).__name__}: {error}")

# %% [markdown] lang="en"
# float16 fails everywhere, with the error that comes when somebody calls `model.half()` on a model with adapters. bfloat16 fails on a GPU alone; a CPU has that kernel. The H200's message was `NotImplementedError: "_amp_foreach_non_finite_check_and_unscale_cuda" not implemented for 'BFloat16'`. float32 works. These lines, between making the trainer and `trainer.train()`, are the whole mend, and `trainer_for` in section 3 has them:
#
# ```python
# for weight in trainer.model.parameters():
#     if weight.requires_grad:
#         weight.data = weight.data.float()
# ```
#
# LoRA on plain float16 weights needs no such mend: there PEFT makes the adapters in float32, and TRL leaves them so.

# %% [markdown] lang="zh" of="26e3028b"
# float16 到哪里都失败，这就是有人对带适配器的模型调用 `model.half()` 时报的错。bfloat16 只在 GPU 上失败，CPU 有这个算子；H200 上的报错是 `NotImplementedError: "_amp_foreach_non_finite_check_and_unscale_cuda" not implemented for 'BFloat16'`。float32 可以。要修，就是建好训练器之后、`trainer.train()` 之前加下面几行，第 3 节的 `trainer_for` 里就有：
#
# ```python
# for weight in trainer.model.parameters():
#     if weight.requires_grad:
#         weight.data = weight.data.float()
# ```
#
# 普通 float16 权重上的 LoRA 不用这样修：那里 PEFT 建的适配器就是 float32，TRL 也不去动它。

# %% [markdown] lang="en"
# **What people see, and what mends it.** Search this table for your message:
#
# | message or symptom | cause | mend |
# |---|---|---|
# | `"_amp_foreach_non_finite_check_and_unscale_cuda" not implemented for 'BFloat16'` ([trl#4901](https://github.com/huggingface/trl/issues/4901)) | adapters in bfloat16 under `fp16=True` | step 3 |
# | `Attempting to unscale FP16 gradients.` ([peft#341](https://github.com/huggingface/peft/issues/341)) | trained weights in float16 | step 3; never `model.half()` |
# | no message, very slow | bfloat16 emulated, or `bnb_4bit_compute_dtype` left at float32 | steps 1 and 2 |
# | `FlashAttention only supports Ampere GPUs or newer.` ([flash-attention#762](https://github.com/Dao-AILab/flash-attention/issues/762)) | `attn_implementation="flash_attention_2"` | `"sdpa"` |
# | `Your setup doesn't support bf16/gpu.` | `SFTConfig()` means bf16, and no GPU is seen | a GPU runtime; on a CPU `bf16=False`, `use_cpu=True` |
# | `You cannot perform fine-tuning on purely quantized models.` | no adapter | section 3 |
# | `Found an incompatible version of torchao.` | Colab's torchao is too old for PEFT | uninstall it; the set-up cell does |
# | `CUDA out of memory.` | too much at once | section 5 says what to turn first |

# %% [markdown] lang="zh" of="c37cceb6"
# **看到什么，怎么修**。拿你的报错到这张表里找：
#
# | 报错或现象 | 原因 | 改法 |
# |---|---|---|
# | `"_amp_foreach_non_finite_check_and_unscale_cuda" not implemented for 'BFloat16'`（[trl#4901](https://github.com/huggingface/trl/issues/4901)） | `fp16=True`，适配器却是 bfloat16 | 第三步 |
# | `Attempting to unscale FP16 gradients.`（[peft#341](https://github.com/huggingface/peft/issues/341)） | 训练的权重是 float16 | 第三步；绝不要 `model.half()` |
# | 不报错，但很慢 | bfloat16 靠模拟，或者 `bnb_4bit_compute_dtype` 没改，还是 float32 | 第一、二步 |
# | `FlashAttention only supports Ampere GPUs or newer.`（[flash-attention#762](https://github.com/Dao-AILab/flash-attention/issues/762)） | `attn_implementation="flash_attention_2"` | 改为 `"sdpa"` |
# | `Your setup doesn't support bf16/gpu.` | `SFTConfig()` 默认 bf16，却没看到 GPU | 换 GPU 运行时；在 CPU 上设 `bf16=False`、`use_cpu=True` |
# | `You cannot perform fine-tuning on purely quantized models.` | 没有加适配器 | 第 3 节 |
# | `Found an incompatible version of torchao.` | Colab 的 torchao 太旧，PEFT 不认 | 卸载它；准备单元格会做 |
# | `CUDA out of memory.` | 一次放得太多 | 先调什么，见第 5 节 |

# %% [markdown] lang="en"
# Two more traps. Kaggle offers two T4s, and TRL refuses to run in one process that sees both: set `CUDA_VISIBLE_DEVICES=0` before torch is imported (the set-up cell does). And `prepare_model_for_kbit_training`, which older tutorials call before adding the adapter, turns embedding, head and norms to float32. TRL needs no such call, and section 5 shows what it costs.
#
# With these three steps a T4 has room for QLoRA of 7B: on the H200, the same code in float16 peaked at 6.6 GiB (one row of 512 tokens) and 7.8 GiB (four rows of 1,024, with a paged 8-bit AdamW; the ordinary one takes about 0.3 more); a T4 has 14.56 (`data/sweeps/memory_gpu.jsonl`). On a T4 itself it has not been run.

# %% [markdown] lang="zh" of="ae0bee4b"
# 还有两个坑。Kaggle 给两块 T4，而一个进程同时看到两块，TRL 就不肯运行：要在导入 torch 之前设 `CUDA_VISIBLE_DEVICES=0`（准备单元格会做）。还有 `prepare_model_for_kbit_training`：旧教程在加适配器之前会调用它，它把嵌入、输出层和归一化都转成 float32。TRL 用不着调用它；代价有多大，见第 5 节。
#
# 做完这三步，T4 上就放得下 7B 的 QLoRA：同样的代码用 float16 在 H200 上跑，峰值是 6.6 GiB（一行 512 个词元）和 7.8 GiB（四行各 1,024 个词元，用的是分页的 8 位 AdamW；普通的约多 0.3），而 T4 有 14.56 GiB（`data/sweeps/memory_gpu.jsonl`）。在 T4 上没有跑过。

# %% [markdown] lang="en"
# **Exercise 4** (medium, 10 minutes). A friend brings these settings for QLoRA on a T4, copied from a recipe for an A100:
#
# ```python
# settings = {
#     "bf16": True,
#     "fp16": False,
#     "attention": "flash_attention_2",
#     "quant_type": "fp4",
#     "compute": "float32",
#     "adapters": "bfloat16",
# }
# ```
#
# Write `settings_for(capability)`: it returns such a dictionary as it should be, for a T4, `(7, 5)`, and also for newer cards, such as `(8, 0)` or `(9, 0)`. Attention is to be the one that runs everywhere. On newer cards leave the adapters as TRL makes them. The check names what is still wrong.

# %% [markdown] lang="zh" of="edd519a6"
# **练习 4**（中等，10 分钟）。朋友要在 T4 上跑 QLoRA，拿来这样一份设置，是从 A100 的配方里抄来的：
#
# ```python
# settings = {
#     "bf16": True,
#     "fp16": False,
#     "attention": "flash_attention_2",
#     "quant_type": "fp4",
#     "compute": "float32",
#     "adapters": "bfloat16",
# }
# ```
#
# 请写出 `settings_for(capability)`：返回这样一个字典，但内容要正确；T4 是 `(7, 5)`，新一些的卡，例如 `(8, 0)`、`(9, 0)`，也要对。注意力选到哪里都能跑的那种；在新卡上，适配器保持 TRL 给的类型。检查时会指出还有哪里不对。


# %% tags=["exercise"]
def settings_for(capability):
    """Return the settings of a QLoRA run for a card of this compute capability."""
    ...


# %% tags=["check"]
nb05.settings_for(settings_for)

# %% [markdown] tags=["solution"]
# <details><summary>Solution ｜ 参考答案</summary>
#
# ```python
# def settings_for(capability):
#     """Return the settings of a QLoRA run for a card of this compute capability."""
#     new = capability >= (8, 0)
#     return {
#         "bf16": new,
#         "fp16": not new,
#         "attention": "sdpa",
#         "quant_type": "nf4",
#         "compute": "bfloat16" if new else "float16",
#         "adapters": "bfloat16" if new else "float32",
#     }
# ```
#
# </details>

# %% [markdown]
# ## 7. A GGUF file: read it, and train from it ｜ GGUF 文件：读懂它，从它开始训练

# %% [markdown] lang="en"
# Most models on laptops come as **GGUF** files: llama.cpp, Ollama and LM Studio read them. One file holds all: sizes, tokenizer, chat template, and the weights, mostly quantised. Sooner or later somebody has such a file and wants to fine-tune it.
#
# Let us look inside. We write Xiaoxi into GGUF in three formats and read one back. (In this section it is Xiaoxi under every profile.) `F16` has 16 bits for each weight. `Q8_0` and `Q4_0` have blocks of 32 weights with one constant each, and equal steps, like `int8` and `int4` in section 2.

# %% [markdown] lang="zh" of="9a6d08df"
# 笔记本电脑上的模型，大多是 **GGUF** 文件，llama.cpp、Ollama、LM Studio 都读它。一个文件里什么都有：各种尺寸、分词器、对话模板，还有权重，多半是量化过的。迟早有人手里只有这样一个文件，却想微调它。
#
# 打开来看看。我们把小溪写成三种格式的 GGUF，再读回一个。（这一节不管什么档位，用的都是小溪。）`F16` 每个权重 16 比特；`Q8_0` 和 `Q4_0` 每 32 个权重一块，各有一个常数，取值等距，和第 2 节的 `int8`、`int4` 相似。

# %%
from gguf import GGUFReader
from gguf.quants import dequantize

from helpers.model.export import write_gguf

xiaoxi, shelf = resolve("tiny"), root() / "build" / "gguf"
plain, words = load(xiaoxi)
files = {
    kind: write_gguf(plain, words, shelf / f"xiaoxi-{kind}.gguf", kind)
    for kind in ("F16", "Q8_0", "Q4_0")
}
reader = GGUFReader(files["Q4_0"])
for key in ("general.architecture", "qwen2.block_count", "qwen2.embedding_length"):
    print(f"{key}: {reader.fields[key].contents()}")
print(f"tokenizer.ggml.tokens: {len(reader.fields['tokenizer.ggml.tokens'].contents()):,}")
rows = [
    [t.name, " × ".join(map(str, t.shape[::-1])), t.tensor_type.name, f"{t.n_bytes:,}"]
    for t in reader.tensors[:5]
]
table(["tensor ｜ 张量", "shape ｜ 形状", "format ｜ 格式", "bytes ｜ 字节"], rows)

# %% [markdown] lang="en"
# **One block, byte by byte.** A block of `Q4_0` has 18 bytes for its 32 weights: 4.5 bits each. The first two bytes are the constant, a float16. Sixteen bytes with two codes each follow: the *lower* halves hold weights 0 to 15, the *upper* ones 16 to 31. A weight is constant × (code − 8).

# %% [markdown] lang="zh" of="721f0cd2"
# **一块，逐字节看**。`Q4_0` 的一块有 18 个字节，装 32 个权重，每个 4.5 比特。头两个字节是常数，一个 float16。后面十六个字节，每个装两个编号：*低*半字节依次是第 0 到 15 个权重，*高*半字节是第 16 到 31 个。权重 = 常数 ×（编号 − 8）。

# %%
import numpy as np

stored = next(t for t in reader.tensors if t.name == "blk.0.ffn_up.weight")
raw = stored.data.reshape(-1, 18)  # (blocks, bytes)
scale = np.ascontiguousarray(raw[:, :2]).view(np.float16).astype(np.float32)  # (blocks, 1)
codes = np.concatenate([raw[:, 2:] & 15, raw[:, 2:] >> 4], axis=1)  # (blocks, 32)
numbers = scale * (codes.astype(np.float32) - 8)
print(f"first block ｜ 第一块: {raw[0].tobytes().hex(' ')}")
print(f"constant ｜ 常数: {scale[0, 0]:.5f}")
print(f"codes ｜ 编号: {codes[0]}")
known = dequantize(stored.data, stored.tensor_type).reshape(-1, 32)
claim("qlora_gguf_block", np.abs(numbers - known).max())

# %% [markdown] lang="en"
# **Why is it not trained directly?** For the reason of section 3: a code cannot move by a small step. One could freeze the blocks and put an adapter beside them, as QLoRA does with NF4. But that takes a layer that computes with these blocks forward and backward, and transformers, PEFT and TRL have none for GGUF. There are two ways out:
#
# 1. **Fetch the original.** The model card of a GGUF names the model that it was made from. Train that, and convert the result (notebook 09). This is the right way wherever it is open.
# 2. **Dequantise**: turn the codes back into floats once, and train those. What was rounded away stays away.

# %% [markdown] lang="zh" of="df37fa75"
# **为什么不直接训练它**？理由和第 3 节一样：编号没法只挪一小步。也可以像 QLoRA 对 NF4 那样，把这些块冻住，在旁边加适配器；但那需要一种能用这些块做前向和反向计算的层，而 transformers、PEFT、TRL 都没有给 GGUF 做这样的层。出路有两条：
#
# 1. **取来原版**。GGUF 的模型卡会写明它是由哪个模型转来的。训练那个模型，再把结果转过来（notebook 09）。只要走得通，就该走这条路。
# 2. **反量化**：把编号一次性还原成浮点数，训练它们。舍掉的就找不回来了。

# %% [markdown] lang="en"
# The second way is one line: `MODEL = "folder/file.gguf"` in any notebook of this course. transformers reads the file (`gguf_file=…`), and `helpers/model/gguf.py` keeps a folder in float32. **Predict first**: what does each format cost before any training?

# %% [markdown] lang="zh" of="2f9ff4f3"
# 第二条路只要一行：在本课程任何一个 notebook 里写 `MODEL = "folder/file.gguf"`。transformers 读这个文件（`gguf_file=…`），`helpers/model/gguf.py` 把它转成 float32，存进一个文件夹。**先猜一猜**：还没训练时，各种格式的代价有多大？

# %%
from helpers.model.gguf import dequantised

chinese_or_english = [row for row in opened if row["lang"] in xiaoxi.langs][: size.loss_rows]


def losses_of(model):
    """Return the mean loss of each answer, in nats per token."""
    return [loss / n for loss, n in answer_losses(model, words, chinese_or_english)]


exact_start = losses_of(plain)
rows = []
for kind, file in files.items():
    start, _ = load(xiaoxi._replace(model=str(dequantised(file))))
    change = bootstrap_difference(exact_start, losses_of(start), unit="nats")
    tensors = GGUFReader(file).tensors
    bits = 8 * sum(t.n_bytes for t in tensors) / sum(t.n_elements for t in tensors)
    rows.append([kind, f"{file.stat().st_size / 1e6:.2f} MB", f"{bits:.2f}", change])
heads = ["", "file ｜ 文件", "bits a weight ｜ 每个权重的比特"]
table([*heads, "loss before training, minus float32's ｜ 训练前的损失减 float32 的"], rows)

# %% [markdown] lang="en"
# Half precision and 8 bits change next to nothing. 4 bits cost something; unlike in section 2, the embedding is rounded here as well. Does training make up for it? Recorded runs of Xiaoxi say more than one here could: LoRA from each of the three files, 320 notices twice over, five seeds. `F16` is the control, since Xiaoxi's weights are published in float16 and nothing is rounded. The bars are means, a dot is one run.

# %% [markdown] lang="zh" of="321c4b68"
# 半精度和 8 比特几乎什么都没改变；4 比特有一点代价，而且和第 2 节不同，这里连嵌入也舍入了。训练能不能补回来？小溪的训练记录比这里跑一次更能说明问题：从这三个文件出发，各用 LoRA 训练，320 份通知书练两遍，五个种子。`F16` 是对照：小溪公开的权重本来就是 float16，什么也没舍掉。条形是平均，一个点是一次训练。

# %%
runs_from = [run | {"start": run["method"].partition("@")[2]} for run in sweeps.read("start")]
runs_from.sort(key=lambda run: run["seed"])
all_right = {kind: [run["all"] for run in runs_from if run["start"] == kind] for kind in files}
for kind in ("Q8_0", "Q4_0"):
    each = [100 * (b - a) for a, b in zip(all_right["F16"], all_right[kind], strict=True)]
    by_seed = ", ".join(f"{d:+.0f}" for d in each)
    say(
        f"{kind} minus F16, all right, by seed: {by_seed} points",
        f"{kind} 减 F16，全对，逐个种子：{by_seed} 个百分点",
    )
claim("qlora_gguf_q4", sum(each) / len(each))
means = {start: 100 * sum(values) / len(values) for start, values in all_right.items()}
said = ", ".join(f"{start} {mean:.0f} %" for start, mean in means.items())
plots.panels(
    runs_from,
    "start",
    {start: start for start in all_right},
    {name: sweeps.NAMES[name] for name in ("form", "all", "forgetting")},
    "LoRA from three files ｜ 从三种文件出发的 LoRA",
    alt=f"Three panels of bars with a dot for each run; all right: {said} ｜ "
    f"三幅条形图，每个点是一次训练；全对：{said}",
)

# %% [markdown] lang="en"
# Look at the numbers by seed. 8 bits made next to no difference. From `Q4_0` four seeds of five had fewer notices all right, 9 points in the mean; the interval of that mean holds zero. And a repeat can differ as much: the same LoRA with seed 0, recorded on another machine (`fair.jsonl`), had 42 % where `F16` has 63 %. They also forgot more, counted from the unrounded model. Whether training makes up for 4 bits is open.
#
# The real model of this course, SmolLM2-135M, started so as well: the Python package that it comes in holds a `Q4_1` file, and every recorded run of `small` began with its dequantised weights. What the same training would have made of the original weights, we have not measured.

# %% [markdown] lang="zh" of="ad323988"
# 看看各个种子的数。8 比特几乎没有差别。从 `Q4_0` 出发，五个种子里有四个全对的通知书变少，平均少 9 个百分点，但这个平均值的区间含零。重跑一次也能差这么多：种子 0 的同样 LoRA 训练，在另一台机器上的记录（`fair.jsonl`）是 42 %，这里的 `F16` 却是 63 %。忘得也更多，是从没舍入的模型算起的。训练能不能补回 4 比特的损失，没有定论。
#
# 本课程的真实模型 SmolLM2-135M 也是这样来的：它所在的 Python 包里是一个 `Q4_1` 文件，`small` 的全部训练记录都是从它反量化的权重开始的。换成原版权重，同样的训练会是什么结果，我们没有测过。

# %% [markdown] lang="en"
# **Exercise 5** (medium, 10 minutes). Below are 20 bytes: the first block of the first attention layer (`blk.0.attn_q.weight`) in SmolLM2's file, in the format `Q4_1`. It differs from `Q4_0` in two things. After the constant stands a second float16, the **minimum**. And a weight is constant × code + minimum, so that the 16 levels need not lie around zero. The order of the codes is the same.
#
# Write `decode(block)`: it gets such bytes and returns the 32 weights. Hint: `np.frombuffer(block[:4], dtype="<f2")` reads two float16 numbers (`<`: the low byte first), `dtype="uint8"` reads bytes.

# %% [markdown] lang="zh" of="f389ec4a"
# **练习 5**（中等，10 分钟）。下面 20 个字节，是 SmolLM2 的文件里第一个注意力层（`blk.0.attn_q.weight`）的第一块，格式是 `Q4_1`。它与 `Q4_0` 有两处不同：常数之后还有一个 float16，叫**最小值**；权重 = 常数 × 编号 + 最小值，这样十六个取值不必围着零。编号的次序不变。
#
# 写出 `decode(block)`：给它这样一串字节，返回 32 个权重。提示：`np.frombuffer(block[:4], dtype="<f2")` 读出两个 float16（`<` 表示低位字节在前），`dtype="uint8"` 读出字节。

# %%
BLOCK = bytes.fromhex("0f 30 d8 b9 45 87 65 40 6f 65 16 4b 67 76 64 50 22 67 65 5a")


# %% tags=["exercise"]
def decode(block):
    """Return the 32 weights of a Q4_1 block of 20 bytes."""
    ...


# %% tags=["check"]
nb05.decode(decode)

# %% [markdown] tags=["solution"]
# <details><summary>Solution ｜ 参考答案</summary>
#
# ```python
# def decode(block):
#     """Return the 32 weights of a Q4_1 block of 20 bytes."""
#     import numpy as np
#
#     constant, minimum = np.frombuffer(block[:4], dtype="<f2").astype("float32")
#     pairs = np.frombuffer(block[4:], dtype="uint8")
#     codes = np.concatenate([pairs & 15, pairs >> 4])
#     return constant * codes + minimum
# ```
#
# </details>

# %% [markdown]
# ## 8. The road of the notes, on Colab ｜ 讲义里的 Colab 全程

# %% [markdown] lang="en"
# The notes lay out a road for those without a GPU: open Colab, upload `train.jsonl` and `eval.jsonl`, train, download the adapter. Here it is from end to end. Upload and download were not run on Colab when this was written; all other steps run on your laptop as well. On Colab choose *Runtime → Change runtime type → T4 GPU* first.
#
# **1. Upload.** With `UPLOAD = True` at the top, Colab asks for your two files. Otherwise we write two from our own data. A row may look like `{"messages": [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]}`; notebook 03 names the other kinds. `training_set` checks each line and names the bad ones.

# %% [markdown] lang="zh" of="3ce71fb3"
# 没有 GPU 的人，讲义给了一条路：打开 Colab，上传 `train.jsonl` 和 `eval.jsonl`，训练，下载适配器。这里把它从头走到尾。写作时，上传和下载没有在 Colab 上跑过；其余各步在你的电脑上也能运行。在 Colab 上，先选 *Runtime → Change runtime type → T4 GPU*。
#
# **1. 上传**。顶部设 `UPLOAD = True`，Colab 就会让你选这两个文件；否则用我们的数据现写两个。一行可以是 `{"messages": [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]}`，其他种类见 notebook 03。`training_set` 会逐行检查，指出有问题的行。

# %%
place = root() / "build" / "road"
place.mkdir(parents=True, exist_ok=True)
files_here = {name: place / f"{name}.jsonl" for name in ("train", "eval")}
if UPLOAD and platforms.platform_name() == "colab":
    from google.colab import files

    for name, content in files.upload().items():  # a click on the button that appears
        stem = "eval" if "eval" in name else "train"
        files_here[stem].write_bytes(content)
else:
    brief = select(notices, context=False)[: size.road_rows]  # short rows, quickly trained
    ours = {"train": brief, "eval": select(unseen, context=False)[: size.road_test]}
    for name, rows in ours.items():
        write_jsonl(files_here[name], [{"messages": row["messages"]} for row in rows])
road = {}
for name, path in files_here.items():
    road[name], report = training_set(path, tokenizer)
    print(f"--- {path.name}\n{report}")

# %% [markdown] lang="en"
# **2. Train, and watch.** The recipe is that of section 3, one short run on your rows. `eval_strategy="steps"` computes the loss on `eval.jsonl` several times. On Colab add `save_strategy="steps"` and put `output_dir` on Google Drive: a session may end at any time (notebook 04, section 7).

# %% [markdown] lang="zh" of="95512c3d"
# **2. 训练，边练边看**。配方就是第 3 节的，用你的数据短短练一次。`eval_strategy="steps"` 会在中途几次计算 `eval.jsonl` 上的损失。在 Colab 上，再加上 `save_strategy="steps"`，并把 `output_dir` 放到 Google Drive：会话随时可能断掉（notebook 04 第 7 节）。

# %%
steps = -(-len(road["train"]) // (size.at_once * size.accumulate)) * size.road_epochs
sets = {"train_dataset": road["train"], "eval_dataset": road["eval"]}
trainer = trainer_for(
    four_bit_model(),
    sets | {"processing_class": tokenizer},
    num_train_epochs=size.road_epochs,
    eval_strategy="steps",
    eval_steps=max(1, steps // 4),
    eval_on_start=True,
    logging_steps=1,
)
trainer.train()
mine = trainer.model.eval()

# %%
log = trainer.state.log_history
curves = {
    title: tuple(zip(*[(row["step"], row[key]) for row in log if key in row], strict=True))
    for key, title in {"loss": "train.jsonl", "eval_loss": "eval.jsonl"}.items()
}
ends = [curves["eval.jsonl"][1][n] for n in (0, -1)]
plots.curves(
    curves,
    "The run, watched ｜ 训练过程",
    "step ｜ 步",
    "loss (nats per token) ｜ 损失（奈特/词元）",
    alt=f"Two losses over the steps; that on eval.jsonl goes from {ends[0]:.2f} to {ends[1]:.2f} ｜ "
    f"两条损失随步数变化；eval.jsonl 上的从 {ends[0]:.2f} 到 {ends[1]:.2f}",
)

# %% [markdown] lang="en"
# **3. Compare before and after.** For any data there is one fair comparison: the loss of each answer in `eval.jsonl`, with the adapter off and on, row by row. And read some answers. A lower loss alone does not make a good answer: after so few steps it may fall by nats while the answers are still useless.

# %% [markdown] lang="zh" of="c244e992"
# **3. 训练前后比一比**。不管什么数据，都有一种公平的比法：`eval.jsonl` 里每个标准答案的损失，关掉适配器一次，开着一次，逐行比较。还要读几份回答：损失低了，不等于答得好：只练了这么几步，损失可能降了几奈特，回答却还毫无用处。

# %%
tests = list(road["eval"])
with mine.disable_adapter():
    before, said_before = loss_rows(mine, tests), answer(mine, tests[:1])[0]
after, said_after = loss_rows(mine, tests), answer(mine, tests[:1])[0]
print(f"--- before ｜ 训练前\n{said_before}\n\n--- after ｜ 训练后\n{said_after}\n")
claim("qlora_road_loss", bootstrap_difference(before, after, unit="nats"))

# %% [markdown] lang="en"
# **4. Zip and download.** The adapter is a small folder. `files.download` saves the zip to your computer, through the browser.

# %% [markdown] lang="zh" of="1d1680ac"
# **4. 打包下载**。适配器是一个小文件夹。`files.download` 通过浏览器把压缩包存到你的电脑上。

# %%
adapter = save_adapter(mine, root() / "build" / "adapters" / setup.profile / "05_road")
archive = shutil.make_archive(str(place / "adapter"), "zip", adapter)
for path in sorted(adapter.iterdir()):
    print(f"{path.name}: {path.stat().st_size / 1024:.0f} KB")
if platforms.platform_name() == "colab":
    from google.colab import files

    files.download(archive)

# %% [markdown] lang="en"
# **5. Load it again, in a fresh process.** Next week you have the zip, and a Python that knows nothing of this session. The script below is all that it needs. It loads the base in 4 bits with the *same* settings, puts the adapter on, and answers. The base is not in the zip: the adapter works with this base alone, and with these 4 bits. On another base, or on the same one unquantised, it is not quite the model that you trained (section 4).

# %% [markdown] lang="zh" of="f94a18a4"
# **5. 在新的进程里重新加载**。下个星期，你手里只有这个压缩包，和一个对这次会话一无所知的 Python。下面的脚本就是全部所需：用*同样*的设置以 4 比特加载基座，装上适配器，回答问题。压缩包里没有基座：适配器只配这个基座，也只配这样的 4 比特。换个基座，或者基座不量化，就不完全是你训练出来的那个模型了（第 4 节）。

# %%
FRESH = """
import json, shutil, sys
from helpers import platforms
platforms.prepare()
from helpers.env import resolve, threads
from helpers.model.adapters import load_adapter
from helpers.model.generate import generate
from helpers.model.load import load

asked = json.load(sys.stdin)
threads()
setup = resolve(asked["profile"], asked["model"])
setup = setup._replace(device=asked["device"], dtype=asked["dtype"])
shutil.unpack_archive(asked["archive"], asked["folder"])
model, tokenizer = load(setup, four_bit=True)
model = load_adapter(model, asked["folder"]).eval()
print(json.dumps(generate(model, tokenizer, asked["prompts"], max_new_tokens=48)))
"""

# %%
prompts = [row["messages"][:-1] for row in tests[: size.road_again]]
request = {name: getattr(setup, name) for name in ("profile", "model", "device", "dtype")}
request |= {"archive": archive, "folder": str(place / "unpacked"), "prompts": prompts}
done = subprocess.run(
    [sys.executable, "-c", FRESH],
    input=json.dumps(request),
    cwd=root(),
    capture_output=True,
    text=True,
    encoding="utf-8",
)
if done.returncode:
    print(done.stderr[-2000:])
again = json.loads(done.stdout.splitlines()[-1])
here = generate(mine, tokenizer, prompts, max_new_tokens=48)
print(again[0])
claim("qlora_road_again", share([a == b for a, b in zip(again, here, strict=True)]))

# %% [markdown]
# ## 9. Does it carry over? ｜ 放到真实模型上还成立吗？

# %% [markdown] lang="en"
# Sections 3 and 4 trained Xiaoxi, a very small model. SmolLM2-135M is a real one. The table holds its recorded runs against Xiaoxi's values of this run: English alone, 240 notices, three epochs, no general rows, LoRA and QLoRA at the same rate (1e-3) and scale. In brackets stands the number of runs behind a number; "–" means not recorded; H200 is a GPU, TF32 a precision in which it computes.

# %% [markdown] lang="zh" of="307b827d"
# 第 3、4 节训练的是小溪，一个很小的模型。SmolLM2-135M 则是真实的模型。下表把它的训练记录与小溪这次的值放在一起：只用英文，240 份通知书，三轮，没有混入通用数据，LoRA 和 QLoRA 的学习率（1e-3）和缩放系数相同。括号里是依据几次训练；“–”表示没有记录；H200 是一种 GPU，TF32 是它的一种计算精度。

# %%
carry.show("05_qlora")

# %% [markdown] lang="en"
# On SmolLM2 QLoRA looks clearly worse: 17 % of the notices all right, where two runs of LoRA had 40 and 43 %. It is a single run, and the comparison has a flaw. These weights came out of a 4-bit file (section 7), so QLoRA rounded a second time, in another format, and LoRA did not. And 1e-3 was not LoRA's best rate; at 3e-3, where LoRA had 71 %, QLoRA was not tried. So this says "test it on your model", and no more.

# %% [markdown] lang="zh" of="75c9bc2f"
# 在 SmolLM2 上，QLoRA 看起来明显差一些：全对的通知书 17 %，LoRA 的两次是 40 % 和 43 %。但这只是一次训练，比法也有毛病：这份权重本来就出自 4 比特的文件（第 7 节），QLoRA 又用另一种格式舍入了一次，LoRA 没有。而且 1e-3 不是 LoRA 最好的学习率；LoRA 最好的 3e-3（71 %），QLoRA 没有试过。所以它只说明一点：要在你自己的模型上测一测。

# %% [markdown]
# ### From Xiaoxi to your model ｜ 从小溪到你的模型

# %% [markdown] lang="en"
# What should carry over is the set-up (the merge was tested on Xiaoxi alone, float16 on an H200): the four lines of the configuration, adapters in float32 under fp16, where to merge, how to predict memory. What does not is the rate: 5e-3 is Xiaoxi's, and a rate belongs to its scale α / r (2 at 16, 32; 0.25 in the paper's 64, 16).
#
# | | Xiaoxi, here | 7B on a T4 | 7B to 70B, newer cards |
# |---|---|---|---|
# | rate | 5e-3 | 1e-4 to 2e-4 | 2e-4; above 13B 1e-4 ([QLoRA](https://arxiv.org/abs/2305.14314)) |
# | `r`, `alpha` | 16, 32 | 16, 32 | 64, 16 (QLoRA) |
# | places | all linear layers | all linear layers | all linear layers |
# | compute type | float32 | float16 | bfloat16 |
# | rows a step | 8 | 16 = 8 × 2 up to 1,024 tokens a row, else 1 × 16 | 16 |
# | checkpointing | off | on | on |

# %% [markdown] lang="zh" of="774f3f24"
# 应当能照搬的是配法（合并只在小溪上测过，float16 只在 H200 上测过）：配置的那四行，fp16 时适配器用 float32，往哪里合并，怎样预测显存。不能照搬的是学习率：5e-3 是小溪的，而且学习率要和缩放系数 α / r 一起看（16、32 时是 2；论文的 64、16 时是 0.25）。
#
# | | 小溪（本课） | T4 上的 7B | 新卡上的 7B 到 70B |
# |---|---|---|---|
# | 学习率 | 5e-3 | 1e-4 到 2e-4 | 2e-4；13B 以上 1e-4（[QLoRA](https://arxiv.org/abs/2305.14314)） |
# | `r`、`alpha` | 16、32 | 16、32 | 64、16（QLoRA） |
# | 加在哪里 | 所有线性层 | 所有线性层 | 所有线性层 |
# | 计算类型 | float32 | float16 | bfloat16 |
# | 每步行数 | 8 | 每行不超过 1,024 个词元时 16 = 8 × 2，再长就 1 × 16 | 16 |
# | 检查点 | 关 | 开 | 开 |

# %% [markdown]
# ## 10. Exercises ｜ 练习

# %% [markdown] lang="en"
# **Exercise 6** (medium, 10 minutes). How large is a model in 4 bits? Write `gigabytes(linear, others, double)`: `linear` weights in 4 bits, in blocks of 64, and `others` (embedding, head, norms) in 16 bits, in GB ($10^9$ bytes). Each block has a constant of 32 bits. With `double=True` that constant is stored in 8 bits, and each 256 constants share one more of 32 bits. For Qwen2.5-7B, `gigabytes(6_525_288_448, 1_090_328_064, True)`: do you expect a quarter of its 15.2 GB in 16 bits?

# %% [markdown] lang="zh" of="ed038da6"
# **练习 6**（中等，10 分钟）。4 比特的模型有多大？写出 `gigabytes(linear, others, double)`：`linear` 个权重用 4 比特，每 64 个一块；`others` 个（嵌入、输出层、归一化）用 16 比特；单位 GB（$10^9$ 字节）。每块有一个 32 比特的常数；`double=True` 时这个常数存成 8 比特，每 256 个常数再共用一个 32 比特的数。Qwen2.5-7B 是 `gigabytes(6_525_288_448, 1_090_328_064, True)`：用 16 比特要 15.2 GB，你估计会是它的四分之一吗？


# %% tags=["exercise"]
def gigabytes(linear, others, double):
    """Return the size of a model in GB with its linear weights in 4 bits."""
    ...


# %% tags=["check"]
nb05.gigabytes(gigabytes)

# %% [markdown] tags=["solution"]
# <details><summary>Solution ｜ 参考答案</summary>
#
# ```python
# def gigabytes(linear, others, double):
#     """Return the size of a model in GB with its linear weights in 4 bits."""
#     constant = (8 + 32 / 256 if double else 32) / 64  # bits for each weight
#     return (linear * (4 + constant) + others * 16) / 8 / 1e9
# ```
#
# </details>
#
# 5.5 GB, more than a third. The linear weights take 3.4 GB; the two tables of the vocabulary, in 16 bits, another 2.2. ｜ 5.5 GB，超过三分之一。线性层占 3.4 GB，词表的两张表用 16 比特，还要 2.2 GB。

# %% [markdown] lang="en"
# **Exercise 7** (easy, 5 minutes). Four people have trained a QLoRA adapter. For each, choose what to do with it: `plan = {"A": "…", …}`, each one of `"keep apart"`, `"merge dequantised"`, `"merge, then quantise"`. One may serve twice.
#
# - A: Ten adapters for ten customers, one GPU that holds a single 4-bit base.
# - B: A server that loads plain 16-bit models alone; it is to answer as nearly as it can like the model in the tests.
# - C: A laptop program that reads 4-bit files alone; small losses are accepted, and it will be measured.
# - D: The adapter may be trained further next week.

# %% [markdown] lang="zh" of="f0499c64"
# **练习 7**（容易，5 分钟）。四个人各训练了一个 QLoRA 适配器。该怎么处理？`plan = {"A": "…", …}`，从这三种里选：`"keep apart"`（分开放）、`"merge dequantised"`（并到反量化的权重里）、`"merge, then quantise"`（合并之后再量化）。有一种可以用两次。
#
# - A：十个客户，十个适配器；一块 GPU，只放得下一个 4 比特的基座。
# - B：服务器只能加载普通的 16 位模型，回答要尽量和测试时一样。
# - C：笔记本电脑上的程序只读 4 比特的文件；允许稍差一点，而且会测。
# - D：适配器下周可能还要接着练。

# %% tags=["exercise"]
plan = ...

# %% tags=["check"]
nb05.plan(plan)

# %% [markdown] tags=["solution"]
# <details><summary>Solution ｜ 参考答案</summary>
#
# ```python
# plan = {
#     "A": "keep apart",
#     "B": "merge dequantised",
#     "C": "merge, then quantise",
#     "D": "keep apart",
# }
# ```
#
# </details>

# %% [markdown]
# ## Summary ｜ 小结

# %% [markdown] lang="en"
# - **NF4** puts its sixteen levels at quantiles of the normal distribution, and each block of 64 weights has a constant: 4.13 bits a weight, with double quantisation. Of the 4-bit formats it harmed SmolLM2 least. The error of the weights alone does not tell the harm.
# - **QLoRA** freezes the 4-bit weights and trains LoRA beside them. On Xiaoxi, with all else equal, it learned the form as LoRA did; a difference in right answers was not shown.
# - It saves the bytes of the weights: little in a small model, most of the memory in a large one. Its peak can be computed beforehand: a formula came within 1 % of a plain loop on an H200 on average, and 6 % below `SFTTrainer`.

# %% [markdown] lang="zh" of="5220a53e"
# - **NF4** 的十六个值取在正态分布的分位数上，每 64 个权重一个常数；用双重量化，每个权重 4.13 比特。几种 4 比特格式里，它对 SmolLM2 的伤害最小。光看权重的误差，看不出伤害有多大。
# - **QLoRA** 冻结 4 比特的权重，在旁边训练 LoRA。在小溪上，其余条件相同，它和 LoRA 一样学会了格式；全对的比例有没有差别，未能证明。
# - 它省的是权重的字节：模型小，省得不多；模型大，省的就是大头。一步要多少内存，可以事先算：一个公式与 H200 上朴素循环的峰值平均相差不到 1 %，比 `SFTTrainer` 的平均低 6 %。

# %% [markdown] lang="en"
# - Merging into the **dequantised** base keeps the trained model; into the original base or into 4 bits, it becomes a slightly other one.
# - On a **T4**: float16 by compute capability, `nf4` with float16 to compute in, `sdpa`, adapters in float32.
# - A **GGUF** file can be read byte by byte, and not be trained as it is: fetch the original, or dequantise it and accept the rounding.

# %% [markdown] lang="zh" of="a7752967"
# - 并到**反量化**的基座里，还是训练好的那个模型；并到原始基座或 4 比特里，就成了略有不同的另一个。
# - 在 **T4** 上：按计算能力选 float16，`nf4` 也用 float16 来算，注意力用 `sdpa`，适配器用 float32。
# - **GGUF** 文件可以逐字节读懂，但不能原样训练：要么取来原版，要么反量化，接受舍入的误差。

# %% [markdown] lang="en"
# **Next**: 06 teaches the model what *not* to say. Where no article applies, it is to answer "no rule here". Passed so far:

# %% [markdown] lang="zh" of="10d469ab"
# **下一课**：06 教模型什么*不该*说：没有法条适用时，要回答“此处无规定”。你目前通过的练习：

# %%
progress("05")
