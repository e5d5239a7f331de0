"""Families of projectors, one file each: what a checkpoint's vision encoder is called in GGUF. See
registry.py.
"""
