"""What the environment and the options say."""

from __future__ import annotations

from typing import Any

import pytest

from streaming_assistants._activation.settings import Settings, from_environment, into_environment

pytestmark = pytest.mark.any_sdk


@pytest.mark.parametrize(
    "settings",
    [
        Settings(),
        Settings("echo"),
        Settings("chat", "sqlite:///a.db", "http://localhost:11434/v1", {"gpt-4": "qwen3", "a": "b=c"}),
    ],
)
def test_settings_pass_through_the_environment(settings: Settings) -> None:
    environment = {"STREAMING_ASSISTANTS_STORE": "another", "PATH": "kept"}
    into_environment(settings, environment)
    assert from_environment(environment) == settings
    assert environment["PATH"] == "kept"


def test_what_is_empty_is_not_set() -> None:
    names = ("BACKEND", "STORE", "BASE_URL", "MODELS")
    assert from_environment({f"STREAMING_ASSISTANTS_{name}": " " for name in names}) == Settings()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"MODELS": "gpt-4", "BACKEND": "chat"}, "'gpt-4' is no OLD=NEW pair of models."),
        ({"MODELS": "=new", "BACKEND": "chat"}, "'=new' is no OLD=NEW pair of models."),
        ({"MODELS": "a=b"}, "models is a backend's, and no backend is named."),
        ({"STORE": "a.db"}, "store is a backend's, and no backend is named."),
    ],
)
def test_what_is_no_setting(given: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        from_environment({f"STREAMING_ASSISTANTS_{name}": value for name, value in given.items()})


def test_a_backend_has_what_it_needs(monkeypatch: Any) -> None:
    with pytest.raises(ValueError, match="no backend is named"):
        Settings(models={"a": "b"})
