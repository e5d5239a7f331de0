"""Families of projectors, one file each: what a checkpoint's encoder is called in GGUF. See
registry.py.
"""
