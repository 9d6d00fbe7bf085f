"""Who may answer messages: the rules, and the language models that the operator has configured, in their order."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field

from stemsvc.errors import BadSetting
from stemsvc.settings import Settings

RULES = "rules"
LIBRARY = "pydantic_ai"
# What a provider speaks, and which package besides the library speaks it.
PROTOCOLS: Mapping[str, tuple[str, str]] = {
    "anthropic": ("anthropic", "anthropic"),
    "openai": ("openai", "openai"),
    "google": ("google", "google.genai"),
    "local": ("openai", "openai"),
}


@dataclass(frozen=True)
class Provider:
    """A language model: the provider's name, the model's, what it speaks, and where. `rules` has none of these."""

    name: str
    model: str = ""
    protocol: str = ""
    url: str = ""
    key: str = field(default="", repr=False)


def configured(settings: Settings) -> tuple[Provider, ...]:
    """Those that answer, in the operator's order.

    Raises `FatalError` `bad_setting` where one of them lacks its key, its address or its library.
    """
    named = [each.strip() for each in settings.chat_providers.split(",")]
    return tuple(_provider(each, settings) for each in named)


def _provider(text: str, settings: Settings) -> Provider:
    name, _, model = text.partition(":")
    if name == RULES:
        return Provider(RULES)
    protocol, package = PROTOCOLS[name]
    key = getattr(settings, f"chat_{name}_key").get_secret_value()
    url = getattr(settings, f"chat_{name}_url")
    variable = f"STEMSVC_CHAT_{name.upper()}"
    if not url:
        raise BadSetting(f"STEMSVC_CHAT_PROVIDERS names {name}: set {variable}_URL")
    if not key and name != "local":
        raise BadSetting(f"STEMSVC_CHAT_PROVIDERS names {name}: set {variable}_KEY or {variable}_KEY_FILE")
    if not (_installed(LIBRARY) and _installed(package)):
        raise BadSetting(f"STEMSVC_CHAT_PROVIDERS names {name}: run pip install 'stemsvc[chat]'")
    return Provider(name, model.strip(), protocol, url, key)


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # of a package's parent
        return False
