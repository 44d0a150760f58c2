"""Adapters: where a trained one lies, and which notebook makes it."""

import pytest

from helpers.base import CourseError
from helpers.model import adapters
from helpers.model.adapters import adapter_path


@pytest.fixture
def course(monkeypatch, tmp_path):
    """Pretend that the course lies in an empty folder."""
    monkeypatch.setattr(adapters, "root", lambda: tmp_path)
    return tmp_path


def make_adapter(folder):
    folder.mkdir(parents=True)
    (folder / "adapter_config.json").write_text("{}")
    return folder


def test_adapter_path_prefers_what_ships_for_tiny_alone(course):
    own = {p: make_adapter(course / "build/adapters" / p / "04_notice") for p in ("tiny", "t4")}
    assert adapter_path("04_notice") == own["tiny"]
    shipped = make_adapter(course / "data/adapters/04_notice")
    assert adapter_path("04_notice") == shipped
    assert adapter_path("04_notice", "smoke") == shipped
    assert adapter_path("04_notice", "t4") == own["t4"]


def test_adapter_path_names_the_notebook_to_run_first(course):
    (course / "data/adapters/06_dpo").mkdir(parents=True)  # a folder alone is no adapter
    with pytest.raises(CourseError, match="run notebook 06 first") as caught:
        adapter_path("06_dpo")
    assert "06 号" in caught.value.zh
