"""Does it carry over? What Xiaoxi shows, held against recorded runs of SmolLM2-135M.

The runs stand in data/sweeps: `small.jsonl` was made by tools/measure/small.py; the runs of
`small_trial.jsonl` came before it, on another card, with other general questions and a hundred
incidents for forty. The two are told apart wherever they are shown.
"""

import csv
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from helpers.base import CourseError, root
from helpers.data.jsonl import Row, read_jsonl
from helpers.measure.claims import results
from helpers.measure.ledger import ledger, shown

# where the runs were made: the file's name -> its heading
FILES = {
    "small": "SmolLM2-135M, CPU, float32",
    "small_trial": "SmolLM2-135M, H200, TF32",
}
COLUMNS = ("id", "carries", "why_en", "why_zh")
WORDS = {
    "yes": "是",
    "in part": "部分",
    "no": "否",
    "not recorded": "还没有记录",
}


class Carried(NamedTuple):
    """What one claim gives on SmolLM2-135M, and what a person concludes from it."""

    id: str
    values: dict[str, list[float]]  # of each of FILES, in the ledger's unit; a value a run
    carries: str  # one of WORDS
    why: tuple[str, str]  # English, Chinese

    def texts(self) -> list[str]:
        """Return, for each of FILES, the mean and the range of the runs, and how many they are."""
        unit = ledger()[self.id].unit
        return [_told(self.values[name], unit) for name in FILES]


def _told(values: Sequence[float], unit: str) -> str:
    """Return values in short: the mean, and in brackets the range and the number of runs."""
    if not values:
        return "–"
    mean = shown(sum(values) / len(values), unit)
    if len(values) == 1:
        return f"{mean} (1)"
    return f"{mean} ({shown(min(values), '')} … {shown(max(values), '')}; {len(values)})"


def runs(file: str = "small") -> list[Row]:
    """Return the recorded runs of one file, none where nothing is recorded yet."""
    path = root() / "data" / "sweeps" / f"{file}.jsonl"
    return read_jsonl(path) if path.is_file() else []


def pick(rows: Sequence[Row], **fields: Any) -> list[Row]:
    """Return the runs with these settings; what is not named is as in the plain run.

    The plain run trains on 240 notices in three epochs, with no general row among them.
    """
    plain = {"replay": 0, "epochs": 3, "rows": 240} if fields.get("method") != "none" else {}
    if fields.get("method") in ("lora", "qlora"):
        plain |= {"r": 8, "targets": "all-linear"}
    wanted = plain | fields
    return [row for row in rows if all(row.get(name) == value for name, value in wanted.items())]


def best_rate(rows: Sequence[Row], **fields: Any) -> float | None:
    """Return the rate whose runs have most notices all right, None where no run has the settings.

    It is the best of those recorded, which need not be the best there is.
    """
    means = _by_rate(pick(rows, **fields), "all_open")
    return max(means, key=means.get) if means else None


def at_best(rows: Sequence[Row], measure: str, **fields: Any) -> list[float]:
    """Return a measure of the runs at the best rate of their settings (see `best_rate`)."""
    found = pick(rows, **fields, lr=best_rate(rows, **fields))
    return [row[measure] for row in found if row.get(measure) is not None]


def _percent(values: Sequence[float]) -> list[float]:
    return [100 * value for value in values]


def _base(measure: str, shots: int = 0) -> Callable[[Sequence[Row]], list[float]]:
    """Return what reads a measure, in percent, of the untrained model."""
    return lambda rows: _percent([row[measure] for row in pick(rows, method="none", shots=shots)])


def _tuned(measure: str, **fields: Any) -> Callable[[Sequence[Row]], list[float]]:
    """Return what reads a measure, in percent, of the runs at their best rate."""
    return lambda rows: _percent(at_best(rows, measure, **fields))


def _difference(
    measure: str, one: dict[str, Any], other: dict[str, Any]
) -> Callable[[Sequence[Row]], list[float]]:
    """Return what subtracts the mean of other runs, each at its best rate, in points."""

    def read(rows: Sequence[Row]) -> list[float]:
        left, right = (_percent(at_best(rows, measure, **fields)) for fields in (one, other))
        return [sum(left) / len(left) - sum(right) / len(right)] if left and right else []

    return read


def _same_rate(
    measure: str, one: dict[str, Any], other: dict[str, Any]
) -> Callable[[Sequence[Row]], list[float]]:
    """Return what subtracts, at the one rate that both were tried at and that served both best."""

    def read(rows: Sequence[Row]) -> list[float]:
        groups = [_by_rate(pick(rows, **fields), measure) for fields in (one, other)]
        common = sorted(groups[0].keys() & groups[1].keys())
        pairs = [[100 * group[lr] for group in groups] for lr in common]
        return [left - right for left, right in [max(pairs, key=sum)]] if pairs else []

    return read


def _gentlest(need: float) -> Callable[[Sequence[Row]], list[float]]:
    """Return what compares, in points, what all weights and LoRA forget at least for a score.

    For each of the two it is the setting, of those whose mean `all_open` reaches `need`, that
    answers most general questions; all ranks, places and rates count.
    """

    def most(rows: Sequence[Row], method: str) -> float | None:
        groups: dict[tuple, list[Row]] = {}
        for row in rows:
            if (row["method"], row["replay"], row["epochs"], row["rows"]) == (method, 0, 3, 240):
                setting = row["targets"], row["r"], row["alpha"], row["lr"]
                groups.setdefault(setting, []).append(row)
        able = [group for group in groups.values() if _mean(group, "all_open") >= need]
        return max((_mean(group, "general") for group in able), default=None)

    def read(rows: Sequence[Row]) -> list[float]:
        full, lora = most(rows, "full"), most(rows, "lora")
        return [] if full is None or lora is None else [100 * (lora - full)]

    return read


