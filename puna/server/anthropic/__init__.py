"""The Anthropic API: its requests as the native ones, and events as its replies."""
