"""What the tests of all lessons share."""

import pytest

from helpers import exercise


@pytest.fixture(autouse=True)
def learner(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer as a learner does: no STRICT, nothing remembered."""
    monkeypatch.delenv("STRICT", raising=False)
    monkeypatch.setattr(exercise, "remember", lambda exercise_id: None)
