"""Checkpoints to GGUF, adapters, quantisation."""
