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
    secrets: dict[str, str] = field(default_factory=dict)


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
        "codex",
        "codex",
        {
            ".codex/config.toml": (
                '# mine\nprofile = "ollama-launch"  # gone\nmodel = "gpt-5"\n\n'
                '[profiles.ollama-launch]\nmodel = "old"\n\n[tools]\nweb = true # stays\n'
            )
        },
        answers={"--version": "codex-cli 0.140.0"},
    ),
    Case(
        "pi",
        "pi",
        {
            ".pi/agent/models.json": pretty(
                {
                    "providers": {
                        "ollama": {
                            "baseUrl": "http://elsewhere/v1",
                            "models": [{"id": "mine"}, {"id": "gone", "_launch": True}],
                        }
                    }
                }
            ),
            ".pi/agent/settings.json": pretty({"theme": "dark"}),
        },
    ),
    Case(
        "omp",
        "omp",
        {
            ".omp/agent/models.yml": (
                "# mine\nproviders:\n  ollama:\n    models:\n    - id: mine # stays\n"
                "    - id: seer\n      note: kept\n  other:\n    api: x\n"
            )
        },
    ),
    Case("dsh", "dsh"),
    Case(
        "hermes",
        "hermes",
        {
            ".hermes/config.yaml": (
                "# mine\nmodel: gpt\nproviders:\n  ollama:\n    key: kept\n"
                "custom_providers:\n- name: Ollama\n- name: other # stays\n"
                "toolsets: hermes-cli, files\n"
            )
        },
        answers={"gateway status": "Gateway is running (pid 1)"},
    ),
    Case("hermes-desktop", "hermes", answers={"--version": "Hermes Agent v0.15.2"}),
    Case("muse", "muse", {".config/muse/settings.json": pretty({"skills": ["mine"]})}),
    Case(
        "openclaw",
        "openclaw",
        {
            ".openclaw/openclaw.json": pretty(
                {
                    "models": {"providers": {"ollama": {"models": [{"id": "seer", "mine": 1}]}}},
                    "channels": {"telegram": {"token": "x"}},
                }
            ),
            ".openclaw/agents/main/sessions/sessions.json": pretty(
                {"a": {"modelOverride": "gpt", "providerOverride": "x", "model": "gpt"}, "b": 1}
            ),
        },
        extra=("status",),
        secrets={"OPENAI_API_KEY": "secret"},
    ),
    Case(
        "vscode",
        "code",
        {
            ".config/Code/User/chatLanguageModels.json": pretty(
                [{"vendor": "other"}, {"vendor": "ollama", "url": "old"}]
            ),
            ".config/Code/User/settings.json": '{\n  // mine\n  "a": 1\n}\n',
        },
        extra=("--wait",),
        answers={
            "--version": "1.112.0",
            "--list-extensions --show-versions": "github.copilot-chat@0.41.0",
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
