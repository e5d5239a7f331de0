"""The calls into libllama."""
