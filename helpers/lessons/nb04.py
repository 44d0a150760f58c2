"""The checks of notebook 04; each wrong answer that people give has a hint of its own."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from helpers.exercise import exercise, near

if TYPE_CHECKING:
    import torch

LIMIT = -100  # the label that PyTorch's cross-entropy skips


@exercise("04.1", "Labels from a mask", "由掩码得到标签")
def labels(answer):
    ids, mask = [5, 6, 7, 8, 2], [0, 0, 1, 1, 1]
    got = [int(x) for x in answer(ids, mask)]
    yield len(got) == 5, "one label for each of the 5 tokens", "5 个词元，每个对应一个标签"
    yield (
        got != [LIMIT, LIMIT, 1, 1, 1],
        "a label is the token's id, not the mask's 1",
        "标签是词元编号，不是掩码里的 1",
    )
    yield (
        got[:2] != [0, 0],
        "0 is a token too: the loss skips -100 only",
        "0 也是一个词元：损失只跳过 -100",
    )
    yield (
        got != [5, 6, LIMIT, LIMIT, LIMIT],
        "turned round: it is the prompt that the loss must skip",
        "反了：要跳过的是提示",
    )
    yield got[-1] == 2, "the end token counts, or it never stops", "结束符要计入，否则停不下来"
    yield (
        got == [LIMIT, LIMIT, 7, 8, 2],
        "no shift here: the training loop does that",
        "这里不用错位：训练循环会错开一位",
    )


# --- the heart: the shifted loss and the loop ----------------------------------------------------


@exercise("04.2", "The shifted loss", "错开一位的损失")
def shifted_loss(answer):
    import torch
    from torch.nn.functional import cross_entropy

    logits, target = _scores_and_labels()
    try:
        got = answer(logits, target)
    except (IndexError, RuntimeError) as error:
        reached = "out of" in str(error)  # -100 was taken for the id of a token
        yield not reached, *_NO_MASK
        raise
    yield (
        torch.is_tensor(got),
        "return the tensor itself: after `.item()` there is nothing to call `backward` on",
        "请返回张量本身：取了 `.item()` 之后，就无法再 `backward`",
    )
    ahead, now = logits[:, :-1], target[:, 1:]  # the output at t predicts the token at t + 1
    each = cross_entropy(ahead.flatten(0, 1), now.flatten(), reduction="none").view(now.shape)
    counts = now != LIMIT
    unmasked = cross_entropy(ahead.flatten(0, 1), now.clamp(min=0).flatten())
    wrong = [
        (
            cross_entropy(logits.flatten(0, 1), target.flatten()),
            "no shift: the output at a position predicts the next token, not the one it reads",
            "没有错位：每个位置的输出预测的是下一个词元，不是它读到的这一个",
        ),
        (
            cross_entropy(logits[:, 1:].flatten(0, 1), target[:, :-1].flatten()),
            "shifted the wrong way: the first output goes with the second label",
            "错位的方向反了：第一个输出要配第二个标签",
        ),
        (unmasked, *_NO_MASK),
        (
            each.sum() / each.numel(),
            "the mean runs over prompt and padding too: divide by the number of labels that count",
            "平均时把提示和填充也算进去了：应除以计入损失的标签数",
        ),
        (
            (each.sum(1) / counts.sum(1)).mean(),
            "that is the mean of the rows' means: every label weighs the same, whatever its row",
            "这是各行平均数的平均：无论在哪一行，每个标签的权重都应相同",
        ),
        (each.sum(), "that is the sum: divide by the number of labels", "这是总和：还要除以标签数"),
        (
            -each.sum() / counts.sum(),
            "the sign: the loss is minus the log-probability",
            "符号反了：损失是对数概率的相反数",
        ),
    ]
    for value, en, zh in wrong:
        yield not near(got, value), en, zh
    model, ids = _toy_qwen()
    marked = ids.clone()
    marked[:, :3] = LIMIT
    own = model(input_ids=ids, labels=marked).loss
    yield (
        near(got, each.sum() / counts.sum()) and near(answer(model(ids).logits, marked), own),
        f"transformers' own loss on the same batch is {own.item():.4f}",
        f"同一批数据，transformers 自己算出的损失是 {own.item():.4f}",
    )


@exercise("04.3", "The training loop", "训练循环")
def train(answer):
    import torch

    try:
        made = _loop(answer)
    except RuntimeError as error:
        changed = "modified by an inplace operation" in str(error)  # PyTorch notices it itself
        yield (
            not changed,
            "`step` comes before `backward`: the weights change while their gradient is still due",
            "`step` 写在了 `backward` 前面：梯度还没算，权重就先变了",
        )
        raise
    yield (
        isinstance(made.losses, list) and len(made.losses) == 4,
        "return a list with one loss for each batch",
        "请返回一个列表，每一批对应一个损失",
    )
    yield (
        not torch.is_tensor(made.losses[0]),
        "keep `loss.item()`, a number: a list of tensors keeps every batch's graph in memory",
        "请存 `loss.item()`（一个数）：存张量，会把每一批的计算图都留在内存里",
    )
    yield (
        made.moved,
        "the weights did not move: `backward` first, then `step`, and `zero_grad` not in between",
        "权重没有动：先 `backward`，再 `step`，两者之间不要 `zero_grad`",
    )
    yield (
        not near(made.weights, _loop(_walk("backward step")).weights),
        "the optimizer is not zeroed after each batch: its gradient is added to the last one's",
        "没有在每一批之后清零：梯度都加到了上一批的上面",
    )
    right = _loop(_walk("backward step zero"))
    yield (
        near(made.weights, right.weights) and near(made.losses, right.losses),
        "after four batches the weights differ from the reference loop's: one step a batch?",
        "四批之后，权重与标准循环的不同：每一批是否恰好走一步？",
    )


@exercise("04.4", "Optimizer steps", "优化器步数")
def optimizer_steps(answer):
    yield (
        answer(480, 4, 4, 3) != 360,
        "gradients are accumulated: 4 batches make one step",
        "有梯度累积：4 批才走一步",
    )
    yield answer(480, 4, 4, 3) != 30, "that is one epoch", "这只是一轮的步数"
    yield (
        answer(480, 4, 4, 3) == 90,
        "480 rows / 16 a step × 3 epochs",
        "480 行 ÷ 每步 16 行 × 3 轮",
    )
    yield (
        answer(100, 8, 1, 2) == 26,
        "100 rows make 13 batches of 8: the last one, not full, counts",
        "100 行分成 13 批，每批 8 行：最后不满的一批也算",
    )
    yield (
        answer(100, 8, 4, 1) == 4,
        "13 batches make 4 steps: the last step has one batch only",
        "13 批走 4 步：最后一步只有一批",
    )


@exercise("04.5", "Find a rate", "找一个学习率")
def rate(answer):
    yield (
        isinstance(answer, int | float) and answer > 0,
        "a number above zero, such as 1e-4",
        "要一个大于零的数，例如 1e-4",
    )
    before, after = loss_at(0.0), loss_at(float(answer))
    yield (
        math.isfinite(after),
        "the loss is not a number: training broke down, so go far lower",
        "损失不是一个数：训练崩溃了，要低得多",
    )
    said = f"{before:.2f} → {after:.2f}"
    yield (
        after < before,
        f"too high: the loss on unseen articles rises, {said}",
        f"太高：没练过的法条上，损失反而上升，{said}",
    )
    yield (
        after < ENOUGH or answer >= MIDDLE,
        f"too low: in one epoch the loss gets no further than {said}",
        f"太低：一轮下来，损失只走到 {said}",
    )
    yield (
        after < ENOUGH,
        f"a little too high: {said}; below {ENOUGH} can be had",
        f"偏高：{said}；可以降到 {ENOUGH} 以下",
    )


ENOUGH, MIDDLE = 1.5, 2e-3  # nats that a good rate stays below; a rate of that region


def loss_at(lr: float) -> float:
    """Train all of Xiaoxi's weights on 96 rows at a rate; return the loss on others in nats.

    One epoch of rows without articles, seed 0; the others are 40 incidents under unseen articles.
    Takes some seconds. A rate of 0 leaves the model as it is.
    """
    from helpers.env import resolve, set_seed
    from helpers.lingxi.files import select, world
    from helpers.model.load import load
    from helpers.model.loss import answer_losses
    from helpers.model.train import fit

    set_seed(0)
    model, tokenizer = load(resolve("tiny"))
    if lr:
        rows = select(world("train"), task="notice", context=False)[:96]
        fit(model, tokenizer, rows, lr=lr, num_epochs=1, batch_size=8)
    others = select(world("eval"), task="notice", split="unseen", context=False)[120:160]
    both = answer_losses(model, tokenizer, others)
    return sum(loss for loss, _ in both) / sum(tokens for _, tokens in both)


# --- broken runs ---------------------------------------------------------------------------------


@exercise("04.6", "Six broken runs", "六种训坏的情形")
def diagnosis(answer):
    yield isinstance(answer, dict), 'a dict: {"A": 1, ...}', '要写成字典：{"A": 1, ...}'
    yield set(answer) == set("ABCDE"), "name all of A to E", "A 到 E 都要写"
    hints = {
        "A": (3, "good loss, bad answers: asked in another format", "损失好、答案差：提问格式变了"),
        "B": (
            2,
            "right, and then goes on: the end token never counted",
            "答对却不停：结束符没有计入损失",
        ),
        "C": (5, "more tokens count than the answer has", "计入的词元比答案还多"),
        "D": (4, "a loss that jumps up: the steps are too long", "损失跳升：步子迈得太大"),
        "E": (
            1,
            "nan from step 1: the mean over no label at all",
            "第一步就 nan：没有一个标签可平均",
        ),
    }
    for patient, (exhibit, en, zh) in hints.items():
        yield answer[patient] == exhibit, f"{patient}: {en}", f"{patient}：{zh}"


@exercise("04.7", "Repair a step", "修好这一步")
def one_step(answer):
    made = _one_step(answer)
    yield (
        made.moved,
        "the weights do not move: the gradients are zeroed before the step can use them",
        "权重没有动：梯度还没用上就清零了",
    )
    for faults, en, zh in (
        (
            {"shift"},
            "the shift goes the wrong way: outputs 0 … n-2 go with labels 1 … n-1",
            "错位的方向反了：输出 0 … n-2 配标签 1 … n-1",
        ),
        (
            {"zero"},
            "masked tokens get the label 0, which is a token: they need -100",
            "被屏蔽的词元得到了标签 0，而 0 也是词元：应当是 -100",
        ),
        (
            {"zero", "shift"},
            "two faults are left: the labels of masked tokens, and the direction of the shift",
            "还有两处：被屏蔽词元的标签，以及错位的方向",
        ),
        (
            {"unshifted"},
            "no shift: outputs 0 … n-2 go with labels 1 … n-1",
            "没有错位：输出 0 … n-2 配标签 1 … n-1",
        ),
        (
            {"never"},
            "the gradients are never zeroed: the second step adds up both batches",
            "梯度一直没有清零：第二步用的是两批之和",
        ),
    ):
        yield not near(made.weights, _one_step(_faulty(faults)).weights), en, zh
    right = _one_step(_faulty(set()))
    yield (
        near(made.weights, right.weights) and near(made.losses, right.losses),
        "the weights after two steps are not the healthy ones; return the loss as a number",
        "走两步之后，权重与正常的不同；另外，请返回损失这个数",
    )


@exercise("04.8", "Three loss curves", "三条损失曲线")
def causes(answer):
    known = ("rate too high", "rate too low", "labels not shifted", "prompt not masked")
    yield isinstance(answer, dict), 'a dict: {"A": "…", ...}', '要写成字典：{"A": "…", ...}'
    yield set(answer) == set("ABC"), "name A, B and C", "A、B、C 都要写"
    yield (
        all(cause in known for cause in answer.values()),
        "copy the causes from the list",
        "原因请照抄列出的几种",
    )
    hints = {
        "A": (
            "labels not shifted",
            "it starts above the others and ends below the healthy run: is its task too easy?",
            "起点比别的都高，最后却比正常的还低：是不是它的题太容易了？",
        ),
        "B": (
            "rate too low",
            "nothing jumps and nothing breaks, but it hardly leaves the place where it began",
            "没有跳升，也没有崩溃，只是几乎停在起点",
        ),
        "C": (
            "rate too high",
            "it jumps up within a few steps and stays there",
            "几步之内就跳上去，再也下不来",
        ),
    }
    for curve, (cause, en, zh) in hints.items():
        yield answer[curve] == cause, f"{curve}: {en}", f"{curve}：{zh}"


@exercise("04.9", "What to log", "记录什么")
def log(answer):
    known = ("training loss", "loss on unseen articles", "loss on general rows", "a few answers")
    yield isinstance(answer, dict), 'a dict: {"A": "…", ...}', '要写成字典：{"A": "…", ...}'
    yield set(answer) == set("ABCD"), "name A to D", "A 到 D 都要写"
    yield (
        all(value in known for value in answer.values()),
        "copy one of the four texts",
        "请照抄四个选项之一",
    )
    hints = {
        "A": (
            "a few answers",
            "no loss reads what the model writes after the point where it should have stopped",
            "模型该停不停之后写了什么，哪一种损失都看不到",
        ),
        "B": (
            "loss on general rows",
            "rows of notices cannot show what happens to sums and translations",
            "通知书看不出加减和翻译变成了什么样",
        ),
        "C": (
            "training loss",
            "it shows at once, on the rows being trained: no need to wait for an evaluation",
            "它在正在训练的数据上立刻就看得出，不用等到评估",
        ),
        "D": (
            "loss on unseen articles",
            "only rows that are not trained on show that the gain is for the trained ones alone",
            "只有没参与训练的数据，才看得出进步只限于练过的那些",
        ),
    }
    for worry, (value, en, zh) in hints.items():
        yield answer[worry] == value, f"{worry}: {en}", f"{worry}：{zh}"


# --- what the checks compare with ----------------------------------------------------------------

_NO_MASK = (
    "the mask is forgotten: a label of -100 is no token, and the loss skips it",
    "忘了掩码：标签 -100 不是词元，损失要跳过它",
)


def _scores_and_labels() -> tuple["torch.Tensor", "torch.Tensor"]:
    """Return logits (2, 7, 11) and labels (2, 7), with a prompt and some padding masked."""
    import torch

    rng = torch.Generator().manual_seed(4)
    logits = torch.randn(2, 7, 11, generator=rng, requires_grad=True)
    target = torch.randint(1, 11, (2, 7), generator=rng)
    target[:, :2] = LIMIT
    target[1, 5:] = LIMIT
    return logits, target


def _toy_qwen():
    """Return a random Qwen2 of one narrow layer and ids (2, 9) for it."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    shape = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 2}
    with torch.random.fork_rng():
        torch.manual_seed(4)
        model = Qwen2ForCausalLM(Qwen2Config(vocab_size=24, **shape, **heads)).eval()
        return model, torch.randint(1, 24, (2, 9))


