"""Messages to text, and text back to content, thoughts and tool calls."""
