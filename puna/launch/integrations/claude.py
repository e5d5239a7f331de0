"""Claude Code: set up by its environment alone."""

from __future__ import annotations

from puna.launch.integration import Integration, Kind, Order, script

__all__ = ["INTEGRATION"]


def environment(order: Order) -> dict[str, str]:
    """Every tier of models leads to the chosen one; nothing is reported, and nothing changes the
    beginning of a prompt, which would have to be read again.
    """
    tiers = (
        "ANTHROPIC_DEFAULT_OPUS_MODEL",
        "ANTHROPIC_DEFAULT_SONNET_MODEL",
        "ANTHROPIC_DEFAULT_HAIKU_MODEL",
        "CLAUDE_CODE_SUBAGENT_MODEL",
    )
    first = order.models[0]
    known = first.remote and first.context_length
    window = {"CLAUDE_CODE_AUTO_COMPACT_WINDOW": str(first.context_length)} if known else {}
    return (
        {
            "ANTHROPIC_BASE_URL": order.place.url,
            "ANTHROPIC_API_KEY": "",
            "ANTHROPIC_AUTH_TOKEN": order.place.key,
            "CLAUDE_CODE_ATTRIBUTION_HEADER": "0",
            "CLAUDE_CODE_TOTAL_TOKENS_REMINDER": "off",
            "DISABLE_ERROR_REPORTING": "1",
            "DISABLE_FEEDBACK_COMMAND": "1",
            "CLAUDE_CODE_DISABLE_FEEDBACK_SURVEY": "1",
        }
        | dict.fromkeys(tiers, order.model)
        | window
    )


INTEGRATION = Integration(
    name="claude",
    title="Claude Code",
    about="Anthropic's coding tool with subagents",
    kind=Kind.RUNS,
    program="claude",
    elsewhere=lambda place: (
        place.home / ".local" / "bin" / "claude",
        place.home / ".claude" / "local" / "claude",
    ),
    url="https://code.claude.com/docs/en/quickstart",
    installer=script("https://claude.ai/install.sh"),
    arguments=lambda order: ["--model", order.model, *order.extra],
    environment=environment,
    takes_key=True,
)