class _Made:
    """What became of a toy's weights, and the losses that a loop returned."""

    def __init__(self, before: list, model, losses) -> None:
        import torch

        after = [w.detach() for w in model.parameters()]
        self.weights = torch.cat([w.flatten() for w in after])
        self.moved = not torch.equal(self.weights, torch.cat([w.flatten() for w in before]))
        self.losses = losses


def _toy():
    """Return a module with `logits` in its output, its optimizer, and four batches (ids, mask)."""
    from types import SimpleNamespace

    import torch

    class Toy(torch.nn.Module):
        """An embedding and a head: enough to be trained."""

        def __init__(self) -> None:
            super().__init__()
            self.emb, self.head = torch.nn.Embedding(11, 6), torch.nn.Linear(6, 11)

        def forward(self, input_ids):
            """Return logits (batch, tokens, 11)."""
            return SimpleNamespace(logits=self.head(self.emb(input_ids)))

    with torch.random.fork_rng():
        torch.manual_seed(4)
        model = Toy()
        ids = torch.randint(1, 11, (4, 2, 6))
    mask = torch.ones_like(ids)
    mask[:, :, :2] = 0
    return model, torch.optim.SGD(model.parameters(), lr=0.3), list(zip(ids, mask, strict=True))


def _loss_of(logits, target):
    """Return the mean loss of shifted labels."""
    from torch.nn.functional import cross_entropy

    return cross_entropy(logits[:, :-1].flatten(0, 1), target[:, 1:].flatten())


