"""Tokenizers of checkpoints, as the keys that the engine reads. See vocabulary.py."""
