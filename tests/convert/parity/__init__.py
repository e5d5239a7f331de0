"""Converted models against transformers: the same random weights must give the same logits."""
