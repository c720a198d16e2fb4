"""Whether a model is asked to review where plain code finds nothing amiss."""

from pathlib import Path

import pytest

from nodes.asking.review import ends_with_call
from nodes.settings import Settings


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("model", ["local", "openai:gpt-5-mini"])
@pytest.mark.parametrize("review", ["auto", "off", "brief", "careful"])
def test_the_embedded_model_is_not_asked_for_nothing(review: str, model: str, listed: bool) -> None:
    settings = Settings.model_validate({"model": "local", "review_model": model, "review": review})
    asked = {"auto": model != "local", "off": False, "brief": True, "careful": True}[review]
    assert ends_with_call(settings, listed=listed) is (asked or not listed)


def test_a_model_file_of_ones_own_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("APR_LOCAL_GGUF", str(tmp_path / "own.gguf"))
    assert ends_with_call(Settings(model="local"), listed=True)
