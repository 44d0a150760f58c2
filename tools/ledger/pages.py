"""Write what readers see of the ledger: the README's tables and picture, and data/claims.md.

Values, minutes and the picture are those of the runs whose outputs are committed.
"""

from __future__ import annotations

import base64
from collections.abc import Collection
from pathlib import Path

from helpers.base import say
from helpers.measure import carry
from helpers.measure.ledger import Claim
from tools.ledger import seeds
from tools.nbkit import report
from tools.nbkit.path import put_between, put_path
from tools.nbkit.source import notebook_path, read_notebook, read_source, sources

CHOSEN = (  # the README's few, each of another kind; data/claims.md has them all
    "start_open_1",  # the text brings facts
    "sft_facts_closed",  # training does not
    "sft_form_opened",  # training brings the form
    "tree_both",  # both together
    "sft_forgotten",  # and what it costs
    "lora_share_7b",  # a count, at the size of real models
    "start_download",  # the notes were wrong
    "data_dirt",  # no difference seen
)
START, END = "<!-- claims:start -->", "<!-- claims:end -->"
CARRIED = (  # the README's few on the real model: what holds, and what does not
    "sft_form_after",
    "sft_facts_closed",
    "tree_prompt_form",
    "sft_forgotten",
    "sft_replay",
    "lora_zoo_forgets",
)
CARRY_START, CARRY_END = "<!-- carry:start -->", "<!-- carry:end -->"
PAGE = "data/claims.md"
HEAD = """\
# All claims ｜ 全部论断

Written by `make claims` from `data/claims.csv` and the runs whose outputs are committed. ｜ \
由 `make claims` 根据 `data/claims.csv` 和已提交输出的运行写成。

- **Measured ｜ 实测**: with ❌ where it lies outside the usual range. ｜ \
带 ❌ 的超出了通常范围。
- **Usual range ｜ 通常范围**: what this measurement gives here with several random seeds. \
It tells a broken lesson from a healthy one and is no verdict. ｜ \
换几个随机种子，这项测量在这里通常给出的值。它用来发现课程哪里坏了，不是结论。 \
A range with \\* is provisional: five seeds are still to be measured. ｜ \
带 \\* 的范围是暂定的：还没有测满五个种子。
- **Verdict ｜ 结论**: what the evidence makes of the statement, and on what it was tested. \
A statement about large models is neither refuted nor confirmed by the tiny one alone: \
“supported” holds for what the brackets name. ｜ \
根据证据，这个说法成不成立，以及是在什么上面检验的。\
关于大模型的说法，只凭小模型既不能推翻，也不能证实：“支持”只对括号里写明的对象成立。
- **Does it carry over? ｜ 放到真实模型上还成立吗？** The same question put to \
SmolLM2-135M, a model that the world trained, in recorded runs (`data/sweeps/README.md`): the \
mean, then in brackets the range and the number of runs. ｜ \
拿同一个问题去问 SmolLM2-135M（外界训练的真实模型），结果取自记录下来的运行\
（见 `data/sweeps/README.md`）：先是平均值，括号里是范围和运行次数。
"""
CARRY_TITLE = "Does it carry over? ｜ 放到真实模型上还成立吗？"


def committed(root: Path) -> dict[str, dict]:
    """Collect what made the committed outputs, by lesson number: values, minutes, memory."""
    notebooks = {p.stem[:2]: read_notebook(notebook_path(p)) for p in sources(root)}
    return {
        n: nb.metadata["course"] for n, nb in notebooks.items() if nb and "course" in nb.metadata
    }


def write(root: Path) -> None:
    """Write the README's tables and picture, and the page of all claims."""
    claims, made = report.claims_of(root), committed(root)
    page = root / "README.md"
    text = put_path(page.read_text(encoding="utf-8"), root, made)
    waiting = seeds.awaited(root, claims)
    page.write_text(readme(text, claims, made, waiting), encoding="utf-8")
    (root / PAGE).write_text(all_claims(root, claims, made, waiting), encoding="utf-8")
    if drawn := picture(root):
        (root / "notebooks" / "img" / "result.png").write_bytes(drawn)
    say(f"README.md, {PAGE}: written, the picture too", f"README.md、{PAGE} 和插图已更新")


def readme(
    text: str, claims: list[Claim], made: dict[str, dict], waiting: Collection[str] = ()
) -> str:
    """Put the chosen claims into the README's text, and those that a real model was asked."""
    by_id, values = {claim.id: claim for claim in claims}, _values(made)
    few = [by_id[name] for name in CHOSEN if name in by_id]
    text = put_between(text, START, END, report.claim_table(few, values, waiting))
    few = [item for name in CARRIED for item in carried(claims) if item.id == name]
    return put_between(text, CARRY_START, CARRY_END, carry.lines(few, values))


def carried(claims: list[Claim]) -> list[carry.Carried]:
    """Return those of some claims that were asked of a real model, too."""
    ids = {claim.id for claim in claims}
    return [item for item in carry.carried() if item.id in ids]


def all_claims(
    root: Path, claims: list[Claim], made: dict[str, dict], waiting: Collection[str] = ()
) -> str:
    """Return the page of all claims: a table for each lesson, under its title."""
    parts, values = [HEAD], _values(made)
    for path in sources(root):
        mine = [claim for claim in claims if claim.notebook == path.stem]
        if mine:
            title = read_source(path).cells[0].source.splitlines()[0].lstrip("# ")
            table = "\n".join(report.claim_table(mine, values, waiting))
            parts.append(f"## [{title}](../notebooks/{path.stem}.ipynb)\n\n{table}\n")
            if found := carried(mine):
                table = "\n".join(carry.lines(found, values))
                parts.append(f"### {CARRY_TITLE}\n\n{table}\n")
    return "\n".join(parts)


def picture(root: Path) -> bytes | None:
    """Return the README's picture: the figure of lesson 04 that sets before beside after."""
    for path in (p for p in sources(root) if p.stem.startswith("04")):
        for cell in (read_notebook(notebook_path(path)) or {"cells": []})["cells"]:
            for output in cell.get("outputs", []) if "after, no article" in cell["source"] else []:
                if drawn := output.get("data", {}).get("image/png"):
                    return base64.b64decode(drawn)
    return None


def _values(made: dict[str, dict]) -> dict[str, float]:
    """Collect the values of the committed runs, by claim."""
    return {name: value for facts in made.values() for name, value in facts["claims"].items()}
