"""The checks of notebook 04; each wrong answer that people give has a hint of its own."""

from helpers.exercise import exercise

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


@exercise("04.2", "Optimizer steps", "优化器步数")
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


@exercise("04.3", "Six broken runs", "六种训坏的情形")
def diagnosis(answer):
    yield isinstance(answer, dict), 'a dict: {"A": 1, ...}', '要写成字典：{"A": 1, ...}'
    yield set(answer) == set("ABCDE"), "name all of A to E", "A 到 E 都要写"
    hints = {
        "A": (4, "a loss that jumps up: the steps are too long", "损失跳升：步子迈得太大"),
        "B": (3, "good loss, bad answers: asked in another format", "损失好、答案差：提问格式变了"),
        "C": (5, "more tokens count than the answer has", "计入的词元比答案还多"),
        "D": (
            1,
            "nan from step 1: the mean over no label at all",
            "第一步就 nan：没有一个标签可平均",
        ),
        "E": (
            2,
            "right, and then goes on: the end token never counted",
            "答对却不停：结束符没有计入损失",
        ),
    }
    for patient, (exhibit, en, zh) in hints.items():
        yield answer[patient] == exhibit, f"{patient}: {en}", f"{patient}：{zh}"


@exercise("04.4", "What brings the facts", "事实从哪里来")
def remedy(answer):
    wrong = {
        "more epochs": (
            "more epochs teach the numbers of practised articles, no unseen one's",
            "多练几轮，只会记住练过的法条，没练过的照样不会",
        ),
        "a larger rank": (
            "capacity is not what is missing: the numbers were never shown",
            "缺的不是容量：那些数字从没给它看过",
        ),
        "a lower rate": (
            "a rate changes how fast it learns, not what it is shown",
            "学习率决定学得多快，不决定看到什么",
        ),
    }
    for choice, hint in wrong.items():
        yield answer != choice, *hint
    yield answer == "the article in the prompt", "copy one of the four texts", "请照抄四个选项之一"
