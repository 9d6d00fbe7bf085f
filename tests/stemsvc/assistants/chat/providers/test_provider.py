"""Who answers is what the operator's settings say, and nobody else."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from stemsvc.assistants.chat.providers import provider
from stemsvc.assistants.chat.providers.provider import RULES, Provider, configured
from stemsvc.errors import BadSetting
from stemsvc.settings import Settings


def test_the_rules_alone_answer_where_nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GOOGLE_API_KEY"):
        monkeypatch.setenv(name, "a-key")
    assert configured(Settings()) == (Provider(RULES),)


def test_providers_come_in_the_operators_order_with_keys_of_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").write_text("from-a-file\n")
    monkeypatch.setenv("STEMSVC_CHAT_ANTHROPIC_KEY_FILE", str(tmp_path / "key"))
    settings = Settings(
        chat_providers="local:qwen3:8b, anthropic:claude-x, rules", chat_local_url="http://127.0.0.1:1/v1"
    )
    local, anthropic, rules = configured(settings)
    assert (local.name, local.model, local.protocol, local.key) == ("local", "qwen3:8b", "openai", "")
    assert (anthropic.name, anthropic.model, anthropic.key) == ("anthropic", "claude-x", "from-a-file")
    assert rules.name == RULES
    assert "from-a-file" not in repr((settings, anthropic))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("openai:gpt", "set STEMSVC_CHAT_OPENAI_KEY or STEMSVC_CHAT_OPENAI_KEY_FILE"),
        ("local:x,rules", "set STEMSVC_CHAT_LOCAL_URL"),
    ],
)
def test_what_a_provider_lacks_is_said(given: str, said: str) -> None:
    with pytest.raises(BadSetting, match=said):
        configured(Settings(chat_providers=given))


@pytest.mark.parametrize(
    "given", ["", "gpt-5", "openai", "openai:", "evil:x", "openai:a b", "rules,rules", "openai:a,rules,openai:b"]
)
def test_a_list_that_can_not_be_read_is_refused(given: str) -> None:
    with pytest.raises(BadSetting, match="STEMSVC_CHAT_PROVIDERS"):
        Settings(chat_providers=given)


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider, "LIBRARY", "no_such_library")
    with pytest.raises(BadSetting, match=r"pip install 'stemsvc\[chat\]'"):
        configured(Settings(chat_providers="openai:x", chat_openai_key=SecretStr("a")))
