"""The checks of notebook 02; each wrong answer that people give has a hint of its own."""

from helpers.exercise import exercise, near

CAUSES = {
    "A": (
        1,
        "no gradient at all: which start makes both gradients zero?",
        "完全没有梯度：哪种起点让两个梯度都为零？",
    ),
    "B": (
        4,
        "slow, and the settings were copied: whose rate was it?",
        "太慢，设置又是抄来的：原来用的是谁的学习率？",
    ),
    "C": (
        2,
        "rsLoRA at rank 8 adds no rank: it makes alpha / r larger; so what was too low?",
        "秩 8 的 rsLoRA 没有增加秩，只是让 alpha / r 变大了：可见是什么太低？",
    ),
    "D": (
        3,
        "the weights that serve are not those that were trained: what happened between?",
        "上线的权重和训练的不一样：中间发生了什么？",
    ),
}


@exercise("02.1", "As loud at another rank", "换了秩，一样响")
def new_alpha(answer):
    got = answer(16, 8, 64)
    yield (
        got != 16,
        "alpha kept: alpha / r falls from 2 to 0.25",
        "alpha 没变：alpha / r 从 2 掉到 0.25",
    )
    yield (
        not near(got, 2),
        "turned round: a larger rank is divided by more, so alpha must grow",
        "反了：秩越大除得越多，alpha 要变大",
    )
    yield (
        not near(got, 16 * 8**0.5),
        "that is rsLoRA's; LoRA divides by r itself",
        "这是 rsLoRA 的；LoRA 除以的是 r 本身",
    )
    yield near(got, 128), "16 / 8 = 2 = alpha / 64", "16 / 8 = 2 = alpha / 64"
    got = answer(16, 8, 32, rslora=True)
    yield not near(got, 64), "rsLoRA divides by √r, not by r", "rsLoRA 除以 √r，不是 r"
    yield near(got, 32), "16 / √8 = alpha / √32", "16 / √8 = alpha / √32"
    yield near(answer(32, 16, 4), 8), "it must work downwards too", "秩变小时也要对"


@exercise("02.2", "The rank that is enough", "够用的秩")
def rank_for(answer):
    values = [3.0, 2.0, 1.0, 1.0]  # squares 9, 4, 1, 1 of 15
    got = answer(values, 0.8)
    yield (
        not (isinstance(got, float) and 0 < got <= 1),
        "that is a share; a rank is asked for: 1, 2, …",
        "这是占比；要的是秩：1、2、……",
    )
    yield (
        got != 3,
        "squares: 9 + 4 of 15 are 87 %; the values themselves only come to 5 of 7",
        "要用平方：9 + 4 占 15 的 87 %；直接用奇异值则只有 5/7",
    )
    yield (
        got != 1,
        "off by one: the first value alone is rank 1 and holds 60 %",
        "差了一：只留第一个就是秩 1，占 60 %",
    )
    yield got == 2, "add squares until they reach the part", "累加平方，直到达到要求的占比"
    yield (
        answer(values, 9 / 15) == 1,
        "at least `part`: exactly 60 % is enough, rank 1 (>= and not >)",
        "至少 `part`：正好 60 % 就够，秩为 1（用 >=，不是 >）",
    )
    yield answer(values, 1.0) == 4, "all of it takes all four", "全部留住，需要全部四个"
    yield answer([5.0, 0.0, 0.0], 1.0) == 1, "zeros hold nothing", "零什么也不占"


@exercise("02.3", "Four colleagues", "四位同事")
def causes(answer):
    yield isinstance(answer, dict), 'a dict: {"A": 1, ...}', '要写成字典：{"A": 1, ...}'
    yield set(answer) == set("ABCD"), "name all of A to D", "A 到 D 都要写"
    for colleague, (cause, en, zh) in CAUSES.items():
        yield answer[colleague] == cause, f"{colleague}: {en}", f"{colleague}：{zh}"