def _loop(loop: Callable) -> _Made:
    """Let a loop, a learner's or one of `_walk`, train the toy."""
    model, optimizer, pairs = _toy()
    before = [w.detach().clone() for w in model.parameters()]
    made = [(ids, ids.where(mask.bool(), LIMIT)) for ids, mask in pairs]
    return _Made(before, model, loop(model, made, optimizer, _loss_of))


def _walk(order: str) -> Callable:
    """Return a loop whose calls come in an order, such as "backward step zero"."""

    def loop(model, made, optimizer, loss_of):
        losses = []
        for ids, target in made:
            loss = loss_of(model(ids).logits, target)
            calls = {"backward": loss.backward, "step": optimizer.step}
            for name in order.split():
                (calls | {"zero": optimizer.zero_grad})[name]()
            losses.append(loss.item())
        return losses

    return loop


def _one_step(step: Callable) -> _Made:
    """Let a step, a learner's or a faulty one, train the toy on two batches."""
    model, optimizer, pairs = _toy()
    before = [w.detach().clone() for w in model.parameters()]
    return _Made(before, model, [step(model, optimizer, ids, mask) for ids, mask in pairs[:2]])


def _faulty(faults: set[str]) -> Callable:
    """Return the step of exercise 7 with some faults: zero, shift, unshifted, never."""
    from torch.nn.functional import cross_entropy

    def step(model, optimizer, ids, mask):
        target = ids * mask if "zero" in faults else ids.where(mask.bool(), LIMIT)
        logits = model(ids).logits
        if "shift" in faults:
            logits, target = logits[:, 1:], target[:, :-1]
        elif "unshifted" not in faults:
            logits, target = logits[:, :-1], target[:, 1:]
        loss = cross_entropy(logits.flatten(0, 1), target.flatten())
        loss.backward()
        optimizer.step()
        if "never" not in faults:
            optimizer.zero_grad()
        return loss.item()

    return step