def _mean(rows: Sequence[Row], measure: str) -> float:
    return sum(row[measure] for row in rows) / len(rows)


def _skills(rows: Sequence[Row]) -> list[float]:
    """Return what LoRA's runs at the best rate lose of all general questions, in points."""
    before = _base("general")(rows)
    after = _tuned("general", **LORA)(rows)
    return [value - before[0] for value in after] if before else []


def _by_rate(rows: Sequence[Row], measure: str) -> dict[float, float]:
    """Return the mean of a measure for each rate."""
    groups: dict[float, list[float]] = {}
    for row in rows:
        groups.setdefault(row["lr"], []).append(row[measure])
    return {lr: sum(values) / len(values) for lr, values in groups.items()}


def _rates(rows: Sequence[Row]) -> list[float]:
    """Return LoRA's best rate over that of all weights."""
    lora, full = (best_rate(rows, method=method) for method in ("lora", "full"))
    return [lora / full] if lora and full else []


LORA, FULL, QLORA = {"method": "lora"}, {"method": "full"}, {"method": "qlora"}
# the claim's id -> its value on SmolLM2-135M, in the unit of the ledger
READ: dict[str, Callable[[Sequence[Row]], list[float]]] = {
    "start_minute_form": _tuned("form_open", **FULL),
    "start_minute_facts": _tuned("facts_open", **FULL),
    "start_minute_closed": _tuned("facts_closed", **FULL),
    "start_notice_form": _base("form_open"),
    "tree_rag_facts": _base("facts_open"),
    "tree_rag_form": _base("form_open"),
    "tree_prompt_form": lambda rows: max(
        (_base(name, shots=2)(rows) for name in ("form_open", "form_closed")),
        key=lambda values: sum(values) / len(values) if values else -1.0,
    ),
    "tree_tuned_form": _tuned("form_closed", **LORA),
    "tree_tuned_term": _tuned("term_closed", **LORA),
    "tree_tuned_facts": _tuned("facts_closed", **LORA),
    "tree_tuned_facts_seen": lambda rows: _percent(
        at_best(rows, "facts_seen_closed", method="full", epochs=20)
    ),
    "tree_both": _tuned("all_open", **LORA),
    "data_split_by_row": lambda rows: _percent(
        at_best(rows, "facts_seen_closed", method="full", epochs=20)
    ),
    "data_split_by_article": lambda rows: _percent(
        at_best(rows, "facts_closed", method="full", epochs=20)
    ),
    "lora_rate_ratio": _rates,
    "lora_rank_of_seeds": _same_rate("all_open", LORA, {**LORA, "r": 1}),
    "lora_zoo_full": _difference("all_open", FULL, LORA),
    "lora_zoo_forgets": _gentlest(0.6),
    "sft_form_after": _tuned("form_closed", **LORA),
    "sft_term_opened": _tuned("term_open", **LORA),
    "sft_facts_closed": _tuned("facts_closed", **LORA),
    "sft_facts_opened": _tuned("facts_open", **LORA),
    "sft_full_minus_lora": _difference("all_open", FULL, LORA),
    "sft_forgotten": _skills,
    "sft_replay": _difference("general", {**LORA, "replay": 50}, LORA),
    "qlora_form": _tuned("form_open", **QLORA),
    "qlora_all": _same_rate("all_open", QLORA, LORA),
}


def carried(notebook: str | None = None) -> list[Carried]:
    """Return what carries over, of one notebook ("04_sft") or of all; data/carry.csv decides.

    Raises CourseError for a row whose claim is not in the ledger or is not read here, or whose
    word is not one of WORDS.
    """
    path, known = root() / "data" / "carry.csv", ledger()
    recorded = {name: runs(name) for name in FILES}
    found = []
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["id"] not in READ or row["id"] not in known or row["carries"] not in WORDS:
                raise CourseError(
                    en=f"{row['id']} is no claim that is read here, or {row['carries']!r} is "
                    f"none of {', '.join(WORDS)}: correct the row",
                    zh=f"{row['id']} 不是这里能读出的论断，或 {row['carries']!r} 不在 "
                    f"{'、'.join(WORDS)} 之中：请改正这一行",
                    where="data/carry.csv",
                )
            if notebook in (None, known[row["id"]].notebook):
                values = {name: READ[row["id"]](rows) for name, rows in recorded.items()}
                why = row["why_en"], row["why_zh"]
                found.append(Carried(row["id"], values, row["carries"], why))
    return found


def lines(found: Sequence[Carried], xiaoxi: dict[str, float]) -> list[str]:
    """Return a Markdown table: claim, Xiaoxi's value, SmolLM2's, and whether it carries over."""
    heads = ["claim ｜ 论断", "Xiaoxi ｜ 小溪", *FILES.values(), "carries over? ｜ 还成立吗？"]
    made = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for item in found:
        claim = ledger()[item.id]
        own = shown(xiaoxi[item.id], claim.unit) if item.id in xiaoxi else "–"
        word = f"**{item.carries}** ({item.why[0]})<br>**{WORDS[item.carries]}**（{item.why[1]}）"
        cells = [f"{claim.en}<br>{claim.zh}", own, *item.texts(), word]
        made.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return made


def show(notebook: str) -> Any:
    """Return the table of a notebook, Xiaoxi's values being those that this run measured."""
    from IPython.display import Markdown

    measured = {name: row["value"] for name, row in results(notebook).items()}
    return Markdown("\n".join(lines(carried(notebook), measured)))
