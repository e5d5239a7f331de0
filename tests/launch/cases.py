"""One case for each integration: what the user had in its files, and how it is launched."""

from __future__ import annotations

import json
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Case:
    """`before` are files of the user's; `program` notes how it is called."""

    name: str
    program: str
    before: dict[str, str] = field(default_factory=dict)
    extra: tuple[str, ...] = ("fix it",)
    answers: dict[str, str] = field(default_factory=dict)
    others: tuple[str, ...] = ()


def pretty(value: object) -> str:
    return json.dumps(value, indent=4)


CASES = [
    Case("claude", "claude", extra=("--help",)),
    Case("copilot", "copilot"),
    Case("pool", "pool"),
    Case("kimi", "kimi"),
    Case(
        "droid",
        "droid",
        {
            ".factory/settings.json": pretty(
                {
                    "theme": "dark",
                    "customModels": [
                        {"model": "mine", "apiKey": "secret", "note": "ü"},
                        {"model": "old", "apiKey": "ollama"},
                    ],
                    "sessionDefaultSettings": {"reasoningEffort": "enormous", "keep": [1.5]},
                }
            )
        },
    ),
    Case(
        "cline",
        "cline",
        {
            ".cline/data/settings/providers.json": pretty(
                {"providers": {"ollama": {"settings": {"apiKey": "x"}}, "other": {"a": 1}}}
            ),
            ".cline/data/globalState.json": pretty({"mine": True, "welcomeViewCompleted": False}),
        },
    ),
    Case(
        "opencode",
        "opencode",
        {
            ".local/state/opencode/model.json": pretty(
                {
                    "recent": [
                        {"providerID": "other", "modelID": "seer"},
                        {"providerID": "ollama", "modelID": "seer"},
                    ],
                    "variant": {"a": "b"},
                }
            ),
            ".config/opencode/opencode.json": '{"theme": "mine"}',
        },
    ),
    Case(
        "qwen",
        "qwen",
        {
            ".qwen/settings.json": pretty(
                {
                    "ui": {"theme": "light"},
                    "env": {"OTHER": "1"},
                    "modelProviders": {"openai": [{"id": "gpt", "envKey": "OPENAI_API_KEY"}]},
                }
            )
        },
    ),
]
