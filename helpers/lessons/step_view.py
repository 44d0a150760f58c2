"""A picture of one training step: what is in memory at each moment, and whether it fits a card."""

from helpers.model.memory import GIB, MOMENTS, TERMS, VERDICTS, fit, moments, what_to_turn
from helpers.model.setting import CARDS, METHODS, MODELS, Setting, on_card
from helpers.show import plots
from helpers.show.style import BAR


def step_view(
    model: str, method: str, rows: int, length: int, checkpointing: bool, logits: str, card: str
):
    """Return a Figure of the moments of a step, the card's memory as a line.

    The names are keys of MODELS, METHODS and CARDS; `logits` is one of LOGITS.
    """
    shape = MODELS[model]
    setting = on_card(Setting(method, rows, length, checkpointing, logits), card)
    verdict, found = fit(shape, setting, card)
    drawn = {
        MOMENTS[moment]: {TERMS[term][0]: size / GIB for term, size in terms.items() if size}
        for moment, terms in moments(shape, setting).items()
    }
    fits, moment, top = VERDICTS[verdict], MOMENTS[found.moment], TERMS[next(iter(found.terms))][0]
    size = f"{found.bytes / GIB:.1f} GiB"
    en = f"{model}, {english(METHODS[method].name)}, {rows} × {length:,}: {size}, {english(fits)}"
    zh = f"{chinese(METHODS[method].name)}：{size}，{chinese(fits)}"
    if verdict != "fits" and (levers := what_to_turn(shape, setting)):
        first = levers[0]
        en += f"\nturn first: {english(first.name)} ({first.bytes / GIB:.1f} GiB)"
        zh += f"；先调：{chinese(first.name)}（{first.bytes / GIB:.1f} GiB）"
    return plots.stacked(
        drawn,
        f"{en}{BAR}{zh}",
        "GiB",
        line=(CARDS[card].gib, card),
        alt=f"Seven moments of a step as bars made of parts. Highest: {english(moment)}, {size}, "
        f"its largest part: {english(top)}. On {card}: {english(fits)}{BAR}"
        f"一步的七个时刻，分段的横条。最高：{chinese(moment)}，{size}，其中最大的一块：{chinese(top)}。{card}：{chinese(fits)}",
    )


def english(text: str) -> str:
    """Return the English half of "English ｜ 中文"; a text without a bar is both."""
    return text.split(BAR)[0]


def chinese(text: str) -> str:
    """Return the Chinese half."""
    return text.split(BAR)[-1]
