"""A course of one lesson and one claim, whose code and values the tests set."""

from pathlib import Path

import pytest

from helpers.measure.ledger import Claim
from tools.ledger import code, measure, seeds
from tools.nbkit import report

CLAIM = Claim(
    id="toy_sum", notebook="90_toy", en="two and three make five", zh="二加三等于五",
    source="arithmetic", unit="%", low=4, high=6, verdict="supported",
    scope=("integers", "整数"), timing=False, line=2,
)  # fmt: skip


@pytest.fixture
def claim() -> Claim:
    """Return the claim."""
    return CLAIM


@pytest.fixture
def clone(tmp_path, monkeypatch) -> Path:
    """Return the folder of a course with the claim above and its value of seed 0."""
    from tools.ledger import __main__ as command

    lesson = tmp_path / "notebooks" / "src" / "90_toy.py"
    for module in (code, measure, command):
        monkeypatch.setattr(module, "sources", lambda root, names=None: [lesson])
    for module in (code, measure):
        monkeypatch.setattr(module, "read_source", lambda path: None)
        monkeypatch.setattr(module, "lesson_hash", lambda nb: "now")
    monkeypatch.setattr(seeds, "fingerprint", lambda: "f00d")
    monkeypatch.setattr(report, "claims_of", lambda root, names=None: [CLAIM])
    (tmp_path / "data").mkdir()
    found = seeds.Seeds({"toy_sum": {"0": 5.0}}, {"90_toy": {"0": "now"}}, {"toy_sum": 50})
    seeds.keep(tmp_path, found, ["toy_sum"])
    return tmp_path
